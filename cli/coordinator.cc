#include "cli/coordinator.h"

#include <fmt/format.h>
#include <prometheus/registry.h>

#include "coordination/coordination_server.h"
#include "coordination/open.h"
#include "core/files.h"
#include "core/http.h"
#include "core/log.h"

namespace homeport::cli {

using core::Status;

Status ServeCoordinator(core::Context& context, const core::ClusterConfig& config, bool is_new,
                        const std::atomic<bool>& stop) {
  if (config.coordination.kind != core::CoordinationKind::kEmbedded) {
    return Status::BadRequest(
        fmt::format("--role coordinator is for [coordination] kind = \"embedded\"; {} has \"{}\"",
                    config.file, core::KindName(config.coordination.kind)));
  }
  const std::string dir = coordination::CoordinationDirectory(config);
  if (is_new) {
    RETURN_IF_ERROR(coordination::FormatCoordination(dir, config.cluster));
    core::LogInfo("formatted", {{"dir", dir}});
  }
  const auto registry = std::make_shared<prometheus::Registry>();
  ASSIGN_OR_RETURN(const auto server, coordination::CoordinationServer::Open(
                                          context, {.dir = dir,
                                                    .endpoint = config.coordination.endpoints[0],
                                                    .cluster = config.cluster,
                                                    .registry = registry}));
  ASSIGN_OR_RETURN(const auto http,
                   core::HttpServer::Start(
                       config.coordination.http, registry, [] { return core::Health{}; },
                       [] { return core::Health{}; }));
  return server->Run(stop);
}

}  // namespace homeport::cli
