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
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "quorum_queue/reader.h"
#include "quorum_queue/writer.h"
#include "tests/sim/queue_checker.h"
#include "tests/sim/sim_random.h"
#include "tests/sim/sim_replica.h"
#include "tests/sim/sim_scheduler.h"

namespace homeport::sim {

// Bugs that the simulation makes of correct machines, to see that the checkers see.
enum class PlantedBug {
  kNone,
  kStoredBeforeSynced,  // disks that say synced and are not
  kQuorumOfOne,         // what replica 0 stored is said to be stored by replica 1 too
  kForgetfulFence,      // replica 0 answers fences as if it held nothing
  kUnkeptPromise,       // replica 0 answers fences truly, and does not keep the promise
  kCommittedTooEarly,   // appends announce their own entries as committed
  kPayloadChanged,      // replica 1 serves a changed byte
  kPageForWhole,        // a page of a fence answer passes for all of it
  kDeafInTheEnd,        // no answer to an append arrives any more once faults are over
};

struct QueueSimOptions {
  uint64_t seed = 1;
  PlantedBug bug = PlantedBug::kNone;
  bool check_disks = true;
};

struct QueueSimResult {
  std::optional<std::string> violation;
  uint64_t trace = 0;  // hash of all that happened
  uint64_t events = 0;
  uint64_t acknowledged = 0;
  uint64_t delivered = 0;
  uint64_t takeovers = 0;  // opened
  uint64_t fenced = 0;     // writers stopped by a newer one
  uint64_t crashes = 0;    // of replicas
  uint64_t filled = 0;     // takeovers that had something to fill
  uint64_t lacking = 0;    // reads answered so
  uint64_t refused = 0;    // by a full disk
  uint64_t trims = 0;
  uint64_t fence_pages = 0;  // answers to fences that were not the last page
};

QueueSimResult RunQueueSim(const QueueSimOptions& options);

// A process that sends and receives; numbered, a number never comes twice.
using ProcessId = uint64_t;

class QueueSim {
 public:
  explicit QueueSim(const QueueSimOptions& options);
  QueueSimResult Run();

 private:
  struct WriterProcess {
    ProcessId id = 0;
    WriterEpoch epoch;
    std::unique_ptr<quorum_queue::Writer> machine;  // null: killed
    core::Instant asleep_until{};
    std::optional<core::Instant> wake_at;
    bool decided = false;
    bool stopped = false;
    uint64_t submitted = 0;
    bool active() const;
  };
  struct ReaderProcess {
    ProcessId id = 0;
    std::string name;
    std::unique_ptr<quorum_queue::Reader> machine;
    std::vector<size_t> order;  // replicas, nearest first
    core::Instant asleep_until{};
    std::optional<core::Instant> wake_at;
    Seq from;  // where this life began
    Seq next;
    bool trimmed = false;
  };
  // How unkind this seed is.
  struct Weather {
    uint64_t loss = 0, duplicates = 0, late = 0;  // per mille of messages
    bool ordered = true;                          // each link keeps its order
    bool codec = false;                           // messages go through their frames
    uint64_t crash = 0, restart = 0, cut = 0, new_writer = 0, sleep = 0, full = 0, slow = 0,
             reader = 0, trim = 0, power = 0;  // weights of faults
  };

  // ---- queue_sim.cc: processes and the network
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
  void SendRequest(ProcessId from, size_t replica, quorum_queue::ReplicaRequest request);
  void SendAnswer(size_t replica, quorum_queue::ReplicaPeer to, quorum_queue::ReplicaAnswer answer);
  void DeliverAnswer(size_t replica, ProcessId to, quorum_queue::ReplicaAnswer answer);
  // Puts `deliver` on the link, or several times, or never.
  void Transmit(ProcessId process, size_t replica, bool to_replica, std::function<void()> deliver);
  std::vector<const DiskImage*> Disks() const;
  void Trace(uint64_t a, uint64_t b, uint64_t c);

  // ---- queue_sim_faults.cc: weather, planted bugs, the end
  void ChooseWeather();
  void FaultLater();
  void Fault();
  void CrashReplica();
  void PowerCut();
  void CutLinks();
  void ReplaceWriter();
  void DisturbReader();
  void Trim();
  void ClientLater();
  void TickLater();
  void Calm();
  bool IsQuiet();
  bool Settle();
  // True when the bug has dealt with the message, so that it must not be delivered.
  bool PlantInRequest(ProcessId from, size_t replica, quorum_queue::ReplicaRequest* request);
  bool PlantInAnswer(size_t replica, quorum_queue::ReplicaPeer to,
                     quorum_queue::ReplicaAnswer* answer);

  const QueueSimOptions options_;
  Random random_;
  Scheduler scheduler_;
  QueueChecker checker_;
  QueueSimResult result_;
  Weather weather_;
  quorum_queue::WriterOptions writer_options_;
  quorum_queue::Grant grant_;  // the store's record
  uint64_t counter_ = 0;

  std::vector<std::unique_ptr<SimReplica>> replicas_;
  std::map<ProcessId, WriterProcess> writers_;
  std::vector<ReaderProcess> readers_;
  ProcessId next_process_ = 1;
  uint64_t next_session_ = 1000;

  std::set<std::pair<ProcessId, size_t>> cuts_;  // process and replica, both ways
  std::set<size_t> isolated_;                    // replicas
  std::map<std::pair<ProcessId, size_t>, core::Instant> link_to_, link_from_;  // last arrival
  std::set<size_t> down_for_good_;
  Seq trim_asked_;
  bool calm_ = false;
};

}  // namespace homeport::sim
