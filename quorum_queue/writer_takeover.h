// Takeover: fences the replicas of all groups and decides, once, where the new writer begins.
//
//   Fence to all --(2 of 3 in every group answered)--> Decide: base, last, chain, and what is to be
//   filled
//
//   a replica's answer:  page --(not the last)--> Fence for the next page ... --(the last)-->
//   answered
//
// Invariants:
//  (1) an answer counts only with the grant's disk id, and once per replica
//  (2) nothing is decided without 2 of 3 answers in every group
//  (3) a replica has answered when its last page is there, and every page before it was
//
// Part of Writer. Pure; not thread safe. Design section 3, "Writer, taking over".
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "core/time.h"
#include "quorum_queue/batch_log.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

// An answer, all its pages, and the replica (3 * group + slot) that gave it.
struct IndexedFenceAnswer {
  size_t replica = 0;
  FenceAnswer answer;
};

struct TakeoverDecision {
  Seq base;  // committed, or trimmed, for all that any answer knows
  Seq last;  // "t": entries beyond it were never acknowledged
  Seq trimmed;
  Chain chain;  // ends with (own epoch, last + 1)
  // (base, last] with their own epochs; `stored` says who showed a copy.
  std::vector<Batch> fills;
};

// Pure: the decision for what was answered. A batch has at most that many bytes and entries, or one
// entry.
TakeoverDecision Decide(const std::vector<IndexedFenceAnswer>& answers, WriterEpoch epoch,
                        uint64_t batch_bytes_max, uint64_t batch_entries_max);

class Takeover {
 public:
  Takeover(const WriterOptions& options, const Grant& grant);

  struct FenceDue {
    size_t replica = 0;
    Seq after;
    bool operator==(const FenceDue&) const = default;
  };
  // Fences to send now: to all at first, then the next page's, and again what was not answered in
  // time.
  std::vector<FenceDue> FencesDue(core::Instant now);
  std::optional<core::Instant> Deadline() const;

  // A page. One that is not the next of its replica is ignored: it comes twice, or late. REQUIRES:
  // `answer` bears the disk id of `replica`.
  void Add(size_t replica, FenceAnswer answer);
  // 2 of 3 in every group answered.
  bool HasQuorums() const;
  // The one decision. REQUIRES: HasQuorums(), not called before. Forgets the answers.
  TakeoverDecision Decide();
  // Replicas that did not answer, of groups that lack answers.
  std::vector<size_t> WaitingFor() const;

 private:
  struct Fencing {
    core::Instant due{};
    core::Duration delay;
    Seq after = Seq(0);                 // the page that is waited for
    std::optional<FenceAnswer> so_far;  // the pages before it
  };
  const WriterOptions& options_;
  const WriterEpoch epoch_;
  const size_t groups_;
  ReplicaSet answered_ = 0;
  std::vector<Fencing> fencing_;             // by replica
  std::vector<IndexedFenceAnswer> answers_;  // complete
  bool decided_ = false;
};

}  // namespace homeport::quorum_queue
