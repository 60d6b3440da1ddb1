#include "tests/sim/sim_network.h"

#include <algorithm>

namespace homeport::sim {

using core::Duration;
using core::Instant;

void SimNetwork::Send(Link link, std::function<void()> deliver) {
  const bool twice = !calm_ && random_->Chance(options_.duplicates);
  for (int copy = 0; copy < (twice ? 2 : 1); ++copy) {
    if (!calm_ && random_->Chance(options_.loss)) {
      log_->Add(scheduler_->now(), "    lost: process {}, replica {}, to the replica: {}",
                link.process, link.replica, link.to_replica);
      continue;
    }
    Duration delay = random_->Micros(50, 2000);
    if (!calm_ && random_->Chance(options_.late)) delay = random_->Millis(5, 1500);
    Instant at = scheduler_->now() + delay;
    const auto clogged = clogged_until_.find(link);
    if (clogged != clogged_until_.end()) at = std::max(at, clogged->second);
    if (options_.ordered || calm_) {
      Instant& last = last_arrival_[link];
      at = last = std::max(last, at);
    }
    scheduler_->At(at, [this, link, deliver] {
      if (!cuts_.contains(link) && !isolated_.contains(link.replica)) return deliver();
      log_->Add(scheduler_->now(), "    cut: process {}, replica {}, to the replica: {}",
                link.process, link.replica, link.to_replica);
    });
  }
}

void SimNetwork::Cut(Link link, Duration span) {
  cuts_.insert(link);
  scheduler_->After(span, [this, link] { cuts_.erase(link); });
}

void SimNetwork::Isolate(size_t replica, Duration span) {
  isolated_.insert(replica);
  scheduler_->After(span, [this, replica] { isolated_.erase(replica); });
}

void SimNetwork::Clog(Link link, Duration span) {
  clogged_until_[link] = scheduler_->now() + span;
}

void SimNetwork::Calm() {
  calm_ = true;
  cuts_.clear();
  isolated_.clear();
  clogged_until_.clear();
}

}  // namespace homeport::sim
