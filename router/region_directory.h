// RegionDirectory: what a region keeps on its own disk, opened for the one process that may run it.
//
//   <data>/<region>/LOCK, IDENTITY, GRANTS, store/, relay/
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/files.h"
#include "core/rocks_store.h"
#include "core/socket.h"
#include "quorum_queue/grants.h"
#include "quorum_queue/queue_endpoint.h"
#include "replicator/relay_log.h"

namespace homeport::router {

struct RegionDirectory {
  std::string dir;
  std::unique_ptr<core::DirectoryLock> lock;
  std::unique_ptr<core::RocksStore> store;
  std::unique_ptr<replicator::RelayLog> relay;
  std::unique_ptr<quorum_queue::LocalGrantStore> grant_store;
  quorum_queue::Grant keeper_grant;         // taken before those of the shards
  std::vector<quorum_queue::Grant> grants;  // fresh, one per shard
};

// Where the replicas of these groups are: as the grant record says, or else the configuration.
// kBadRequest when neither does. A slot's group is the group's id.
core::Result<std::vector<quorum_queue::QueueClient::Endpoint>> EndpointsOf(
    const core::RegionConfig& region, const std::vector<quorum_queue::Group>& groups);

// Where a group of the configuration stands, by the grant record on this machine's disk.
enum class GroupStanding : uint8_t {
  kUnknown,  // the region's directory is on another machine
  kNew,      // it never was in the record: nobody ever promised anything there
  kMember,
  kRetired,
};
GroupStanding StandingOf(const core::ClusterConfig& config, const core::RegionConfig& region,
                         quorum_queue::GroupId group);

// Waits a while for the coordination store (region_coordination.h), which may refuse. `wake`: of
// the relay log. kBadRequest when the directory is of another cluster, region or incarnation.
core::Result<RegionDirectory> OpenRegionDirectory(core::Context& context,
                                                  const core::ClusterConfig& config,
                                                  const core::RegionConfig& region,
                                                  std::function<void()> wake);

}  // namespace homeport::router
