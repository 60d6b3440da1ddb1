// World: regions with their shards, for tests. Streams are vectors, a commit is a push_back, and
// each step is one call: draft, commit, apply, replay, consume, flush, crash. No queue, no network,
// no time.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "core/memory_store.h"
#include "core/messaging/commands.h"
#include "core/messaging/entry.h"
#include "core/messaging/evaluator.h"
#include "core/messaging/queries.h"
#include "core/messaging/sync.h"

namespace homeport::core {

class World {
 public:
  // A group of an entry's side effects on the test's own model: run when the entry is committed.
  using OnCommit = std::function<void()>;

  World(int regions, uint16_t shards, MessagingOptions messaging = {});

  int regions() const { return static_cast<int>(regions_.size()); }
  uint16_t shards() const { return shards_; }
  Incarnation IncarnationOf(int region) const {
    return Incarnation(static_cast<uint16_t>(region + 1));
  }
  StreamId StreamOf(int region, ShardId shard) const { return {IncarnationOf(region), shard}; }
  MemoryStore& store(int region) { return regions_[static_cast<size_t>(region)]->store; }
  const std::vector<std::string>& stream(StreamId id) const { return streams_.at(id); }

  int64_t now_ms() const { return now_ms_; }
  void Pass(std::chrono::milliseconds time) { now_ms_ += time.count(); }

  // ---- single steps

  // The evaluator of a shard, with an entry open.
  Evaluator& Open(int region, ShardId shard);
  // Runs when the open entry is committed.
  void WhenCommitted(int region, ShardId shard, OnCommit call);
  // Finishes the open entry, if it holds anything.
  void Finish(int region, ShardId shard);
  // Consumes all that waits of the oldest (source, seq) into the open entry; `consumed` sees each
  // intent. False when nothing waits.
  bool ConsumeNext(int region, ShardId shard,
                   const std::function<void(const PendingIntent&)>& consumed = nullptr);
  // Commits the oldest finished entry. False when there is none.
  bool Commit(int region, ShardId shard);
  // Applies the next entry of `stream`. False when there is none.
  bool Apply(int region, StreamId stream);
  void Flush(int region) { MustBeOk(store(region).Flush()); }
  // All evaluators are lost; of each shard `committed` says how many finished entries are found
  // again by the next writer; the store keeps `kept` of its unflushed batches. Then what a region
  // does before it serves again.
  void Crash(int region, const std::function<size_t(size_t)>& pick);

  // ---- whole runs

  // Adopts who arrives at a shard and has all that it needs, in the open entry.
  void AdoptArriving(int region, ShardId shard);
  // Drafts, commits and applies one command at its shard.
  CommandResult Run(int region, const Command& command);
  // One round of the sweep over all inboxes of a region, committed and applied there.
  void TrimInboxes(int region);
  // Everything is committed, applied and consumed everywhere.
  void Settle(const std::function<void(int, ShardId, const PendingIntent&)>& consumed = nullptr);
  Uin NewUinAt(int region);
  // A fresh account, homed in `region`.
  Uin NewAccount(int region, AccountKind kind, const std::string& name);

  // All messages of `user`, read page by page.
  std::vector<SyncMessage> Inbox(int region, Uin user, SyncLimits limits = {});
  std::vector<std::string> Bodies(int region, Uin user);
  // One line per table whose digests differ between regions.
  std::vector<std::string> Differences();

 private:
  static void MustBeOk(const Status& status);
  struct Drafted {
    std::string payload;
    std::vector<OnCommit> calls;
  };
  struct Primary {
    std::unique_ptr<Evaluator> evaluator;
    bool open = false;
    std::vector<OnCommit> calls;
    std::deque<Drafted> finished;
    size_t committed = 0;  // by this evaluator, not applied yet
    std::deque<PendingIntent> pending;
  };
  struct Region {
    MemoryStore store;
    std::vector<Primary> primaries;
  };
  Primary& primary(int region, ShardId shard) {
    return regions_[static_cast<size_t>(region)]->primaries[shard.value()];
  }
  void Start(int region, ShardId shard);

  uint16_t shards_;
  MessagingOptions messaging_;
  std::vector<std::unique_ptr<Region>> regions_;
  std::map<StreamId, std::vector<std::string>> streams_;
  int64_t now_ms_ = 1'000'000;
  bool moves_ = false;  // somebody moved: then rows come late
};

// One-line command builders.
inline SendMessage Send(Uin from, uint64_t id, Uin to, std::string body) {
  return {from, ClientMessageId(id), to, false, std::move(body)};
}
inline SendMessage Post(Uin from, uint64_t id, Uin group, std::string body) {
  return {from, ClientMessageId(id), group, true, std::move(body)};
}

}  // namespace homeport::core
