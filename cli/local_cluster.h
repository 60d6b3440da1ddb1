// Local clusters: made, started and stopped on this machine. What `up`, `down`, the demo and the
// benchmarks share.
#pragma once

#include <string>

#include "cli/make_cluster.h"
#include "cli/supervisor.h"
#include "core/config.h"
#include "core/status.h"

namespace homeport::cli {

struct UpOptions {
  MakeClusterOptions make;  // when there is no cluster in make.data yet
  bool processes = false;
  bool restart = true;
  std::chrono::seconds ready_timeout{120};
  // Of StartInBackground: stops when the caller is gone, and then removes `scratch`, unless empty.
  bool die_with_caller = false;
  std::string scratch;
};

// The cluster in make.data, made if there is none.
core::Result<core::ClusterConfig> OpenOrMake(const MakeClusterOptions& make, bool* made);

// Starts a supervisor as a process of its own; returns when all is ready. The caller has one thread
// only.
core::Result<core::ClusterConfig> StartInBackground(const UpOptions& options);
// Stops what holds `data` and waits until it is over. True: something ran.
core::Result<bool> StopCluster(const std::string& data);

// TemporaryCluster: a cluster in a temporary directory, gone with this object or this process.
class TemporaryCluster {
 public:
  // `make.data` is chosen here.
  static core::Result<std::unique_ptr<TemporaryCluster>> Start(UpOptions options);
  ~TemporaryCluster();
  TemporaryCluster(const TemporaryCluster&) = delete;
  TemporaryCluster& operator=(const TemporaryCluster&) = delete;
  const core::ClusterConfig& config() const { return config_; }
  core::Status Stop();
  // Keeps the directory, for someone to look at.
  void Keep() { keep_ = true; }

 private:
  explicit TemporaryCluster(std::string root) : root_(std::move(root)) {}
  std::string root_;
  core::ClusterConfig config_;
  bool keep_ = false;
};

}  // namespace homeport::cli
