// WhyNotRetire: whether a draining group may be removed from the grant record, by what the others
// show.
//
// Pure. docs/quorum_queue.md, "Retiring a group", says why this is enough, and why nothing less is.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "quorum_queue/grants.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

// One stream at one replica, as it is on disk: a HoldingsAnswer, all pages of it.
struct HeldStream {
  WriterEpoch chain_epoch;
  Seq committed;
  Seq trimmed;
  std::vector<RunInfo> runs;  // ascending
};

// What is known of one stream.
struct StreamEvidence {
  StreamId stream;
  // A writer of it that is open: its epoch, and the seq of its Open. Taken before the rest was
  // asked for.
  WriterEpoch writer;
  Seq open;
  std::map<DiskId, HeldStream> held;  // by replicas of the remaining groups, those that answered
};

// Whether groups but `retire` hold all there is. `groups`: the record, as it was when the evidence
// was gathered; the removal must find the same (GrantStore::RemoveGroup). `streams`: one for every
// stream of the region. Returns what is missing first.
std::optional<std::string> WhyNotRetire(const std::vector<Group>& groups, GroupId retire,
                                        const std::vector<StreamEvidence>& streams);

}  // namespace homeport::quorum_queue
