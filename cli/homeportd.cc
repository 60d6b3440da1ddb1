// homeportd: a region, a replica of it, or both in one process; a gateway more of a region; or the
// coordination store.
// docs/operations.md.
#include <fmt/format.h>
#include <prometheus/registry.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <atomic>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "cli/coordinator.h"
#include "cli/output.h"
#include "cli/supervisor.h"
#include "core/config.h"
#include "core/files.h"
#include "core/http.h"
#include "core/log.h"
#include "core/socket.h"
#include "quorum_queue/replica_server.h"
#include "router/gateway_host.h"
#include "router/region_directory.h"
#include "router/region_host.h"

namespace homeport::cli {
namespace {

using core::Result;
using core::Status;

struct DaemonOptions {
  std::string config;
  std::string region;
  std::string role = "all";
  int replica = 0;
  bool is_new = false;   // of a new group
  bool replace = false;  // start on a new disk
  std::string give_up;   // disk id whose directory is moved away
  std::string gateway;   // of --role gateway: where it listens
  std::string api;
  std::string http;
  std::string log_level = "info";
  std::string log_file;
};

// One replica with its HTTP, on a thread of its own. When it turns out that its directory was put
// back from an old copy, it goes on with a new one.
class ReplicaHost {
 public:
  static Result<std::unique_ptr<ReplicaHost>> Start(core::Context& context,
                                                    const core::ClusterConfig& config,
                                                    const core::RegionConfig& region, size_t index,
                                                    const DaemonOptions& daemon);
  ~ReplicaHost() { Stop(); }
  void Stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
  }

 private:
  void Run();
  Status StartAnew();
  core::Health Ready() const;

  core::Context* context_ = nullptr;
  quorum_queue::ReplicaServerOptions options_;
  mutable std::mutex mutex_;  // of the next, between this thread and HTTP
  std::unique_ptr<quorum_queue::ReplicaServer> server_;  // null for a moment, while it starts anew
  std::unique_ptr<core::HttpServer> http_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Makes the directory of a replica of a group that is still to be added: by the record, or, where
// that is not on this machine, because an operator says so.
Status FormatIfNew(const quorum_queue::ReplicaServerOptions& options,
                   router::GroupStanding standing, bool told_new) {
  if (core::Exists(options.dir + "/IDENTITY")) return {};
  if (told_new && standing == router::GroupStanding::kMember) {
    return Status::BadRequest(
        fmt::format("--new: {} is of a group that was added, so its disk is lost: start it with "
                    "--replace",
                    options.dir));
  }
  if (!told_new && standing != router::GroupStanding::kNew) return {};
  quorum_queue::Identity identity = options.expected;
  identity.disk = quorum_queue::NewDiskId();
  RETURN_IF_ERROR(quorum_queue::FormatReplica(options.dir, identity));
  core::LogInfo("formatted", {{"dir", options.dir}});
  return {};
}

Result<std::unique_ptr<ReplicaHost>> ReplicaHost::Start(core::Context& context,
                                                        const core::ClusterConfig& config,
                                                        const core::RegionConfig& region,
                                                        size_t index, const DaemonOptions& daemon) {
  quorum_queue::ReplicaServerOptions options;
  options.dir =
      fmt::format("{}/{}/replica-{}", config.data, region.name, region.NumberOfReplica(index));
  options.endpoint = region.replicas[index].endpoint;
  options.expected.cluster = config.cluster;
  options.expected.region = region.name;
  options.expected.incarnation = region.incarnation;
  options.expected.replica = region.NumberOfReplica(index);
  options.expected.shards = config.shards;
  if (daemon.replace) {
    const core::DiskId give_up(daemon.give_up.empty() ? 0
                                                      : std::stoull(daemon.give_up, nullptr, 16));
    ASSIGN_OR_RETURN(const std::string done,
                     quorum_queue::FormatForReplace(options.dir, options.expected, give_up));
    core::LogInfo("replace", {{"what", done}});
    Say(done);
  }
  const router::GroupStanding standing =
      router::StandingOf(config, region, quorum_queue::GroupId(region.replicas[index].group));
  RETURN_IF_ERROR(FormatIfNew(options, standing, daemon.is_new));
  options.log.log_bytes_max = config.replica_log_bytes_max;
  options.log.segment_bytes = config.segment_bytes;
  options.replica.needs_admission = true;
  options.registry = std::make_shared<prometheus::Registry>();
  auto host = std::make_unique<ReplicaHost>();
  host->context_ = &context;
  host->options_ = options;
  ASSIGN_OR_RETURN(host->server_, quorum_queue::ReplicaServer::Open(context, options));
  ASSIGN_OR_RETURN(host->http_,
                   core::HttpServer::Start(
                       region.replicas[index].http, options.registry, [] { return core::Health{}; },
                       [raw = host.get()] { return raw->Ready(); }));
  host->thread_ = std::thread([raw = host.get()] { raw->Run(); });
  return host;
}

void ReplicaHost::Run() {
  for (;;) {
    server_->Run(stop_);
    if (stop_ || server_->phase() != quorum_queue::ReplicaPhase::kAmnesiac) return;
    if (const Status started = StartAnew(); !started.ok()) {
      core::LogError("not_started_anew", {{"dir", options_.dir}, {"why", started.message()}});
      std::abort();
    }
  }
}

Status ReplicaHost::StartAnew() {
  std::lock_guard lock(mutex_);
  const core::DiskId old = server_->identity().disk;
  server_.reset();
  ASSIGN_OR_RETURN(const std::string done,
                   quorum_queue::FormatForReplace(options_.dir, options_.expected, old));
  core::LogWarn("replaced", {{"what", done}, {"why", "its directory was an old copy"}});
  ASSIGN_OR_RETURN(server_, quorum_queue::ReplicaServer::Open(*context_, options_));
  return {};
}

core::Health ReplicaHost::Ready() const {
  std::lock_guard lock(mutex_);
  if (server_ == nullptr) return {false, "starts anew"};
  switch (server_->phase()) {
    case quorum_queue::ReplicaPhase::kServing:
      return {};
    case quorum_queue::ReplicaPhase::kRecovering:
      return {false, std::string(kRecoveringWord) + ": restored from the two others of its group"};
    case quorum_queue::ReplicaPhase::kAmnesiac:
      return {false, "its directory was put back from an old copy, and is given up"};
    case quorum_queue::ReplicaPhase::kWaiting:
      break;
  }
  return {false,
          "waits until its region's daemon, which may be down, knows that its directory is no old "
          "copy; that daemon's log says more"};
}

// Waits for SIGTERM or SIGINT on a thread of its own; all other threads have them blocked.
class StopSignals {
 public:
  StopSignals() {
    sigemptyset(&set_);
    for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set_, signal);
    ::pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    thread_ = std::thread([this] {
      int signal = 0;
      ::sigwait(&set_, &signal);
      if (signal != SIGUSR1) core::LogInfo("stopping", {{"signal", ::strsignal(signal)}});
      stop_ = true;
      stop_.notify_all();
    });
  }
  ~StopSignals() {
    ::pthread_kill(thread_.native_handle(), SIGUSR1);
    thread_.join();
  }
  const std::atomic<bool>& stop() const { return stop_; }

