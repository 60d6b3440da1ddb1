#include "coordination/settler.h"

#include <algorithm>

#include "core/check.h"

namespace homeport::coordination {

using core::Duration;
using core::Instant;

Duration NextPause(Duration pause) {
  constexpr Duration kFirst = std::chrono::milliseconds(50);
  constexpr Duration kLast = std::chrono::seconds(1);
  return std::clamp(2 * pause, kFirst, kLast);
}

std::optional<Request> Settler::Next(Instant now) {
  if (settled_ || asked_ || now < ask_at_) return std::nullopt;
  asked_ = true;
  return set_;
}

std::optional<Instant> Settler::NextDeadline() const {
  if (settled_ || asked_) return std::nullopt;
  return ask_at_;
}

void Settler::OnAnswer(Instant now, const Answer& answer) {
  CHECK(asked_ && !settled_, "an answer to what was asked");
  asked_ = false;
  if (const auto* compared = std::get_if<Compared>(&answer)) {
    settled_.emplace();
    settled_->done = compared->done;
    settled_->perhaps = !compared->done && unknown_;
    settled_->revision = compared->revision;
    settled_->rows = compared->rows;
    return;
  }
  const auto* status = std::get_if<core::Status>(&answer);
  CHECK(status != nullptr, "a compare-and-set is answered as one");
  unknown_ = unknown_ || IsUnknown(*status);
  if (core::IsNotNow(status->code())) {
    pause_ = NextPause(pause_);
    ask_at_ = now + pause_;
    return;
  }
  settled_.emplace();
  settled_->refused = *status;
  settled_->perhaps = unknown_;
}

}  // namespace homeport::coordination
