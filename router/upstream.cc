#include "router/upstream.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "core/check.h"
#include "router/api.h"

namespace homeport::router {

using core::Duration;
using core::Instant;
using core::Status;

uint64_t Upstream::Ask(Instant now, const RequestBody& request, UpstreamOutput* out) {
  const uint64_t number = next_number_++;
  const Duration wait = WaitOf(request);
  const bool held = wait > options_.resend_after;
  const size_t others = held ? held_ : asked_.size() - held_;
  if (others >= (held ? options_.held_max : options_.requests_max)) {
    out->answered.push_back(
        {number, Status::Overloaded(1000, "too many requests are under way here; try again")});
    return number;
  }
  std::string bytes = EncodeRequest(number, request);
  if (bytes.size() > kRequestBytesMax) {
    out->answered.push_back(
        {number, Status::TooLarge(kRequestBytesMax,
                                  fmt::format("a request may have {} bytes, this one has {}",
                                              kRequestBytesMax, bytes.size()))});
    return number;
  }
  out->sends.push_back(bytes);
  Asked& asked = asked_[number];
  asked.bytes = std::move(bytes);
  asked.deadline = now + wait + options_.give_up_after;
  asked.held = held;
  if (held) ++held_;
  asked.next = asked.deadline;
  timers_.emplace(asked.next, number);
  SetTimer(number, &asked, now + (held ? options_.resend_held_after : options_.resend_after));
  return number;
}

void Upstream::SetTimer(uint64_t number, Asked* asked, Instant at) {
  timers_.erase({asked->next, number});
  asked->next = std::min(at, asked->deadline);
  timers_.emplace(asked->next, number);
}

void Upstream::Forget(AskedMap::iterator at) {
  timers_.erase({at->second.next, at->first});
  if (at->second.held) --held_;
  asked_.erase(at);
}

void Upstream::Cancel(uint64_t number, UpstreamOutput* out) {
  const auto at = asked_.find(number);
  if (at == asked_.end()) return;
  if (at->second.held) out->sends.push_back(EncodeRequest(number, CancelRequest{}));
  Forget(at);
}

void Upstream::Receive(std::string_view bytes, UpstreamOutput* out) {
  auto response = DecodeResponse(bytes);
  if (!response.ok()) {
    ++malformed_;
    return;
  }
  const auto at = asked_.find(response->number);
  if (at == asked_.end()) return;  // late, or cancelled
  Forget(at);
  out->answered.push_back({response->number, std::move(response->body)});
}

void Upstream::Reconnected(Instant now, UpstreamOutput* out) {
  std::vector<uint64_t> held;
  for (const auto& [due, number] : timers_) {
    if (asked_.at(number).held) held.push_back(number);
  }
  std::sort(held.begin(), held.end());
  for (const uint64_t number : held) {
    Asked& asked = asked_.at(number);
    out->sends.push_back(asked.bytes);
    SetTimer(number, &asked, now + options_.resend_held_after);
  }
}

void Upstream::Tick(Instant now, UpstreamOutput* out) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const uint64_t number = timers_.begin()->second;
    const auto at = asked_.find(number);
    CHECK(at != asked_.end(), "a timer belongs to a request", number);
    if (at->second.deadline <= now) {
      Forget(at);
      out->answered.push_back(
          {number, Status::Unavailable("the region does not answer; whether the request was "
                                       "carried out is unknown")});
      continue;
    }
    out->sends.push_back(at->second.bytes);
    SetTimer(number, &at->second,
             now + (at->second.held ? options_.resend_held_after : options_.resend_after));
  }
}

std::optional<Instant> Upstream::NextDeadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

}  // namespace homeport::router