 private:
  sigset_t set_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// Every client is a descriptor: as many as we may have.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

const core::RegionConfig& RegionOf(const DaemonOptions& options,
                                   const core::ClusterConfig& config) {
  return *config.FindRegion(options.region);
}

// "1, 2, 3"
std::string ReplicasText(const core::RegionConfig& region) {
  std::string text;
  for (size_t i = 0; i < region.replicas.size(); ++i) {
    text += fmt::format("{}{}", i == 0 ? "" : ", ", region.NumberOfReplica(i));
  }
  return text;
}

Status CheckOptions(const DaemonOptions& options, const core::ClusterConfig& config) {
  if (options.region.empty()) {
    return Status::BadRequest(
        "which region? Name it with --region; only --role coordinator has none");
  }
  if (config.FindRegion(options.region) == nullptr) {
    return Status::BadRequest(
        fmt::format("--region {}: {} has no such region", options.region, config.file));
  }
  const bool is_gateway = options.role == "gateway";
  for (const auto& [flag, value] :
       {std::pair{"--gateway", &options.gateway}, std::pair{"--api", &options.api},
        std::pair{"--http", &options.http}}) {
    if (value->empty() != is_gateway) continue;
    return Status::BadRequest(
        is_gateway ? fmt::format("--role gateway: also say where it listens, with {}", flag)
                   : fmt::format("{} is for --role gateway; other roles listen where {} says", flag,
                                 config.file));
  }
  const bool one_replica = options.role == "replica";
  if (one_replica && !RegionOf(options, config).FindReplica(options.replica)) {
    return Status::BadRequest(
        fmt::format("--role replica: also say which, with --replica; {} has {}", options.region,
                    ReplicasText(RegionOf(options, config))));
  }
  if (!one_replica && options.replace) {
    return Status::BadRequest("--replace is for --role replica: it gives one replica a new disk");
  }
  if (options.is_new && (!one_replica || options.replace)) {
    return Status::BadRequest("--new is for --role replica, and not with --replace");
  }
  if (options.give_up.find_first_not_of("0123456789abcdef") != std::string::npos ||
      options.give_up.size() > 16) {
    return Status::BadRequest(
        fmt::format("--replace {}: a disk id is up to 16 hex digits", options.give_up));
  }
  if (!one_replica && options.replica != 0) {
    return Status::BadRequest("--replica is for --role replica");
  }
  return {};
}

// The coordinator is of no region.
Status CheckCoordinator(const DaemonOptions& options) {
  for (const auto& [flag, given] :
       {std::pair{"--region", !options.region.empty()},
        std::pair{"--replica", options.replica != 0}, std::pair{"--replace", options.replace},
        std::pair{"--gateway", !options.gateway.empty()}, std::pair{"--api", !options.api.empty()},
        std::pair{"--http", !options.http.empty()}}) {
    if (given) return Status::BadRequest(fmt::format("{} is not for --role coordinator", flag));
  }
  return {};
}

Status Serve(const DaemonOptions& options) {
  ASSIGN_OR_RETURN(const core::ClusterConfig config, core::LoadClusterConfig(options.config));
  const bool is_coordinator = options.role == "coordinator";
  RETURN_IF_ERROR(is_coordinator ? CheckCoordinator(options) : CheckOptions(options, config));
  std::string role = options.role;
  if (!options.region.empty()) role += '-' + options.region;
  if (options.replica > 0) role += fmt::format("-{}", options.replica);
  core::StartLog(options.log_level, options.log_file, role);
  ::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();

  const StopSignals signals;  // before any other thread: they inherit what is blocked
  core::Context context;
  if (is_coordinator) return ServeCoordinator(context, config, options.is_new, signals.stop());
  const core::RegionConfig& region = RegionOf(options, config);
  if (options.role == "gateway") {
    ASSIGN_OR_RETURN(const auto host,
                     router::GatewayHost::Open(context, {config, region.name, options.gateway,
                                                         options.api, options.http}));
    host->Run(signals.stop());
    return {};
  }
  std::vector<std::unique_ptr<ReplicaHost>> replicas;  // stopped last
  for (size_t i = 0; i < region.replicas.size(); ++i) {
    const bool ours = options.role == "all" || options.replica == region.NumberOfReplica(i);
    if (!ours) continue;
    ASSIGN_OR_RETURN(replicas.emplace_back(),
                     ReplicaHost::Start(context, config, region, i, options));
  }
  if (options.role == "replica") {
    signals.stop().wait(false);
    return {};
  }
  ASSIGN_OR_RETURN(const auto host, router::RegionHost::Open(context, {config, region.name}));
  return host->Run(signals.stop());
}

int Run(int argc, char** argv) {
  DaemonOptions options;
  CLI::App app("homeportd: runs one region of a cluster, one replica of it, or a gateway more.");
  app.set_version_flag("--version", "homeportd 0.1.0");
  app.add_option("--config", options.config, "The cluster's configuration")
      ->envname("HOMEPORT_CONFIG")
      ->required()
      ->type_name("FILE");
  app.add_option("--region", options.region, "Which region of it")->type_name("REGION");
  app.add_option("--role", options.role,
                 "all (region and its replicas), region, replica, gateway: only its doors, or "
                 "coordinator: the cluster's own coordination store, of no region")
      ->check(CLI::IsMember({"all", "region", "replica", "gateway", "coordinator"}));
  app.add_option("--gateway", options.gateway,
                 "Where clients connect by ZeroMQ, for --role gateway")
      ->type_name("ENDPOINT");
  app.add_option("--api", options.api, "The same by HTTP and WebSocket")->type_name("HOST:PORT");
  app.add_option("--http", options.http, "The same for /metrics")->type_name("HOST:PORT");
  app.add_option("--replica", options.replica,
                 "Which one, for --role replica: 1, 2, 3 of group 1, 4, 5, 6 of group 2 ...");
  app.add_flag(
      "--new", options.is_new,
      "The replica is of a group that is still to be added: make its directory if there is "
      "none. Needed where the region's own directory is on another machine. A lost disk is "
      "replaced, see --replace. Of a coordinator: the cluster never had one");
  CLI::Option* replace = app.add_option(
      "--replace", options.give_up,
      "The replica's disk is lost: start on an empty directory, and be restored from the other "
      "two. "
      "With the id of the disk that its directory has, that directory is moved away first");
  replace->expected(0, 1)->type_name("DISK");
  app.add_option("--log-level", options.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--log-file", options.log_file, "Instead of stderr")->type_name("FILE");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  options.replace = replace->count() > 0;
  const Status status = Serve(options);
  if (status.ok()) {
    core::LogInfo("stopped", {});
    return 0;
  }
  core::LogError("ended",
                 {{"code", std::string(core::CodeName(status.code()))}, {"why", status.message()}});
  Say(fmt::format("homeportd: {}", status.ToString()));
  return core::ExitCode(status.code());
}

}  // namespace
}  // namespace homeport::cli

int main(int argc, char** argv) {
  try {
    return homeport::cli::Run(argc, argv);
  } catch (const std::exception& error) {
    homeport::cli::Say(fmt::format("homeportd: {}", error.what()));
    return 1;
  }
}
