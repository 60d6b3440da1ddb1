#include "core/socket.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <zmq.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

namespace homeport::core {
namespace {

// ZeroMQ reads in batches of this size. A smaller frame may lie anywhere inside such a batch,
// unaligned and keeping all of it alive, so it is copied; a larger one has memory of its own.
constexpr size_t kReceiveCopyBelowBytes = 8192;
constexpr size_t kSendCopyBelowBytes = 1024;
constexpr int kLingerMs = 100;

// A zmq_msg_t with its life.
struct Message {
  Message() { zmq_msg_init(&raw); }
  ~Message() { zmq_msg_close(&raw); }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  std::string_view view() {
    return {static_cast<const char*>(zmq_msg_data(&raw)), zmq_msg_size(&raw)};
  }

  zmq_msg_t raw;
};

void Set(void* socket, int option, int value) {
  const int rc = zmq_setsockopt(socket, option, &value, sizeof value);
  CHECK(rc == 0, "options of ours are known to ZeroMQ", option, value, zmq_strerror(zmq_errno()));
}

void SetCommon(void* socket, uint64_t frame_bytes_max) {
  const auto bytes_max = static_cast<int64_t>(frame_bytes_max);
  CHECK(zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) == 0,
        "the limit of a frame is positive", frame_bytes_max);
  // Not 0: a socket closed at once, in the middle of a message, while its peer goes away aborts the
  // process (ZeroMQ issue 3442). At most so long a process waits at its end for messages that
  // nobody takes.
  Set(socket, ZMQ_LINGER, kLingerMs);
  Set(socket, ZMQ_SNDHWM, kQueuedMessagesMax);
  Set(socket, ZMQ_RCVHWM, kQueuedMessagesMax);
  Set(socket, ZMQ_IPV6, 0);
  // A machine that vanished without a word is noticed after about 15 seconds, idle (keep-alive) or
  // with data under way (maximum retransmission time).
  Set(socket, ZMQ_TCP_KEEPALIVE, 1);
  Set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 6);
  Set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 3);
  Set(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
  Set(socket, ZMQ_TCP_MAXRT, 15000);
}

bool ReceiveFrame(void* socket, Message* message) {
  while (zmq_msg_recv(&message->raw, socket, ZMQ_DONTWAIT) < 0) {
    const int error = zmq_errno();
    if (error == EINTR) continue;
    CHECK(error == EAGAIN || error == ETERM, "a socket is used by one thread and closed by us",
          zmq_strerror(error));
    return false;
  }
  return true;
}

SharedBytes Share(std::unique_ptr<Message> message) {
  const std::string_view view = message->view();
  if (view.size() < kReceiveCopyBelowBytes) return SharedBytes(std::string(view));
  return SharedBytes(std::shared_ptr<const void>(std::move(message)), view);
}

// The rest of a message, up to its last frame. False when there are too many frames: all are
// consumed.
bool ReceiveRest(void* socket, bool more, Frames* frames) {
  bool fits = true;
  while (more) {
    auto message = std::make_unique<Message>();
    // ZeroMQ hands over whole messages: their frames are all there.
    if (!ReceiveFrame(socket, message.get())) return false;
    more = zmq_msg_more(&message->raw) != 0;
    fits = fits && frames->size() < kFramesMax;
    if (fits) frames->push_back(Share(std::move(message)));
  }
  return fits;
}

void DropOwner(void*, void* owner) {
  delete static_cast<SharedBytes*>(owner);
}

void Fill(SharedBytes bytes, Message* message) {
  const std::string_view view = bytes.view();
  if (view.size() < kSendCopyBelowBytes) {
    zmq_msg_close(&message->raw);
    CHECK(zmq_msg_init_size(&message->raw, view.size()) == 0, "out of memory", view.size());
    if (!view.empty()) std::memcpy(zmq_msg_data(&message->raw), view.data(), view.size());
    return;
  }
  zmq_msg_close(&message->raw);
  auto owner = std::make_unique<SharedBytes>(std::move(bytes));
  CHECK(zmq_msg_init_data(&message->raw, const_cast<char*>(view.data()), view.size(), DropOwner,
                          owner.get()) == 0,
        "out of memory", view.size());
  owner.release();  // now ZeroMQ's: an I/O thread drops it
}

