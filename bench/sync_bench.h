// The benchmark of sync: what a client that has nothing reads when much waits for it, page after
// page.
#pragma once

#include <cstdint>
#include <string>

#include "core/config.h"
#include "core/status.h"

namespace homeport::bench {

struct SyncBenchOptions {
  core::ClusterConfig config;   // of a running cluster
  std::string region;           // where all are home
  uint64_t messages = 100'000;  // sent first, over all readers
  size_t readers = 1;           // users that sync at the same time, each on a thread
  size_t in_flight = 512;       // while they are sent
  size_t body_bytes = 100;
};
struct SyncBenchResult {
  double sent_per_s = 0;
  double seconds = 0;  // of the sync, until the last reader has all
  double messages_per_s = 0;
  double mb_per_s = 0;  // of bodies, 10^6 bytes
  uint64_t pages = 0;
  // How much more memory this process had at most while it synced, and the region's daemon (0 when
  // it is not on this machine).
  uint64_t client_bytes = 0;
  uint64_t daemon_bytes = 0;
};

// kUnavailable when a reader does not get each message once, in the order they were sent.
core::Result<SyncBenchResult> RunSyncBench(const SyncBenchOptions& options);

}  // namespace homeport::bench
