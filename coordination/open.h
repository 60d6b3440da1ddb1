// OpenCoordination: a client of the store that a cluster's configuration names.
#pragma once

#include <memory>
#include <string>

#include "coordination/coordination_store.h"
#include "core/config.h"
#include "core/socket.h"

namespace homeport::coordination {

// kBadRequest when the cluster has none. It connects in the background.
core::Result<std::unique_ptr<CoordinationClient>> OpenCoordination(
    core::Context& context, const core::ClusterConfig& config);

// Of our own store.
inline std::string CoordinationDirectory(const core::ClusterConfig& config) {
  return config.data + "/coordination";
}

}  // namespace homeport::coordination
