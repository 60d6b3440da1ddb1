#include "router/calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"

namespace homeport::router {

using core::Code;
using core::Duration;
using core::Incarnation;
using core::Instant;
using core::MastershipEpoch;
using core::Result;
using core::Status;
using core::Uin;

namespace {

// SplitMix64: spreads retries of many clients, nothing more.
uint64_t Mix(uint64_t n) {
  n += 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  return n ^ (n >> 31);
}

// A gateway may hold the answer as long as we are going to wait, no longer.
void SetWait(RequestBody* body, Duration wait) {
  const auto wait_ms = static_cast<uint32_t>(std::clamp<int64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(wait).count(), 0, UINT32_MAX));
  if (auto* sync = std::get_if<SyncRequest>(body)) sync->wait_ms = wait_ms;
  if (auto* records = std::get_if<RecordsRequest>(body)) records->wait_ms = wait_ms;
  if (auto* await = std::get_if<AwaitSequencedRequest>(body)) await->wait_ms = wait_ms;
  if (auto* news = std::get_if<AwaitNewsRequest>(body)) news->wait_ms = wait_ms;
}

}  // namespace

Calls::Calls(CallsOptions options, std::vector<GatewayAddress> regions)
    : options_(options), regions_(std::move(regions)) {
  CHECK(!regions_.empty(), "a client knows a region");
}

const GatewayAddress* Calls::Find(Incarnation incarnation) const {
  for (const GatewayAddress& region : regions_) {
    if (region.incarnation == incarnation) return &region;
  }
  return nullptr;
}

Incarnation Calls::FirstTarget(const Route& route) const {
  Incarnation target = route.region;
  if (route.kind == Route::Kind::kHome) {
    const auto known = homes_.find(route.subject);
    if (known != homes_.end()) {
      target = known->second.incarnation;
    } else if (options_.homes_from_ids) {
      target = core::BirthIncarnation(route.subject);
    }
  }
  // Any region can tell where to go.
  return Find(target) != nullptr ? target : regions_.front().incarnation;
}

Incarnation Calls::NextRegion(Incarnation after) const {
  size_t next = 0;
  for (size_t i = 0; i < regions_.size(); ++i) {
    if (regions_[i].incarnation == after) next = i + 1;
  }
  for (size_t i = 0; i < regions_.size(); ++i) {
    const Incarnation region = regions_[(next + i) % regions_.size()].incarnation;
    if (!IsBlocked(region)) return region;
  }
  return regions_[next % regions_.size()].incarnation;
}

bool Calls::IsBlocked(Incarnation region) const {
  const auto& regions = blocked_.regions;
  return std::find(regions.begin(), regions.end(), region) != regions.end();
}

void Calls::Learn(const BlockedRegions& blocked) {
  if (blocked.number > blocked_.number) blocked_ = blocked;
}

void Calls::Remember(Uin uin, Incarnation home, MastershipEpoch epoch) {
  const auto [at, is_new] = homes_.try_emplace(uin, Home{home, epoch});
  if (!is_new) {
    if (epoch >= at->second.epoch) at->second = {home, epoch};
    return;
  }
  homes_by_age_.push_back(uin);
  if (homes_by_age_.size() <= options_.homes_max) return;
  homes_.erase(homes_by_age_.front());
  homes_by_age_.pop_front();
}

CallId Calls::Start(Instant now, Route route, RequestBody body, Instant deadline,
                    CallsOutput* out) {
  const uint64_t number = next_number_++;
  Call& call = calls_[number];
  call.id = CallId(next_call_++);
  call.target = FirstTarget(route);
  call.route = std::move(route);
  call.body = std::move(body);
  call.started = now;
  call.deadline = deadline;
  call.next = now;
  const CallId id = call.id;
  timers_.emplace(call.next, number);
  Send(now, number, &call, out);
  if (const size_t bytes = out->sends.back().bytes.size(); bytes > kRequestBytesMax) {
    out->sends.pop_back();
    Finish(calls_.find(number),
           Status::TooLarge(kRequestBytesMax,
                            fmt::format("a request may have {} bytes, this one has {}",
                                        kRequestBytesMax, bytes)),
           out);
  }
  return id;
}

bool Calls::IsHeld(const Call& call, Instant now) {
  return call.route.hold_until && *call.route.hold_until > now;
}

void Calls::SetTimer(uint64_t number, Call* call, Instant at) {
  timers_.erase({call->next, number});
  call->next = std::min(at, call->deadline);
  timers_.emplace(call->next, number);
}

void Calls::Send(Instant now, uint64_t number, Call* call, CallsOutput* out) {
  if (call->route.hold_until) SetWait(&call->body, *call->route.hold_until - now);
  // Who names one region means that one, as operators do.
  if (call->route.kind != Route::Kind::kFixed && IsBlocked(call->target)) {
    call->target = NextRegion(call->target);
  }
  call->sent = true;
  const bool held = IsHeld(*call, now);
  const Duration first =
      call->route.resend_after.value_or(held ? options_.resend_held_after : options_.resend_after);
  call->resend_after =
      std::clamp(call->resend_after * 2, first, std::max(first, options_.resend_after_max));
  SetTimer(number, call, now + call->resend_after);
  // Whoever knows less than we do waits until it has heard of the move.
  const auto known =
      call->route.kind == Route::Kind::kHome ? homes_.find(call->route.subject) : homes_.end();
  const MastershipEpoch epoch = known != homes_.end() ? known->second.epoch : MastershipEpoch{};
  out->sends.push_back({call->target, number,
                        EncodeRequest(number, call->body, epoch, regions_.front().incarnation)});
}

