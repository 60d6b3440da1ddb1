// Time as protocol code sees it: handed in, never asked for.
#pragma once

#include <chrono>
#include <cstdint>

namespace homeport::core {

using Duration = std::chrono::nanoseconds;

// A moment on a monotonic clock, for time-outs. Comparable only within one process or simulation.
struct SteadyClockTag {
  using duration = Duration;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SteadyClockTag>;
  static constexpr bool is_steady = true;
};
using Instant = SteadyClockTag::time_point;

// Milliseconds since 1970 UTC, for people and for lag. Never used to decide anything.
using WallMs = std::chrono::duration<int64_t, std::milli>;

}  // namespace homeport::core
