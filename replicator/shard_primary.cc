#include "replicator/shard_primary.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>
#include <variant>

#include "core/check.h"
#include "core/config.h"
#include "core/format.h"

namespace homeport::replicator {

namespace qq = quorum_queue;
using core::Status;

namespace {

constexpr uint64_t kRetryAfterMs = 100;
// The sessions of the readers that catch up are below these.
constexpr uint64_t kKeeperSessions = uint64_t{1} << 40;
constexpr uint64_t kSessionsPerReader = uint64_t{1} << 24;

qq::WriterOptions WriterOptionsOf(const ShardPrimaryOptions& options) {
  qq::WriterOptions writer = options.writer;
  writer.stream = {options.self, options.shard};
  return writer;
}

std::set<Incarnation> OthersOf(const ShardPrimaryOptions& options) {
  std::set<Incarnation> others;
  for (const StreamId stream : options.streams) others.insert(stream.incarnation());
  others.erase(options.self);
  return others;
}

// People count the replicas of a region from 1, as their directories do.
std::string JoinReplicas(const std::vector<uint8_t>& numbers) {
  std::string text;
  for (const uint8_t number : numbers) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", number + 1);
  }
  return text;
}

}  // namespace

ShardPrimary::ShardPrimary(ShardPrimaryOptions options, core::Store* store, qq::Grant grant)
    : options_(std::move(options)),
      store_(store),
      replicas_(grant.groups),
      writer_(std::make_unique<qq::Writer>(WriterOptionsOf(options_), std::move(grant))),
      applier_(stream(), {options_.self, options_.shards, options_.messaging.move_bug}, store),
      applied_at_start_(applier_.applied()),
      sessions_(options_.session_base),
      keeper_(stream(), options_.shards, options_.session_base + kKeeperSessions,
              replicas_.InReadingOrder(options_.shard), store, OthersOf(options_)) {
  StartReader(applied_at_start_ + 1);
  for (const StreamId source : options_.streams) sources_[source];
}

// ---- writer and reader

void ShardPrimary::StepWriter(Instant now, qq::WriterEvent event, Outbox* out) {
  writer_effects_.clear();
  writer_->Step(now, std::move(event), &writer_effects_);
  for (qq::WriterEffect& effect : writer_effects_) {
    if (auto* send = std::get_if<qq::SendToReplica>(&effect)) {
      out->Send(options_.self, replicas_.NumberOf(send->to), std::move(send->request));
    } else if (auto* opened = std::get_if<qq::OpenedEffect>(&effect)) {
      Opened(now, opened->open, out);
    } else if (auto* committed = std::get_if<qq::CommittedEffect>(&effect)) {
      committed_ = committed->committed;
    } else if (auto* stopped = std::get_if<qq::StoppedEffect>(&effect)) {
      out->Tell("fenced", fmt::format("stream={} by={}", stream(), stopped->by));
      out->Stop(
          fmt::format("another process took over stream {} of this region with writer epoch "
                      "{}; this one is out for good",
                      stream(), stopped->by));
    }
  }
  ApplyCommitted(now, out);
}

void ShardPrimary::StepReader(Instant now, qq::ReaderEvent event, Outbox* out) {
  reader_effects_.clear();
  reader_->Step(now, std::move(event), &reader_effects_);
  for (qq::ReaderEffect& effect : reader_effects_) {
    if (auto* send = std::get_if<qq::SendRead>(&effect)) {
      const auto order = replicas_.InReadingOrder(options_.shard);
      out->Send(options_.self, order[send->replica], std::move(send->read));
    } else if (auto* deliver = std::get_if<qq::DeliverEffect>(&effect)) {
      held_nowhere_.reset();
      catch_up_.Push(0, std::move(deliver->run));
    } else if (auto* trimmed = std::get_if<qq::TrimmedEffect>(&effect)) {
      trimmed_ = trimmed->first;
      out->Tell("needs_bootstrap", fmt::format("stream={} applied={} first={}", stream(),
                                               applier_.applied(), trimmed->first));
    } else if (auto* lost = std::get_if<qq::HeldNowhereEffect>(&effect)) {
      held_nowhere_ = lost->seq;
      out->Tell("held_nowhere", fmt::format("stream={} seq={}", stream(), lost->seq));
    }
  }
  CatchUp(now, out);
  if (reader_ == nullptr || applier_.blocked() == reader_paused_) return;
  reader_paused_ = applier_.blocked();
  StepReader(now, qq::PauseReader{reader_paused_}, out);
}

