#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

TEST(IntentsTest, DeliversAnIntentThatComesTwiceOnce) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Message message{MessageId(77), Uin(5), ClientMessageId(3), 1, "hi"};
  const ShardId shard(0);
  const StreamId source(Incarnation(9), shard);
  for (uint64_t seq = 1; seq <= 3; ++seq) {  // 1 and 2 in one entry
    world.Open(0, shard).Consume(source, Seq(seq), 0,
                                 PendingMessage(world, IntentKind::kDeliver, message, alice));
    world.Open(0, shard).Consume(source, Seq(seq), 1,
                                 PendingMessage(world, IntentKind::kPost, message, group));
    if (seq > 1) Finish(world, 0, shard);
  }
  EXPECT_EQ(world.Bodies(0, alice), Lines({"hi"}));
  EXPECT_EQ(FindGroupSeq(world.store(0), 1, group, Uin(5), ClientMessageId(3)), 1u);
  const std::string second = GroupMessageKey(shard, group, 2);
  EXPECT_FALSE(world.store(0).Get(second).has_value());
  EXPECT_EQ(ConsumedSeq(world.store(0), world.IncarnationOf(0), source, shard), Seq(3));
}

TEST(IntentsDeathTest, ConsumesASourceOnlyForward) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const std::string intent = PendingMessage(world, IntentKind::kDeliver, {}, alice);
  const StreamId source(Incarnation(9), ShardId(0));
  world.Open(0, ShardId(0)).Consume(source, Seq(4), 2, intent);
  EXPECT_DEATH(world.Open(0, ShardId(0)).Consume(source, Seq(4), 2, intent), "consumed once");
  Finish(world, 0, ShardId(0));
  EXPECT_DEATH(world.Open(0, ShardId(0)).Consume(source, Seq(4), 2, intent), "consumed once");
  world.Open(0, ShardId(0)).Consume(source, Seq(4), 3, intent);
}

TEST(IntentsTest, DeliversParkedMessagesInOrderWhenTheAccountIsCreated) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin late = world.NewUinAt(1);
  const Uin late_group = world.NewUinAt(1);
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  for (uint64_t i = 1; i <= 5; ++i) {
    world.Run(0, Send(alice, i, late, "m" + std::to_string(i)));
    world.Run(0, Post(alice, 100 + i, late_group, "g" + std::to_string(i)));
    world.Settle();
  }
  EXPECT_EQ(world.Bodies(1, late), Lines({}));
  EXPECT_TRUE(world.Run(1, CreateAccount{late, AccountKind::kUser, "late"}).changed);
  EXPECT_TRUE(world.Run(1, CreateAccount{late_group, AccountKind::kGroup, "lateg"}).changed);
  world.Run(1, JoinGroup{late_group, bob});
  EXPECT_EQ(world.Bodies(1, late), Lines({"m1", "m2", "m3", "m4", "m5"}));
  for (uint64_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(FindGroupSeq(world.store(1), kShards, late_group, alice, ClientMessageId(100 + i)),
              i);
  }
  world.Run(0, Post(alice, 200, late_group, "now"));
  world.Settle();
  EXPECT_EQ(world.Bodies(0, bob), Lines({"now"}));  // joined after the others
  EXPECT_EQ(world.Differences(), Lines({}));
  // What was parked is gone from the digests.
  for (uint16_t s = 0; s < kShards; ++s) {
    EXPECT_EQ(DigestShard(world.store(0), ShardId(s)).back().rows, 0u);
  }
}

