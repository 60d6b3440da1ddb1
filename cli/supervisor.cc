#include "cli/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "cli/http_get.h"
#include "cli/make_cluster.h"
#include "core/log.h"
#include "router/region_directory.h"

namespace homeport::cli {
namespace {

using core::Result;
using core::Status;
using std::chrono::milliseconds;

constexpr milliseconds kBackoffFirst{200};
constexpr milliseconds kBackoffLast{5000};
constexpr std::chrono::seconds kLivedLong{5};  // then the next restart is a quick one again
constexpr milliseconds kProbeEvery{100};
constexpr milliseconds kProbeTimeout{300};
constexpr std::chrono::seconds kStopGrace{10};
constexpr int kEarlyDeathsMax = 3;
constexpr off_t kLogBytesMax = 64 << 20;  // then the next start begins a new file

sigset_t OurSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

// The next of our signals, or 0 when `wait` is over.
int NextSignal(std::chrono::nanoseconds wait) {
  wait = std::max(wait, std::chrono::nanoseconds(0));
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(wait);
  const timespec time{static_cast<time_t>(seconds.count()),
                      static_cast<long>((wait - seconds).count())};
  const sigset_t set = OurSignals();
  const int signal = ::sigtimedwait(&set, nullptr, &time);
  return signal > 0 ? signal : 0;
}

// Of a program beside this one.
std::string PathOf(const std::string& program) {
  char self[4096];
  const ssize_t size = ::readlink("/proc/self/exe", self, sizeof self);
  std::string path = size > 0 ? std::string(self, static_cast<size_t>(size)) : "homeport";
  return path.substr(0, path.find_last_of('/') + 1) + program;
}

// In the child, after fork: only calls that are safe there.
[[noreturn]] void Become(char* const* argv, int log, pid_t supervisor) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != supervisor) ::_exit(1);  // it died before the line above
  ::setpgid(0, 0);  // Ctrl-C is for the supervisor, which stops all in order
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(argv[0], argv);
  const char message[] =
      "it cannot be started: homeportd and homeport-wan must lie beside homeport\n";
  [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, message, sizeof message - 1);
  ::_exit(127);
}

// Again for a moment: who only looks whether the cluster is up holds the lock that long.
Result<std::unique_ptr<core::DirectoryLock>> TakeLock(const std::string& data) {
  constexpr int kTries = 10;
  for (int i = 1;; ++i) {
    auto lock = core::DirectoryLock::Take(data);
    if (lock.ok() || i == kTries) return lock;
    NextSignal(milliseconds(20));
  }
}

std::string HowItDied(int wait_status) {
  if (WIFSIGNALED(wait_status)) {
    return fmt::format("killed by signal {} ({})", WTERMSIG(wait_status),
                       ::strsignal(WTERMSIG(wait_status)));
  }
  return fmt::format("ended with code {}", WEXITSTATUS(wait_status));
}

std::string NameOf(const UpProcess& process) {
  if (process.role == "all") return "region " + process.region;
  if (process.role == "wan") return "WAN box";
  if (process.region.empty()) return process.role;
  if (process.replica == 0) return fmt::format("{} {}", process.role, process.region);
  return fmt::format("{} {} {}", process.role, process.region, process.replica);
}

// Where it says that it is ready. A replica of a group that is still to be added, or is retired,
// serves nobody and never is: it is not waited for.
std::vector<std::string> ReadyAt(const core::ClusterConfig& config,
                                 const core::RegionConfig& region, size_t index) {
  const core::ReplicaConfig& replica = region.replicas[index];
  const auto standing = router::StandingOf(config, region, quorum_queue::GroupId(replica.group));
  const bool is_member =
      standing != router::GroupStanding::kNew && standing != router::GroupStanding::kRetired;
  return is_member ? std::vector<std::string>{replica.http} : std::vector<std::string>{};
}

}  // namespace

// No region waits for the coordination store, so no cluster does.
bool Supervisor::IsWaitedFor(const Child& child) {
  return child.state.role != "coordinator";
}

Result<std::unique_ptr<Supervisor>> Supervisor::Open(SupervisorOptions options) {
  ASSIGN_OR_RETURN(auto lock, TakeLock(options.config.data));
  RemoveUpState(options.config.data);  // of one that was killed
  std::unique_ptr<Supervisor> supervisor(new Supervisor(std::move(options), std::move(lock)));
  RETURN_IF_ERROR(supervisor->Plan());
  return supervisor;
}

