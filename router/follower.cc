#include "router/follower.h"

#include <algorithm>

namespace homeport::router {

using core::Incarnation;
using core::Instant;
using core::Uin;

std::optional<Incarnation> Follower::OnWrite(Instant now, Uin user, Incarnation from) {
  if (options_.writes == 0 || from == Incarnation()) return std::nullopt;
  const auto [at, is_new] = users_.try_emplace(user, Noted{now, from, 0});
  if (is_new) {
    by_age_.push_back(user);
    if (by_age_.size() > options_.users_max) {
      users_.erase(by_age_.front());
      by_age_.pop_front();
    }
  }
  Noted& noted = at->second;
  if (noted.from != from) {
    noted.from = from;
    noted.in_a_row = 0;
  }
  noted.in_a_row = std::min(noted.in_a_row + 1, options_.writes);
  if (from == options_.self || noted.in_a_row < options_.writes) return std::nullopt;
  if (now - noted.since < options_.stay || moves_.Take(now)) return std::nullopt;
  // A move that does not come about is not asked for with every write.
  noted.since = now;
  noted.in_a_row = 0;
  return from;
}

}  // namespace homeport::router
