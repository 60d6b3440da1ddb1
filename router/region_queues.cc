#include "router/region_queues.h"

#include <string>
#include <utility>

#include "core/check.h"
#include "core/log.h"
#include "router/region_directory.h"

namespace homeport::router {

using core::Incarnation;
using core::Instant;
using core::Status;
using quorum_queue::QueueClient;

namespace {

// What one turn takes from one region's replicas before the others have their turn.
constexpr int kAnswersPerTurn = 500;

}  // namespace

RegionQueues::RegionQueues(const core::ClusterConfig* config, Incarnation self)
    : config_(config), self_(self), neighbours_(*config, self) {}

Status RegionQueues::Connect(core::Context& context, const std::vector<quorum_queue::Group>& own) {
  RETURN_IF_ERROR(neighbours_.Connect(context));
  for (const core::RegionConfig& region : config_->regions) {
    const bool is_own = region.incarnation == self_;
    ASSIGN_OR_RETURN(auto endpoints, EndpointsOf(region, is_own ? own : ConfiguredGroups(region)));
    if (!is_own) SeeFromHere(&endpoints);
    auto& client = clients_[region.incarnation];
    ASSIGN_OR_RETURN(client, QueueClient::Connect(context, endpoints));
  }
  return {};
}

Status RegionQueues::SetOwn(const std::vector<QueueClient::Endpoint>& endpoints) {
  return clients_.at(self_)->Set(endpoints);
}

void RegionQueues::AddTo(core::Poller* poller) const {
  neighbours_.AddTo(poller);
  for (const auto& [region, client] : clients_) client->AddTo(poller);
}

void RegionQueues::Send(const replicator::SendToQueue& effect) {
  const auto client = clients_.find(effect.region);
  CHECK(client != clients_.end(), "a region of the cluster is sent to", effect.region);
  const quorum_queue::ReplicaSlot to = {
      static_cast<uint16_t>(quorum_queue::GroupOf(effect.replica).value()),
      static_cast<uint8_t>(effect.replica % 3)};
  if (!client->second->Send(to, effect.request)) ++sends_dropped_;
}

void RegionQueues::Receive(const std::function<void(replicator::QueueAnswer)>& take) {
  quorum_queue::ReplicaSlot from;
  quorum_queue::ReplicaAnswer answer;
  for (auto& [region, client] : clients_) {
    for (int i = 0; i < kAnswersPerTurn && client->Receive(&from, &answer); ++i) {
      const uint8_t number = quorum_queue::NumberOf(quorum_queue::GroupId(from.group), from.slot);
      take({region, number, std::move(answer)});
    }
  }
}

std::vector<replicator::ReplicasChanged> RegionQueues::FindChanged(Instant now) {
  std::vector<replicator::ReplicasChanged> changed;
  for (const Neighbours::News& news : neighbours_.Turn(now)) {
    std::vector<QueueClient::Endpoint> endpoints;
    std::vector<quorum_queue::GroupId> ids;
    for (const QueueGroup& group : news.groups) {
      ids.emplace_back(group.id);
      for (uint8_t slot = 0; slot < 3; ++slot) {
        endpoints.push_back({{static_cast<uint16_t>(group.id), slot}, group.endpoints[slot]});
      }
    }
    SeeFromHere(&endpoints);
    const Status set = clients_.at(news.region)->Set(endpoints);
    core::LogInfo("neighbour_groups", {{"region", config_->FindRegion(news.region)->name},
                                       {"groups", std::to_string(ids.size())},
                                       {"connected", set.ok() ? "yes" : set.message()}});
    changed.push_back({news.region, replicator::RegionReplicas(std::move(ids))});
  }
  return changed;
}

void RegionQueues::SeeFromHere(std::vector<QueueClient::Endpoint>* endpoints) const {
  const std::string& own = config_->FindRegion(self_)->name;
  for (QueueClient::Endpoint& one : *endpoints) one.endpoint = config_->SeenFrom(own, one.endpoint);
}

uint64_t RegionQueues::malformed() const {
  uint64_t malformed = 0;
  for (const auto& [region, client] : clients_) malformed += client->malformed();
  return malformed;
}

std::vector<quorum_queue::Group> ConfiguredGroups(const core::RegionConfig& region) {
  std::vector<quorum_queue::Group> groups;
  for (size_t i = 0; i < region.replicas.size(); i += 3) {
    groups.emplace_back().id = quorum_queue::GroupId(region.replicas[i].group);
  }
  return groups;
}

}  // namespace homeport::router
