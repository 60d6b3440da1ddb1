#include "coordination/memory_coordination.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/check.h"

namespace homeport::coordination {

using core::Duration;
using core::Instant;

class MemoryCoordination::Client final : public CoordinationStore {
 public:
  Client(MemoryCoordination* store, std::string peer) : store_(store), peer_(std::move(peer)) {
    store_->clients_[peer_] = this;
  }
  ~Client() override { store_->clients_.erase(peer_); }

  uint64_t Begin(Request request, Duration timeout) override {
    const uint64_t number = ++last_number_;
    if (core::Status status = CheckRequest(request); !status.ok()) {
      answers_.emplace_back(number, std::move(status));
      return number;
    }
    Instant until = store_->now_ + timeout;
    if (const auto* watch = std::get_if<Watch>(&request)) until += watch->wait;
    pending_[number] = {std::move(request), until};
    store_->Deliver(*this, number);
    return number;
  }
  bool Take(uint64_t* number, Answer* answer) override {
    if (answers_.empty()) return false;
    std::tie(*number, *answer) = std::move(answers_.front());
    answers_.pop_front();
    return true;
  }

  struct Pending {
    Request request;
    Instant until;
    bool sent = false;
  };
  void OnAnswer(uint64_t number, Answer answer) {
    if (pending_.erase(number) > 0) answers_.emplace_back(number, std::move(answer));
  }
  void TimeOut(Instant now) {
    std::vector<uint64_t> over;
    for (const auto& [number, pending] : pending_) {
      if (pending.until <= now) over.push_back(number);
    }
    for (const uint64_t number : over)
      OnAnswer(number, NoAnswer(pending_[number].sent && IsWrite(pending_[number].request)));
  }

  MemoryCoordination* const store_;
  const std::string peer_;
  uint64_t last_number_ = 0;
  std::map<uint64_t, Pending> pending_;
  std::deque<std::pair<uint64_t, Answer>> answers_;
};

MemoryCoordination::MemoryCoordination(MachineOptions options, Instant now)
    : options_(std::move(options)), now_(now) {
  CHECK(disk_.Write(StoreMachine::Format(options_.cluster, LeaseId(0))).ok(), "memory takes it");
  Restart();
}

MemoryCoordination::~MemoryCoordination() {
  CHECK(clients_.empty(), "clients go first", clients_.size());
}

std::unique_ptr<CoordinationStore> MemoryCoordination::NewClient() {
  return std::make_unique<Client>(this, fmt::format("client-{:06}", ++last_client_));
}

void MemoryCoordination::Restart() {
  auto machine = StoreMachine::Open(options_, disk_, now_);
  CHECK(machine.ok(), "what the machine writes it reads", machine.status());
  machine_ = std::move(machine).value();
  for (const auto& [peer, client] : clients_) {
    std::vector<uint64_t> again;
    for (const auto& [number, pending] : client->pending_) {
      if (std::holds_alternative<Watch>(pending.request)) again.push_back(number);
    }
    for (const uint64_t number : again) Deliver(*client, number);
  }
}

void MemoryCoordination::Deliver(Client& client, uint64_t number) {
  if (fault_ == NetworkFault::kNotConnected) return;
  Client::Pending& pending = client.pending_[number];
  pending.sent = true;
  if (fault_ == NetworkFault::kLosesRequests) return;
  StoreMachine::Output output;
  const Request request = pending.request;
  machine_->Step(now_, {client.peer_, number}, request, &output);
  if (fault_ == NetworkFault::kLosesAnswers) {
    std::erase_if(output.replies, [&](const StoreMachine::Reply& reply) {
      return reply.to == Caller{client.peer_, number};
    });
  }
  Carry(std::move(output));
}

void MemoryCoordination::Carry(StoreMachine::Output output) {
  CHECK(disk_.Write(output.batch).ok(), "memory takes it");
  for (StoreMachine::Reply& reply : output.replies) {
    if (answer_delay_ == Duration(0)) {
      Arrive(std::move(reply));
    } else {
      under_way_.emplace(now_ + answer_delay_, std::move(reply));
    }
  }
}

void MemoryCoordination::Arrive(StoreMachine::Reply reply) {
  const auto client = clients_.find(reply.to.peer);
  if (client != clients_.end()) client->second->OnAnswer(reply.to.number, std::move(reply.answer));
}

void MemoryCoordination::Advance(Instant now) {
  CHECK(now >= now_, "time goes on");
  now_ = now;
  while (!under_way_.empty() && under_way_.begin()->first <= now_) {
    Arrive(std::move(under_way_.extract(under_way_.begin()).mapped()));
  }
  StoreMachine::Output output;
  machine_->Tick(now_, &output);
  Carry(std::move(output));
  for (const auto& [peer, client] : clients_) client->TimeOut(now_);
}

std::optional<Instant> MemoryCoordination::NextDeadline() const {
  std::optional<Instant> next = machine_->NextDeadline();
  if (!under_way_.empty()) {
    const Instant arrives = under_way_.begin()->first;
    next = next ? std::min(*next, arrives) : arrives;
  }
  for (const auto& [peer, client] : clients_) {
    for (const auto& [number, pending] : client->pending_) {
      next = next ? std::min(*next, pending.until) : pending.until;
    }
  }
  return next;
}

}  // namespace homeport::coordination
