#include "router/region_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/status.h"
#include "core/version.h"

namespace homeport::router {

using core::Incarnation;
using core::Instant;

namespace {

constexpr std::string_view kPrefix = "homeport_region_";

double Seconds(core::Duration duration) {
  return std::chrono::duration<double>(duration).count();
}

std::string CodeLabel(size_t code) {
  return std::string(core::CodeName(static_cast<core::Code>(code)));
}

prometheus::Histogram* AddHistogram(prometheus::Registry& registry, const std::string& region,
                                    const std::string& name, const std::string& help,
                                    const prometheus::Histogram::BucketBoundaries& buckets) {
  return &prometheus::BuildHistogram()
              .Name(std::string(kPrefix) + name)
              .Help(help)
              .Register(registry)
              .Add({{"region", region}}, buckets);
}

// How far a region is behind another, over all shards.
struct Lag {
  uint64_t entries = 0;
  double seconds = 0;
  double heard_seconds = 0;
};

// How old the copy of a stream is that lacks entries. Its last applied entry may be old only
// because nothing was written for long.
double Behind(const RegionFigures& figures, const replicator::StreamLag& stream,
              Instant caught_up) {
  const double since_caught_up = Seconds(figures.now - caught_up);
  if (stream.applied_written_at.count() == 0) return since_caught_up;
  const auto age_ms = (figures.wall - stream.applied_written_at).count();
  return std::clamp(static_cast<double>(age_ms) / 1e3, 0.0, since_caught_up);
}

}  // namespace

RegionMetrics::RegionMetrics(std::shared_ptr<prometheus::Registry> registry,
                             const core::ClusterConfig& config, const core::RegionConfig& region)
    : registry_(std::move(registry)), region_(region.name), self_(region.incarnation) {
  for (const core::RegionConfig& known : config.regions) names_[known.incarnation] = known.name;
  for (size_t i = 0; i < region.replicas.size(); ++i) {
    waiting_[static_cast<uint8_t>(region.NumberOfReplica(i) - 1)] = 0;
  }
  command_seconds_ = AddHistogram(
      *registry_, region_, "command_seconds",
      "From a command's arrival to its answer: on 2 of 3 disks and applied.",
      {500e-6, 1e-3, 2e-3, 3e-3, 5e-3, 7e-3, 10e-3, 20e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2, 5});
  turn_seconds_ = AddHistogram(
      *registry_, region_, "turn_seconds", "Work of one turn of the loop, without waiting.",
      {10e-6, 30e-6, 100e-6, 300e-6, 1e-3, 3e-3, 10e-3, 30e-3, 0.1, 0.3, 1});
  flush_seconds_ =
      AddHistogram(*registry_, region_, "store_flush_seconds", "Time to make the store durable.",
                   {1e-3, 10e-3, 50e-3, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30});
  flushes_failed_ = &prometheus::BuildCounter()
                         .Name("homeport_region_store_flushes_failed_total")
                         .Help("Flushes that the store refused.")
                         .Register(*registry_)
                         .Add({{"region", region_}});
  prometheus::BuildGauge()
      .Name("homeport_build_info")
      .Help("1; the labels tell the build.")
      .Register(*registry_)
      .Add({{"version", std::string(core::kVersion)},
            {"compiler", __VERSION__},
            {"cluster", config.cluster},
            {"region", region_},
            {"incarnation", std::to_string(region.incarnation.value())}})
      .Set(1);
}

prometheus::Labels RegionMetrics::LabelsOf(const std::string& label,
                                           const std::string& value) const {
  prometheus::Labels labels = {{"region", region_}};
  if (!label.empty()) labels[label] = value;
  return labels;
}

void RegionMetrics::Set(const std::string& name, const std::string& help, double value,
                        const std::string& label, const std::string& label_value) {
  prometheus::Gauge*& gauge = gauges_[name + ' ' + label_value];
  if (gauge == nullptr) {
    gauge = &prometheus::BuildGauge()
                 .Name(std::string(kPrefix) + name)
                 .Help(help)
                 .Register(*registry_)
                 .Add(LabelsOf(label, label_value));
  }
  gauge->Set(value);
}

void RegionMetrics::RaiseTo(const std::string& name, const std::string& help, uint64_t total,
                            const std::string& label, const std::string& label_value) {
  prometheus::Counter*& counter = counters_[name + ' ' + label_value];
  if (counter == nullptr) {
    counter = &prometheus::BuildCounter()
                   .Name(std::string(kPrefix) + name)
                   .Help(help)
                   .Register(*registry_)
                   .Add(LabelsOf(label, label_value));
  }
  counter->Increment(static_cast<double>(total) - counter->Value());
}

std::string RegionMetrics::RegionName(Incarnation incarnation) const {
  const auto at = names_.find(incarnation);
  return at != names_.end() ? at->second : std::to_string(incarnation.value());
}

void RegionMetrics::UpdateShards(const RegionFigures& figures) {
  for (auto& [replica, shards] : waiting_) shards = 0;
  for (const replicator::ShardStatus& shard : figures.status.shards) {
    const std::string id = std::to_string(shard.shard.value());
    Set("shard_ready", "1 while the shard serves.", shard.ready ? 1 : 0, "shard", id);
    Set("commands_queued", "Commands that wait to be evaluated.",
        static_cast<double>(shard.commands_queued), "shard", id);
    Set("intents_pending", "Intents that wait to be consumed.",
        static_cast<double>(shard.intents_pending), "shard", id);
    Set("writer_window_bytes", "Entries submitted and not committed.",
        static_cast<double>(shard.writer.window_bytes), "shard", id);
    Set("writer_grant", "Counter of the grant that this region's writer holds.",
        static_cast<double>(shard.writer.epoch.value() >> quorum_queue::kEpochRandomBits), "shard",
        id);
    Set("replica_refuses", "1 while a replica refuses entries for want of space.",
        shard.writer.refused_full ? 1 : 0, "shard", id);
    for (const uint8_t replica : shard.waiting_for) ++waiting_[replica];
  }
  for (const auto& [replica, shards] : waiting_) {
    Set("writers_waiting", "Shards whose oldest open entry this replica has not stored.", shards,
        "replica", std::to_string(replica + 1));
  }
}

void RegionMetrics::UpdateStreams(const RegionFigures& figures) {
  std::map<Incarnation, Lag> lags;
  for (const replicator::StreamLag& stream : figures.status.streams) {
    const Incarnation from = stream.stream.incarnation();
    const std::string id = fmt::format("{}/{}", RegionName(from), stream.stream.shard().value());
    Set("stream_applied", "Seq up to which a stream is applied here.",
        static_cast<double>(stream.applied.value()), "stream", id);
    Set("stream_committed", "Highest committed seq of a stream heard of.",
        static_cast<double>(stream.committed.value()), "stream", id);
    Set("stream_trimmed", "Seq up to which this region has trimmed its copy of a stream.",
        static_cast<double>(stream.trimmed.value()), "stream", id);
    Set("stream_needs_bootstrap", "1: its home has trimmed entries that this region lacks.",
        stream.begins_at.has_value() ? 1 : 0, "stream", id);
    Set("stream_held_nowhere", "1, an alarm: a committed entry is on no replica of its home.",
        stream.held_nowhere.has_value() ? 1 : 0, "stream", id);
    const uint64_t entries =
        stream.committed > stream.applied ? stream.committed - stream.applied : 0;
    Instant& caught_up = caught_up_.try_emplace(stream.stream, figures.started).first->second;
    if (entries == 0) caught_up = figures.now;
    Lag& lag = lags[from];
    lag.entries += entries;
    if (from == self_) continue;  // the own writer has nothing to say while it is idle
    // A link that is silent is not one without lag: then the silence counts.
    const double silent = Seconds(figures.now - stream.heard.value_or(figures.started));
    lag.heard_seconds = std::max(lag.heard_seconds, silent);
    lag.seconds = std::max(lag.seconds, entries > 0 ? Behind(figures, stream, caught_up) : silent);
  }
  std::map<Incarnation, int> away;
  for (const replicator::AwayStatus& one : figures.status.away) ++away[one.region];
  for (const auto& [from, lag] : lags) {
    const std::string name = RegionName(from);
    if (from != self_) {
      Set("away_streams", "Own streams that go on without waiting for a region.", away[from],
          "from", name);
    }
    Set("lag_entries", "Entries committed there and not applied here.",
        static_cast<double>(lag.entries), "from", name);
    if (from == self_) continue;
    Set("lag_seconds",
        "While entries are missing: age of the last applied one, or time since none was missing, "
        "whichever is less; else time since the last word. Of the worst shard.",
        lag.seconds, "from", name);
    Set("heard_seconds", "Time since the last word of a stream's replicas; of the worst shard.",
        lag.heard_seconds, "from", name);
  }
}

void RegionMetrics::UpdateTotals(const RegionFigures& figures) {
  const replicator::RegionStats& region = *figures.region;
  RaiseTo("commands_total", "Commands executed.", region.commands);
  RaiseTo("entries_appended_total", "Entries appended to own streams.", region.entries_appended);
  RaiseTo("entries_applied_total", "Entries applied, of all streams.", region.entries_applied);
  RaiseTo("rows_applied_total", "Rows written to the store.", region.rows_applied);
  RaiseTo("stale_rows_total", "Rows not applied: a higher stamp stood there.", region.stale_rows);
  RaiseTo("intents_consumed_total", "Intents consumed by own shards.", region.intents_consumed);
  RaiseTo("users_adopted_total", "Users and groups that came to live here.", region.adopted);
  RaiseTo("replayed_bytes_total", "Payload bytes of other regions' streams.",
          region.bytes_replayed);
  for (size_t code = 1; code < region.errors_by_code.size(); ++code) {
    RaiseTo("command_errors_total", "Commands that failed.", region.errors_by_code[code], "code",
            CodeLabel(code));
  }
  const GatewayStats& gateway = *figures.gateway;
  RaiseTo("requests_total", "Requests of clients.", gateway.requests);
  RaiseTo("request_bytes_total", "Bytes of requests.", gateway.request_bytes);
  RaiseTo("reply_bytes_total", "Bytes of replies.", gateway.reply_bytes);
  RaiseTo("malformed_requests_total", "Requests that could not be decoded.", gateway.malformed);
  RaiseTo("repeated_requests_total", "Requests dropped: the first still waits.", gateway.repeated);
  RaiseTo("limited_requests_total", "Requests refused: faster than is allowed.", gateway.limited);
  RaiseTo("moved_total", "Requests sent to another region.", gateway.moved);
  RaiseTo("users_followed_total", "Users sent to live where they write from.", gateway.followed);
  for (size_t code = 1; code < gateway.errors_by_code.size(); ++code) {
    RaiseTo("errors_total", "Requests answered by an error.", gateway.errors_by_code[code], "code",
            CodeLabel(code));
  }
  RaiseTo("acknowledged_total", "Commands acknowledged: on 2 of 3 disks and applied.",
          figures.acknowledged);
  RaiseTo("replies_dropped_total", "Replies whose client was gone or too slow.",
          figures.replies_dropped);
  RaiseTo("queue_malformed_total", "Answers of replicas that could not be decoded.",
          figures.queue_malformed);
  RaiseTo("queue_sends_dropped_total", "Requests to replicas that were not connected.",
          figures.queue_sends_dropped);
}

void RegionMetrics::Update(const RegionFigures& figures) {
  Set("ready", "1 while all shards serve.", figures.ready ? 1 : 0);
  Set("accepts_writes", "1 while writes are accepted; 0: its lease is not held (fence = lease).",
      figures.accepts_writes ? 1 : 0);
  if (figures.lease_left) {
    Set("lease_left_seconds", "For how long its lease holds, if nobody renews it.",
        Seconds(*figures.lease_left));
  }
  Set("commands_waiting", "Commands of clients not answered yet.",
      static_cast<double>(figures.commands_waiting));
  Set("long_polls", "Clients that wait for news.", static_cast<double>(figures.long_polls));
  Set("relay_log_bytes", "Size of the relay log.", static_cast<double>(figures.relay_bytes));
  Set("disk_free_bytes", "Free space where the region's directory lies.",
      static_cast<double>(figures.disk_free_bytes));
  UpdateShards(figures);
  UpdateStreams(figures);
  UpdateTotals(figures);
}

void RegionMetrics::CountNote(const std::string& kind) {
  RaiseTo("notes_total", "Rare branches taken; the log tells more.", ++notes_[kind], "kind", kind);
}
void RegionMetrics::ObserveCommand(core::Duration latency) {
  command_seconds_->Observe(Seconds(latency));
}
void RegionMetrics::ObserveTurn(core::Duration busy) {
  turn_seconds_->Observe(Seconds(busy));
}
void RegionMetrics::ObserveFlush(double seconds, bool ok) {
  flush_seconds_->Observe(seconds);
  if (!ok) flushes_failed_->Increment();
}

}  // namespace homeport::router