void ShardPrimary::Opened(Instant now, Seq open, Outbox* out) {
  open_ = open;
  out->Tell("takeover_done",
            fmt::format("stream={} open={} applied={}", stream(), open, applier_.applied()));
  if (evaluator_ != nullptr) return Reopened(open, out);
  if (applied_at_start_ >= open) {
    // What is applied was committed, and a takeover finds all that was committed.
    out->Stop(
        fmt::format("the store has applied stream {} up to entry {}, but its replicas hold "
                    "only {}: they lost committed entries, or the store is not theirs",
                    stream(), applied_at_start_, open));
    return;
  }
  CatchUp(now, out);
}

// With nothing under way the writer before had committed all that it sent.
void ShardPrimary::Reopened(Seq open, Outbox* out) {
  if (open != applier_.applied() + 1) {
    out->Stop(
        fmt::format("stream {} was opened again at entry {} after entry {}: another process has "
                    "taken over in between",
                    stream(), open, applier_.applied()));
    return;
  }
  committed_ = open;
  in_flight_.push_back({open, "", 0, {}, {}, true});
}

void ShardPrimary::StartReader(Seq from) {
  qq::ReaderOptions reader;
  reader.stream = stream();
  reader.session_base = std::exchange(sessions_, sessions_ + kSessionsPerReader);
  reader.from = from;
  reader.replicas = static_cast<uint8_t>(replicas_.InReadingOrder(options_.shard).size());
  reader.credit_bytes = options_.reader_credit_bytes;
  reader_ = std::make_unique<qq::Reader>(reader);
  reader_paused_ = false;
}

void ShardPrimary::Regrant(qq::Grant grant) {
  const qq::WriterEpoch newest = regrant_.has_value() ? regrant_->epoch : writer_->Status().epoch;
  if (!stopped_ && grant.epoch > newest) regrant_ = std::move(grant);
}

// While it catches up with its writer's Open the stream must not go on; before, and when it serves,
// it may.
void ShardPrimary::TakeOverIfRegranted(Instant now, Outbox* out) {
  if (!regrant_.has_value() || !in_flight_.empty()) return;
  if (open_.has_value() && evaluator_ == nullptr) return;
  // One that may have sent its Open must get it committed: it would stand before the next one's.
  const bool serves_again_soon = evaluator_ != nullptr && !open_.has_value();
  if (serves_again_soon && writer_->Status().phase != qq::WriterPhase::kFencing) return;
  qq::Grant grant = *std::exchange(regrant_, std::nullopt);
  out->Tell("regranted", fmt::format("stream={} epoch={}", stream(), grant.epoch));
  replicas_ = RegionReplicas(grant.groups);
  writer_ = std::make_unique<qq::Writer>(WriterOptionsOf(options_), std::move(grant));
  open_.reset();
  trim_told_ = Seq(0);
  flush_ = false;
  keeper_.SetReplicas(now, replicas_.InReadingOrder(options_.shard), out);
  if (reader_ != nullptr) StartReader(reader_->Status().next);
  StepWriter(now, qq::WriterTick{}, out);
  if (reader_ != nullptr) StepReader(now, qq::ReaderTick{}, out);
}

// ---- catching up

void ShardPrimary::CatchUp(Instant now, Outbox* out) {
  if (reader_ == nullptr || stopped_) return;
  while (!catch_up_.empty() && !(open_.has_value() && applier_.applied() >= *open_)) {
    CHECK(catch_up_.seq() == applier_.applied() + 1, "a reader delivers each entry once, in order",
          catch_up_.seq(), applier_.applied());
    if (!applier_.Apply(now, catch_up_.payload(), out)) return;
    catch_up_.Pop();
    for (const core::Position& dep : out->adopted_deps()) {
      Seq& needed = adopted_deps_[dep.stream];
      needed = std::max(needed, dep.seq);
    }
    out->adopted_deps().clear();
  }
  if (!open_.has_value() || applier_.applied() < *open_) return;
  if (applier_.applied() > *open_ || !catch_up_.empty()) {
    out->Stop(
        fmt::format("stream {} goes on after this process opened it at entry {}: another "
                    "process has taken over",
                    stream(), *open_));
    return;
  }
  reader_.reset();
  awaited_.emplace();
  for (const StreamId source : options_.streams) {
    Seq used = core::ConsumedSeq(*store_, options_.self, source, options_.shard);
    const auto needed = adopted_deps_.find(source);
    const bool planted = options_.messaging.move_bug == core::PlantedMoveBug::kServesAfterRestart;
    if (needed != adopted_deps_.end() && !planted) used = std::max(used, needed->second);
    if (used > core::AppliedSeq(*store_, source)) awaited_->push_back({source, used});
  }
  adopted_deps_.clear();
  BecomeReady(out);
}

