// QueueSim: one stream's world: replicas, writers that come and go, readers, a network that loses,
// repeats, reorders, delays and cuts, all from one seed.
//
//   faults for some simulated seconds --> calm: everything heals, but for one replica per group
//   perhaps
//      --> one writer (the last one, or a new one) must go on, and everything be readable
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quorum_queue/admitter.h"
#include "quorum_queue/mender.h"
#include "quorum_queue/reader.h"
#include "quorum_queue/restorer.h"
#include "quorum_queue/retire.h"
#include "quorum_queue/writer.h"
#include "tests/sim/event_log.h"
#include "tests/sim/note.h"
#include "tests/sim/planted_bug.h"
#include "tests/sim/queue_checker.h"
#include "tests/sim/sim_clock.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_options.h"
#include "tests/sim/sim_random.h"
#include "tests/sim/sim_replica.h"
#include "tests/sim/sim_scheduler.h"

namespace homeport::sim {

struct QueueSimResult {
  std::optional<std::string> violation;
  std::vector<std::string> last_events;  // of a violation
  uint64_t fingerprint = 0;              // of all that happened
  NoteCounts notes;
  uint64_t events = 0;
  uint64_t acknowledged = 0;
  uint64_t delivered = 0;
  core::Duration simulated{};
};

// One world, from its beginning to its end. A CHECK that fails in a machine is a violation.
QueueSimResult RunQueueSim(const QueueSimOptions& options);

// The one stream of a world.
constexpr core::StreamId SimStream() {
  return core::StreamId(core::Incarnation(1), core::ShardId(0));
}

class QueueSim {
 public:
  struct WriterProcess {
    ProcessId id = 0;
    WriterEpoch epoch;
    SimClock clock;
    std::unique_ptr<quorum_queue::Writer> machine;  // null: killed
    core::Instant asleep_until{};
    std::optional<core::Instant> wake_at;
    bool decided = false;
    std::vector<size_t> groups;       // of its grant: places in the world
    std::optional<Seq> opened;        // where
    Seq base;                         // of its decision
    quorum_queue::WriterStatus seen;  // last
    bool stopped = false;
    uint64_t submitted = 0;
    bool active() const;
  };
  struct ReaderProcess {
    ProcessId id = 0;
    std::string name;
    SimClock clock;
    std::unique_ptr<quorum_queue::Reader> machine;
    std::vector<size_t> order;  // replicas, nearest first
    std::optional<core::Instant> wake_at;
    Seq from;  // where this life began
    Seq next;
    bool trimmed = false;
  };

  struct MenderProcess {
    ProcessId id = 0;
    SimClock clock;
    std::unique_ptr<quorum_queue::Mender> machine;  // null: this world has none
    std::vector<size_t> groups;                     // that it knows: places in the world
    std::optional<core::Instant> wake_at;
    uint64_t mended = 0;
  };

  struct KeeperProcess {
    ProcessId id = 0;
    SimClock clock;
    std::unique_ptr<quorum_queue::Restorer> machine;  // null: this world loses no disks
    std::unique_ptr<quorum_queue::Admitter> admitter;
    std::vector<size_t> groups;  // that it knows: places in the world
    std::optional<core::Instant> wake_at;
    std::optional<core::Instant> admitter_wakes_at;
  };
  // What was a replica until its disk was lost, and who still reaches it.
  struct Ghost {
    size_t index = 0;
    ProcessId known_to = 0;  // processes up to this one
    std::unique_ptr<SimReplica> replica;
  };

  explicit QueueSim(const QueueSimOptions& options);
  QueueSimResult Run();
  // As far as it came.
  QueueSimResult Result();
  QueueChecker& checker() { return checker_; }

  // ---- for planted bugs
  const QueueSimOptions& options() const { return options_; }
  bool calm() const { return calm_; }
  SimReplica& replica(size_t index) { return *replicas_[index]; }
  std::vector<std::unique_ptr<SimReplica>>& replicas() { return replicas_; }
  // Past the hooks.
  void SendAnswerUnplanted(size_t replica, quorum_queue::ReplicaPeer to,
                           quorum_queue::ReplicaAnswer answer);
  void SendRequestUnplanted(ProcessId from, size_t replica, quorum_queue::ReplicaRequest request);
  ProcessId mender_id() const { return mender_.id; }
  // What a bug remembers.
  std::map<uint64_t, uint64_t>& bug_memory() { return bug_memory_; }

 private:
  // ---- queue_sim.cc: the whole, and what goes over the network
  SimClock NewClock();
  void SendRequest(ProcessId from, size_t replica, quorum_queue::ReplicaRequest request);
  void SendAnswer(size_t replica, quorum_queue::ReplicaPeer to, quorum_queue::ReplicaAnswer answer);
  void DeliverAnswer(size_t replica, ProcessId to, quorum_queue::ReplicaAnswer answer);
  Disks AllDisks() const;
  template <class... Numbers>
  void Log(EventText text, const Numbers&... numbers) {
    log_.Add(scheduler_.now(), text, numbers...);
  }
  void Reached(const Note& note) { notes_.Add(note); }

