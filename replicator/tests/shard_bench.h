// ShardBench: one ShardPrimary with three real replicas, where the test decides what arrives.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "replicator/shard_primary.h"
#include "replicator/tests/fullable_store.h"
#include "replicator/tests/sim_replica.h"

namespace homeport::replicator {

inline constexpr Incarnation kHere(1);
inline constexpr Incarnation kThere(2);

class ShardBench {
 public:
  ShardBench() {
    for (uint64_t r = 0; r < 3; ++r) {
      replicas.push_back(std::make_unique<SimReplica>(core::DiskId(10 + r)));
    }
    options.self = kHere;
    options.shard = ShardId(0);
    options.shards = 1;
    options.streams = {{kHere, ShardId(0)}, {kThere, ShardId(0)}};
  }

  // A new life: takes the next grant. What the earlier one sent is dropped.
  void Start() {
    requests.clear();
    answers.clear();
    shard = std::make_unique<ShardPrimary>(options, &store, NextGrant());
    Run([&](Outbox* out) { shard->Tick(now, out); });
  }
  // And everything arrives until it serves.
  void StartReady() {
    Start();
    for (int n = 0; n < 20 && !shard->ready(); ++n) {
      Deliver();
      Pass(std::chrono::milliseconds(5));
      EndOfTurn();
    }
    CHECK(shard->ready(), "the shard serves", shard->Status().why_not);
    Deliver();
  }
  quorum_queue::Grant NextGrant() {
    quorum_queue::Grant grant;
    grant.epoch = quorum_queue::MakeEpoch(++epochs_, 0);
    for (size_t r = 0; r < replicas.size(); r += 3) {
      const core::DiskId a = replicas[r]->disk(), b = replicas[r + 1]->disk(),
                         c = replicas[r + 2]->disk();
      grant.groups.push_back({{a, b, c}, quorum_queue::GroupId(static_cast<uint32_t>(r / 3 + 1))});
    }
    return grant;
  }

  Ticket Execute(core::Command command) {
    const Ticket ticket(++tickets_);
    Run([&](Outbox* out) { shard->Execute(now, ticket, std::move(command), out); });
    return ticket;
  }
  void SetAway(const std::vector<AwayIntents>& away) {
    Run([&](Outbox* out) { shard->SetAway(now, away, out); });
  }
  void EndOfTurn() {
    Run([&](Outbox* out) { shard->EndOfTurn(now, core::WallMs(1000), out); });
  }
  // Time passes; timers that are due fire.
  void Pass(core::Duration duration) {
    now += duration;
    const auto deadline = shard->NextDeadline();
    if (deadline.has_value() && *deadline <= now) Run([&](Outbox* out) { shard->Tick(now, out); });
  }
  // Everything sent arrives, is synced and answered, and so on until nothing is under way.
  void Deliver() {
    while (!requests.empty() || !answers.empty()) {
      DeliverRequests();
      DeliverAnswers();
    }
  }
  void DeliverRequests() {
    std::vector<SendToQueue> now_due = std::move(requests);
    requests.clear();
    for (SendToQueue& send : now_due) {
      SimReplica& replica = *replicas[send.replica];
      if (!replica.up()) continue;
      for (int step = 0; step < 2; ++step) {
        auto out = step == 0 ? replica.Receive(now, quorum_queue::ReplicaPeer(epochs_),
                                               std::move(send.request))
                             : replica.Sync(now);
        for (SimReplica::Out& one : out) {
          if (one.peer.value() == epochs_)
            answers.emplace_back(send.replica, std::move(one.answer));
        }
      }
    }
  }
  void DeliverAnswers() {
    auto now_due = std::move(answers);
    answers.clear();
    for (auto& [replica, answer] : now_due) {
      Run([&](Outbox* out) { shard->Answer(now, replica, std::move(answer), out); });
    }
  }
  // Turn, and everything arrives.
  void Commit() {
    EndOfTurn();
    Deliver();
  }

  std::optional<core::CommandResult> ResultOf(Ticket ticket) const {
    const auto found = results.find(ticket);
    if (found == results.end()) return std::nullopt;
    return found->second;
  }

  ShardPrimaryOptions options;
  FullableStore store;
  std::vector<std::unique_ptr<SimReplica>> replicas;
  std::unique_ptr<ShardPrimary> shard;
  Instant now{std::chrono::seconds(1)};
  RegionStats stats;
  std::vector<SendToQueue> requests;
  std::vector<std::pair<uint8_t, quorum_queue::ReplicaAnswer>> answers;
  std::map<Ticket, core::CommandResult> results;
  std::multiset<std::string> notes;
  std::optional<std::string> why_stop;

 private:
  template <class Event>
  void Run(Event event) {
    std::vector<RegionEffect> effects;
    Outbox out(&effects, &stats, &relay_tokens_);
    event(&out);
    for (core::PendingIntent& intent : out.pending()) shard->AddPending(std::move(intent));
    if (out.why_stop().has_value()) {
      why_stop = out.why_stop();
      shard->Stop(*why_stop, &out);
    }
    for (RegionEffect& effect : effects) {
      if (auto* send = std::get_if<SendToQueue>(&effect)) {
        requests.push_back(std::move(*send));
      } else if (auto* done = std::get_if<Done>(&effect)) {
        CHECK(!results.contains(done->ticket), "each command is answered once", done->ticket);
        results.emplace(done->ticket, std::move(done->result));
      } else if (auto* note = std::get_if<Note>(&effect)) {
        notes.insert(note->kind);
      }
    }
  }

  uint64_t epochs_ = 0;
  uint64_t tickets_ = 0;
  uint64_t relay_tokens_ = 0;
};

}  // namespace homeport::replicator
