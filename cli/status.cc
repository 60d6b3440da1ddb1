// homeport status: regions, replicas, streams, lag per pair of regions, and the processes of a
// local cluster.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "cli/http_get.h"
#include "cli/region_orders.h"
#include "cli/up_state.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

using router::RegionReport;

constexpr std::chrono::milliseconds kProbeTimeout{1000};
constexpr std::chrono::seconds kRegionTimeout{3};
constexpr int kQuorum = 2;

struct ReplicaProbe {
  bool up = false;
  std::string why_not;
};
struct RegionProbe {
  std::optional<RegionReport> report;
  std::string why_not;  // when there is no report
  std::vector<ReplicaProbe> replicas;
};
struct Lag {
  std::string at;
  std::string of;
  uint64_t entries = 0;
  double seconds = 0;        // age of the newest entry applied, while there are newer ones
  int64_t heard_ms_ago = 0;  // longest silence of its streams; -1: never heard
};

ReplicaProbe Probe(const core::ReplicaConfig& replica) {
  const auto answer = HttpGet(replica.http, "/readyz", kProbeTimeout);
  if (!answer.ok()) return {false, answer.status().message()};
  return {answer->code == 200, answer->code == 200 ? "" : answer->body};
}

// The highest committed position of each stream that any region tells of.
std::map<uint64_t, uint64_t> CommittedOf(const std::vector<RegionProbe>& probes) {
  std::map<uint64_t, uint64_t> committed;
  for (const RegionProbe& probe : probes) {
    if (!probe.report) continue;
    for (const auto& stream : probe.report->streams) {
      uint64_t& highest = committed[stream.stream.value()];
      highest = std::max(highest, stream.committed);
    }
  }
  return committed;
}

std::vector<Lag> LagsOf(const ClusterConfig& config, const std::vector<RegionProbe>& probes) {
  const auto committed = CommittedOf(probes);
  std::map<std::pair<size_t, size_t>, Lag> lags;  // (at, of), by place in the configuration
  for (size_t at = 0; at < probes.size(); ++at) {
    if (!probes[at].report) continue;
    for (const auto& stream : probes[at].report->streams) {
      const auto* home = config.FindRegion(stream.stream.incarnation());
      if (home == nullptr || home->name == config.regions[at].name) continue;
      Lag& lag = lags[{at, home - config.regions.data()}];
      lag.at = config.regions[at].name;
      lag.of = home->name;
      const uint64_t behind = committed.at(stream.stream.value()) - stream.applied;
      lag.entries += behind;
      if (behind > 0 && stream.applied_written_at_ms > 0) {
        lag.seconds = std::max(lag.seconds,
                               static_cast<double>(NowMs() - stream.applied_written_at_ms) / 1000);
      }
      const bool never = stream.heard_ms_ago < 0 || lag.heard_ms_ago < 0;
      lag.heard_ms_ago = never ? -1 : std::max(lag.heard_ms_ago, stream.heard_ms_ago);
    }
  }
  std::vector<Lag> list;
  for (auto& [pair, lag] : lags) list.push_back(std::move(lag));
  return list;
}

std::string NameOf(const ClusterConfig& config, core::Incarnation incarnation) {
  const core::RegionConfig* region = config.FindRegion(incarnation);
  return region != nullptr ? region->name : std::to_string(incarnation.value());
}

// What operators ordered, as all regions that answer know it together.
std::vector<core::RegionState> OrdersOf(const std::vector<RegionProbe>& probes) {
  std::vector<core::RegionState> states;
  for (const RegionProbe& probe : probes) {
    if (!probe.report) continue;
    for (const core::RegionState& state : probe.report->states) core::MergeState(state, &states);
  }
  return states;
}

