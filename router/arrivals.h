// Arrivals: requests about users and groups that are moving here, held until they are served.
//
//   Add --(its move is applied)--> Take --> answered, or held again
//    |---(deadline)-----------> TakeExpired --> "not now"
//    +---(Cancel)--> gone
//
// Requests of one subject come out in the order in which they came in. Pure; not thread safe.
// docs/mastership.md, "Clients".
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/time.h"
#include "router/long_polls.h"
#include "router/wire.h"

namespace homeport::router {

class Arrivals {
 public:
  struct Held {
    ClientPeer peer;
    uint64_t number = 0;
    core::Instant deadline;
    RequestBody request;
    core::MastershipEpoch known;  // by who asks
  };

  explicit Arrivals(size_t held_max) : held_max_(held_max) {}

  bool full() const { return held_.size() >= held_max_; }
  size_t HeldOf(ClientPeer peer) const;
  size_t size() const { return held_.size(); }
  // REQUIRES: !full()
  void Add(core::Uin subject, Held held);
  std::vector<Held> Take(core::Uin subject);
  std::vector<Held> TakeExpired(core::Instant now);
  // By whose answer it is. False: there is none such.
  bool Cancel(ClientPeer peer, uint64_t number);
  std::optional<core::Instant> NextDeadline() const;

 private:
  using Place = std::pair<core::Uin, uint64_t>;
  Held Remove(std::map<Place, Held>::iterator at);

  const size_t held_max_;
  uint64_t next_id_ = 1;
  std::map<Place, Held> held_;
  std::set<std::pair<core::Instant, Place>> by_deadline_;
  std::map<std::pair<ClientPeer, uint64_t>, Place> by_origin_;
  std::map<ClientPeer, size_t> by_peer_;  // how many
};

// The user or group whose home is to answer this; nullopt: any region may.
std::optional<core::Uin> SubjectOfRequest(const RequestBody& request);

}  // namespace homeport::router
