#include "quorum_queue/replica_stream.h"

#include <algorithm>

#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {
namespace {

// Whether two chains say the same epoch for each of first .. last.
bool Agree(const Chain& a, const Chain& b, Seq first, Seq last) {
  if (first > last) return true;
  const auto agree_at = [&](Seq seq) { return EpochAt(a, seq) == EpochAt(b, seq); };
  const auto agree_at_starts = [&](const Chain& chain) {
    return std::all_of(chain.begin(), chain.end(), [&](const ChainLink& link) {
      return link.start <= first || link.start > last || agree_at(link.start);
    });
  };
  return agree_at(first) && agree_at_starts(a) && agree_at_starts(b);
}

// Where the entries of `run` above `trimmed` stand; nullopt when there are none.
std::optional<RunLocation> Locate(const EntryRun& run, Seq trimmed, RecordNumber record) {
  if (run.empty() || run.last() <= trimmed) return std::nullopt;
  const RunLocation whole{.first = run.first,
                          .count = run.count(),
                          .epoch = run.epoch,
                          .record = record,
                          .record_first = run.first,
                          .record_count = run.count(),
                          .record_bytes = SumOfSizes(run)};
  return Clip(whole, trimmed + 1, run.last());
}

// Whether storing `run` would change nothing: all of it is trimmed, or there with its epoch.
bool IsHeld(const EntryIndex& index, const EntryRun& run, Seq trimmed) {
  const auto stored = Locate(run, trimmed, RecordNumber(0));
  return !stored || index.Holds(stored->first, stored->last(), stored->epoch);
}

void RaiseTrimmed(ReplicaStream* stream, Seq trimmed) {
  if (trimmed <= stream->trimmed) return;
  stream->trimmed = trimmed;
  stream->committed = std::max(stream->committed, trimmed);
  stream->index.DropThrough(trimmed);
}

}  // namespace

bool ReplicaStream::IsSensible(const Fill& fill) const {
  const EntryRun& run = fill.run;
  if (run.empty()) return true;
  if (run.epoch > fill.epoch) return false;
  const Seq first = std::max(run.first, trimmed + 1);
  const Seq last = fill.epoch == LastEpoch(chain) ? run.last() : std::min(run.last(), committed);
  // Epochs ascend along a chain: the same one at both ends is the same one between.
  return first > last || (EpochAt(chain, first) == run.epoch && EpochAt(chain, last) == run.epoch);
}

bool ReplicaStream::IsSensible(const Append& append) const {
  const Chain& lineage = append.chain.empty() ? chain : append.chain;
  if (LastEpoch(lineage) != append.epoch) return false;
  const EntryRun& run = append.run;
  if (!run.empty() && (run.epoch != append.epoch || run.first < lineage.back().start)) return false;
  // One decision per epoch.
  if (append.epoch == LastEpoch(chain)) return lineage.back() == chain.back();
  return Agree(chain, lineage, std::max(trimmed, append.trimmed) + 1, committed);
}

bool ReplicaStream::Reduce(Fill* fill) const {
  if (IsHeld(index, fill->run, trimmed)) fill->run = {};
  return !fill->run.empty() || fill->epoch > promised;
}

bool ReplicaStream::Reduce(Append* append) const {
  // Entries held with the Append's epoch stay valid when its chain is adopted: it ends with that
  // epoch.
  if (IsHeld(index, append->run, std::max(trimmed, append->trimmed))) append->run = {};
  if (LastEpoch(append->chain) <= LastEpoch(chain)) append->chain.clear();
  return !append->run.empty() || !append->chain.empty() || append->epoch > promised ||
         append->committed > committed || append->trimmed > trimmed;
}

void ReplicaStream::Apply(const Fence& fence, RecordNumber) {
  promised = std::max(promised, fence.epoch);
}

void ReplicaStream::Apply(const Fill& fill, RecordNumber record) {
  promised = std::max(promised, fill.epoch);
  if (const auto run = Locate(fill.run, trimmed, record)) index.PutMissing(*run);
}

void ReplicaStream::Apply(const Append& append, RecordNumber record) {
  promised = std::max(promised, append.epoch);
  RaiseTrimmed(this, append.trimmed);
  if (!append.chain.empty()) {
    chain = append.chain;
    // Up to committed all is valid: invariant (4).
    if (!HOMEPORT_PLANTED("stale-entries-kept")) index.DropInvalid(chain, committed);
    // What older writers' entries were lost from here on would be dropped now.
    if (chain.back().epoch > doubtful_epoch) {
      doubtful = std::min(doubtful, chain.back().start - 1);
    }
  }
  if (const auto run = Locate(append.run, trimmed, record)) index.Put(*run);
  // Last: what it says is committed is so only under the chain, and with the entries, of this
  // message.
  committed = std::max(committed, append.committed);
}

void ReplicaStream::Apply(const Trim& trim, RecordNumber) {
  RaiseTrimmed(this, trim.through);
}

std::vector<RunLocation> ReplicaStream::Lose(RecordNumber record) {
  std::vector<RunLocation> lost = index.DropRecord(record);
  for (const RunLocation& run : lost) {
    doubtful = std::max(doubtful, run.last());
    doubtful_epoch = std::max(doubtful_epoch, run.epoch);
  }
  return lost;
}

// An entry is one thing everywhere: of a (seq, epoch) there is one payload. So an entry that is
// valid under the chain is right, even if a lost record had dropped or replaced it. One that is not
// valid may be a leftover; above committed it may also be a Fill by a takeover that this replica
// has not heard the end of: that is then one of the lost, and in doubt.
void ReplicaStream::Restore(const StreamCheckpoint& from, bool lost) {
  promised = from.promised;
  chain = from.chain;
  committed = from.committed;
  trimmed = from.trimmed;
  index.DropThrough(trimmed);
  doubtful = std::max(doubtful, from.doubtful);
  doubtful_epoch = promised;  // an entry's epoch was promised before it was stored
  if (!lost) return;
  index.DropAfter(from.last);
  index.DropInvalid(chain);
  doubtful = std::max(doubtful, from.last);
}

bool ReplicaStream::Matches(const StreamCheckpoint& from) const {
  return promised == from.promised && chain == from.chain && committed == from.committed &&
         trimmed == from.trimmed;
}

void ReplicaStream::Apply(const StreamCheckpoint& restored, RecordNumber) {
  promised = std::max(promised, restored.promised);
  chain = restored.chain;
  committed = restored.committed;
  trimmed = restored.trimmed;
  index.DropThrough(trimmed);
  index.DropInvalid(chain);
}

StreamCheckpoint ReplicaStream::ToCheckpoint(StreamId stream) const {
  return {
      stream, promised, chain, committed, trimmed, index.last(), IsDoubtful() ? doubtful : Seq(0)};
}

bool ReplicaStream::IsConsistent(bool entries_too) const {
  if (promised < LastEpoch(chain) || trimmed > committed) return false;
  if (index.entries() > 0 && index.first() <= trimmed) return false;
  return !entries_too ||
         (IsWellFormed(chain) && index.IsConsistent() && !index.HoldsInvalid(chain, committed));
}

}  // namespace homeport::quorum_queue
