// ReplicaProgress: what one replica has been sent, has answered, and when it is to be asked again.
//
//   Sending --(no answer in time)--> Probing --(answers an empty Append)--> Sending, from the first
//   missing batch on Sending --(Refused, or no answer while nothing may be announced)--> OneByOne:
//   by the timer, the first missing
//           batch alone --(stored)--> Sending
//
// Probing spares a dead replica's bandwidth, and a slow one gets nothing twice: what was sent
// before the probe is answered before it, so that only what is still missing then was lost.
//
// A replica of the current group takes every batch. When the writer goes on in another group it
// keeps a straggler's share: the batches that were committed by then. What was sent to it beside
// that still counts when it is stored; when its group is current again, it begins with what is not
// committed.
//
// Invariants:
//  (1) first_missing() <= next(), every batch below first_missing() is stored here, was dropped or
//  is
//      not for this replica
//  (2) in_flight_bytes() is the cost of the batches from first_missing() to next() that are not
//      stored here
//
// Part of Writer. Pure; not thread safe. Design section 3, "Writer, steady state".
#pragma once

#include <algorithm>
#include <optional>

#include "core/time.h"
#include "quorum_queue/batch_log.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

class ReplicaProgress {
 public:
  // What to send now, besides what fits the window.
  struct Due {
    bool announce = false;          // an empty Append
    std::optional<uint64_t> batch;  // this one, again
  };

  // `index`: 3 * group + slot. `takes_entries`: of the current group; others get news only.
  ReplicaProgress(const WriterOptions& options, size_t index, bool takes_entries);

  // Its group is current from now on: batches from `from` on are for it.
  void StartTaking(core::Instant now, uint64_t from);
  // Its group is current no more: batches from `end` on are not for it.
  void StopTaking(core::Instant now, uint64_t end);

  // Next batch to send that fits the window, or none. Tell by Sent. `may_announce`: an Append may
  // be sent to it in this phase.
  std::optional<uint64_t> NextToSend(bool may_announce, const BatchLog& log);
  // Has everything that is in the log, and room for `cost` more.
  bool HasRoomFor(uint64_t cost, const BatchLog& log);
  void Sent(core::Instant now, uint64_t number, const BatchLog& log);
  // An Append, with or without entries, told this.
  void Told(core::Instant now, Seq committed, Seq trimmed);
  // What it should know: announced when nothing tells it within announce_after.
  void OfferNews(core::Instant now, Seq committed, Seq trimmed);

  // Marks batches in `log` stored. Only whole batches that were sent count.
  void OnStored(core::Instant now, const Stored& stored, BatchLog* log);
  void OnRefused(core::Instant now);
  // The log's front batch is about to be dropped.
  void OnDropFront(const BatchLog& log);

  // REQUIRES: Deadline() <= now. `may_announce`: an Append may be sent to it in this phase. What is
  // due counts as sent as soon as the caller says Sent and Told.
  Due OnTimer(core::Instant now, bool may_announce, const BatchLog& log);
  std::optional<core::Instant> Deadline() const;

  // An Append to it need not carry the chain: it has shown that it adopted ours. While it is probed
  // it gets the chain again, whatever it showed.
  bool has_chain() const { return has_chain_ && mode_ == Mode::kSending; }
  bool refused_full() const { return refused_full_; }
  bool takes_entries() const { return end_ == kNoEnd; }
  // Whether the batch is kept for it: not stored here, and not left to the mender.
  bool Wants(uint64_t number, const BatchLog& log) const {
    return number >= first_missing_ && number < end_ && !(log.at(number).stored & bit());
  }
  uint64_t first_missing() const { return first_missing_; }
  uint64_t next() const { return next_; }
  uint64_t in_flight_bytes() const { return in_flight_bytes_; }
  ReplicaSet bit() const { return ReplicaSet{1} << index_; }
  void CheckInvariants(const BatchLog& log) const;

 private:
  enum class Mode { kSending, kProbing, kOneByOne };

  static constexpr uint64_t kNoEnd = UINT64_MAX;

  bool HasOutstanding() const;
  // Whether an answer shows that it lacks news we told it.
  bool LacksNews() const;
  void Rewind();
  void Restart(core::Instant now);
  bool MarkStored(const Stored& stored, BatchLog* log);
  void SkipStored(const BatchLog& log);
  std::optional<uint64_t> FirstMissing(const BatchLog& log) const;
  uint64_t EndIn(const BatchLog& log) const { return std::min(end_, log.end()); }

  // Of WriterOptions.
  const uint64_t window_bytes_max_;
  const core::Duration resend_after_;
  const core::Duration resend_after_max_;
  const core::Duration announce_after_;
  const size_t index_;

  Mode mode_ = Mode::kSending;
  bool has_chain_ = false;  // answered an Append of ours
  bool refused_full_ = false;
  uint64_t end_;  // batches from here on are not for it
  uint64_t first_missing_ = 1;
  uint64_t next_ = 1;
  uint64_t sent_end_ = 1;  // batches from here on were never sent
  uint64_t in_flight_bytes_ = 0;

  // News: `told` in the last Append, `shown` by its answers. Stored does not show trimmed: any
  // later answer is taken for it; a lost trim is told by the next Append.
  Seq told_committed_;
  Seq told_trimmed_;
  Seq shown_committed_;
  Seq shown_trimmed_;

  core::Duration delay_;
  std::optional<core::Instant> resend_at_;
  std::optional<core::Instant> announce_at_;
};

}  // namespace homeport::quorum_queue
