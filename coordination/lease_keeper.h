// LeaseKeeper: keeps one lease, and knows until when it surely holds.
//
// A lease ends at the store `ttl` after the store had the last request; this counts from when that
// request left, on its own clock, and takes a tenth off for clocks that run at different speeds. So
// Holds() turns false before the store gives the lease's rows to another, however wrong the two
// clocks stand, as long as they run less than a tenth apart. Pure. Not thread safe.
//
//   none --grant--> held --(kept alive every third of its time)--> held --(refused)--> none
#pragma once

#include <optional>

#include "coordination/messages.h"
#include "core/time.h"

namespace homeport::coordination {

class LeaseKeeper {
 public:
  explicit LeaseKeeper(std::chrono::seconds ttl) : ttl_(ttl) {}
  // What to ask now. nullopt: it is asked, or not yet time.
  std::optional<Request> Next(core::Instant now);
  void OnAnswer(core::Instant now, const Answer& answer);
  std::optional<core::Instant> NextDeadline() const;

  // 0: none. Another one than before: what was written with the old one is gone.
  LeaseId lease() const { return lease_; }
  bool Holds(core::Instant now) const { return lease_ != LeaseId(0) && now < holds_until_; }
  core::Instant holds_until() const { return holds_until_; }

 private:
  const std::chrono::seconds ttl_;
  LeaseId lease_;
  core::Instant holds_until_;
  bool asked_ = false;
  core::Instant asked_at_;
  core::Instant ask_at_;
  core::Duration pause_{0};
};

}  // namespace homeport::coordination
