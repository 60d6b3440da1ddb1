#include "tests/wan/relay.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "tests/sim/sim_random.h"
#include "tests/wan/control_server.h"

namespace homeport::wan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A box with one door, on a thread of its own.
class Box : Watcher {
 public:
  Box(const LineOptions& line, const std::string& target, RelayOptions options = {})
      : stop_fd_(::eventfd(0, EFD_NONBLOCK)) {
    WanMap map;
    map.links.push_back({"sh", "hk", line});
    map.doors.push_back({"sh", "hk", "127.0.0.1:0", target});
    relay_ = std::move(Relay::Open(&loop_, map, options)).value();
    control_ = std::move(ControlServer::Open(&loop_, relay_.get(), "127.0.0.1:0")).value();
    loop_.Add(stop_fd_.get(), this);
    thread_ = std::thread([this] {
      while (!stop_) {
        loop_.Wait(relay_->NextDeadline(core::SteadyNow()));
        relay_->Turn(core::SteadyNow());
        control_->Turn();
      }
    });
  }
  ~Box() override {
    const uint64_t one = 1;
    EXPECT_EQ(::write(stop_fd_.get(), &one, sizeof one), 8);
    thread_.join();
  }
  std::string door() const { return relay_->AddressOfDoor(0); }
  std::string Tell(const std::string& command) {
    auto answer = TellWan(control_->address(), command);
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? *answer : "";
  }
  // The number behind `"key":` in the status, the first one.
  uint64_t Figure(const std::string& key) {
    const std::string status = Tell("status");
    const size_t at = status.find('"' + key + "\":");
    EXPECT_NE(at, std::string::npos) << status;
    return std::stoull(status.substr(at + key.size() + 3));
  }

 private:
  void OnEvents(uint32_t events) override { stop_ = (events & EPOLLIN) != 0; }

  Loop loop_;
  SocketFd stop_fd_;
  bool stop_ = false;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<ControlServer> control_;
  std::thread thread_;
};

bool Ready(const SocketFd& socket, short events, milliseconds within = seconds(30)) {
  pollfd one{socket.get(), events, 0};
  return ::poll(&one, 1, static_cast<int>(within.count())) > 0;
}

SocketFd ConnectTo(const std::string& address) {
  SocketFd socket = std::move(StartConnect(address)).value();
  EXPECT_TRUE(Ready(socket, POLLOUT));
  EXPECT_EQ(ConnectError(socket), 0);
  return socket;
}

SocketFd AcceptFrom(const SocketFd& listener) {
  EXPECT_TRUE(Ready(listener, POLLIN));
  return Accept(listener);
}

void SendAll(const SocketFd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    ASSERT_TRUE(Ready(socket, POLLOUT));
    const ssize_t put = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    ASSERT_GT(put, 0) << errno;
    bytes.remove_prefix(static_cast<size_t>(put));
  }
}

// Up to so many bytes, or all there are before the end.
std::string ReadBytes(const SocketFd& socket, size_t count) {
  std::string bytes;
  char buffer[65536];
  while (bytes.size() < count && Ready(socket, POLLIN)) {
    const ssize_t got =
        ::recv(socket.get(), buffer, std::min(sizeof buffer, count - bytes.size()), 0);
    if (got <= 0) break;
    bytes.append(buffer, static_cast<size_t>(got));
  }
  return bytes;
}

// 0: the end; else errno.
int HowItEnds(const SocketFd& socket) {
  char byte = 0;
  EXPECT_TRUE(Ready(socket, POLLIN));
  const ssize_t got = ::recv(socket.get(), &byte, 1, 0);
  EXPECT_LE(got, 0);
  return got == 0 ? 0 : errno;
}

std::string RandomBytes(size_t count, uint64_t seed) {
  sim::Random random(seed);
  std::string bytes(count, ' ');
  for (char& byte : bytes) byte = static_cast<char>(random.Next());
  return bytes;
}

class RelayTest : public testing::Test {
 protected:
  RelayTest() : target_(std::move(Listen("127.0.0.1:0")).value()) {}
  std::string target() const { return LocalAddress(target_); }
  SocketFd target_;
};

TEST_F(RelayTest, CarriesBytesBothWaysWholeAndInOrder) {
  Box box({milliseconds(2), milliseconds(5), 800'000'000}, target());
  const SocketFd client = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  const std::string there = RandomBytes(3'000'000, 1);
  const std::string back = RandomBytes(2'000'000, 2);
  std::thread sender([&] { SendAll(client, there); });
  std::thread answerer([&] { SendAll(server, back); });
  std::string got_back;
  std::thread reader([&] { got_back = ReadBytes(client, back.size()); });
  EXPECT_TRUE(ReadBytes(server, there.size()) == there);
  sender.join();
  answerer.join();
  reader.join();
  EXPECT_TRUE(got_back == back);
}

