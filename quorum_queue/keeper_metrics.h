// KeeperMetrics: what a QueueKeeper tells of itself, as Prometheus metrics homeport_queue_*. Used
// by the keeper's thread.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include "quorum_queue/queue_keeper.h"

namespace homeport::quorum_queue {

class KeeperMetrics {
 public:
  KeeperMetrics(prometheus::Registry& registry, const std::string& region);
  void Update(const QueueKeeperStatus& status);
  void Count(std::string_view note);

 private:
  void UpdateDraining(const QueueKeeperStatus& status);

  prometheus::Family<prometheus::Gauge>& lacking_entries_;
  prometheus::Family<prometheus::Gauge>& lacking_bytes_;
  prometheus::Gauge& held_nowhere_;
  prometheus::Counter& mended_entries_;
  prometheus::Counter& mended_bytes_;
  prometheus::Gauge& complete_;
  prometheus::Gauge& recovering_;
  prometheus::Counter& restored_;
  prometheus::Gauge& waiting_;
  prometheus::Counter& given_up_;
  prometheus::Gauge& draining_;
  prometheus::Family<prometheus::Gauge>& not_drained_;
  prometheus::Family<prometheus::Counter>& notes_;
  const std::string region_;
  std::map<ReplicaSlot, std::pair<prometheus::Gauge*, prometheus::Gauge*>> by_replica_;
  std::map<GroupId, prometheus::Gauge*> by_group_;  // that drains
};

}  // namespace homeport::quorum_queue
