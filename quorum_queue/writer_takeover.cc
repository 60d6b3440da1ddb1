#include "quorum_queue/writer_takeover.h"

#include <algorithm>
#include <iterator>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {
namespace {

using core::Instant;

// The run of `answer` that has `seq` with `epoch`, or nullptr. Runs ascend.
const EntryRun* FindRun(const FenceAnswer& answer, Seq seq, WriterEpoch epoch) {
  const auto after = std::upper_bound(answer.runs.begin(), answer.runs.end(), seq,
                                      [](Seq s, const EntryRun& run) { return s < run.first; });
  if (after == answer.runs.begin()) return nullptr;
  const EntryRun& run = *std::prev(after);
  const bool valid = run.epoch == epoch || HOMEPORT_PLANTED("chain-check-left-out");
  return !run.empty() && run.last() >= seq && valid ? &run : nullptr;
}

bool HoldsAll(const FenceAnswer& answer, Seq first, Seq last, WriterEpoch epoch) {
  for (Seq seq = first; seq <= last;) {
    const EntryRun* run = FindRun(answer, seq, epoch);
    if (run == nullptr) return false;
    seq = run->last() + 1;
  }
  return true;
}

// The end of the part of `chain` that `seq` lies in.
Seq LinkEnd(const Chain& chain, Seq seq) {
  for (const ChainLink& link : chain) {
    if (link.start > seq) return link.start - 1;
  }
  return kSeqMax;
}

// How many entries of `run` from `first` on make a batch.
uint64_t BatchCount(const EntryRun& run, Seq first, uint64_t bytes_max, uint64_t entries_max) {
  uint64_t count = 0;
  uint64_t bytes = 0;
  for (uint64_t i = first - run.first; i < run.count() && count < entries_max; ++i) {
    bytes += run.sizes[i];
    if (count > 0 && bytes > bytes_max) break;
    ++count;
  }
  return count;
}

// Links that entries > trimmed and <= last need, and the new one.
Chain NewChain(const Chain& found, Seq trimmed, Seq last, WriterEpoch epoch) {
  Chain chain;
  for (size_t i = 0; i < found.size() && found[i].start <= last; ++i) {
    const bool wholly_trimmed = i + 1 < found.size() && found[i + 1].start <= trimmed + 1;
    if (!wholly_trimmed) chain.push_back(found[i]);
  }
  chain.push_back({epoch, last + 1});
  return chain;
}

}  // namespace

TakeoverDecision Decide(const std::vector<IndexedFenceAnswer>& answers, WriterEpoch epoch,
                        uint64_t batch_bytes_max, uint64_t batch_entries_max) {
  TakeoverDecision decision;
  const Chain* found = nullptr;
  for (const IndexedFenceAnswer& one : answers) {
    decision.base = std::max({decision.base, one.answer.committed, one.answer.trimmed});
    decision.trimmed = std::max(decision.trimmed, one.answer.trimmed);
    if (found == nullptr || LastEpoch(one.answer.chain) > LastEpoch(*found)) {
      found = &one.answer.chain;
    }
  }
  CHECK(found != nullptr, "a decision needs answers");

  decision.last = decision.base;
  while (true) {
    const Seq first = decision.last + 1;
    const WriterEpoch valid = EpochAt(*found, first);
    if (valid == WriterEpoch(0)) break;
    const EntryRun* run = nullptr;
    for (const IndexedFenceAnswer& one : answers) {
      const EntryRun* other = FindRun(one.answer, first, valid);
      // The longest, so that batches are few.
      if (other != nullptr && (run == nullptr || other->last() > run->last())) run = other;
    }
    if (run == nullptr) break;
    const uint64_t in_link = LinkEnd(*found, first) - decision.last;
    const uint64_t count =
        std::min(BatchCount(*run, first, batch_bytes_max, batch_entries_max), in_link);
    decision.last = decision.last + count;
    ReplicaSet stored = 0;
    for (const IndexedFenceAnswer& one : answers) {
      if (HoldsAll(one.answer, first, decision.last, valid)) stored |= ReplicaSet{1} << one.replica;
    }
    decision.fills.push_back(MakeBatch(Batch::Kind::kFill, SliceRun(*run, first, count), stored));
  }
  decision.chain = NewChain(*found, decision.trimmed, decision.last, epoch);
  return decision;
}