TEST_F(RelayTest, ARoundTripTakesTwiceTheDelayAndOpeningItAnother) {
  Box box({milliseconds(20), {}, 0}, target());
  const auto begun = std::chrono::steady_clock::now();
  const SocketFd client = ConnectTo(box.door());
  SendAll(client, "ping");
  const SocketFd server = AcceptFrom(target_);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(20));
  EXPECT_EQ(ReadBytes(server, 4), "ping");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(60));
  SendAll(server, "pong");
  EXPECT_EQ(ReadBytes(client, 4), "pong");
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(80));
}

TEST_F(RelayTest, TheBandwidthBoundsWhatPassesInATime) {
  Box box({milliseconds(1), {}, 80'000'000}, target());  // 10 MB/s
  const SocketFd client = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  const std::string bytes(2'000'000, 'x');
  const auto begun = std::chrono::steady_clock::now();
  std::thread sender([&] { SendAll(client, bytes); });
  EXPECT_EQ(ReadBytes(server, bytes.size()).size(), bytes.size());
  sender.join();
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(195));
}

TEST_F(RelayTest, AOneWayCutHoldsOneDirectionOnly) {
  Box box({milliseconds(1), {}, 0}, target());
  const SocketFd client = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  SendAll(client, "first");
  EXPECT_EQ(ReadBytes(server, 5), "first");
  EXPECT_EQ(box.Tell("cut sh>hk"), R"({"ok":true})");
  SendAll(client, "held");
  for (int i = 0; i < 20; ++i) {
    SendAll(server, "back");
    EXPECT_EQ(ReadBytes(client, 4), "back");
  }
  EXPECT_FALSE(Ready(server, POLLIN, milliseconds(0))) << "nothing passes a cut";
  EXPECT_EQ(box.Tell("heal sh>hk"), R"({"ok":true})");
  EXPECT_EQ(ReadBytes(server, 4), "held");
}

TEST_F(RelayTest, NoConnectionOpensThroughACut) {
  Box box({milliseconds(1), {}, 0}, target());
  box.Tell("cut hk>sh");
  const SocketFd client = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  SendAll(client, "hello");
  EXPECT_FALSE(Ready(server, POLLIN, milliseconds(0)));
  box.Tell("heal *<>*");
  EXPECT_EQ(ReadBytes(server, 5), "hello");
}

TEST_F(RelayTest, AResetLosesTheConnectionsAndTakesNewOnes) {
  Box box({milliseconds(1), {}, 0}, target());
  const SocketFd client = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  SendAll(client, "x");
  EXPECT_EQ(ReadBytes(server, 1), "x");
  box.Tell("reset hk<>sh");
  EXPECT_EQ(HowItEnds(client), ECONNRESET);
  EXPECT_EQ(HowItEnds(server), ECONNRESET);
  const SocketFd again = ConnectTo(box.door());
  const SocketFd server_again = AcceptFrom(target_);
  SendAll(again, "y");
  EXPECT_EQ(ReadBytes(server_again, 1), "y");
  EXPECT_EQ(box.Figure("connections"), 1u);
}

TEST_F(RelayTest, EachDirectionEndsOnItsOwn) {
  Box box({milliseconds(1), {}, 0}, target());
  SocketFd client = ConnectTo(box.door());
  SocketFd server = AcceptFrom(target_);
  SendAll(client, "question");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_EQ(ReadBytes(server, 100), "question");
  SendAll(server, "answer");
  server.Close();
  EXPECT_EQ(ReadBytes(client, 100), "answer");
  EXPECT_EQ(HowItEnds(client), 0);
  while (box.Figure("connections") > 0) std::this_thread::yield();
}

TEST_F(RelayTest, ALostConnectionIsLostAtTheOtherEndToo) {
  Box box({milliseconds(1), {}, 0}, target());
  SocketFd client = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  SendAll(client, "x");
  EXPECT_EQ(ReadBytes(server, 1), "x");
  client.Reset();
  EXPECT_EQ(HowItEnds(server), ECONNRESET);
  while (box.Figure("connections") > 0) std::this_thread::yield();
}

TEST_F(RelayTest, ATargetThatIsDownIsAResetAfterARoundTrip) {
  const std::string nobody = target();
  target_.Close();
  Box box({milliseconds(10), {}, 0}, nobody);
  const auto begun = std::chrono::steady_clock::now();
  const SocketFd client = ConnectTo(box.door());
  EXPECT_EQ(HowItEnds(client), ECONNRESET);
  EXPECT_GE(std::chrono::steady_clock::now() - begun, milliseconds(20));
  EXPECT_EQ(box.Figure("connections"), 0u);
}

