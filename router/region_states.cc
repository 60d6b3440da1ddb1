#include "router/region_states.h"

#include <fmt/format.h>

#include <algorithm>

namespace homeport::router {

using core::Incarnation;
using core::RegionOrder;
using core::RegionState;
using core::Status;

std::string NamesOf(const core::ClusterConfig& config, const std::vector<Incarnation>& regions) {
  std::string names;
  for (const Incarnation region : regions) {
    const core::RegionConfig* known = config.FindRegion(region);
    names +=
        fmt::format("{}{}", names.empty() ? "" : ", ",
                    known != nullptr ? known->name : fmt::format("incarnation {}", region.value()));
  }
  return names;
}

void RegionStates::Refresh(core::Instant now, core::Duration age_max) {
  if (read_at_ && now - *read_at_ < age_max) return;
  read_at_ = now;
  states_ = core::LoadRegionStates(*store_);
  blocked_ = {};
  for (const RegionState& state : states_) {
    if (state.order != RegionOrder::kBlock) continue;
    // Each only rises, and so does their sum, whichever of them is heard of first.
    blocked_.number += state.number;
    if (state.on) blocked_.regions.push_back(state.region);
  }
}

const RegionState* RegionStates::Ordered(Incarnation region, RegionOrder order) const {
  const RegionState* state = core::FindState(states_, region, order);
  return state != nullptr && state->on ? state : nullptr;
}

std::string RegionStates::Name(Incarnation region) const {
  return NamesOf(*config_, {region});
}

std::string RegionStates::Describe(const RegionState& state) const {
  return core::DescribeState(state, Name(state.region), NamesOf(*config_, state.to));
}

Status RegionStates::CheckUnblocked(Incarnation region) const {
  const RegionState* block = Ordered(region, RegionOrder::kBlock);
  if (block == nullptr) return {};
  return Status::Unavailable(Describe(*block) +
                             "; its users are served again when it is unblocked");
}

Status RegionStates::CheckOpen(Incarnation region) const {
  for (const RegionOrder order : {RegionOrder::kBlock, RegionOrder::kDrain}) {
    const RegionState* state = Ordered(region, order);
    if (state == nullptr) continue;
    return Status::Refused(Describe(*state) +
                           ": nobody new is to live there; choose another region");
  }
  return {};
}

Status RegionStates::CheckOrder(const RegionState& order) const {
  if (config_->FindRegion(order.region) == nullptr) {
    return Status::BadRequest(fmt::format("incarnation {} is no region of cluster {}",
                                          order.region.value(), config_->cluster));
  }
  if (!order.on) return {};
  if (order.order == RegionOrder::kBlock) {
    const bool leaves_one = std::any_of(
        config_->regions.begin(), config_->regions.end(), [&](const core::RegionConfig& region) {
          return region.incarnation != order.region &&
                 Ordered(region.incarnation, RegionOrder::kBlock) == nullptr;
        });
    if (leaves_one) return {};
    return Status::Refused("all other regions are blocked: nobody would be served");
  }
  if (order.to.empty()) return Status::BadRequest("a drained region's users go somewhere");
  for (const Incarnation to : order.to) {
    if (to == order.region || config_->FindRegion(to) == nullptr) {
      return Status::BadRequest(
          fmt::format("{} cannot be drained to {}", Name(order.region), Name(to)));
    }
    if (Status closed = CheckOpen(to); !closed.ok()) return closed;
  }
  return {};
}

}  // namespace homeport::router