void ShardPrimary::BecomeReady(Outbox* out) {
  std::erase_if(*awaited_, [&](const Awaited& awaited) {
    return core::AppliedSeq(*store_, awaited.stream) >= awaited.seq;
  });
  if (!awaited_->empty()) return;
  const core::EvaluatorOptions options{options_.self, options_.shard, options_.shards,
                                       options_.messaging};
  evaluator_ = std::make_unique<core::Evaluator>(options, store_);
  // The intents of entries just applied are still on their way here, even if a later one consumed
  // them.
  for (auto& [stream_id, source] : sources_) {
    source.through = core::ReadCursor(*store_, options_.self, stream_id, options_.shard);
  }
  stored_pending_bytes_ = 0;
  for (core::PendingIntent& intent : core::LoadPending(*store_, options_.shard)) {
    AddPending(std::move(intent));
  }
  for (const core::Uin uin : core::LoadArriving(*store_, options_.shard)) {
    arriving_.push_back(uin);
  }
  for (const core::Uin uin : core::LoadParkedTargets(*store_, options_.shard, options_.self)) {
    unpark_.push_back(uin);
  }
  out->Tell("shard_ready", fmt::format("stream={} pending={}", stream(), pending_count_));
}

// ---- events

void ShardPrimary::Answer(Instant now, uint8_t replica, qq::ReplicaAnswer answer, Outbox* out) {
  if (stopped_) return;
  heard_ = now;
  if (auto* read = std::get_if<qq::ReadAnswer>(&answer)) {
    // After catching up, what the last reader asked for may still arrive.
    if (reader_ != nullptr) {
      const auto at = IndexIn(replicas_.InReadingOrder(options_.shard), replica);
      if (at.has_value()) StepReader(now, qq::ReadAnswerReceived{*at, std::move(*read)}, out);
    } else {
      keeper_.Answer(now, replica, std::move(*read), out);
    }
    return;
  }
  const std::optional<qq::ReplicaSlot> from = replicas_.SlotOf(replica);
  if (!from.has_value()) return;  // of a group that this writer does not know
  StepWriter(now, qq::AnswerReceived{*from, std::move(answer)}, out);
}

void ShardPrimary::Execute(Instant now, Ticket ticket, core::Command command, Outbox* out) {
  if (!ready()) {
    out->Refuse(ticket,
                Status::Unavailable(fmt::format("shard {} does not serve yet: {}; try again",
                                                options_.shard, WhyNot())));
    return;
  }
  if (queued_.size() >= options_.commands_queued_max) {
    out->Refuse(ticket,
                Status::Overloaded(kRetryAfterMs,
                                   fmt::format("shard {} has {} commands waiting; try again "
                                               "in {} ms",
                                               options_.shard, queued_.size(), kRetryAfterMs)));
    return;
  }
  queued_.push_back({ticket, now + options_.command_timeout, std::move(command)});
}

void ShardPrimary::AddPending(core::PendingIntent intent) {
  if (evaluator_ == nullptr) {
    stored_pending_bytes_ += intent.bytes.size();
    return;
  }
  const auto found = sources_.find(intent.source);
  if (found == sources_.end()) return;  // of a region that is no longer followed
  Source& source = found->second;
  const core::Cursor place{intent.seq, intent.index};
  if (place <= source.through) return;
  source.through = place;
  ++pending_count_;
  pending_bytes_ += intent.bytes.size();
  source.intents.push_back(std::move(intent));
}

void ShardPrimary::Learned(const core::HomeChange& change) {
  if (evaluator_ == nullptr) return;
  evaluator_->Learned(change.uin);
  if (core::ShardOf(change.uin, options_.shards) != options_.shard) return;
  (change.arrives ? arriving_ : unpark_).push_back(change.uin);
}

