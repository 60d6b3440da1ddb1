// Loop: waits for many descriptors and one moment, with epoll. One thread.
#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace homeport::wan {

// Whom the loop tells of a descriptor. Edges only: after an event read or write until the system
// says EAGAIN.
class Watcher {
 public:
  virtual ~Watcher() = default;
  virtual void OnEvents(uint32_t events) = 0;
};

class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Both directions. `watcher` lives until Remove, and then until the end of the round: what had
  // happened already is still told.
  void Add(int fd, Watcher* watcher);
  void Remove(int fd);
  // One round: tells of all that has happened, or waits until `until`; nullopt: for ever.
  void Wait(std::optional<core::Instant> until);

 private:
  const int epoll_;
  const int timer_;
};

}  // namespace homeport::wan