// Under a new number, so that late answers to the old one are no longer heard.
void Calls::SendAnew(Instant now, CallMap::iterator at, CallsOutput* out) {
  timers_.erase({at->second.next, at->first});
  at->second.resend_after = Duration(0);
  auto node = calls_.extract(at);
  node.key() = next_number_++;
  const auto inserted = calls_.insert(std::move(node));
  Send(now, inserted.position->first, &inserted.position->second, out);
}

void Calls::RetryLater(Instant now, uint64_t number, Call* call, Duration at_least) {
  ++stats_.retries;
  call->sent = false;
  call->retry_after =
      std::clamp(call->retry_after * 2, options_.retry_after_min, options_.retry_after_max);
  const Duration wait = std::max(call->retry_after, std::min(at_least, options_.retry_after_max));
  // Between 3/4 and 5/4 of it, so that many who were refused together do not come back together.
  const auto spread = static_cast<int64_t>(Mix(options_.seed ^ number) % 128) - 64;
  SetTimer(number, call, now + wait + wait / 256 * spread);
}

void Calls::FollowMoved(Instant now, CallMap::iterator at, const Status& moved, CallsOutput* out) {
  Call& call = at->second;
  const bool follows =
      call.route.kind == Route::Kind::kHome || call.route.kind == Route::Kind::kName;
  if (!follows || Find(moved.home()) == nullptr || ++call.redirects > options_.redirects_max) {
    return Finish(at, moved, out);
  }
  ++stats_.redirects;
  if (call.route.kind == Route::Kind::kHome) {
    Remember(call.route.subject, moved.home(), moved.epoch());
  }
  out->redirects.push_back({call.target, moved.home(), call.route.subject});
  call.target = moved.home();
  if (call.redirects > options_.redirects_at_once_max) {
    call.last_error = moved;
    return RetryLater(now, at->first, &call, Duration(0));
  }
  SendAnew(now, at, out);
}

void Calls::Receive(Instant now, Incarnation region, std::string_view bytes, CallsOutput* out) {
  Result<Response> response = DecodeResponse(bytes);
  if (!response.ok()) {
    ++stats_.malformed;
    return;
  }
  Learn(response->blocked);
  const auto at = calls_.find(response->number);
  const bool expected = at != calls_.end() && at->second.sent &&
                        (at->second.target == region || at->second.route.kind == Route::Kind::kAny);
  if (!expected) {
    ++stats_.stray;
    return;
  }
  Call& call = at->second;
  const auto* error = std::get_if<Status>(&response->body);
  if (error == nullptr) {
    if (call.route.kind == Route::Kind::kHome) Remember(call.route.subject, region, {});
    return Finish(at, std::move(response->body), out);
  }
  if (error->code() == Code::kMoved) return FollowMoved(now, at, *error, out);
  if (!IsNotNow(error->code())) return Finish(at, *error, out);
  if (call.route.kind == Route::Kind::kAny) call.target = NextRegion(region);
  call.last_error = *error;
  const uint64_t asked_ms = error->code() == Code::kOverloaded ? error->detail() : 0;
  RetryLater(now, at->first, &call, std::chrono::milliseconds(std::min<uint64_t>(asked_ms, 60000)));
}

void Calls::Reconnected(Instant now, Incarnation region, CallsOutput* out) {
  std::vector<uint64_t> held;
  for (const auto& [due, number] : timers_) {
    const Call& call = calls_.at(number);
    if (call.sent && call.target == region && IsHeld(call, now)) held.push_back(number);
  }
  std::sort(held.begin(), held.end());
  for (const uint64_t number : held) {
    ++stats_.resends;
    Call& call = calls_.at(number);
    call.resend_after = Duration(0);  // a fresh start, not one more silence
    Send(now, number, &call, out);
  }
}

void Calls::SendRefused(Instant now, uint64_t number) {
  const auto at = calls_.find(number);
  if (at != calls_.end()) RetryLater(now, number, &at->second, Duration(0));
}

void Calls::GiveUp(CallMap::iterator at, CallsOutput* out) {
  const Call& call = at->second;
  if (call.last_error) return Finish(at, *call.last_error, out);
  const GatewayAddress* region = Find(call.target);
  Status status = Status::Unavailable(fmt::format(
      "region {} ({}) did not answer within {} ms; is it running? Whether the request was carried "
      "out is unknown",
      region->region, region->endpoint,
      std::chrono::duration_cast<std::chrono::milliseconds>(call.deadline - call.started).count()));
  Finish(at, std::move(status), out);
}

void Calls::Finish(CallMap::iterator at, Result<ResponseBody> answer, CallsOutput* out) {
  out->finished.push_back({at->second.id, std::move(answer)});
  timers_.erase({at->second.next, at->first});
  calls_.erase(at);
}

void Calls::Tick(Instant now, CallsOutput* out) {
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto at = calls_.find(timers_.begin()->second);
    CHECK(at != calls_.end(), "a timer belongs to a call", timers_.begin()->second);
    Call& call = at->second;
    if (call.deadline <= now) {
      GiveUp(at, out);
    } else if (!call.sent) {
      SendAnew(now, at, out);
    } else {
      ++stats_.resends;
      // The same number: a late answer of either region is as good.
      if (call.route.kind == Route::Kind::kAny) call.target = NextRegion(call.target);
      Send(now, at->first, &call, out);
    }
  }
}

std::optional<Instant> Calls::NextDeadline() const {
  if (timers_.empty()) return std::nullopt;
  return timers_.begin()->first;
}

}  // namespace homeport::router