// Streams may have been replayed further: who arrives may have all by now.
void ShardPrimary::LookAtArriving() {
  for (auto source = arriving_later_.begin(); source != arriving_later_.end();) {
    std::multimap<Seq, core::Uin>& waiting = source->second;
    const auto end = waiting.upper_bound(core::AppliedSeq(*store_, source->first));
    for (auto at = waiting.begin(); at != end; ++at) arriving_.push_back(at->second);
    waiting.erase(waiting.begin(), end);
    source = waiting.empty() ? arriving_later_.erase(source) : std::next(source);
  }
}

void ShardPrimary::AddUnconsumed(std::map<StreamId, Seq>* first) const {
  CHECK(ready(), "only a shard that serves knows what it has not consumed", options_.shard);
  const auto lower = [&](StreamId source, Seq seq) {
    const auto [at, added] = first->try_emplace(source, seq);
    if (!added) at->second = std::min(at->second, seq);
  };
  for (const InFlight& entry : in_flight_) {
    for (const auto& [source, seq] : entry.consumes) lower(source, seq);
  }
  for (const auto& [source, waiting] : sources_) {
    if (!waiting.intents.empty()) lower(source, waiting.intents.front().seq);
  }
}

void ShardPrimary::SetAway(Instant now, const std::vector<AwayIntents>& away, Outbox* out) {
  CHECK(ready(), "only a shard that serves appends", options_.shard);
  keeper_.SetAway(now, away, out);
}

void ShardPrimary::Report(core::Report report) {
  CHECK(ready(), "only a shard that serves appends", options_.shard);
  report_ = std::move(report);
}

void ShardPrimary::EndOfTurn(Instant now, core::WallMs wall, Outbox* out) {
  if (stopped_) return;
  if (evaluator_ == nullptr && awaited_.has_value()) BecomeReady(out);
  TakeOverIfRegranted(now, out);
  more_ = false;
  if (evaluator_ != nullptr) {
    if (!sweep_.has_value()) sweep_.emplace(options_.sweep, now);
    sweep_due_ = sweep_->next() <= now;
    if (!in_flight_.empty() && in_flight_.back().seq == Seq(0)) SubmitLast(out);
    LookAtArriving();
    for (size_t n = 0; n < options_.entries_per_turn_max && HasWork() && HasRoom(); ++n) {
      DraftEntry(now, wall, out);
    }
    more_ = HasWork() && HasRoom();
  }
  // A writer that is still taking over knows of no entry that it could trim.
  if (trim_ > trim_told_ && open_.has_value()) {
    trim_told_ = trim_;
    StepWriter(now, qq::TrimThrough{trim_}, out);
  }
  if (!flush_) return;
  flush_ = false;
  StepWriter(now, qq::WriterFlush{}, out);
}

void ShardPrimary::Tick(Instant now, Outbox* out) {
  if (stopped_) return;
  StepWriter(now, qq::WriterTick{}, out);
  if (reader_ != nullptr) StepReader(now, qq::ReaderTick{}, out);
  keeper_.Tick(now, out);
  AnswerExpired(now, out);
}

void ShardPrimary::Stop(const std::string& why, Outbox* out) {
  if (stopped_) return;
  stopped_ = true;
  for (size_t i = waiting_told_; i < waiting_.size(); ++i) {
    out->Refuse(waiting_[i].ticket,
                Status::Unavailable("the region stops; whether this was done is unknown until a "
                                    "retry with the same client message id: " +
                                    why));
  }
  for (const Queued& queued : queued_) {
    out->Refuse(queued.ticket,
                Status::Unavailable("the region stops, and this was not begun; try again: " + why));
  }
  waiting_.clear();
  waiting_told_ = 0;
  queued_.clear();
  more_ = false;
}

// ---- evaluation

bool ShardPrimary::HasRoom() const {
  if (regrant_.has_value() || !open_.has_value()) return false;
  if (in_flight_.empty()) return true;
  if (in_flight_.back().seq == Seq(0)) return false;
  return in_flight_.size() < options_.entries_in_flight_max &&
         in_flight_bytes_ + options_.entry_bytes_max <= options_.writer.window_bytes_max;
}

