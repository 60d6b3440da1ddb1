#include "router/region_coordination.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "coordination/blocking.h"
#include "coordination/etcd_json.h"
#include "coordination/registry.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"

namespace homeport::router {

using coordination::Token;
using core::Status;

namespace {

// A start takes one per shard and one; while it runs, a change of its groups takes as many again.
uint64_t NeededFor(const core::ClusterConfig& config) {
  return 4 * (uint64_t{config.shards} + 1);
}

Token NewToken() {
  return Token(core::RandomBits() | 1);
}

// A lease is as good as the store that keeps it.
void WarnOfFaults(coordination::BlockingStore& store, core::Duration wait) {
  const auto status = store.AskFor<coordination::StoreStatus>(coordination::AskStatus{}, wait);
  if (!status.ok()) return;
  for (const coordination::Member& member : status->members) {
    const std::string faults = coordination::KnownFaults(member.version);
    if (faults.empty()) continue;
    core::LogWarn("coordination_known_faults", {{"member", member.endpoint}, {"why", faults}});
  }
}

// Whether it may start from what was reserved for it before.
Status GoOnWithout(const core::ClusterConfig& config, const core::RegionConfig& region,
                   const quorum_queue::LocalGrantStore& grants, const Status& why) {
  const uint64_t through = grants.reserved_through();
  const uint64_t left = through == 0 ? 0 : through - std::min(through, grants.counter());
  if (through != 0 && left < NeededFor(config)) {
    return Status::Unavailable(
        fmt::format("region {} has {} writer epochs left and the coordination store gives no more "
                    "({}): mend it first",
                    region.name, left, why.message()));
  }
  // What the store refuses does not pass by itself.
  const bool is_away = core::IsNotNow(why.code());
  const auto tell = is_away ? core::LogWarn : core::LogError;
  tell(is_away ? "coordination_away" : "coordination_refused",
       {{"region", region.name},
        {"why", why.ToString()},
        {"reserved_epochs_left", std::to_string(left)}});
  return {};
}

}  // namespace

Status JoinCoordination(core::Context& context, const core::ClusterConfig& config,
                        const core::RegionConfig& region, quorum_queue::LocalGrantStore* grants,
                        core::Duration wait) {
  if (config.coordination.kind == core::CoordinationKind::kNone) return {};
  ASSIGN_OR_RETURN(auto client, coordination::OpenCoordination(context, config));
  coordination::BlockingStore store(std::move(client));
  coordination::RegisterIncarnation join(
      {region.incarnation, region.name, coordination::IncarnationState::kLive, core::WallNow()},
      NewToken());
  // Also a block that was reserved for this file is given up: the file may be an old copy.
  const uint64_t above = std::max(grants->counter(), grants->reserved_through());
  coordination::ReserveEpochs reserve(region.incarnation, above, NewToken());
  const core::Instant end = core::SteadyNow() + wait;
  Status joined = store.Run(join, wait);
  if (joined.ok()) joined = store.Run(reserve, end - core::SteadyNow());
  // Only what the registry's own records say keeps a region from starting. A store that is full, an
  // endpoint that is none, or a record that nobody can read, is a store that is away.
  if (join.must_not_serve()) return joined;
  if (!joined.ok()) return GoOnWithout(config, region, *grants, joined);
  if (config.coordination.fence == core::Fence::kLease &&
      config.coordination.kind == core::CoordinationKind::kEtcd) {
    WarnOfFaults(store, wait);
  }
  core::LogInfo("epochs_reserved", {{"region", region.name},
                                    {"first", std::to_string(reserve.first())},
                                    {"last", std::to_string(reserve.last())}});
  return grants->Reserve(reserve.first(), reserve.last());
}

}  // namespace homeport::router
