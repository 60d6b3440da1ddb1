#include "core/messaging/describe.h"

#include <gtest/gtest.h>

#include <set>

#include "core/messaging/draft.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

const StreamId kStream(Incarnation(1), ShardId(2));

TEST(DescribeEntryTest, AnEmptyEntryIsAWritersOpen) {
  const auto described = DescribeEntry(kStream, "");
  ASSERT_TRUE(described.ok());
  EXPECT_TRUE(described->open);
}

TEST(DescribeEntryTest, RefusesWhatIsNoEntry) {
  EXPECT_EQ(DescribeEntry(kStream, "12345678").status().code(), Code::kBadRequest);
  EXPECT_EQ(DescribeEntry(kStream, "1").status().code(), Code::kBadRequest);
}

TEST(DescribeEntryTest, TellsTimeAndAnEmptyRest) {
  const auto described = DescribeEntry(kStream, Draft(WallMs(1234)).Encode());
  ASSERT_TRUE(described.ok()) << described.status();
  EXPECT_FALSE(described->open);
  EXPECT_EQ(described->written_at, WallMs(1234));
  EXPECT_TRUE(described->effects.empty());
  EXPECT_TRUE(described->intents.empty());
  EXPECT_TRUE(described->cursors.empty());
}

// What a message to another region makes of the streams, found in them again.
TEST(DescribeEntryTest, TellsEffectsIntentsAndCursors) {
  World world(2, 4);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  world.Settle();
  world.Run(0, Send(alice, 7, bob, "hello"));
  world.Settle();

  std::set<std::string> tables;
  uint64_t delivers = 0, cursors_to_alice = 0;
  const StreamId from = world.StreamOf(0, ShardOf(alice, 4));
  for (int region = 0; region < 2; ++region) {
    for (uint16_t shard = 0; shard < 4; ++shard) {
      const StreamId id = world.StreamOf(region, ShardId(shard));
      for (const std::string& payload : world.stream(id)) {
        const auto described = DescribeEntry(id, payload);
        ASSERT_TRUE(described.ok()) << described.status();
        for (const EffectDescription& effect : described->effects) {
          tables.insert(effect.table);
          EXPECT_FALSE(effect.key.empty());
          EXPECT_GT(effect.stamp.version, Version(0));
        }
        for (const IntentDescription& intent : described->intents) {
          if (intent.kind != "deliver") continue;
          ++delivers;
          EXPECT_EQ(id, from);
          EXPECT_EQ(intent.sender, alice);
          EXPECT_EQ(intent.body_bytes, 5u);
          ASSERT_EQ(intent.targets.size(), 1u);
          EXPECT_EQ(intent.targets[0].incarnation, world.IncarnationOf(1));
          EXPECT_EQ(intent.targets[0].users, std::vector<Uin>{bob});
        }
        for (const CursorDescription& cursor : described->cursors) {
          cursors_to_alice += cursor.source == from;
        }
      }
    }
  }
  EXPECT_EQ(delivers, 1u);
  EXPECT_EQ(cursors_to_alice, 1u);
  EXPECT_TRUE(tables.contains("account"));
  EXPECT_TRUE(tables.contains("inbox"));
  EXPECT_FALSE(tables.contains("")) << "every put has a table";
}

}  // namespace
}  // namespace homeport::core
