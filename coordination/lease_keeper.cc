#include "coordination/lease_keeper.h"

#include <algorithm>

#include "coordination/settler.h"
#include "core/check.h"

namespace homeport::coordination {

using core::Duration;
using core::Instant;

std::optional<Request> LeaseKeeper::Next(Instant now) {
  if (asked_ || now < ask_at_) return std::nullopt;
  asked_ = true;
  asked_at_ = now;
  if (lease_ == LeaseId(0)) return GrantLease{ttl_};
  return KeepAlive{lease_};
}

std::optional<Instant> LeaseKeeper::NextDeadline() const {
  if (asked_) return std::nullopt;
  return ask_at_;
}

void LeaseKeeper::OnAnswer(Instant now, const Answer& answer) {
  CHECK(asked_, "an answer to what was asked");
  asked_ = false;
  if (const auto* leased = std::get_if<Leased>(&answer)) {
    lease_ = leased->lease;
    const Duration ttl = leased->ttl;
    holds_until_ = asked_at_ + ttl / 10 * 9;
    ask_at_ = std::max(now, asked_at_ + ttl / 3);
    pause_ = Duration(0);
    return;
  }
  const auto* status = std::get_if<core::Status>(&answer);
  CHECK(status != nullptr, "a lease is answered as one");
  if (!core::IsNotNow(status->code())) lease_ = LeaseId(0);  // it ended
  pause_ = NextPause(pause_);
  ask_at_ = now + pause_;
}

}  // namespace homeport::coordination
