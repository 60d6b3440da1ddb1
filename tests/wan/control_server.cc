#include "tests/wan/control_server.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/clock.h"

namespace homeport::wan {
namespace {

using core::Result;
using core::Status;
using Json = nlohmann::json;

constexpr size_t kSessionsMax = 64;
constexpr size_t kLineBytesMax = 4096;
constexpr int kTellTimeoutMs = 10'000;

double Ms(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

Json ToJson(const Relay::Figures& figures) {
  Json lines = Json::array();
  for (const Relay::LineFigures& line : figures.lines) {
    lines.push_back({{"from", line.from},
                     {"to", line.to},
                     {"delay_ms", Ms(line.options.delay)},
                     {"jitter_ms", Ms(line.options.jitter)},
                     {"mbit_per_s", static_cast<double>(line.options.bits_per_s) / 1e6},
                     {"stopped", line.stopped},
                     {"bytes_inside", line.bytes_inside},
                     {"bytes_out", line.bytes_out}});
  }
  return {{"ok", true},
          {"lines", lines},
          {"connections", figures.connections},
          {"accepted", figures.accepted},
          {"refused", figures.refused},
          {"held_bytes", figures.held_bytes}};
}

std::string Answer(Relay* relay, std::string_view line) {
  const auto command = ParseWanCommand(line);
  Status status = command.status();
  const Instant now = core::SteadyNow();
  if (status.ok() && command->verb == WanCommand::Verb::kStatus) {
    return ToJson(relay->Look(now)).dump();
  }
  if (status.ok()) status = relay->Do(now, *command);
  if (status.ok()) return Json{{"ok", true}}.dump();
  return Json{{"ok", false}, {"error", status.message()}}.dump();
}

}  // namespace

struct ControlServer::Session : Watcher {
  Relay* relay = nullptr;
  SocketFd socket;
  std::string in;
  bool is_over = false;

  void OnEvents(uint32_t) override {
    char buffer[kLineBytesMax];
    while (!is_over) {
      const ssize_t got = ::recv(socket.get(), buffer, sizeof buffer, 0);
      if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
      is_over = got <= 0;
      if (!is_over) in.append(buffer, static_cast<size_t>(got));
      Take();
    }
  }
  void Take() {
    for (size_t end; (end = in.find('\n')) != std::string::npos; in.erase(0, end + 1)) {
      const std::string answer = Answer(relay, std::string_view(in).substr(0, end)) + '\n';
      const ssize_t put = ::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      // Who asks and asks and does not read is not answered any more.
      if (put != static_cast<ssize_t>(answer.size())) is_over = true;
    }
    if (in.size() > kLineBytesMax) is_over = true;
  }
};

ControlServer::ControlServer(Loop* loop, Relay* relay) : loop_(loop), relay_(relay) {}

Result<std::unique_ptr<ControlServer>> ControlServer::Open(Loop* loop, Relay* relay,
                                                           const std::string& address) {
  std::unique_ptr<ControlServer> server(new ControlServer(loop, relay));
  ASSIGN_OR_RETURN(server->listener_, Listen(address));
  loop->Add(server->listener_.get(), server.get());
  return server;
}

ControlServer::~ControlServer() {
  for (const auto& session : sessions_) loop_->Remove(session->socket.get());
  loop_->Remove(listener_.get());
}

void ControlServer::OnEvents(uint32_t) {
  while (true) {
    SocketFd socket = Accept(listener_);
    if (!socket.is_open()) return;
    if (sessions_.size() >= kSessionsMax) continue;
    auto session = std::make_unique<Session>();
    session->relay = relay_;
    session->socket = std::move(socket);
    loop_->Add(session->socket.get(), session.get());
    sessions_.push_back(std::move(session));
  }
}

void ControlServer::Turn() {
  std::erase_if(sessions_, [this](const auto& session) {
    if (session->is_over) loop_->Remove(session->socket.get());
    return session->is_over;
  });
}

Result<std::string> TellWan(const std::string& address, const std::string& command) {
  ASSIGN_OR_RETURN(SocketFd socket, StartConnect(address));
  const auto wait = [&](short events) {
    pollfd one{socket.get(), events, 0};
    return ::poll(&one, 1, kTellTimeoutMs) > 0;
  };
  const std::string line = command + '\n';
  if (!wait(POLLOUT) || ConnectError(socket) != 0 ||
      ::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
          static_cast<ssize_t>(line.size())) {
    return Status::Unavailable(fmt::format("nobody takes commands at {}", address));
  }
  std::string answer;
  char buffer[kLineBytesMax];
  while (!answer.ends_with('\n')) {
    const ssize_t got = wait(POLLIN) ? ::recv(socket.get(), buffer, sizeof buffer, 0) : 0;
    if (got <= 0) return Status::Unavailable(fmt::format("no answer from {}", address));
    answer.append(buffer, static_cast<size_t>(got));
  }
  answer.pop_back();
  return answer;
}

}  // namespace homeport::wan
