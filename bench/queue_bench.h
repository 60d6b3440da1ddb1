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
  size_t readers = 0;        // that follow the stream meanwhile, each in a thread of its own
  bool keep_all = false;     // nothing is trimmed: to see what a long log costs
  uint64_t entries_max = 0;  // stops once so many are committed; 0: only `seconds` count
  enum class Kill { kNothing, kReplica, kWriter } kill = Kill::kNothing;  // half way through
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
  // The longest time in which nothing was acknowledged though something was in flight.
  double longest_wait_ms = 0;
  // kWriter: from the start of the next one, with connections of its own, to its first
  // acknowledgement.
  double reopen_ms = 0;
  double read_entries_per_s = 0;  // of the slowest reader
  double read_catch_up_ms = 0;    // after the last commit, until the slowest reader had it
  double replica_rss_mb = 0;      // of the largest, at the end
};

core::Result<QueueBenchResult> RunQueueBench(const QueueBenchOptions& options);

}  // namespace homeport::bench
