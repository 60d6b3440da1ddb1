// QueueKeeper: looks after the copies of one region's streams, on a thread of its own: runs the
// Mender and the Restorer with its own connections to the replicas, counts, and tells an operator
// what matters.
//
// Everything but construction may be called from any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <prometheus/registry.h>

#include "core/socket.h"
#include "core/status.h"
#include "quorum_queue/admitter.h"
#include "quorum_queue/life_store.h"
#include "quorum_queue/mender.h"
#include "quorum_queue/queue_endpoint.h"
#include "quorum_queue/restorer.h"

namespace homeport::quorum_queue {

// A disk that takes the place of another in the store.
struct DiskReplacement {
  GroupId group;
  size_t slot = 0;
  DiskId disk;
};
// From the region's store: makes the replacement first, if there is one. Called on the keeper's
// thread.
using TakeGrant = std::function<core::Result<Grant>(std::optional<DiskReplacement>)>;

struct QueueKeeperOptions {
  std::string region;  // its name, for logs and metrics
  std::vector<QueueClient::Endpoint> endpoints;
  // Taken before those of the writers that run now, so that a recovery with it does not shut them
  // out.
  Grant grant;
  TakeGrant take_grant;
  std::vector<StreamId> streams;  // all of the region
  // Null: replicas that wait to be admitted are not.
  std::shared_ptr<LifeStore> lives;
  AdmitterOptions admitter;  // its lives are read from the store
  MenderOptions mender;      // its session_base is drawn, its streams are those above
  RestorerOptions restorer;  // as mender
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
  bool complete = false;  // every stream was looked at: see MenderStatus
  std::vector<ReplicaLack> lacking;
  uint64_t held_nowhere = 0;  // entries; an alarm
  // By draining group: committed entries that have to leave it. A group is missing while that is
  // not known of every stream.
  std::map<uint16_t, uint64_t> not_drained;
  uint64_t mended_entries = 0;
  uint64_t mended_bytes = 0;
  std::optional<RestorerStatus> restoring;   // a lost disk's replacement, while it goes on
  uint64_t restored = 0;                     // since the start
  std::map<ReplicaSlot, ReplicaLife> lives;  // empty: they are not looked after
  uint64_t given_up = 0;                     // directories of amnesiacs, since the start
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
