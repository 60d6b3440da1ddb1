// Trimmer: what this region may trim, of its own streams and of its relay log, and what it must
// report so that others may (design section 5, rule 7).
//
// Pure but for the Store it is given. One round:
//
//   Mark (what the store has now) --(flushed)--> Flushed: positions to trim, perhaps a report
//                                 \--(failed)--> nothing; the next Mark says more
//
// Invariants:
//  (1) nothing above what this region's store has on disk is trimmed
//  (2) nothing that a region may still want to replay is trimmed, unless the stream's home gave it
//      up as away
//  (3) no entry with an intent is trimmed before this store has on disk that the intent was
//      consumed, or kept as a row
//  (4) nothing is trimmed that no other region has on its disk: a store is one disk, the stream was
//      two
//  (5) what may be trimmed never goes back
//
// Not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "core/messaging/entry.h"
#include "core/store.h"
#include "core/time.h"
#include "replicator/milestones.h"

namespace homeport::replicator {

using core::Incarnation;
using core::Instant;
using core::Seq;
using core::ShardId;
using core::StreamId;

// Which rule is left out: to prove that the tests notice.
enum class PlantedTrimBug {
  kNone,
  kIntentsIgnored,   // does not ask whether intents were consumed
  kShardForgotten,   // does not ask shard 0 what it has not consumed
  kClaimsUncovered,  // believes "consumed" before this store has what consumed it
};

struct TrimmerOptions {
  Incarnation self;
  std::vector<Incarnation> regions;  // all, ascending
  uint16_t shards = 8;
  uint64_t retention_bytes = 0;  // of one own stream, for a region that is behind; 0: for ever
  core::Duration retention_time{0};
  PlantedTrimBug bug = PlantedTrimBug::kNone;
};

// An entry that was applied here.
struct AppliedEntry {
  StreamId stream;
  Seq seq;
  uint64_t bytes = 0;
  bool work = false;
  std::optional<core::Report> report;
};

class Trimmer {
 public:
  // As of what `store` has, all of it flushed.
  Trimmer(TrimmerOptions options, core::Store* store);

  void Applied(AppliedEntry entry);
  // Something was applied, or this life began, after the last Mark that was flushed.
  bool dirty() const { return dirty_; }

  // What `first_unconsumed` says, by source: the lowest seq with an intent for a shard here that no
  // applied entry consumed. nullopt: not known, for a shard does not serve yet.
  using Unconsumed = std::map<StreamId, Seq>;
  void Mark(Instant now, const std::optional<Unconsumed>& first_unconsumed);
  void FlushFailed();

  struct Position {
    StreamId stream;
    Seq through;
  };
  // What rose. REQUIRES: the store has on disk what it had at Mark.
  std::vector<Position> Flushed();
  // As of the last Flushed; what it tells counts as told. nullopt when it would be no news, or a
  // shard did not serve at the Mark.
  std::optional<core::Report> TakeReport();

  // ---- state

  Seq trimmed(StreamId stream) const;
  // Regions that own streams do not wait for, by stream and region.
  const std::vector<core::AwayRegion>& away() const { return away_; }
  // Of an own stream, has `region` durably less than what is trimmed?
  bool Lost(const core::AwayRegion& one) const;
  // Every intent of `stream` for `region` up to here is consumed, for all this store knows.
  Seq ConsumedBy(Incarnation region, StreamId stream) const;
  // The intents of an own stream for an away region are rows up to here.
  void SetKept(Incarnation region, StreamId stream, Seq through);

 private:
  // What another region told.
  struct Told {
    std::vector<Seq> applied;
    std::vector<Seq> consumed;           // only what `covered` reports said
    std::vector<core::AwayRegion> away;  // of the last covered report
    std::deque<core::Report> waiting;    // this store lacks entries they are about
  };
  struct Marked {
    std::vector<Seq> applied;
    std::vector<Seq> work;
    std::vector<Seq> consumed;
    std::vector<Seq> trim;
    std::vector<core::AwayRegion> away;
    bool complete = false;  // all shards said what they have consumed
  };

  std::optional<size_t> IndexOf(StreamId stream) const;
  std::optional<size_t> RegionIndex(Incarnation region) const;
  StreamId StreamAt(size_t index) const;
  bool IsOwn(size_t index) const { return index / options_.shards == self_; }
  void Learn(size_t region, const core::Report& report);
  bool Covered(const core::Report& report, Incarnation of) const;
  void Believe();
  void Judge(Marked* mark);
  const core::AwayRegion* FindAway(const std::vector<core::AwayRegion>& away, Incarnation region,
                                   StreamId stream) const;
  Seq TrimOf(size_t index, const Marked& mark) const;

  const TrimmerOptions options_;
  core::Store* store_;
  size_t self_ = 0;  // index of the own region
  Milestones milestones_;
  std::vector<Seq> applied_;            // by stream, as the store has it now
  std::vector<Seq> work_;               // last entry of this life that was work
  std::vector<Told> told_;              // by region; own one unused
  std::vector<Seq> consumed_;           // by own shards; last known
  std::vector<core::AwayRegion> away_;  // of own streams
  std::map<std::pair<StreamId, Incarnation>, Seq> kept_;
  std::optional<Marked> marked_;
  std::optional<Marked> flushed_;
  std::vector<Seq> trimmed_;
  core::Report reported_;              // last report of this region
  std::vector<Seq> reported_applied_;  // the same, by stream
  std::vector<Seq> reported_consumed_;
  bool told_once_ = false;  // in this life
  bool dirty_ = true;
};

}  // namespace homeport::replicator
