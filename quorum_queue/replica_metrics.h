// ReplicaMetrics: what one replica tells about itself, as Prometheus metrics homeport_replica_*
// with labels region and replica. Thread safe.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "quorum_queue/identity.h"
#include "quorum_queue/replica.h"
#include "quorum_queue/segment_scrubber.h"

namespace homeport::quorum_queue {

class ReplicaMetrics {
 public:
  // `registry` outlives it.
  ReplicaMetrics(prometheus::Registry& registry, const Identity& identity);

  // Takes over what the machine, or the scrubber, has counted.
  void Update(const ReplicaStats& stats);
  void Update(const SegmentScrubber::Stats& stats);

  prometheus::Counter& entries;
  prometheus::Counter& entry_bytes;
  prometheus::Counter& fenced;
  prometheus::Counter& refused_full;
  prometheus::Counter& ignored;
  prometheus::Counter& malformed;
  prometheus::Counter& corrupt_loads;
  prometheus::Counter& records_lost;
  prometheus::Counter& entries_lost;
  prometheus::Counter& fences_withheld;
  prometheus::Counter& scrubbed_bytes;
  prometheus::Counter& scrub_passes;
  prometheus::Counter& dropped_full;
  prometheus::Counter& answers_dropped;
  prometheus::Counter& records;
  prometheus::Histogram& sync_seconds;
  prometheus::Histogram& sync_records;
  prometheus::Gauge& log_bytes;
  prometheus::Gauge& disk_free_bytes;
  prometheus::Gauge& full;
  prometheus::Gauge& recovering;
  prometheus::Gauge& admitted;
  prometheus::Gauge& doubtful_streams;
  prometheus::Gauge& scrub_last_pass;
};

}  // namespace homeport::quorum_queue
