// RegionMetrics: what a region tells about itself, as Prometheus metrics homeport_region_* with the
// label region; /metrics tells what each one means.
//
// The region's thread calls Update about once a second, and observes; whoever scrapes reads from
// any thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "core/config.h"
#include "core/time.h"
#include "replicator/region.h"
#include "router/gateway.h"

namespace homeport::router {

// What Update takes over; all but the statuses are totals since the start.
struct RegionFigures {
  core::Instant now;
  core::Instant started;
  core::WallMs wall{0};
  replicator::RegionStatus status;
  bool ready = false;
  bool accepts_writes = true;
  std::optional<core::Duration> lease_left;  // nullopt: it needs none
  const replicator::RegionStats* region = nullptr;
  const GatewayStats* gateway = nullptr;
  size_t commands_waiting = 0;
  size_t long_polls = 0;
  uint64_t acknowledged = 0;
  uint64_t replies_dropped = 0;
  uint64_t queue_malformed = 0;
  uint64_t queue_sends_dropped = 0;
  uint64_t relay_bytes = 0;
  uint64_t disk_free_bytes = 0;
};

class RegionMetrics {
 public:
  RegionMetrics(std::shared_ptr<prometheus::Registry> registry, const core::ClusterConfig& config,
                const core::RegionConfig& region);

  void Update(const RegionFigures& figures);
  void CountNote(const std::string& kind);
  void ObserveCommand(core::Duration latency);
  void ObserveTurn(core::Duration busy);
  void ObserveFlush(double seconds, bool ok);  // from any thread

 private:
  // A metric with at most one label more than `region`, made when first used.
  void Set(const std::string& name, const std::string& help, double value,
           const std::string& label = "", const std::string& label_value = "");
  void RaiseTo(const std::string& name, const std::string& help, uint64_t total,
               const std::string& label = "", const std::string& label_value = "");
  prometheus::Labels LabelsOf(const std::string& label, const std::string& value) const;
  std::string RegionName(core::Incarnation incarnation) const;
  void UpdateShards(const RegionFigures& figures);
  void UpdateStreams(const RegionFigures& figures);
  void UpdateTotals(const RegionFigures& figures);

  const std::shared_ptr<prometheus::Registry> registry_;
  const std::string region_;
  const core::Incarnation self_;
  std::map<core::StreamId, core::Instant> caught_up_;  // when a stream last lacked nothing
  std::map<core::Incarnation, std::string> names_;
  std::map<std::string, prometheus::Gauge*> gauges_;  // by name and label value
  std::map<std::string, prometheus::Counter*> counters_;
  std::map<std::string, uint64_t> notes_;
  std::map<uint8_t, int> waiting_;  // shards, by replica; of all that were ever known
  prometheus::Histogram* command_seconds_;
  prometheus::Histogram* turn_seconds_;
  prometheus::Histogram* flush_seconds_;
  prometheus::Counter* flushes_failed_;
};

}  // namespace homeport::router
