#include "router/long_polls.h"

#include "core/check.h"

namespace homeport::router {

using core::Instant;
using core::Uin;

Uin LongPoll::subject() const {
  if (const auto* sync = std::get_if<SyncRequest>(&request)) return sync->user;
  return std::get<AwaitSequencedRequest>(request).group;
}

void LongPolls::Add(LongPoll poll) {
  CHECK(!full(), "long polls are bounded");
  const uint64_t id = next_id_++;
  by_subject_.emplace(poll.subject(), id);
  by_deadline_.emplace(poll.deadline, id);
  polls_.emplace(id, std::move(poll));
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
  by_deadline_.erase({at->second.deadline, id});
  polls_.erase(at);
}

std::optional<Instant> LongPolls::NextDeadline() const {
  if (!woken_.empty()) return Instant();
  if (!by_deadline_.empty()) return by_deadline_.begin()->first;
  return std::nullopt;
}

}  // namespace homeport::router
