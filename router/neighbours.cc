#include "router/neighbours.h"

#include <algorithm>
#include <utility>

#include "router/wire.h"

namespace homeport::router {

namespace {

constexpr core::Duration kAskEvery = std::chrono::seconds(1);
constexpr uint64_t kAnswerBytesMax = 1 << 20;

bool SamePlaces(const std::vector<QueueGroup>& a, const std::vector<QueueGroup>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const QueueGroup& x, const QueueGroup& y) {
                      return x.id == y.id && x.endpoints == y.endpoints;
                    });
}

}  // namespace

Neighbours::Neighbours(const core::ClusterConfig& config, core::Incarnation self) {
  const std::string& own = config.FindRegion(self)->name;
  for (const core::RegionConfig& region : config.regions) {
    if (region.incarnation == self) continue;
    neighbours_[region.incarnation].gateway = config.SeenFrom(own, region.gateway);
  }
}

core::Status Neighbours::Connect(core::Context& context) {
  for (auto& [region, neighbour] : neighbours_) {
    ASSIGN_OR_RETURN(neighbour.socket,
                     core::DealerSocket::Connect(context, neighbour.gateway, kAnswerBytesMax,
                                                 core::WhenDown::kDrop));
  }
  return {};
}

void Neighbours::AddTo(core::Poller* poller) const {
  for (const auto& [region, neighbour] : neighbours_) poller->Add(neighbour.socket->raw());
}

std::vector<Neighbours::News> Neighbours::Turn(core::Instant now) {
  std::vector<News> news;
  core::Frames frames;
  if (!begun_) begun_ = now;
  for (auto& [region, neighbour] : neighbours_) {
    while (neighbour.socket->Receive(&frames)) {
      if (frames.size() != 1) continue;
      core::Result<Response> response = DecodeResponse(frames[0].view());
      if (!response.ok() || response->number > asked_) continue;
      if (response->number <= neighbour.heard) continue;  // an older answer came behind a newer one
      auto* groups = std::get_if<QueueGroups>(&response->body);
      if (groups == nullptr || groups->groups.empty()) continue;
      neighbour.heard = response->number;
      neighbour.heard_at = now;
      if (SamePlaces(groups->groups, neighbour.groups)) continue;
      neighbour.groups = groups->groups;
      news.push_back({region, std::move(groups->groups)});
    }
  }
  if (now < ask_at_) return news;
  ask_at_ = now + kAskEvery;
  ++asked_;
  for (auto& [region, neighbour] : neighbours_) {
    neighbour.socket->Send({core::SharedBytes(EncodeRequest(asked_, QueueGroupsRequest{}))});
  }
  return news;
}

core::Duration Neighbours::SilenceOf(core::Incarnation region, core::Instant now) const {
  return now - neighbours_.at(region).heard_at.value_or(begun_.value_or(now));
}

}  // namespace homeport::router
