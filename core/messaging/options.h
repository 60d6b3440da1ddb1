// MessagingOptions: limits and times of the messaging core that a cluster may set.
#pragma once

#include <chrono>
#include <cstdint>

namespace homeport::core {

struct MessagingOptions {
  // An inbox item is kept at least so long, whoever has it.
  std::chrono::milliseconds inbox_retention = std::chrono::hours(7 * 24);
  // A group's message is kept so long, and at least for device_gone_after.
  std::chrono::milliseconds group_retention = std::chrono::hours(90 * 24);
  // Unseen for so long, a device holds nothing any more; a user without a device keeps items so
  // long.
  std::chrono::milliseconds device_gone_after = std::chrono::hours(30 * 24);
  // What a device acknowledged is written once it is so many inbox items ahead of what is
  // remembered, or what is remembered is so old.
  uint64_t ack_items = 100;
  std::chrono::milliseconds ack_age = std::chrono::hours(1);
  // A message is taken back so long after its home accepted it.
  std::chrono::milliseconds recall_within = std::chrono::minutes(2);
  // Of a group that has an owner.
  uint64_t group_members_max = 500;
};

}  // namespace homeport::core
