// The benchmark of what users see: messages between users, or to a group, through gateways, streams
// and inboxes of real processes.
//
// A message counts when its sender has the answer: committed, that is on two of three disks, and
// applied. Its way ends when the receiver's sync returns it. Senders keep a fixed number in flight,
// or send at a fixed rate; each receiver is a client of its own that waits for news.
#pragma once

#include <cstdint>
#include <string>

#include "bench/message_traffic.h"
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
  double rate = 0;        // messages/s, while in_flight allows it; 0: as fast as they are answered
  size_t group = 0;       // all messages go to one group of so many members; 0: to the receivers
  uint64_t stored = 0;    // inbox items that the region `to` gets first, in other users' inboxes
  size_t body_bytes = 100;
  bool notified = false;      // receivers wait for notifications instead of held syncs
  double warmup_seconds = 1;  // not measured
  double seconds = 5;
};

struct MessagesBenchResult {
  double seconds = 0;
  uint64_t messages = 0;  // sent and answered within them
  double messages_per_s = 0;
  double mb_per_s = 0;       // of bodies, 10^6 bytes
  double inserts_per_s = 0;  // copies that came into inboxes, by what the receivers saw of them
  double stored_per_s = 0;   // while `stored` were put there
  Latencies answered;        // from sending to the answer
  Latencies notified;        // from sending to the receiver's notification, or its held sync
  Latencies synced;          // from sending to the receiver's sync
};

// kUnavailable when a message that was answered does not arrive, or arrives twice.
core::Result<MessagesBenchResult> RunMessagesBench(const MessagesBenchOptions& options);

}  // namespace homeport::bench