Supervisor::Supervisor(SupervisorOptions options, std::unique_ptr<core::DirectoryLock> lock)
    : options_(std::move(options)), lock_(std::move(lock)) {}

Status Supervisor::Plan() {
  const std::string logs = options_.config.data + "/logs";
  RETURN_IF_ERROR(core::MakeDirectories(logs));
  const std::string daemon = PathOf("homeportd");
  const auto add = [&](const std::string& role, const std::string& region, uint8_t replica,
                       std::vector<std::string> http) {
    Child child;
    child.state = {role, region, replica, 0, 0};
    child.command = {daemon, "--config", options_.config.file, "--role", role};
    child.log = fmt::format("{}/{}", logs, role);
    if (!region.empty()) {
      child.command.insert(child.command.end(), {"--region", region});
      child.log += '-' + region;
    }
    if (replica > 0) {
      child.command.insert(child.command.end(), {"--replica", std::to_string(replica)});
      child.log += fmt::format("-{}", replica);
    }
    child.log += ".log";
    child.http = std::move(http);
    children_.push_back(std::move(child));
  };
  const core::CoordinationConfig& coordination = options_.config.coordination;
  if (coordination.kind == core::CoordinationKind::kEmbedded) {
    add("coordinator", "", 0, {coordination.http});
  }
  const std::string wan = options_.config.data + '/' + kWanConfigName;
  if (core::Exists(wan)) {
    Child child;
    child.state.role = "wan";
    child.command = {PathOf("homeport-wan"), "--cluster", options_.config.file, "--config", wan};
    child.log = logs + "/wan.log";
    children_.push_back(std::move(child));
  }
  for (const core::RegionConfig& region : options_.config.regions) {
    std::vector<std::string> all = {region.http};
    for (size_t i = 0; i < region.replicas.size(); ++i) {
      const std::vector<std::string> ready = ReadyAt(options_.config, region, i);
      all.insert(all.end(), ready.begin(), ready.end());
      if (options_.processes) add("replica", region.name, region.NumberOfReplica(i), ready);
    }
    if (options_.processes) {
      add("region", region.name, 0, {region.http});
    } else {
      add("all", region.name, 0, all);
    }
  }
  return {};
}