  // ---- queue_sim_processes.cc: writers and readers
  WriterProcess* StartWriter();
  void StepWriter(ProcessId id, quorum_queue::WriterEvent event);
  void OnWriterEffect(WriterProcess* writer, quorum_queue::WriterEffect effect);
  void WatchDecision(WriterProcess* writer);
  void WakeWriter(ProcessId id);
  void SubmitSome(WriterProcess* writer, uint64_t entries);
  void StartReader(size_t index, Seq from);
  void StepReader(ProcessId id, quorum_queue::ReaderEvent event);
  void OnReaderEffect(ReaderProcess* reader, quorum_queue::ReaderEffect effect);
  void WakeReader(ProcessId id);
  WriterProcess* FindWriter(ProcessId id);
  ReaderProcess* FindReader(ProcessId id);

  // ---- queue_sim_mend.cc
  void StartMender();
  void StepMender(quorum_queue::MenderEvent event);
  void WakeMender();
  void DisturbMender();
  void WatchMended(size_t replica, const quorum_queue::ReplicaAnswer& answer);
  // "" when the members of each group hold the same.
  std::string WhoLacks() const;

  // ---- queue_sim_restore.cc
  void LoseDisk();
  void GiveNewDisk(size_t index, ProcessId known_to);
  bool OthersAreWhole(size_t index) const;
  // The one of its group that may lose what was on its disk.
  bool MayLose(size_t index) const;
  void FlipBit();
  void LookAtDisks();
  void DeliverToGhosts(ProcessId from, size_t replica, const quorum_queue::ReplicaRequest& request);
  void StartKeeper();
  quorum_queue::GrantTaken TakeKeepersGrant();
  void TellKeeperTheGroups();
  void StepKeeper(quorum_queue::RestorerEvent event);
  void WakeKeeper();
  void KillKeeper();
  bool AllAreWhole() const;

  // ---- queue_sim_amnesia.cc
  void CopyDirectory();
  void PutBackDirectory();
  void StepAdmitter(quorum_queue::AdmitterEvent event);
  void StoreLives(std::vector<quorum_queue::DiskLife> lives);
  void WakeAdmitter();

  // ---- queue_sim_faults.cc
  void AddFaults();
  void AddFault(uint64_t weight, std::function<void()> make);
  void FaultLater();
  void Fault();
  SimReplica& AnyReplica();
  void CrashReplica();
  void RestartReplica();
  void PowerCut();
  void DisturbLinks(bool clog);
  void ReplaceWriter();
  void PutWriterToSleep();
  void DisturbReader();
  void Trim();
  void ClientLater();
  void TickLater();

  // ---- queue_sim_groups.cc
  // Three replicas with fresh disks, not started.
  quorum_queue::Group BuildGroup();
  static size_t PlaceOf(const quorum_queue::Group& group) { return group.id.value() - 1; }
  static std::vector<size_t> PlacesOf(const std::vector<quorum_queue::Group>& groups);
  // Where a process that knows the groups in these places finds the replica.
  static std::optional<quorum_queue::ReplicaSlot> SlotOf(const std::vector<size_t>& groups,
                                                         size_t replica);
  void TellMenderTheGroups();
  void GroupFault();
  void ChangeGroups();
  void AddGroup();
  void DrainGroup();
  void RetireLater(quorum_queue::GroupId group);
  void TryToRetire(quorum_queue::GroupId group);
  void RemoveGroup(quorum_queue::GroupId group, const std::vector<quorum_queue::Group>& seen);
  quorum_queue::StreamEvidence GatherEvidence() const;
  void CopyForRetirement(const quorum_queue::StreamEvidence& evidence);
  bool LastWriterKnowsTheGroups() const;
  void WatchGroups(WriterProcess* writer);
  void WatchFill(size_t replica, const quorum_queue::ReplicaRequest& request);
  void CheckOpened(const WriterProcess& writer, Seq open);

  // ---- queue_sim_memory.cc
  void CheckWriterMemory(const WriterProcess& writer);

  // ---- queue_sim_end.cc
  void Calm();
  bool IsQuiet();
  bool Settle();
  bool TellWhoIsLate(std::string_view what);

  const QueueSimOptions options_;
  Random random_;
  Scheduler scheduler_;
  EventLog log_;
  NoteCounts notes_;
  QueueChecker checker_;
  SimNetwork network_;
  quorum_queue::WriterOptions writer_options_;
  quorum_queue::GrantRecord record_;  // the store's
  uint64_t delivered_ = 0;

  std::vector<std::unique_ptr<SimReplica>> replicas_;
  std::map<ProcessId, WriterProcess> writers_;
  std::vector<ReaderProcess> readers_;
  MenderProcess mender_;
  KeeperProcess keeper_;
  std::vector<Ghost> ghosts_;
  std::vector<quorum_queue::DiskLife> lives_;                // the store's
  std::vector<std::pair<size_t, SimReplica::Copy>> copies_;  // of replicas' directories
  uint64_t next_disk_ = 1000;
  ProcessId next_process_ = 1;
  uint64_t next_session_ = 1000;

  std::vector<std::pair<uint64_t, std::function<void()>>> faults_;
  uint64_t fault_weights_ = 0;
  Seq trim_asked_;
  bool calm_ = false;
  std::map<uint64_t, uint64_t> bug_memory_;
};

}  // namespace homeport::sim
