// QueueClient: the connections of one process to the replicas of one region, speaking requests and
// answers.
//
// Like its sockets it may lose messages and never blocks: machines ask again. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/socket.h"
#include "core/status.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/messages.h"
#include "quorum_queue/writer.h"

namespace homeport::quorum_queue {

class QueueClient {
 public:
  // The caller says what a slot's group is: its place in a grant, or its id.
  struct Endpoint {
    ReplicaSlot slot;
    std::string endpoint;  // "tcp://127.0.0.1:7110"
    bool operator==(const Endpoint&) const = default;
  };
  // Connects in the background. kBadRequest when an endpoint is none.
  static core::Result<std::unique_ptr<QueueClient>> Connect(
      core::Context& context, const std::vector<Endpoint>& endpoints,
      core::WhenDown when_down = core::WhenDown::kDrop);
  // From now on these. Connections that stay are not touched; AddTo must be called for a new
  // poller. After an error some are missing.
  core::Status Set(const std::vector<Endpoint>& endpoints);

  // False when it was dropped (no connection, or its queue is full) or when there is no such slot.
  bool Send(ReplicaSlot to, const ReplicaRequest& request);
  // The next answer that waits, taking turns between replicas. False when none. What cannot be
  // decoded is counted and skipped.
  bool Receive(ReplicaSlot* from, ReplicaAnswer* answer);
  void AddTo(core::Poller* poller) const;
  uint64_t malformed() const { return malformed_; }
  // Why the last malformed answer was refused, e.g. a replica of another version; empty when there
  // was none.
  const std::string& last_malformed() const { return last_malformed_; }

 private:
  struct Connection {
    Endpoint to;
    std::unique_ptr<core::DealerSocket> socket;
  };
  QueueClient(core::Context& context, core::WhenDown when_down)
      : context_(context), when_down_(when_down) {}
  core::Context& context_;
  const core::WhenDown when_down_;
  std::vector<Connection> connections_;
  size_t turn_ = 0;
  uint64_t malformed_ = 0;
  std::string last_malformed_;
};

}  // namespace homeport::quorum_queue
