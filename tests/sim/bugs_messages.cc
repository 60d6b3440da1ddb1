// Bugs that the simulation makes of correct machines, on the way of messages and records.
#include <algorithm>

#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"
#include "tests/sim/planted_bug.h"
#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using quorum_queue::Append;
using quorum_queue::Fence;
using quorum_queue::FenceAnswer;
using quorum_queue::LogRecordEffect;
using quorum_queue::ReadAnswer;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaPeer;
using quorum_queue::ReplicaRequest;
using quorum_queue::Stored;
using quorum_queue::WriterEffect;

namespace {

constexpr std::string_view kDataLoss = "payload|lost|zombie|read|check";

bool QuorumOfOne(QueueSim* sim, size_t replica, ReplicaPeer to, ReplicaAnswer* answer) {
  const auto* stored = std::get_if<Stored>(answer);
  if (stored == nullptr || replica != 0) return false;
  Stored forged = *stored;
  forged.disk = sim->replica(1).disk();
  sim->SendAnswerUnplanted(1, to, forged);
  return false;
}

bool ForgetfulFence(QueueSim*, size_t replica, ReplicaPeer, ReplicaAnswer* answer) {
  auto* fence = std::get_if<FenceAnswer>(answer);
  if (fence == nullptr || replica != 0) return false;
  fence->chain.clear();
  fence->committed = fence->trimmed = Seq(0);
  fence->runs.clear();
  fence->through = Seq(0);
  return false;
}

// What replica 0 would answer to a fence, without the promise.
bool UnkeptPromise(QueueSim* sim, ProcessId from, size_t replica, ReplicaRequest* request) {
  const auto* fence = std::get_if<Fence>(request);
  if (fence == nullptr || replica != 0 || !sim->replica(0).up()) return false;
  const DiskImage& image = sim->replica(0).image();
  FenceAnswer answer{fence->stream,
                     fence->epoch,
                     sim->replica(0).disk(),
                     image.chain(),
                     image.committed(),
                     image.trimmed(),
                     {}};
  answer.after = fence->after;
  for (const auto& [seq, entry] : image.entries()) {
    if (seq <= std::max(image.committed(), fence->after)) continue;
    EntryRun run;
    run.first = seq;
    run.epoch = entry.epoch;
    run.sizes = {static_cast<uint32_t>(entry.payload.size())};
    run.checksum = quorum_queue::BodyChecksum(entry.payload);
    run.body = core::SharedBytes(entry.payload);
    answer.runs.push_back(std::move(run));
  }
  sim->SendAnswerUnplanted(0, ReplicaPeer(from), std::move(answer));
  return true;
}

// The promise is in memory only: a trim of nothing is logged in its place.
void ForgottenPromise(size_t, LogRecordEffect* record) {
  auto decoded = quorum_queue::DecodeLogRecord(record->header, record->body.size());
  if (!decoded.ok() || !std::holds_alternative<Fence>(*decoded)) return;
  record->header = quorum_queue::EncodeLogRecord(quorum_queue::Trim{SimStream(), Seq(0)});
}

bool CommittedTooEarly(QueueSim*, ProcessId, size_t, ReplicaRequest* request) {
  auto* append = std::get_if<Append>(request);
  if (append != nullptr && !append->run.empty()) append->committed = append->run.last();
  return false;
}

// Committed is told one too high while nothing new goes with it.
bool CommittedBeforeEntries(QueueSim*, ProcessId, size_t, ReplicaRequest* request) {
  auto* append = std::get_if<Append>(request);
  if (append != nullptr && !append->run.empty()) append->committed = append->run.last() + 1;
  return false;
}

bool PageForWhole(QueueSim*, size_t, ReplicaPeer, ReplicaAnswer* answer) {
  if (auto* fence = std::get_if<FenceAnswer>(answer)) fence->through = Seq(0);
  return false;
}

bool PayloadChanged(QueueSim*, size_t replica, ReplicaPeer, ReplicaAnswer* answer) {
  auto* read = std::get_if<ReadAnswer>(answer);
  if (read == nullptr || replica != 1) return false;
  for (EntryRun& run : read->runs) {
    if (run.body.empty()) continue;
    std::string body(run.body.view());
    body.back() ^= 1;
    run.checksum = quorum_queue::BodyChecksum(body);
    run.body = core::SharedBytes(std::move(body));
  }
  return false;
}

bool DeafInTheEnd(QueueSim* sim, size_t, ReplicaPeer, ReplicaAnswer* answer) {
  return sim->calm() && std::holds_alternative<Stored>(*answer);
}

// Trimmed is told one higher than was asked.
bool TrimOneTooFar(QueueSim*, ProcessId, size_t, ReplicaRequest* request) {
  auto* append = std::get_if<Append>(request);
  if (append == nullptr || append->trimmed == Seq(0) || append->trimmed >= append->committed) {
    return false;
  }
  append->trimmed = append->trimmed + 1;
  return false;
}

// A commit waits for the next one and is told after it.
void AckOutOfOrder(QueueSim* sim, ProcessId writer, std::vector<WriterEffect>* effects) {
  uint64_t& held = sim->bug_memory()[writer];
  for (size_t i = 0; i < effects->size(); ++i) {
    auto* committed = std::get_if<quorum_queue::CommittedEffect>(&(*effects)[i]);
    if (committed == nullptr) continue;
    if (held != 0) {
      effects->emplace_back(quorum_queue::CommittedEffect{Seq(held)});
      held = 0;
      return;
    }
    held = committed->committed.value();
    effects->erase(effects->begin() + static_cast<ptrdiff_t>(i));
    return;
  }
}

// A takeover that does not ask group 1 at all: both its fences are answered for it.
bool OneGroupNotFenced(QueueSim* sim, ProcessId from, size_t replica, ReplicaRequest* request) {
  const auto* fence = std::get_if<Fence>(request);
  if (fence == nullptr || replica / 3 != 0) return false;
  FenceAnswer answer{
      fence->stream, fence->epoch, sim->replica(replica).disk(), {}, Seq(0), Seq(0), {}};
  sim->SendAnswerUnplanted(replica, ReplicaPeer(from), std::move(answer));
  return true;
}

}  // namespace

