// What the tests of the evaluator share, area by area.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/messaging/evaluator.h"
#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {

inline constexpr uint16_t kShards = 4;

inline std::vector<std::string> Lines(std::initializer_list<const char*> lines) {
  return {lines.begin(), lines.end()};
}

// Writes a row past all rules: what another region, or an older move, could have left.
inline void PutAccount(World& world, int region, const AccountInfo& account, const Stamp& stamp) {
  WriteBatch batch;
  batch.Put(AccountKey(ShardOf(account.uin, world.shards()), account.uin),
            EncodeRow(stamp, false, EncodeAccount(account)));
  ASSERT_TRUE(world.store(region).Write(batch).ok());
}

inline std::string PendingMessage(World& world, IntentKind kind, const Message& message, Uin to,
                                  MastershipEpoch epoch = {}) {
  Intent intent;
  intent.kind = kind;
  intent.message = message;
  return EncodePendingIntent({world.IncarnationOf(0), ShardOf(to, world.shards()), epoch, {to}},
                             intent);
}

// Commits and applies what is open at (region, shard).
inline void Finish(World& world, int region, ShardId shard) {
  world.Finish(region, shard);
  ASSERT_TRUE(world.Commit(region, shard));
  ASSERT_TRUE(world.Apply(region, world.StreamOf(region, shard)));
}

// The intents in the last entry of a stream that are addressed to `incarnation`.
inline std::vector<AddressedIntent> LastIntents(World& world, StreamId stream,
                                                Incarnation incarnation) {
  MemoryStore store;
  WriteBatch before;
  const auto& log = world.stream(stream);
  before.Put(AppliedKey(stream), EncodeNumber(log.size() - 1));
  EXPECT_TRUE(store.Write(before).ok());
  WriteBatch batch;
  ApplySummary summary;
  EXPECT_TRUE(ApplyEntry(store, {incarnation, world.shards()}, stream, Seq(log.size()), log.back(),
                         &batch, &summary)
                  .ok());
  std::vector<AddressedIntent> intents;
  for (const PendingIntent& pending : summary.pending) {
    intents.push_back(DecodePendingIntent(pending.bytes).value());
  }
  return intents;
}

}  // namespace homeport::core
