#include "router/gateway_relay.h"

#include "core/check.h"
#include "router/renumber.h"
#include "router/wire.h"

namespace homeport::router {

using core::Instant;
using core::Status;

void GatewayRelay::OnRequest(Instant now, ClientPeer peer, std::string bytes, RelayOutput* out) {
  ++stats_.requests;
  const auto number = NumberOf(bytes);
  if (!number || bytes.size() > kRequestBytesMax) {
    ++stats_.malformed;
    return;
  }
  const auto refuse = [&](const Status& why) {
    out->replies.push_back({peer, EncodeResponse(*number, why)});
  };
  if (const auto wait = buckets_.Take(now, peer.value())) {
    ++stats_.limited;
    return refuse(TooFast(*wait, "this connection"));
  }
  const auto [at, is_new] = numbers_.try_emplace({peer, *number}, next_number_);
  if (is_new) {
    if (asked_.size() >= options_.requests_max) {
      numbers_.erase(at);
      ++stats_.overloaded;
      return refuse(Status::Overloaded(1000, "too many requests are under way here; try again"));
    }
    asked_[next_number_].origin = at->first;
    ++next_number_;
  }
  Asked& asked = asked_.at(at->second);
  by_age_.erase({asked.forget_at, at->second});
  asked.forget_at = now + options_.forget_after;
  by_age_.emplace(asked.forget_at, at->second);
  SetNumber(&bytes, at->second);
  out->requests.push_back(std::move(bytes));
}

void GatewayRelay::OnAnswer(std::string bytes, RelayOutput* out) {
  const auto number = NumberOf(bytes);
  if (!number) {
    ++stats_.malformed;
    return;
  }
  const auto at = asked_.find(*number);
  if (at == asked_.end()) return;  // forgotten meanwhile, or repeated
  ++stats_.answers;
  const auto [peer, origin_number] = at->second.origin;
  Forget(at);
  SetNumber(&bytes, origin_number);
  out->replies.push_back({peer, std::move(bytes)});
}

void GatewayRelay::Reconnected(RelayOutput* out) {
  const Status again = Status::Unavailable(
      "the gateway was started again: whether the request was carried out is "
      "unknown; ask again under the same client message id");
  while (!by_age_.empty()) {
    const auto at = asked_.find(by_age_.begin()->second);
    const auto [peer, number] = at->second.origin;
    out->replies.push_back({peer, EncodeResponse(number, again)});
    Forget(at);
  }
}

void GatewayRelay::Tick(Instant now) {
  while (!by_age_.empty() && by_age_.begin()->first <= now) {
    Forget(asked_.find(by_age_.begin()->second));
  }
}

void GatewayRelay::Forget(AskedMap::iterator at) {
  CHECK(at != asked_.end(), "what is forgotten was asked");
  by_age_.erase({at->second.forget_at, at->first});
  numbers_.erase(at->second.origin);
  asked_.erase(at);
}

}  // namespace homeport::router
