#include "tests/wan/socket_fd.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace homeport::wan {
namespace {

using core::Result;
using core::Status;

constexpr int kBufferBytes = 128 << 10;  // the kernel takes it twice
constexpr int kBacklog = 1024;

// IPv4, as all of Homeport.
Result<sockaddr_in> Resolve(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos) {
    return Status::BadRequest(fmt::format("{} is no host:port", address));
  }
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = ::getaddrinfo(address.substr(0, colon).c_str(),
                                  address.substr(colon + 1).c_str(), &hints, &found);
  if (error != 0) {
    return Status::Io(fmt::format("cannot resolve {}: {}", address, ::gai_strerror(error)));
  }
  sockaddr_in resolved{};
  std::memcpy(&resolved, found->ai_addr, sizeof resolved);
  ::freeaddrinfo(found);
  return resolved;
}

Status Failed(const std::string& what, const std::string& address) {
  return Status::Io(fmt::format("cannot {} {}: {}", what, address, std::strerror(errno)));
}

Result<SocketFd> NewSocket() {
  SocketFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return Failed("make", "a socket");
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVBUF, &kBufferBytes, sizeof kBufferBytes);
  return socket;
}

void SendAtOnce(const SocketFd& socket) {
  const int on = 1;
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

void SocketFd::Reset() {
  if (fd_ < 0) return;
  const linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  Close();
}

Result<SocketFd> Listen(const std::string& address) {
  ASSIGN_OR_RETURN(const sockaddr_in resolved, Resolve(address));
  ASSIGN_OR_RETURN(SocketFd socket, NewSocket());
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&resolved), sizeof resolved) != 0 ||
      ::listen(socket.get(), kBacklog) != 0) {
    return Failed("listen on", address);
  }
  return socket;
}

SocketFd Accept(const SocketFd& listener) {
  SocketFd socket(::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.is_open()) SendAtOnce(socket);
  return socket;
}

Result<SocketFd> StartConnect(const std::string& address) {
  ASSIGN_OR_RETURN(const sockaddr_in resolved, Resolve(address));
  ASSIGN_OR_RETURN(SocketFd socket, NewSocket());
  SendAtOnce(socket);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&resolved), sizeof resolved) != 0 &&
      errno != EINPROGRESS) {
    return Failed("connect to", address);
  }
  return socket;
}

int ConnectError(const SocketFd& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

std::string LocalAddress(const SocketFd& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return "";
  char host[INET_ADDRSTRLEN] = "";
  ::inet_ntop(AF_INET, &address.sin_addr, host, sizeof host);
  return fmt::format("{}:{}", host, ntohs(address.sin_port));
}

}  // namespace homeport::wan
