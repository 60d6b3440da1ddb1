// GatewayHost: what `homeportd --role gateway` runs: the doors of a region, HTTP and ZeroMQ, in a
// process that has none of its data. As many of them as wanted; any serves any request.
//
// Assembly and I/O only.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "core/config.h"
#include "core/socket.h"
#include "core/status.h"

namespace homeport::router {

struct GatewayHostOptions {
  core::ClusterConfig config;
  std::string region;    // whose
  std::string endpoint;  // "tcp://127.0.0.1:7201": for clients by ZeroMQ
  std::string api;       // "127.0.0.1:7202": by HTTP and WebSocket
  std::string http;      // "127.0.0.1:7203": /metrics, /healthz, /readyz
};

class GatewayHost {
 public:
  static core::Result<std::unique_ptr<GatewayHost>> Open(core::Context& context,
                                                         GatewayHostOptions options);
  virtual ~GatewayHost() = default;
  // Until `stop`, looked at every 50 ms. Once.
  virtual void Run(const std::atomic<bool>& stop) = 0;
  virtual const std::string& endpoint() const = 0;  // these with the real port
  virtual const std::string& api() const = 0;
  virtual const std::string& http() const = 0;
};

}  // namespace homeport::router
