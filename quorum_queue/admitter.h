// Admitter: lets replicas take part once it is known that their directories are not old copies of
// themselves, and has those given up that are. One per region.
//
// Pure: no I/O, no clock, no threads, no randomness. Feed it events, carry out its effects.
//
//   a replica that waits, in a life that is known --> StoreLives: the next life is offered
//     --(LivesStored)--> Admit(offered) --(it is on the replica's disk)--> StoreLives: admitted
//     --(LivesStored)--> Admit(admitted)
//   a replica that takes part: its last record is stored as its mark, every `look_every`
//   an amnesiac, and both others of its group take part --> Admit(amnesiac)
//
// Invariants:
//  (1) a life is on a replica's disk only after it was stored as offered, and takes part only after
//      it was stored as admitted
//  (2) an answer counts only if its question was put after the answer before had come: so those of
//      one replica that count were given in the order in which they came
//  (3) at most one replica of a group is told to give up its directory, and only when the other two
//      take part
//
// Not thread safe. docs/quorum_queue.md, "Amnesiacs".
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/time.h"
#include "quorum_queue/disk_life.h"
#include "quorum_queue/grants.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

struct AdmitterOptions {
  std::vector<DiskLife> lives;                                 // as they were stored last
  core::Duration look_every = std::chrono::seconds(1);         // while all take part
  core::Duration look_again = std::chrono::milliseconds(200);  // while one does not
};

// ---- events

struct LifeAnswered {
  ReplicaSlot from;
  LifeAnswer answer;
};
struct AdmitterTick {};
struct AdmitterGroups {
  std::vector<Group> groups;
};
// Of the last StoreLives. Not ok: what is stored is that or what was there before.
struct LivesStored {
  bool ok = true;
};
using AdmitterEvent = std::variant<LifeAnswered, AdmitterTick, AdmitterGroups, LivesStored>;

// ---- effects

struct AdmitterSend {
  ReplicaSlot to;
  ReplicaRequest request;
};
// In place of all that was stored; durably, then LivesStored. One at a time.
struct StoreLives {
  std::vector<DiskLife> lives;  // ascending disks
};
enum class AdmissionNote : uint8_t {
  kAdmitted,      // takes part from now on
  kAmnesiac,      // was put back from an old copy: gives up once both others of its group take part
  kGivesUp,       // is told to give up its directory
  kStoreIsOlder,  // is ahead of what was stored: nothing is done, an operator decides
};
struct AdmitterNote {
  ReplicaSlot replica;
  DiskId disk;
  AdmissionNote note = AdmissionNote::kAdmitted;
};
using AdmitterEffect = std::variant<AdmitterSend, StoreLives, AdmitterNote>;

// What a replica said last, in answer to the last look or the one before.
enum class ReplicaLife : uint8_t {
  kSilent,
  kTakesPart,
  kRecovering,  // and admitted, so that it can be restored
  kWaiting,     // to be admitted
  kAmnesiac,
  kStoreIsOlder,
};

class Admitter {
 public:
  explicit Admitter(AdmitterOptions options);
  ~Admitter();
  void Step(core::Instant now, AdmitterEvent event, std::vector<AdmitterEffect>* effects);
  std::optional<core::Instant> NextDeadline() const;
  ReplicaLife StateOf(ReplicaSlot replica) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::quorum_queue
