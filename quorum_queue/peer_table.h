// PeerTable: numbers for the connections of a RouterSocket; a number is never used again. Bounded:
// past peers_max the peer heard of longest ago is forgotten. Not thread safe.
#pragma once

#include <cstdint>
#include <list>
#include <string>
#include <unordered_map>

#include "core/socket.h"
#include "quorum_queue/replica.h"

namespace homeport::quorum_queue {

class PeerTable {
 public:
  explicit PeerTable(size_t peers_max) : peers_max_(peers_max) {}

  ReplicaPeer NumberOf(const core::PeerId& id) {
    auto found = by_id_.find(id);
    if (found != by_id_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->number;
    }
    if (recent_.size() == peers_max_) {
      by_id_.erase(recent_.back().id);
      by_number_.erase(recent_.back().number);
      recent_.pop_back();
    }
    ++last_;
    recent_.push_front({id, last_});
    by_id_[id] = recent_.begin();
    by_number_[last_] = recent_.begin();
    return last_;
  }
  // nullptr when forgotten.
  const core::PeerId* Find(ReplicaPeer number) const {
    auto found = by_number_.find(number);
    return found == by_number_.end() ? nullptr : &found->second->id;
  }

 private:
  struct Peer {
    core::PeerId id;
    ReplicaPeer number;
  };
  const size_t peers_max_;
  ReplicaPeer last_;
  std::list<Peer> recent_;  // heard of last first
  std::unordered_map<core::PeerId, std::list<Peer>::iterator> by_id_;
  std::unordered_map<ReplicaPeer, std::list<Peer>::iterator> by_number_;
};

}  // namespace homeport::quorum_queue
