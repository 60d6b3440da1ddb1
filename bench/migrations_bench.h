// The benchmark of moves: how many users a second go from one region to another, and how long the
// writes of one wait while it moves.
//
// A user counts as moved when its new home serves it. For the pause, one user after the other sends
// one message after the other, and moves meanwhile: its pause is the longest of these sends.
#pragma once

#include <cstdint>
#include <string>

#include "bench/message_traffic.h"
#include "core/config.h"
#include "core/status.h"

namespace homeport::bench {

struct MigrationsBenchOptions {
  core::ClusterConfig config;  // of a running cluster
  std::string from;
  std::string to;
  size_t users = 20'000;     // moved, as fast as it goes
  size_t in_flight = 1'000;  // asked to move, and not served at their new home yet
  size_t watched = 50;       // moved one by one, writing
};
struct MigrationsBenchResult {
  double seconds = 0;
  double migrations_per_s = 0;
  Latencies moved;  // from the order to the first answer of the new home
  Latencies write;  // of a watched user's writes before its move
  Latencies pause;
};

// kUnavailable when somebody does not arrive.
core::Result<MigrationsBenchResult> RunMigrationsBench(const MigrationsBenchOptions& options);

}  // namespace homeport::bench
