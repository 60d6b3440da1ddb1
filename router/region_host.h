// RegionHost: runs a region daemon: Region, Gateway, store, relay log and sockets on one thread,
// metrics on another.
//
// Assembly and I/O only; every decision is in the machines it drives.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/ids.h"
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
  // grants, takes a grant per shard, and listens. Endpoints with port 0 get a free one.
  static core::Result<std::unique_ptr<RegionHost>> Open(core::Context& context,
                                                        RegionHostOptions options);
  virtual ~RegionHost() = default;
  // Until `stop` (looked at every 50 ms), or the region must stop: the reason; a supervisor starts
  // the process again. Once.
  virtual core::Status Run(const std::atomic<bool>& stop) = 0;
  virtual const std::string& gateway() const = 0;  // endpoint, with the real port
  virtual const std::string& http() const = 0;     // address, with the real port
  virtual std::string api() const = 0;             // the same; empty: none is configured
};

// Makes the directory of a new region: identity, grants. `disks`: of its replicas, which are
// formatted apart (quorum_queue/identity.h).
core::Status FormatRegion(const core::ClusterConfig& config, const std::string& region,
                          const std::vector<core::DiskId>& disks);

}  // namespace homeport::router
