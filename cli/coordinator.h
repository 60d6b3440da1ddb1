// What `homeportd --role coordinator` runs: the cluster's own coordination store.
#pragma once

#include <atomic>

#include "core/config.h"
#include "core/socket.h"
#include "core/status.h"

namespace homeport::cli {

// Until `stop`. `is_new`: makes the store's directory, for a cluster that never had one.
core::Status ServeCoordinator(core::Context& context, const core::ClusterConfig& config,
                              bool is_new, const std::atomic<bool>& stop);

}  // namespace homeport::cli
