// ClusterConfig: what every process of a cluster must know, read from one TOML file
// (docs/operations.md).
//
// The file is made by `homeport init` or `homeport up`. Errors name the file, the key and what was
// expected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/messaging/options.h"
#include "core/status.h"

namespace homeport::core {

struct ReplicaConfig {
  std::string endpoint;  // "tcp://127.0.0.1:7110": queue protocol
  std::string http;      // "127.0.0.1:7111": /metrics, /healthz, /readyz
  std::string zone;      // "a", "b", "c"
  uint8_t group = 1;     // of the queue; three replicas each
};

struct RegionConfig {
  std::string name;         // "sh"; [a-z0-9-]{1,16}
  Incarnation incarnation;  // number of this life of the region
  std::string gateway;      // "tcp://127.0.0.1:7101": clients
  std::string http;
  std::string api;  // "127.0.0.1:7103": clients, HTTP and WebSocket; empty: none
  // Three per group, groups ascending; in a group the three slots.
  std::vector<ReplicaConfig> replicas = std::vector<ReplicaConfig>(3);

  // Replicas are numbered from 1, three to a group: those of group 2 are 4, 5 and 6. A number names
  // a directory (replica-4), and stays when other groups come and go.
  uint8_t NumberOfReplica(size_t index) const {
    return static_cast<uint8_t>(3 * (replicas[index].group - 1) + index % 3 + 1);
  }
  // Its index; nullopt when there is none with this number.
  std::optional<size_t> FindReplica(uint64_t number) const;
};

// [[path]]: where processes of region `from` connect to reach the ones that listen at `to`, in
// another region: a relay, a tunnel, a translated address.
struct PathConfig {
  std::string from;  // region
  std::string to;    // "tcp://127.0.0.1:7110": a gateway or replica of another region
  std::string via;   // "tcp://127.0.0.1:7300"
};

enum class CoordinationKind : uint8_t { kNone, kEmbedded, kEtcd };
// What a region that is cut off does (docs/coordination.md, "Fence").
enum class Fence : uint8_t {
  kOperator,  // it works on; an operator decides
  kLease,     // it accepts writes only while it holds its lease
};

// Where the cluster's coordination store is (docs/coordination.md).
struct CoordinationConfig {
  CoordinationKind kind = CoordinationKind::kNone;  // made before there was one
  // Embedded: one, "tcp://127.0.0.1:7100". etcd: of its members, "http://127.0.0.1:2379".
  std::vector<std::string> endpoints;
  std::string http;  // of our own: "127.0.0.1:7101": /metrics, /healthz, /readyz
  Fence fence = Fence::kOperator;
  uint32_t lease_seconds = 10;  // kLease: the time of a region's lease
  bool operator==(const CoordinationConfig&) const = default;
};
std::string_view KindName(CoordinationKind kind);  // "none", "embedded", "etcd"
std::string_view FenceName(Fence fence);           // "operator", "lease"

struct ClusterConfig {
  std::string file;     // where it was read from
  std::string cluster;  // random hex, given at creation
  uint16_t shards = 8;  // fixed at creation
  // 64 hex digits, given at creation. Seals what clients bring back to us; never told to one.
  std::string secret;
  std::string data;  // absolute; directories below: <data>/<region>/{store,relay,replica-1..3 ..}
  std::vector<RegionConfig> regions;
  std::vector<PathConfig> paths;       // few regions need one
  uint64_t replica_log_bytes_max = 0;  // 0: no limit but the disk's
  // Of the replicas' and relay logs' segments, which are written ahead, three at a time. A multiple
  // of 4096.
  uint64_t segment_bytes = 64 << 20;
  // A region's store is made durable this often while there is something new; only what is durable
  // everywhere is trimmed.
  uint32_t flush_seconds = 10;
  // What one stream keeps for a region that does not follow, and for how long; 0: for ever.
  uint64_t retention_bytes = uint64_t{16} << 30;
  uint32_t retention_hours = 7 * 24;
  MessagingOptions messaging;
  // Requests per second, twice that at once; 0: no limit. Of one connection to an `api`, of one to
  // a `gateway`, and commands of one user at its home.
  uint32_t api_rate = 100;
  uint32_t connection_rate = 0;
  uint32_t user_rate = 0;
  // A user's home follows it when so many writes in a row came from one other region; 0: never. No
  // sooner than so many seconds after it came, and at most so many users a second.
  uint32_t follow_writes = 0;
  uint32_t follow_stay_seconds = 60;
  uint32_t follow_rate = 10;
  CoordinationConfig coordination;
  // Of which sites' pages may use an `api`, with commas: "https://chat.example". "*": of all.
  std::string api_origins;

  const RegionConfig* FindRegion(std::string_view name) const;
  const RegionConfig* FindRegion(Incarnation incarnation) const;
  // Where a process of region `from` connects to reach what listens at `endpoint`; that endpoint
  // itself when no path is given. Clients are in no region: they connect to gateways as they are.
  std::string SeenFrom(std::string_view from, const std::string& endpoint) const;
};

inline constexpr size_t kSecretDigits = 64;
inline constexpr uint16_t kShardsMax = 1024;
inline constexpr size_t kRegionsMax = 16;
inline constexpr size_t kCoordinationEndpointsMax = 9;
inline constexpr uint32_t kLeaseSecondsMin = 3;
inline constexpr uint32_t kLeaseSecondsMax = 3600;
inline constexpr size_t kGroupsPerRegionMax = 21;
inline constexpr size_t kPathsMax = kRegionsMax * kRegionsMax * 3 * kGroupsPerRegionMax;
inline constexpr uint8_t kGroupNumberMax = 85;  // ever given in a region; replicas fit a byte
inline constexpr uint64_t kSegmentBytesMin = 16 << 20;
inline constexpr uint64_t kSegmentBytesMax = 1 << 30;
inline constexpr uint32_t kFlushSecondsMax = 3600;
inline constexpr uint32_t kRetentionHoursMax = 24 * 366;
inline constexpr uint32_t kDeviceGoneAfterDaysMax = 366;
inline constexpr uint32_t kGroupRetentionDaysMax = 3660;
inline constexpr uint32_t kRecallSecondsMax = 24 * 3600;
inline constexpr uint32_t kGroupMembersLimitMax = 50'000;
inline constexpr uint32_t kRateMax = 1000000;
inline constexpr uint32_t kFollowWritesMax = 1000;
inline constexpr uint32_t kFollowStaySecondsMax = 30 * 24 * 3600;

// kBadRequest: "<file>: key region.sh.gateway: expected ..., found ...". `file` names the file in
// errors, and a relative `data` begins at its directory.
Result<ClusterConfig> ParseClusterConfig(const std::string& text, const std::string& file);
// kIo when the file cannot be read. In homeport_os.
Result<ClusterConfig> LoadClusterConfig(const std::string& file);
std::string FormatClusterConfig(const ClusterConfig& config);  // TOML that parses back to the same

// "tcp://host:port"
bool IsEndpoint(std::string_view text);

// Fixed for ever: the shard of a user or group, and the partition of a name.
ShardId ShardOf(Uin uin, uint16_t shards);
ShardId ShardOfName(std::string_view name, uint16_t shards);

}  // namespace homeport::core
