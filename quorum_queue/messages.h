// Messages of the quorum queue: what writers, readers and replicas say to one another.
//
// Plain structs for the protocol machines; quorum_queue/codec.h turns them into frames (Cap'n
// Proto, quorum_queue/queue.capnp). Design section 3; docs/quorum_queue.md.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"

namespace homeport::quorum_queue {

using core::DiskId;
using core::Seq;
using core::SharedBytes;
using core::StreamId;
using core::WriterEpoch;
// Consecutive number of a record in a replica's log; 1, 2, 3 ...
using RecordNumber = core::StrongInt<struct RecordNumberTag, uint64_t>;

// A writer's part of a stream's lineage: entries from `start` on are valid with `epoch`, until the
// next link.
struct ChainLink {
  WriterEpoch epoch;
  Seq start;
  bool operator==(const ChainLink&) const = default;
};
// Both ascending.
using Chain = std::vector<ChainLink>;

// Epoch of the last link with start <= seq; epoch 0 when there is none.
WriterEpoch EpochAt(const Chain& chain, Seq seq);
// Epoch of the last link, or 0.
WriterEpoch LastEpoch(const Chain& chain);
// Strictly ascending in both, no epoch or start of 0, starts within kSeqMax. An empty chain is well
// formed.
bool IsWellFormed(const Chain& chain);

// Limits that decoding sees to (quorum_queue/codec.h), so that no machine meets an overflow or a
// flood.
inline constexpr Seq kSeqMax = Seq(uint64_t{1} << 60);
inline constexpr uint32_t kRunEntriesMax = 1 << 20;  // of one run, and of all runs of one message
inline constexpr uint32_t kRunsMax = 4096;           // of one message
// A link stays until the entries it names are trimmed: so many writers a stream may have within
// what is kept of it.
inline constexpr uint32_t kChainLinksMax = 1 << 14;
inline constexpr uint32_t kStreamsMax = 1 << 16;    // of one StatusAnswer
inline constexpr uint32_t kHoldingsRunsMax = 4096;  // of one HoldingsAnswer

// Consecutive entries written by one epoch. Their payloads stand back to back in `body`.
struct EntryRun {
  Seq first;
  WriterEpoch epoch;
  std::vector<uint32_t> sizes;  // bytes of each payload; 0 is allowed
  SharedBytes body;             // sum(sizes) bytes
  uint64_t checksum = 0;        // XXH3-64 of body

  bool empty() const { return sizes.empty(); }
  uint64_t count() const { return sizes.size(); }
  Seq last() const { return first + (sizes.size() - 1); }  // REQUIRES: !empty()
};
uint64_t SumOfSizes(const EntryRun& run);

// What a replica holds, without the payloads.
struct RunInfo {
  Seq first;
  uint64_t count = 0;
  WriterEpoch epoch;
  uint64_t bytes = 0;  // of the payloads; for a part of a record in proportion

  bool operator==(const RunInfo&) const = default;
  Seq last() const { return first + (count - 1); }  // REQUIRES: count > 0
};

// State of one stream but its entries.
struct StreamCheckpoint {
  StreamId stream;
  WriterEpoch promised;
  Chain chain;
  Seq committed;
  Seq trimmed;
  Seq last = Seq(0);  // highest seq held, or 0
  Seq doubtful =
      Seq(0);  // entries above committed up to here may have been lost on this disk; 0: none
  bool operator==(const StreamCheckpoint&) const = default;
};

// ---- to a replica

// Its answer comes in pages; the page for `after` shows entries above it.
struct Fence {
  StreamId stream;
  WriterEpoch epoch;
  Seq after = Seq(0);  // 0: the first page; else `through` of the page before
};
// Entries with their own epoch (run.epoch), which may be older than `epoch`.
struct Fill {
  StreamId stream;
  WriterEpoch epoch;
  EntryRun run;
};
// run.epoch == epoch, or the run is empty (news of chain, committed and trimmed only). An empty
// chain stands for the one that the replica has adopted from this epoch.
struct Append {
  StreamId stream;
  WriterEpoch epoch;
  Chain chain;
  EntryRun run;
  Seq committed;
  Seq trimmed;
};
struct Trim {
  StreamId stream;
  Seq through;
};
// Opens or goes on with a subscription: the replica pushes committed entries from `from` on, as
// they commit, while fewer than `credit_bytes` it sent in this session are not yet in
// `received_bytes`.
struct Read {
  StreamId stream;
  uint64_t session = 0;         // chosen by the reader; a new one starts again at `from`
  Seq from;                     // next seq the reader wants
  uint64_t received_bytes = 0;  // payload bytes of this session so far
  uint64_t credit_bytes = 0;
  bool compress = false;  // bodies may be zstd-compressed
};
// What is there from `from` on, without the payloads. Changes nothing.
struct Holdings {
  StreamId stream;
  Seq from;
};
struct StatusRequest {
  uint64_t nonce = 0;  // comes back, so that a late answer is known as such
};
// The disk of another replica of the group is replaced: shuts out all epochs below `epoch`, and
// asks for all that is held from `from` on. Never refused for its epoch. Its answer comes in pages.
struct Recover {
  StreamId stream;
  WriterEpoch epoch;
  Seq from;
};

// One start of a replica's process on its directory: `number` counts the starts, `random` tells
// copies of one directory apart. Both 0: none yet.
struct Life {
  uint64_t number = 0;
  uint64_t random = 0;
  bool operator==(const Life&) const = default;
};
// Which life the disk is in, and how far it is. Changes nothing.
struct AskLife {
  uint64_t nonce = 0;  // comes back
};
enum class Admission : uint8_t {
  kOffered = 0,   // remember this life on disk
  kAdmitted = 1,  // the region remembers it too: take part
  kAmnesiac = 2,  // this directory was put back from an old copy: give it up
};
// To the process that proposed this life, on this disk. Answered as AskLife.
struct Admit {
  uint64_t nonce = 0;
  DiskId disk;
  Life life;
  Admission admission = Admission::kOffered;
};

// ---- to a recovering replica, which takes no others but StatusRequest, AskLife and Admit

// Entries for it. The first message of a higher epoch begins anew.
struct Restore {
  StreamId stream;
  WriterEpoch epoch;  // of the Recover
  DiskId disk;        // for this disk only
  EntryRun run;
};
// It has all: the state of every stream of the region. A full member from now on.
struct Restored {
  WriterEpoch epoch;
  DiskId disk;
  std::vector<StreamCheckpoint> streams;  // ascending; `last` and `doubtful` are 0
};

// ---- from a replica; `disk` is the replica's

struct FenceAnswer {
  StreamId stream;
  WriterEpoch epoch;  // of the Fence
  DiskId disk;
  Chain chain;
  Seq committed;
  Seq trimmed;
  std::vector<EntryRun> runs;  // ascending; all it holds above committed and `after`, to `through`
  Seq after = Seq(0);          // of the Fence
  // 0: to the end, the last page. Else the page ends with this seq and the next begins after it.
  Seq through = Seq(0);

