#include "router/arrivals.h"

#include <type_traits>

#include "core/check.h"

namespace homeport::router {

using core::Instant;
using core::Uin;

void Arrivals::Add(Uin subject, Held held) {
  CHECK(!full(), "what is held is bounded");
  const Place place{subject, next_id_++};
  by_deadline_.emplace(held.deadline, place);
  by_origin_.emplace(std::pair{held.peer, held.number}, place);
  ++by_peer_[held.peer];
  held_.emplace(place, std::move(held));
}

size_t Arrivals::HeldOf(ClientPeer peer) const {
  const auto at = by_peer_.find(peer);
  return at == by_peer_.end() ? 0 : at->second;
}

Arrivals::Held Arrivals::Remove(std::map<Place, Held>::iterator at) {
  by_deadline_.erase({at->second.deadline, at->first});
  by_origin_.erase({at->second.peer, at->second.number});
  const auto of_peer = by_peer_.find(at->second.peer);
  if (--of_peer->second == 0) by_peer_.erase(of_peer);
  Held held = std::move(at->second);
  held_.erase(at);
  return held;
}

std::vector<Arrivals::Held> Arrivals::Take(Uin subject) {
  std::vector<Held> taken;
  for (auto at = held_.lower_bound({subject, 0}); at != held_.end() && at->first.first == subject;
       at = held_.lower_bound({subject, 0})) {
    taken.push_back(Remove(at));
  }
  return taken;
}

std::vector<Arrivals::Held> Arrivals::TakeExpired(Instant now) {
  std::vector<Held> expired;
  while (!by_deadline_.empty() && by_deadline_.begin()->first <= now) {
    expired.push_back(Remove(held_.find(by_deadline_.begin()->second)));
  }
  return expired;
}

bool Arrivals::Cancel(ClientPeer peer, uint64_t number) {
  const auto at = by_origin_.find({peer, number});
  if (at == by_origin_.end()) return false;
  Remove(held_.find(at->second));
  return true;
}

std::optional<Instant> Arrivals::NextDeadline() const {
  if (by_deadline_.empty()) return std::nullopt;
  return by_deadline_.begin()->first;
}

std::optional<Uin> SubjectOfRequest(const RequestBody& request) {
  return std::visit(
      [](const auto& body) -> std::optional<Uin> {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, core::SendMessage>) {
          return body.from;
        } else if constexpr (std::is_same_v<Body, core::ChangeCommand>) {
          return core::SubjectOf(body);
        } else if constexpr (std::is_same_v<Body, core::JoinGroup> ||
                             std::is_same_v<Body, core::LeaveGroup> ||
                             std::is_same_v<Body, AwaitSequencedRequest>) {
          return body.group;
        } else if constexpr (std::is_same_v<Body, SyncRequest> ||
                             std::is_same_v<Body, AwaitNewsRequest> ||
                             std::is_same_v<Body, RecordsRequest>) {
          return body.user;
        } else if constexpr (std::is_same_v<Body, ReadRecordRequest>) {
          if (body.level == ReadLevel::kLatest) return body.user;
          return std::nullopt;
        } else {
          return std::nullopt;
        }
      },
      request);
}

}  // namespace homeport::router
