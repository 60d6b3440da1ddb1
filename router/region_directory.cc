#include "router/region_directory.h"

#include <fmt/format.h>

#include <utility>

#include "quorum_queue/identity.h"
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
  quorum_queue::Group group;
  if (disks.size() != group.disks.size()) {
    return Status::BadRequest(
        fmt::format("a region has three replicas, each with a disk; given: {}", disks.size()));
  }
  std::copy(disks.begin(), disks.end(), group.disks.begin());
  const std::string dir = DirectoryOf(config, *region);
  RETURN_IF_ERROR(quorum_queue::FormatReplica(dir, IdentityOf(config, *region)));
  return quorum_queue::LocalGrantStore::Create(GrantsFile(dir), region->incarnation, {group});
}

Result<RegionDirectory> OpenRegionDirectory(const core::ClusterConfig& config,
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
