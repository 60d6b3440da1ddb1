// Grants: the right to write streams, with an epoch that no one else ever gets.
//
// GrantStore is what a coordination store implements: one linearizable record per region with the
// epoch counter, the list of groups, and the disk id of each replica slot. Design section 3,
// "Grants".
//
//   a group:  AddGroup --> active --(DrainGroup)--> draining --(RemoveGroup: see retire.h)--> gone
//
// Every change takes a number of the counter: a grant with a higher number shows it, one with a
// lower number does not. Invariants:
//  (1) the counter never decreases, and no number is given twice, also over a crash
//  (2) at least one group is active
//  (3) a group's number is never given again, and a disk's id stands in one place only. That an id
//      that left the record does not come back is up to those who draw it: at random, for each
//      directory that is formatted (identity.h)
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/status.h"

namespace homeport::quorum_queue {

// Numbers the groups of a region; never used again, also when the group is gone.
using GroupId = core::StrongInt<struct GroupIdTag, uint32_t>;

enum class GroupState : uint8_t {
  kActive = 0,
  kDraining = 1,  // takes no entries of writers that know it; its copies count, and it is fenced
};

// Three replicas, one per zone.
struct Group {
  std::array<core::DiskId, 3> disks;
  GroupId id = GroupId(0);  // 0: none yet
  GroupState state = GroupState::kActive;
  // The record's number when draining began: a grant with it or a higher one knows. 0: active.
  uint64_t drained_at = 0;
  // Of the replicas; empty: where the configuration says.
  std::array<std::string, 3> endpoints = {};
  bool operator==(const Group&) const = default;
};

struct Grant {
  core::WriterEpoch epoch;
  std::vector<Group> groups;
};

// Epoch = counter (40 bits) above random bits (24), compared as one number.
inline constexpr int kEpochRandomBits = 24;
constexpr core::WriterEpoch MakeEpoch(uint64_t counter, uint64_t random) {
  return core::WriterEpoch(counter << kEpochRandomBits |
                           (random & ((uint64_t{1} << kEpochRandomBits) - 1)));
}

class GrantStore {
 public:
  virtual ~GrantStore() = default;
  // Increments the counter, durably, and returns epoch and groups of that moment.
  virtual core::Result<Grant> TakeGrant() = 0;
  // The groups as they are now.
  virtual core::Result<std::vector<Group>> Groups() = 0;
  // The highest id ever given; 0: none.
  virtual core::Result<GroupId> LastGroup() = 0;

  // Changes of the record. Each takes a number too, is atomic, and returns the grant with that
  // number, which shows the change. kBadRequest, and nothing is changed, when it is not allowed.
  //
  // A new group, active; its id and state are given here. Its disks must be freshly formatted.
  virtual core::Result<Grant> AddGroup(Group group) = 0;
  // Not the last active one. Again is harmless.
  virtual core::Result<Grant> DrainGroup(GroupId id) = 0;
  // A draining group. `seen`: the groups that were looked at when it was found that it may go
  // (retire.h); refused when they have changed since.
  virtual core::Result<Grant> RemoveGroup(GroupId id, const std::vector<Group>& seen) = 0;
  // The disk of a slot (0 .. 2) is lost and another takes its place. The grant's epoch may be used
  // for Recover.
  virtual core::Result<Grant> ReplaceDisk(GroupId id, size_t slot, core::DiskId disk) = 0;
};

// The record, and what a change makes of it: pure, for any store to use. A change has the next
// number.
struct GrantRecord {
  core::Incarnation incarnation;
  uint64_t counter = 0;
  GroupId last_group = GroupId(0);  // highest ever given
  std::vector<Group> groups;
  // Up to here the coordination store gave numbers to this record, and to none else; 0: the cluster
  // has no store, or it was never reached, and the numbers are this record's own.
  uint64_t reserved_through = 0;
  bool operator==(const GrantRecord&) const = default;
};
GrantRecord NextGrant(GrantRecord record);
core::Result<GrantRecord> WithGroup(GrantRecord record, Group group);
core::Result<GrantRecord> WithDraining(GrantRecord record, GroupId id);
core::Result<GrantRecord> WithoutGroup(GrantRecord record, GroupId id,
                                       const std::vector<Group>& seen);
core::Result<GrantRecord> WithDisk(GrantRecord record, GroupId id, size_t slot, core::DiskId disk);

// LocalGrantStore: the record as one file of a region's directory, replaced atomically. For a
// region whose daemon is one process at a time (the directory's lock sees to that).
//
// Where there is a coordination store, numbers come from blocks that it reserved for this file
// (docs/coordination.md, "Writer epochs"): then a file put back from an old copy, or a second one,
// gives no number again once it has asked the store at a start. kUnavailable when the block is used
// up.
class LocalGrantStore : public GrantStore {
 public:
  // Makes the record for a new region; the groups get the numbers 1, 2, 3 ... Fails if there is
  // one.
  static core::Status Create(const std::string& file, core::Incarnation incarnation,
                             const std::vector<Group>& groups);
  static core::Result<std::unique_ptr<LocalGrantStore>> Open(const std::string& file,
                                                             core::Incarnation incarnation);
  core::Result<Grant> TakeGrant() override;
  core::Result<std::vector<Group>> Groups() override { return record_.groups; }
  core::Result<GroupId> LastGroup() override { return record_.last_group; }
  core::Result<Grant> AddGroup(Group group) override;
  core::Result<Grant> DrainGroup(GroupId id) override;
  core::Result<Grant> RemoveGroup(GroupId id, const std::vector<Group>& seen) override;
  core::Result<Grant> ReplaceDisk(GroupId id, size_t slot, core::DiskId disk) override;
  // From here on numbers are first .. last. REQUIRES: no other record ever had or gets them.
  core::Status Reserve(uint64_t first, uint64_t last);
  // The last number given.
  uint64_t counter() const { return record_.counter; }
  uint64_t reserved_through() const { return record_.reserved_through; }
  const std::vector<Group>& groups() const { return record_.groups; }
  GroupId last_group() const { return record_.last_group; }

 private:
  explicit LocalGrantStore(std::string file, GrantRecord record)
      : file_(std::move(file)), record_(std::move(record)) {}
  core::Result<Grant> Write(core::Result<GrantRecord> changed);
  std::string file_;
  GrantRecord record_;
};

}  // namespace homeport::quorum_queue