bool SendFrame(void* socket, SharedBytes bytes, bool more) {
  Message message;
  Fill(std::move(bytes), &message);
  while (zmq_msg_send(&message.raw, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0) {
    const int error = zmq_errno();
    if (error == EINTR) continue;
    CHECK(error == EAGAIN || error == EHOSTUNREACH || error == ETERM,
          "a socket is used by one thread and closed by us", zmq_strerror(error));
    return false;
  }
  return true;
}

// Once the first frame is taken all others must follow, even when one of them is refused because
// the peer has just gone: ZeroMQ discards up to the end of the message and begins a new one after
// it.
bool SendFrames(void* socket, Frames frames, bool first_taken) {
  bool sent = true;
  for (size_t i = 0; i < frames.size(); ++i) {
    const bool more = i + 1 < frames.size();
    if (SendFrame(socket, std::move(frames[i]), more)) {
      first_taken = true;
      continue;
    }
    if (!first_taken) return false;
    sent = false;
  }
  return sent;
}

void CheckFrameCount(const Frames& frames) {
  CHECK(!frames.empty() && frames.size() <= kFramesMax, "the receiver would drop it",
        frames.size());
}

void* NewSocket(Context& context, int type) {
  void* socket = zmq_socket(context.raw(), type);
  CHECK(socket != nullptr, "a process has fewer sockets than the context allows",
        zmq_strerror(zmq_errno()));
  return socket;
}

int DescriptorOf(void* socket) {
  int fd = -1;
  size_t size = sizeof fd;
  CHECK(zmq_getsockopt(socket, ZMQ_FD, &fd, &size) == 0, "a socket has a descriptor");
  return fd;
}

bool IsReadable(void* socket) {
  int events = 0;
  size_t size = sizeof events;
  if (zmq_getsockopt(socket, ZMQ_EVENTS, &events, &size) == 0) return (events & ZMQ_POLLIN) != 0;
  const int error = zmq_errno();
  CHECK(error == EINTR || error == ETERM, "sockets in a Poller outlive it", zmq_strerror(error));
  return false;
}

// ZeroMQ binds to addresses of interfaces, not to host names: looks the name up.
Result<std::string> NumericEndpoint(const std::string& endpoint) {
  constexpr std::string_view kTcp = "tcp://";
  const size_t colon = endpoint.rfind(':');
  if (!endpoint.starts_with(kTcp) || colon <= kTcp.size() || colon + 1 == endpoint.size()) {
    return Status::BadRequest(
        fmt::format("cannot listen on \"{}\": expected tcp://HOST:PORT", endpoint));
  }
  const std::string host = endpoint.substr(kTcp.size(), colon - kTcp.size());
  if (host == "*") return endpoint;
  addrinfo hints = {};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int rc = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (rc != 0) {
    return Status::Io(fmt::format("cannot listen on {}: the host name {} is unknown: {}", endpoint,
                                  host, gai_strerror(rc)));
  }
  char numeric[NI_MAXHOST];
  const int named = getnameinfo(found->ai_addr, found->ai_addrlen, numeric, sizeof numeric, nullptr,
                                0, NI_NUMERICHOST);
  freeaddrinfo(found);
  CHECK(named == 0, "an IPv4 address has a numeric form", host, gai_strerror(named));
  return fmt::format("{}{}{}", kTcp, numeric, endpoint.substr(colon));
}

}  // namespace

Context::Context(int io_threads) : raw_(zmq_ctx_new()) {
  CHECK(raw_ != nullptr, "out of memory");
  zmq_ctx_set(raw_, ZMQ_IO_THREADS, io_threads);
}

Context::~Context() {
  while (zmq_ctx_term(raw_) != 0 && zmq_errno() == EINTR) {
  }
}

Result<std::unique_ptr<RouterSocket>> RouterSocket::Bind(Context& context,
                                                         const std::string& endpoint,
                                                         uint64_t frame_bytes_max,
                                                         int queued_messages_max) {
  ASSIGN_OR_RETURN(const std::string numeric, NumericEndpoint(endpoint));
  std::unique_ptr<RouterSocket> socket(new RouterSocket(NewSocket(context, ZMQ_ROUTER), endpoint));
  void* raw = socket->raw_;
  SetCommon(raw, frame_bytes_max);
  Set(raw, ZMQ_SNDHWM, queued_messages_max);
  Set(raw, ZMQ_ROUTER_MANDATORY, 1);
  Set(raw, ZMQ_ROUTER_HANDOVER, 1);  // who has an identity of its own may come again at once
  Set(raw, ZMQ_BACKLOG, 1024);
  if (zmq_bind(raw, numeric.c_str()) != 0) {
    const int error = zmq_errno();
    return Status::Io(fmt::format("cannot listen on {}: {}{}", endpoint, zmq_strerror(error),
                                  error == EADDRINUSE ? "; is it running already?" : ""));
  }
  char bound[256];
  size_t size = sizeof bound;
  CHECK(zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, bound, &size) == 0,
        "a bound socket has an endpoint");
  socket->endpoint_ = bound;
  return socket;
}

