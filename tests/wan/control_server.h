// ControlServer: takes commands for a relay, one line each, and answers each with one line of JSON.
// README.md has them. Used by the relay's thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "tests/wan/loop.h"
#include "tests/wan/relay.h"
#include "tests/wan/socket_fd.h"

namespace homeport::wan {

class ControlServer : Watcher {
 public:
  // Both outlive it.
  static core::Result<std::unique_ptr<ControlServer>> Open(Loop* loop, Relay* relay,
                                                           const std::string& address);
  ~ControlServer() override;
  // Forgets sessions that are over. Call after every round of the loop.
  void Turn();
  std::string address() const { return LocalAddress(listener_); }

 private:
  struct Session;
  ControlServer(Loop* loop, Relay* relay);
  void OnEvents(uint32_t events) override;

  Loop* const loop_;
  Relay* const relay_;
  SocketFd listener_;
  std::vector<std::unique_ptr<Session>> sessions_;
};

// Sends one command to the control socket at `address`; its answer.
core::Result<std::string> TellWan(const std::string& address, const std::string& command);

}  // namespace homeport::wan
