#include "quorum_queue/replica_metrics.h"

#include "core/clock.h"

namespace homeport::quorum_queue {
namespace {

prometheus::Labels LabelsOf(const Identity& identity) {
  return {{"region", identity.region}, {"replica", std::to_string(identity.replica)}};
}

prometheus::Counter& AddCounter(prometheus::Registry& registry, const Identity& identity,
                                const std::string& name, const std::string& help) {
  return prometheus::BuildCounter()
      .Name("homeport_replica_" + name)
      .Help(help)
      .Register(registry)
      .Add(LabelsOf(identity));
}

prometheus::Gauge& AddGauge(prometheus::Registry& registry, const Identity& identity,
                            const std::string& name, const std::string& help) {
  return prometheus::BuildGauge()
      .Name("homeport_replica_" + name)
      .Help(help)
      .Register(registry)
      .Add(LabelsOf(identity));
}

prometheus::Histogram& AddHistogram(prometheus::Registry& registry, const Identity& identity,
                                    const std::string& name, const std::string& help,
                                    const prometheus::Histogram::BucketBoundaries& buckets) {
  return prometheus::BuildHistogram()
      .Name("homeport_replica_" + name)
      .Help(help)
      .Register(registry)
      .Add(LabelsOf(identity), buckets);
}

void RaiseTo(prometheus::Counter& counter, uint64_t value) {
  counter.Increment(static_cast<double>(value) - counter.Value());
}

}  // namespace

ReplicaMetrics::ReplicaMetrics(prometheus::Registry& registry, const Identity& identity)
    : entries(AddCounter(registry, identity, "entries_total", "Entries stored.")),
      entry_bytes(AddCounter(registry, identity, "entry_bytes_total", "Payload bytes stored.")),
      fenced(AddCounter(registry, identity, "fenced_total",
                        "Messages refused because a newer writer exists.")),
      refused_full(AddCounter(registry, identity, "refused_full_total",
                              "Batches refused because the disk or the log is full.")),
      ignored(
          AddCounter(registry, identity, "ignored_total", "Well-formed requests without sense.")),
      malformed(AddCounter(registry, identity, "malformed_total",
                           "Messages from the network that could not be decoded.")),
      corrupt_loads(
          AddCounter(registry, identity, "corrupt_loads_total",
                     "Records that could not be read back or failed their checksum; their "
                     "entries were not served.")),
      records_lost(AddCounter(registry, identity, "records_lost_total",
                              "Log records found unreadable: a flipped bit or a bad block.")),
      entries_lost(AddCounter(registry, identity, "entries_lost_total",
                              "Entries that were lost with them and have to be filled again.")),
      fences_withheld(AddCounter(registry, identity, "fences_withheld_total",
                                 "Fences not answered because uncommitted entries may have been "
                                 "lost, those included by which a running writer looks, once a "
                                 "second, for newer ones.")),
      scrubbed_bytes(AddCounter(registry, identity, "scrubbed_bytes_total",
                                "Log bytes read again to find damage.")),
      scrub_passes(AddCounter(registry, identity, "scrub_passes_total",
                              "Times that all sealed segments were read again.")),
      dropped_full(AddCounter(registry, identity, "dropped_full_total",
                              "Messages dropped unanswered because the log was full.")),
      answers_dropped(AddCounter(registry, identity, "answers_dropped_total",
                                 "Answers whose receiver was gone or too slow.")),
      records(AddCounter(registry, identity, "log_records_total", "Records appended to the log.")),
      sync_seconds(AddHistogram(registry, identity, "sync_seconds",
                                "Time to write a batch of records and fdatasync.",
                                {100e-6, 200e-6, 400e-6, 800e-6, 1.6e-3, 3.2e-3, 6.4e-3, 12.8e-3,
                                 25e-3, 50e-3, 0.1, 0.2, 0.5, 1, 5})),
      sync_records(AddHistogram(registry, identity, "sync_records", "Records in one sync.",
                                {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024})),
      log_bytes(AddGauge(registry, identity, "log_bytes", "Size of the log's segments in use.")),
      disk_free_bytes(AddGauge(registry, identity, "disk_free_bytes", "Free space of the disk.")),
      full(AddGauge(registry, identity, "full", "1 while entries are refused for want of space.")),
      recovering(AddGauge(registry, identity, "recovering",
                          "1 while it replaces a lost disk and has not got everything.")),
      admitted(AddGauge(registry, identity, "admitted",
                        "1 once the region's keeper knows that its directory is no old copy.")),
      doubtful_streams(AddGauge(registry, identity, "doubtful_streams",
                                "Streams of which no fence is answered, because uncommitted "
                                "entries may have been lost.")),
      scrub_last_pass(AddGauge(registry, identity, "scrub_last_pass_seconds",
                               "When all sealed segments had last been read again, in Unix "
                               "time; 0: not since the start.")) {}

void ReplicaMetrics::Update(const ReplicaStats& stats) {
  RaiseTo(entries, stats.entries_stored);
  RaiseTo(entry_bytes, stats.bytes_stored);
  RaiseTo(fenced, stats.fenced);
  RaiseTo(refused_full, stats.refused_full);
  RaiseTo(ignored, stats.ignored);
  RaiseTo(records_lost, stats.records_lost);
  RaiseTo(entries_lost, stats.entries_lost);
  RaiseTo(fences_withheld, stats.fences_withheld);
}

void ReplicaMetrics::Update(const SegmentScrubber::Stats& stats) {
  RaiseTo(scrubbed_bytes, stats.bytes);
  if (static_cast<double>(stats.passes) > scrub_passes.Value()) {
    scrub_last_pass.Set(std::chrono::duration<double>(core::WallNow()).count());
  }
  RaiseTo(scrub_passes, stats.passes);
}

}  // namespace homeport::quorum_queue
