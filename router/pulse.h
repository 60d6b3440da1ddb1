// Pulse: whether a loop still turns and whether its region serves, told by the loop, for the HTTP
// thread that answers /healthz and /readyz.
//
// Everything may be called from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "core/clock.h"
#include "core/http.h"
#include "core/time.h"
#include "replicator/region.h"

namespace homeport::router {

class Pulse {
 public:
  void Turned(core::Instant now) { turned_.store(now.time_since_epoch().count()); }
  void Tell(core::Health ready);
  core::Health Healthy() const;
  core::Health Ready() const;

 private:
  std::atomic<int64_t> turned_ = core::SteadyNow().time_since_epoch().count();
  mutable std::mutex mutex_;
  core::Health ready_ = {false, "starting"};
};

// Whether the region serves, and the first reason why it does not.
core::Health ReadinessOf(bool ready, const replicator::RegionStatus& status);

}  // namespace homeport::router
