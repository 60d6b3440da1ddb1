// IntentKeeper: sees to it that a region that is away loses no message when its home stream is
// trimmed without it: reads the own stream again and turns the intents that such a region has not
// consumed into rows (table kept), which every region then has.
//
// Pure but for the Store it is given. Feed it events, draft what it gives.
//
//   Idle --(somebody is away)--> Reading: own stream from what was consumed on
//        <--(nobody is any more)--
//
// A row goes when its region has come back and consumed it.
//
// Invariants:
//  (1) through(region) rises over entries whose intents for it are all rows, or consumed
//  (2) what waits in memory is bounded by the reader's credit
//
// Part of ShardPrimary. Not thread safe. docs/replication.md, "Trim".
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "core/messaging/evaluator.h"
#include "core/store.h"
#include "quorum_queue/reader.h"
#include "replicator/outbox.h"
#include "replicator/run_queue.h"

namespace homeport::replicator {

// A region that is away, and up to where its intents are consumed or rows already.
struct AwayIntents {
  Incarnation region;
  Seq done;
};

class IntentKeeper {
 public:
  // How far one reading has come. A reading begins when the set of regions that are away changes.
  struct Progress {
    uint64_t reading = 0;
    Seq through;  // 0: no further

    bool operator<(const Progress& other) const {
      return std::tie(reading, through) < std::tie(other.reading, other.through);
    }
  };
  // `shards`: of the cluster.
  // `session_base`: of its readers, of which each has a session space of its own.
  // `roles`: all regions that rows may be for.
  // `replicas`: numbers, in reading order.
  IntentKeeper(StreamId stream, uint16_t shards, uint64_t session_base,
               std::vector<uint8_t> replicas, const core::StoreView* store,
               std::set<Incarnation> roles);

  // ---- events

  // All that are away now. Again and again, so that rows that were consumed are found.
  void SetAway(Instant now, const std::vector<AwayIntents>& away, Outbox* out);
  void Answer(Instant now, uint8_t replica, quorum_queue::ReadAnswer answer, Outbox* out);
  // The stream has these replicas now.
  void SetReplicas(Instant now, std::vector<uint8_t> replicas, Outbox* out);
  void Tick(Instant now, Outbox* out);
  // What Draft gave is applied. That of an earlier reading is nothing to this one: it made no rows
  // for a region that is away only since.
  void Applied(Progress drafted) {
    if (drafted.reading == reading_) applied_ = std::max(applied_, drafted.through);
  }

  // ---- drafting

  bool HasWork() const { return !waiting_.empty() || !stale_.empty() || searching_; }
  // Adds rows to the open entry, at most about `bytes_max`. Returns how far in the own stream that
  // is, for Applied.
  Progress Draft(core::Evaluator* evaluator, uint64_t bytes_max);

  // ---- state

  // Up to here every intent for `region` is a row in the store, or was consumed; 0 when not away.
  Seq through(Incarnation region) const;
  std::optional<Instant> NextDeadline() const;

 private:
  void Read(Instant now, Seq from, Outbox* out);
  void Step(Instant now, quorum_queue::ReaderEvent event, Outbox* out);
  void SearchStale();
  bool SearchStaleOf(Incarnation role, size_t* looks);

  // Where to look for rows of one region. Ascending: rows are consumed in nearly this order.
  struct Search {
    std::string begin;  // there is no live row before
    std::string at;     // looked at up to here in this round
  };

  const StreamId stream_;
  const uint16_t shards_;
  const core::StoreView* store_;
  std::vector<uint8_t> replicas_;
  uint64_t session_base_;
  std::map<Incarnation, Seq> away_;  // done, as it was given
  uint64_t reading_ = 0;
  std::unique_ptr<quorum_queue::Reader> reader_;
  std::vector<quorum_queue::ReaderEffect> effects_;
  RunQueue waiting_;
  bool paused_ = false;
  Seq applied_;                              // what this reading has made rows of
  std::map<Incarnation, Search> unsettled_;  // not away, and may have rows
  std::vector<std::string> stale_;           // keys of rows that were consumed
  bool searching_ = false;                   // this round has not looked at all that may be stale
};

}  // namespace homeport::replicator
