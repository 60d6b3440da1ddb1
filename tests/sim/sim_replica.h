// SimReplica: a replica process and its disk. A crash loses records that were not synced, but for
// as many of the first of them as chance lets survive: what a torn tail leaves once it is cut. Bits
// flip in records that later ones vouch for: a body cannot be read any more, or nothing of a
// record.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "quorum_queue/replica.h"
#include "tests/sim/event_log.h"
#include "tests/sim/note.h"
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
  bool needs_admission = false;
  SimClock clock;
  const PlantedBug* bug = nullptr;
  uint64_t segment_records = 200;
  size_t fence_page_runs = 1024;
  uint64_t subscriptions_max = 1024;
  bool acknowledge_unsynced = false;  // planted bug: a disk that lies
  bool serve_damaged = false;         // planted bug: checksums are not looked at
  bool check_disk = true;
};

class SimReplica {
  struct Record {
    std::string header;
    core::SharedBytes body;
    quorum_queue::RecordNumber vouches;  // was known to be synced when it was written
    bool unreadable = false;             // all of it
  };

 public:
  // All that is in its directory and synced.
  struct Copy {
    core::DiskId disk;
    bool recovering = false;
    quorum_queue::Life life;
    std::map<quorum_queue::RecordNumber, Record> records;
    std::deque<quorum_queue::RecordNumber> segments;
    quorum_queue::RecordNumber synced;
    DiskImage image;
  };
  using SendAnswer = std::function<void(quorum_queue::ReplicaPeer, quorum_queue::ReplicaAnswer)>;

  SimReplica(SimReplicaOptions options, Scheduler* scheduler, Random* random, QueueChecker* checker,
             EventLog* log, SendAnswer send);

  void Start();
  void Crash();
  // Switched off for good, and its disk thrown away.
  void Retire();
  bool retired() const { return retired_; }
  Copy CopyDirectory() const;
  // REQUIRES: it is down, and the copy is of the same disk.
  void PutBack(const Copy& copy);
  // It has forgotten what others count on.
  bool forgot() const { return forgot_; }
  // It was told to give up its directory, and the process has ended.
  bool gave_up() const { return gave_up_; }
  bool admitted() const { return up() && machine_->admitted(); }
  quorum_queue::Life life() const { return life_; }
  // Whether a process took part in life().
  bool took_part() const { return took_part_; }
  quorum_queue::RecordNumber synced() const { return synced_; }
  void Receive(quorum_queue::ReplicaPeer peer, quorum_queue::ReplicaRequest request);
  void Tick();
  void SetFull(bool full);
  void SetSlow(bool slow) { slow_ = slow; }
  // Flips a bit, if there is a record that later ones vouch for: in its body, or such that nothing
  // of it can be read. Found when it is read for somebody, by Scrub, or at the next start.
  void Damage();
  // Finds every damaged record.
  void Scrub();
  // Since the last call.
  std::vector<const Note*> TakeNotes() { return std::exchange(notes_, {}); }
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
  void Step(quorum_queue::ReplicaEvent event);
  void Answer(quorum_queue::AnswerEffect effect);
  bool Replay();
  void TellLost();
  bool IsDamaged(const Record& record) const;
  // False: not to be sent. What cannot be loaded is lost.
  bool Load(const std::vector<quorum_queue::RunLocation>& locations, std::vector<EntryRun>* runs);
  void CheckAnswer(const quorum_queue::ReplicaAnswer& answer);
  void CheckMemory() const;
  void CheckCredit(quorum_queue::ReplicaPeer peer, const quorum_queue::ReadAnswer& answer,
                   uint64_t bytes);
  void StartSync();
  void FinishSync(uint64_t start, quorum_queue::RecordNumber through);
  void MarkSynced(quorum_queue::RecordNumber through);
  void Release(quorum_queue::RecordNumber below);

  const SimReplicaOptions options_;
  Scheduler* const scheduler_;
  Random* const random_;
  QueueChecker* const checker_;
  EventLog* const log_;
  const SendAnswer send_;

  std::unique_ptr<quorum_queue::Replica> machine_;
  uint64_t starts_ = 0;
  bool syncing_ = false;
  bool slow_ = false;
  bool full_ = false;
  bool sync_fails_ = false;
  bool retired_ = false;
  bool recovering_;
  quorum_queue::Life life_;  // as its IDENTITY says
  bool took_part_ = false;
  bool forgot_ = false;
  bool gave_up_ = false;
  // Of each reader, as its Reads to this life said.
  struct Credit {
    uint64_t session = 0;
    uint64_t received_bytes = 0;
    uint64_t credit_bytes = 0;
  };
  std::map<std::pair<quorum_queue::ReplicaPeer, core::StreamId>, Credit> credits_;
  std::set<quorum_queue::RecordNumber> lost_;  // found and not told yet
  std::set<quorum_queue::RecordNumber> told_;  // since the start
  bool tell_lost_ = false;                     // even when none is named
  std::vector<const Note*> notes_;

  // The disk.
  std::map<quorum_queue::RecordNumber, Record> records_;
  std::deque<quorum_queue::RecordNumber> segments_;  // first record of each
  quorum_queue::RecordNumber written_;               // last
  quorum_queue::RecordNumber synced_;                // last
  DiskImage image_;
};

}  // namespace homeport::sim
