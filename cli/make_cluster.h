// MakeCluster: a new cluster on one machine: its configuration and the formatted directories of all
// regions and replicas. All of it appears at once, by a rename: a crash leaves no half-made
// cluster.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/status.h"

namespace homeport::cli {

struct MakeClusterOptions {
  std::string data;  // absolute; must not exist or be empty
  std::vector<std::string> regions = {"sh", "hk", "ca"};
  uint16_t shards = 8;
  uint16_t groups = 1;  // of three replicas, per region
  // The first of 3 + 6 * groups ports per region, of the coordinator's 2, and of the doors; 0:
  // found.
  uint16_t base_port = 0;
  bool wan = false;  // regions see one another through a WAN box (tests/wan)
};

// In a cluster's directory: what its WAN box is told. There is one if and only if this file is.
inline constexpr const char* kWanConfigName = "wan.toml";

// Answers the configuration, written to data/cluster.toml.
core::Result<core::ClusterConfig> MakeCluster(const MakeClusterOptions& options);

// The first of `count` consecutive ports of 127.0.0.1 on which no one listens at this moment. Below
// the range from which the system takes ports for outgoing connections: a connection must not take
// a daemon's port while that is restarted (and one to a dead daemon's port must not be connected to
// itself).
core::Result<uint16_t> FindFreePorts(size_t count);

}  // namespace homeport::cli
