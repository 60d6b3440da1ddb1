// RegionQueues: the connections of a region's daemon to the replicas of every region. Those of its
// own are where the grant record says; those of another where that one's gateway says, and before
// its first word where the configuration does (neighbours.h).
//
// Like its sockets it may lose messages and never blocks: machines ask again. Used by the region's
// thread. docs/quorum_queue.md, "Readers and groups".
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "core/config.h"
#include "core/socket.h"
#include "core/time.h"
#include "quorum_queue/queue_endpoint.h"
#include "replicator/region.h"
#include "router/neighbours.h"

namespace homeport::router {

class RegionQueues {
 public:
  // `config` outlives it.
  RegionQueues(const core::ClusterConfig* config, core::Incarnation self);
  // `own`: the groups of the own region.
  core::Status Connect(core::Context& context, const std::vector<quorum_queue::Group>& own);
  // From now on the own replicas are there. AddTo must be called for a new poller.
  core::Status SetOwn(const std::vector<quorum_queue::QueueClient::Endpoint>& endpoints);
  void AddTo(core::Poller* poller) const;

  void Send(const replicator::SendToQueue& effect);
  // Some of the answers that wait, of each region so many at most.
  void Receive(const std::function<void(replicator::QueueAnswer)>& take);
  // Those of other regions that are elsewhere now. When there are any, AddTo must be called for a
  // new poller.
  std::vector<replicator::ReplicasChanged> FindChanged(core::Instant now);
  core::Instant NextDeadline() const { return neighbours_.NextDeadline(); }
  // Since when the gateway of another region says nothing.
  core::Duration SilenceOf(core::Incarnation region, core::Instant now) const {
    return neighbours_.SilenceOf(region, now);
  }

  uint64_t sends_dropped() const { return sends_dropped_; }
  uint64_t malformed() const;

 private:
  // Other regions' replicas as this region reaches them ([[path]]).
  void SeeFromHere(std::vector<quorum_queue::QueueClient::Endpoint>* endpoints) const;

  const core::ClusterConfig* config_;
  const core::Incarnation self_;
  Neighbours neighbours_;
  std::map<core::Incarnation, std::unique_ptr<quorum_queue::QueueClient>> clients_;
  uint64_t sends_dropped_ = 0;
};

// The groups of a region as far as its configuration knows: ids alone.
std::vector<quorum_queue::Group> ConfiguredGroups(const core::RegionConfig& region);

}  // namespace homeport::router
