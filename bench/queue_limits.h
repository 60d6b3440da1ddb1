// What the machine itself can do, to read the queue's figures beside: its disk with three writers
// that sync each append, and ZeroMQ on loopback with batches that nobody stores.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/status.h"

namespace homeport::bench {

struct QueueLimitsOptions {
  std::string dir;                     // on the disk that is meant; files are made and removed
  std::vector<std::string> echo_argv;  // starts RunEchoServer; the bench appends the endpoint
  uint64_t entry_bytes = 1024;
  uint64_t in_flight = 1024;
  double seconds = 5;
};

struct QueueLimits {
  // fio: three jobs that append blocks of `entry_bytes` (at least 512), fdatasync after each; syncs
  // of all three together. nullopt when fio is not installed.
  std::optional<double> fio_syncs_per_s;
  std::optional<double> fio_sync_p50_us;
  // Batches to three echo processes, counted when two have answered.
  double zmq_entries_per_s = 0;
  double zmq_p50_us = 0;  // of a batch
};

core::Result<QueueLimits> MeasureQueueLimits(const QueueLimitsOptions& options);

// Answers each message with one small one, until SIGTERM or the parent's end. Returns the exit
// code.
int RunEchoServer(const std::string& endpoint);

}  // namespace homeport::bench
