#include "router/pulse.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "core/format.h"

namespace homeport::router {

using core::Duration;

namespace {

constexpr Duration kSilentMax = std::chrono::seconds(10);

}  // namespace

void Pulse::Tell(core::Health ready) {
  std::lock_guard lock(mutex_);
  ready_ = std::move(ready);
}

core::Health Pulse::Healthy() const {
  const Duration silent = core::SteadyNow().time_since_epoch() - Duration(turned_.load());
  if (silent < kSilentMax) return {};
  return {false, fmt::format("the region's loop has not turned for {} s",
                             std::chrono::duration_cast<std::chrono::seconds>(silent).count())};
}

core::Health Pulse::Ready() const {
  std::lock_guard lock(mutex_);
  return ready_;
}

core::Health ReadinessOf(bool ready, const replicator::RegionStatus& status) {
  core::Health health{ready, ""};
  for (const replicator::ShardStatus& shard : status.shards) {
    if (shard.ready || !health.text.empty()) continue;
    health.text = fmt::format("shard {}: {}", shard.shard.value(), shard.why_not);
  }
  for (const replicator::StreamLag& stream : status.streams) {
    if (!stream.begins_at.has_value() || !health.text.empty()) continue;
    health.text = fmt::format(
        "needs bootstrap: it has stream {} up to entry {} and its home begins at {} now",
        stream.stream, stream.applied, *stream.begins_at);
  }
  return health;
}

}  // namespace homeport::router
