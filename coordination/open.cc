#include "coordination/open.h"

#include <fmt/format.h>

#include "coordination/embedded_client.h"
#include "coordination/etcd_client.h"

namespace homeport::coordination {

core::Result<std::unique_ptr<CoordinationClient>> OpenCoordination(
    core::Context& context, const core::ClusterConfig& config) {
  switch (config.coordination.kind) {
    case core::CoordinationKind::kEmbedded:
      return OpenEmbedded(context, config.cluster, config.coordination.endpoints[0]);
    case core::CoordinationKind::kEtcd:
      return OpenEtcd(config.cluster, config.coordination.endpoints);
    case core::CoordinationKind::kNone:
      break;
  }
  return core::Status::BadRequest(
      fmt::format("{} has no [coordination]: this cluster has no coordination store", config.file));
}

}  // namespace homeport::coordination
