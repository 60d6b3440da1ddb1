#include "core/http.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <prometheus/counter.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>

namespace homeport::core {
namespace {

// Sends bytes to the address and returns all that comes back.
std::string Exchange(const std::string& address, const std::string& request) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  EXPECT_EQ(send(fd, request.data(), request.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got; (got = recv(fd, buffer, sizeof buffer, 0)) > 0;) answer.append(buffer, got);
  close(fd);
  return answer;
}

std::string Get(const HttpServer& server, const std::string& path) {
  return Exchange(server.address(), "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

class HttpServerTest : public testing::Test {
 protected:
  Result<std::unique_ptr<HttpServer>> Start(const std::string& address) {
    return HttpServer::Start(
        address, registry_, [] { return Health{}; },
        [this] {
          return ready_ ? Health{} : Health{false, "replica 2 is behind"};
        });
  }
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  std::atomic<bool> ready_ = true;
};

TEST_F(HttpServerTest, ServesMetrics) {
  auto& family = prometheus::BuildCounter().Name("homeport_test_total").Register(*registry_);
  family.Add({{"region", "sh"}}).Increment(3);
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string answer = Get(**server, "/metrics");
  EXPECT_EQ(answer.rfind("HTTP/1.1 200 ", 0), 0u) << answer;
  EXPECT_NE(answer.find("homeport_test_total{region=\"sh\"} 3\n"), std::string::npos) << answer;
}

TEST_F(HttpServerTest, UnreadyIs503WithTheReason) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  EXPECT_EQ(Get(**server, "/readyz").rfind("HTTP/1.1 200 ", 0), 0u);
  ready_ = false;
  const std::string answer = Get(**server, "/readyz");
  EXPECT_EQ(answer.rfind("HTTP/1.1 503 ", 0), 0u) << answer;
  EXPECT_NE(answer.find("replica 2 is behind\n"), std::string::npos) << answer;
  EXPECT_EQ(Get(**server, "/healthz").rfind("HTTP/1.1 200 ", 0), 0u);
  EXPECT_EQ(Get(**server, "/other").rfind("HTTP/1.1 404 ", 0), 0u);
}

TEST_F(HttpServerTest, MalformedRequestsAreAnsweredOrDropped) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  Exchange((*server)->address(), "nonsense\r\n\r\n");
  Exchange((*server)->address(), "GET /" + std::string(20000, 'x') + " HTTP/1.1\r\n\r\n");
  EXPECT_EQ(Get(**server, "/healthz").rfind("HTTP/1.1 200 ", 0), 0u);
}

TEST_F(HttpServerTest, AddressInUseIsTold) {
  const auto server = Start("127.0.0.1:0");
  ASSERT_TRUE(server.ok()) << server.status();
  const Status second = Start((*server)->address()).status();
  EXPECT_EQ(second.code(), Code::kIo);
  EXPECT_NE(second.message().find((*server)->address() + ": Address already in use"),
            std::string::npos)
      << second;
}

TEST_F(HttpServerTest, PortIsFreeAgainAfterTheEnd) {
  auto first = Start("127.0.0.1:0");
  ASSERT_TRUE(first.ok());
  const std::string address = (*first)->address();
  Get(**first, "/healthz");
  std::move(first).value().reset();
  const auto second = Start(address);
  EXPECT_TRUE(second.ok()) << second.status();
}

TEST_F(HttpServerTest, MalformedAddressIsRefused) {
  for (const char* address :
       {"", "7102", ":7102", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536"}) {
    EXPECT_EQ(Start(address).status().code(), Code::kBadRequest) << address;
  }
}

}  // namespace
}  // namespace homeport::core
