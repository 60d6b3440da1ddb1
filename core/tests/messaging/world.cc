#include "core/tests/messaging/world.h"

#include <fmt/format.h>

#include "core/check.h"

namespace homeport::core {

void World::MustBeOk(const Status& status) {
  CHECK(status.ok(), "the test's store works", status);
}

World::World(int regions, uint16_t shards, MessagingOptions messaging)
    : shards_(shards), messaging_(messaging) {
  for (int r = 0; r < regions; ++r) {
    regions_.push_back(std::make_unique<Region>());
    regions_.back()->primaries.resize(shards);
    for (uint16_t s = 0; s < shards; ++s) {
      streams_[StreamOf(r, ShardId(s))];
      Start(r, ShardId(s));
    }
  }
}

void World::Start(int region, ShardId shard) {
  Primary& p = primary(region, shard);
  p = Primary{};
  p.evaluator = std::make_unique<Evaluator>(
      EvaluatorOptions{IncarnationOf(region), shard, shards_, messaging_}, &store(region));
  for (PendingIntent& intent : LoadPending(store(region), shard)) {
    p.pending.push_back(std::move(intent));
  }
}

Evaluator& World::Open(int region, ShardId shard) {
  Primary& p = primary(region, shard);
  if (!p.open) {
    p.evaluator->Begin(WallMs(++now_ms_));
    p.open = true;
  }
  return *p.evaluator;
}

void World::WhenCommitted(int region, ShardId shard, OnCommit call) {
  primary(region, shard).calls.push_back(std::move(call));
}

void World::Finish(int region, ShardId shard) {
  Primary& p = primary(region, shard);
  if (!p.open) return;
  p.open = false;
  if (p.evaluator->draft_empty()) {
    CHECK(p.evaluator->Finish().empty(), "an empty draft is no entry");
    CHECK(p.calls.empty(), "what changes nothing waits for no commit");
    return;
  }
  const uint64_t estimate = p.evaluator->draft_bytes();
  std::string payload = p.evaluator->Finish();
  CHECK(payload.size() <= estimate, "the estimate is not too low", payload.size(), estimate);
  p.finished.push_back({std::move(payload), std::move(p.calls)});
  p.calls.clear();
}

bool World::ConsumeNext(int region, ShardId shard,
                        const std::function<void(const PendingIntent&)>& consumed) {
  Primary& p = primary(region, shard);
  if (p.pending.empty()) return false;
  const StreamId source = p.pending.front().source;
  const Seq seq = p.pending.front().seq;
  while (!p.pending.empty() && p.pending.front().source == source && p.pending.front().seq == seq) {
    Open(region, shard).Consume(source, seq, p.pending.front().index, p.pending.front().bytes);
    if (consumed) consumed(p.pending.front());
    p.pending.pop_front();
  }
  return true;
}

bool World::Commit(int region, ShardId shard) {
  Primary& p = primary(region, shard);
  if (p.finished.empty()) return false;
  streams_.at(StreamOf(region, shard)).push_back(std::move(p.finished.front().payload));
  for (const OnCommit& call : p.finished.front().calls) call();
  p.finished.pop_front();
  ++p.committed;
  return true;
}

bool World::Apply(int region, StreamId stream) {
  const std::vector<std::string>& log = streams_.at(stream);
  const Seq next = AppliedSeq(store(region), stream) + 1;
  if (next.value() > log.size()) return false;
  WriteBatch batch;
  ApplySummary summary;
  const Status status = ApplyEntry(store(region), {IncarnationOf(region), shards_}, stream, next,
                                   log[next.value() - 1], &batch, &summary);
  CHECK(status.ok(), "what an evaluator wrote can be applied", status);
  moves_ = moves_ || !summary.moved.empty();
  CHECK(moves_ || summary.stale_rows == 0, "nothing is stale without moves", stream, next);
  MustBeOk(store(region).Write(batch));
  if (stream.incarnation() == IncarnationOf(region)) {
    Primary& p = primary(region, stream.shard());
    if (p.committed > 0) {
      --p.committed;
      p.evaluator->Applied();
    }
  }
  for (const HomeChange& change : summary.moved) {
    for (Primary& one : regions_[static_cast<size_t>(region)]->primaries) {
      one.evaluator->Learned(change.uin);
    }
  }
  for (PendingIntent& intent : summary.pending) {
    primary(region, intent.shard).pending.push_back(std::move(intent));
  }
  return true;
}

void World::Crash(int region, const std::function<size_t(size_t)>& pick) {
  for (uint16_t s = 0; s < shards_; ++s) {
    Primary& p = primary(region, ShardId(s));
    for (size_t left = pick(p.finished.size() + 1); left > 0; --left) Commit(region, ShardId(s));
    p = Primary{};
  }
  store(region).Crash(pick(store(region).unflushed() + 1));
  for (uint16_t s = 0; s < shards_; ++s) {
    while (Apply(region, StreamOf(region, ShardId(s)))) {
    }
  }
  for (auto& [stream, log] : streams_) {
    for (uint16_t s = 0; s < shards_; ++s) {
      const Seq consumed = ConsumedSeq(store(region), IncarnationOf(region), stream, ShardId(s));
      while (AppliedSeq(store(region), stream) < consumed) {
        CHECK(Apply(region, stream), "what was consumed was committed", stream, consumed);
      }
    }
  }
  for (uint16_t s = 0; s < shards_; ++s) Start(region, ShardId(s));
}

void World::AdoptArriving(int region, ShardId shard) {
  for (const Uin uin : LoadArriving(store(region), shard)) Open(region, shard).Adopt(uin);
}

CommandResult World::Run(int region, const Command& command) {
  const ShardId shard = ShardOfCommand(command, shards_);
  const CommandResult result = Open(region, shard).Execute(command);
  Finish(region, shard);
  while (Commit(region, shard)) {
  }
  while (Apply(region, StreamOf(region, shard))) {
  }
  return result;
}

void World::TrimInboxes(int region) {
  for (uint16_t s = 0; s < shards_; ++s) {
    const ShardId shard(s);
    Evaluator::Sweep sweep;
    do {
      sweep = Open(region, shard).TrimInboxes(sweep.through);
      Finish(region, shard);
      while (Commit(region, shard)) {
      }
      while (Apply(region, StreamOf(region, shard))) {
      }
    } while (sweep.more || sweep.through != Uin());
  }
}

void World::Settle(const std::function<void(int, ShardId, const PendingIntent&)>& consumed) {
  for (bool busy = true; busy;) {
    busy = false;
    for (int r = 0; r < regions(); ++r) {
      for (uint16_t s = 0; s < shards_; ++s) {
        const ShardId shard(s);
        while (ConsumeNext(r, shard, [&](const PendingIntent& intent) {
          if (consumed) consumed(r, shard, intent);
        })) {
        }
        AdoptArriving(r, shard);
        Finish(r, shard);
        while (Commit(r, shard)) busy = true;
      }
      for (const auto& [stream, log] : streams_) {
        while (Apply(r, stream)) busy = true;
      }
    }
  }
}

Uin World::NewUinAt(int region) {
  return Run(region, NewUin{}).uin;
}

Uin World::NewAccount(int region, AccountKind kind, const std::string& name) {
  const Uin uin = NewUinAt(region);
  const CommandResult result = Run(region, CreateAccount{uin, kind, name});
  CHECK(result.status.ok() && result.changed, "a fresh uin can be an account", result.status);
  return uin;
}

std::vector<SyncMessage> World::Inbox(int region, Uin user, SyncLimits limits) {
  std::vector<SyncMessage> all;
  std::string token;
  for (bool more = true; more;) {
    Result<SyncPage> page = ReadSync(store(region), {shards_, {}}, user, {}, token, limits);
    CHECK(page.ok(), "a user can sync", page.status());
    more = page->more;
    CHECK(!more || !page->messages.empty(), "a page with more to come makes progress");
    token = page->snapshot;
    for (SyncMessage& message : page->messages) all.push_back(std::move(message));
  }
  return all;
}

std::vector<std::string> World::Bodies(int region, Uin user) {
  std::vector<std::string> bodies;
  for (SyncMessage& message : Inbox(region, user)) bodies.push_back(std::move(message.body));
  return bodies;
}

std::vector<std::string> World::Differences() {
  std::vector<std::string> differences;
  for (uint16_t s = 0; s < shards_; ++s) {
    const std::vector<TableDigest> first = DigestShard(store(0), ShardId(s));
    for (int r = 1; r < regions(); ++r) {
      const std::vector<TableDigest> other = DigestShard(store(r), ShardId(s));
      for (size_t t = 0; t < first.size(); ++t) {
        if (first[t].rows == other[t].rows && first[t].digest == other[t].digest) continue;
        differences.push_back(fmt::format("shard {} table {}: {} rows in region 0, {} in region {}",
                                          s, first[t].table, first[t].rows, other[t].rows, r));
      }
    }
  }
  return differences;
}

}  // namespace homeport::core
