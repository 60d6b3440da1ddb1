// FakeHttp: an HTTP server that answers as a test says, or reads a request and does not answer it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/check.h"

namespace homeport::coordination {

struct FakeAnswer {
  enum class Then : uint8_t {
    kKeep,   // the connection serves on
    kClose,  // without an answer
    kHang,   // without an answer, and the connection stays
  };
  int code = 200;
  std::string body = {};
  Then then = Then::kKeep;
};

class FakeHttp {
 public:
  // Called from several threads, one at a time.
  using Answerer = std::function<FakeAnswer(const std::string& path, const std::string& body)>;

  explicit FakeHttp(Answerer answerer) : answerer_(std::move(answerer)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
              ::listen(listener_, 16) == 0 &&
              ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
          "a test can listen");
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    accepts_ = std::thread([this] { Accept(); });
  }
  ~FakeHttp() {
    ::shutdown(listener_, SHUT_RDWR);
    accepts_.join();
    {
      std::lock_guard lock(mutex_);
      for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : connections_) ::close(fd);
    ::close(listener_);
  }
  FakeHttp(const FakeHttp&) = delete;
  FakeHttp& operator=(const FakeHttp&) = delete;

  const std::string& url() const { return url_; }
  int answered() const { return answered_; }
  // How often it was asked for this path.
  int CountOf(const std::string& path) {
    std::lock_guard lock(mutex_);
    int count = 0;
    for (const std::string& one : asked_) count += one == path;
    return count;
  }

 private:
  void Accept() {
    for (int fd; (fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
      std::lock_guard lock(mutex_);
      connections_.push_back(fd);
      threads_.emplace_back([this, fd] { Serve(fd); });
    }
  }
  void Serve(int fd) {
    std::string bytes;
    std::string path;
    std::string body;
    while (ReadRequest(fd, &bytes, &path, &body)) {
      FakeAnswer answer;
      {
        std::lock_guard lock(mutex_);
        asked_.push_back(path);
        answer = answerer_(path, body);
      }
      if (answer.then == FakeAnswer::Then::kClose) break;
      if (answer.then == FakeAnswer::Then::kHang) continue;
      const std::string reply = "HTTP/1.1 " + std::to_string(answer.code) +
                                " x\r\nContent-Length: " + std::to_string(answer.body.size()) +
                                "\r\n\r\n" + answer.body;
      for (size_t sent = 0; sent < reply.size();) {
        const ssize_t n = ::send(fd, reply.data() + sent, reply.size() - sent, MSG_NOSIGNAL);
        if (n <= 0) return;
        sent += static_cast<size_t>(n);
      }
      ++answered_;
    }
    ::shutdown(fd, SHUT_RDWR);
  }
  // Of a client that says Content-Length, as libcurl does of a POST.
  static bool ReadRequest(int fd, std::string* bytes, std::string* path, std::string* body) {
    size_t head = 0;
    while ((head = bytes->find("\r\n\r\n")) == std::string::npos) {
      if (!ReadMore(fd, bytes)) return false;
    }
    head += 4;
    const size_t at = bytes->find("Content-Length: ");
    CHECK(at < head, "a POST has a length", *bytes);
    const size_t size = std::stoul(bytes->substr(at + 16));
    while (bytes->size() < head + size) {
      if (!ReadMore(fd, bytes)) return false;
    }
    const size_t begin = bytes->find(' ') + 1;
    *path = bytes->substr(begin, bytes->find(' ', begin) - begin);
    *body = bytes->substr(head, size);
    bytes->erase(0, head + size);
    return true;
  }
  static bool ReadMore(int fd, std::string* bytes) {
    char buffer[65536];
    const ssize_t n = ::recv(fd, buffer, sizeof buffer, 0);
    if (n <= 0) return false;
    bytes->append(buffer, static_cast<size_t>(n));
    return true;
  }

  const Answerer answerer_;
  int listener_ = -1;
  std::string url_;
  std::mutex mutex_;  // of the next three
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
  std::vector<std::string> asked_;
  std::atomic<int> answered_ = 0;
  std::thread accepts_;
};

}  // namespace homeport::coordination
