// SimClock: the monotonic clock of one process. It began at a moment of its own and runs a little
// fast or slow; the simulation's time is the true one.
#pragma once

#include "core/time.h"
#include "tests/sim/sim_random.h"

namespace homeport::sim {

class SimClock {
 public:
  SimClock() = default;
  // `drift_ppm`: millionths that it runs fast (slow: negative).
  SimClock(core::Instant started, core::Duration offset, int64_t drift_ppm)
      : started_(started), offset_(offset), drift_ppm_(drift_ppm) {}

  // What the process sees at the moment `true_time`. REQUIRES: not before it started.
  core::Instant Local(core::Instant true_time) const {
    const int64_t passed = (true_time - started_).count();
    return started_ + offset_ +
           core::Duration(passed + passed / kMillion * drift_ppm_ +
                          passed % kMillion * drift_ppm_ / kMillion);
  }
  // The first moment, or a microsecond later, at which the process sees `local`.
  core::Instant True(core::Instant local) const {
    const int64_t passed = (local - started_ - offset_).count();
    if (passed <= 0) return started_;
    const int64_t rate = kMillion + drift_ppm_;
    core::Instant at =
        started_ + core::Duration(passed / rate * kMillion + passed % rate * kMillion / rate);
    while (Local(at) < local) at += std::chrono::microseconds(1);
    return at;
  }

 private:
  static constexpr int64_t kMillion = 1000000;
  core::Instant started_{};
  core::Duration offset_{0};
  int64_t drift_ppm_ = 0;
};

}  // namespace homeport::sim
