// BatchLog: what a writer has sent or is about to send, and which replicas have it. Batches are
// numbered 1, 2, 3 ... and their seqs are contiguous.
//
//   Add --> not committed --(Commit: durable, and all before it)--> committed --(DropFront)-->
//   forgotten
//
// Invariants:
//  (1) batch n + 1 begins at the seq after the last of batch n
//  (2) begin() <= first_uncommitted() <= end()
//
// Part of Writer. Pure; not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

// A set of replicas: bit 3 * group + slot.
using ReplicaSet = uint64_t;
inline constexpr size_t kGroupsMax = 21;  // three bits each

constexpr ReplicaSet ReplicasOfGroup(size_t group) {
  return ReplicaSet{7} << (3 * group);
}
// Whether 2 of the 3 replicas of `group` are in `set`.
constexpr bool HasQuorum(ReplicaSet set, size_t group) {
  const ReplicaSet three = set >> (3 * group) & 7;
  return (three & (three - 1)) != 0;
}
// A group with a quorum in `set`: `first` if it has one, else the lowest; nullopt when none has.
constexpr std::optional<size_t> GroupWithQuorum(ReplicaSet set, size_t first) {
  if (HasQuorum(set, first)) return first;
  for (size_t group = 0; group < kGroupsMax; ++group) {
    if (HasQuorum(set, group)) return group;
  }
  return std::nullopt;
}
// Whether some one group has a quorum in `set`.
constexpr bool HasQuorumInAnyGroup(ReplicaSet set) {
  return GroupWithQuorum(set, 0).has_value();
}

// What an entry costs beside its payload, so that empty ones are bounded too.
inline constexpr uint64_t kEntryOverheadBytes = 8;

struct Batch {
  enum class Kind : uint8_t {
    kFill,     // entries of earlier writers, sent as Fill
    kOpen,     // the empty entry that begins our epoch
    kEntries,  // what callers submitted
  };
  Kind kind = Kind::kEntries;
  EntryRun run;
  uint64_t cost = 0;      // payload bytes and kEntryOverheadBytes per entry
  ReplicaSet stored = 0;  // has it on disk
  size_t home = 0;        // of a committed one: the group where 2 of 3 have it
};
Batch MakeBatch(Batch::Kind kind, EntryRun run, ReplicaSet stored = 0);

class BatchLog {
 public:
  uint64_t begin() const { return begin_; }
  uint64_t end() const { return begin_ + batches_.size(); }
  uint64_t first_uncommitted() const { return first_uncommitted_; }
  uint64_t committed_bytes() const { return committed_bytes_; }  // cost of committed batches kept
  bool empty() const { return batches_.empty(); }

  // REQUIRES: begin() <= number < end().
  const Batch& at(uint64_t number) const;
  // First batch that begins at or after `seq`; end() when there is none.
  uint64_t FirstFrom(Seq seq) const;

  // REQUIRES: contiguous with the last batch.
  void Add(Batch batch);
  void MarkStored(uint64_t number, ReplicaSet by);
  // The first uncommitted batch becomes committed, by the replicas of group `home`. REQUIRES: there
  // is one.
  const Batch& Commit(size_t home);
  // REQUIRES: the front batch is committed.
  void DropFront();

 private:
  std::deque<Batch> batches_;
  uint64_t begin_ = 1;
  uint64_t first_uncommitted_ = 1;
  uint64_t committed_bytes_ = 0;
};

}  // namespace homeport::quorum_queue
