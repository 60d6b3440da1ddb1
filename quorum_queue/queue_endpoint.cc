#include "quorum_queue/queue_endpoint.h"

namespace homeport::quorum_queue {

using core::Result;

Result<std::unique_ptr<QueueClient>> QueueClient::Connect(core::Context& context,
                                                          const std::vector<Endpoint>& endpoints,
                                                          core::WhenDown when_down) {
  std::unique_ptr<QueueClient> client(new QueueClient());
  for (const Endpoint& endpoint : endpoints) {
    ASSIGN_OR_RETURN(auto socket, core::DealerSocket::Connect(context, endpoint.endpoint,
                                                              kFrameBytesMax, when_down));
    client->connections_.push_back({endpoint.slot, std::move(socket)});
  }
  return client;
}

bool QueueClient::Send(ReplicaSlot to, const ReplicaRequest& request) {
  for (Connection& connection : connections_) {
    if (connection.slot == to) return connection.socket->Send(EncodeRequest(request));
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
      *from = connection.slot;
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
