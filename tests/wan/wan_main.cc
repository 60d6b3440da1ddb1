// homeport-wan: a wide-area network in one process, for tests. README.md.
#include <fmt/format.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>

#include "core/clock.h"
#include "core/files.h"
#include "core/table_reader.h"
#include "core/version.h"
#include "tests/wan/control_server.h"
#include "tests/wan/loop.h"
#include "tests/wan/relay.h"
#include "tests/wan/wan_map.h"

namespace homeport::wan {
namespace {

using core::Result;
using core::Status;

struct Options {
  std::string config;
  std::string cluster;
  std::string bind;
  std::string control;
  uint64_t seed = 1;
  std::vector<std::string> tell;
};

// SIGTERM and SIGINT end the loop.
class StopSignals : public Watcher {
 public:
  explicit StopSignals(Loop* loop) {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : {SIGTERM, SIGINT}) sigaddset(&set, signal);
    ::sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = SocketFd(::signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
    loop->Add(fd_.get(), this);
  }
  void OnEvents(uint32_t) override { stop_ = true; }
  bool stop() const { return stop_; }

 private:
  SocketFd fd_;
  bool stop_ = false;
};

// Two descriptors per connection: as many as we may have.
void RaiseDescriptorLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

Result<WanMap> MapOf(const Options& options) {
  WanMap map;
  if (!options.config.empty()) {
    ASSIGN_OR_RETURN(const std::string text, core::ReadFile(options.config));
    ASSIGN_OR_RETURN(map, ParseWanMap(text, options.config));
  }
  if (!options.cluster.empty()) {
    ASSIGN_OR_RETURN(const core::ClusterConfig cluster, core::LoadClusterConfig(options.cluster));
    RETURN_IF_ERROR(AddDoors(cluster, options.bind, &map));
  }
  if (map.doors.empty()) {
    return Status::BadRequest(
        "there is no door: name a --config with [[door]]s, or a --cluster "
        "with [[path]]s");
  }
  AddUsualLinks(&map);
  if (!options.control.empty()) map.control = options.control;
  return map;
}

Status Serve(const Options& options) {
  ASSIGN_OR_RETURN(const WanMap map, MapOf(options));
  ::signal(SIGPIPE, SIG_IGN);
  RaiseDescriptorLimit();
  Loop loop;
  const StopSignals signals(&loop);
  RelayOptions relay_options;
  relay_options.seed = options.seed;
  ASSIGN_OR_RETURN(const auto relay, Relay::Open(&loop, map, relay_options));
  std::unique_ptr<ControlServer> control;
  if (!map.control.empty()) {
    ASSIGN_OR_RETURN(control, ControlServer::Open(&loop, relay.get(), map.control));
  }
  for (const LinkConfig& link : map.links) {
    fmt::print(stderr, "homeport-wan: {}<>{} {} ms{}, {} Mbit/s each way\n", link.a, link.b,
               std::chrono::duration_cast<std::chrono::milliseconds>(link.line.delay).count(),
               link.line.jitter > Duration(0) ? " and jitter" : "",
               link.line.bits_per_s / 1'000'000);
  }
  fmt::print(stderr, "homeport-wan: {} doors{}\n", map.doors.size(),
             control ? ", commands at " + control->address() : "");
  while (!signals.stop()) {
    loop.Wait(relay->NextDeadline(core::SteadyNow()));
    relay->Turn(core::SteadyNow());
    if (control) control->Turn();
  }
  return {};
}

Status Tell(const Options& options) {
  if (options.control.empty()) return Status::BadRequest("tell: to whom? Name it by --control");
  std::string command;
  for (const std::string& word : options.tell) command += (command.empty() ? "" : " ") + word;
  ASSIGN_OR_RETURN(const std::string answer, TellWan(options.control, command));
  fmt::print("{}\n", answer);
  return answer.starts_with(R"({"error")") ? Status::BadRequest("it was refused") : Status();
}

int Run(int argc, char** argv) {
  Options options;
  CLI::App app(
      "homeport-wan: carries TCP connections between regions through links with a delay, jitter "
      "and a bandwidth, which stall, are cut and healed by command. For tests.");
  app.set_version_flag("--version", fmt::format("homeport-wan {}", core::kVersion));
  app.add_option("--config", options.config, "Links and doors; tests/wan/README.md")
      ->type_name("FILE");
  app.add_option("--cluster", options.cluster,
                 "A cluster's configuration: a door for each of its [[path]]s")
      ->type_name("FILE");
  app.add_option("--bind", options.bind, "Listen there, not on the host that a [[path]] names")
      ->type_name("HOST");
  app.add_option("--control", options.control, "Where commands are taken")->type_name("HOST:PORT");
  app.add_option("--seed", options.seed, "Of the jitter")->capture_default_str();
  CLI::App* tell = app.add_subcommand(
      "tell",
      "Send one command to the WAN box at --control: status, set LINES delay_ms=15 "
      "jitter_ms=2 mbit_per_s=100, cut LINES, stall LINES MS, heal LINES, reset LINES; "
      "LINES as 'sh>hk', 'sh<>hk' or 'sh<>*'");
  tell->fallthrough();
  tell->add_option("command", options.tell, "Its words")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const Status status = tell->parsed() ? Tell(options) : Serve(options);
  if (status.ok()) return 0;
  fmt::print(stderr, "homeport-wan: {}\n", status.ToString());
  return core::ExitCode(status.code());
}

}  // namespace
}  // namespace homeport::wan

int main(int argc, char** argv) {
  try {
    return homeport::wan::Run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "homeport-wan: %s\n", error.what());
    return 1;
  }
}
