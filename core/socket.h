// Sockets: ZeroMQ as Homeport uses it: multipart messages, never blocking, never throwing.
//
// A peer that cannot take a message now loses it (counted): every answer that matters is asked for
// again by its requester (design section 10). One thread per socket; one Context per process.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/status.h"

namespace homeport::core {

// Frames of one message. A large frame received shares ZeroMQ's buffer, a large frame sent keeps
// its owner until ZeroMQ is done with it: bodies are not copied by us. Frames received begin at a
// multiple of 8 bytes unless ZeroMQ says otherwise (core/codec.h copies those).
using Frames = std::vector<SharedBytes>;

// A message of more frames is dropped by its receiver. A frame over `frame_bytes_max` ends the
// connection. So many because a fence answer has a frame per run (quorum_queue/messages.h,
// kRunsMax), and one for its head.
inline constexpr size_t kFramesMax = 4097;

// Well above every credit window: what is lost at this mark is lost by a peer that stopped reading.
inline constexpr int kQueuedMessagesMax = 100000;

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

// Who sent a message to a RouterSocket; opaque, small, stable while the peer's connection lives. A
// peer that connected again is another one.
using PeerId = std::string;

class RouterSocket {
 public:
  // `endpoint`: "tcp://127.0.0.1:7101", a host name of this machine, or "*"; port 0 for any free
  // one. Past `queued_messages_max` that wait for a peer to read them, what is sent to it is
  // dropped.
  static Result<std::unique_ptr<RouterSocket>> Bind(Context& context, const std::string& endpoint,
                                                    uint64_t frame_bytes_max,
                                                    int queued_messages_max = kQueuedMessagesMax);
  ~RouterSocket();
  RouterSocket(const RouterSocket&) = delete;
  RouterSocket& operator=(const RouterSocket&) = delete;
  // Next message if one waits, frames without the identity. False when none.
  bool Receive(PeerId* peer, Frames* frames);
  // False when the peer is gone or its queue is full: the message is dropped. REQUIRES: 1 ..
  // kFramesMax frames.
  bool Send(const PeerId& peer, Frames frames);
  uint64_t dropped() const { return dropped_; }  // messages, sent or received
  void* raw() const { return raw_; }
  const std::string& endpoint() const { return endpoint_; }  // with the real port

 private:
  RouterSocket(void* raw, std::string endpoint) : raw_(raw), endpoint_(std::move(endpoint)) {}
  void* raw_;
  std::string endpoint_;
  uint64_t dropped_ = 0;
};

// What a DealerSocket does with messages while there is no connection.
enum class WhenDown {
  kQueue,  // keeps them, up to a limit, and sends them late: for clients
  kDrop,   // drops them: for servers, which ask again; a dead peer then holds no memory
};

class DealerSocket {
 public:
  // Connects in the background and again after every loss, for ever. `identity`: the PeerId that it
  // has at every RouterSocket; empty: one that ZeroMQ chooses for each connection. No two may have
  // the same: the later one takes the other's place.
  static Result<std::unique_ptr<DealerSocket>> Connect(Context& context,
                                                       const std::string& endpoint,
                                                       uint64_t frame_bytes_max,
                                                       WhenDown when_down = WhenDown::kQueue,
                                                       const PeerId& identity = "");
  ~DealerSocket();
  DealerSocket(const DealerSocket&) = delete;
  DealerSocket& operator=(const DealerSocket&) = delete;
  // As RouterSocket's.
  bool Receive(Frames* frames);
  bool Send(Frames frames);
  uint64_t dropped() const { return dropped_; }
  void* raw() const { return raw_; }
  // For other loops than Poller's: readable when something may have come. It tells of changes only:
  // after it was readable, and after each Send, Receive until there is none.
  int fd() const;

 private:
  explicit DealerSocket(void* raw) : raw_(raw) {}
  void* raw_;
  uint64_t dropped_ = 0;
};

// Poller: waits for any of some sockets or descriptors, or a time-out.
class Poller {
 public:
  void Add(void* socket);  // a raw() of the above
  void AddFd(int fd);      // readable
  // True when something is readable. False after the time-out or a signal. `timeout_us_max` < 0:
  // for ever.
  bool Wait(int64_t timeout_us_max);

 private:
  struct Item {
    void* socket;
    int fd;
  };
  std::vector<Item> items_;
};

}  // namespace homeport::core
