// SimReplica: a real Replica on a disk in memory that keeps, after a crash, a prefix of what was
// not synced.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/replica.h"

namespace homeport::replicator {

class SimReplica {
 public:
  struct Out {
    quorum_queue::ReplicaPeer peer;
    quorum_queue::ReplicaAnswer answer;
  };

  explicit SimReplica(core::DiskId disk) : disk_(disk) { Start(); }

  bool up() const { return replica_ != nullptr; }
  core::DiskId disk() const { return disk_; }
  quorum_queue::StatusAnswer Status() const {  // empty while it is down
    return up() ? replica_->Status() : quorum_queue::StatusAnswer();
  }
  uint64_t entries() const {
    uint64_t entries = 0;
    for (const auto& stream : Status().streams) entries += stream.entries;
    return entries;
  }
  bool HasUnsynced() const { return synced_ < log_.size(); }

  std::vector<Out> Receive(core::Instant now, quorum_queue::ReplicaPeer peer,
                           quorum_queue::ReplicaRequest request) {
    return Step(now, quorum_queue::RequestReceived{peer, std::move(request)});
  }
  std::vector<Out> Sync(core::Instant now) {
    synced_ = log_.size();
    return Step(now, quorum_queue::Persisted{quorum_queue::RecordNumber(synced_)});
  }
  std::vector<Out> Tick(core::Instant now) { return Step(now, quorum_queue::Tick{}); }

  // Of the records not synced, `kept` survive.
  void Crash(size_t kept) {
    replica_.reset();
    if (synced_ + kept < log_.size()) log_.resize(synced_ + kept);
    synced_ = log_.size();
  }
  void Start() {
    quorum_queue::ReplicaOptions options;
    options.disk = disk_;
    replica_ = std::make_unique<quorum_queue::Replica>(options);
    for (size_t i = 0; i < log_.size(); ++i) {
      const core::Status status =
          replica_->Replay(quorum_queue::RecordNumber(i + 1), log_[i].header, log_[i].body.size());
      CHECK(status.ok(), "what a replica logged it can replay", status);
    }
    replica_->FinishReplay(quorum_queue::RecordNumber(log_.size() + 1));
  }

 private:
  struct Record {
    std::string header;
    core::SharedBytes body;
  };

  std::vector<Out> Step(core::Instant now, quorum_queue::ReplicaEvent event) {
    effects_.clear();
    replica_->Step(now, std::move(event), &effects_);
    std::vector<Out> out;
    for (quorum_queue::ReplicaEffect& effect : effects_) {
      if (auto* record = std::get_if<quorum_queue::LogRecordEffect>(&effect)) {
        CHECK(record->record.value() == log_.size() + 1, "records are numbered without gaps");
        log_.push_back({std::move(record->header), std::move(record->body)});
      } else if (auto* answer = std::get_if<quorum_queue::AnswerEffect>(&effect)) {
        LoadRuns(answer);
        out.push_back({answer->peer, std::move(answer->answer)});
      }
    }
    return out;
  }

  void LoadRuns(quorum_queue::AnswerEffect* effect) const {
    std::vector<quorum_queue::EntryRun> runs;
    for (const quorum_queue::RunLocation& at : effect->runs) {
      const Record& record = log_[at.record.value() - 1];
      const auto whole = quorum_queue::RunOfRecord(record.header, record.body);
      CHECK(whole.ok(), "a record that is referred to has a run", whole.status());
      runs.push_back(quorum_queue::SliceRun(*whole, at.first, at.count));
    }
    if (runs.empty()) return;
    if (auto* fence = std::get_if<quorum_queue::FenceAnswer>(&effect->answer)) {
      fence->runs = std::move(runs);
    } else if (auto* read = std::get_if<quorum_queue::ReadAnswer>(&effect->answer)) {
      read->runs = std::move(runs);
    }
  }

  const core::DiskId disk_;
  std::unique_ptr<quorum_queue::Replica> replica_;
  std::vector<Record> log_;
  size_t synced_ = 0;
  std::vector<quorum_queue::ReplicaEffect> effects_;
};

}  // namespace homeport::replicator
