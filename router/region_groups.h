// RegionGroups: what a region's daemon tells of the groups of its own queue and their replicas, and
// when its writers are to take their streams over because the groups have changed.
//
// Used by the region's thread. docs/quorum_queue.md, "Groups of a running region".
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/time.h"
#include "quorum_queue/queue_keeper.h"
#include "replicator/region.h"
#include "router/views.h"

namespace homeport::router {

class RegionGroups {
 public:
  // `region` outlives it.
  explicit RegionGroups(const core::RegionConfig* region) : region_(region) {}

  // What the daemon begins with; its writers have later grants.
  core::Status Begin(const quorum_queue::Grant& grant, quorum_queue::GroupId last);
  core::Status Changed(core::Instant now, quorum_queue::Regrouped news);
  // The grant for the writers, once.
  std::optional<quorum_queue::Grant> TakeDue(core::Instant now);
  void Look(const replicator::RegionStatus& status, const quorum_queue::QueueKeeperStatus& keeper);

  const QueueGroups& view() const { return view_; }
  // Of all groups; a slot's group is the group's id.
  const std::vector<quorum_queue::QueueClient::Endpoint>& endpoints() const { return endpoints_; }

 private:
  core::Status Set(const quorum_queue::Grant& grant);

  const core::RegionConfig* region_;
  QueueGroups view_;
  std::vector<quorum_queue::QueueClient::Endpoint> endpoints_;
  uint64_t counter_ = 0;  // of the grant that showed the last change
  std::optional<quorum_queue::Grant> regrant_;
  core::Instant regrant_at_;
};

// The writers that are open.
std::vector<quorum_queue::OpenWriter> OpenWritersOf(core::Incarnation self,
                                                    const replicator::RegionStatus& status);

}  // namespace homeport::router
