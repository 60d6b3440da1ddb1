// QueueKeeper: looks after the copies of one region's streams, on a thread of its own: runs the
// Mender, the Restorer and the Regrouper with its own connections to the replicas, counts, and
// tells an operator what matters. While it lives nobody else changes the region's grants.
//
// Everything but construction may be called from any thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <prometheus/registry.h>

#include "core/socket.h"
#include "core/status.h"
#include "quorum_queue/admitter.h"
#include "quorum_queue/life_store.h"
#include "quorum_queue/mender.h"
#include "quorum_queue/queue_endpoint.h"
#include "quorum_queue/regrouper.h"
#include "quorum_queue/restorer.h"

namespace homeport::quorum_queue {

// Where the replicas of these groups are; a slot's group is the group's id.
using FindEndpoints =
    std::function<core::Result<std::vector<QueueClient::Endpoint>>(const std::vector<Group>&)>;

struct QueueKeeperOptions {
  std::string region;            // its name, for logs and metrics
  FindEndpoints find_endpoints;  // called on the keeper's thread
  // Taken before those of the writers that run now, so that a recovery with it does not shut them
  // out.
  Grant grant;
  GrantStore* grants = nullptr;   // outlives the keeper, which alone uses it
  std::function<void()> on_news;  // on the keeper's thread, when TakeNews has something
  std::vector<StreamId> streams;  // all of the region
  // Null: replicas that wait to be admitted are not.
  std::shared_ptr<LifeStore> lives;
  AdmitterOptions admitter;    // its lives are read from the store
  MenderOptions mender;        // its session_base is drawn, its streams are those above
  RestorerOptions restorer;    // as mender
  RegrouperOptions regrouper;  // as mender; its nonces are drawn
  std::shared_ptr<prometheus::Registry> registry;  // null: one of its own
};

// What a replica lacks, all streams together.
struct ReplicaLack {
  ReplicaSlot replica;  // its group is the group's id
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
  std::map<GroupId, uint64_t> not_drained;
  uint64_t mended_entries = 0;
  uint64_t mended_bytes = 0;
  std::map<GroupId, std::string> why_not_retired;  // by draining group
  std::optional<RestorerStatus> restoring;         // a lost disk's replacement, while it goes on
  uint64_t restored = 0;                           // since the start
  // A slot's group is the group's id. Empty: they are not looked after.
  std::map<ReplicaSlot, ReplicaLife> lives;
  uint64_t given_up = 0;  // directories of amnesiacs, since the start
};

// The groups have changed: writers must take over with this grant.
struct Regrouped {
  Grant grant;
  bool added = false;  // a group that readers may not know yet
};
using KeeperNews = std::variant<Regrouped, OrderDone>;

class QueueKeeper {
 public:
  // Starts the thread, which ends with the object.
  static core::Result<std::unique_ptr<QueueKeeper>> Start(core::Context& context,
                                                          QueueKeeperOptions options);
  virtual ~QueueKeeper() = default;

  // Whether appends need the disks more than mending does.
  virtual void SetForeground(bool busy) = 0;
  // Every order is answered once, by OrderDone.
  virtual void Order(AddGroupOrder order) = 0;
  virtual void Order(DrainGroupOrder order) = 0;
  // The writers that are open. Again and again: a draining group goes when all know that it drains.
  virtual void SetWriters(std::vector<OpenWriter> writers) = 0;
  virtual std::vector<KeeperNews> TakeNews() = 0;
  virtual QueueKeeperStatus Status() const = 0;
};

}  // namespace homeport::quorum_queue
