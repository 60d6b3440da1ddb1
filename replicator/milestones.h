// Milestones: how long ago, and how many bytes ago, a region's own streams stood where another
// region still is.
//
// Time is the time that this region's daemon ran, kept over restarts: while it was down nobody
// could follow it, and a wall clock that jumps must not make a region look away.
//
// A few points per stream, thinned out as they grow old: a lag comes out too short rather than too
// long. Pure but for the row it reads and writes. Not thread safe.
#pragma once

#include <cstdint>
#include <vector>

#include "core/ids.h"
#include "core/store.h"
#include "core/time.h"

namespace homeport::replicator {

class Milestones {
 public:
  // As of the last Save that `store` has; of `shards` own streams.
  Milestones(const core::StoreView& store, uint16_t shards);

  void AddBytes(core::ShardId shard, uint64_t bytes) { streams_[shard.value()].bytes += bytes; }
  // work[shard] is the last entry there that others have to follow. REQUIRES: `now` does not go
  // back.
  void Mark(core::Instant now, const std::vector<core::Seq>& work);
  // Nobody is behind `seq` any more.
  void DropThrough(core::ShardId shard, core::Seq seq);
  // Adds the row that the next life reads.
  void Save(core::WriteBatch* batch) const;

  struct Lag {
    core::Duration time{0};
    uint64_t bytes = 0;
  };
  // Of one that has the stream up to `seq`: since the oldest point after it.
  Lag LagOf(core::ShardId shard, core::Seq seq) const;

 private:
  struct Point {
    core::Seq seq;
    uint64_t uptime_ms;
    uint64_t bytes;
  };
  struct Stream {
    uint64_t bytes = 0;
    std::vector<Point> points;  // ascending
  };
  std::vector<Stream> streams_;
  uint64_t uptime_ms_ = 0;
  uint64_t uptime_before_ms_ = 0;  // of earlier lives
  core::Instant started_{};
  bool marked_ = false;
};

}  // namespace homeport::replicator
