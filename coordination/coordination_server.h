// CoordinationServer: our own coordination store: the machine, RocksDB below it, ZeroMQ in front.
// `homeportd --role coordinator` is one.
//
// One thread: receive what waits, carry it out, write it with one fsync, answer. A write that the
// disk refuses ends it: what is in memory then is ahead of the disk.
#pragma once

#include <prometheus/registry.h>

#include <atomic>
#include <memory>
#include <string>

#include "core/socket.h"
#include "core/status.h"

namespace homeport::coordination {

struct CoordinationServerOptions {
  std::string dir;
  std::string endpoint;  // "tcp://127.0.0.1:7100"
  std::string cluster;
  std::shared_ptr<prometheus::Registry> registry = nullptr;  // null: no metrics
};

// Makes the directory of a new store. kBadRequest when there is one, or other files.
core::Status FormatCoordination(const std::string& dir, const std::string& cluster);

class CoordinationServer {
 public:
  // kUnavailable when the directory is not there or empty: a store that forgot what it gave would
  // give it twice.
  static core::Result<std::unique_ptr<CoordinationServer>> Open(
      core::Context& context, const CoordinationServerOptions& options);
  virtual ~CoordinationServer() = default;
  // Until `stop`, looked at every 50 ms. kIo: its disk failed.
  virtual core::Status Run(const std::atomic<bool>& stop) = 0;
  virtual const std::string& endpoint() const = 0;  // with the real port
};

}  // namespace homeport::coordination
