#include "tests/sim/sim_replica.h"

#include <fmt/format.h>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"

namespace homeport::sim {

using quorum_queue::AnswerEffect;
using quorum_queue::RecordNumber;
using quorum_queue::Replica;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaEvent;
using quorum_queue::RunLocation;

SimReplica::SimReplica(SimReplicaOptions options, Scheduler* scheduler, Random* random,
                       QueueChecker* checker, EventLog* log, SendAnswer send)
    : options_(options),
      scheduler_(scheduler),
      random_(random),
      checker_(checker),
      log_(log),
      send_(std::move(send)),
      recovering_(options.recovering) {
  if (recovering_) image_.BeginRecovery();
}

void SimReplica::Start() {
  if (retired_) return;
  CHECK(!up(), "a replica is started once");
  quorum_queue::ReplicaOptions options;
  options.disk = options_.disk;
  options.recovering = recovering_;
  options.read_answer_bytes_max = 1000;
  options.fence_page_runs_max = options_.fence_page_runs;
  options.subscription_lifetime = std::chrono::seconds(2);
  machine_ = std::make_unique<Replica>(options);
  ++life_;
  log_->Add(scheduler_->now(), "replica {} starts", options_.index);
  syncing_ = sync_fails_ = false;
  for (const auto& [number, record] : records_) {
    const core::Status status = machine_->Replay(number, record.header, record.body.size());
    if (!status.ok()) {
      checker_->Fail(
          fmt::format("disk: record {} cannot be replayed: {}", number.value(), status.message()));
      machine_.reset();
      return;
    }
  }
  machine_->FinishReplay(written_ + 1);
  recovering_ = machine_->recovering();
  if (segments_.empty()) {
    segments_.push_back(written_ + 1);
    Step(quorum_queue::SegmentStarted{});
  }
  SetFull(full_);
}

void SimReplica::Retire() {
  Crash();
  retired_ = true;
  image_ = DiskImage();
}

void SimReplica::Crash() {
  if (!up()) return;
  machine_.reset();
  const RecordNumber before = synced_;
  const uint64_t unsynced = written_ - synced_;
  if (unsynced > 0) MarkSynced(synced_ + random_->Below(unsynced + 1));
  records_.erase(records_.upper_bound(synced_), records_.end());
  while (!segments_.empty() && segments_.back() > synced_) segments_.pop_back();
  written_ = synced_;
  log_->Add(scheduler_->now(), "replica {} crashes; {} records were not synced, {} of them survive",
            options_.index, unsynced, synced_ - before);
}

void SimReplica::Receive(quorum_queue::ReplicaPeer peer, quorum_queue::ReplicaRequest request) {
  if (up()) Step(quorum_queue::RequestReceived{peer, std::move(request)});
}

void SimReplica::Tick() {
  if (up()) Step(quorum_queue::Tick{});
}

void SimReplica::SetFull(bool full) {
  if (full != full_) log_->Add(scheduler_->now(), "replica {}: full: {}", options_.index, full);
  full_ = full;
  if (up()) Step(quorum_queue::SpaceChanged{full});
}

Seq SimReplica::committed() const {
  if (!up() || recovering_) return Seq(0);
  const auto status = machine_->Status();
  return status.streams.empty() ? Seq(0) : status.streams.front().committed;
}

void SimReplica::Step(ReplicaEvent event) {
  std::vector<quorum_queue::ReplicaEffect> effects;
  machine_->Step(options_.clock.Local(scheduler_->now()), std::move(event), &effects);
  machine_->CheckInvariants();
  for (auto& effect : effects) {
    if (auto* log = std::get_if<quorum_queue::LogRecordEffect>(&effect)) {
      CHECK(log->record == written_ + 1, "records are consecutive", log->record, written_);
      written_ = log->record;
      if (options_.bug != nullptr && options_.bug->record != nullptr) {
        options_.bug->record(options_.index, log);
      }
      records_[written_] = {std::move(log->header), std::move(log->body)};
    } else if (auto* answer = std::get_if<AnswerEffect>(&effect)) {
      Answer(std::move(*answer));
    } else if (const auto* release = std::get_if<quorum_queue::ReleaseEffect>(&effect)) {
      Release(release->record);
    } else if (std::holds_alternative<quorum_queue::RecoveredEffect>(effect)) {
      recovering_ = false;
    }
  }
  if (written_ > synced_) StartSync();
}

void SimReplica::Answer(AnswerEffect effect) {
  std::vector<EntryRun> runs;
  if (!Load(effect.runs, &runs)) return;
  if (auto* read = std::get_if<quorum_queue::ReadAnswer>(&effect.answer)) {
    read->runs = std::move(runs);
  } else if (auto* fence = std::get_if<quorum_queue::FenceAnswer>(&effect.answer)) {
    fence->runs = std::move(runs);
  } else if (auto* all = std::get_if<quorum_queue::RecoverAnswer>(&effect.answer)) {
    all->runs = std::move(runs);
  }
  if (options_.check_disk) CheckAnswer(effect.answer);
  send_(effect.peer, std::move(effect.answer));
}

bool SimReplica::Load(const std::vector<RunLocation>& locations, std::vector<EntryRun>* runs) {
  for (const RunLocation& location : locations) {
    const auto record = records_.find(location.record);
    if (record == records_.end()) {
      checker_->Fail(
          fmt::format("disk: record {} is needed and was released", location.record.value()));
      return false;
    }
    auto run = quorum_queue::RunOfRecord(record->second.header, record->second.body);
    if (!run.ok()) {
      checker_->Fail("disk: " + run.status().message());
      return false;
    }
    runs->push_back(quorum_queue::SliceRun(*run, location.first, location.count));
  }
  return true;
}

void SimReplica::CheckAnswer(const ReplicaAnswer& answer) {
  if (const auto* fence = std::get_if<quorum_queue::FenceAnswer>(&answer)) {
    if (image_.promised() < fence->epoch) checker_->Fail("disk: a promise was told too early");
  } else if (const auto* stored = std::get_if<quorum_queue::Stored>(&answer)) {
    // A newer writer may have replaced them since.
    if (stored->fill || image_.promised() > stored->epoch) return;
    for (uint64_t i = 0; i < stored->count; ++i) {
      if (!image_.Holds(stored->first + i, stored->epoch)) {
        checker_->Fail(
            fmt::format("disk: {} was said to be stored too early", (stored->first + i).value()));
        return;
      }
    }
    if (image_.committed() < stored->committed) {
      checker_->Fail("disk: committed was told too early");
    }
  }
}

// ---- the disk

void SimReplica::StartSync() {
  if (syncing_) return;
  syncing_ = true;
  const RecordNumber through = written_;
  if (options_.acknowledge_unsynced) {
    // After this Step, as a real disk would.
    scheduler_->After(core::Duration(0), [this, life = life_, through] {
      if (up() && life == life_) Step(quorum_queue::Persisted{through});
    });
  }
  const core::Duration delay = slow_ ? random_->Millis(50, 500) : random_->Micros(50, 3000);
  scheduler_->After(delay, [this, life = life_, through] { FinishSync(life, through); });
}

void SimReplica::FinishSync(uint64_t life, RecordNumber through) {
  if (!up() || life != life_) return;
  syncing_ = false;
  if (sync_fails_) {
    log_->Add(scheduler_->now(), "replica {}: fdatasync fails", options_.index);
    Crash();
    return;
  }
  MarkSynced(through);
  if (written_ - segments_.back() >= options_.segment_records) {
    // A segment begins with everything before it synced.
    MarkSynced(written_);
    Step(quorum_queue::Persisted{written_});
    segments_.push_back(written_ + 1);
    Step(quorum_queue::SegmentStarted{});
  } else if (!options_.acknowledge_unsynced) {
    Step(quorum_queue::Persisted{through});
  } else if (written_ > synced_) {
    StartSync();
  }
}

void SimReplica::MarkSynced(RecordNumber through) {
  while (synced_ < through) {
    ++synced_;
    const Record& record = records_.at(synced_);
    if (auto wrong = image_.Apply(record.header, record.body)) checker_->Fail(std::move(*wrong));
  }
}

void SimReplica::Release(RecordNumber below) {
  while (segments_.size() > 1 && segments_[1] <= below) {
    segments_.pop_front();
    records_.erase(records_.begin(), records_.lower_bound(segments_.front()));
  }
}

}  // namespace homeport::sim