void ShardPrimary::DraftEntry(Instant now, core::WallMs wall, Outbox* out) {
  const size_t answered_before = waiting_.size();
  evaluator_->Begin(wall);
  AdoptArriving(out);
  std::map<StreamId, Seq> consumes = ConsumePending(out);
  ExecuteQueued(out);
  // Always a share: else a busy shard would never be rid of what an away region lacks.
  const IntentKeeper::Progress kept =
      keeper_.Draft(evaluator_.get(), evaluator_->draft_bytes() + options_.entry_bytes_max / 8);
  if (std::exchange(sweep_due_, false)) sweep_->Step(now, evaluator_.get());
  if (report_.has_value()) evaluator_->AddReport(*std::exchange(report_, std::nullopt));
  const size_t commands = waiting_.size() - answered_before;
  if (!evaluator_->draft_empty()) {
    in_flight_.push_back({Seq(0), evaluator_->Finish(), commands, std::move(consumes), kept});
    in_flight_bytes_ += in_flight_.back().payload.size();
    SubmitLast(out);
  } else if (!in_flight_.empty()) {
    in_flight_.back().kept = std::max(in_flight_.back().kept, kept);
    // What these answers say may stand in an entry that is not committed yet.
    in_flight_.back().commands += commands;
  } else {
    keeper_.Applied(kept);
    AnswerFirst(commands, out);
  }
}

// Takes turns among the sources, so that a busy one does not starve the others, and leaves room for
// commands.
std::map<StreamId, Seq> ShardPrimary::ConsumePending(Outbox* out) {
  std::map<StreamId, Seq> first;
  if (pending_count_ == 0) return first;
  const uint64_t bytes_max =
      queued_.empty() ? options_.entry_bytes_max : options_.entry_bytes_max / 2;
  auto at = sources_.upper_bound(last_source_);
  for (size_t n = 0; n < sources_.size() && pending_count_ > 0; ++n, ++at) {
    if (at == sources_.end()) at = sources_.begin();
    std::deque<core::PendingIntent>& intents = at->second.intents;
    while (!intents.empty()) {
      if (evaluator_->draft_bytes() >= bytes_max) return first;
      last_source_ = at->first;
      const core::PendingIntent& intent = intents.front();
      first.try_emplace(at->first, intent.seq);
      evaluator_->Consume(at->first, intent.seq, intent.index, intent.bytes);
      ++out->stats().intents_consumed;
      pending_bytes_ -= intent.bytes.size();
      --pending_count_;
      intents.pop_front();
    }
  }
  return first;
}

void ShardPrimary::AdoptArriving(Outbox* out) {
  const auto has_room = [&] { return evaluator_->draft_bytes() < options_.entry_bytes_max / 2; };
  while (!arriving_.empty() && has_room()) {
    const core::Uin uin = arriving_.front();
    arriving_.pop_front();
    const core::Evaluator::Adoption adoption = evaluator_->Adopt(uin);
    if (adoption.done) ++out->stats().adopted;
    if (adoption.missing.has_value()) {
      arriving_later_[adoption.missing->stream].emplace(adoption.missing->seq, uin);
    }
  }
  for (; !unpark_.empty() && has_room(); unpark_.pop_front()) evaluator_->Unpark(unpark_.front());
}

void ShardPrimary::ExecuteQueued(Outbox* out) {
  while (!queued_.empty() && evaluator_->draft_bytes() < options_.entry_bytes_max) {
    Queued& queued = queued_.front();
    waiting_.push_back({queued.ticket, queued.deadline, evaluator_->Execute(queued.command)});
    queued_.pop_front();
    ++out->stats().commands;
  }
}

void ShardPrimary::SubmitLast(Outbox* out) {
  InFlight& last = in_flight_.back();
  const core::Result<Seq> seq = writer_->Submit(last.payload);
  if (seq.ok()) {
    last.seq = *seq;
    flush_ = true;
    ++out->stats().entries_appended;
    return;
  }
  // The window, or a fence whose StoppedEffect is about to be seen: nothing else may follow this
  // entry.
  if (seq.status().code() != core::Code::kTooLarge) return;
  out->Stop(fmt::format("an entry of stream {} is too large to be written: {}", stream(),
                        seq.status().message()));
}

// ---- commit

void ShardPrimary::ApplyCommitted(Instant now, Outbox* out) {
  while (!in_flight_.empty() && !stopped_) {
    InFlight& entry = in_flight_.front();
    if (entry.seq == Seq(0) || entry.seq > committed_) return;
    CHECK(entry.seq == applier_.applied() + 1, "own entries are applied in order", entry.seq,
          applier_.applied());
    if (!applier_.Apply(now, entry.payload, out)) return;
    if (!entry.is_open) evaluator_->Applied();
    keeper_.Applied(entry.kept);
    const size_t commands = entry.commands;
    in_flight_bytes_ -= entry.payload.size();
    in_flight_.pop_front();
    AnswerFirst(commands, out);
  }
}

