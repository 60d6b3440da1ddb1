// ReplicaStream: what a replica knows of one stream, and what a message does to it.
//
// A message is judged (IsSensible), cut down to what it changes (Reduce), logged, and the record
// applied. Replay applies the same records in the same order, so it ends in the same state.
//
// Invariants:
//  (1) promised >= last chain epoch
//  (2) trimmed <= committed
//  (3) every entry is > trimmed
//  (4) every entry <= committed is valid under the chain
// (4) holds whatever arrives, because IsSensible refuses what no correct writer or mender sends:
//   - an entry Filled at or below committed, or with the chain's own epoch, is valid under the
//   chain;
//   - an entry Filled with a later epoch e raises promised to e, so the next Append that can raise
//   committed has
//     epoch >= e, adopts a newer chain and drops what is not valid under it first;
//   - a chain that is adopted agrees with the one before on all that is committed and not trimmed.
//
// Pure; not thread safe. Design section 3, "Replica".
#pragma once

#include <map>

#include "quorum_queue/entry_index.h"
#include "quorum_queue/log_record.h"

namespace homeport::quorum_queue {

struct ReplicaStream {
  WriterEpoch promised;
  Chain chain;
  Seq committed;
  Seq trimmed;
  // Entries above committed, up to this one, may have been on this disk and are lost. Once
  // committed has passed it nothing is in doubt any more.
  Seq doubtful;
  // None of those is of a later epoch.
  WriterEpoch doubtful_epoch;
  EntryIndex index;

  // Whether a Fence could be answered only with entries missing that were stored here. Then it is
  // not answered at all: a takeover would take them for never written.
  bool IsDoubtful() const { return doubtful > committed; }

  // Whether a correct sender can have sent it, now that its epoch is >= promised. An empty chain
  // stands for the present one (as in records).
  bool IsSensible(const Fill& fill) const;
  bool IsSensible(const Append& append) const;

  // Empties what would change nothing: the chain unless newer, the run unless an entry would be
  // stored. False when nothing at all would change. REQUIRES: IsSensible.
  bool Reduce(Fill* fill) const;
  bool Reduce(Append* append) const;

  void Apply(const Fence& fence, RecordNumber record);
  void Apply(const Fill& fill, RecordNumber record);
  void Apply(const Append& append, RecordNumber record);
  void Apply(const Trim& trim, RecordNumber record);
  // Of a recovering replica: this is the state; entries that are not valid under its chain go.
  void Apply(const StreamCheckpoint& restored, RecordNumber record);

  // The record cannot be read any more: forgets its entries, and gives them out.
  std::vector<RunLocation> Lose(RecordNumber record);
  // Takes the scalars of a checkpoint that was written after records of which nothing is known
  // (`lost`), or that are not there any more. What entries the records before it left are kept
  // where they can only be right.
  void Restore(const StreamCheckpoint& checkpoint, bool lost);
  // Whether a checkpoint says what the records before it said.
  bool Matches(const StreamCheckpoint& checkpoint) const;

  StreamCheckpoint ToCheckpoint(StreamId stream) const;
  // The invariants; (4) walks all entries and only when asked.
  bool IsConsistent(bool entries_too) const;
};

using ReplicaStreams = std::map<StreamId, ReplicaStream>;

}  // namespace homeport::quorum_queue
