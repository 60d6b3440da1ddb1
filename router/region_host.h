// RegionHost: runs a region daemon: Region, Gateway, store, relay log and sockets on one thread,
// metrics on another.
//
// Assembly and I/O only; every decision is in the machines it drives.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "core/config.h"
#include "core/socket.h"
#include "core/status.h"

namespace homeport::router {

struct RegionHostOptions {
  core::ClusterConfig config;
  std::string region;
};

class RegionHost {
 public:
  // Locks and checks the region's directory (<data>/<region>), opens the store, relay log and
  // grants.
  static core::Result<std::unique_ptr<RegionHost>> Open(core::Context& context,
                                                        RegionHostOptions options);
  virtual ~RegionHost() = default;
  // Until `stop`, or the region must stop (the reason; a supervisor starts the process again).
  virtual core::Status Run(const std::atomic<bool>& stop) = 0;
};

// Makes the directories of a new region: identity, grants. The replicas are formatted apart
// (quorum_queue/identity.h).
core::Status FormatRegion(const core::ClusterConfig& config, const std::string& region,
                          const std::vector<core::DiskId>& disks);

}  // namespace homeport::router