TEST_F(RelayTest, WhatNobodyReadsIsBoundedAndComesInTheEnd) {
  const LineOptions line{milliseconds(1), {}, 100'000'000};
  Box box(line, target());
  const SocketFd client = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  const std::string bytes = RandomBytes(1 << 20, 3);
  uint64_t sent = 0;
  while (Ready(client, POLLOUT, milliseconds(200))) {
    const size_t from = sent % bytes.size();
    const ssize_t put =
        ::send(client.get(), bytes.data() + from, bytes.size() - from, MSG_NOSIGNAL);
    ASSERT_GT(put, 0);
    sent += static_cast<uint64_t>(put);
    ASSERT_LT(sent, 64u << 20) << "no end to what the box takes";
  }
  const DelayLine twin(line, 1);
  EXPECT_LE(box.Figure("held_bytes"), twin.CapacityBytes() + twin.ParcelBytes());
  ::shutdown(client.get(), SHUT_WR);
  const std::string got = ReadBytes(server, sent + 1);
  ASSERT_EQ(got.size(), sent);
  for (size_t at = 0; at < got.size(); at += bytes.size()) {
    const size_t size = std::min(bytes.size(), got.size() - at);
    ASSERT_TRUE(std::string_view(got).substr(at, size) == std::string_view(bytes).substr(0, size));
  }
}

TEST_F(RelayTest, AllThatIsHeldIsBoundedOverManyConnections) {
  RelayOptions options;
  options.held_bytes_max = 1 << 20;
  Box box({milliseconds(1), {}, 0}, target(), options);
  std::vector<SocketFd> clients;
  std::vector<SocketFd> servers;
  const std::string bytes(1 << 20, 'x');
  for (int i = 0; i < 20; ++i) {
    clients.push_back(ConnectTo(box.door()));
    servers.push_back(AcceptFrom(target_));
    while (Ready(clients.back(), POLLOUT, milliseconds(20))) {
      ASSERT_GT(::send(clients.back().get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), 0);
    }
    const DelayLine twin({milliseconds(1), {}, 0}, 1);
    EXPECT_LE(box.Figure("held_bytes"), options.held_bytes_max + twin.ParcelBytes());
  }
}

TEST_F(RelayTest, CarriesThousandsOfConnections) {
  constexpr size_t kConnections = 2000;
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < 5 * kConnections) GTEST_SKIP() << "too few descriptors allowed here";
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  Box box({milliseconds(5), milliseconds(5), 100'000'000}, target());
  std::vector<SocketFd> clients;
  std::vector<SocketFd> servers;
  for (size_t i = 0; i < kConnections; ++i) {
    clients.push_back(ConnectTo(box.door()));
    SendAll(clients.back(), std::to_string(100'000 + i));
  }
  for (size_t i = 0; i < kConnections; ++i) servers.push_back(AcceptFrom(target_));
  for (const SocketFd& server : servers) SendAll(server, ReadBytes(server, 6) + "!");
  for (size_t i = 0; i < kConnections; ++i) {
    ASSERT_EQ(ReadBytes(clients[i], 7), std::to_string(100'000 + i) + "!");
  }
  EXPECT_EQ(box.Figure("connections"), kConnections);
  clients.clear();
  servers.clear();
  while (box.Figure("connections") > 0) std::this_thread::yield();
  EXPECT_EQ(box.Figure("held_bytes"), 0u);
}

TEST_F(RelayTest, PastItsLimitConnectionsAreRefused) {
  RelayOptions options;
  options.connections_max = 1;
  Box box({milliseconds(1), {}, 0}, target(), options);
  const SocketFd first = ConnectTo(box.door());
  const SocketFd server = AcceptFrom(target_);
  const SocketFd second = ConnectTo(box.door());
  EXPECT_EQ(HowItEnds(second), ECONNRESET);
  EXPECT_EQ(box.Figure("refused"), 1u);
}

TEST_F(RelayTest, CommandsThatMeanNothingAreRefused) {
  Box box({milliseconds(1), {}, 0}, target());
  EXPECT_NE(box.Tell("cut sh>ca").find("no line goes from sh to ca"), std::string::npos);
  EXPECT_NE(box.Tell("help").find(R"("ok":false)"), std::string::npos);
  EXPECT_EQ(box.Tell("set sh>hk delay_ms=7 mbit_per_s=3"), R"({"ok":true})");
  const std::string status = box.Tell("status");
  EXPECT_NE(status.find(R"("delay_ms":7.0,"from":"sh")"), std::string::npos) << status;
  EXPECT_NE(status.find(R"("delay_ms":1.0,"from":"hk")"), std::string::npos) << status;
}

}  // namespace
}  // namespace homeport::wan
