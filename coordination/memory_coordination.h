// MemoryCoordination: a coordination store in memory, with the machine of our own server, and a
// network that can be told to fail. For tests and simulators: the same calls give the same answers.
//
// Time is what Advance says. Not thread safe; its clients do not outlive it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "coordination/coordination_store.h"
#include "coordination/store_machine.h"
#include "core/memory_store.h"

namespace homeport::coordination {

// What happens to what a client sends while it is set.
enum class NetworkFault : uint8_t {
  kNone,
  kNotConnected,   // it is not sent
  kLosesRequests,  // it is lost on its way; the sender does not know
  kLosesAnswers,   // it is carried out, and its answer is lost
};

class MemoryCoordination {
 public:
  MemoryCoordination(MachineOptions options, core::Instant now);
  ~MemoryCoordination();

  std::unique_ptr<CoordinationStore> NewClient();
  void set_fault(NetworkFault fault) { fault_ = fault; }
  // From here on an answer is under way for so long. 0: it comes at once.
  void set_answer_delay(core::Duration delay) { answer_delay_ = delay; }
  void Advance(core::Instant now);
  // When Advance has something to do.
  std::optional<core::Instant> NextDeadline() const;
  // As after a kill: from what was written. Waiting watches are forgotten, and asked again by their
  // clients.
  void Restart();
  core::Instant now() const { return now_; }

 private:
  class Client;
  void Deliver(Client& client, uint64_t number);
  void Carry(StoreMachine::Output output);
  void Arrive(StoreMachine::Reply reply);

  const MachineOptions options_;
  core::MemoryStore disk_;
  core::Instant now_;
  std::unique_ptr<StoreMachine> machine_;
  NetworkFault fault_ = NetworkFault::kNone;
  core::Duration answer_delay_{0};
  std::multimap<core::Instant, StoreMachine::Reply> under_way_;  // by when they arrive
  std::map<std::string, Client*> clients_;
  uint64_t last_client_ = 0;
};

}  // namespace homeport::coordination
