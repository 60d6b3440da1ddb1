// MessagingOptions: limits and times of the messaging core that a cluster may set.
#pragma once

#include <chrono>
#include <cstdint>

namespace homeport::core {

// A rule of moving users that is left out: to prove that the tests notice (docs/mastership.md).
enum class PlantedMoveBug : uint8_t {
  kNone,
  kQueueNotFinished,    // what was asked before the Transfer is carried out after it
  kAdoptsUnreplayed,    // adopts without what its old home had
  kForwardsNothing,     // what comes for who has moved on is taken for delivered
  kEpochNotCompared,    // sends on to where it believes the home, whoever knows better
  kParksNothing,        // what comes before its user is dropped
  kParkedStay,          // a Transfer leaves parked intents behind
  kServesAfterRestart,  // does not wait for what adopted users need, after a restart
  kLateItemsRise,       // what comes late from an old home undoes what the new one did
  kMemoryStays,         // client message ids of a user are forgotten on the way
};

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
  PlantedMoveBug move_bug = PlantedMoveBug::kNone;
};

}  // namespace homeport::core
