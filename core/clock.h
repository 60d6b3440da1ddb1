// Clocks of the operating system, for drivers. Protocol code is handed its time (core/time.h).
#pragma once

#include <time.h>

#include <chrono>

#include "core/check.h"
#include "core/time.h"

namespace homeport::core {

inline Instant SteadyNow() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}
// Goes on while the machine is suspended, as the clocks of others do: for what they count, too.
// Never compared with SteadyNow.
inline Instant BootNow() {
  timespec now = {};
  CHECK(::clock_gettime(CLOCK_BOOTTIME, &now) == 0, "this system has the clock");
  return Instant(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}
inline WallMs WallNow() {
  return std::chrono::duration_cast<WallMs>(std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace homeport::core
