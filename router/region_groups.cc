#include "router/region_groups.h"

#include <algorithm>
#include <utility>

#include "router/region_directory.h"

namespace homeport::router {

using core::Duration;
using core::Instant;
using core::Status;

namespace {

// Other regions ask every second, and are to follow an added group before anything is committed
// there.
constexpr Duration kOthersHearWithin = std::chrono::seconds(3);

uint64_t CounterOf(core::WriterEpoch epoch) {
  return epoch.value() >> quorum_queue::kEpochRandomBits;
}

// Whether the writer of every shard is open, with a grant of this number or a later one.
bool AllKnow(const replicator::RegionStatus& status, uint64_t counter) {
  return std::all_of(status.shards.begin(), status.shards.end(), [&](const auto& shard) {
    return shard.open.has_value() && CounterOf(shard.writer.epoch) >= counter;
  });
}

}  // namespace

Status RegionGroups::Begin(const quorum_queue::Grant& grant, quorum_queue::GroupId last) {
  view_.last_group = last.value();
  return Set(grant);
}

Status RegionGroups::Changed(Instant now, quorum_queue::Regrouped news) {
  RETURN_IF_ERROR(Set(news.grant));
  const Instant at = now + (news.added ? kOthersHearWithin : Duration(0));
  regrant_at_ = regrant_ ? std::max(regrant_at_, at) : at;
  regrant_ = std::move(news.grant);
  return {};
}

Status RegionGroups::Set(const quorum_queue::Grant& grant) {
  ASSIGN_OR_RETURN(endpoints_, EndpointsOf(*region_, grant.groups));
  counter_ = CounterOf(grant.epoch);
  view_.settled = false;
  view_.groups.clear();
  for (size_t i = 0; i < grant.groups.size(); ++i) {
    QueueGroup& group = view_.groups.emplace_back();
    group.id = grant.groups[i].id.value();
    group.draining = grant.groups[i].state == quorum_queue::GroupState::kDraining;
    view_.last_group = std::max(view_.last_group, group.id);
    for (size_t slot = 0; slot < 3; ++slot) {
      group.disks[slot] = grant.groups[i].disks[slot].value();
      group.endpoints[slot] = endpoints_[3 * i + slot].endpoint;
    }
  }
  return {};
}

std::optional<quorum_queue::Grant> RegionGroups::TakeDue(Instant now) {
  if (!regrant_ || now < regrant_at_) return std::nullopt;
  return std::exchange(regrant_, std::nullopt);
}

void RegionGroups::Look(const replicator::RegionStatus& status,
                        const quorum_queue::QueueKeeperStatus& keeper) {
  view_.settled = !regrant_ && AllKnow(status, counter_);
  for (QueueGroup& group : view_.groups) {
    const auto reason = keeper.why_not_retired.find(quorum_queue::GroupId(group.id));
    group.why_not_retired = reason != keeper.why_not_retired.end() ? reason->second : "";
  }
  view_.looks_complete = keeper.complete;
  view_.held_nowhere = keeper.held_nowhere;
  view_.lacking.clear();
  for (const quorum_queue::ReplicaLack& lack : keeper.lacking) {
    if (lack.entries == 0) continue;
    const quorum_queue::GroupId group(lack.replica.group);
    view_.lacking.push_back(
        {quorum_queue::NumberOf(group, lack.replica.slot) + 1u, lack.silent, lack.entries,
         lack.bytes,
         static_cast<uint64_t>(
             std::chrono::duration_cast<std::chrono::milliseconds>(lack.since).count())});
  }
}

std::vector<quorum_queue::OpenWriter> OpenWritersOf(core::Incarnation self,
                                                    const replicator::RegionStatus& status) {
  std::vector<quorum_queue::OpenWriter> writers;
  for (const replicator::ShardStatus& shard : status.shards) {
    if (!shard.open) continue;
    writers.push_back({{self, shard.shard}, shard.writer.epoch, *shard.open});
  }
  return writers;
}

}  // namespace homeport::router
