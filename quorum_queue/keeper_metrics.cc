#include "quorum_queue/keeper_metrics.h"

#include <algorithm>

namespace homeport::quorum_queue {
namespace {

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry,
                                              const std::string& name, const std::string& help) {
  return prometheus::BuildGauge().Name("homeport_queue_" + name).Help(help).Register(registry);
}
prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry,
                                                  const std::string& name,
                                                  const std::string& help) {
  return prometheus::BuildCounter().Name("homeport_queue_" + name).Help(help).Register(registry);
}
void RaiseTo(prometheus::Counter& counter, uint64_t value) {
  counter.Increment(static_cast<double>(value) - counter.Value());
}

}  // namespace

KeeperMetrics::KeeperMetrics(prometheus::Registry& registry, const std::string& region)
    : lacking_entries_(Gauges(registry, "under_replicated_entries",
                              "Committed entries that a replica of the group lacks.")),
      lacking_bytes_(Gauges(registry, "under_replicated_bytes",
                            "Payload bytes of the entries that a replica lacks.")),
      held_nowhere_(
          Gauges(registry, "held_nowhere", "Committed entries that no replica holds: an alarm.")
              .Add({{"region", region}})),
      mended_entries_(Counters(registry, "mended_entries_total", "Entries filled in by the mender.")
                          .Add({{"region", region}})),
      mended_bytes_(
          Counters(registry, "mended_bytes_total", "Payload bytes filled in by the mender.")
              .Add({{"region", region}})),
      complete_(Gauges(registry, "looks_complete",
                       "1 once every stream was looked at since the groups changed last.")
                    .Add({{"region", region}})),
      recovering_(Gauges(registry, "recovering_replicas",
                         "Replicas whose disk was replaced and that have not got everything.")
                      .Add({{"region", region}})),
      restored_(Counters(registry, "restored_replicas_total",
                         "Replicas that were restored after a lost disk.")
                    .Add({{"region", region}})),
      waiting_(Gauges(registry, "waiting_replicas",
                      "Replicas that answer and are not admitted, amnesiacs among them.")
                   .Add({{"region", region}})),
      given_up_(Counters(registry, "amnesiac_replicas_total",
                         "Replicas whose directory was put back from an old copy, and given up.")
                    .Add({{"region", region}})),
      draining_(
          Gauges(registry, "draining_groups", "Groups that take no entries and are to be retired.")
              .Add({{"region", region}})),
      not_drained_(Gauges(registry, "not_drained_entries",
                          "Committed entries that have to leave the group that drains.")),
      notes_(Counters(registry, "mender_notes_total", "Rare branches of the mender, by kind.")),
      region_(region) {}

void KeeperMetrics::Update(const QueueKeeperStatus& status) {
  // Until every stream was looked at, what is not known to be lacking is not known to be there.
  for (auto& [slot, gauges] : by_replica_) {
    if (!status.complete) break;
    gauges.first->Set(0);
    gauges.second->Set(0);
  }
  for (const ReplicaLack& lack : status.lacking) {
    const auto [found, is_new] = by_replica_.try_emplace(lack.replica);
    if (is_new) {
      const prometheus::Labels labels = {
          {"region", region_},
          {"group", std::to_string(lack.replica.group)},
          {"replica",
           std::to_string(NumberOf(GroupId(lack.replica.group), lack.replica.slot) + 1)}};
      found->second = {&lacking_entries_.Add(labels), &lacking_bytes_.Add(labels)};
    }
    found->second.first->Set(static_cast<double>(lack.entries));
    found->second.second->Set(static_cast<double>(lack.bytes));
  }
  if (status.complete || status.held_nowhere > 0) {
    held_nowhere_.Set(static_cast<double>(status.held_nowhere));
  }
  RaiseTo(mended_entries_, status.mended_entries);
  RaiseTo(mended_bytes_, status.mended_bytes);
  complete_.Set(status.complete ? 1 : 0);
  recovering_.Set(status.restoring ? 1 : 0);
  RaiseTo(restored_, status.restored);
  const auto waits = [](const auto& one) {
    return one.second == ReplicaLife::kWaiting || one.second == ReplicaLife::kAmnesiac ||
           one.second == ReplicaLife::kStoreIsOlder;
  };
  waiting_.Set(static_cast<double>(std::count_if(status.lives.begin(), status.lives.end(), waits)));
  RaiseTo(given_up_, status.given_up);
  UpdateDraining(status);
}

void KeeperMetrics::UpdateDraining(const QueueKeeperStatus& status) {
  draining_.Set(static_cast<double>(status.why_not_retired.size()));
  std::erase_if(by_group_, [&](const auto& one) {
    if (status.why_not_retired.contains(one.first)) return false;
    not_drained_.Remove(one.second);
    return true;
  });
  // A group is not there while that is not known of every stream: its gauge keeps what was.
  for (const auto& [group, entries] : status.not_drained) {
    if (!status.why_not_retired.contains(group)) continue;
    prometheus::Gauge*& gauge = by_group_[group];
    if (gauge == nullptr) {
      gauge = &not_drained_.Add({{"region", region_}, {"group", std::to_string(group.value())}});
    }
    gauge->Set(static_cast<double>(entries));
  }
}

void KeeperMetrics::Count(std::string_view note) {
  notes_.Add({{"region", region_}, {"kind", std::string(note)}}).Increment();
}

}  // namespace homeport::quorum_queue
