// homeport queue status: the replicas of each region, what they lack, and the streams on them.
#include <fmt/format.h>

#include <algorithm>

#include "cli/queue.h"
#include "cli/queue_report.h"

namespace homeport::cli {
namespace {

constexpr std::chrono::seconds kTimeout{3};

struct Options {
  std::string region;  // empty: all
};
struct RegionQueue {
  const core::RegionConfig* region = nullptr;
  QueueReport report;
  // What the region's daemon knows of its replicas; nullopt: it does not answer.
  std::optional<router::QueueGroups> known;
};

Result<std::vector<RegionQueue>> Look(const Globals& globals, const Options& options,
                                      const ClusterConfig& config) {
  if (!options.region.empty()) RETURN_IF_ERROR(CheckRegion(config, options.region));
  core::Context context;
  std::vector<RegionQueue> queues;
  for (const core::RegionConfig& region : config.regions) {
    if (!options.region.empty() && region.name != options.region) continue;
    std::vector<quorum_queue::ReplicaSlot> asked;
    for (const auto& endpoint : ReplicasOf(region)) asked.push_back(endpoint.slot);
    ASSIGN_OR_RETURN(const auto answers, AskReplicas<quorum_queue::StatusAnswer>(
                                             context, region, quorum_queue::StatusRequest{},
                                             TimeoutOf(globals, kTimeout)));
    queues.push_back({&region, MakeQueueReport(asked, answers), std::nullopt});
    // By a connection of its own: another region's gateway has not to be up.
    router::ClientOptions client;
    client.timeout = TimeoutOf(globals, kTimeout);
    client.region = region.name;
    client.gateways = {{region.name, region.incarnation, region.gateway}};
    const auto connected = router::Client::Connect(std::move(client));
    if (!connected.ok()) continue;
    auto known = (*connected)->QueueGroupsOf(region.name);
    if (known.ok()) queues.back().known = std::move(known).value();
  }
  return queues;
}

std::string StreamName(const core::RegionConfig& region, core::StreamId stream) {
  return fmt::format("{}/{}", region.name, stream.shard().value());
}

Json ToJson(const core::RegionConfig& region, const ReplicaReport& replica) {
  const size_t number = ReplicaNumber(replica.slot);
  Json json = {{"replica", number},
               {"group", replica.slot.group},
               {"endpoint", region.replicas[*region.FindReplica(number)].endpoint},
               {"up", replica.up}};
  if (!replica.up) return json;
  json["disk"] = fmt::format("{:016x}", replica.disk.value());
  json["full"] = replica.full;
  json["waiting"] = replica.waiting;
  json["recovering"] = replica.recovering;
  json["log_bytes"] = replica.log_bytes;
  json["disk_free_bytes"] = replica.disk_free_bytes;
  json["streams"] = Json::array();
  for (const auto& [id, stream] : replica.streams) {
    json["streams"].push_back({{"stream", StreamName(region, id)},
                               {"committed", stream.committed.value()},
                               {"trimmed", stream.trimmed.value()},
                               {"last", stream.last.value()},
                               {"entries", stream.entries}});
  }
  return json;
}

Json ToJson(const RegionQueue& queue) {
  Json json = {
      {"region", queue.region->name}, {"replicas", Json::array()}, {"streams", Json::array()}};
  for (const ReplicaReport& replica : queue.report.replicas) {
    json["replicas"].push_back(ToJson(*queue.region, replica));
  }
  for (const StreamReport& stream : queue.report.streams) {
    json["streams"].push_back({{"stream", StreamName(*queue.region, stream.stream)},
                               {"epoch", std::to_string(stream.chain_epoch.value())},
                               {"promised", std::to_string(stream.promised.value())},
                               {"taking_over", stream.taking_over()},
                               {"committed", stream.committed.value()},
                               {"trimmed", stream.trimmed.value()},
                               {"last", stream.last.value()}});
  }
  if (!queue.known.has_value()) {
    json["mending"] = nullptr;
    return json;
  }
  json["mending"] = {{"complete", queue.known->looks_complete},
                     {"held_nowhere", queue.known->held_nowhere},
                     {"lacking", Json::array()}};
  for (const router::ReplicaLack& lack : queue.known->lacking) {
    json["mending"]["lacking"].push_back({{"replica", lack.replica},
                                          {"up", !lack.silent},
                                          {"entries", lack.entries},
                                          {"bytes", lack.bytes},
                                          {"for_s", static_cast<double>(lack.for_ms) / 1000}});
  }
  return json;
}

std::string Megabytes(uint64_t bytes) {
  return fmt::format("{} MiB", FormatCount(bytes >> 20));
}

std::string StateOf(const ReplicaReport& replica) {
  if (replica.waiting) return "waiting";
  if (replica.recovering) return "recovering";
  return replica.full ? "full" : "up";
}

void PrintReplicas(const std::vector<RegionQueue>& queues) {
  Table table({"REGION", "GROUP", "REPLICA", "STATE", "DISK", "LOG", "FREE", "STREAMS", "ENTRIES"});
  for (const RegionQueue& queue : queues) {
    for (const ReplicaReport& replica : queue.report.replicas) {
      const std::string group = std::to_string(replica.slot.group);
      const std::string number = std::to_string(ReplicaNumber(replica.slot));
      if (!replica.up) {
        table.Add({queue.region->name, group, number, "down", "-", "-", "-", "-", "-"});
        continue;
      }
      uint64_t entries = 0;
      for (const auto& [id, stream] : replica.streams) entries += stream.entries;
      table.Add({queue.region->name, group, number, StateOf(replica),
                 fmt::format("{:016x}", replica.disk.value()), Megabytes(replica.log_bytes),
                 Megabytes(replica.disk_free_bytes), FormatCount(replica.streams.size()),
                 FormatCount(entries)});
    }
  }
  table.Print();
}

// How far each replica is, as "12 | 12 | 9"; "-" for one that is down.
std::string CommittedOfEach(const QueueReport& report, core::StreamId stream) {
  std::string text;
  for (const ReplicaReport& replica : report.replicas) {
    if (!text.empty()) text += " | ";
    const auto known = replica.streams.find(stream);
    if (!replica.up) {
      text += "-";
    } else {
      text += FormatCount(known == replica.streams.end() ? 0 : known->second.committed.value());
    }
  }
  return text;
}

void PrintStreams(const std::vector<RegionQueue>& queues) {
  Table table({"STREAM", "EPOCH", "COMMITTED", "TRIMMED", "LAST", "AT EACH REPLICA"});
  for (const RegionQueue& queue : queues) {
    for (const StreamReport& stream : queue.report.streams) {
      table.Add({StreamName(*queue.region, stream.stream),
                 fmt::format("{}{}", stream.chain_epoch.value() >> quorum_queue::kEpochRandomBits,
                             stream.taking_over() ? " (taken over)" : ""),
                 FormatCount(stream.committed.value()), FormatCount(stream.trimmed.value()),
                 FormatCount(stream.last.value()), CommittedOfEach(queue.report, stream.stream)});
    }
  }
  if (!table.empty()) table.Print();
}

// One line for each replica that lacks something, or that nobody knows.
void PrintLacking(const RegionQueue& queue) {
  const std::string& region = queue.region->name;
  if (!queue.known.has_value()) {
    return PrintLine(
        fmt::format("{}: what its replicas lack is not known: its daemon does not answer", region));
  }
  for (const router::ReplicaLack& lack : queue.known->lacking) {
    PrintLine(fmt::format("{}: replica {}{} lacks {} entries, {}, for {:.0f} s", region,
                          lack.replica, lack.silent ? " (down)" : "", FormatCount(lack.entries),
                          Megabytes(lack.bytes), static_cast<double>(lack.for_ms) / 1000));
  }
  if (queue.known->held_nowhere > 0) {
    PrintLine(fmt::format("{}: ALARM: {} committed entries are held by no replica that answers",
                          region, FormatCount(queue.known->held_nowhere)));
  }
  if (!queue.known->looks_complete) {
    PrintLine(fmt::format("{}: not all streams were looked at since its daemon started", region));
  } else if (queue.known->lacking.empty()) {
    PrintLine(fmt::format("{}: every replica has all entries", region));
  }
}

int ShowStatus(const Globals& globals, const Options& options) {
  const auto config = LoadCluster(globals);
  if (!config.ok()) return PrintError("queue status", config.status());
  const auto queues = Look(globals, options, *config);
  if (!queues.ok()) return PrintError("queue status", queues.status());
  if (globals.format == Format::kJson) {
    Json json = {{"regions", Json::array()}};
    for (const RegionQueue& queue : *queues) json["regions"].push_back(ToJson(queue));
    PrintJson(json);
    return kExitOk;
  }
  PrintReplicas(*queues);
  PrintLine("");
  for (const RegionQueue& queue : *queues) PrintLacking(queue);
  PrintLine("");
  PrintStreams(*queues);
  return kExitOk;
}

}  // namespace

void AddQueueStatus(CommandLine& line, CLI::App* noun) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  CLI::App* status = line.Add(noun, "status", "Replicas and streams, asked of the replicas",
                              [&globals, options] { return ShowStatus(globals, *options); });
  status->add_option("--region", options->region, "Only this one")->type_name("REGION");
}

}  // namespace homeport::cli
