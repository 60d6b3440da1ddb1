// TokenBucket: so many a second, and twice that at once. KeyedBuckets: one for each of many keys.
//
// Pure; not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>

#include "core/status.h"
#include "core/time.h"

namespace homeport::router {

class TokenBucket {
 public:
  // 0: no limit.
  explicit TokenBucket(uint32_t per_second) : per_second_(per_second) {}
  // nullopt: taken. Else how long until one can be.
  std::optional<core::Duration> Take(core::Instant now);
  // Nothing is missing: as good as a new one.
  bool full(core::Instant now) const { return full_at_ <= now; }

 private:
  uint32_t per_second_;
  core::Instant full_at_ = core::Instant::min();  // all it needs to remember
};

class KeyedBuckets {
 public:
  // Of more than `keys_max` keys at once some go unlimited.
  explicit KeyedBuckets(uint32_t per_second, size_t keys_max = 65536)
      : per_second_(per_second), keys_max_(keys_max) {}
  std::optional<core::Duration> Take(core::Instant now, uint64_t key);
  size_t size() const { return buckets_.size(); }

 private:
  const uint32_t per_second_;
  const size_t keys_max_;
  std::map<uint64_t, TokenBucket> buckets_;
  core::Instant swept_ = core::Instant::min();
};

// kOverloaded, after `wait`; `whose`: "this connection".
core::Status TooFast(core::Duration wait, const char* whose);

}  // namespace homeport::router
