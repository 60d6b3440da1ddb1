// SimReplica: a replica process and its disk. A crash loses records that were not synced, but for
// as many of the first of them as chance lets survive.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "quorum_queue/replica.h"
#include "tests/sim/event_log.h"
#include "tests/sim/planted_bug.h"
#include "tests/sim/queue_checker.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_random.h"
#include "tests/sim/sim_scheduler.h"

namespace homeport::sim {

struct SimReplicaOptions {
  size_t index = 0;
  core::DiskId disk;
  bool recovering = false;  // the disk replaces a lost one
  SimClock clock;
  const PlantedBug* bug = nullptr;
  uint64_t segment_records = 200;
  size_t fence_page_runs = 1024;
  bool acknowledge_unsynced = false;  // planted bug: a disk that lies
  bool check_disk = true;
};

class SimReplica {
 public:
  using SendAnswer = std::function<void(quorum_queue::ReplicaPeer, quorum_queue::ReplicaAnswer)>;

  SimReplica(SimReplicaOptions options, Scheduler* scheduler, Random* random, QueueChecker* checker,
             EventLog* log, SendAnswer send);

  void Start();
  void Crash();
  // Switched off for good, and its disk thrown away.
  void Retire();
  bool retired() const { return retired_; }
  void Receive(quorum_queue::ReplicaPeer peer, quorum_queue::ReplicaRequest request);
  void Tick();
  void SetFull(bool full);
  void SetSlow(bool slow) { slow_ = slow; }
  // The process ends then, as it must: what the disk has of it is anyone's guess.
  void FailNextSync(bool fails) { sync_fails_ = fails; }

  bool up() const { return machine_ != nullptr; }
  const DiskImage& image() const { return image_; }
  void NoteMended(Seq first, uint64_t count) { image_.NoteMended(first, count); }
  core::DiskId disk() const { return options_.disk; }
  const SimReplicaOptions& options() const { return options_; }
  // As its IDENTITY says.
  bool recovering() const { return recovering_; }
  // committed as the running process knows it.
  Seq committed() const;

 private:
  struct Record {
    std::string header;
    core::SharedBytes body;
  };
  void Step(quorum_queue::ReplicaEvent event);
  void Answer(quorum_queue::AnswerEffect effect);
  bool Load(const std::vector<quorum_queue::RunLocation>& locations, std::vector<EntryRun>* runs);
  void CheckAnswer(const quorum_queue::ReplicaAnswer& answer);
  void StartSync();
  void FinishSync(uint64_t life, quorum_queue::RecordNumber through);
  void MarkSynced(quorum_queue::RecordNumber through);
  void Release(quorum_queue::RecordNumber below);

  const SimReplicaOptions options_;
  Scheduler* const scheduler_;
  Random* const random_;
  QueueChecker* const checker_;
  EventLog* const log_;
  const SendAnswer send_;

  std::unique_ptr<quorum_queue::Replica> machine_;
  uint64_t life_ = 0;
  bool syncing_ = false;
  bool slow_ = false;
  bool full_ = false;
  bool sync_fails_ = false;
  bool retired_ = false;
  bool recovering_;

  // The disk.
  std::map<quorum_queue::RecordNumber, Record> records_;
  std::deque<quorum_queue::RecordNumber> segments_;  // first record of each
  quorum_queue::RecordNumber written_;               // last
  quorum_queue::RecordNumber synced_;                // last
  DiskImage image_;
};

}  // namespace homeport::sim
