// Restorer: makes a full member of a replica whose disk was lost and replaced, with what the two
// others of its group hold. One per region; one replica at a time.
//
// Pure: no I/O, no clock, no threads, no randomness. Feed it events, carry out its effects.
//
//   Watching --(a replica says that it is recovering)--> NeedGrant
//     --(GrantTaken: its disk is in the store, the epoch is fresh)--> Copying
//     Copying, per stream, per page: Recover to both others --(both answered)--> what is valid goes
//        to the recovering replica as Restore --(Stored)--> the next page, the next stream
//     --(all streams)--> Finishing: Restored --(it says that it is not recovering)--> Watching
//   any --(another disk answers in its place)--> Watching
//   Copying, Finishing --(nothing moves for the patience, and another replica is recovering too)-->
//     Watching; that one has its turn then
//
// Invariants:
//  (1) a grant is taken for each try, after the store has the new disk
//  (2) only the grant's disks count, and both others must answer for every page of every stream
//  (3) Restored goes out after every entry of every page was stored
//
// Why it may be done page by page, at different moments: docs/quorum_queue.md, "Replacing a lost
// disk". Not thread safe. Design section 3.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/time.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

struct RestorerOptions {
  std::vector<StreamId> streams;  // all of the region
  core::Duration look_every = std::chrono::seconds(1);
  // Doubled each time, up to 8 times this, until something moves.
  core::Duration ask_again_after = std::chrono::milliseconds(500);
  // The patience: doubled each time it ends, up to 32 times this, until a replica is restored. Each
  // try shuts running writers out once.
  core::Duration give_up_after = std::chrono::seconds(10);
};

// ---- events

struct RestorerAnswer {
  ReplicaSlot from;
  ReplicaAnswer answer;
};
struct RestorerTick {};
// The groups of the region now. Ends a try that is under way.
struct RestorerGroups {
  std::vector<Group> groups;
};
// From the store: answers NeedGrant. One that comes before it is asked for serves the next try, if
// its groups have the disk. A daemon takes one before those of its writers, which it then does not
// shut out.
struct GrantTaken {
  Grant grant;
};
using RestorerEvent = std::variant<RestorerAnswer, RestorerTick, RestorerGroups, GrantTaken>;

// ---- effects

struct RestorerSend {
  ReplicaSlot to;
  ReplicaRequest request;
};
// Record `disk` in the store, if `replace`, and then take a fresh grant. If that fails: nothing; it
// is asked for again.
struct NeedGrant {
  ReplicaSlot replica;
  DiskId disk;
  bool replace = false;
};
struct ReplicaRestored {
  ReplicaSlot replica;
  uint64_t entries = 0;
  uint64_t bytes = 0;
};
using RestorerEffect = std::variant<RestorerSend, NeedGrant, ReplicaRestored>;

enum class RestorePhase { kWatching, kWaitingForGrant, kCopying, kFinishing };

struct RestorerStatus {
  RestorePhase phase = RestorePhase::kWatching;
  ReplicaSlot replica;  // that is recovering
  uint64_t streams_done = 0;
  uint64_t entries = 0;  // copied so far
  uint64_t bytes = 0;
  std::vector<ReplicaSlot> waiting_for;  // others that have not answered
  std::string refused;    // why it does not take what it is sent: a full disk, a limit
  uint64_t given_up = 0;  // tries, for another replica's sake
};

class Restorer {
 public:
  explicit Restorer(RestorerOptions options);
  ~Restorer();
  void Step(core::Instant now, RestorerEvent event, std::vector<RestorerEffect>* effects);
  std::optional<core::Instant> NextDeadline() const;
  RestorerStatus Status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::quorum_queue