RouterSocket::~RouterSocket() {
  zmq_close(raw_);
}

bool RouterSocket::Receive(PeerId* peer, Frames* frames) {
  while (true) {
    frames->clear();
    Message identity;
    if (!ReceiveFrame(raw_, &identity)) return false;
    *peer = identity.view();
    if (ReceiveRest(raw_, zmq_msg_more(&identity.raw) != 0, frames) && !frames->empty())
      return true;
    ++dropped_;
  }
}

bool RouterSocket::Send(const PeerId& peer, Frames frames) {
  CheckFrameCount(frames);
  if (SendFrame(raw_, SharedBytes(peer), true) && SendFrames(raw_, std::move(frames), true)) {
    return true;
  }
  ++dropped_;
  return false;
}

Result<std::unique_ptr<DealerSocket>> DealerSocket::Connect(Context& context,
                                                            const std::string& endpoint,
                                                            uint64_t frame_bytes_max,
                                                            WhenDown when_down,
                                                            const PeerId& identity) {
  std::unique_ptr<DealerSocket> socket(new DealerSocket(NewSocket(context, ZMQ_DEALER)));
  void* raw = socket->raw_;
  SetCommon(raw, frame_bytes_max);
  Set(raw, ZMQ_RECONNECT_IVL, 20);
  Set(raw, ZMQ_RECONNECT_IVL_MAX, 500);
  Set(raw, ZMQ_CONNECT_TIMEOUT, 3000);
  Set(raw, ZMQ_IMMEDIATE, when_down == WhenDown::kDrop ? 1 : 0);
  if (!identity.empty()) {
    CHECK(zmq_setsockopt(raw, ZMQ_ROUTING_ID, identity.data(), identity.size()) == 0,
          "an identity is short and does not begin with a zero");
  }
  if (zmq_connect(raw, endpoint.c_str()) != 0) {
    return Status::BadRequest(fmt::format("cannot connect to \"{}\": {}; expected tcp://HOST:PORT",
                                          endpoint, zmq_strerror(zmq_errno())));
  }
  return socket;
}

DealerSocket::~DealerSocket() {
  zmq_close(raw_);
}

bool DealerSocket::Receive(Frames* frames) {
  while (true) {
    frames->clear();
    auto first = std::make_unique<Message>();
    if (!ReceiveFrame(raw_, first.get())) return false;
    const bool more = zmq_msg_more(&first->raw) != 0;
    frames->push_back(Share(std::move(first)));
    if (ReceiveRest(raw_, more, frames)) return true;
    ++dropped_;
  }
}

bool DealerSocket::Send(Frames frames) {
  CheckFrameCount(frames);
  if (SendFrames(raw_, std::move(frames), false)) return true;
  ++dropped_;
  return false;
}

int DealerSocket::fd() const {
  return DescriptorOf(raw_);
}

void Poller::Add(void* socket) {
  items_.push_back({socket, -1});
}
void Poller::AddFd(int fd) {
  items_.push_back({nullptr, fd});
}

// Not zmq_poll, which counts in milliseconds: what waits for half of one would wait for two.
bool Poller::Wait(int64_t timeout_us_max) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + std::chrono::microseconds(timeout_us_max);
  std::vector<pollfd> items;
  items.reserve(items_.size());
  for (const Item& item : items_) {
    items.push_back({item.socket != nullptr ? DescriptorOf(item.socket) : item.fd, POLLIN, 0});
  }
  while (true) {
    // A socket's descriptor tells of changes only: what it has must be asked first.
    for (const Item& item : items_) {
      if (item.socket != nullptr && IsReadable(item.socket)) return true;
    }
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(
        std::max(Clock::duration(0), end - Clock::now()));
    const timespec wait = {left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    const int changed =
        ppoll(items.data(), items.size(), timeout_us_max < 0 ? nullptr : &wait, nullptr);
    CHECK(changed >= 0 || errno == EINTR, "descriptors in a Poller outlive it", errno);
    if (changed < 0) return false;
    for (size_t i = 0; i < items.size(); ++i) {
      if (items_[i].socket == nullptr && items[i].revents != 0) return true;
      if (items_[i].socket != nullptr && IsReadable(items_[i].socket)) return true;
    }
    if (changed == 0) return false;
  }
}

}  // namespace homeport::core
