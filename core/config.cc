#include "core/config.h"

#include <fmt/format.h>
#include <toml++/toml.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>
#include <map>
#include <utility>

#include "core/table_reader.h"

namespace homeport::core {
namespace {

constexpr size_t kNameBytesMax = 16;
constexpr size_t kClusterBytesMax = 64;

constexpr std::string_view kEndpointExpected = "a string like \"tcp://127.0.0.1:7101\"";
constexpr std::string_view kHttpExpected = "a string like \"127.0.0.1:7102\"";

bool IsName(std::string_view text, size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

std::string_view WithoutTcp(std::string_view endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  return endpoint.starts_with(kTcp) ? endpoint.substr(kTcp.size()) : std::string_view();
}

bool IsRegionName(std::string_view text) {
  return IsName(text, kNameBytesMax);
}
bool IsClusterName(std::string_view text) {
  return IsName(text, kClusterBytesMax);
}
bool IsSecret(std::string_view text) {
  return text.size() == kSecretDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}
bool IsPath(std::string_view text) {
  return !text.empty() && text.find('\0') == std::string_view::npos;
}
bool IsOrigins(std::string_view text) {
  return text.find_first_of("\r\n") == std::string_view::npos;
}

// Finds what is given twice in the whole file.
class Uniqueness {
 public:
  explicit Uniqueness(const std::string& file) : file_(&file) {}
  Status Add(std::string_view kind, std::string value, std::string key) {
    const auto [first, inserted] = keys_.try_emplace({std::string(kind), value}, key);
    if (inserted) return {};
    return Status::BadRequest(fmt::format("{}: key {}: expected its own {}, found {}, which is {}",
                                          *file_, key, kind, value, first->second));
  }

 private:
  const std::string* file_;
  std::map<std::pair<std::string, std::string>, std::string> keys_;
};

Result<ReplicaConfig> ReadReplica(const toml::table& table, const std::string& file,
                                  const std::string& path, Uniqueness* uniqueness) {
  TableReader reader(table, file, path);
  ReplicaConfig replica;
  replica.endpoint = reader.Text("endpoint", kEndpointExpected, IsEndpoint);
  replica.http = reader.Text("http", kHttpExpected, IsHostPort);
  replica.zone = reader.Text("zone", "a zone name of [a-z0-9-]{1,16}", IsRegionName);
  if (reader.Has("group")) {
    replica.group = static_cast<uint8_t>(reader.Integer(
        "group", 1, kGroupNumberMax, fmt::format("an integer from 1 to {}", kGroupNumberMax)));
  }
  RETURN_IF_ERROR(reader.Finish());
  RETURN_IF_ERROR(uniqueness->Add("host and port", std::string(WithoutTcp(replica.endpoint)),
                                  reader.Path("endpoint")));
  RETURN_IF_ERROR(uniqueness->Add("host and port", replica.http, reader.Path("http")));
  return replica;
}

// Three per group, in order, each in a zone of its own.
Status ReadReplicas(const std::vector<const toml::table*>& tables, const std::string& file,
                    const std::string& path, Uniqueness* uniqueness, RegionConfig* region) {
  region->replicas.clear();
  Uniqueness zones(file);
  for (size_t i = 0; i < tables.size(); ++i) {
    const std::string name = fmt::format("{}.replica[{}]", path, i + 1);
    ASSIGN_OR_RETURN(ReplicaConfig replica, ReadReplica(*tables[i], file, name, uniqueness));
    const uint8_t before = i == 0 ? 0 : region->replicas.back().group;
    const bool is_first = i % 3 == 0;
    if (is_first ? replica.group <= before : replica.group != before) {
      return Status::BadRequest(
          fmt::format("{}: key {}.group: expected three replicas of each group, groups ascending, "
                      "found one of {} after one of {}",
                      file, name, replica.group, before));
    }
    if (is_first) zones = Uniqueness(file);
    RETURN_IF_ERROR(zones.Add("zone", replica.zone, name + ".zone"));
    region->replicas.push_back(std::move(replica));
  }
  return {};
}

Result<RegionConfig> ReadRegion(const toml::table& table, const std::string& file, size_t number,
                                Uniqueness* uniqueness) {
  TableReader reader(table, file, fmt::format("region[{}]", number));
  RegionConfig region;
  region.name = reader.Text("name", "a region name of [a-z0-9-]{1,16}", IsRegionName);
  RETURN_IF_ERROR(reader.status());
  const std::string path = fmt::format("region.{}", region.name);
  RETURN_IF_ERROR(uniqueness->Add("name", region.name, reader.Path("name")));
  reader.set_path(path);
  region.incarnation = Incarnation(
      static_cast<uint16_t>(reader.Integer("incarnation", 1, 65535, "an integer from 1 to 65535")));
  region.gateway = reader.Text("gateway", kEndpointExpected, IsEndpoint);
  region.http = reader.Text("http", kHttpExpected, IsHostPort);
  if (reader.Has("api")) region.api = reader.Text("api", kHttpExpected, IsHostPort);
  const std::string expected = fmt::format(
      "three tables [[region.replica]] per group, at most {} groups", kGroupsPerRegionMax);
  const auto replicas = reader.Tables("replica", 3, 3 * kGroupsPerRegionMax, expected);
  if (reader.status().ok() && replicas.size() % 3 != 0) {
    reader.Fail("replica", expected, fmt::to_string(replicas.size()));
  }
  RETURN_IF_ERROR(reader.Finish());
  RETURN_IF_ERROR(uniqueness->Add("incarnation", fmt::to_string(region.incarnation.value()),
                                  reader.Path("incarnation")));
  RETURN_IF_ERROR(uniqueness->Add("host and port", std::string(WithoutTcp(region.gateway)),
                                  reader.Path("gateway")));
  RETURN_IF_ERROR(uniqueness->Add("host and port", region.http, reader.Path("http")));
  if (!region.api.empty()) {
    RETURN_IF_ERROR(uniqueness->Add("host and port", region.api, reader.Path("api")));
  }
  RETURN_IF_ERROR(ReadReplicas(replicas, file, path, uniqueness, &region));
  return region;
}

bool Listens(const RegionConfig& region, const std::string& endpoint) {
  return region.gateway == endpoint ||
         std::any_of(region.replicas.begin(), region.replicas.end(),
                     [&](const ReplicaConfig& replica) { return replica.endpoint == endpoint; });
}

Result<PathConfig> ReadPath(const toml::table& table, const ClusterConfig& config,
                            const std::string& name, Uniqueness* uniqueness) {
  TableReader reader(table, config.file, name);
  PathConfig path;
  path.from = reader.Text("from", "a region name of [a-z0-9-]{1,16}", IsRegionName);
  path.to = reader.Text("to", kEndpointExpected, IsEndpoint);
  path.via = reader.Text("via", kEndpointExpected, IsEndpoint);
  RETURN_IF_ERROR(reader.Finish());
  if (config.FindRegion(path.from) == nullptr) {
    reader.Fail("from", "a region of this file", Quoted(path.from));
  } else if (std::none_of(config.regions.begin(), config.regions.end(), [&](const auto& region) {
               return region.name != path.from && Listens(region, path.to);
             })) {
    reader.Fail("to", "the gateway or a replica's endpoint of another region", Quoted(path.to));
  }
  RETURN_IF_ERROR(reader.status());
  RETURN_IF_ERROR(uniqueness->Add("from and to", path.from + " " + path.to, reader.Path("to")));
  return path;
}

// A limit or time of the messaging core that may be set.
struct MessagingKey {
  std::string_view key;
  int64_t min;
  int64_t max;
  std::string_view unit;
  int64_t (*get)(const MessagingOptions&);
  void (*set)(MessagingOptions*, int64_t);
};
constexpr MessagingKey kMessagingKeys[] = {
    {"inbox_retention_hours", 0, kRetentionHoursMax, "hours",
     [](const MessagingOptions& options) -> int64_t {
       return std::chrono::duration_cast<std::chrono::hours>(options.inbox_retention).count();
     },
     [](MessagingOptions* options, int64_t n) {
       options->inbox_retention = std::chrono::hours(n);
     }},
    {"group_retention_days", 1, kGroupRetentionDaysMax, "days",
     [](const MessagingOptions& options) -> int64_t {
       return std::chrono::duration_cast<std::chrono::hours>(options.group_retention).count() / 24;
     },
     [](MessagingOptions* options, int64_t n) {
       options->group_retention = std::chrono::hours(24 * n);
     }},
    {"device_gone_after_days", 1, kDeviceGoneAfterDaysMax, "days",
     [](const MessagingOptions& options) -> int64_t {
       return std::chrono::duration_cast<std::chrono::hours>(options.device_gone_after).count() /
              24;
     },
     [](MessagingOptions* options, int64_t n) {
       options->device_gone_after = std::chrono::hours(24 * n);
     }},
    {"recall_seconds", 0, kRecallSecondsMax, "seconds",
     [](const MessagingOptions& options) -> int64_t {
       return options.recall_within.count() / 1000;
     },
     [](MessagingOptions* options, int64_t n) {
       options->recall_within = std::chrono::seconds(n);
     }},
    {"group_members_max", 1, kGroupMembersLimitMax, "members",
     [](const MessagingOptions& options) -> int64_t {
       return static_cast<int64_t>(options.group_members_max);
     },
     [](MessagingOptions* options, int64_t n) {
       options->group_members_max = static_cast<uint64_t>(n);
     }},
};

void ReadMessaging(TableReader* reader, MessagingOptions* options) {
  for (const MessagingKey& key : kMessagingKeys) {
    if (!reader->Has(key.key)) continue;
    key.set(options, reader->Integer(
                         key.key, key.min, key.max,
                         fmt::format("a number of {} from {} to {}", key.unit, key.min, key.max)));
  }
}

std::string FormatMessaging(const MessagingOptions& options) {
  std::string text;
  for (const MessagingKey& key : kMessagingKeys) {
    if (key.get(options) == key.get({})) continue;
    text += fmt::format("{} = {}\n", key.key, key.get(options));
  }
  return text;
}

struct FollowKey {
  std::string_view key;
  uint32_t ClusterConfig::*value;
  uint32_t min;
  uint32_t max;
};
constexpr FollowKey kFollowKeys[] = {
    {"follow_writes", &ClusterConfig::follow_writes, 0, kFollowWritesMax},
    {"follow_stay_seconds", &ClusterConfig::follow_stay_seconds, 0, kFollowStaySecondsMax},
    {"follow_rate", &ClusterConfig::follow_rate, 1, kRateMax}};

template <class Config>
auto RatesOf(Config* config) {
  return std::array{std::pair{"api_rate", &config->api_rate},
                    std::pair{"connection_rate", &config->connection_rate},
                    std::pair{"user_rate", &config->user_rate}};
}

constexpr std::pair<CoordinationKind, std::string_view> kCoordinationKinds[] = {
    {CoordinationKind::kEmbedded, "embedded"}, {CoordinationKind::kEtcd, "etcd"}};

bool IsCoordinationKind(std::string_view text) {
  return std::any_of(std::begin(kCoordinationKinds), std::end(kCoordinationKinds),
                     [&](const auto& kind) { return kind.second == text; });
}
constexpr std::pair<Fence, std::string_view> kFences[] = {{Fence::kOperator, "operator"},
                                                          {Fence::kLease, "lease"}};

bool IsFence(std::string_view text) {
  return std::any_of(std::begin(kFences), std::end(kFences),
                     [&](const auto& fence) { return fence.second == text; });
}
// One that others can connect to.
bool IsReachable(std::string_view host_port) {
  return IsHostPort(host_port) && !host_port.starts_with("*:");
}
bool IsReachableEndpoint(std::string_view text) {
  return IsReachable(WithoutTcp(text));
}
std::string_view WithoutHttp(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (url.starts_with(scheme)) return url.substr(scheme.size());
  }
  return {};
}
bool IsHttpUrl(std::string_view text) {
  return IsReachable(WithoutHttp(text));
}

void ReadFence(TableReader* reader, CoordinationConfig* config) {
  if (reader->Has("fence")) {
    const std::string found = reader->Text("fence", "\"operator\" or \"lease\"", IsFence);
    for (const auto& [value, name] : kFences) {
      if (name == found) config->fence = value;
    }
  }
  if (!reader->Has("lease_seconds")) return;
  config->lease_seconds = static_cast<uint32_t>(reader->Integer(
      "lease_seconds", kLeaseSecondsMin, kLeaseSecondsMax,
      fmt::format("a number of seconds from {} to {}", kLeaseSecondsMin, kLeaseSecondsMax)));
}

Result<CoordinationConfig> ReadCoordination(const toml::table& table, const std::string& file,
                                            Uniqueness* uniqueness) {
  TableReader reader(table, file, "coordination");
  CoordinationConfig config;
  const std::string kind = reader.Text("kind", "\"embedded\" or \"etcd\"", IsCoordinationKind);
  RETURN_IF_ERROR(reader.status());
  for (const auto& [value, name] : kCoordinationKinds) {
    if (name == kind) config.kind = value;
  }
  ReadFence(&reader, &config);
  if (config.kind == CoordinationKind::kEtcd) {
    config.endpoints = reader.Texts(
        "endpoints", 1, kCoordinationEndpointsMax,
        fmt::format("1 to {} strings like \"http://127.0.0.1:2379\"", kCoordinationEndpointsMax),
        IsHttpUrl);
    RETURN_IF_ERROR(reader.Finish());
    for (const std::string& endpoint : config.endpoints) {
      RETURN_IF_ERROR(uniqueness->Add("host and port", std::string(WithoutHttp(endpoint)),
                                      reader.Path("endpoints")));
    }
    return config;
  }
  config.endpoints =
      reader.Texts("endpoints", 1, 1, "an array of one string like \"tcp://127.0.0.1:7100\"",
                   IsReachableEndpoint);
  config.http = reader.Text("http", kHttpExpected, IsHostPort);
  RETURN_IF_ERROR(reader.Finish());
  RETURN_IF_ERROR(uniqueness->Add("host and port", std::string(WithoutTcp(config.endpoints[0])),
                                  reader.Path("endpoints")));
  RETURN_IF_ERROR(uniqueness->Add("host and port", config.http, reader.Path("http")));
  return config;
}

Result<ClusterConfig> ReadCluster(const toml::table& table, const std::string& file) {
  TableReader reader(table, file, "");
  ClusterConfig config;
  config.file = file;
  config.cluster = reader.Text("cluster", "a name of [a-z0-9-]{1,64}", IsClusterName);
  config.shards = static_cast<uint16_t>(
      reader.Integer("shards", 1, kShardsMax, fmt::format("an integer from 1 to {}", kShardsMax)));
  config.secret = reader.Text("secret", "64 hex digits", IsSecret);
  config.data = reader.Text("data", "a directory", IsPath);
  if (reader.Has("replica_log_bytes_max")) {
    config.replica_log_bytes_max = static_cast<uint64_t>(
        reader.Integer("replica_log_bytes_max", 0, std::numeric_limits<int64_t>::max(),
                       "a number of bytes, 0 for no limit"));
  }
  if (reader.Has("segment_bytes")) {
    const std::string expected =
        fmt::format("a multiple of 4096 from {} to {}", kSegmentBytesMin, kSegmentBytesMax);
    config.segment_bytes = static_cast<uint64_t>(
        reader.Integer("segment_bytes", kSegmentBytesMin, kSegmentBytesMax, expected));
    if (config.segment_bytes % 4096 != 0) {
      return Status::BadRequest(fmt::format("{}: key segment_bytes: expected {}, found {}", file,
                                            expected, config.segment_bytes));
    }
  }
  if (reader.Has("flush_seconds")) {
    config.flush_seconds = static_cast<uint32_t>(
        reader.Integer("flush_seconds", 1, kFlushSecondsMax,
                       fmt::format("a number of seconds from 1 to {}", kFlushSecondsMax)));
  }
  if (reader.Has("retention_bytes")) {
    config.retention_bytes = static_cast<uint64_t>(
        reader.Integer("retention_bytes", 0, std::numeric_limits<int64_t>::max(),
                       "a number of bytes, 0 for no limit"));
  }
  if (reader.Has("retention_hours")) {
    config.retention_hours = static_cast<uint32_t>(reader.Integer(
        "retention_hours", 0, kRetentionHoursMax,
        fmt::format("a number of hours up to {}, 0 for no limit", kRetentionHoursMax)));
  }
  ReadMessaging(&reader, &config.messaging);
  for (const auto& [key, rate] : RatesOf(&config)) {
    if (!reader.Has(key)) continue;
    *rate = static_cast<uint32_t>(reader.Integer(
        key, 0, kRateMax, fmt::format("a number per second up to {}, 0 for no limit", kRateMax)));
  }
  for (const FollowKey& key : kFollowKeys) {
    if (!reader.Has(key.key)) continue;
    config.*key.value = static_cast<uint32_t>(reader.Integer(
        key.key, key.min, key.max, fmt::format("a number from {} to {}", key.min, key.max)));
  }
  if (reader.Has("api_origins")) {
    config.api_origins = reader.Text("api_origins", "origins, with commas between", IsOrigins);
  }
  const toml::table* coordination =
      reader.Has("coordination") ? reader.Table("coordination", "a table [coordination]") : nullptr;
  const auto regions = reader.Tables("region", 1, kRegionsMax,
                                     fmt::format("1 to {} tables [[region]]", kRegionsMax));
  std::vector<const toml::table*> paths;
  if (reader.Has("path")) {
    paths = reader.Tables("path", 0, kPathsMax, fmt::format("up to {} tables [[path]]", kPathsMax));
  }
  RETURN_IF_ERROR(reader.Finish());

  Uniqueness uniqueness(file);
  if (coordination != nullptr) {
    ASSIGN_OR_RETURN(config.coordination, ReadCoordination(*coordination, file, &uniqueness));
  }
  for (size_t i = 0; i < regions.size(); ++i) {
    ASSIGN_OR_RETURN(RegionConfig region, ReadRegion(*regions[i], file, i + 1, &uniqueness));
    config.regions.push_back(std::move(region));
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    ASSIGN_OR_RETURN(PathConfig path,
                     ReadPath(*paths[i], config, fmt::format("path[{}]", i + 1), &uniqueness));
    config.paths.push_back(std::move(path));
  }
  const std::filesystem::path directory = std::filesystem::absolute(file).parent_path();
  config.data = (directory / config.data).lexically_normal().string();
  return config;
}

std::string FormatCoordination(const CoordinationConfig& config) {
  if (config.kind == CoordinationKind::kNone) return "";
  std::string endpoints;
  for (const std::string& endpoint : config.endpoints) {
    endpoints += fmt::format("{}{}", endpoints.empty() ? "" : ", ", Quoted(endpoint));
  }
  std::string text = fmt::format("\n[coordination]\nkind = {}\nendpoints = [{}]\n",
                                 Quoted(KindName(config.kind)), endpoints);
  if (!config.http.empty()) text += fmt::format("http = {}\n", Quoted(config.http));
  if (config.fence != Fence::kOperator) {
    text += fmt::format("fence = {}\nlease_seconds = {}\n", Quoted(FenceName(config.fence)),
                        config.lease_seconds);
  }
  return text;
}

}  // namespace

std::string_view KindName(CoordinationKind kind) {
  for (const auto& [value, name] : kCoordinationKinds) {
    if (value == kind) return name;
  }
  return "none";
}

std::string_view FenceName(Fence fence) {
  for (const auto& [value, name] : kFences) {
    if (value == fence) return name;
  }
  return "unknown";
}

std::optional<size_t> RegionConfig::FindReplica(uint64_t number) const {
  for (size_t i = 0; i < replicas.size(); ++i) {
    if (NumberOfReplica(i) == number) return i;
  }
  return std::nullopt;
}

const RegionConfig* ClusterConfig::FindRegion(std::string_view name) const {
  for (const RegionConfig& region : regions) {
    if (region.name == name) return &region;
  }
  return nullptr;
}

const RegionConfig* ClusterConfig::FindRegion(Incarnation incarnation) const {
  for (const RegionConfig& region : regions) {
    if (region.incarnation == incarnation) return &region;
  }
  return nullptr;
}

std::string ClusterConfig::SeenFrom(std::string_view from, const std::string& endpoint) const {
  for (const PathConfig& path : paths) {
    if (path.from == from && path.to == endpoint) return path.via;
  }
  return endpoint;
}

Result<ClusterConfig> ParseClusterConfig(const std::string& text, const std::string& file) {
  ASSIGN_OR_RETURN(const toml::table table, ParseToml(text, file));
  return ReadCluster(table, file);
}

std::string FormatClusterConfig(const ClusterConfig& config) {
  std::string text = fmt::format(
      "# A Homeport cluster. Every process reads this file. `cluster`, `shards` and `secret` never "
      "change.\n"
      "cluster = {}\nshards = {}\nsecret = {}\ndata = {}\n",
      Quoted(config.cluster), config.shards, Quoted(config.secret), Quoted(config.data));
  if (config.replica_log_bytes_max != 0) {
    text += fmt::format("replica_log_bytes_max = {}\n", config.replica_log_bytes_max);
  }
  if (config.segment_bytes != ClusterConfig().segment_bytes) {
    text += fmt::format("segment_bytes = {}\n", config.segment_bytes);
  }
  if (config.flush_seconds != ClusterConfig().flush_seconds) {
    text += fmt::format("flush_seconds = {}\n", config.flush_seconds);
  }
  if (config.retention_bytes != ClusterConfig().retention_bytes) {
    text += fmt::format("retention_bytes = {}\n", config.retention_bytes);
  }
  if (config.retention_hours != ClusterConfig().retention_hours) {
    text += fmt::format("retention_hours = {}\n", config.retention_hours);
  }
  text += FormatMessaging(config.messaging);
  const ClusterConfig usual;
  const auto usual_rates = RatesOf(&usual);
  const auto rates = RatesOf(&config);
  for (size_t i = 0; i < rates.size(); ++i) {
    if (*rates[i].second == *usual_rates[i].second) continue;
    text += fmt::format("{} = {}\n", rates[i].first, *rates[i].second);
  }
  for (const FollowKey& key : kFollowKeys) {
    if (config.*key.value == usual.*key.value) continue;
    text += fmt::format("{} = {}\n", key.key, config.*key.value);
  }
  if (!config.api_origins.empty()) {
    text += fmt::format("api_origins = {}\n", Quoted(config.api_origins));
  }
  text += FormatCoordination(config.coordination);
  for (const RegionConfig& region : config.regions) {
    text += fmt::format("\n[[region]]\nname = {}\nincarnation = {}\ngateway = {}\nhttp = {}\n",
                        Quoted(region.name), region.incarnation.value(), Quoted(region.gateway),
                        Quoted(region.http));
    if (!region.api.empty()) text += fmt::format("api = {}\n", Quoted(region.api));
    for (const ReplicaConfig& replica : region.replicas) {
      text += fmt::format("\n[[region.replica]]\nendpoint = {}\nhttp = {}\nzone = {}\n",
                          Quoted(replica.endpoint), Quoted(replica.http), Quoted(replica.zone));
      if (replica.group != 1) text += fmt::format("group = {}\n", replica.group);
    }
  }
  for (const PathConfig& path : config.paths) {
    text += fmt::format("\n[[path]]\nfrom = {}\nto = {}\nvia = {}\n", Quoted(path.from),
                        Quoted(path.to), Quoted(path.via));
  }
  return text;
}

bool IsEndpoint(std::string_view text) {
  return IsHostPort(WithoutTcp(text));
}

ShardId ShardOf(Uin uin, uint16_t shards) {
  CHECK(shards > 0, "a cluster has shards");
  unsigned char bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<unsigned char>(uin.value() >> (8 * i));
  return ShardId(static_cast<uint16_t>(XXH3_64bits(bytes, sizeof bytes) % shards));
}

ShardId ShardOfName(std::string_view name, uint16_t shards) {
  CHECK(shards > 0, "a cluster has shards");
  return ShardId(static_cast<uint16_t>(XXH3_64bits(name.data(), name.size()) % shards));
}

}  // namespace homeport::core
