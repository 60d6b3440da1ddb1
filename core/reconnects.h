// Reconnects: whether a DealerSocket has got a connection since it was asked last. What the other
// side held is gone with a connection that was lost, so whoever waits for it asks again.
#pragma once

#include <memory>

#include "core/socket.h"
#include "core/status.h"

namespace homeport::core {

class Reconnects {
 public:
  // Watches `socket`, which outlives it. The socket's first connection may count, too. Of the
  // socket's thread.
  static std::unique_ptr<Reconnects> Watch(Context& context, const DealerSocket& socket);
  ~Reconnects();
  Reconnects(const Reconnects&) = delete;
  Reconnects& operator=(const Reconnects&) = delete;

  // True once for all connections made since the last call.
  bool Take();
  void* raw() const { return raw_; }  // for Poller: readable when Take is worth a call
  int fd() const;                     // for other loops, as DealerSocket's

 private:
  Reconnects(void* watched, void* raw) : watched_(watched), raw_(raw) {}
  void* watched_;
  void* raw_;
};

}  // namespace homeport::core
