#include "quorum_queue/replica_progress.h"

#include <algorithm>

#include "core/check.h"

namespace homeport::quorum_queue {

using core::Instant;

ReplicaProgress::ReplicaProgress(const WriterOptions& options, size_t index, bool takes_entries)
    : window_bytes_max_(options.replica_window_bytes_max),
      resend_after_(options.resend_after),
      resend_after_max_(std::max(options.resend_after, options.resend_after_max)),
      announce_after_(options.announce_after),
      index_(index),
      end_(takes_entries ? kNoEnd : 0),
      delay_(options.resend_after) {}

bool ReplicaProgress::LacksNews() const {
  return shown_committed_ < told_committed_ || shown_trimmed_ < told_trimmed_;
}

bool ReplicaProgress::HasOutstanding() const {
  return mode_ != Mode::kSending || in_flight_bytes_ > 0 || LacksNews();
}

void ReplicaProgress::SkipStored(const BatchLog& log) {
  const uint64_t end = EndIn(log);
  while (first_missing_ < end && (log.at(first_missing_).stored & bit())) ++first_missing_;
  next_ = std::max(next_, first_missing_);
  while (next_ < end && (log.at(next_).stored & bit())) ++next_;
}

std::optional<uint64_t> ReplicaProgress::FirstMissing(const BatchLog& log) const {
  if (first_missing_ >= EndIn(log)) return std::nullopt;
  return first_missing_;
}

void ReplicaProgress::StartTaking(Instant now, uint64_t from) {
  end_ = kNoEnd;
  first_missing_ = from;
  delay_ = resend_after_;
  Rewind();
  Restart(now);
  // What it was asked before is asked now: an answer is wanted at once.
  if (mode_ != Mode::kSending) resend_at_ = now;
}

void ReplicaProgress::StopTaking(Instant now, uint64_t end) {
  end_ = end;
  Rewind();
  Restart(now);
}

std::optional<uint64_t> ReplicaProgress::NextToSend(bool may_announce, const BatchLog& log) {
  if (mode_ != Mode::kSending) return std::nullopt;
  SkipStored(log);
  if (next_ >= EndIn(log)) return std::nullopt;
  // Open waits for the fills before it.
  if (!may_announce && log.at(next_).kind == Batch::Kind::kOpen) return std::nullopt;
  const uint64_t cost = log.at(next_).cost;
  if (in_flight_bytes_ > 0 && in_flight_bytes_ + cost > window_bytes_max_) return std::nullopt;
  return next_;
}

bool ReplicaProgress::HasRoomFor(uint64_t cost, const BatchLog& log) {
  if (!takes_entries() || mode_ != Mode::kSending) return false;
  SkipStored(log);
  return next_ >= log.end() &&
         (in_flight_bytes_ == 0 || in_flight_bytes_ + cost <= window_bytes_max_);
}

void ReplicaProgress::Sent(Instant now, uint64_t number, const BatchLog& log) {
  CHECK(number == next_, "batches are sent in order", number, next_);
  in_flight_bytes_ += log.at(number).cost;
  next_ = number + 1;
  sent_end_ = std::max(sent_end_, next_);
  if (!resend_at_) resend_at_ = now + delay_;
}

void ReplicaProgress::Told(Instant now, Seq committed, Seq trimmed) {
  told_committed_ = std::max(told_committed_, committed);
  told_trimmed_ = std::max(told_trimmed_, trimmed);
  announce_at_.reset();
  if (!resend_at_ && HasOutstanding()) resend_at_ = now + delay_;
}

void ReplicaProgress::OfferNews(Instant now, Seq committed, Seq trimmed) {
  if (announce_at_ || (committed <= told_committed_ && trimmed <= told_trimmed_)) return;
  announce_at_ = now + announce_after_;
}

void ReplicaProgress::Rewind() {
  next_ = first_missing_;
  in_flight_bytes_ = 0;
}

// The time-out begins anew, if there is still something to wait for.
void ReplicaProgress::Restart(Instant now) {
  resend_at_.reset();
  if (HasOutstanding()) resend_at_ = now + delay_;
}

bool ReplicaProgress::MarkStored(const Stored& stored, BatchLog* log) {
  if (stored.count == 0) return false;
  const Seq last = stored.first + (stored.count - 1);
  const uint64_t end = std::min(log->end(), sent_end_);
  bool any = false;
  for (uint64_t n = log->FirstFrom(stored.first); n < end && log->at(n).run.last() <= last; ++n) {
    const Batch& batch = log->at(n);
    if ((batch.stored & bit()) || (batch.kind == Batch::Kind::kFill) != stored.fill) continue;
    log->MarkStored(n, bit());
    if (n >= first_missing_ && n < next_) in_flight_bytes_ -= batch.cost;
    any = true;
  }
  return any;
}

void ReplicaProgress::OnStored(Instant now, const Stored& stored, BatchLog* log) {
  const uint64_t missing_before = first_missing_;
  const Seq shown_before = shown_committed_;
  const bool stored_more = MarkStored(stored, log);
  SkipStored(*log);
  shown_committed_ = std::max(shown_committed_, stored.committed);
  if (!stored.fill) {
    has_chain_ = true;
    shown_trimmed_ = told_trimmed_;
  }
  const bool nothing_missing = !FirstMissing(*log) || first_missing_ >= sent_end_;

  if (refused_full_ && !stored_more && !nothing_missing)
    return;  // small messages work on a full disk
  const bool moved = first_missing_ != missing_before;
  bool restart = moved || (in_flight_bytes_ == 0 && shown_committed_ != shown_before);
  refused_full_ = false;
  delay_ = resend_after_;
  if (mode_ == Mode::kProbing) {
    // An empty answer: the probe's. What is not answered by now was lost.
    if (stored.count == 0) Rewind();
    if (stored.count == 0 || moved || in_flight_bytes_ == 0) {
      mode_ = Mode::kSending;
      restart = true;
    }
  } else if (mode_ == Mode::kOneByOne && (stored_more || nothing_missing)) {
    mode_ = Mode::kSending;
    restart = true;
  }
  if (restart || !HasOutstanding()) Restart(now);
}

void ReplicaProgress::OnRefused(Instant now) {
  refused_full_ = true;
  if (mode_ == Mode::kOneByOne) return;
  mode_ = Mode::kOneByOne;
  Rewind();
  Restart(now);
}

void ReplicaProgress::OnDropFront(const BatchLog& log) {
  const uint64_t number = log.begin();
  const Batch& batch = log.at(number);
  if (number >= first_missing_ && number < next_ && !(batch.stored & bit())) {
    in_flight_bytes_ -= batch.cost;
  }
  first_missing_ = std::max(first_missing_, number + 1);
  next_ = std::max(next_, number + 1);
}

ReplicaProgress::Due ReplicaProgress::OnTimer(Instant now, bool may_announce, const BatchLog& log) {
  Due due;
  if (mode_ == Mode::kSending && announce_at_ && *announce_at_ <= now) {
    announce_at_.reset();
    due.announce = may_announce;
  }
  if (!resend_at_ || *resend_at_ > now) return due;
  if (!HasOutstanding()) {  // what it waited for was dropped meanwhile
    resend_at_.reset();
    return due;
  }

  delay_ = std::min(delay_ * 2, resend_after_max_);
  resend_at_ = now + delay_;
  SkipStored(log);
  if (may_announce && !refused_full_) {
    mode_ = Mode::kProbing;
    due.announce = true;
    return due;
  }
  mode_ = Mode::kOneByOne;
  Rewind();
  due.batch = FirstMissing(log);
  if (due.batch && !may_announce && log.at(*due.batch).kind == Batch::Kind::kOpen) {
    due.batch.reset();
  }
  // A full disk still takes news.
  due.announce = may_announce;
  return due;
}

std::optional<Instant> ReplicaProgress::Deadline() const {
  if (mode_ != Mode::kSending || !announce_at_) return resend_at_;
  return resend_at_ ? std::min(*resend_at_, *announce_at_) : *announce_at_;
}

void ReplicaProgress::CheckInvariants(const BatchLog& log) const {
  CHECK(first_missing_ <= next_, "nothing is missing that was not sent", first_missing_, next_);
  CHECK(!HasOutstanding() || resend_at_, "what is not answered is asked for again", index_);
#if !defined(NDEBUG) || defined(HOMEPORT_EXPENSIVE_CHECKS)
  uint64_t in_flight = 0;
  for (uint64_t n = std::max(first_missing_, log.begin()); n < std::min(next_, log.end()); ++n) {
    if (!(log.at(n).stored & bit())) in_flight += log.at(n).cost;
  }
  CHECK(in_flight == in_flight_bytes_, "in flight is what was sent and not answered", in_flight,
        in_flight_bytes_);
#else
  (void)log;
#endif
}

}  // namespace homeport::quorum_queue