Status Supervisor::Run() {
  const sigset_t ours = OurSignals();
  ::sigprocmask(SIG_BLOCK, &ours, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  begun_ = Clock::now();
  for (Child& child : children_) Start(child);
  Save();
  const Status status = Supervise();
  StopAll();
  RemoveUpState(options_.config.data);
  return status;
}

Status Supervisor::Supervise() {
  while (true) {
    auto until = Clock::now() + (ready_ ? std::chrono::hours(1) : kProbeEvery);
    for (const Child& child : children_) {
      if (child.state.pid == 0 && options_.restart) until = std::min(until, child.restart_at);
    }
    const int signal = NextSignal(until - Clock::now());
    if (signal == SIGTERM || signal == SIGINT || signal == SIGHUP) return {};
    Reap();
    RestartDue();
    if (!ready_) RETURN_IF_ERROR(LookWhetherReady());
  }
}

void Supervisor::Start(Child& child) {
  std::vector<char*> argv;
  for (std::string& argument : child.command) argv.push_back(argument.data());
  argv.push_back(nullptr);
  struct stat info;
  if (::stat(child.log.c_str(), &info) == 0 && info.st_size > kLogBytesMax) {
    std::rename(child.log.c_str(), (child.log + ".1").c_str());
  }
  const int log = ::open(child.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) Become(argv.data(), log, self);
  if (log >= 0) ::close(log);
  child.started = Clock::now();
  child.state.pid = std::max(pid, 0);
  if (pid < 0)
    child.restart_at = child.started + kBackoffLast;  // no memory or no pids: later again
}

void Supervisor::Reap() {
  bool any = false;
  int wait_status = 0;
  pid_t pid;
  while ((pid = ::waitpid(-1, &wait_status, WNOHANG)) > 0) {
    for (Child& child : children_) {
      if (child.state.pid != pid) continue;
      OnDeath(child, wait_status);
      any = true;
    }
  }
  if (any && !stopping_) Save();
}

void Supervisor::OnDeath(Child& child, int wait_status) {
  const auto now = Clock::now();
  const pid_t pid = std::exchange(child.state.pid, 0);
  if (stopping_) return;
  const bool lived_long = now - child.started >= kLivedLong;
  child.backoff = lived_long || child.backoff == milliseconds(0)
                      ? kBackoffFirst
                      : std::min(child.backoff * 2, kBackoffLast);
  child.restart_at = now + child.backoff;
  if (!ready_ && IsWaitedFor(child)) ++child.early_deaths;
  core::LogWarn("process_died", {{"process", NameOf(child.state)},
                                 {"pid", std::to_string(pid)},
                                 {"how", HowItDied(wait_status)},
                                 {"restart_in_ms", std::to_string(child.backoff.count())}});
  if (options_.on_death) options_.on_death(child.state, HowItDied(wait_status));
}

void Supervisor::RestartDue() {
  if (!options_.restart) return;
  bool any = false;
  for (Child& child : children_) {
    if (child.state.pid != 0 || Clock::now() < child.restart_at) continue;
    if (child.early_deaths >= kEarlyDeathsMax && !ready_) continue;  // LookWhetherReady gives up
    ++child.state.restarts;
    Start(child);
    core::LogInfo("process_restarted",
                  {{"process", NameOf(child.state)}, {"pid", std::to_string(child.state.pid)}});
    any = true;
  }
  if (any) Save();
}

Status Supervisor::LookWhetherReady() {
  bool all = true;
  for (Child& child : children_) {
    if (child.early_deaths >= kEarlyDeathsMax || (child.early_deaths > 0 && !options_.restart)) {
      return Status::Unavailable(fmt::format("{} does not stay up; its log, {}, ends with:\n{}",
                                             NameOf(child.state), child.log, LastLines(child)));
    }
    if (child.ready || !IsWaitedFor(child)) continue;
    child.ready = std::all_of(child.http.begin(), child.http.end(), [](const std::string& address) {
      const auto answer = HttpGet(address, "/readyz", kProbeTimeout);
      return answer.ok() && (answer->code == 200 || answer->body.starts_with(kRecoveringWord));
    });
    if (!child.ready && Clock::now() - begun_ > options_.ready_timeout) {
      const auto answer = HttpGet(child.http[0], "/readyz", kProbeTimeout);
      return Status::Unavailable(fmt::format(
          "{} was not ready within {} s ({}); its log, {}, ends with:\n{}", NameOf(child.state),
          options_.ready_timeout.count(), answer.ok() ? answer->body : answer.status().message(),
          child.log, LastLines(child)));
    }
    all = all && child.ready;
  }
  if (!all) return {};
  ready_ = true;
  Save();
  if (options_.on_ready) options_.on_ready();
  return {};
}

void Supervisor::StopAll() {
  stopping_ = true;
  // Regions first: with all the others still there they end what they have begun.
  StopThose(
      [](const Child& child) { return child.state.role == "region" || child.state.role == "all"; });
  StopThose([](const Child&) { return true; });
}

void Supervisor::StopThose(const std::function<bool(const Child&)>& those) {
  const auto left = [&] {
    Reap();
    return std::any_of(children_.begin(), children_.end(),
                       [&](const Child& child) { return those(child) && child.state.pid != 0; });
  };
  const auto signal_all = [&](int signal) {
    for (const Child& child : children_) {
      if (those(child) && child.state.pid != 0) ::kill(child.state.pid, signal);
    }
  };
  signal_all(SIGTERM);
  const auto deadline = Clock::now() + kStopGrace;
  while (left() && Clock::now() < deadline) NextSignal(deadline - Clock::now());
  signal_all(SIGKILL);
  while (left()) NextSignal(milliseconds(100));
}

void Supervisor::Save() {
  UpState state;
  state.supervisor = ::getpid();
  state.ready = ready_;
  for (const Child& child : children_) state.processes.push_back(child.state);
  const Status saved = WriteUpState(options_.config.data, state);
  // A full disk must not end the cluster: the file is for people and tests.
  if (!saved.ok()) core::LogWarn("up_state_not_written", {{"why", saved.message()}});
}

std::string Supervisor::LastLines(const Child& child) const {
  constexpr size_t kLines = 12;
  const auto text = core::ReadFile(child.log);
  if (!text.ok() || text->empty()) return "(nothing)";
  size_t from = text->size() - 1;
  for (size_t lines = 0; from > 0; --from) {
    if ((*text)[from - 1] == '\n' && ++lines == kLines) break;
  }
  return text->substr(from);
}

}  // namespace homeport::cli
