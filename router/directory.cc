#include "router/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/messaging/queries.h"

namespace homeport::router {

using core::HomeOf;
using core::Incarnation;
using core::Status;
using core::Uin;

Incarnation NamePartitionHome(std::string_view name, uint16_t shards,
                              std::vector<Incarnation> incarnations) {
  CHECK(!incarnations.empty(), "a cluster has a region");
  std::sort(incarnations.begin(), incarnations.end());
  return incarnations[core::ShardOfName(name, shards).value() % incarnations.size()];
}

Incarnation NamePartitionHome(std::string_view name, const core::ClusterConfig& config) {
  std::vector<Incarnation> incarnations;
  for (const core::RegionConfig& region : config.regions) {
    incarnations.push_back(region.incarnation);
  }
  return NamePartitionHome(name, config.shards, std::move(incarnations));
}

Directory::Directory(const core::ClusterConfig* config, Incarnation self,
                     const core::StoreView* store, const RegionStates* states)
    : config_(config), self_(self), store_(store), states_(states) {}

HomeOf Directory::Home(Uin uin) const {
  return core::FindHome(*store_, config_->shards, uin);
}

std::string Directory::RegionName(Incarnation incarnation) const {
  const core::RegionConfig* region = config_->FindRegion(incarnation);
  return region != nullptr ? region->name : fmt::format("incarnation {}", incarnation.value());
}

Status Directory::ServedHere(Uin uin) const {
  return ServedHere(uin, Home(uin));
}

Status Directory::ServedHere(Uin uin, const HomeOf& home) const {
  if (home.home == self_ && home.adopted) return {};
  if (home.home == self_) {
    return Status::Unavailable(
        fmt::format("{} is moving here, to {}; try again", uin.value(), RegionName(self_)));
  }
  return Moved(fmt::format("{}", uin.value()), home);
}

Status Directory::LivesSomewhere(Uin uin) const {
  const HomeOf home = Home(uin);
  if (home.home == self_ || config_->FindRegion(home.home) != nullptr) return {};
  return Moved(fmt::format("{}", uin.value()), home);
}

Status Directory::BornHere(Uin uin) const {
  const HomeOf birth{.home = core::BirthIncarnation(uin), .epoch = {}, .known = false};
  return ServedHere(uin, birth);
}

Status Directory::NameServedHere(std::string_view name) const {
  const Incarnation home = NamePartitionHome(name, *config_);
  if (home == self_) return {};
  return Moved("the partition of the name " + Quoted(name),
               {.home = home, .epoch = {}, .known = false});
}

Status Directory::Moved(const std::string& what, const HomeOf& home) const {
  if (config_->FindRegion(home.home) == nullptr) {
    return Status::BadRequest(
        fmt::format("{} is of incarnation {}, which is no region of cluster {}", what,
                    home.home.value(), config_->cluster));
  }
  RETURN_IF_ERROR(states_->CheckUnblocked(home.home));
  return Status::Moved(home.home, home.epoch,
                       fmt::format("{} is homed in {}, not in {}: ask there", what,
                                   RegionName(home.home), RegionName(self_)));
}

std::string Quoted(std::string_view name) {
  constexpr size_t kShown = 64;
  std::string quoted = "'";
  for (const char c : name.substr(0, kShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) {
      quoted += fmt::format("\\x{:02x}", byte);
    } else {
      quoted += c;
    }
  }
  return quoted + (name.size() > kShown ? "...'" : "'");
}

}  // namespace homeport::router
