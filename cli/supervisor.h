// Supervisor: runs the processes of a local cluster: starts them, starts again what dies, stops
// them all.
//
//   Starting --(every process answers /readyz)--> Ready --(SIGTERM, SIGINT)--> Stopping --> over
//      \--(a process dies again and again, or too late)--> Failed --> over
//
// A child dies with its supervisor (the kernel sees to it), so nothing is left behind by a `kill
// -9` of it. Runs on the one thread of a process that has no others: children are forked from it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/up_state.h"
#include "core/config.h"
#include "core/files.h"
#include "core/status.h"

namespace homeport::cli {

// How a replica's /readyz begins while it is being restored: it may take hours, and the cluster
// does not wait for it.
inline constexpr std::string_view kRecoveringWord = "recovering";

struct SupervisorOptions {
  core::ClusterConfig config;
  bool processes = false;  // every replica a process of its own
  bool restart = true;
  std::chrono::seconds ready_timeout{120};
  std::function<void()> on_ready;
  std::function<void(const UpProcess&, const std::string& how)> on_death;
};

class Supervisor {
 public:
  // Takes the data directory's lock: there is one supervisor for it.
  static core::Result<std::unique_ptr<Supervisor>> Open(SupervisorOptions options);
  // Until SIGTERM or SIGINT. An error when the cluster never became ready.
  core::Status Run();

 private:
  using Clock = std::chrono::steady_clock;
  struct Child {
    UpProcess state;
    std::vector<std::string> command;
    std::string log;
    std::vector<std::string> http;  // all must be ready
    bool ready = false;
    Clock::time_point started{};
    Clock::time_point restart_at{};  // while it is dead
    std::chrono::milliseconds backoff{0};
    int early_deaths = 0;
  };
  static bool IsWaitedFor(const Child& child);
  Supervisor(SupervisorOptions options, std::unique_ptr<core::DirectoryLock> lock);
  core::Status Plan();
  core::Status Supervise();
  void Start(Child& child);
  void Reap();
  void OnDeath(Child& child, int wait_status);
  void RestartDue();
  core::Status LookWhetherReady();
  void StopAll();
  // SIGTERM to those of `role`; SIGKILL to those that are left after the grace.
  void StopThose(const std::function<bool(const Child&)>& those);
  void Save();
  std::string LastLines(const Child& child) const;

  SupervisorOptions options_;
  std::unique_ptr<core::DirectoryLock> lock_;
  std::vector<Child> children_;
  Clock::time_point begun_{};
  bool ready_ = false;
  bool stopping_ = false;
};

}  // namespace homeport::cli
