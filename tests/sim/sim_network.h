// SimNetwork: links between processes and replicas that lose, repeat, delay, reorder, clog and are
// cut, one way or both.
//
//   Send --(lost? repeated? late? clogged?)--> in flight --(cut at arrival?)--> deliver
#pragma once

#include <functional>
#include <map>
#include <set>
#include <tuple>

#include "core/time.h"
#include "tests/sim/event_log.h"
#include "tests/sim/sim_options.h"
#include "tests/sim/sim_random.h"
#include "tests/sim/sim_scheduler.h"

namespace homeport::sim {

// A process that sends and receives; numbered, a number never comes twice.
using ProcessId = uint64_t;

// One direction of the line between a process and a replica.
struct Link {
  ProcessId process = 0;
  size_t replica = 0;
  bool to_replica = false;
  auto operator<=>(const Link&) const = default;
};

class SimNetwork {
 public:
  SimNetwork(const NetworkOptions& options, Scheduler* scheduler, Random* random, EventLog* log)
      : options_(options), scheduler_(scheduler), random_(random), log_(log) {}

  // Puts `deliver` on the link, or several times, or never.
  void Send(Link link, std::function<void()> deliver);

  // ---- faults, each for a span of time
  void Cut(Link link, core::Duration span);
  void Isolate(size_t replica, core::Duration span);  // all its links, both ways
  void Clog(Link link, core::Duration span);
  // No faults from now on, and all of them healed.
  void Calm();

 private:
  const NetworkOptions options_;
  Scheduler* const scheduler_;
  Random* const random_;
  EventLog* const log_;

  std::set<Link> cuts_;
  std::set<size_t> isolated_;
  std::map<Link, core::Instant> clogged_until_;
  std::map<Link, core::Instant> last_arrival_;
  bool calm_ = false;
};

}  // namespace homeport::sim
