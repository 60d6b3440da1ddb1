// CoordinationStore: one linearizable place for what a whole cluster must agree on: small rows,
// compare-and-set, leases, watches. Nothing in it grows with users, and no region waits for it.
//
//   Begin(request) --> ... --> Take: its answer, once
//
// Implementations: MemoryCoordination (simulators, tests), EmbeddedClient (our own server), and
// EtcdClient. docs/coordination.md.
#pragma once

#include <cstdint>

#include "coordination/messages.h"
#include "core/time.h"

namespace homeport::coordination {

class CoordinationStore {
 public:
  virtual ~CoordinationStore() = default;
  // Never blocks. The answer comes by Take, with the number that is returned: once, and about
  // `timeout` later at the latest, then as kUnavailable or kNoQuorum. `timeout` of a Watch is
  // counted from when its wait is over.
  virtual uint64_t Begin(Request request, core::Duration timeout) = 0;
  // The next answer, if there is one.
  virtual bool Take(uint64_t* number, Answer* answer) = 0;
};

// CoordinationClient: of a real store. One thread uses it.
class CoordinationClient : public CoordinationStore {
 public:
  // For a Poller: readable while Take has something.
  virtual int fd() const = 0;
};

}  // namespace homeport::coordination
