#include "router/region_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "quorum_queue/identity.h"
#include "router/region_coordination.h"
#include "router/region_host.h"

namespace homeport::router {

using core::Result;
using core::Status;

namespace {

std::string DirectoryOf(const core::ClusterConfig& config, const core::RegionConfig& region) {
  return config.data + '/' + region.name;
}
std::string GrantsFile(const std::string& dir) {
  return dir + "/GRANTS";
}

quorum_queue::Identity IdentityOf(const core::ClusterConfig& config,
                                  const core::RegionConfig& region) {
  quorum_queue::Identity identity;
  identity.cluster = config.cluster;
  identity.region = region.name;
  identity.incarnation = region.incarnation;
  identity.shards = config.shards;
  return identity;
}

}  // namespace

Status FormatRegion(const core::ClusterConfig& config, const std::string& name,
                    const std::vector<core::DiskId>& disks) {
  const core::RegionConfig* region = config.FindRegion(name);
  if (region == nullptr) {
    return Status::BadRequest(fmt::format("{} has no region {}", config.file, name));
  }
  if (disks.size() != region->replicas.size()) {
    return Status::BadRequest(fmt::format("region {} has {} replicas, each with a disk; given: {}",
                                          name, region->replicas.size(), disks.size()));
  }
  std::vector<quorum_queue::Group> groups(disks.size() / 3);
  for (size_t i = 0; i < disks.size(); ++i) {
    if (region->replicas[i].group != i / 3 + 1) {
      return Status::BadRequest(fmt::format("{}: a new region's groups are 1, 2, 3 ...; found: {}",
                                            config.file, region->replicas[i].group));
    }
    groups[i / 3].disks[i % 3] = disks[i];
  }
  const std::string dir = DirectoryOf(config, *region);
  RETURN_IF_ERROR(quorum_queue::FormatReplica(dir, IdentityOf(config, *region)));
  return quorum_queue::LocalGrantStore::Create(GrantsFile(dir), region->incarnation, groups);
}

Result<std::vector<quorum_queue::QueueClient::Endpoint>> EndpointsOf(
    const core::RegionConfig& region, const std::vector<quorum_queue::Group>& groups) {
  std::vector<quorum_queue::QueueClient::Endpoint> endpoints;
  for (const quorum_queue::Group& group : groups) {
    const auto id = static_cast<uint16_t>(group.id.value());
    for (uint8_t slot = 0; slot < 3; ++slot) {
      std::string endpoint = group.endpoints[slot];
      const auto configured =
          region.FindReplica(quorum_queue::NumberOf(group.id, slot) + uint64_t{1});
      if (endpoint.empty() && configured) endpoint = region.replicas[*configured].endpoint;
      if (endpoint.empty()) {
        return Status::BadRequest(
            fmt::format("region {} has a group {} and the configuration does not say where its "
                        "replicas are",
                        region.name, group.id.value()));
      }
      endpoints.push_back({{id, slot}, std::move(endpoint)});
    }
  }
  return endpoints;
}

GroupStanding StandingOf(const core::ClusterConfig& config, const core::RegionConfig& region,
                         quorum_queue::GroupId group) {
  const auto store = quorum_queue::LocalGrantStore::Open(GrantsFile(DirectoryOf(config, region)),
                                                         region.incarnation);
  if (!store.ok()) return GroupStanding::kUnknown;
  if (group > (*store)->last_group()) return GroupStanding::kNew;
  const std::vector<quorum_queue::Group>& groups = (*store)->groups();
  const bool is_member =
      std::any_of(groups.begin(), groups.end(), [&](const auto& one) { return one.id == group; });
  return is_member ? GroupStanding::kMember : GroupStanding::kRetired;
}

Result<RegionDirectory> OpenRegionDirectory(core::Context& context,
                                            const core::ClusterConfig& config,
                                            const core::RegionConfig& region,
                                            std::function<void()> wake) {
  RegionDirectory opened;
  opened.dir = DirectoryOf(config, region);
  if (!core::Exists(opened.dir)) {
    return Status::Unavailable(fmt::format(
        "region {} has no directory {}: is the disk mounted? `homeport init` makes it for a new "
        "cluster",
        region.name, opened.dir));
  }
  ASSIGN_OR_RETURN(opened.lock, core::DirectoryLock::Take(opened.dir));
  ASSIGN_OR_RETURN(const quorum_queue::Identity found, quorum_queue::ReadIdentity(opened.dir));
  RETURN_IF_ERROR(quorum_queue::CheckIdentity(opened.dir, IdentityOf(config, region), found));
  ASSIGN_OR_RETURN(opened.grant_store,
                   quorum_queue::LocalGrantStore::Open(GrantsFile(opened.dir), region.incarnation));
  RETURN_IF_ERROR(JoinCoordination(context, config, region, opened.grant_store.get()));
  RETURN_IF_ERROR(core::MakeDirectories(opened.dir + "/store"));
  RETURN_IF_ERROR(core::MakeDirectories(opened.dir + "/relay"));
  ASSIGN_OR_RETURN(opened.store, core::RocksStore::Open(opened.dir + "/store"));
  ASSIGN_OR_RETURN(opened.relay, replicator::RelayLog::Open(opened.dir + "/relay", std::move(wake),
                                                            config.segment_bytes));
  // Last: a grant fences whoever wrote before.
  ASSIGN_OR_RETURN(opened.keeper_grant, opened.grant_store->TakeGrant());
  for (uint16_t shard = 0; shard < config.shards; ++shard) {
    ASSIGN_OR_RETURN(opened.grants.emplace_back(), opened.grant_store->TakeGrant());
  }
  return opened;
}

}  // namespace homeport::router
