// The benchmark of what users see: messages between users, through gateways, streams and inboxes of
// real processes.
//
// A message counts when its sender has the answer: committed, that is on two of three disks, and
// applied. Its way ends when the receiver's sync returns it. Senders keep a fixed number in flight;
// each receiver is a client of its own that long-polls.
#pragma once

#include <cstdint>
#include <string>

#include "core/config.h"
#include "core/status.h"

namespace homeport::bench {

struct MessagesBenchOptions {
  core::ClusterConfig config;  // of a running cluster
  std::string from;            // home region of the senders
  std::string to;              // of the receivers
  size_t senders = 64;
  size_t receivers = 4;
  size_t in_flight = 64;  // over all senders, sent and not answered
  size_t body_bytes = 100;
  double warmup_seconds = 1;  // not measured
  double seconds = 5;
};

// Microseconds.
struct Latencies {
  double p50 = 0;
  double p99 = 0;
  double p999 = 0;
  double max = 0;
};
struct MessagesBenchResult {
  double seconds = 0;
  uint64_t messages = 0;  // sent and answered within them
  double messages_per_s = 0;
  double mb_per_s = 0;  // of bodies, 10^6 bytes
  Latencies answered;   // from sending to the answer
  Latencies synced;     // from sending to the receiver's sync
};

// kUnavailable when a message that was answered does not arrive, or arrives twice.
core::Result<MessagesBenchResult> RunMessagesBench(const MessagesBenchOptions& options);

}  // namespace homeport::bench
