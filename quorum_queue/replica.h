// Replica: one copy of the streams of a region. Remembers promises, chains and entries; never talks
// to other replicas; never decides.
//
// Pure: no I/O, no clock, no threads, no randomness. Feed it events, carry out its effects in
// order. What it knows is the replay of its log records, in order, later wins:
//
//   message --> log record (effect) --(Persisted)--> answer (effect)
//
// Invariants, per stream:
//  (1) promised, committed, trimmed and the last chain epoch never decrease
//  (2) promised >= last chain epoch
//  (3) trimmed <= committed
//  (4) an entry served to a reader is <= committed, > trimmed and valid under the chain
//  (5) an answer that shows a change leaves after the change is on disk
//
// Not thread safe. Design section 3.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/status.h"
#include "core/time.h"
#include "quorum_queue/entry_index.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

struct ReplicaStream;

// A connection that requests come from; given by the driver, never reused for another.
using ReplicaPeer = core::StrongInt<struct ReplicaPeerTag, uint64_t>;

struct ReplicaOptions {
  DiskId disk;
  // Its disk replaces a lost one and has not got everything yet: it takes no part until Restored.
  bool recovering = false;
  // Whether it takes part only once the region's keeper has admitted it (docs/quorum_queue.md,
  // "Amnesiacs"). Without, a directory that was put back from an old copy is not recognised.
  bool needs_admission = false;
  Life life = {};      // of the process before, as its IDENTITY says
  Life proposed = {};  // drawn for this one; as needs_admission
  uint64_t read_answer_bytes_max =
      1 << 20;  // payload bytes in one ReadAnswer, but at least one record
  // One page of a fence answer, but at least one record. Well below what a frame may have.
  uint64_t fence_page_bytes_max = 8 << 20;
  uint64_t fence_page_entries_max = 1 << 17;
  size_t fence_page_runs_max = 1024;
  uint64_t record_bytes_max = 5 << 20;  // header and body; the log's own limit or less
  uint64_t streams_max = 1 << 14;       // messages for more streams are ignored
  uint64_t chain_links_max = 1 << 17;   // of all streams; with streams_max it bounds a checkpoint
  uint64_t subscriptions_max = 1024;    // past that the oldest is dropped
  core::Duration subscription_lifetime = std::chrono::seconds(30);  // without a new Read
};

// ---- events

struct RequestReceived {
  ReplicaPeer peer;
  ReplicaRequest request;
};
// Every record up to and including `record` is on disk.
struct Persisted {
  RecordNumber record;
};
// The log has (or has no more) room for entries. Small records always fit.
struct SpaceChanged {
  bool full = false;
};
// The log begins a new segment: answer with a Checkpoint record, which must be the first in it.
// REQUIRES: it is admitted; so too with RecordsLost. What a directory has says how old it is, and
// is not added to before.
struct SegmentStarted {};
// These records cannot be read back any more (a flipped bit, a bad block), or the log was opened
// with such records in it (then none is named here). Their entries are forgotten, so that they are
// filled again from other replicas, and a checkpoint is logged: nothing depends on these records
// any more.
struct RecordsLost {
  std::vector<RecordNumber> records;
};
struct Tick {};
using ReplicaEvent =
    std::variant<RequestReceived, Persisted, SpaceChanged, SegmentStarted, RecordsLost, Tick>;

// ---- effects