Takeover::Takeover(const WriterOptions& options, const Grant& grant)
    : options_(options),
      epoch_(grant.epoch),
      groups_(grant.groups.size()),
      fencing_(3 * grant.groups.size(), Fencing{Instant{}, options.resend_after, Seq(0), {}}) {}

std::vector<Takeover::FenceDue> Takeover::FencesDue(Instant now) {
  std::vector<FenceDue> due;
  if (decided_) return due;
  for (size_t r = 0; r < fencing_.size(); ++r) {
    Fencing& one = fencing_[r];
    if ((answered_ >> r & 1) || one.due > now) continue;
    due.push_back({r, one.after});
    one.due = now + one.delay;
    one.delay = std::min(one.delay * 2, std::max(options_.resend_after, options_.resend_after_max));
  }
  return due;
}

std::optional<Instant> Takeover::Deadline() const {
  std::optional<Instant> first;
  if (decided_) return first;
  for (size_t r = 0; r < fencing_.size(); ++r) {
    if (answered_ >> r & 1) continue;
    if (!first || fencing_[r].due < *first) first = fencing_[r].due;
  }
  return first;
}

void Takeover::Add(size_t replica, FenceAnswer answer) {
  // Later answers change nothing: the takeover is decided once. Neither do those of a replica that
  // knows our own epoch's chain or a later one: we announced none yet, so it is no answer to us.
  if (decided_ || (answered_ >> replica & 1) || LastEpoch(answer.chain) >= epoch_) return;
  Fencing& one = fencing_[replica];
  if (answer.after != one.after) return;
  const bool is_last = answer.is_last_page();
  const Seq next_after = answer.through;
  if (!one.so_far) {
    one.so_far = std::move(answer);
  } else {
    // Its promise keeps the chain as it is; trimming may have raised the rest.
    one.so_far->committed = std::max(one.so_far->committed, answer.committed);
    one.so_far->trimmed = std::max(one.so_far->trimmed, answer.trimmed);
    std::move(answer.runs.begin(), answer.runs.end(), std::back_inserter(one.so_far->runs));
  }
  if (!is_last) {
    one = {Instant{}, options_.resend_after, next_after, std::move(one.so_far)};
    return;
  }
  answered_ |= ReplicaSet{1} << replica;
  answers_.push_back({replica, *std::move(one.so_far)});
  one.so_far.reset();
}

bool Takeover::HasQuorums() const {
  for (size_t group = 0; group < groups_; ++group) {
    if (!HasQuorum(answered_, group)) return false;
  }
  return true;
}

TakeoverDecision Takeover::Decide() {
  CHECK(!decided_ && HasQuorums(), "a takeover is decided once, with 2 of 3 of every group");
  decided_ = true;
  // In the order of replicas, so that the order of arrival does not matter.
  std::sort(answers_.begin(), answers_.end(),
            [](const auto& a, const auto& b) { return a.replica < b.replica; });
  TakeoverDecision decision =
      quorum_queue::Decide(answers_, epoch_, options_.batch_bytes_max, options_.batch_entries_max);
  answers_.clear();
  fencing_.clear();  // with the pages of those that were not waited for
  return decision;
}

std::vector<size_t> Takeover::WaitingFor() const {
  std::vector<size_t> waiting;
  for (size_t r = 0; r < fencing_.size(); ++r) {
    if (!(answered_ >> r & 1) && !HasQuorum(answered_, r / 3)) waiting.push_back(r);
  }
  return waiting;
}

}  // namespace homeport::quorum_queue