Json ToJson(const ClusterConfig& config, const core::RegionConfig& region,
            const RegionProbe& probe) {
  Json json = {{"region", region.name},
               {"incarnation", region.incarnation.value()},
               {"up", probe.report.has_value()},
               {"ready", probe.report.has_value() && probe.report->ready},
               {"accepts_writes", probe.report.has_value() && probe.report->writes_refused.empty()},
               {"fence", core::FenceName(config.coordination.fence)}};
  if (!probe.report) json["why_not"] = probe.why_not;
  if (probe.report) json["pid"] = probe.report->pid;
  if (probe.report && !probe.report->writes_refused.empty()) {
    json["writes_refused"] = probe.report->writes_refused;
  }
  json["replicas"] = Json::array();
  for (size_t i = 0; i < probe.replicas.size(); ++i) {
    Json replica = {{"replica", region.NumberOfReplica(i)},
                    {"group", region.replicas[i].group},
                    {"zone", region.replicas[i].zone},
                    {"up", probe.replicas[i].up}};
    if (!probe.replicas[i].up) replica["why_not"] = probe.replicas[i].why_not;
    json["replicas"].push_back(std::move(replica));
  }
  json["shards"] = Json::array();
  if (!probe.report) return json;
  for (const auto& shard : probe.report->shards) {
    json["shards"].push_back({{"shard", shard.shard.value()},
                              {"ready", shard.ready},
                              {"why_not", shard.why_not},
                              {"epoch", std::to_string(shard.epoch)},
                              {"committed", shard.committed},
                              {"applied", shard.applied},
                              {"commands_queued", shard.commands_queued},
                              {"intents_pending", shard.intents_pending}});
  }
  json["away"] = Json::array();
  for (const RegionReport::Away& away : probe.report->away) {
    json["away"].push_back({{"region", NameOf(config, away.region)},
                            {"shard", away.stream.shard().value()},
                            {"needs_bootstrap", away.needs_bootstrap}});
  }
  return json;
}

Json StreamsOf(const ClusterConfig& config, const std::vector<RegionProbe>& probes) {
  Json streams = Json::array();
  for (size_t at = 0; at < probes.size(); ++at) {
    if (!probes[at].report) continue;
    for (const auto& stream : probes[at].report->streams) {
      const auto* home = config.FindRegion(stream.stream.incarnation());
      streams.push_back({{"at", config.regions[at].name},
                         {"of", home != nullptr ? Json(home->name) : Json(nullptr)},
                         {"shard", stream.stream.shard().value()},
                         {"committed", stream.committed},
                         {"applied", stream.applied},
                         {"trimmed", stream.trimmed}});
      if (stream.begins_at > 0) streams.back()["begins_at"] = stream.begins_at;
      if (stream.held_nowhere > 0) streams.back()["held_nowhere"] = stream.held_nowhere;
    }
  }
  return streams;
}

void PrintAsJson(const ClusterConfig& config, const std::vector<RegionProbe>& probes,
                 const std::optional<UpState>& up) {
  Json json = {
      {"cluster", config.cluster}, {"shard_count", config.shards}, {"regions", Json::array()}};
  for (size_t i = 0; i < probes.size(); ++i)
    json["regions"].push_back(ToJson(config, config.regions[i], probes[i]));
  for (Json& region : json["regions"]) region["orders"] = Json::array();
  for (const core::RegionState& state : OrdersOf(probes)) {
    const auto* of = config.FindRegion(state.region);
    if (of == nullptr) continue;
    const auto i = static_cast<size_t>(of - config.regions.data());
    json["regions"][i]["orders"].push_back(cli::ToJson(config, state));
  }
  json["lag"] = Json::array();
  for (const Lag& lag : LagsOf(config, probes)) {
    json["lag"].push_back({{"at", lag.at},
                           {"of", lag.of},
                           {"entries", lag.entries},
                           {"seconds", lag.seconds},
                           {"heard_ms_ago", lag.heard_ms_ago}});
  }
  json["streams"] = StreamsOf(config, probes);
  if (up) json["processes"] = ToJson(up->processes);
  PrintJson(json);
}

