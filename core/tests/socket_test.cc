#include "core/socket.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <chrono>
#include <functional>
#include <thread>

#include "core/reconnects.h"

namespace homeport::core {
namespace {

using std::chrono::steady_clock;

constexpr uint64_t kFrameBytesMax = 4 << 20;
constexpr auto kDeadline = std::chrono::seconds(60);
constexpr const char* kAnyPort = "tcp://127.0.0.1:0";

Frames MakeFrames(std::initializer_list<std::string> texts) {
  Frames frames;
  for (const std::string& text : texts) frames.emplace_back(text);
  return frames;
}

std::vector<std::string> Texts(const Frames& frames) {
  std::vector<std::string> texts;
  for (const SharedBytes& frame : frames) texts.emplace_back(frame.view());
  return texts;
}

// Until `done`, or the deadline: false.
bool Eventually(const std::function<bool()>& done) {
  const auto deadline = steady_clock::now() + kDeadline;
  while (!done()) {
    if (steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

template <class... Sockets>
bool WaitReadable(Sockets&... sockets) {
  Poller poller;
  (poller.Add(sockets.raw()), ...);
  return poller.Wait(std::chrono::microseconds(kDeadline).count());
}

class SocketTest : public testing::Test {
 protected:
  std::unique_ptr<RouterSocket> Bind(const std::string& endpoint = kAnyPort) {
    std::unique_ptr<RouterSocket> router;
    // A port is free a moment after its socket ended, when ZeroMQ's thread has closed it.
    EXPECT_TRUE(Eventually([&] {
      auto bound = RouterSocket::Bind(context_, endpoint, kFrameBytesMax);
      if (bound.ok()) router = std::move(bound).value();
      return router != nullptr;
    }));
    return router;
  }
  std::unique_ptr<DealerSocket> Connect(const RouterSocket& router,
                                        WhenDown when_down = WhenDown::kQueue) {
    return ConnectTo(router.endpoint(), when_down);
  }
  std::unique_ptr<DealerSocket> ConnectTo(const std::string& endpoint, WhenDown when_down) {
    auto dealer = DealerSocket::Connect(context_, endpoint, kFrameBytesMax, when_down);
    EXPECT_TRUE(dealer.ok()) << dealer.status();
    return std::move(dealer).value();
  }
  // An endpoint nobody listens on, not even a ZeroMQ socket on its way out.
  static std::string FreeEndpoint() {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = Loopback(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
    close(fd);
    return "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }

  Context context_;
  PeerId peer_;
  Frames frames_;
};

TEST_F(SocketTest, ExchangesMessagesOverLoopback) {
  const auto router = Bind();
  const auto dealer = Connect(*router);
  EXPECT_FALSE(router->Receive(&peer_, &frames_)) << "nothing yet, and no waiting";
  ASSERT_TRUE(dealer->Send(MakeFrames({"hello", "", std::string(1 << 20, 'x')})));
  ASSERT_TRUE(WaitReadable(*router));
  ASSERT_TRUE(router->Receive(&peer_, &frames_));
  EXPECT_EQ(Texts(frames_), (std::vector<std::string>{"hello", "", std::string(1 << 20, 'x')}));
  EXPECT_FALSE(peer_.empty());

  ASSERT_TRUE(router->Send(peer_, MakeFrames({"answer", std::string(5000, 'y')})));
  ASSERT_TRUE(WaitReadable(*dealer));
  Frames answer;
  ASSERT_TRUE(dealer->Receive(&answer));
  EXPECT_EQ(Texts(answer), (std::vector<std::string>{"answer", std::string(5000, 'y')}));
  EXPECT_FALSE(dealer->Receive(&answer));
  EXPECT_EQ(router->dropped() + dealer->dropped(), 0u);
}

TEST_F(SocketTest, MessagesOfOnePeerKeepTheirOrder) {
  const auto router = Bind();
  const auto dealer = Connect(*router);
  constexpr int kMessages = 10000;
  for (int i = 0; i < kMessages; ++i) ASSERT_TRUE(dealer->Send(MakeFrames({std::to_string(i)})));
  for (int i = 0; i < kMessages; ++i) {
    ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
    ASSERT_EQ(frames_[0].view(), std::to_string(i));
  }
}

TEST_F(SocketTest, FramesOutliveTheirSocket) {
  const auto router = Bind();
  auto dealer = Connect(*router);
  ASSERT_TRUE(dealer->Send(MakeFrames({"small", std::string(100000, 'x')})));
  ASSERT_TRUE(WaitReadable(*router));
  ASSERT_TRUE(router->Receive(&peer_, &frames_));
  dealer.reset();
  EXPECT_EQ(frames_[0].view(), "small");
  EXPECT_EQ(frames_[1].Slice(99998, 2).view(), "xx");
}

TEST_F(SocketTest, LargeBodyIsSharedUntilSentAndThenLetGo) {
  const auto router = Bind();
  const auto dealer = Connect(*router);
  auto body = std::make_shared<const std::string>(1 << 20, 'x');
  const std::weak_ptr<const std::string> watch = body;
  Frames frames;
  frames.emplace_back(body, std::string_view(*body));
  body.reset();
  ASSERT_TRUE(dealer->Send(std::move(frames)));
  ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
  EXPECT_EQ(frames_[0].size(), size_t{1} << 20);
  EXPECT_TRUE(Eventually([&] { return watch.expired(); }));
}

TEST_F(SocketTest, MessageToAnUnknownPeerIsDropped) {
  const auto router = Bind();
  const std::string body(10000, 'x');
  EXPECT_FALSE(router->Send("nobody", MakeFrames({"a", body})));
  EXPECT_EQ(router->dropped(), 1u);
  // And the socket still works.
  const auto dealer = Connect(*router);
  ASSERT_TRUE(dealer->Send(MakeFrames({"b"})));
  ASSERT_TRUE(WaitReadable(*router));
  ASSERT_TRUE(router->Receive(&peer_, &frames_));
  EXPECT_TRUE(router->Send(peer_, MakeFrames({"c"})));
}

TEST_F(SocketTest, MessageToAPeerThatLeftIsDropped) {
  const auto router = Bind();
  auto dealer = Connect(*router);
  ASSERT_TRUE(dealer->Send(MakeFrames({"bye"})));
  ASSERT_TRUE(WaitReadable(*router));
  ASSERT_TRUE(router->Receive(&peer_, &frames_));
  dealer.reset();
  EXPECT_TRUE(Eventually([&] { return !router->Send(peer_, MakeFrames({"a", "b"})); }));
}

TEST_F(SocketTest, PeerThatDoesNotReadLosesMessagesAndBlocksNobody) {
  const auto router = Bind();
  const auto dealer = Connect(*router);
  ASSERT_TRUE(dealer->Send(MakeFrames({"hello"})));
  ASSERT_TRUE(WaitReadable(*router));
  ASSERT_TRUE(router->Receive(&peer_, &frames_));
  // Both high-water marks, and what the kernel holds.
  bool full = false;
  for (int i = 0; i < 20 * kQueuedMessagesMax && !full; ++i) {
    full = !router->Send(peer_, MakeFrames({"tick"}));
  }
  EXPECT_TRUE(full);
  EXPECT_GE(router->dropped(), 1u);
}

TEST_F(SocketTest, MessageOfTooManyFramesIsDropped) {
  const auto router = Bind();
  const auto dealer = Connect(*router);
  for (size_t i = 0; i <= kFramesMax; ++i) {
    ASSERT_GE(zmq_send(dealer->raw(), "x", 1, i < kFramesMax ? ZMQ_SNDMORE : 0), 0);
  }
  ASSERT_TRUE(dealer->Send(Frames(kFramesMax, SharedBytes(std::string("good")))));
  ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
  EXPECT_EQ(frames_.size(), kFramesMax);
  EXPECT_EQ(frames_[0].view(), "good");
  EXPECT_EQ(router->dropped(), 1u);

  for (size_t i = 0; i < 2 + kFramesMax; ++i) {
    const std::string& frame = i == 0 ? peer_ : "x";
    ASSERT_GE(
        zmq_send(router->raw(), frame.data(), frame.size(), i < 1 + kFramesMax ? ZMQ_SNDMORE : 0),
        0);
  }
  ASSERT_TRUE(router->Send(peer_, MakeFrames({"fine"})));
  ASSERT_TRUE(Eventually([&] { return dealer->Receive(&frames_); }));
  EXPECT_EQ(Texts(frames_), std::vector<std::string>{"fine"});
  EXPECT_EQ(dealer->dropped(), 1u);
}

TEST_F(SocketTest, FrameOverTheLimitIsNotReceivedAndThePeerMayComeBack) {
  const auto router = Bind();
  const auto dealer = Connect(*router);
  ASSERT_TRUE(dealer->Send(MakeFrames({std::string(kFrameBytesMax + 1, 'x')})));
  ASSERT_TRUE(Eventually([&] {
    (void)dealer->Send(MakeFrames({"small"}));
    return router->Receive(&peer_, &frames_);
  }));
  EXPECT_EQ(Texts(frames_), std::vector<std::string>{"small"});
}

TEST_F(SocketTest, NoiseOnThePortHarmsNobody) {
  const auto router = Bind();
  const int port = std::stoi(router->endpoint().substr(router->endpoint().rfind(':') + 1));
  for (const std::string& noise :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(5000, '\xff'), std::string(64, '\0'),
        std::string("\xff\0\0\0\0\0\0\0\x01\x7f\x03", 11)}) {
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    const sockaddr_in address = Loopback(port);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    (void)!send(fd, noise.data(), noise.size(), MSG_NOSIGNAL);
    close(fd);
  }
  const auto dealer = Connect(*router);
  ASSERT_TRUE(dealer->Send(MakeFrames({"good"})));
  ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
  EXPECT_EQ(Texts(frames_), std::vector<std::string>{"good"});
}

TEST_F(SocketTest, QueueingDealerSendsWhenThePeerComes) {
  const std::string endpoint = FreeEndpoint();
  const auto dealer = ConnectTo(endpoint, WhenDown::kQueue);
  ASSERT_TRUE(dealer->Send(MakeFrames({"early"})));
  const auto router = Bind(endpoint);
  ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
  EXPECT_EQ(Texts(frames_), std::vector<std::string>{"early"});
}

TEST_F(SocketTest, DroppingDealerSendsNothingLate) {
  const std::string endpoint = FreeEndpoint();
  const auto dealer = ConnectTo(endpoint, WhenDown::kDrop);
  EXPECT_FALSE(dealer->Send(MakeFrames({"early"})));
  EXPECT_EQ(dealer->dropped(), 1u);
  const auto router = Bind(endpoint);
  ASSERT_TRUE(Eventually([&] { return dealer->Send(MakeFrames({"on time"})); }));
  ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
  EXPECT_EQ(Texts(frames_), std::vector<std::string>{"on time"});
}

TEST_F(SocketTest, DealerFindsARestartedPeer) {
  auto router = Bind();
  const std::string endpoint = router->endpoint();
  const auto dealer = Connect(*router);
  ASSERT_TRUE(dealer->Send(MakeFrames({"1"})));
  ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
  const PeerId before = peer_;
  router.reset();
  const auto again = Bind(endpoint);
  ASSERT_TRUE(Eventually([&] {
    (void)dealer->Send(MakeFrames({"2"}));
    return again->Receive(&peer_, &frames_);
  }));
  EXPECT_EQ(Texts(frames_), std::vector<std::string>{"2"});
}

TEST_F(SocketTest, ADealerKnowsThatItsPeerWasRestarted) {
  auto router = Bind();
  const std::string endpoint = router->endpoint();
  const auto dealer = Connect(*router);
  const auto reconnects = Reconnects::Watch(context_, *dealer);
  ASSERT_TRUE(dealer->Send(MakeFrames({"1"})));
  ASSERT_TRUE(Eventually([&] { return router->Receive(&peer_, &frames_); }));
  (void)reconnects->Take();  // the first connection
  router.reset();
  const auto again = Bind(endpoint);
  ASSERT_TRUE(WaitReadable(*reconnects));
  EXPECT_TRUE(reconnects->Take());
  EXPECT_FALSE(reconnects->Take()) << "once";
}

TEST_F(SocketTest, HostNamesAreLookedUp) {
  addrinfo* found = nullptr;
  if (getaddrinfo("localhost", nullptr, nullptr, &found) != 0) {
    GTEST_SKIP() << "this machine does not know the name localhost";
  }
  freeaddrinfo(found);
  const auto router = Bind("tcp://localhost:0");
  EXPECT_EQ(router->endpoint().rfind("tcp://127.0.0.1:", 0), 0u) << router->endpoint();
  Bind("tcp://*:0");
}

TEST_F(SocketTest, BindErrorsNameTheEndpoint) {
  const auto router = Bind();
  const auto taken = RouterSocket::Bind(context_, router->endpoint(), kFrameBytesMax).status();
  EXPECT_EQ(taken.code(), Code::kIo);
  EXPECT_NE(taken.message().find(router->endpoint()), std::string::npos) << taken;
  for (const char* endpoint : {"", "127.0.0.1:1", "tcp://127.0.0.1", "tcp://:80", "tcp://x:"}) {
    EXPECT_EQ(RouterSocket::Bind(context_, endpoint, kFrameBytesMax).status().code(),
              Code::kBadRequest)
        << endpoint;
  }
  EXPECT_EQ(
      RouterSocket::Bind(context_, "tcp://no-such-host.invalid:0", kFrameBytesMax).status().code(),
      Code::kIo);
  for (const char* endpoint : {"", "nonsense", "tcp://127.0.0.1"}) {
    EXPECT_EQ(DealerSocket::Connect(context_, endpoint, kFrameBytesMax).status().code(),
              Code::kBadRequest)
        << endpoint;
  }
}

TEST(PollerTest, ReturnsWhenTimeIsUp) {
  Poller poller;
  EXPECT_FALSE(poller.Wait(0));
  const auto begin = steady_clock::now();
  EXPECT_FALSE(poller.Wait(1500));
  EXPECT_GE(steady_clock::now() - begin, std::chrono::microseconds(1500)) << "rounded up, not down";
}

TEST(PollerTest, SeesDescriptors) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);
  Poller poller;
  poller.AddFd(fds[0]);
  EXPECT_FALSE(poller.Wait(0));
  ASSERT_EQ(write(fds[1], "x", 1), 1);
  EXPECT_TRUE(poller.Wait(-1));
  EXPECT_TRUE(poller.Wait(0)) << "still unread";
  close(fds[0]);
  close(fds[1]);
}

}  // namespace
}  // namespace homeport::core
