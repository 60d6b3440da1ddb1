// Clocks of the operating system, for drivers. Protocol code is handed its time (core/time.h).
#pragma once

#include <chrono>

#include "core/time.h"

namespace homeport::core {

inline Instant SteadyNow() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}
inline WallMs WallNow() {
  return std::chrono::duration_cast<WallMs>(std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace homeport::core
