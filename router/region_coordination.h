// JoinCoordination: what a region's daemon agrees on with the coordination store before it serves:
// that its incarnation is this region's and lives, and which writer epochs it may give.
//
// Once, at its start. With the store away, or answering with whatever errors, a region starts all
// the same, from the epochs that were reserved for it before. docs/coordination.md, "Writer
// epochs".
#pragma once

#include "core/config.h"
#include "core/socket.h"
#include "core/status.h"
#include "core/time.h"
#include "quorum_queue/grants.h"

namespace homeport::router {

// How long a start waits for the store.
inline constexpr core::Duration kCoordinationWait = std::chrono::seconds(3);

// Ok at once when the cluster has no store. kBadRequest: the incarnation is another region's.
// kFenced: it is over, and must not serve. kUnavailable: the store gives no epochs, for whatever
// reason, and those reserved for this directory are used up.
core::Status JoinCoordination(core::Context& context, const core::ClusterConfig& config,
                              const core::RegionConfig& region,
                              quorum_queue::LocalGrantStore* grants,
                              core::Duration wait = kCoordinationWait);

}  // namespace homeport::router
