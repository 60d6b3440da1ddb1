// Reader: follows one stream from a seq on. Its consumer sees each committed entry once, in order:
// 1, 2, 3 ...
//
// Reads one replica (the nearest first); needs no quorum, since replicas give out committed entries
// only. When that one is silent, lacks an entry or lost the session, asks the next. Pure; not
// thread safe.
//
// Invariants:
//  (1) DeliverEffect runs are contiguous: each begins at the seq after the last one delivered
//  (2) a seq is never skipped: held by no replica is told (HeldNowhereEffect), again and again,
//  never passed
//
// Design section 3, "Reader".
#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "core/time.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

struct ReaderOptions {
  StreamId stream;
  // Sessions count up from here; random per process so that two never meet.
  uint64_t session_base = 1;
  Seq from = Seq(1);     // first seq wanted
  uint8_t replicas = 3;  // numbered 0 .. replicas-1, nearest first
  uint64_t credit_bytes = 4 << 20;
  bool compress = false;
  core::Duration renew_after = std::chrono::milliseconds(500);  // Read again, as keep-alive
  core::Duration silent_after = std::chrono::seconds(2);        // then the next replica
};

struct ReadAnswerReceived {
  uint8_t replica = 0;
  ReadAnswer answer;
};
struct ReaderTick {};
// The consumer is behind (or no longer): while paused no credit is given.
struct PauseReader {
  bool paused = false;
};
using ReaderEvent = std::variant<ReadAnswerReceived, ReaderTick, PauseReader>;

struct SendRead {
  uint8_t replica = 0;
  Read read;
};
struct DeliverEffect {
  EntryRun run;
};
// The next seq is gone from every replica's log. The reader stops.
struct TrimmedEffect {
  Seq first;  // lowest seq that no replica is known to have trimmed
};
// An alarm: `seq` is committed, not trimmed, and no replica that answered has it.
struct HeldNowhereEffect {
  Seq seq;
};
using ReaderEffect = std::variant<SendRead, DeliverEffect, TrimmedEffect, HeldNowhereEffect>;

struct ReaderStatus {
  Seq next;                            // first seq not yet delivered
  Seq committed;                       // highest heard of
  std::optional<core::Instant> heard;  // last answer of any kind
  uint8_t replica = 0;                 // asked now
};

class Reader {
 public:
  explicit Reader(ReaderOptions options);
  ~Reader();
  void Step(core::Instant now, ReaderEvent event, std::vector<ReaderEffect>* effects);
  std::optional<core::Instant> NextDeadline() const;
  ReaderStatus Status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::quorum_queue
