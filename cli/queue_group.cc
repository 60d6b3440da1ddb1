// homeport queue group list | add | drain: the groups of a region's queue, by the region's daemon.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <thread>

#include "cli/queue.h"
#include "core/clock.h"

namespace homeport::cli {
namespace {

using router::QueueGroup;
using router::QueueGroups;

constexpr std::chrono::milliseconds kLookEvery{300};

struct Options {
  std::string region;
  uint32_t group = 0;
  uint32_t wait_s = 0;  // 0: not at all
};

std::string StateOf(const QueueGroup& group) {
  return group.draining ? "draining" : "active";
}

Json ToJson(const QueueGroup& group) {
  Json json = {{"group", group.id}, {"state", StateOf(group)}, {"replicas", Json::array()}};
  if (!group.why_not_retired.empty()) json["why_not_retired"] = group.why_not_retired;
  for (uint8_t slot = 0; slot < 3; ++slot) {
    json["replicas"].push_back(
        {{"replica", quorum_queue::NumberOf(quorum_queue::GroupId(group.id), slot) + 1},
         {"endpoint", group.endpoints[slot]},
         {"disk", fmt::format("{:016x}", group.disks[slot])}});
  }
  return json;
}

int List(const Globals& globals, const Options& options) {
  auto connection = ConnectCluster(globals);
  if (!connection.ok()) return PrintError("queue group list", connection.status());
  Json json = {{"regions", Json::array()}};
  Table table({"REGION", "GROUP", "STATE", "REPLICAS", "ENDPOINTS", ""});
  for (const core::RegionConfig& region : connection->config.regions) {
    if (!options.region.empty() && region.name != options.region) continue;
    const auto groups = connection->client->QueueGroupsOf(region.name);
    if (!groups.ok()) return PrintError("queue group list", groups.status());
    Json list = Json::array();
    for (const QueueGroup& group : groups->groups) {
      list.push_back(ToJson(group));
      const uint32_t first = 3 * (group.id - 1) + 1;
      table.Add({region.name, std::to_string(group.id), StateOf(group),
                 fmt::format("{}, {}, {}", first, first + 1, first + 2),
                 fmt::format("{}", fmt::join(group.endpoints, " ")), group.why_not_retired});
    }
    json["regions"].push_back(
        {{"region", region.name}, {"settled", groups->settled}, {"groups", std::move(list)}});
  }
  if (globals.format == Format::kJson) {
    PrintJson(json);
  } else {
    table.Print();
  }
  return kExitOk;
}

bool Has(const QueueGroups& groups, uint32_t id) {
  return std::any_of(groups.groups.begin(), groups.groups.end(),
                     [&](const QueueGroup& group) { return group.id == id; });
}

// Until the group is there, or gone, and the writers know. A daemon that restarts is waited for.
Status WaitUntil(router::Client& client, const Options& options, bool gone, bool* done) {
  const core::Instant end = core::SteadyNow() + std::chrono::seconds(options.wait_s);
  std::string why = "the region's daemon did not answer";
  std::string told;
  while (true) {
    const auto groups = client.QueueGroupsOf(options.region);
    if (groups.ok()) {
      if (groups->settled && Has(*groups, options.group) != gone) {
        *done = true;
        return {};
      }
      why = "its writers take their streams over";
      for (const QueueGroup& group : groups->groups) {
        if (gone && group.id == options.group && !group.why_not_retired.empty()) {
          why = group.why_not_retired;
        }
      }
    }
    if (core::SteadyNow() >= end) break;
    if (why != told) Say("waits: " + (told = why));
    std::this_thread::sleep_for(kLookEvery);
  }
  if (options.wait_s == 0) return {};
  return Status::Unavailable(
      fmt::format("not within {} s, and it goes on: {}", options.wait_s, why));
}

int Report(const Globals& globals, const std::string& command, const Options& options,
           const router::GroupOrderResult& result, const Status& waited, bool done,
           const std::string& what) {
  if (globals.format == Format::kJson) {
    PrintJson({{"region", options.region},
               {"group", result.group},
               {"changed", result.changed},
               {"done", done}});
  }
  if (!waited.ok()) return PrintError(command, waited);
  Say(what);
  return kExitOk;
}

int Add(const Globals& globals, Options options) {
  const std::string command = "queue group add";
  auto connection = ConnectCluster(globals, std::chrono::seconds(20));
  if (!connection.ok()) return PrintError(command, connection.status());
  const ClusterConfig& config = connection->config;
  if (const Status bad = CheckRegion(config, options.region); !bad.ok()) {
    return PrintError(command, bad);
  }
  const core::RegionConfig& region = *config.FindRegion(options.region);
  const auto first =
      options.group == 0 ? std::nullopt : region.FindReplica(3 * uint64_t{options.group - 1} + 1);
  if (!first) {
    return PrintError(
        command,
        Status::BadRequest(
            fmt::format("{} has no group {} of {}", config.file, options.group, options.region)),
        fmt::format("add three [[region.replica]] with `group = {}` to {}, there and wherever its "
                    "replicas will run, and start them: homeportd --role replica --new",
                    options.group, options.region));
  }
  std::array<std::string, 3> endpoints;
  for (size_t slot = 0; slot < 3; ++slot) endpoints[slot] = region.replicas[*first + slot].endpoint;
  const auto result = connection->client->AddQueueGroup(options.region, options.group, endpoints);
  if (!result.ok()) return PrintError(command, result.status());
  bool done = false;
  const Status waited = WaitUntil(*connection->client, options, false, &done);
  return Report(
      globals, command, options, *result, waited, done,
      result->changed
          ? fmt::format("group {} of {} is there", result->group, options.region)
          : fmt::format("group {} of {} was there already", result->group, options.region));
}

int Drain(const Globals& globals, const Options& options) {
  const std::string command = "queue group drain";
  auto connection = ConnectCluster(globals, std::chrono::seconds(20));
  if (!connection.ok()) return PrintError(command, connection.status());
  if (const Status bad = CheckRegion(connection->config, options.region); !bad.ok()) {
    return PrintError(command, bad);
  }
  const auto result = connection->client->DrainQueueGroup(options.region, options.group);
  if (!result.ok()) return PrintError(command, result.status());
  bool done = false;
  const Status waited = WaitUntil(*connection->client, options, true, &done);
  std::string what =
      done ? fmt::format(
                 "group {} of {} is retired: stop its replicas, and take them out of every "
                 "cluster.toml",
                 options.group, options.region)
           : fmt::format(
                 "group {} of {} drains; until `homeport queue group list` does not have it "
                 "any more its replicas must stay",
                 options.group, options.region);
  return Report(globals, command, options, *result, waited, done, what);
}

void AddOptions(CLI::App* command, const std::shared_ptr<Options>& options) {
  command->add_option("--region", options->region, "Of this one")->required()->type_name("REGION");
  command->add_option("--group", options->group, "Its number")->required()->type_name("GROUP");
}

}  // namespace

void AddQueueGroup(CommandLine& line, CLI::App* queue) {
  const Globals& globals = line.globals;
  CLI::App* noun = queue->add_subcommand("group", "Groups of three replicas");
  noun->require_subcommand(1);
  noun->fallthrough();
  const auto list = std::make_shared<Options>();
  line.Add(noun, "list", "The groups of each region, as their daemons have them",
           [&globals, list] { return List(globals, *list); })
      ->add_option("--region", list->region, "Only this one")
      ->type_name("REGION");
  const auto add = std::make_shared<Options>();
  CLI::App* adding = line.Add(noun, "add", "A group begins, while the region runs",
                              [&globals, add] { return Add(globals, *add); });
  AddOptions(adding, add);
  adding->add_option("--wait", add->wait_s, "Until the writers use it")->type_name("SECONDS");
  const auto drain = std::make_shared<Options>();
  CLI::App* draining =
      line.Add(noun, "drain", "A group takes no entries any more, and is retired once it may",
               [&globals, drain] { return Drain(globals, *drain); });
  AddOptions(draining, drain);
  draining->add_option("--wait", drain->wait_s, "Until it is retired")->type_name("SECONDS");
}

}  // namespace homeport::cli
