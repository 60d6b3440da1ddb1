// HttpServer: /metrics (Prometheus text), /healthz, /readyz of one process, on a thread of its own.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <prometheus/registry.h>

#include "core/status.h"

namespace homeport::core {

struct Health {
  bool ok = true;
  std::string text;  // one line: why not
};

class HttpServer {
 public:
  // `address`: "127.0.0.1:7102"; port 0 for any free one. The callbacks are called from the
  // server's threads. Not ok is answered with 503 and the text. kIo when the address is in use.
  static Result<std::unique_ptr<HttpServer>> Start(const std::string& address,
                                                   std::shared_ptr<prometheus::Registry> registry,
                                                   std::function<Health()> healthy,
                                                   std::function<Health()> ready);
  virtual ~HttpServer() = default;
  // With the real port.
  virtual const std::string& address() const = 0;
};

}  // namespace homeport::core
