#include "router/long_polls.h"

#include "core/check.h"

namespace homeport::router {

using core::Instant;
using core::Uin;

Uin LongPoll::subject() const {
  if (const auto* sync = std::get_if<SyncRequest>(&request)) return sync->user;
  if (const auto* news = std::get_if<AwaitNewsRequest>(&request)) return news->user;
  if (const auto* records = std::get_if<RecordsRequest>(&request)) return records->user;
  return std::get<AwaitSequencedRequest>(request).group;
}

namespace {

using Device = std::pair<Uin, core::DeviceNumber>;

// Whose only one it is.
std::optional<Device> DeviceOf(const LongPoll& poll) {
  const auto* news = std::get_if<AwaitNewsRequest>(&poll.request);
  if (news == nullptr || news->device == core::DeviceNumber()) return std::nullopt;
  return Device{news->user, news->device};
}

}  // namespace

uint64_t LongPolls::Add(LongPoll poll) {
  CHECK(!full(), "long polls are bounded");
  const uint64_t id = next_id_++;
  by_origin_.emplace(std::pair{poll.peer, poll.number}, id);
  if (const auto device = DeviceOf(poll)) {
    const bool only = by_device_.emplace(*device, id).second;
    CHECK(only, "one request for news per device", device->first, device->second);
  }
  by_subject_.emplace(poll.subject(), id);
  by_deadline_.emplace(poll.deadline, id);
  polls_.emplace(id, std::move(poll));
  return id;
}

void LongPolls::AlsoFor(uint64_t id, Uin subject) {
  if (polls_.at(id).also.insert(subject).second) by_subject_.emplace(subject, id);
}

void LongPolls::Wake(Uin subject) {
  for (auto at = by_subject_.lower_bound({subject, 0});
       at != by_subject_.end() && at->first == subject; ++at) {
    woken_.insert(at->second);
  }
}

std::optional<std::pair<uint64_t, const LongPoll*>> LongPolls::NextDue(Instant now) const {
  if (!woken_.empty()) {
    const uint64_t id = *woken_.begin();
    return std::pair{id, &polls_.at(id)};
  }
  if (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    const uint64_t id = by_deadline_.begin()->second;
    return std::pair{id, &polls_.at(id)};
  }
  return std::nullopt;
}

void LongPolls::Rest(uint64_t id) {
  woken_.erase(id);
}

void LongPolls::Remove(uint64_t id) {
  const auto at = polls_.find(id);
  CHECK(at != polls_.end(), "a poll is removed once", id);
  woken_.erase(id);
  by_subject_.erase({at->second.subject(), id});
  for (const Uin subject : at->second.also) by_subject_.erase({subject, id});
  by_deadline_.erase({at->second.deadline, id});
  by_origin_.erase({at->second.peer, at->second.number});
  if (const auto device = DeviceOf(at->second)) by_device_.erase(*device);
  polls_.erase(at);
}

bool LongPolls::Cancel(ClientPeer peer, uint64_t number) {
  const auto at = by_origin_.find({peer, number});
  if (at == by_origin_.end()) return false;
  Remove(at->second);
  return true;
}

std::optional<LongPoll> LongPolls::TakeNewsPoll(Uin user, core::DeviceNumber device) {
  const auto at = by_device_.find({user, device});
  if (at == by_device_.end()) return std::nullopt;
  const uint64_t id = at->second;
  LongPoll poll = polls_.at(id);
  Remove(id);
  return poll;
}

std::optional<Instant> LongPolls::NextDeadline() const {
  if (!woken_.empty()) return Instant();
  if (!by_deadline_.empty()) return by_deadline_.begin()->first;
  return std::nullopt;
}

}  // namespace homeport::router