std::vector<PlantedBug> MessageBugs() {
  return {
      {.name = "stored-before-synced",
       .what = "disks say synced and are not (fdatasync skipped)",
       .seen_as = kDataLoss,
       // A replica that has less than it said would be known by its mark.
       .options = [](QueueSimOptions* o) { o->amnesia = {}; },
       .replica_options = [](size_t, SimReplicaOptions* o) { o->acknowledge_unsynced = true; }},
      {.name = "ack-at-one-of-three",
       .what = "what replica 0 stored is said to be stored by replica 1 too",
       .seen_as = kDataLoss,
       .answer = QuorumOfOne},
      {.name = "forgetful-fence",
       .what = "replica 0 answers fences as if it held nothing (an amnesiac that votes)",
       .seen_as = kDataLoss,
       .answer = ForgetfulFence},
      {.name = "promise-not-made",
       .what = "replica 0 answers fences truly, and does not keep the promise",
       .seen_as = kDataLoss,
       .request = UnkeptPromise},
      {.name = "promise-not-logged",
       .what = "a promise is kept in memory only",
       .seen_as = "disk|payload|lost|zombie|read|check",
       .record = ForgottenPromise},
      {.name = "committed-too-early",
       .what = "appends announce their own entries as committed (readers get uncommitted entries)",
       .seen_as = kDataLoss,
       .request = CommittedTooEarly},
      {.name = "committed-before-entries",
       .what = "committed is raised past the entries that came with it",
       .seen_as = kDataLoss,
       .request = CommittedBeforeEntries},
      {.name = "page-for-whole",
       .what = "a page of a fence answer passes for all of it",
       .seen_as = kDataLoss,
       .answer = PageForWhole},
      {.name = "payload-changed",
       .what = "replica 1 serves a changed byte",
       .seen_as = "payload",
       .answer = PayloadChanged},
      {.name = "deaf-in-the-end",
       .what = "no answer to an append arrives once faults are over",
       .seen_as = "progress",
       .answer = DeafInTheEnd},
      {.name = "trim-one-too-far",
       .what = "writers tell replicas to trim one entry more than was asked",
       .seen_as = "lost|read|check",
       .request = TrimOneTooFar},
      {.name = "ack-out-of-order",
       .what = "an acknowledgement waits for the next one and follows it",
       .seen_as = "ack",
       .writer_effects = AckOutOfOrder},
      {.name = "one-group-not-fenced",
       .what = "a takeover fences one group only, and takes the other as empty",
       .seen_as = kDataLoss,
       .options = [](QueueSimOptions* o) { o->groups.at_first = 2; },
       .request = OneGroupNotFenced},
  };
}

}  // namespace homeport::sim
