// homeport init, up, down: a cluster on this machine.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/local_cluster.h"
#include "cli/verbs.h"
#include "core/log.h"

namespace homeport::cli {
namespace {

constexpr std::string_view kUpHint =
    "`homeport down` stops a cluster that is up; logs are in the directory's logs/";

struct Options {
  std::string regions = "sh,hk,ca";
  uint16_t shards = 8;
  uint16_t groups = 1;
  uint16_t base_port = 0;
  bool wan = false;
  bool processes = false;
  bool detach = false;
  bool no_restart = false;
  int wait_s = 120;
};

Result<MakeClusterOptions> MakeOptions(const Globals& globals, const Options& options) {
  if (globals.data.empty()) {
    return Status::BadRequest("where? Name the cluster's directory with --data DIR");
  }
  MakeClusterOptions make;
  make.data = AbsolutePath(globals.data);
  make.regions = SplitCommas(options.regions);
  make.shards = options.shards;
  make.groups = options.groups;
  make.base_port = options.base_port;
  make.wan = options.wan;
  return make;
}

void AddMakeOptions(CLI::App* command, const std::shared_ptr<Options>& options) {
  command->add_option("--regions", options->regions, "Of a new cluster")
      ->type_name("NAMES")
      ->capture_default_str();
  command->add_option("--shards", options->shards, "Of a new cluster, for ever")
      ->capture_default_str();
  command->add_option("--groups", options->groups, "Of a new cluster: groups of three replicas")
      ->capture_default_str();
  command->add_option(
      "--base-port", options->base_port,
      "Of a new cluster: first of 9 ports per region, 6 for each group more, and 2; "
      "0 finds free ones");
  command->add_flag("--wan", options->wan,
                    "Of a new cluster: its regions see one another through a WAN box, with delays "
                    "and a bandwidth (DIR/wan.toml)");
}

void PrintCluster(const Globals& globals, const ClusterConfig& config, std::string_view state) {
  if (globals.format == Format::kJson) {
    Json regions = Json::array();
    for (const core::RegionConfig& region : config.regions) {
      regions.push_back({{"region", region.name},
                         {"gateway", region.gateway},
                         {"api", region.api},
                         {"http", region.http}});
    }
    PrintJson({{"state", state},
               {"config", config.file},
               {"cluster", config.cluster},
               {"shards", config.shards},
               {"regions", regions}});
    return;
  }
  Table table({"REGION", "GATEWAY", "API", "METRICS"});
  for (const core::RegionConfig& region : config.regions) {
    table.Add({region.name, region.gateway, region.api.empty() ? "-" : "http://" + region.api,
               "http://" + region.http + "/metrics"});
  }
  table.Print();
}

int Init(const Globals& globals, const Options& options) {
  const auto make = MakeOptions(globals, options);
  if (!make.ok()) return PrintError("init", make.status());
  const auto config = MakeCluster(*make);
  if (!config.ok()) return PrintError("init", config.status());
  PrintCluster(globals, *config, "made");
  Say(fmt::format("made cluster {} in {}; start it: homeport up --data {}", config->cluster,
                  config->data, config->data));
  return kExitOk;
}

void SayReady(const ClusterConfig& config) {
  Say(fmt::format("ready. Use it:  export HOMEPORT_CONFIG={}", config.file));
}

int UpInBackground(const Globals& globals, const UpOptions& options) {
  const auto config = StartInBackground(options);
  if (!config.ok()) return PrintError("up", config.status(), kUpHint);
  PrintCluster(globals, *config, "ready");
  SayReady(*config);
  Say(fmt::format("logs in {}/logs; stop it: homeport down --data {}", config->data, config->data));
  return kExitOk;
}

int UpInForeground(const Globals& globals, const UpOptions& options) {
  bool made = false;
  const auto config = OpenOrMake(options.make, &made);
  if (!config.ok()) return PrintError("up", config.status(), kUpHint);
  Say(fmt::format("{} cluster {} in {}; logs in {}/logs", made ? "made" : "found", config->cluster,
                  config->data, config->data));
  core::StartLog("info", "", "supervisor");
  SupervisorOptions supervisor_options;
  supervisor_options.config = *config;
  supervisor_options.processes = options.processes;
  supervisor_options.restart = options.restart;
  supervisor_options.ready_timeout = options.ready_timeout;
  supervisor_options.on_ready = [&] {
    PrintCluster(globals, *config, "ready");
    SayReady(*config);
    Say("Ctrl-C stops all");
  };
  auto supervisor = Supervisor::Open(std::move(supervisor_options));
  const Status status = supervisor.ok() ? (*supervisor)->Run() : supervisor.status();
  if (!status.ok()) return PrintError("up", status, kUpHint);
  Say("stopped");
  return kExitOk;
}

int Up(const Globals& globals, const Options& options) {
  auto make = MakeOptions(globals, options);
  if (!make.ok()) return PrintError("up", make.status());
  UpOptions up;
  up.make = std::move(make).value();
  up.processes = options.processes;
  up.restart = !options.no_restart;
  up.ready_timeout = std::chrono::seconds(options.wait_s);
  return options.detach ? UpInBackground(globals, up) : UpInForeground(globals, up);
}

int Down(const Globals& globals) {
  const auto data = FindDataDirectory(globals);
  if (!data.ok()) return PrintError("down", data.status());
  const auto stopped = StopCluster(*data);
  if (!stopped.ok()) return PrintError("down", stopped.status());
  if (globals.format == Format::kJson) PrintJson({{"stopped", *stopped}});
  Say(*stopped ? "stopped" : fmt::format("nothing is up in {}", *data));
  return kExitOk;
}

}  // namespace

void AddUp(CommandLine& line) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  AddMakeOptions(line.Add(&line.app, "init", "Make a new cluster's directory",
                          [&globals, options] { return Init(globals, *options); }),
                 options);
  CLI::App* up = line.Add(&line.app, "up", "Start a cluster on this machine, made if it is new",
                          [&globals, options] { return Up(globals, *options); });
  AddMakeOptions(up, options);
  up->add_flag("--processes", options->processes, "Every replica a process of its own");
  up->add_flag("--detach", options->detach, "Return when all is ready");
  up->add_flag("--no-restart", options->no_restart, "Leave dead what dies");
  up->add_option("--wait", options->wait_s, "Until all is ready")
      ->type_name("SECONDS")
      ->capture_default_str();
  line.Add(&line.app, "down", "Stop it", [&globals] { return Down(globals); });
}

}  // namespace homeport::cli
