// Random: all chance of a simulation, from one seed (splitmix64, so that it is the same on every
// machine).
#pragma once

#include <cstdint>

#include "core/time.h"

namespace homeport::sim {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = (state_ += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
  }
  uint64_t Below(uint64_t n) { return Next() % n; }  // REQUIRES: n > 0
  uint64_t Between(uint64_t low, uint64_t high) { return low + Below(high - low + 1); }
  bool Chance(uint64_t permille) { return Below(1000) < permille; }
  core::Duration Micros(uint64_t low, uint64_t high) {
    return std::chrono::microseconds(Between(low, high));
  }
  core::Duration Millis(uint64_t low, uint64_t high) { return Micros(1000 * low, 1000 * high); }

 private:
  uint64_t state_;
};

}  // namespace homeport::sim
