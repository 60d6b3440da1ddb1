#include "core/http.h"

#include <fmt/format.h>
#include <httplib.h>
#include <prometheus/text_serializer.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <sstream>
#include <thread>
#include <utility>

namespace homeport::core {
namespace {

constexpr size_t kThreads = 4;
constexpr size_t kRequestBytesMax = 8192;
constexpr auto kClientTimeout = std::chrono::seconds(5);

struct Address {
  std::string host;
  int port;
};

Result<Address> ParseAddress(const std::string& text) {
  const size_t colon = text.rfind(':');
  uint16_t port = 0;
  if (colon != std::string::npos && colon > 0) {
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec == std::errc() && parsed.ptr == end) return Address{text.substr(0, colon), port};
  }
  return Status::BadRequest(fmt::format("cannot serve HTTP on \"{}\": expected HOST:PORT", text));
}

// The library's own choice, SO_REUSEPORT, would let two processes share the port unnoticed.
void ReuseAddressOnly(int fd) {
  const int yes = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

httplib::Server::Handler Answer(std::function<Health()> ask) {
  return [ask = std::move(ask)](const httplib::Request&, httplib::Response& response) {
    const Health health = ask();
    response.status = health.ok ? 200 : 503;
    response.set_content((health.text.empty() ? (health.ok ? "ok" : "not ok") : health.text) + "\n",
                         "text/plain");
  };
}

class HttpServerThread final : public HttpServer {
 public:
  HttpServerThread(std::shared_ptr<prometheus::Registry> registry, std::function<Health()> healthy,
                   std::function<Health()> ready) {
    server_.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
    server_.set_socket_options(ReuseAddressOnly);
    server_.set_payload_max_length(kRequestBytesMax);
    server_.set_read_timeout(kClientTimeout);
    server_.set_write_timeout(kClientTimeout);
    server_.set_keep_alive_max_count(1);  // an idle client must not hold one of few threads
    server_.Get("/healthz", Answer(std::move(healthy)));
    server_.Get("/readyz", Answer(std::move(ready)));
    server_.Get("/metrics", [registry = std::move(registry)](const httplib::Request&,
                                                             httplib::Response& response) {
      std::ostringstream text;
      prometheus::TextSerializer().Serialize(text, registry->Collect());
      response.set_content(text.str(), "text/plain; version=0.0.4; charset=utf-8");
    });
  }

  ~HttpServerThread() override {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

  Status Listen(const Address& address) {
    errno = 0;
    const int port = address.port == 0 ? server_.bind_to_any_port(address.host)
                     : server_.bind_to_port(address.host, address.port) ? address.port
                                                                        : -1;
    if (port < 0) {
      return Status::Io(fmt::format("cannot serve HTTP on {}:{}: {}{}", address.host, address.port,
                                    errno == 0 ? "unknown host" : std::strerror(errno),
                                    errno == EADDRINUSE ? "; is it running already?" : ""));
    }
    address_ = fmt::format("{}:{}", address.host, port);
    thread_ = std::thread([this] {
      server_.listen_after_bind();
      ended_ = true;
    });
    // stop() before the loop runs would be lost and the destructor would wait for ever.
    while (!server_.is_running() && !ended_) std::this_thread::yield();
    return {};
  }

  const std::string& address() const override { return address_; }

 private:
  httplib::Server server_;
  std::string address_;
  std::thread thread_;
  std::atomic<bool> ended_ = false;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::Start(
    const std::string& address, std::shared_ptr<prometheus::Registry> registry,
    std::function<Health()> healthy, std::function<Health()> ready) {
  ASSIGN_OR_RETURN(const Address parsed, ParseAddress(address));
  auto server =
      std::make_unique<HttpServerThread>(std::move(registry), std::move(healthy), std::move(ready));
  RETURN_IF_ERROR(server->Listen(parsed));
  return std::unique_ptr<HttpServer>(std::move(server));
}

}  // namespace homeport::core
