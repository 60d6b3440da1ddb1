// Neighbours: asks the gateways of the other regions, every second, where the replicas of their
// queues are. A region that is down keeps what it said last; before its first word the
// configuration counts.
//
// To know too few replicas, or some that are gone, makes a reader wait, and never miss anything:
// any replica gives committed entries only. docs/quorum_queue.md, "Readers and groups". Used by the
// region's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "core/config.h"
#include "core/socket.h"
#include "core/time.h"
#include "router/views.h"

namespace homeport::router {

class Neighbours {
 public:
  struct News {
    core::Incarnation region;
    std::vector<QueueGroup> groups;
  };

  Neighbours(const core::ClusterConfig& config, core::Incarnation self);
  core::Status Connect(core::Context& context);
  void AddTo(core::Poller* poller) const;
  // Asks those that it is time to ask. Those whose groups are others than before.
  std::vector<News> Turn(core::Instant now);
  core::Instant NextDeadline() const { return ask_at_; }
  // How long it has not answered; since the first Turn if it never did. REQUIRES: a neighbour.
  core::Duration SilenceOf(core::Incarnation region, core::Instant now) const;

 private:
  struct Neighbour {
    std::string gateway;
    std::unique_ptr<core::DealerSocket> socket;
    std::vector<QueueGroup> groups;  // as it said last
    uint64_t heard = 0;              // number of the question that was to
    std::optional<core::Instant> heard_at = {};
  };
  std::map<core::Incarnation, Neighbour> neighbours_;
  core::Instant ask_at_{};
  uint64_t asked_ = 0;
  std::optional<core::Instant> begun_;
};

}  // namespace homeport::router
