// MendPlan: from what the replicas of one stream say they hold, what each lacks and who can give
// it.
//
// An entry counts as held for others to take only where its holder knows it to be committed: there
// all is valid (ReplicaStream, invariant 4), and a committed seq has one entry for ever. So two
// members never contradict one another, and what one has another may be given.
//
// Pure, thread safe. Part of Mender.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "quorum_queue/held_runs.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

// `run` is lacking at `target`; `source` holds all of it.
struct MendGap {
  ReplicaSlot target;
  ReplicaSlot source;
  WriterEpoch epoch;  // last of the source's chain
  RunInfo run;
};

struct MendPlan {
  std::vector<MendGap> gaps;
  std::vector<HeldRuns> wanted;             // by group: what each member should hold
  std::map<ReplicaSlot, HeldRuns> lacking;  // of those that answered, draining groups left out
  std::optional<uint64_t> held_nowhere;     // seqs; known only when all answered
  // By draining group: committed entries that have to leave it. Known only when two of it and two
  // of every group that stays answered; then 0 where there is nothing.
  std::map<uint16_t, uint64_t> not_drained;
};

// About seqs first .. last. What a draining group holds and no active group has at 2 of 3 goes to
// the first active group. The answers bear the disk ids of the groups and show all of it.
MendPlan PlanMend(const std::vector<Group>& groups,
                  const std::map<ReplicaSlot, HoldingsAnswer>& answers, Seq first, Seq last);

}  // namespace homeport::quorum_queue