// Append this record to the log. Numbers are consecutive. `header` is a Cap'n Proto LogRecord
// (quorum_queue/queue.capnp), `body` the payloads of its run, untouched.
struct LogRecordEffect {
  RecordNumber record;
  std::string header;
  SharedBytes body;
  uint64_t body_checksum = 0;  // XXH3-64 of body, already known
};
// Send an answer. `runs` names what to load from the log into the answer's runs (FenceAnswer,
// ReadAnswer, RecoverAnswer). The driver loads at once, before the next Step.
struct AnswerEffect {
  ReplicaPeer peer;
  ReplicaAnswer answer;
  std::vector<RunLocation> runs;
  bool compress = false;
};
// No record below `record` is needed any more: its whole segments may be reused.
struct ReleaseEffect {
  RecordNumber record;
};
// For an operator: entries that were in a record that cannot be read any more.
struct EntriesLostEffect {
  RecordNumber record;
  StreamId stream;
  Seq first;
  Seq last;
  bool doubtful = false;  // some are above committed: no Fence of the stream is answered for now
};
// It is a full member from now on. Must be remembered durably before the effects after this one are
// carried out; what follows in the log is no recovery any more.
struct RecoveredEffect {};
// Its life from now on. Must be remembered durably before the effects after this one are carried
// out.
struct RememberLifeEffect {
  Life life;
};
// It was put back from an old copy, and forgot what others count on: it says nothing more but how
// it is. Its directory must be replaced by a new one with a new disk, that is recovering.
struct AmnesiacEffect {};
using ReplicaEffect = std::variant<LogRecordEffect, AnswerEffect, ReleaseEffect, EntriesLostEffect,
                                   RecoveredEffect, RememberLifeEffect, AmnesiacEffect>;

struct ReplicaStats {
  uint64_t entries_stored = 0;
  uint64_t bytes_stored = 0;
  uint64_t fenced = 0;
  uint64_t refused_full = 0;
  uint64_t ignored = 0;          // malformed or nonsensical requests
  uint64_t records_lost = 0;     // with or without entries still needed, since the start
  uint64_t entries_lost = 0;     // that were needed, since the start
  uint64_t fences_withheld = 0;  // not answered: entries above committed may have been lost
};

// What a replica keeps beside its indexes; every number is bounded (CheckMemory of the simulator).
struct ReplicaMemory {
  size_t answers = 0;        // that wait for the disk; 0 when all that was logged is on disk
  size_t releases = 0;       // that wait for the disk; at most one for each record not on disk
  size_t subscriptions = 0;  // at most ReplicaOptions::subscriptions_max
};

class Replica {
 public:
  explicit Replica(ReplicaOptions options);
  ~Replica();

  // ---- start: feed every intact record of the log in order, then go. REQUIRES: before the first
  // Step. kCorrupt when the record cannot follow those before it; the replica is of no use then.
  core::Status Replay(RecordNumber record, std::string_view header, uint64_t body_size);
  // The same of a record whose body cannot be read: its entries are lost, all else is known.
  core::Status ReplayWithoutBody(RecordNumber record, std::string_view header, uint64_t body_size);
  // Instead of Replay, where records first .. last cannot be read at all.
  core::Status ReplayLost(RecordNumber first, RecordNumber last);
  // Whether the state is known: no, when records were lost and no checkpoint follows them, or any
  // of the try of a recovering one. Such a replica may have forgotten a promise, or what it was
  // given and believed to have, and must not start. Any that lost something must be told
  // RecordsLost soon after the start.
  bool knows_promises() const;
  // Next record number the machine will use; 1 when the log is empty. REQUIRES: what was replayed
  // is on disk, not only in the page cache.
  void FinishReplay(RecordNumber next);

  // The only mutator.
  void Step(core::Instant now, ReplicaEvent event, std::vector<ReplicaEffect>* effects);

  StatusAnswer Status() const;  // without the driver's disk figures
  ReplicaMemory Memory() const;
  bool recovering() const;
  bool admitted() const;
  // Streams of which no Fence is answered, because entries above committed may have been lost.
  uint64_t doubtful_streams() const;
  void ForEachStream(const std::function<void(StreamId, const ReplicaStream&)>& visit) const;
  // At least what a checkpoint record takes now, header and frame.
  uint64_t CheckpointBytes() const;
  const ReplicaStats& stats() const { return stats_; }
  void CheckInvariants() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
  ReplicaStats stats_;
};

}  // namespace homeport::quorum_queue
