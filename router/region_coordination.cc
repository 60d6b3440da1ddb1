#include "router/region_coordination.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <utility>

#include "coordination/blocking.h"
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

// Whether it may start from what was reserved for it before.
Status GoOnWithout(const core::ClusterConfig& config, const core::RegionConfig& region,
                   const quorum_queue::LocalGrantStore& grants, const Status& why) {
  const uint64_t through = grants.reserved_through();
  const uint64_t left = through == 0 ? 0 : through - std::min(through, grants.counter());
  if (through != 0 && left < NeededFor(config)) {
    return Status::Unavailable(fmt::format(
        "region {} has {} writer epochs left and the coordination store does not answer "
        "({}): start it first",
        region.name, left, why.message()));
  }
  core::LogWarn("coordination_away", {{"region", region.name},
                                      {"why", why.message()},
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
  if (core::IsNotNow(joined.code())) return GoOnWithout(config, region, *grants, joined);
  RETURN_IF_ERROR(joined);
  core::LogInfo("epochs_reserved", {{"region", region.name},
                                    {"first", std::to_string(reserve.first())},
                                    {"last", std::to_string(reserve.last())}});
  return grants->Reserve(reserve.first(), reserve.last());
}

}  // namespace homeport::router
