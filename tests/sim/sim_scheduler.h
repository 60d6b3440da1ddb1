// Scheduler: simulated time. Runs what is due, in order of time and, at one moment, in order of
// asking.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <utility>
#include <vector>

#include "core/time.h"

namespace homeport::sim {

class Scheduler {
 public:
  static constexpr core::Instant kBeginning{std::chrono::seconds(1)};

  core::Instant now() const { return now_; }
  uint64_t events() const { return events_; }

  void At(core::Instant at, std::function<void()> run) {
    queue_.push({std::max(at, now_), next_++, std::move(run)});
  }
  void After(core::Duration delay, std::function<void()> run) { At(now_ + delay, std::move(run)); }

  // Runs until `done` says so (asked before each event) or the moment `end` is reached. True when
  // done.
  bool RunUntil(core::Instant end, const std::function<bool()>& done) {
    while (!done()) {
      if (queue_.empty() || queue_.top().at > end) {
        now_ = std::max(now_, end);
        return false;
      }
      const std::function<void()> run = std::move(const_cast<Item&>(queue_.top()).run);
      now_ = queue_.top().at;
      queue_.pop();
      ++events_;
      run();
    }
    return true;
  }

 private:
  struct Item {
    core::Instant at;
    uint64_t order;
    std::function<void()> run;
    bool operator<(const Item& other) const {
      return std::pair(at, order) > std::pair(other.at, other.order);
    }
  };
  std::priority_queue<Item> queue_;
  core::Instant now_ = kBeginning;
  uint64_t next_ = 0;
  uint64_t events_ = 0;
};

}  // namespace homeport::sim
