// ReplicaServer: a Replica with its log on a disk and its socket: one process's or one thread's
// replica.
//
//   drain requests --> Step each, append its records --> one Sync for all --> Persisted --> answers
//
// What arrives during a Sync is drained after it, so batches grow with the load.
//
// A record that cannot be read back, found when it is served, by the scrubber or at the start, is
// lost: the machine forgets its entries and the log gets a checkpoint that stands without it.
//
// One thread calls Run; metrics may be read from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include <prometheus/registry.h>

#include "core/socket.h"
#include "core/status.h"
#include "quorum_queue/identity.h"
#include "quorum_queue/replica.h"
#include "quorum_queue/replica_metrics.h"
#include "quorum_queue/segment_log.h"

namespace homeport::quorum_queue {

struct ReplicaServerOptions {
  std::string dir;        // formatted (identity.h); the log's segments lie in it too
  std::string endpoint;   // as RouterSocket::Bind
  Identity expected;      // disk 0: any
  SegmentLogOptions log;  // its dir is ignored
  SegmentScrubberOptions scrub;
  // Its disk, recovering, life, proposed and record_bytes_max are ignored.
  ReplicaOptions replica;
  uint64_t batch_bytes_max = 1 << 20;  // drained before a sync
  uint64_t batch_messages_max = 1000;
  size_t peers_max = 4096;
  std::shared_ptr<prometheus::Registry> registry;  // null: one of its own
};

// How a replica is; the first that is true.
enum class ReplicaPhase : uint8_t {
  kAmnesiac,    // must give up its directory: Run has ended, or is about to
  kWaiting,     // until the region's keeper admits it: answers readers only
  kRecovering,  // its disk replaces a lost one and has not got everything
  kServing,
};

class ReplicaServer {
 public:
  // Takes the directory's lock, checks its identity, replays its log and binds the socket.
  static core::Result<std::unique_ptr<ReplicaServer>> Open(core::Context& context,
                                                           ReplicaServerOptions options);
  virtual ~ReplicaServer() = default;

  // Serves until `stop`, which is looked at every 50 ms, or until it must give up its directory
  // (kAmnesiac): then end this object, FormatForReplace the directory with its own disk as the one
  // that is given up, and open it again.
  virtual void Run(const std::atomic<bool>& stop) = 0;
  // From any thread.
  virtual ReplicaPhase phase() const = 0;

  virtual const std::string& endpoint() const = 0;  // with the real port
  virtual const Identity& identity() const = 0;
  virtual const RecoveryReport& recovery() const = 0;
  virtual const ReplicaMetrics& metrics() const = 0;
};

}  // namespace homeport::quorum_queue