void ShardPrimary::AnswerFirst(size_t commands, Outbox* out) {
  CHECK(commands <= waiting_.size(), "each command is answered once", commands, waiting_.size());
  for (; commands > 0; --commands) {
    if (waiting_told_ > 0) {
      --waiting_told_;
    } else {
      out->Answer(waiting_.front().ticket, std::move(waiting_.front().result));
    }
    waiting_.pop_front();
  }
}

// Deadlines ascend from the front of waiting_ to the back of queued_.
void ShardPrimary::AnswerExpired(Instant now, Outbox* out) {
  while (waiting_told_ < waiting_.size() && waiting_[waiting_told_].deadline <= now) {
    out->Refuse(waiting_[waiting_told_++].ticket,
                Status::NoQuorum("2 of 3 replicas did not confirm in time; the outcome is unknown "
                                 "until a retry with the same client message id tells"));
  }
  if (waiting_told_ < waiting_.size()) return;
  while (!queued_.empty() && queued_.front().deadline <= now) {
    out->Refuse(
        queued_.front().ticket,
        Status::NoQuorum("2 of 3 replicas did not confirm earlier commands in time, and this "
                         "one was not begun; try again"));
    queued_.pop_front();
  }
}

// ---- state

std::optional<Instant> ShardPrimary::NextDeadline() const {
  if (stopped_) return std::nullopt;
  std::optional<Instant> first;
  const auto add = [&](std::optional<Instant> deadline) {
    if (deadline.has_value() && (!first.has_value() || *deadline < *first)) first = deadline;
  };
  add(writer_->NextDeadline());
  if (reader_ != nullptr) add(reader_->NextDeadline());
  if (sweep_.has_value() && HasRoom()) add(sweep_->next());
  add(keeper_.NextDeadline());
  add(applier_.NextDeadline());
  if (waiting_told_ < waiting_.size()) {
    add(waiting_[waiting_told_].deadline);
  } else if (!queued_.empty()) {
    add(queued_.front().deadline);
  }
  return first;
}

std::string ShardPrimary::WhyNot() const {
  if (stopped_) return "the region stops";
  if (applier_.blocked()) return "its store refuses writes; is the disk full?";
  if (trimmed_.has_value()) {
    return fmt::format(
        "its stream begins at entry {} and the store ends at {}: it needs a bootstrap", *trimmed_,
        applier_.applied());
  }
  const qq::WriterStatus writer = writer_->Status();
  if (!open_.has_value()) {
    std::string why = "it takes over its stream";
    if (!writer.waiting_for.empty()) {
      why += fmt::format(" and waits for replica {}", JoinReplicas(WaitingFor(writer)));
    }
    if (writer.refused_full) why += "; a replica's disk is full";
    return why;
  }
  if (!awaited_.has_value()) {
    return fmt::format("it replays its stream: entry {} of {}", applier_.applied(), *open_);
  }
  if (awaited_->empty()) return "it starts";
  const Awaited& awaited = awaited_->front();
  return fmt::format(
      "it waits until entry {} of stream {} is replayed here, which it used before a "
      "crash",
      awaited.seq, awaited.stream);
}

std::vector<uint8_t> ShardPrimary::WaitingFor(const qq::WriterStatus& writer) const {
  std::vector<uint8_t> numbers;
  for (const qq::ReplicaSlot& slot : writer.waiting_for) {
    numbers.push_back(replicas_.NumberOf(slot));
  }
  return numbers;
}

ShardStatus ShardPrimary::Status() const {
  ShardStatus status;
  status.shard = options_.shard;
  status.ready = ready();
  if (!status.ready) status.why_not = WhyNot();
  status.writer = writer_->Status();
  status.waiting_for = WaitingFor(status.writer);
  status.open = open_;
  status.applied = applier_.applied();
  status.commands_queued = queued_.size();
  status.intents_pending = pending_count_;
  return status;
}

StreamLag ShardPrimary::Lag() const {
  StreamLag lag;
  lag.stream = stream();
  lag.applied = applier_.applied();
  lag.committed = std::max(writer_->Status().committed, lag.applied);
  lag.heard = heard_;
  lag.applied_written_at = applier_.written_at();
  lag.begins_at = trimmed_;
  lag.held_nowhere = held_nowhere_;
  return lag;
}

}  // namespace homeport::replicator
