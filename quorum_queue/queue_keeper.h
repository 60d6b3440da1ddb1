// QueueKeeper: looks after the copies of one region's streams, on a thread of its own: runs the
// Mender with its own connections to the replicas, counts, and tells an operator what matters.
//
// Everything but construction may be called from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <prometheus/registry.h>

#include "core/socket.h"
#include "core/status.h"
#include "quorum_queue/mender.h"
#include "quorum_queue/queue_endpoint.h"

namespace homeport::quorum_queue {

struct QueueKeeperOptions {
  std::string region;  // its name, for logs and metrics
  std::vector<QueueClient::Endpoint> endpoints;
  std::vector<Group> groups;
  MenderOptions mender;                            // its session_base is drawn
  std::shared_ptr<prometheus::Registry> registry;  // null: one of its own
};

// What a replica lacks, all streams together.
struct ReplicaLack {
  ReplicaSlot replica;
  bool silent = false;  // it did not answer when it was asked last
  uint64_t streams = 0;
  uint64_t entries = 0;
  uint64_t bytes = 0;
  core::Duration since{};  // for how long: the oldest of the streams'
};
struct QueueKeeperStatus {
  bool complete = false;  // every stream was looked at
  std::vector<ReplicaLack> lacking;
  uint64_t held_nowhere = 0;  // entries; an alarm
  // By draining group: entries that have to leave it; a group is missing while that is not known.
  std::map<uint16_t, uint64_t> not_drained;
  uint64_t mended_entries = 0;
  uint64_t mended_bytes = 0;
};

class QueueKeeper {
 public:
  // Starts the thread, which ends with the object.
  static core::Result<std::unique_ptr<QueueKeeper>> Start(core::Context& context,
                                                          QueueKeeperOptions options);
  virtual ~QueueKeeper() = default;

  // Whether appends need the disks more than mending does.
  virtual void SetForeground(bool busy) = 0;
  virtual void SetGroups(std::vector<Group> groups) = 0;
  virtual QueueKeeperStatus Status() const = 0;
};

}  // namespace homeport::quorum_queue
