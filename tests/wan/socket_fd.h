// TCP sockets for the WAN box: non-blocking descriptors that close themselves.
#pragma once

#include <unistd.h>

#include <string>
#include <utility>

#include "core/status.h"

namespace homeport::wan {

class SocketFd {
 public:
  SocketFd() = default;
  explicit SocketFd(int fd) : fd_(fd) {}
  SocketFd(SocketFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  SocketFd& operator=(SocketFd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~SocketFd() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void Close() { SocketFd().swap(*this); }
  // So that the other side reads of a lost connection, not of an end.
  void Reset();

 private:
  void swap(SocketFd& other) { std::swap(fd_, other.fd_); }
  int fd_ = -1;
};

// `address`: "127.0.0.1:9001", a name in place of the number, port 0 for any free one. Small
// buffers in the kernel: what waits for a line waits where it is counted.
core::Result<SocketFd> Listen(const std::string& address);
// The next connection; closed when there is none.
SocketFd Accept(const SocketFd& listener);
// Under way: writable when it is there, or has failed (ConnectError).
core::Result<SocketFd> StartConnect(const std::string& address);
// 0: connected.
int ConnectError(const SocketFd& socket);
// "127.0.0.1:9001"
std::string LocalAddress(const SocketFd& socket);

}  // namespace homeport::wan
