#include "cli/local_cluster.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "cli/cluster.h"
#include "cli/up_state.h"
#include "core/files.h"
#include "core/log.h"

namespace homeport::cli {
namespace {

using core::ClusterConfig;
using core::Result;
using core::Status;

constexpr std::chrono::seconds kStopTimeout{60};
constexpr std::chrono::milliseconds kLookEvery{20};
constexpr std::string_view kReadyWord = "ready";

void WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno != EINTR) return;
    if (put > 0) text.remove_prefix(static_cast<size_t>(put));
  }
}

std::string ReadToEnd(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0 || (got < 0 && errno != EINTR)) return text;
    if (got > 0) text.append(buffer, static_cast<size_t>(got));
  }
}

// In the new process. Tells `told` "ready" or why not, then goes on until it is stopped.
int Supervise(const ClusterConfig& config, const UpOptions& options, int told) {
  const std::string log = config.data + "/logs/supervisor.log";
  (void)core::MakeDirectories(config.data + "/logs");
  core::StartLog("info", log, "supervisor");
  SupervisorOptions supervisor_options;
  supervisor_options.config = config;
  supervisor_options.processes = options.processes;
  supervisor_options.restart = options.restart;
  supervisor_options.ready_timeout = options.ready_timeout;
  supervisor_options.on_ready = [told] {
    WriteAll(told, kReadyWord);
    ::close(told);
  };
  auto supervisor = Supervisor::Open(std::move(supervisor_options));
  const Status status = supervisor.ok() ? (*supervisor)->Run() : supervisor.status();
  if (status.ok()) return 0;
  core::LogError("up_failed", {{"why", status.message()}});
  WriteAll(told, status.message());
  return core::ExitCode(status.code());
}

[[noreturn]] void BecomeSupervisor(const ClusterConfig& config, const UpOptions& options, int told,
                                   pid_t caller) {
  if (options.die_with_caller) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != caller) ::_exit(1);
  }
  ::setsid();
  const int null = ::open("/dev/null", O_RDWR);
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, fd);
  const int code = Supervise(config, options, told);
  std::error_code ignored;
  if (options.die_with_caller && ::getppid() != caller && !options.scratch.empty()) {
    std::filesystem::remove_all(options.scratch, ignored);
  }
  ::_exit(code);
}

}  // namespace

Result<ClusterConfig> OpenOrMake(const MakeClusterOptions& make, bool* made) {
  const std::string file = make.data + '/' + kConfigName;
  *made = !core::Exists(file);
  if (*made) return MakeCluster(make);
  return core::LoadClusterConfig(file);
}

Result<ClusterConfig> StartInBackground(const UpOptions& options) {
  bool made = false;
  ASSIGN_OR_RETURN(const ClusterConfig config, OpenOrMake(options.make, &made));
  int pipe[2];
  if (::pipe2(pipe, O_CLOEXEC) != 0)
    return Status::Io(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  const pid_t self = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return Status::Io(fmt::format("cannot start a process: {}", std::strerror(errno)));
  if (pid == 0) {
    ::close(pipe[0]);
    BecomeSupervisor(config, options, pipe[1], self);
  }
  ::close(pipe[1]);
  const std::string told = ReadToEnd(pipe[0]);
  ::close(pipe[0]);
  if (told == kReadyWord) return config;
  ::waitpid(pid, nullptr, 0);
  return Status::Unavailable(
      told.empty() ? "the supervisor died; see " + config.data + "/logs/supervisor.log" : told);
}

Result<bool> StopCluster(const std::string& data) {
  if (!IsUp(data)) return false;
  ASSIGN_OR_RETURN(const auto state, ReadUpState(data));
  if (!state.has_value() || state->supervisor <= 0) {
    return Status::Unavailable(fmt::format(
        "{} is held by a process that is no supervisor or only starting; see {}/LOCK for its pid",
        data, data));
  }
  if (::kill(state->supervisor, SIGTERM) != 0 && errno != ESRCH) {
    return Status::Io(
        fmt::format("cannot stop process {}: {}", state->supervisor, std::strerror(errno)));
  }
  const auto deadline = std::chrono::steady_clock::now() + kStopTimeout;
  while (IsUp(data)) {
    if (std::chrono::steady_clock::now() > deadline) {
      return Status::Unavailable(fmt::format("supervisor {} did not stop within {} s; see {}/logs",
                                             state->supervisor, kStopTimeout.count(), data));
    }
    std::this_thread::sleep_for(kLookEvery);
  }
  return true;
}

Result<std::unique_ptr<TemporaryCluster>> TemporaryCluster::Start(UpOptions options) {
  const char* parent = std::getenv("TMPDIR");
  std::string pattern =
      fmt::format("{}/homeport-XXXXXX", parent != nullptr && *parent != 0 ? parent : "/tmp");
  if (::mkdtemp(pattern.data()) == nullptr) {
    return Status::Io(
        fmt::format("cannot make a directory like {}: {}", pattern, std::strerror(errno)));
  }
  std::unique_ptr<TemporaryCluster> cluster(new TemporaryCluster(pattern));
  options.make.data = pattern + "/data";
  options.die_with_caller = true;
  options.scratch = pattern;
  ASSIGN_OR_RETURN(cluster->config_, StartInBackground(options));
  return cluster;
}

Status TemporaryCluster::Stop() {
  return StopCluster(root_ + "/data").status();
}

TemporaryCluster::~TemporaryCluster() {
  (void)StopCluster(root_ + "/data").ok();
  std::error_code ignored;
  if (!keep_) std::filesystem::remove_all(root_, ignored);
}

}  // namespace homeport::cli