// What an operator must not miss: data that a region lacks and can no longer pull, or that nobody
// has.
void AddAlarms(const ClusterConfig& config, const std::string& name, const RegionReport& report,
               std::vector<std::string>* remarks) {
  std::map<std::string, std::pair<std::string, bool>> away;  // by region: shards, whether lost
  for (const RegionReport::Away& one : report.away) {
    auto& [shards, lost] = away[NameOf(config, one.region)];
    shards += fmt::format("{}{}", shards.empty() ? "" : ",", one.stream.shard().value());
    lost = lost || one.needs_bootstrap;
  }
  for (const auto& [region, what] : away) {
    remarks->push_back(
        what.second
            ? fmt::format("{} NEEDS BOOTSTRAP: it was away past the retention limit, and {} has "
                          "trimmed what it lacks, shards {}",
                          region, name, what.first)
            : fmt::format("{} is away past the retention limit: {} no longer keeps entries for it, "
                          "shards {}; it is needed back soon",
                          region, name, what.first));
  }
  for (const auto& stream : report.streams) {
    const std::string home = NameOf(config, stream.stream.incarnation());
    const uint16_t shard = stream.stream.shard().value();
    if (stream.begins_at > 0) {
      remarks->push_back(fmt::format(
          "{} NEEDS BOOTSTRAP: it has {} shard {} up to entry {}, and {} keeps it from {} on", name,
          home, shard, stream.applied, home, stream.begins_at));
    }
    if (stream.held_nowhere > 0) {
      remarks->push_back(fmt::format("{} finds entry {} of {} shard {} on NO REPLICA of {}", name,
                                     stream.held_nowhere, home, shard, home));
    }
  }
}

std::string StateOf(const RegionProbe& probe) {
  if (!probe.report) return "down";
  const auto up = std::count_if(probe.replicas.begin(), probe.replicas.end(),
                                [](const ReplicaProbe& replica) { return replica.up; });
  if (up < kQuorum) return "no quorum";
  const auto& streams = probe.report->streams;
  if (std::any_of(streams.begin(), streams.end(),
                  [](const auto& stream) { return stream.begins_at > 0; })) {
    return "NEEDS BOOTSTRAP";
  }
  if (!probe.report->ready) return "starting";
  return probe.report->writes_refused.empty() ? "ready" : "NO WRITES";
}

// ", BLOCKED, drained"
std::string OrderedOf(const std::vector<core::RegionState>& orders, core::Incarnation region) {
  const auto is_on = [&](core::RegionOrder order) {
    const core::RegionState* state = core::FindState(orders, region, order);
    return state != nullptr && state->on;
  };
  return std::string(is_on(core::RegionOrder::kBlock) ? ", BLOCKED" : "") +
         (is_on(core::RegionOrder::kDrain) ? ", drained" : "");
}

