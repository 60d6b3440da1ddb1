#include "cli/make_cluster.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "cli/cluster.h"
#include "coordination/coordination_server.h"
#include "coordination/open.h"
#include "core/files.h"
#include "quorum_queue/identity.h"
#include "router/region_host.h"

namespace homeport::cli {
namespace {

using core::ClusterConfig;
using core::Result;
using core::Status;

// All logs of all regions lie on one disk here, each with segments written ahead: smaller ones than
// a production disk of its own gets.
constexpr uint64_t kSegmentBytes = 16 << 20;

// Gateway with its HTTP and its API, and replicas, each with its HTTP; the coordinator with its
// HTTP; for a WAN box the port for its commands and a door from every other region to each gateway
// and replica.
size_t PortsFor(const MakeClusterOptions& options) {
  const size_t regions = options.regions.size();
  const size_t own = regions * (3 + 6 * size_t{options.groups}) + 2;
  const size_t doors = regions * (regions - 1) * (1 + 3 * size_t{options.groups});
  return options.wan ? own + 1 + doors : own;
}

// Where the range of ports for outgoing connections begins.
uint64_t FirstOutgoingPort() {
  constexpr uint64_t kUsual = 32768;
  std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
  uint64_t first = 0;
  return range >> first ? first : kUsual;
}

// That a server could bind it now.
bool IsFree(uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const int on = 1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  const bool is_free = ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
                       ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return is_free;
}

// Directories beside the regions'.
bool IsTaken(const std::string& name) {
  return name == "coordination" || name == "logs";
}

bool IsRegionName(const std::string& name) {
  return !name.empty() && name.size() <= 16 &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
}

Status CheckOptions(const MakeClusterOptions& options) {
  if (options.shards == 0 || options.shards > core::kShardsMax) {
    return Status::BadRequest(fmt::format("--shards {}: expected a number from 1 to {}",
                                          options.shards, core::kShardsMax));
  }
  if (options.regions.empty()) return Status::BadRequest("--regions: expected names, as sh,hk,ca");
  if (options.regions.size() > core::kRegionsMax) {
    return Status::BadRequest(fmt::format("--regions: {} of them; expected at most {}",
                                          options.regions.size(), core::kRegionsMax));
  }
  std::set<std::string> seen;
  for (const std::string& region : options.regions) {
    if (!IsRegionName(region)) {
      return Status::BadRequest(
          fmt::format("--regions: {} is no name of a region; expected 1 to 16 of a-z, 0-9 and -",
                      Printable(region)));
    }
    if (IsTaken(region)) {
      return Status::BadRequest(
          fmt::format("--regions: {} is the name of another directory of the cluster", region));
    }
    if (!seen.insert(region).second) {
      return Status::BadRequest(fmt::format("--regions: {} is named twice", region));
    }
  }
  if (options.groups == 0 || options.groups > core::kGroupsPerRegionMax) {
    return Status::BadRequest(fmt::format("--groups {}: expected a number from 1 to {}",
                                          options.groups, core::kGroupsPerRegionMax));
  }
  const size_t last_port = options.base_port + PortsFor(options) - 1;
  if (options.base_port > 0 && last_port > 65535) {
    return Status::BadRequest(
        fmt::format("--base-port {}: {} ports are needed, up to {}; at most 65535",
                    options.base_port, PortsFor(options), last_port));
  }
  if (!core::Exists(options.data)) return {};
  ASSIGN_OR_RETURN(const auto names, core::ListDirectory(options.data));
  if (names.empty()) return {};
  for (const std::string& name : names) {
    if (name == kConfigName) {
      return Status::BadRequest(
          fmt::format("{} is a cluster already; `homeport up --data {}` starts it", options.data,
                      options.data));
    }
  }
  return Status::BadRequest(fmt::format(
      "{} is not empty and no cluster (it has {}); name a new directory", options.data, names[0]));
}

// A path through a door of its own from every region to all that listens in the others.
std::vector<core::PathConfig> PathsThroughWan(const ClusterConfig& config, int port) {
  std::vector<core::PathConfig> paths;
  for (const core::RegionConfig& from : config.regions) {
    for (const core::RegionConfig& to : config.regions) {
      if (from.name == to.name) continue;
      const auto add = [&](const std::string& endpoint) {
        paths.push_back({from.name, endpoint, fmt::format("tcp://127.0.0.1:{}", port++)});
      };
      add(to.gateway);
      for (const core::ReplicaConfig& replica : to.replicas) add(replica.endpoint);
    }
  }
  return paths;
}

std::string WanConfig(int control_port) {
  return fmt::format(
      "# The WAN box between the regions of this cluster: tests/wan/README.md. Its doors are the\n"
      "# [[path]]s of cluster.toml. Without more its links are: sh-hk 15 ms, sh-ca 100 ms,\n"
      "# hk-ca 90 ms, others 50 ms one way, 100 Mbit/s each way.\n"
      "control = \"127.0.0.1:{}\"\n",
      control_port);
}

// `next_port` goes on to the first that is not given.
ClusterConfig ConfigFor(const MakeClusterOptions& options, int* next_port) {
  int& port = *next_port;
  ClusterConfig config;
  config.file = options.data + '/' + kConfigName;
  config.cluster = fmt::format("{:016x}", core::RandomBits());
  config.shards = options.shards;
  while (config.secret.size() < core::kSecretDigits) {
    config.secret += fmt::format("{:016x}", core::RandomBits());
  }
  config.data = options.data;
  config.segment_bytes = kSegmentBytes;
  for (const std::string& name : options.regions) {
    core::RegionConfig region;
    region.name = name;
    region.incarnation = core::Incarnation(static_cast<uint16_t>(config.regions.size() + 1));
    region.gateway = fmt::format("tcp://127.0.0.1:{}", port++);
    region.http = fmt::format("127.0.0.1:{}", port++);
    region.api = fmt::format("127.0.0.1:{}", port++);
    region.replicas.resize(3 * size_t{options.groups});
    for (size_t i = 0; i < region.replicas.size(); ++i) {
      region.replicas[i].group = static_cast<uint8_t>(i / 3 + 1);
      region.replicas[i].endpoint = fmt::format("tcp://127.0.0.1:{}", port++);
      region.replicas[i].http = fmt::format("127.0.0.1:{}", port++);
      region.replicas[i].zone = std::string(1, static_cast<char>('a' + i % 3));
    }
    config.regions.push_back(std::move(region));
  }
  config.coordination.kind = core::CoordinationKind::kEmbedded;
  config.coordination.endpoints = {fmt::format("tcp://127.0.0.1:{}", port++)};
  config.coordination.http = fmt::format("127.0.0.1:{}", port++);
  return config;
}

// One region's directories below config.data.
Status FormatAll(const ClusterConfig& config, const core::RegionConfig& region) {
  std::vector<core::DiskId> disks;
  for (size_t i = 0; i < region.replicas.size(); ++i) disks.push_back(quorum_queue::NewDiskId());
  RETURN_IF_ERROR(router::FormatRegion(config, region.name, disks));
  for (size_t i = 0; i < disks.size(); ++i) {
    quorum_queue::Identity identity;
    identity.cluster = config.cluster;
    identity.region = region.name;
    identity.incarnation = region.incarnation;
    identity.replica = region.NumberOfReplica(i);
    identity.disk = disks[i];
    identity.shards = config.shards;
    RETURN_IF_ERROR(quorum_queue::FormatReplica(
        fmt::format("{}/{}/replica-{}", config.data, region.name, i + 1), identity));
  }
  return {};
}

Status Rename(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) {
    return core::SyncDirectory(std::filesystem::path(to).parent_path().string());
  }
  const int error = errno;
  if (error == EBUSY || error == EXDEV) {
    return Status::Io(fmt::format("{} is a mount point; name a directory inside it", to));
  }
  return Status::Io(fmt::format("cannot rename {} to {}: {}", from, to, std::strerror(error)));
}

}  // namespace