  bool is_last_page() const { return through == Seq(0); }
};
struct Fenced {
  StreamId stream;
  WriterEpoch epoch;  // of the refused message
  DiskId disk;
  WriterEpoch promised;
};
// Entries first .. last (none when count is 0) are on this disk, sent with `epoch`. `committed`:
// what this replica now knows, on disk too. Stands for one or several messages.
struct Stored {
  StreamId stream;
  WriterEpoch epoch;
  DiskId disk;
  bool fill = false;  // answers Fill, else Append
  Seq first;
  uint64_t count = 0;
  Seq committed;
};
// Not stored: the disk is full (or the log's limit is reached). Nothing changed.
struct Refused {
  StreamId stream;
  WriterEpoch epoch;
  DiskId disk;
  std::string reason;
};
enum class ReadOutcome : uint8_t {
  kData = 0,     // runs from the next seq on
  kIdle = 1,     // nothing to send now; sent once after each Read that finds nothing new
  kLacking = 2,  // next seq is committed, but this replica does not hold it: ask another
  kTrimmed = 3,  // next seq is <= trimmed
};
struct ReadAnswer {
  StreamId stream;
  uint64_t session = 0;
  DiskId disk;
  ReadOutcome outcome = ReadOutcome::kIdle;
  Seq next;  // first seq of `runs`, or the one the replica would send next
  std::vector<EntryRun> runs;
  Seq committed;
  Seq trimmed;
  // Payload bytes, uncompressed, of this session, this answer included, as the replica reckons for
  // credit. A part of a record counts in proportion, so this may be off by less than a record where
  // a session or a run begins inside one. To see a lost answer compare `next`, not this.
  uint64_t sent_bytes = 0;
};
// All entries held in from .. through. Through is kSeqMax when nothing is held beyond; else ask
// again from through + 1. Shows only what is on disk.
struct HoldingsAnswer {
  StreamId stream;
  DiskId disk;
  WriterEpoch promised;
  WriterEpoch chain_epoch;  // of the last link
  Seq committed;
  Seq trimmed;
  Seq from;
  Seq through;
  std::vector<RunInfo> runs;  // ascending; neighbours of one epoch are one run
};
// Entries held in from .. through; through is kSeqMax on the last page. Leaves once the promise is
// on disk.
struct RecoverAnswer {
  StreamId stream;
  WriterEpoch epoch;  // of the Recover
  DiskId disk;
  WriterEpoch promised;
  Chain chain;
  Seq committed;
  Seq trimmed;
  Seq from;
  Seq through;
  std::vector<EntryRun> runs;  // ascending
};
struct StreamStatus {
  StreamId stream;
  WriterEpoch promised;
  WriterEpoch chain_epoch;
  Seq committed;
  Seq trimmed;
  Seq last;              // highest seq held
  uint64_t entries = 0;  // held
};
struct StatusAnswer {
  DiskId disk;
  std::vector<StreamStatus> streams;
  uint64_t log_bytes = 0;
  uint64_t disk_free_bytes = 0;
  bool full = false;
  bool recovering = false;  // knows nothing yet: see Restore
  uint64_t nonce = 0;       // of the StatusRequest
  bool admitted = true;     // takes part: see Admit
  // Whose replica it is, as its directory says.
  std::string cluster = {};
  core::Incarnation incarnation = {};
  uint8_t replica = 0;  // its number, from 1
};
struct LifeAnswer {
  DiskId disk;
  uint64_t nonce = 0;  // of the AskLife or Admit
  Life life;           // on the disk
  Life proposed;       // by this process; the same once it was told to remember it
  bool admitted = false;
  bool recovering = false;
  RecordNumber record;  // the last one on disk
};

using ReplicaRequest = std::variant<Fence, Fill, Append, Trim, Read, StatusRequest, Holdings,
                                    Recover, Restore, Restored, AskLife, Admit>;
using ReplicaAnswer = std::variant<FenceAnswer, Fenced, Stored, Refused, ReadAnswer, StatusAnswer,
                                   HoldingsAnswer, RecoverAnswer, LifeAnswer>;

}  // namespace homeport::quorum_queue
