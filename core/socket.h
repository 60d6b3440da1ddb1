// Sockets: ZeroMQ as Homeport uses it: multipart messages, never blocking, never throwing.
//
// A peer that cannot take a message now loses it (counted): every answer that matters is asked for again by
// its requester (design section 10). One thread per socket; one Context per process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/bytes.h"
#include "core/status.h"

namespace homeport::core {

// Frames of one message. A frame received shares ZeroMQ's buffer; a frame sent keeps its owner until
// ZeroMQ is done with it, so large bodies are not copied by us.
using Frames = std::vector<SharedBytes>;

class Context {
 public:
  explicit Context(int io_threads = 1);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;
  void* raw() const { return raw_; }

 private:
  void* raw_;
};

// Who sent a message to a RouterSocket; opaque, small, stable while the peer's socket lives.
using PeerId = std::string;

class RouterSocket {
 public:
  // `endpoint`: "tcp://127.0.0.1:7101", or with port 0 for any free one.
  static Result<std::unique_ptr<RouterSocket>> Bind(Context& context, const std::string& endpoint,
                                                    uint64_t frame_bytes_max);
  ~RouterSocket();
  // Next message if one waits, frames without the identity. False when none.
  bool Receive(PeerId* peer, Frames* frames);
  // False when the peer is gone or its queue is full: the message is dropped.
  bool Send(const PeerId& peer, Frames frames);
  int fd() const;  // for Poller; edge-triggered, so drain with Receive after each wake-up
  void* raw() const { return raw_; }
  const std::string& endpoint() const { return endpoint_; }  // with the real port

 private:
  RouterSocket(void* raw, std::string endpoint) : raw_(raw), endpoint_(std::move(endpoint)) {}
  void* raw_;
  std::string endpoint_;
};

class DealerSocket {
 public:
  // Connects in the background and again after every loss, for ever.
  static Result<std::unique_ptr<DealerSocket>> Connect(Context& context,
                                                       const std::string& endpoint,
                                                       uint64_t frame_bytes_max);
  ~DealerSocket();
  bool Receive(Frames* frames);
  bool Send(Frames frames);
  void* raw() const { return raw_; }

 private:
  explicit DealerSocket(void* raw) : raw_(raw) {}
  void* raw_;
};

// Poller: waits for any of some sockets or descriptors, or a time-out.
class Poller {
 public:
  void Add(void* socket);  // a raw() of the above
  void AddFd(int fd);      // readable
  // True when something is readable. `timeout_us_max` < 0: for ever; rounded up to whole ms.
  bool Wait(int64_t timeout_us_max);

 private:
  struct Item {
    void* socket;
    int fd;
  };
  std::vector<Item> items_;
};

}  // namespace homeport::core