void PrintRegions(const ClusterConfig& config, const std::vector<RegionProbe>& probes) {
  Table table({"REGION", "STATE", "PID", "REPLICAS", "ENTRIES", "TRIMMED", "QUEUED", "PENDING"});
  std::vector<std::string> remarks;
  const std::vector<core::RegionState> orders = OrdersOf(probes);
  for (const core::RegionState& state : orders) {
    if (state.on) remarks.push_back(DescribeOrder(config, state));
  }
  for (size_t i = 0; i < probes.size(); ++i) {
    const RegionProbe& probe = probes[i];
    const std::string& name = config.regions[i].name;
    uint64_t entries = 0, trimmed = 0, queued = 0, pending = 0, up = 0;
    for (size_t k = 0; k < probe.replicas.size(); ++k) {
      up += probe.replicas[k].up;
      if (!probe.replicas[k].up)
        remarks.push_back(fmt::format("{} replica {} is down: {}", name,
                                      config.regions[i].NumberOfReplica(k),
                                      probe.replicas[k].why_not));
    }
    if (!probe.report) remarks.push_back(fmt::format("{} is down: {}", name, probe.why_not));
    if (probe.report) {
      for (const auto& shard : probe.report->shards) {
        entries += shard.committed;
        queued += shard.commands_queued;
        pending += shard.intents_pending;
        if (!shard.ready)
          remarks.push_back(
              fmt::format("{} shard {} {}", name, shard.shard.value(), shard.why_not));
      }
    }
    if (probe.report) {
      if (!probe.report->writes_refused.empty()) remarks.push_back(probe.report->writes_refused);
      AddAlarms(config, name, *probe.report, &remarks);
      for (const auto& stream : probe.report->streams) {
        if (stream.stream.incarnation() == config.regions[i].incarnation) trimmed += stream.trimmed;
      }
    }
    const auto number = [&](uint64_t n) {
      return probe.report ? FormatCount(n) : std::string("-");
    };
    table.Add({name, StateOf(probe) + OrderedOf(orders, config.regions[i].incarnation),
               probe.report ? std::to_string(probe.report->pid) : "-",
               fmt::format("{} of {} up", up, probe.replicas.size()), number(entries),
               number(trimmed), number(queued), number(pending)});
  }
  table.Print();
  for (const std::string& remark : remarks) PrintLine("  " + remark);
}

void PrintAsTable(const ClusterConfig& config, const std::vector<RegionProbe>& probes,
                  const std::optional<UpState>& up) {
  PrintRegions(config, probes);
  Table lags({"AT", "OF", "LAG ENTRIES", "LAG SECONDS", "HEARD"});
  for (const Lag& lag : LagsOf(config, probes)) {
    lags.Add({lag.at, lag.of, FormatCount(lag.entries), fmt::format("{:.3f}", lag.seconds),
              lag.heard_ms_ago < 0 ? "never" : fmt::format("{} ms ago", lag.heard_ms_ago)});
  }
  if (!lags.empty()) {
    PrintLine("");
    lags.Print();
  }
  if (!up) return;
  Table processes({"PROCESS", "REGION", "REPLICA", "PID", "RESTARTS"});
  for (const UpProcess& process : up->processes) {
    processes.Add({process.role, process.region.empty() ? "-" : process.region,
                   process.replica == 0 ? "-" : std::to_string(process.replica),
                   process.pid == 0 ? "dead" : std::to_string(process.pid),
                   std::to_string(process.restarts)});
  }
  PrintLine("");
  processes.Print();
}

// Each region is given a few seconds: a dead one must not hold up the rest.
std::vector<RegionProbe> ProbeAll(const Globals& globals, const ClusterConfig& config) {
  const auto connection = ConnectCluster(globals, kRegionTimeout);
  std::vector<RegionProbe> probes;
  for (const core::RegionConfig& region : config.regions) {
    RegionProbe& probe = probes.emplace_back();
    for (const core::ReplicaConfig& replica : region.replicas) {
      probe.replicas.push_back(Probe(replica));
    }
    auto report = connection.ok() ? connection->client->ReportOf(region.name) : connection.status();
    if (report.ok()) {
      probe.report = std::move(report).value();
    } else {
      probe.why_not = report.status().message();
    }
  }
  return probes;
}

int Show(const Globals& globals) {
  const auto config = LoadCluster(globals);
  if (!config.ok()) return PrintError("status", config.status());
  const std::vector<RegionProbe> probes = ProbeAll(globals, *config);
  std::optional<UpState> up;
  if (IsUp(config->data)) {
    auto state = ReadUpState(config->data);
    if (!state.ok()) return PrintError("status", state.status());
    up = std::move(state).value();
  }
  globals.format == Format::kJson ? PrintAsJson(*config, probes, up)
                                  : PrintAsTable(*config, probes, up);
  return kExitOk;
}

}  // namespace

void AddStatus(CommandLine& line) {
  line.Add(&line.app, "status", "Regions, replicas, streams, lag",
           [&globals = line.globals] { return Show(globals); });
}

}  // namespace homeport::cli