Result<ClusterConfig> MakeCluster(const MakeClusterOptions& options) {
  RETURN_IF_ERROR(CheckOptions(options));
  uint16_t base_port = options.base_port;
  if (base_port == 0) {
    ASSIGN_OR_RETURN(base_port, FindFreePorts(PortsFor(options)));
  }
  int port = base_port;
  ClusterConfig config = ConfigFor(options, &port);
  const int wan_control_port = port++;
  if (options.wan) config.paths = PathsThroughWan(config, port);

  ClusterConfig unfinished = config;
  unfinished.data = fmt::format("{}.making-{}", options.data, config.cluster);
  std::error_code ignored;
  Status status = core::MakeDirectories(unfinished.data);
  for (const core::RegionConfig& region : unfinished.regions) {
    if (status.ok()) status = FormatAll(unfinished, region);
  }
  if (status.ok()) {
    status = coordination::FormatCoordination(coordination::CoordinationDirectory(unfinished),
                                              unfinished.cluster);
  }
  if (status.ok()) {
    status = core::WriteFileAtomically(unfinished.data + '/' + kConfigName,
                                       core::FormatClusterConfig(config), core::Readers::kOwner);
  }
  if (status.ok() && options.wan) {
    status = core::WriteFileAtomically(unfinished.data + '/' + kWanConfigName,
                                       WanConfig(wan_control_port));
  }
  if (status.ok()) status = Rename(unfinished.data, options.data);
  if (!status.ok()) {
    std::filesystem::remove_all(unfinished.data, ignored);
    return status;
  }
  return config;
}

Result<uint16_t> FindFreePorts(size_t count) {
  constexpr uint64_t kLowest = 10000;
  constexpr int kTries = 1000;
  const uint64_t end = FirstOutgoingPort();
  if (end < kLowest + count) {
    return Status::Unavailable(
        fmt::format("the system uses all ports from {} on for outgoing connections; name others "
                    "with --base-port",
                    end));
  }
  for (int i = 0; i < kTries; ++i) {
    const uint64_t base = kLowest + core::RandomBits() % (end - kLowest - count + 1);
    uint64_t port = base;
    while (port < base + count && IsFree(static_cast<uint16_t>(port))) ++port;
    if (port == base + count) return static_cast<uint16_t>(base);
  }
  return Status::Unavailable(
      fmt::format("no {} free ports in a row on 127.0.0.1; name others with --base-port", count));
}

}  // namespace homeport::cli
