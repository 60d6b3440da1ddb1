// ChildProcess: a program started for a benchmark, ended with it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"

namespace homeport::bench {

class ChildProcess {
 public:
  static core::Result<std::unique_ptr<ChildProcess>> Start(const std::vector<std::string>& argv);
  // SIGTERM, and waits.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // User and system time so far, of all its threads.
  double CpuSeconds() const;
  uint64_t ResidentBytes() const;
  bool IsRunning() const;
  // SIGKILL, and waits.
  void Kill();

 private:
  explicit ChildProcess(pid_t pid) : pid_(pid) {}
  pid_t pid_;
};

// The same of this process.
double OwnCpuSeconds();
// A TCP port of this machine that nobody uses now.
core::Result<int> FreePort();

}  // namespace homeport::bench
