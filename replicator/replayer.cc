#include "replicator/replayer.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <variant>

#include "core/check.h"
#include "core/format.h"

namespace homeport::replicator {

namespace qq = quorum_queue;

namespace {

// Of what comes out of the relay log: it is on disk already.
constexpr uint64_t kOnDisk = 0;
// Sessions of one reader; the next begins after them.
constexpr uint64_t kSessionsPerReader = uint64_t{1} << 24;

}  // namespace

Replayer::Replayer(ReplayerOptions options, core::Store* store)
    : options_(options),
      applier_(options.stream, options.context, store),
      received_(applier_.applied()),
      replicas_(options.replicas),
      session_base_(options.session_base) {}

void Replayer::Start(Instant now, Outbox* out) {
  if (options_.relay_end <= applier_.applied()) {
    Follow(now, out);
    return;
  }
  loading_ = true;
  out->Load(options_.stream, received_ + 1);
}

void Replayer::Follow(Instant now, Outbox* out) {
  qq::ReaderOptions reader;
  reader.stream = options_.stream;
  reader.session_base = std::exchange(session_base_, session_base_ + kSessionsPerReader);
  reader.from = received_ + 1;
  reader.replicas = static_cast<uint8_t>(replicas_.size());
  reader.credit_bytes = options_.reader_credit_bytes;
  reader.compress = true;
  reader_ = std::make_unique<qq::Reader>(reader);
  held_nowhere_.reset();
  paused_ = false;
  StepReader(now, qq::ReaderTick{}, out);
}

void Replayer::SetReplicas(Instant now, std::vector<uint8_t> replicas, Outbox* out) {
  if (replicas == replicas_) return;
  replicas_ = std::move(replicas);
  if (reader_ == nullptr || begins_at_.has_value()) return;
  Follow(now, out);  // what the reader before was sent and has not got comes again
}

void Replayer::Loaded(Instant now, qq::EntryRun run, Outbox* out) {
  CHECK(loading_, "the relay log is asked before it answers", options_.stream);
  loading_ = false;
  if (run.empty()) {
    Follow(now, out);
    return;
  }
  CHECK(run.first == received_ + 1, "the relay log gives what was asked for", options_.stream,
        run.first, received_);
  received_ = run.last();
  waiting_.Push(kOnDisk, std::move(run));
}

void Replayer::Answer(Instant now, uint8_t replica, qq::ReadAnswer answer, Outbox* out) {
  const std::optional<uint8_t> at = IndexIn(replicas_, replica);
  if (reader_ == nullptr || !at.has_value()) return;  // of an earlier life, or of a group that went
  StepReader(now, qq::ReadAnswerReceived{*at, std::move(answer)}, out);
}

void Replayer::StepReader(Instant now, qq::ReaderEvent event, Outbox* out) {
  effects_.clear();
  reader_->Step(now, std::move(event), &effects_);
  for (qq::ReaderEffect& effect : effects_) {
    if (auto* send = std::get_if<qq::SendRead>(&effect)) {
      out->Send(options_.stream.incarnation(), replicas_[send->replica], std::move(send->read));
    } else if (auto* deliver = std::get_if<qq::DeliverEffect>(&effect)) {
      qq::EntryRun& run = deliver->run;
      CHECK(run.first == received_ + 1, "a reader delivers each entry once, in order",
            options_.stream, run.first, received_);
      received_ = run.last();
      held_nowhere_.reset();
      out->stats().bytes_replayed += run.body.size();
      const uint64_t token = out->AppendToRelay(options_.stream, run);
      waiting_.Push(token, std::move(run));
    } else if (auto* trimmed = std::get_if<qq::TrimmedEffect>(&effect)) {
      begins_at_ = trimmed->first;
      out->Tell("needs_bootstrap", fmt::format("stream={} applied={} first={}", options_.stream,
                                               applier_.applied(), trimmed->first));
    } else if (auto* lost = std::get_if<qq::HeldNowhereEffect>(&effect)) {
      held_nowhere_ = lost->seq;
      out->Tell("held_nowhere", fmt::format("stream={} seq={}", options_.stream, lost->seq));
    }
  }
  PauseOrResume(now, out);
}

// Resumes at half, so that credit is not given in crumbs.
void Replayer::PauseOrResume(Instant now, Outbox* out) {
  if (reader_ == nullptr) return;
  const uint64_t bytes_max = paused_ ? options_.waiting_bytes_max / 2 : options_.waiting_bytes_max;
  const bool pause = applier_.blocked() || waiting_.bytes() > bytes_max;
  if (pause == paused_) return;
  paused_ = pause;
  StepReader(now, qq::PauseReader{pause}, out);
}

uint64_t Replayer::ApplySome(Instant now, uint64_t persisted, uint64_t bytes_max, Outbox* out) {
  uint64_t bytes = 0;
  while (!waiting_.empty() && waiting_.token() <= persisted && bytes < bytes_max) {
    CHECK(waiting_.seq() == applier_.applied() + 1, "entries are applied in order", options_.stream,
          waiting_.seq(), applier_.applied());
    const uint64_t size = waiting_.payload().size();
    if (!applier_.Apply(now, waiting_.payload(), out)) break;
    waiting_.Pop();
    bytes += size + 1;  // an empty entry is work, too
  }
  if (reader_ == nullptr && waiting_.empty() && !loading_) {
    loading_ = true;
    out->Load(options_.stream, received_ + 1);
  }
  PauseOrResume(now, out);
  return bytes;
}

void Replayer::Tick(Instant now, uint64_t persisted, Outbox* out) {
  if (applier_.blocked()) ApplySome(now, persisted, 1, out);
  if (reader_ != nullptr) StepReader(now, qq::ReaderTick{}, out);
}

std::optional<Instant> Replayer::NextDeadline() const {
  std::optional<Instant> first = applier_.NextDeadline();
  if (reader_ == nullptr) return first;
  const std::optional<Instant> reader = reader_->NextDeadline();
  if (!first.has_value() || (reader.has_value() && *reader < *first)) first = reader;
  return first;
}

StreamLag Replayer::Lag() const {
  StreamLag lag;
  lag.stream = options_.stream;
  lag.applied = applier_.applied();
  lag.committed = std::max(received_, options_.relay_end);
  if (reader_ != nullptr) {
    const qq::ReaderStatus reader = reader_->Status();
    lag.committed = std::max(lag.committed, reader.committed);
    lag.heard = reader.heard;
  }
  lag.applied_written_at = applier_.written_at();
  lag.begins_at = begins_at_;
  lag.held_nowhere = held_nowhere_;
  return lag;
}

}  // namespace homeport::replicator
