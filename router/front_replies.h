// FrontReplies: replies that a front's queue has no room for now. A front takes the replies of many
// clients, all at once when a message goes to many; what is kept here goes out as its queue
// empties.
//
// Invariants:
//  (1) at most `bytes_max` bytes are kept
//  (2) nothing is kept for a front that has taken nothing for `patience`: it is gone, or asks again
//
// Pure; not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

#include "core/bytes.h"
#include "core/time.h"
#include "router/long_polls.h"

namespace homeport::router {

class FrontReplies {
 public:
  explicit FrontReplies(size_t bytes_max = 64 << 20,
                        core::Duration patience = std::chrono::seconds(10))
      : bytes_max_(bytes_max), patience_(patience) {}

  bool empty() const { return queues_.empty(); }
  // False: there is no room, it is not kept.
  bool Keep(core::Instant now, ClientPeer front, core::SharedBytes reply) {
    if (bytes_ + reply.view().size() > bytes_max_) return false;
    bytes_ += reply.view().size();
    const auto [at, is_new] = queues_.try_emplace(front);
    if (is_new) at->second.taken = now;
    at->second.replies.push_back(std::move(reply));
    return true;
  }
  // `send(front, reply)`: false when it cannot be taken now. Answers how many were given up.
  template <class Send>
  uint64_t Flush(core::Instant now, Send send) {
    uint64_t given_up = 0;
    for (auto at = queues_.begin(); at != queues_.end();) {
      Queue& queue = at->second;
      while (!queue.replies.empty() && send(at->first, queue.replies.front())) {
        Drop(&queue);
        queue.taken = now;
      }
      if (now - queue.taken >= patience_) {
        given_up += queue.replies.size();
        while (!queue.replies.empty()) Drop(&queue);
      }
      at = queue.replies.empty() ? queues_.erase(at) : std::next(at);
    }
    return given_up;
  }

 private:
  struct Queue {
    std::deque<core::SharedBytes> replies;
    core::Instant taken;  // when one was, or the first was kept
  };
  void Drop(Queue* queue) {
    bytes_ -= queue->replies.front().view().size();
    queue->replies.pop_front();
  }

  const size_t bytes_max_;
  const core::Duration patience_;
  std::map<ClientPeer, Queue> queues_;
  size_t bytes_ = 0;
};

}  // namespace homeport::router
