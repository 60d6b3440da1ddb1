// The queue's benchmark: one writer, three replicas as processes of their own, over loopback TCP.
//
// An entry counts when it is committed: its fdatasync has returned on two of the three replicas'
// logs. All three logs share this machine's disk. Entries are trimmed behind, so that segments are
// reused as in production.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"

namespace homeport::bench {

struct QueueBenchOptions {
  std::string dir;  // new or empty; left with the replicas' data in it
  // Starts a replica: the bench appends directory and endpoint. The program calls RunBenchReplica.
  std::vector<std::string> replica_argv;
  uint64_t entry_bytes = 1024;
  uint64_t in_flight = 1024;  // submitted and not committed
  double warmup_seconds = 1;  // not measured
  double seconds = 10;
};

struct QueueBenchResult {
  double seconds = 0;
  uint64_t entries = 0;  // committed within them
  double entries_per_s = 0;
  double mb_per_s = 0;  // of payload, 10^6 bytes
  // From submission to commit.
  double p50_us = 0;
  double p99_us = 0;
  double p999_us = 0;
  double max_us = 0;
  double cpu_s_per_million = 0;  // of writer and replicas, kernel included, per million entries
  double writer_cpu_share = 0;   // of that
};

core::Result<QueueBenchResult> RunQueueBench(const QueueBenchOptions& options);

}  // namespace homeport::bench
