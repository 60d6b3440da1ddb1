// What is inside a Replica (replica.h): its state, and the events by theme. Each theme has a file:
// messages in replica.cc, the restoring of a lost disk in replica_recovering.cc, log and answers in
// replica_log.cc, the start in replica_replay.cc.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "quorum_queue/log_record.h"
#include "quorum_queue/replica.h"
#include "quorum_queue/replica_answers.h"
#include "quorum_queue/replica_feeds.h"
#include "quorum_queue/replica_stream.h"

namespace homeport::quorum_queue {

struct Replica::Impl {
  using Effects = std::vector<ReplicaEffect>;

  Impl(ReplicaOptions replica_options, ReplicaStats* replica_stats)
      : options(replica_options),
        stats(*replica_stats),
        feeds(replica_options),
        recovering(replica_options.recovering),
        life(replica_options.life),
        admitted(!replica_options.needs_admission) {}

  // ---- messages
  void On(core::Instant now, RequestReceived request, Effects* effects);
  void OnFence(ReplicaPeer peer, const Fence& fence, Effects* effects);
  std::vector<RunLocation> FencePage(const ReplicaStream& stream, Seq after, Seq* through) const;
  void OnFill(ReplicaPeer peer, Fill fill, Effects* effects);
  void OnAppend(ReplicaPeer peer, Append append, Effects* effects);
  void OnTrim(const Trim& trim, Effects* effects);
  void OnHoldings(ReplicaPeer peer, const Holdings& holdings, Effects* effects);
  void OnRecover(ReplicaPeer peer, const Recover& recover, Effects* effects);

  // ---- admission
  bool MayTake(const ReplicaRequest& request) const;
  void OnAdmit(ReplicaPeer peer, const Admit& admit, Effects* effects);
  void TellLife(ReplicaPeer peer, uint64_t nonce, Effects* effects) const;

  // ---- while recovering
  void OnRestore(ReplicaPeer peer, Restore restore, Effects* effects);
  void OnRestored(ReplicaPeer peer, const Restored& restored, Effects* effects);
  void RefuseLimits(ReplicaPeer peer, StreamId stream, WriterEpoch epoch, Effects* effects);
  // A higher epoch than that of the try under way begins anew.
  void BeginRestore(WriterEpoch epoch, Effects* effects);
  void Apply(const Restored& restored, RecordNumber record);

  // ---- answers
  // Sends an answer when all that is logged so far is on disk; it reflects nothing later.
  void Answer(ReplicaPeer peer, ReplicaAnswer answer, std::vector<RunLocation> runs,
              Effects* effects);
  // True, and answered, when `epoch` is older than promised.
  bool IsFenced(ReplicaPeer peer, StreamId stream, WriterEpoch epoch, Effects* effects);
  // True, and answered, when there is no room for the record.
  bool IsRefused(ReplicaPeer peer, StreamId stream, WriterEpoch epoch, uint64_t record_bytes,
                 Effects* effects);

  // ---- log
  // More than the record of an Append or Fill takes in the log, header and body.
  static uint64_t RecordBytes(const EntryRun& run, const Chain& chain);
  // Logs the record and applies it. False, and ignored, when there are too many streams.
  template <class Record>
  bool Log(StreamId stream, const Record& record, Effects* effects);
  void LogCheckpoint(Effects* effects);
  void OnRecordsLost(const RecordsLost& lost, Effects* effects);
  RecordNumber LowestNeeded() const;
  void Release(Effects* effects);

  // ---- replay
  core::Status ReplayDecoded(RecordNumber record, const LogRecord& decoded);
  core::Status ReplayChange(ReplicaStream* stream, const auto& change, RecordNumber record);
  core::Status ReplayCheckpoint(const Checkpoint& checkpoint, RecordNumber record);

  const ReplicaStream& Known(StreamId stream) const;
  bool HasRoomForLinks(StreamId stream, const Chain& chain) const;
  void Ignore() { ++stats.ignored; }

  const ReplicaOptions options;
  ReplicaStats& stats;
  ReplicaStreams streams;
  AnswerQueue answers;
  ReadFeeds feeds;

  bool recovering;
  Life life;  // on disk
  bool admitted;
  bool amnesiac = false;
  WriterEpoch restoring;       // epoch of the try under way, or 0
  RecordNumber restore_begin;  // its first record
  RecordNumber restored;       // the record that ends it; 0: none yet
  bool try_damaged = false;    // records of it were lost, its first one perhaps
  bool ready = false;          // FinishReplay was called
  bool full = false;           // no room for entries
  RecordNumber logged;         // last record
  RecordNumber persisted;      // last record on disk
  RecordNumber checkpoint;     // last one; 0: none

  // During replay: all scalars are known. Not so when the log's first records were released, or
  // some were lost, until the next checkpoint.
  bool anchored = false;
  bool gap = false;  // why not: records were lost
  // Records were lost and no checkpoint was logged since: until then nothing is released, because
  // the records that are left say what is in doubt.
  bool checkpoint_due = false;

  // Once `after` is on disk, no record below `bound` is needed. Not before: what is on disk must be
  // able to stand alone after a crash. By then the answers that show entries dropped since have
  // left, too: each waits for a record before the one that dropped them.
  struct Releasable {
    RecordNumber after;
    RecordNumber bound;
  };
  std::deque<Releasable> releasable;  // both ascending
  RecordNumber releasing{1};          // highest bound in `releasable` or told; 1: none
  bool release_due = false;           // something was dropped since
};

}  // namespace homeport::quorum_queue
