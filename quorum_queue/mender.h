// Mender: keeps the members of each group equal. Asks every replica what it holds, reads what one
// lacks from one that has it, and fills it in.
//
// Pure: no I/O, no clock, no threads, no randomness. Feed it events, carry out its effects. Per
// stream:
//
//   Resting --(ask_every)--> Asking --(all answered, or ask_timeout)--> plan (mend_plan.h)
//     plan --(a gap)--> Reading --(entries)--> Filling --(Stored)--> the next piece
//     plan --(no gap left)--> the next page, or Resting
//       a refusal, a silence, a Fenced: the look goes on without that replica; the next one sees
//       what is still missing
//
// It is never in a hurry: it fills only what has been committed for `grace` and only replicas that
// have been answering for `grace`, so what the writer still sends is left to the writer. The rate
// is a token bucket, slower while the foreground is busy.
//
// Invariants:
//  (1) what it fills a reader's answer gave it: committed, and valid under the source's chain
//  (2) the epoch of a Fill is the last of the source's chain at a moment when the source knew the
//      entry to be committed. So the target promises what is needed for the copy to stay: a writer
//      with a lower epoch may not know of the entry, one with a higher epoch has it in its chain
//  (3) a replica counts only with the disk id of its group
//
// Not thread safe. Design section 3, "Mender".
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <variant>
#include <vector>

#include "core/time.h"
#include "quorum_queue/mend_plan.h"

namespace homeport::quorum_queue {

struct MenderOptions {
  std::vector<StreamId> streams;
  uint64_t session_base = 1;  // of its reads; random per process
  core::Duration ask_every = std::chrono::seconds(2);
  core::Duration answer_timeout = std::chrono::seconds(2);  // then without it, or later
  core::Duration grace = std::chrono::seconds(5);
  // A look begins where the members did not agree in the last one; so often, and when a replica
  // answers again, at the beginning: a copy may have been found damaged.
  core::Duration look_at_all_every = std::chrono::minutes(5);
  uint64_t bytes_per_s = 32 << 20;
  uint64_t busy_bytes_per_s = 1 << 20;  // while the foreground is busy
  size_t pieces_max = 4;  // read or filled at one time; each is what one ReadAnswer holds
};

// ---- events

struct MenderAnswer {
  ReplicaSlot from;
  ReplicaAnswer answer;
};
struct MenderTick {};
// Whether appends need the disks more than mending does.
struct Foreground {
  bool busy = false;
};
// The groups of the region, in the order of the grant. Before the first nothing is done.
struct GroupsChanged {
  std::vector<Group> groups;
};
using MenderEvent = std::variant<MenderAnswer, MenderTick, Foreground, GroupsChanged>;

// ---- effects

struct MenderSend {
  ReplicaSlot to;
  ReplicaRequest request;
};
// A rare branch, for log, metric and tests.
struct MenderNote {
  std::string_view kind;  // "mend_fenced", "mend_refused", "held_nowhere", ...
  StreamId stream;
  ReplicaSlot replica;
};
using MenderEffect = std::variant<MenderSend, MenderNote>;

// ---- status

// What a replica lacks of a stream. Of a silent one: what it lacked when it last answered, and all
// that was committed since.
struct UnderReplicated {
  StreamId stream;
  ReplicaSlot replica;
  bool silent = false;
  uint64_t entries = 0;
  uint64_t bytes = 0;
  core::Instant since{};
};
struct MenderStatus {
  std::vector<UnderReplicated> lacking;  // with entries > 0
  uint64_t held_nowhere = 0;             // seqs, over all streams
  // By draining group: committed entries that have to leave it. A group is missing while that is
  // not known of every stream.
  std::map<uint16_t, uint64_t> not_drained;
  // Since the groups changed every stream was looked at, as far as it was committed then for
  // `grace`, with answers of two of each group. Before, nothing above says that all is well.
  bool complete = false;
  uint64_t mended_entries = 0;  // since the start
  uint64_t mended_bytes = 0;
};

class Mender {
 public:
  explicit Mender(MenderOptions options);
  ~Mender();
  void Step(core::Instant now, MenderEvent event, std::vector<MenderEffect>* effects);
  std::optional<core::Instant> NextDeadline() const;
  MenderStatus Status() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace homeport::quorum_queue
