// EntryIndex: which entries of one stream a log holds, by which epoch, and where.
//
// One item per run of entries in one log record, so memory grows with batches, not entries. Used by
// Replica and by the relay log of a region. Pure; not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

// Consecutive number of a log record; 1, 2, 3 ...
using RecordNumber = core::StrongInt<struct RecordNumberTag, uint64_t>;

// Entries first .. first+count-1, all of one epoch, in record `record`, whose run begins at
// `record_first`.
struct RunLocation {
  Seq first;
  uint64_t count = 0;
  WriterEpoch epoch;
  RecordNumber record;
  Seq record_first;
  // Of the record's whole run; 0 where nobody asks for bytes().
  uint64_t record_count = 0;
  uint64_t record_bytes = 0;

  bool operator==(const RunLocation&) const = default;
  Seq last() const { return first + (count - 1); }
  // Payload bytes: exact for the whole run, in proportion for a part. Adjacent parts add up
  // exactly.
  uint64_t bytes() const;
};
// The part of `run` within first .. last. REQUIRES: they overlap.
RunLocation Clip(const RunLocation& run, Seq first, Seq last);

class EntryIndex {
 public:
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
  void Insert(const RunLocation& run);
  void Erase(Seq first, Seq last);
  std::map<Seq, RunLocation> runs_;           // by first; never overlapping
  std::map<RecordNumber, uint32_t> records_;  // how many runs refer to each record
  uint64_t entries_ = 0;
};

}  // namespace homeport::quorum_queue
