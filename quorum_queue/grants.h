// Grants: the right to write streams, with an epoch that no one else ever gets.
//
// GrantStore is what a coordination store implements: one linearizable record per region with the
// epoch counter, the list of groups, and the disk id of each replica slot. Design section 3,
// "Grants".
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
  kDraining = 1,  // takes no entries any more; its copies count, and it is fenced
};

// Three replicas, one per zone.
struct Group {
  std::array<core::DiskId, 3> disks;
  GroupId id = GroupId(0);  // 0: none yet
  GroupState state = GroupState::kActive;
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
};

// LocalGrantStore: the record as one file of a region's directory, replaced atomically. For a
// region whose daemon is one process at a time (the directory's lock sees to that).
class LocalGrantStore : public GrantStore {
 public:
  // Makes the record for a new region. Fails if there is one.
  static core::Status Create(const std::string& file, core::Incarnation incarnation,
                             const std::vector<Group>& groups);
  static core::Result<std::unique_ptr<LocalGrantStore>> Open(const std::string& file,
                                                             core::Incarnation incarnation);
  core::Result<Grant> TakeGrant() override;
  const std::vector<Group>& groups() const { return groups_; }

 private:
  LocalGrantStore(std::string file, core::Incarnation incarnation)
      : file_(std::move(file)), incarnation_(incarnation) {}
  std::string file_;
  core::Incarnation incarnation_;
  uint64_t counter_ = 0;
  std::vector<Group> groups_;
};

}  // namespace homeport::quorum_queue
