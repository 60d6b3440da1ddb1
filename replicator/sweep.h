// Sweep: when a shard looks for inbox items that need not be kept any more. Round after round over
// all its users, a few at a time, so that it never keeps commands waiting.
//
// Pure; not thread safe.
#pragma once

#include "core/messaging/evaluator.h"
#include "core/time.h"

namespace homeport::replicator {

struct SweepOptions {
  core::Duration step = std::chrono::seconds(1);             // between two entries' worth of users
  core::Duration busy_step = std::chrono::milliseconds(50);  // while there is much to remove
  core::Duration pause = std::chrono::seconds(60);           // between rounds
};

class Sweep {
 public:
  Sweep(SweepOptions options, core::Instant now) : options_(options), next_(now + options.step) {}

  core::Instant next() const { return next_; }
  // Goes on where the last step ended.
  void Step(core::Instant now, core::Evaluator* evaluator) {
    const core::Evaluator::Sweep done = evaluator->TrimInboxes(after_);
    after_ = done.through;
    const bool round_over = after_ == core::Uin() && !done.more;
    next_ = now + (round_over ? options_.pause : done.more ? options_.busy_step : options_.step);
  }

 private:
  SweepOptions options_;
  core::Instant next_;
  core::Uin after_;
};

}  // namespace homeport::replicator
