#include "router/token_bucket.h"

#include <fmt/format.h>

#include <algorithm>

namespace homeport::router {

using core::Duration;
using core::Instant;

namespace {

constexpr Duration kBurst = std::chrono::seconds(2);
constexpr Duration kSweepEvery = std::chrono::seconds(1);

}  // namespace

std::optional<Duration> TokenBucket::Take(Instant now) {
  if (per_second_ == 0) return std::nullopt;
  const Duration one = Duration(std::chrono::seconds(1)) / per_second_;
  const Instant after = std::max(full_at_, now) + one;
  if (after - now > kBurst) return after - now - kBurst;
  full_at_ = after;
  return std::nullopt;
}

std::optional<Duration> KeyedBuckets::Take(Instant now, uint64_t key) {
  if (per_second_ == 0) return std::nullopt;
  const auto known = buckets_.find(key);
  if (known != buckets_.end()) return known->second.Take(now);
  if (buckets_.size() >= keys_max_) {
    if (swept_ != Instant::min() && now - swept_ < kSweepEvery) return std::nullopt;
    swept_ = now;
    std::erase_if(buckets_, [now](const auto& bucket) { return bucket.second.full(now); });
    if (buckets_.size() >= keys_max_) return std::nullopt;
  }
  return buckets_.emplace(key, TokenBucket(per_second_)).first->second.Take(now);
}

core::Status TooFast(Duration wait, const char* whose) {
  const auto ms = static_cast<uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
  return core::Status::Overloaded(
      ms, fmt::format("{} asks faster than is allowed; wait {} ms", whose, ms));
}

}  // namespace homeport::router
