// Writer: the one that may append to a stream. Makes each entry durable on 2 of 3 replicas of one
// group and acknowledges each once, in order.
//
// Pure: no I/O, no clock, no threads, no randomness. Feed it events, carry out its effects.
//
//   Fencing --(2 of 3 in every group answered)--> Filling --(filled)--> Opening
//   Opening --(Open committed)--> Active
//      any --(Fenced by a higher epoch)--> Stopped
//
//      Opening --(another group takes over)--> Filling, there
//
//   an entry:  Submit --> assigned --(Flush)--> in flight
//              --(stored by 2 of 3 of one group)--> durable
//              --(all before it durable)--> committed --> CommittedEffect
//
// Invariants:
//  (1) committed_ never decreases, committed_ < next_
//  (2) nothing above base is announced as committed before Open commits
//  (3) the decision of a takeover (base, t, chain) is made once
//  (4) a replica is counted only with the disk id of the grant
//
// Not thread safe. Design section 3.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/time.h"
#include "quorum_queue/grants.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

// A replica's place: group number in the grant, slot 0 .. 2.
struct ReplicaSlot {
  uint16_t group = 0;
  uint8_t slot = 0;
  auto operator<=>(const ReplicaSlot&) const = default;
};

// A replica's number among all that a region ever has: 0, 1, 2 in group 1, and so on. People count
// from 1. Fits: ids end with core::kGroupNumberMax.
constexpr uint8_t NumberOf(GroupId group, uint8_t slot) {
  return static_cast<uint8_t>(3 * (group.value() - 1) + slot);
}
constexpr GroupId GroupOf(uint8_t number) {
  return GroupId(number / 3u + 1);
}

struct WriterOptions {
  StreamId stream;
  uint64_t batch_bytes_max = 1 << 20;  // of one Append; one larger entry is allowed
  uint64_t batch_entries_max = 4096;
  uint64_t window_bytes_max = 32 << 20;  // submitted and not committed; past that Submit is refused
  uint64_t replica_window_bytes_max = 8 << 20;  // sent to one replica and not answered
  // Committed entries kept for a slow third replica; past that they are left to the mender.
  uint64_t straggler_bytes_max = 16 << 20;
  uint64_t entry_bytes_max = 4 << 20;
  core::Duration resend_after = std::chrono::milliseconds(250);  // no answer: ask again
  core::Duration resend_after_max = std::chrono::seconds(2);     // doubling up to this
  core::Duration announce_after = std::chrono::milliseconds(3);  // idle: news of committed
  // Asks whether a newer writer exists, so that one that was replaced learns of it though it has
  // nothing to write.
  core::Duration look_after = std::chrono::seconds(1);
  // Groups (quorum_queue/group_choice.h). Index in the grant; a driver spreads its streams.
  uint16_t preferred_group = 0;
  core::Duration append_timeout = std::chrono::milliseconds(500);  // nothing durable: another group
  core::Duration return_after = std::chrono::seconds(5);  // the preferred group is well for so long
  core::Duration return_after_max = std::chrono::seconds(320);  // doubling up to this
};

// ---- events

struct AnswerReceived {
  ReplicaSlot from;
  ReplicaAnswer answer;
};
// End of a turn: what was submitted goes out as batches now.
struct WriterFlush {};
struct WriterTick {};
// Entries <= through may go on all replicas. Ignored when above committed.
struct TrimThrough {
  Seq through;
};
using WriterEvent = std::variant<AnswerReceived, WriterFlush, WriterTick, TrimThrough>;

// ---- effects

struct SendToReplica {
  ReplicaSlot to;
  ReplicaRequest request;
};
// The takeover is complete: entries up to `open` (an empty entry) are committed; the next has seq
// open + 1.
struct OpenedEffect {
  Seq open;
};
// committed rose: every entry <= committed is committed. In order, each seq once.
struct CommittedEffect {
  Seq committed;
};
// A higher epoch exists: this writer is done for good; what was not committed has an unknown
// outcome.
struct StoppedEffect {
  WriterEpoch by;
};
using WriterEffect = std::variant<SendToReplica, OpenedEffect, CommittedEffect, StoppedEffect>;

enum class WriterPhase { kFencing, kFilling, kOpening, kActive, kStopped };

struct WriterStatus {
  WriterPhase phase = WriterPhase::kFencing;
  WriterEpoch epoch;
  Seq committed;
  Seq next;
  uint64_t window_bytes = 0;             // submitted and not committed
  uint64_t straggler_bytes = 0;          // committed and kept for a slow replica
  std::vector<ReplicaSlot> waiting_for;  // replicas whose answer a takeover or commit lacks
  bool refused_full = false;             // some replica's last answer was Refused
  uint16_t group = 0;                    // current, index in the grant
  uint64_t switches = 0;                 // to another group because the current one was late
  uint64_t switches_before_open = 0;     // of them
  uint64_t returns = 0;                  // to the preferred group
  uint64_t late_commits = 0;             // batches durable in a group that was left meanwhile
};

class Writer {
 public:
  // Begins the takeover at once (first Step sends the fences).
  Writer(WriterOptions options, Grant grant);
  ~Writer();

  // Assigns the next seq to `payload`. kOverloaded when the window is full, kUnavailable before
  // OpenedEffect, kFenced after StoppedEffect, kTooLarge over entry_bytes_max. Goes out with the
  // next WriterFlush.
  core::Result<Seq> Submit(std::string payload);

  void Step(core::Instant now, WriterEvent event, std::vector<WriterEffect>* effects);
  std::optional<core::Instant> NextDeadline() const;
  WriterStatus Status() const;
  void CheckInvariants() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::quorum_queue
