#include "router/region_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.h"

namespace homeport::router {

using core::Incarnation;
using core::Instant;
using core::LogInfo;
using core::LogWarn;

namespace {

constexpr core::Duration kStalledAfter = std::chrono::seconds(10);
constexpr core::Duration kSilentAfter = std::chrono::seconds(5);
constexpr core::Duration kNoteWindow = std::chrono::seconds(10);
constexpr int kNotesPerWindow = 20;

std::string Ms(core::Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

bool IsTrouble(const std::string& kind) {
  return kind == "fenced" || kind == "held_nowhere" || kind == "needs_bootstrap" ||
         kind == "corrupt_entry" || kind == "store_full" || kind == "region_away";
}

}  // namespace

RegionWatch::RegionWatch(const core::ClusterConfig& config, Incarnation self, Instant started)
    : self_(self), started_(started) {
  for (const core::RegionConfig& region : config.regions) names_[region.incarnation] = region.name;
}

std::string RegionWatch::NameOf(Incarnation incarnation) const {
  const auto at = names_.find(incarnation);
  return at != names_.end() ? at->second : std::to_string(incarnation.value());
}
void RegionWatch::Heard(Instant now, Incarnation region, uint8_t replica) {
  if (!heard_.insert_or_assign({region, replica}, now).second) return;
  LogInfo("replica_connected", {{"region", NameOf(region)},
                                {"replica", std::to_string(replica + 1)},
                                {"since_start_ms", Ms(now - started_)}});
}

void RegionWatch::Noted(Instant now, const replicator::Note& note) {
  Noise& noise = notes_[note.kind];
  if (now - noise.window >= kNoteWindow) {
    if (noise.untold > 0) {
      LogWarn("notes_not_logged", {{"kind", note.kind}, {"count", std::to_string(noise.untold)}});
    }
    noise = {now, 0, 0};
  }
  // A region with many shards starts with one note for each; that is no noise.
  if (IsTrouble(note.kind) && noise.told >= kNotesPerWindow) {
    ++noise.untold;
    return;
  }
  ++noise.told;
  const auto log = IsTrouble(note.kind) ? LogWarn : LogInfo;
  log(note.kind, {{"detail", note.detail}, {"since_start_ms", Ms(now - started_)}});
}

void RegionWatch::Look(Instant now, const replicator::RegionStatus& status) {
  LookAtStreams(now, status);
  LookAtReplicas(now, status);
}

// Stalled: nothing heard for a while, or entries known that do not get applied.
bool RegionWatch::LookAtStream(Instant now, const replicator::StreamLag& stream) {
  const auto [at, is_new] = progress_.try_emplace(stream.stream, Progress{stream.applied, now});
  Progress& progress = at->second;
  if (stream.applied != progress.applied || stream.applied >= stream.committed) {
    progress.applied = stream.applied;
    progress.since = now;
  }
  // The own writer has nothing to say while it is idle.
  const bool is_silent = stream.stream.incarnation() != self_ &&
                         now - stream.heard.value_or(started_) >= kStalledAfter;
  const bool stalled = is_silent || now - progress.since >= kStalledAfter;
  return std::exchange(progress.stalled, stalled) != stalled;
}

void RegionWatch::LookAtStreams(Instant now, const replicator::RegionStatus& status) {
  std::map<std::pair<Incarnation, bool>, Changed> lines;  // by region, and whether stalled
  for (const replicator::StreamLag& stream : status.streams) {
    if (!LookAtStream(now, stream)) continue;
    Changed& line = lines[{stream.stream.incarnation(), progress_.at(stream.stream).stalled}];
    line.shards +=
        fmt::format("{}{}", line.shards.empty() ? "" : ",", stream.stream.shard().value());
    if (stream.committed > stream.applied) line.lag_entries += stream.committed - stream.applied;
    line.silent = std::max(line.silent, now - stream.heard.value_or(started_));
  }
  for (const auto& [key, line] : lines) {
    const auto& [region, stalled] = key;
    const auto log = stalled ? LogWarn : LogInfo;
    log(stalled ? "stream_stalled" : "stream_moves_again",
        {{"from", NameOf(region)},
         {"shards", line.shards},
         {"lag_entries", std::to_string(line.lag_entries)},
         {"heard_ms_ago", Ms(line.silent)}});
  }
}

// A replica that entries wait for and that says nothing. That some entry waits for each of three
// busy replicas is the rule, not trouble.
void RegionWatch::LookAtReplicas(Instant now, const replicator::RegionStatus& status) {
  std::map<uint8_t, core::Duration> silent;
  for (const replicator::ShardStatus& shard : status.shards) {
    for (const uint8_t replica : shard.waiting_for) {
      const auto heard = heard_.find({self_, replica});
      const core::Duration since = now - (heard == heard_.end() ? started_ : heard->second);
      if (since >= kSilentAfter) silent[replica] = since;
    }
  }
  std::erase_if(silent_told_, [&](uint8_t replica) {
    if (silent.contains(replica)) return false;
    LogInfo("replica_answers_again", {{"replica", std::to_string(replica + 1)}});
    return true;
  });
  for (const auto& [replica, since] : silent) {
    if (!silent_told_.insert(replica).second) continue;
    LogWarn("replica_does_not_answer",
            {{"replica", std::to_string(replica + 1)}, {"for_ms", Ms(since)}});
  }
}

}  // namespace homeport::router
