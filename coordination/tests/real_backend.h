// What the backends of real processes have in common: real time, descriptors, a directory, ports.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "coordination/tests/backend.h"
#include "core/check.h"
#include "core/clock.h"

namespace homeport::coordination {

class RealBackend : public Backend {
 public:
  RealBackend() {
    std::string pattern = std::filesystem::temp_directory_path() / "coordination-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr, "a test has a directory");
    root_ = pattern;
  }
  ~RealBackend() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  core::Instant Now() const override { return core::SteadyNow(); }
  void Wait(const std::vector<CoordinationStore*>& clients) override {
    std::vector<pollfd> polled;
    for (CoordinationStore* client : clients) {
      polled.push_back({dynamic_cast<CoordinationClient&>(*client).fd(), POLLIN, 0});
    }
    ::poll(polled.data(), polled.size(), 20);
  }
  const std::string& root() const { return root_; }

  // A port of 127.0.0.1 that no one listens on now, and that no connection is given: below the
  // system's range for those.
  static int FreePort() {
    static int next = 10000 + ::getpid() * 37 % 15000;  // of tests side by side: some apart
    for (;; ++next) {
      if (next >= 32000) next = 10000;
      const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      address.sin_port = htons(static_cast<uint16_t>(next));
      const bool is_free = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
      ::close(fd);
      if (is_free) return next++;
    }
  }

 private:
  std::string root_;
};

}  // namespace homeport::coordination
