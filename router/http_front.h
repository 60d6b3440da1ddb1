// HttpFront: the HTTP/1.1 and WebSocket door of a gateway: translates JSON to client.capnp and
// back, on a thread of its own. docs/gateway.md.
//
// A driver: what requests mean is in api.h, what a stream does in stream_session.h, who waits for
// what in upstream.h. Everything a client can make us keep is bounded.
#pragma once

#include <memory>
#include <string>

#include <prometheus/registry.h>

#include "core/config.h"
#include "core/socket.h"
#include "core/status.h"

namespace homeport::router {

struct HttpFrontOptions {
  core::ClusterConfig config;
  std::string region;
  std::string address;  // "127.0.0.1:7103"; port 0 for any free one
  std::string gateway;  // endpoint of the region's gateway, or of one that relays to it
  std::shared_ptr<prometheus::Registry> registry;
  size_t connections_max = 10000;
};

class HttpFront {
 public:
  // `context` outlives it. kIo when the address is in use.
  static core::Result<std::unique_ptr<HttpFront>> Start(core::Context& context,
                                                        HttpFrontOptions options);
  virtual ~HttpFront() = default;
  virtual const std::string& address() const = 0;  // with the real port
};

}  // namespace homeport::router
