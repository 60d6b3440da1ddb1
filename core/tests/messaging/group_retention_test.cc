// What becomes of a group's old messages (docs/messaging.md, "Groups").
#include <gtest/gtest.h>

#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

using std::chrono::hours;

constexpr uint16_t kShards = 4;

MessagingOptions Options() {
  MessagingOptions options;
  options.inbox_retention = hours(24 * 300);  // inboxes keep their references
  options.device_gone_after = hours(20);
  options.group_retention = hours(100);
  return options;
}

// A group of region 0 with a member there and one in region 1; both have a device that has nothing.
struct Room {
  Room() : world(2, kShards, Options()) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(1, AccountKind::kUser, "bob");
    group = world.NewAccount(0, AccountKind::kGroup, "group");
    for (const Uin user : {alice, bob}) world.Run(0, JoinGroup{group, user});
    world.Settle();
  }
  void Say(uint64_t id) {
    EXPECT_TRUE(world.Run(0, Post(alice, id, group, "message " + std::to_string(id))).status.ok());
    world.Settle();
  }
  void Sweep() {
    for (int region = 0; region < 2; ++region) world.TrimInboxes(region);
    world.Settle();
  }
  size_t Kept(int region) {
    const std::string prefix = GroupMessagePrefix(ShardOf(group, kShards), group);
    size_t rows = 0;
    world.store(region).Scan(prefix, PrefixEnd(prefix), [&](auto, auto) { return ++rows > 0; });
    return rows;
  }
  std::vector<SyncMessage> Bobs() { return world.Inbox(1, bob); }

  World world;
  Uin alice;
  Uin bob;
  Uin group;
};

TEST(GroupRetentionTest, WhatIsOldGoesInEveryRegion) {
  Room room;
  room.Say(1);
  room.world.Pass(hours(60));
  room.Say(2);
  room.Sweep();
  EXPECT_EQ(room.Kept(0), 2u);
  room.world.Pass(hours(41));
  room.Sweep();
  EXPECT_EQ(room.Kept(0), 1u);
  EXPECT_EQ(room.Kept(1), 1u);
  EXPECT_EQ(room.world.Differences(), std::vector<std::string>());
  room.Sweep();
  EXPECT_EQ(room.Kept(0), 1u) << "the younger one stays";
}

// A body that is gone looked as one that has not come yet: the sync stopped before it for ever.
TEST(GroupRetentionTest, WhoComesLateIsToldThatItIsGoneAndGetsTheRest) {
  Room room;
  room.Say(1);
  room.world.Pass(hours(101));
  room.Say(2);
  room.world.TrimInboxes(0);  // bob's home, which would trim his inbox, is slower
  room.world.Settle();
  const std::vector<SyncMessage> got = room.Bobs();
  ASSERT_EQ(got.size(), 2u);
  EXPECT_TRUE(got[0].expired);
  EXPECT_EQ(got[0].group, room.group);
  EXPECT_EQ(got[0].group_seq, 1u);
  EXPECT_TRUE(got[0].body.empty());
  EXPECT_FALSE(got[1].expired);
  EXPECT_EQ(got[1].body, "message 2");
}

// Places are never given twice, though no row is left to tell the last one.
TEST(GroupRetentionTest, GoesOnCountingWhenNoneIsLeft) {
  Room room;
  room.Say(1);
  room.Say(2);
  room.world.Pass(hours(101));
  room.Sweep();
  EXPECT_EQ(room.Kept(0), 0u);
  room.world.Flush(0);
  room.world.Crash(0, [](size_t n) { return n - 1; });
  room.Say(3);
  EXPECT_EQ(room.Bobs().back().group_seq, 3u);
}

TEST(GroupRetentionTest, ALateRecallPutsNothingBackThatIsGone) {
  Room room;
  ASSERT_TRUE(room.world.Run(1, Post(room.bob, 1, room.group, "hi")).status.ok());
  room.world.Settle();
  // Accepted in time; the group's home hears of it when the message is gone.
  ASSERT_TRUE(room.world.Run(1, RecallMessage{room.bob, ClientMessageId(1)}).status.ok());
  room.world.Pass(hours(101));
  room.world.TrimInboxes(0);
  EXPECT_EQ(room.Kept(0), 0u);
  room.world.Settle();
  EXPECT_EQ(room.Kept(0), 1u) << "the recall alone";
  EXPECT_EQ(room.Kept(1), 1u);
  EXPECT_EQ(room.world.Differences(), std::vector<std::string>());
}

TEST(GroupRetentionTest, ALargeOneGoesInSteps) {
  Room room;
  const ShardId shard = ShardOf(room.group, kShards);
  for (uint64_t id = 1; id <= 1500; ++id) {
    ASSERT_TRUE(room.world.Run(0, Post(room.alice, id, room.group, "x")).status.ok());
  }
  room.world.Settle();
  room.world.Pass(hours(101));
  size_t steps = 0;
  for (Evaluator::Sweep sweep{Uin(), true}; sweep.more; ++steps) {
    sweep = room.world.Open(0, shard).TrimInboxes(Uin());
    room.world.Finish(0, shard);
    room.world.Settle();
  }
  EXPECT_GE(steps, 2u);
  EXPECT_EQ(room.Kept(1), 0u);
}

TEST(GroupRetentionTest, NeverBeforeDevicesAreGone) {
  MessagingOptions options = Options();
  options.group_retention = hours(1);
  World world(1, kShards, options);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "group");
  world.Run(0, JoinGroup{group, alice});
  world.Run(0, Post(alice, 1, group, "x"));
  world.Settle();
  const std::string key = GroupMessageKey(ShardOf(group, kShards), group, 1);
  world.Pass(hours(19));
  world.TrimInboxes(0);
  EXPECT_TRUE(world.store(0).Get(key).has_value());
  world.Pass(hours(2));
  world.TrimInboxes(0);
  EXPECT_FALSE(world.store(0).Get(key).has_value());
}

}  // namespace
}  // namespace homeport::core
