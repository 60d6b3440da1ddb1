// EntryIndex: which entries of one stream a log holds, by which epoch, and where.
//
// One item per run of entries in one log record, packed (run_block.h), so memory grows with
// batches, not entries: about six bytes each. One block at a time is open, that is unpacked, for
// changes: mostly the last one. Used by Replica and by the relay log of a region.
//
// Invariants:
//  (1) runs ascend and never overlap
//  (2) a packed block lies wholly below or above the open runs
//  (3) a block is found under the first seq of its first run
//
// Pure; not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "quorum_queue/messages.h"
#include "quorum_queue/run_block.h"
#include "quorum_queue/run_location.h"

namespace homeport::quorum_queue {

class EntryIndex {
 public:
  // `block_runs`: of a packed block; twice as many are open at most.
  explicit EntryIndex(size_t block_runs = 128) : block_runs_(block_runs) {}

  // Stores a run, replacing what stood at its seqs (also parts of other runs).
  void Put(const RunLocation& run);
  // Like Put, but keeps entries that are there already with the same epoch.
  void PutMissing(const RunLocation& run);
  // Forgets entries > `after` whose epoch is not EpochAt(chain, seq).
  void DropInvalid(const Chain& chain, Seq after = Seq(0));
  // Whether an entry <= `through` is there whose epoch is not EpochAt(chain, seq). Walks all runs.
  bool HoldsInvalid(const Chain& chain, Seq through) const;
  // Forgets entries <= seq.
  void DropThrough(Seq seq);
  // Forgets entries > seq.
  void DropAfter(Seq seq);
  // Forgets the entries whose record is `record`; gives them out, ascending. Walks all runs.
  std::vector<RunLocation> DropRecord(RecordNumber record);
  // The contiguous runs from `from` on, within `through`, at most `entries_max` entries, `runs_max`
  // runs and `bytes_max` bytes (but at least one run).
  std::vector<RunLocation> Contiguous(Seq from, Seq through, uint64_t entries_max, size_t runs_max,
                                      uint64_t bytes_max = UINT64_MAX) const;
  // All runs with an entry > `after`, clipped to it, ascending, holes between them allowed.
  std::vector<RunLocation> RunsAfter(Seq after) const;
  // The runs from `from` on, holes between them allowed, that fit a page: at most `runs_max` of
  // them and `bytes_max` bytes of whole records, but at least one. *through: where the page ends;
  // kSeqMax when nothing follows.
  std::vector<RunLocation> Page(Seq from, size_t runs_max, uint64_t entries_max, uint64_t bytes_max,
                                Seq* through) const;
  // What is held in from .. *through, neighbours of one epoch as one run. Stops, with *through set
  // to where, after `runs_max` runs or `visits_max` items; else *through is kSeqMax.
  std::vector<RunInfo> Held(Seq from, size_t runs_max, size_t visits_max, Seq* through) const;
  std::optional<RunLocation> Find(Seq seq) const;  // clipped so that first == seq
  // Whether all of first .. last is there, with `epoch`.
  bool Holds(Seq first, Seq last, WriterEpoch epoch) const;
  Seq first() const;  // lowest seq held, or 0
  Seq last() const;   // highest seq held, or 0
  uint64_t entries() const { return entries_; }
  // Lowest record number still referred to; nullopt when empty. Amortised cheap.
  std::optional<RecordNumber> LowestRecord() const;
  // Walks everything; for EXPENSIVE_CHECK and tests.
  bool IsConsistent() const;

 private:
  using Blocks = std::map<Seq, RunBlock>;

  // Calls visit(run) for the runs that end at `from` or later, ascending, until it says false.
  template <class Visit>
  void Walk(Seq from, Visit visit) const;
  void Insert(const RunLocation& run);
  void Erase(Seq first, Seq last);
  uint64_t Add(std::span<const RunLocation> runs);  // as a block; answers its entries
  // Makes the open runs those among which a run at `seq` has its place.
  void OpenAt(Seq seq);
  void Pack(size_t runs);  // so many of the open ones, from the first on
  void Unpack(Blocks::iterator block);
  void Remove(Blocks::iterator block);

  size_t block_runs_;
  Blocks blocks_;  // by first seq
  std::vector<RunLocation> open_;
  std::map<RecordNumber, uint32_t> lowest_records_;  // how many blocks have each as their lowest
  uint64_t entries_ = 0;
};

}  // namespace homeport::quorum_queue