// All in one entry would be one that no writer takes, and stop the region.
TEST(IntentsTest, UnparksBySmallPortionsAndKeepsTheOrderOfWhatArrivesMeanwhile) {
  World world(2, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin late = world.NewUinAt(1);
  const Uin group = world.NewAccount(1, AccountKind::kGroup, "g");
  world.Run(1, JoinGroup{group, late});
  std::vector<std::string> sent;
  const auto send = [&](size_t bytes) {
    const std::string number = std::to_string(sent.size() + 1) + " ";
    sent.push_back(number + std::string(bytes - number.size(), 'x'));
    world.Run(0, Send(alice, sent.size(), late, sent.back()));
  };
  for (int i = 0; i < 20; ++i) send(kBodyBytesMax);
  for (int i = 0; i < 3000; ++i) send(10);  // what they draft has many times their size
  world.Settle();
  const ShardId shard(0);
  EXPECT_TRUE(world.Run(1, CreateAccount{late, AccountKind::kUser, "late"}).changed);
  const size_t at_once = world.Bodies(1, late).size();
  EXPECT_GT(at_once, 0u);
  EXPECT_LT(at_once, 8u);
  // Arrives before the next portion is taken, from the same sender and from a group.
  send(10);
  world.Run(1, Post(late, 1, group, "to nobody else"));
  world.Run(0, Post(alice, 9999, group, "to the group"));
  size_t entries = world.stream(world.StreamOf(1, shard)).size();
  world.Settle();
  for (; entries < world.stream(world.StreamOf(1, shard)).size(); ++entries) {
    EXPECT_LT(world.stream(world.StreamOf(1, shard))[entries].size(), size_t{768} << 10);
  }
  std::vector<std::string> from_alice = world.Bodies(1, late);
  EXPECT_EQ(std::erase(from_alice, "to the group"), 1u);
  EXPECT_EQ(from_alice, sent);
  // Nothing waits any more: what comes now goes in at once.
  send(10);
  world.Settle();
  EXPECT_EQ(world.Bodies(1, late).back(), sent.back());
  EXPECT_FALSE(ReadCounters(world.store(1), shard, late).counters.unparking);
  EXPECT_EQ(DigestShard(world.store(1), shard).back().rows, 0u);
  EXPECT_EQ(world.Differences(), Lines({}));
}

TEST(IntentsTest, UnparksOnAfterACrashBetweenTwoPortions) {
  World world(2, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin late = world.NewUinAt(1);
  for (uint64_t i = 1; i <= 20; ++i) {
    world.Run(0, Send(alice, i, late, std::string(kBodyBytesMax, 'x')));
  }
  world.Settle();
  EXPECT_TRUE(world.Run(1, CreateAccount{late, AccountKind::kUser, "late"}).changed);
  world.Crash(1, [](size_t most) { return most; });
  world.Settle();
  EXPECT_EQ(world.Bodies(1, late).size(), 20u);
  EXPECT_EQ(world.Differences(), Lines({}));
}

TEST(IntentsTest, UnparksWhatWasParkedInAnEntryThatIsNotApplied) {
  World world(1, 1);
  const Uin late = world.NewUinAt(0);
  const ShardId shard(0);
  const StreamId source(Incarnation(9), shard);
  const auto consume = [&](uint64_t seq, const char* body) {
    const Message message{MessageId(seq), Uin(5), ClientMessageId(seq), 1, body};
    world.Open(0, shard).Consume(source, Seq(seq), 0,
                                 PendingMessage(world, IntentKind::kDeliver, message, late));
  };
  consume(1, "applied");
  Finish(world, 0, shard);
  consume(2, "in flight");
  world.Finish(0, shard);
  consume(3, "same entry");
  world.Open(0, shard).Execute(CreateAccount{late, AccountKind::kUser, "late"});
  consume(4, "after");
  world.Settle();
  EXPECT_EQ(world.Bodies(0, late), Lines({"applied", "in flight", "same entry", "after"}));
  EXPECT_EQ(DigestShard(world.store(0), shard).back().rows, 0u);
}

TEST(IntentsTest, ForwardsToAHomeKnownByAHigherEpochAndParksOtherwise) {
  World world(1, 1);
  const Uin moved = world.NewUinAt(0);
  PutAccount(world, 0, {moved, AccountKind::kUser, "moved", Incarnation(7), {0, 3}, 1},
             {{0, 3}, Version(1)});
  const ShardId shard(0);
  const StreamId source(Incarnation(9), shard);
  const Message message{MessageId(1), Uin(5), ClientMessageId(1), 1, "x"};
  world.Open(0, shard).Consume(source, Seq(1), 0,
                               PendingMessage(world, IntentKind::kDeliver, message, moved, {0, 2}));
  Finish(world, 0, shard);
  const auto forwarded = LastIntents(world, world.StreamOf(0, shard), Incarnation(7));
  ASSERT_EQ(forwarded.size(), 1u);
  EXPECT_EQ(forwarded[0].target.epoch, (MastershipEpoch{0, 3}));
  EXPECT_EQ(forwarded[0].target.users, std::vector<Uin>{moved});
  EXPECT_EQ(forwarded[0].intent.message.body, "x");
  EXPECT_EQ(DigestShard(world.store(0), shard).back().rows, 0u);

  world.Open(0, shard).Consume(source, Seq(2), 0,
                               PendingMessage(world, IntentKind::kDeliver, message, moved, {0, 3}));
  Finish(world, 0, shard);
  EXPECT_TRUE(LastIntents(world, world.StreamOf(0, shard), Incarnation(7)).empty());
  EXPECT_EQ(DigestShard(world.store(0), shard).back().rows, 1u);  // parked
}

TEST(IntentsTest, ForwardsOnlyTheMembersThatMovedOfAFanout) {
  World world(1, 1);
  const Uin here = world.NewAccount(0, AccountKind::kUser, "here");
  const Uin moved = world.NewUinAt(0);
  const Uin ahead(
      MakeId(Incarnation(3), 8));  // its birth is elsewhere, and nothing is known of a move
  PutAccount(world, 0, {moved, AccountKind::kUser, "moved", Incarnation(7), {0, 3}, 1},
             {{0, 3}, Version(1)});
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  fanout.group = Uin(MakeId(Incarnation(2), 4));
  fanout.group_seq = 6;
  const ShardId shard(0);
  world.Open(0, shard).Consume(
      StreamId(Incarnation(2), shard), Seq(1), 0,
      EncodePendingIntent({world.IncarnationOf(0), shard, {}, {here, moved, ahead}}, fanout));
  Finish(world, 0, shard);
  const auto forwarded = LastIntents(world, world.StreamOf(0, shard), Incarnation(7));
  ASSERT_EQ(forwarded.size(), 1u);
  EXPECT_EQ(forwarded[0].intent.kind, IntentKind::kFanout);
  EXPECT_EQ(forwarded[0].intent.group_seq, 6u);
  EXPECT_EQ(forwarded[0].target.users, std::vector<Uin>{moved});
  const auto digests = DigestShard(world.store(0), shard);
  EXPECT_EQ(digests.back().rows, 1u);                                   // `ahead` is parked
  EXPECT_EQ(digests[static_cast<size_t>(Table::kInbox) - 1].rows, 1u);  // `here` has it
}

}  // namespace
}  // namespace homeport::core
