#include "replicator/trimmer.h"

#include <algorithm>

#include "core/check.h"
#include "core/messaging/keys.h"

namespace homeport::replicator {

using core::AwayRegion;
using core::Report;

namespace {

// Reports of one region that wait for this store to catch up. The newest give way: the oldest is
// covered first.
constexpr size_t kWaitingMax = 8;

}  // namespace

Trimmer::Trimmer(TrimmerOptions options, core::Store* store)
    : options_(std::move(options)), store_(store), milestones_(*store, options_.shards) {
  CHECK(std::is_sorted(options_.regions.begin(), options_.regions.end()), "regions ascend");
  const std::optional<size_t> self = RegionIndex(options_.self);
  CHECK(self.has_value(), "a region is one of all regions", options_.self);
  self_ = *self;
  const size_t streams = options_.regions.size() * options_.shards;
  for (size_t i = 0; i < streams; ++i) applied_.push_back(core::AppliedSeq(*store, StreamAt(i)));
  work_.resize(streams);
  consumed_.resize(streams);
  trimmed_.resize(streams);
  reported_applied_.resize(streams);
  reported_consumed_.resize(streams);
  told_.resize(options_.regions.size());
  for (size_t region = 0; region < told_.size(); ++region) {
    told_[region].applied.resize(streams);
    told_[region].consumed.resize(streams);
    const Incarnation incarnation = options_.regions[region];
    const auto bytes = store->Get(core::ReportKey(incarnation));
    const auto report = bytes.has_value() ? core::DecodeReport(*bytes, incarnation) : std::nullopt;
    if (!report.has_value()) continue;
    if (region != self_) {
      Learn(region, *report);
      continue;
    }
    reported_ = *report;
    away_ = report->away;
    for (const AwayRegion& one : away_) kept_[{one.stream, one.region}] = one.kept;
    for (const core::StreamPosition& position : report->positions) {
      const std::optional<size_t> index = IndexOf(position.stream);
      if (!index.has_value()) continue;
      reported_applied_[*index] = position.applied;
      reported_consumed_[*index] = consumed_[*index] = position.consumed;
    }
  }
}

// ---- places

std::optional<size_t> Trimmer::RegionIndex(Incarnation region) const {
  const auto at = std::lower_bound(options_.regions.begin(), options_.regions.end(), region);
  if (at == options_.regions.end() || *at != region) return std::nullopt;
  return static_cast<size_t>(at - options_.regions.begin());
}

std::optional<size_t> Trimmer::IndexOf(StreamId stream) const {
  const std::optional<size_t> region = RegionIndex(stream.incarnation());
  if (!region.has_value() || stream.shard().value() >= options_.shards) return std::nullopt;
  return *region * options_.shards + stream.shard().value();
}

StreamId Trimmer::StreamAt(size_t index) const {
  return {options_.regions[index / options_.shards],
          ShardId(static_cast<uint16_t>(index % options_.shards))};
}

const AwayRegion* Trimmer::FindAway(const std::vector<AwayRegion>& away, Incarnation region,
                                    StreamId stream) const {
  const auto at = std::find_if(away.begin(), away.end(), [&](const AwayRegion& one) {
    return one.region == region && one.stream == stream;
  });
  return at == away.end() ? nullptr : &*at;
}

// ---- what comes in

void Trimmer::Applied(AppliedEntry entry) {
  dirty_ = true;
  const std::optional<size_t> index = IndexOf(entry.stream);
  CHECK(index.has_value(), "only streams of the cluster are applied", entry.stream);
  applied_[*index] = entry.seq;
  if (entry.work) work_[*index] = entry.seq;
  const size_t region = *index / options_.shards;
  if (region == self_) {
    milestones_.AddBytes(entry.stream.shard(), entry.bytes);
  } else if (entry.report.has_value()) {
    Learn(region, *entry.report);
  }
}

void Trimmer::Learn(size_t region, const Report& report) {
  Told& told = told_[region];
  for (const core::StreamPosition& position : report.positions) {
    const std::optional<size_t> index = IndexOf(position.stream);
    if (!index.has_value()) continue;
    told.applied[*index] = std::max(told.applied[*index], position.applied);
  }
  if (told.waiting.size() == kWaitingMax) told.waiting.pop_back();
  told.waiting.push_back(report);
}

// Whether this store has all entries of the reporting region's own streams that were on its disk at
// the report. Only then are the entries here that consumed what the report calls consumed: if that
// region died now, whoever takes over its streams would find them consumed, too.
bool Trimmer::Covered(const Report& report, Incarnation of) const {
  if (options_.bug == PlantedTrimBug::kClaimsUncovered) return true;
  return std::all_of(report.positions.begin(), report.positions.end(),
                     [&](const core::StreamPosition& position) {
                       if (position.stream.incarnation() != of) return true;
                       const std::optional<size_t> index = IndexOf(position.stream);
                       return index.has_value() && applied_[*index] >= position.applied;
                     });
}

void Trimmer::Believe() {
  for (size_t region = 0; region < told_.size(); ++region) {
    Told& told = told_[region];
    while (!told.waiting.empty() && Covered(told.waiting.front(), options_.regions[region])) {
      const Report& report = told.waiting.front();
      for (const core::StreamPosition& position : report.positions) {
        const std::optional<size_t> index = IndexOf(position.stream);
        if (!index.has_value()) continue;
        told.consumed[*index] = std::max(told.consumed[*index], position.consumed);
      }
      told.away = report.away;
      told.waiting.pop_front();
    }
  }
}

// ---- a round

void Trimmer::Mark(Instant now, const std::optional<Unconsumed>& first_unconsumed) {
  Believe();
  Marked mark;
  mark.applied = applied_;
  mark.work = work_;
  if (first_unconsumed.has_value()) {
    consumed_ = applied_;
    for (const auto& [stream, first] : *first_unconsumed) {
      const std::optional<size_t> index = IndexOf(stream);
      if (!index.has_value()) continue;
      consumed_[*index] = std::min(consumed_[*index], first - 1);
    }
  }
  mark.consumed = consumed_;
  mark.complete = first_unconsumed.has_value();

  const auto own = work_.begin() + static_cast<ptrdiff_t>(self_ * options_.shards);
  milestones_.Mark(now, std::vector<Seq>(own, own + options_.shards));
  Judge(&mark);
  for (size_t i = 0; i < applied_.size(); ++i) mark.trim.push_back(TrimOf(i, mark));
  for (uint16_t shard = 0; shard < options_.shards; ++shard) {
    const size_t index = self_ * options_.shards + shard;
    milestones_.DropThrough(ShardId(shard), mark.trim[index]);
  }
  // A full disk forgets some time; nobody looks away for longer than it was.
  core::WriteBatch batch;
  milestones_.Save(&batch);
  const core::Status written = store_->Write(batch);
  marked_ = std::move(mark);
  // A shard that begins to serve is news, though nothing more is applied.
  dirty_ = !written.ok() || !first_unconsumed.has_value();
}

// Which regions own streams go on without.
void Trimmer::Judge(Marked* mark) {
  for (uint16_t shard = 0; shard < options_.shards; ++shard) {
    const size_t index = self_ * options_.shards + shard;
    for (size_t region = 0; region < told_.size(); ++region) {
      if (region == self_) continue;
      const Seq done = std::min(told_[region].applied[index], told_[region].consumed[index]);
      const Incarnation incarnation = options_.regions[region];
      const StreamId stream = StreamAt(index);
      if (const AwayRegion* one = FindAway(away_, incarnation, stream)) {
        if (done >= one->since) continue;  // it is back
        mark->away.push_back(*one);
        mark->away.back().kept = std::max(one->kept, kept_[{stream, incarnation}]);
        continue;
      }
      const Milestones::Lag lag = milestones_.LagOf(ShardId(shard), done);
      const bool too_old =
          options_.retention_time.count() > 0 && lag.time > options_.retention_time;
      const bool too_large = options_.retention_bytes > 0 && lag.bytes > options_.retention_bytes;
      if (!too_old && !too_large) continue;
      mark->away.push_back({incarnation, stream, mark->applied[index], Seq(0)});
    }
  }
}

Seq Trimmer::TrimOf(size_t index, const Marked& mark) const {
  const size_t home = index / options_.shards;
  const std::vector<AwayRegion>& away = home == self_ ? mark.away : told_[home].away;
  Seq limit = std::min(mark.applied[index], mark.consumed[index]);
  if (options_.bug == PlantedTrimBug::kIntentsIgnored) limit = mark.applied[index];
  Seq elsewhere(0);  // on the disk of at least one other region
  for (size_t region = 0; region < told_.size(); ++region) {
    if (region == self_) continue;
    const Told& told = told_[region];
    elsewhere = std::max(elsewhere, told.applied[index]);
    const AwayRegion* gone = FindAway(away, options_.regions[region], StreamAt(index));
    Seq consumed = told.consumed[index];
    if (gone != nullptr) consumed = std::max(consumed, gone->kept);
    if (options_.bug != PlantedTrimBug::kIntentsIgnored) limit = std::min(limit, consumed);
    if (gone == nullptr) limit = std::min(limit, told.applied[index]);
  }
  return std::min(limit, elsewhere);
}

void Trimmer::FlushFailed() {
  marked_.reset();
  dirty_ = true;
}

std::vector<Trimmer::Position> Trimmer::Flushed() {
  CHECK(marked_.has_value(), "what is flushed was marked");
  flushed_ = std::exchange(marked_, std::nullopt);
  std::vector<Position> rose;
  for (size_t i = 0; i < trimmed_.size(); ++i) {
    if (flushed_->trim[i] <= trimmed_[i]) continue;
    trimmed_[i] = flushed_->trim[i];
    rose.push_back({StreamAt(i), trimmed_[i]});
  }
  away_ = flushed_->away;
  return rose;
}

std::optional<Report> Trimmer::TakeReport() {
  if (!flushed_.has_value() || !flushed_->complete) return std::nullopt;
  const Marked& now = *flushed_;
  // What earlier lives had to tell is not known: one report tells what this one begins with.
  bool news = !told_once_ || now.away != reported_.away;
  for (size_t i = 0; i < applied_.size() && !news; ++i) {
    news = reported_applied_[i] < now.work[i] ||
           (reported_consumed_[i] < now.work[i] && reported_consumed_[i] < now.consumed[i]);
  }
  if (!news) return std::nullopt;
  told_once_ = true;
  reported_ = {};
  for (size_t i = 0; i < applied_.size(); ++i) {
    reported_applied_[i] = std::max(reported_applied_[i], now.applied[i]);
    reported_consumed_[i] = std::max(reported_consumed_[i], now.consumed[i]);
    if (reported_applied_[i] == Seq(0)) continue;
    reported_.positions.push_back({StreamAt(i), reported_applied_[i], reported_consumed_[i]});
  }
  reported_.away = now.away;
  return reported_;
}

// ---- state

Seq Trimmer::trimmed(StreamId stream) const {
  const std::optional<size_t> index = IndexOf(stream);
  return index.has_value() ? trimmed_[*index] : Seq(0);
}

bool Trimmer::Lost(const AwayRegion& one) const {
  const std::optional<size_t> index = IndexOf(one.stream);
  const std::optional<size_t> region = RegionIndex(one.region);
  return index.has_value() && region.has_value() &&
         told_[*region].applied[*index] < trimmed_[*index];
}

Seq Trimmer::ConsumedBy(Incarnation region, StreamId stream) const {
  const std::optional<size_t> index = IndexOf(stream);
  const std::optional<size_t> at = RegionIndex(region);
  if (!index.has_value() || !at.has_value()) return Seq(0);
  return told_[*at].consumed[*index];
}

void Trimmer::SetKept(Incarnation region, StreamId stream, Seq through) {
  kept_[{stream, region}] = through;
}

}  // namespace homeport::replicator
