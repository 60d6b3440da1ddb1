#include "replicator/milestones.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "core/check.h"
#include "core/codec.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::replicator {

using core::Instant;
using core::Seq;
using core::ShardId;

namespace {

constexpr size_t kPointsMax = 64;  // per stream

}  // namespace

Milestones::Milestones(const core::StoreView& store, uint16_t shards) : streams_(shards) {
  const auto bytes = store.Get(core::RetentionKey());
  if (!bytes.has_value()) return;
  const core::Status status = core::Decode<
      core::wire::Retention>(*bytes, [&](auto row) -> core::Status {
    if (row.getVersion() != core::kRowVersion) return {};
    uptime_before_ms_ = row.getUptimeMs();
    const auto streams = row.getStreams();
    for (unsigned s = 0; s < std::min<size_t>(streams.size(), streams_.size()); ++s) {
      streams_[s].bytes = streams[s].getBytes();
      for (const auto point : streams[s].getPoints()) {
        streams_[s].points.push_back({Seq(point.getSeq()), point.getUptimeMs(), point.getBytes()});
      }
    }
    return {};
  });
  CHECK(status.ok(), "only Save writes this row", status);
  uptime_ms_ = uptime_before_ms_;
}

void Milestones::Mark(Instant now, const std::vector<Seq>& work) {
  CHECK(work.size() == streams_.size(), "a position per own stream", work.size());
  if (!marked_) started_ = now;
  marked_ = true;
  uptime_ms_ = uptime_before_ms_ +
               static_cast<uint64_t>(
                   std::chrono::duration_cast<std::chrono::milliseconds>(now - started_).count());
  for (size_t s = 0; s < streams_.size(); ++s) {
    Stream& stream = streams_[s];
    if (work[s] == Seq(0)) continue;
    if (!stream.points.empty() && stream.points.back().seq >= work[s]) continue;
    stream.points.push_back({work[s], uptime_ms_, stream.bytes});
    if (stream.points.size() <= kPointsMax) continue;
    // Every second of the older half goes; the oldest stays, or no lag would ever be long.
    std::vector<Point> kept;
    for (size_t i = 0; i < stream.points.size(); ++i) {
      if (i >= kPointsMax / 2 || i % 2 == 0) kept.push_back(stream.points[i]);
    }
    stream.points = std::move(kept);
  }
}

void Milestones::DropThrough(ShardId shard, Seq seq) {
  std::vector<Point>& points = streams_[shard.value()].points;
  const auto first = std::find_if(points.begin(), points.end(),
                                  [&](const Point& point) { return point.seq > seq; });
  points.erase(points.begin(), first);
}

void Milestones::Save(core::WriteBatch* batch) const {
  batch->Put(core::RetentionKey(),
             core::Encode<core::wire::Retention>([&](core::wire::Retention::Builder row) {
               row.setVersion(core::kRowVersion);
               row.setUptimeMs(uptime_ms_);
               auto streams = row.initStreams(static_cast<unsigned>(streams_.size()));
               for (unsigned s = 0; s < streams.size(); ++s) {
                 const std::vector<Point>& from = streams_[s].points;
                 streams[s].setBytes(streams_[s].bytes);
                 auto points = streams[s].initPoints(static_cast<unsigned>(from.size()));
                 for (unsigned i = 0; i < points.size(); ++i) {
                   points[i].setSeq(from[i].seq.value());
                   points[i].setUptimeMs(from[i].uptime_ms);
                   points[i].setBytes(from[i].bytes);
                 }
               }
             }));
}

Milestones::Lag Milestones::LagOf(ShardId shard, Seq seq) const {
  const Stream& stream = streams_[shard.value()];
  for (const Point& point : stream.points) {
    if (point.seq <= seq) continue;
    return {std::chrono::milliseconds(uptime_ms_ - point.uptime_ms), stream.bytes - point.bytes};
  }
  return {};
}

}  // namespace homeport::replicator
