#include "quorum_queue/queue_endpoint.h"

#include <algorithm>
#include <utility>

namespace homeport::quorum_queue {

using core::Result;

Result<std::unique_ptr<QueueClient>> QueueClient::Connect(core::Context& context,
                                                          const std::vector<Endpoint>& endpoints,
                                                          core::WhenDown when_down) {
  std::unique_ptr<QueueClient> client(new QueueClient(context, when_down));
  RETURN_IF_ERROR(client->Set(endpoints));
  return client;
}

core::Status QueueClient::Set(const std::vector<Endpoint>& endpoints) {
  std::vector<Connection> before = std::exchange(connections_, {});
  turn_ = 0;
  for (const Endpoint& endpoint : endpoints) {
    const auto known =
        std::find_if(before.begin(), before.end(), [&](const Connection& connection) {
          return connection.to == endpoint && connection.socket != nullptr;
        });
    if (known != before.end()) {
      connections_.push_back({endpoint, std::move(known->socket)});
      continue;
    }
    ASSIGN_OR_RETURN(auto socket, core::DealerSocket::Connect(context_, endpoint.endpoint,
                                                              kFrameBytesMax, when_down_));
    connections_.push_back({endpoint, std::move(socket)});
  }
  return {};
}

bool QueueClient::Send(ReplicaSlot to, const ReplicaRequest& request) {
  for (Connection& connection : connections_) {
    if (connection.to.slot == to) return connection.socket->Send(EncodeRequest(request));
  }
  return false;
}

bool QueueClient::Receive(ReplicaSlot* from, ReplicaAnswer* answer) {
  Frames frames;
  for (size_t idle = 0; idle < connections_.size();) {
    Connection& connection = connections_[turn_];
    turn_ = (turn_ + 1) % connections_.size();
    if (!connection.socket->Receive(&frames)) {
      idle++;
      continue;
    }
    idle = 0;
    Result<ReplicaAnswer> decoded = DecodeAnswer(frames);
    if (decoded.ok()) {
      *from = connection.to.slot;
      *answer = std::move(decoded).value();
      return true;
    }
    malformed_++;
    last_malformed_ = decoded.status().message();
  }
  return false;
}

void QueueClient::AddTo(core::Poller* poller) const {
  for (const Connection& connection : connections_) poller->Add(connection.socket->raw());
}

}  // namespace homeport::quorum_queue
