// RegionReplicas: the replicas of one region's groups. Outside of a grant a replica has a number
// that never changes, 3 * (its group's id - 1) + slot; inside, writers and readers count the groups
// they were given.
//
// A value. docs/quorum_queue.md, "Groups".
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "quorum_queue/grants.h"
#include "quorum_queue/writer.h"

namespace homeport::replicator {

// Where a reader that was given these numbers has this one; nullopt: not among them.
inline std::optional<uint8_t> IndexIn(const std::vector<uint8_t>& numbers, uint8_t number) {
  const auto found = std::find(numbers.begin(), numbers.end(), number);
  if (found == numbers.end()) return std::nullopt;
  return static_cast<uint8_t>(found - numbers.begin());
}

class RegionReplicas {
 public:
  explicit RegionReplicas(std::vector<quorum_queue::GroupId> groups = {quorum_queue::GroupId(1)})
      : groups_(std::move(groups)) {}
  explicit RegionReplicas(const std::vector<quorum_queue::Group>& groups) {
    for (const quorum_queue::Group& group : groups) groups_.push_back(group.id);
  }
  bool operator==(const RegionReplicas&) const = default;

  uint8_t NumberOf(quorum_queue::ReplicaSlot at) const {
    return quorum_queue::NumberOf(groups_.at(at.group), at.slot);
  }
  // nullopt: of a group that is not among these.
  std::optional<quorum_queue::ReplicaSlot> SlotOf(uint8_t number) const {
    for (uint16_t at = 0; at < groups_.size(); ++at) {
      for (uint8_t slot = 0; slot < 3; ++slot) {
        if (quorum_queue::NumberOf(groups_[at], slot) == number) return {{at, slot}};
      }
    }
    return std::nullopt;
  }

  // In the order in which a reader of this shard's stream asks them: first the group where its
  // writer is when all is well.
  std::vector<uint8_t> InReadingOrder(core::ShardId shard) const {
    std::vector<uint8_t> numbers;
    for (size_t i = 0; i < groups_.size(); ++i) {
      const size_t at = (shard.value() + i) % groups_.size();
      for (uint8_t slot = 0; slot < 3; ++slot) {
        numbers.push_back(quorum_queue::NumberOf(groups_[at], slot));
      }
    }
    return numbers;
  }

 private:
  std::vector<quorum_queue::GroupId> groups_;
};

}  // namespace homeport::replicator
