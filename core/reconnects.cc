#include "core/reconnects.h"

#include <fmt/format.h>
#include <zmq.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "core/check.h"

namespace homeport::core {

std::unique_ptr<Reconnects> Reconnects::Watch(Context& context, const DealerSocket& socket) {
  static std::atomic<uint64_t> next = 0;
  const std::string endpoint = fmt::format("inproc://reconnects-{}", next++);
  CHECK(zmq_socket_monitor(socket.raw(), endpoint.c_str(), ZMQ_EVENT_HANDSHAKE_SUCCEEDED) == 0,
        "a socket is watched once, under a name of its own", zmq_strerror(zmq_errno()));
  void* raw = zmq_socket(context.raw(), ZMQ_PAIR);
  CHECK(raw != nullptr && zmq_connect(raw, endpoint.c_str()) == 0,
        "a process has fewer sockets than the context allows", zmq_strerror(zmq_errno()));
  return std::unique_ptr<Reconnects>(new Reconnects(socket.raw(), raw));
}

Reconnects::~Reconnects() {
  zmq_socket_monitor(watched_, nullptr, 0);
  zmq_close(raw_);
}

bool Reconnects::Take() {
  bool any = false;
  // An event is two frames, number and address; only one kind of event was asked for.
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  while (zmq_msg_recv(&frame, raw_, ZMQ_DONTWAIT) >= 0) any = true;
  zmq_msg_close(&frame);
  return any;
}

int Reconnects::fd() const {
  int fd = -1;
  size_t size = sizeof fd;
  CHECK(zmq_getsockopt(raw_, ZMQ_FD, &fd, &size) == 0, "a socket has a descriptor");
  return fd;
}

}  // namespace homeport::core
