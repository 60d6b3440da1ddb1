// Users and groups that move from home to home: docs/mastership.md, rule by rule.
#include "core/messaging/snapshot.h"
#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

class MovesTest : public testing::Test {
 protected:
  MovesTest() : world_(3, kShards) {
    alice_ = world_.NewAccount(0, AccountKind::kUser, "alice");
    bob_ = world_.NewAccount(2, AccountKind::kUser, "bob");
    world_.Settle();
  }
  CommandResult Move(int at, Uin uin, int to) {
    return world_.Run(at, MoveHome{uin, world_.IncarnationOf(to)});
  }
  ShardId ShardOfAlice() const { return ShardOf(alice_, kShards); }
  StreamId Stream(int region) const { return world_.StreamOf(region, ShardOfAlice()); }
  AccountInfo Alice(int region) { return *FindAccount(world_.store(region), kShards, alice_); }
  void ApplyAll(int region, StreamId stream) {
    while (world_.Apply(region, stream)) {
    }
  }
  // Drafted, committed and applied at the region itself.
  void Adopt(int region) {
    world_.AdoptArriving(region, ShardOfAlice());
    world_.Finish(region, ShardOfAlice());
    world_.Commit(region, ShardOfAlice());
    ApplyAll(region, Stream(region));
  }

  World world_;
  Uin alice_;
  Uin bob_;
};

TEST_F(MovesTest, TheTransferEndsTheServiceAndNamesWhatTheOldHomeHad) {
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  const AccountInfo alice = Alice(0);
  EXPECT_EQ(alice.home, world_.IncarnationOf(1));
  EXPECT_EQ(alice.epoch, (MastershipEpoch{0, 1}));
  EXPECT_FALSE(alice.adopted);
  EXPECT_FALSE(alice.deps.empty());
  const CommandResult refused = world_.Run(0, Send(alice_, 1, bob_, "too late"));
  EXPECT_EQ(refused.status.code(), Code::kMoved);
  EXPECT_EQ(refused.status.home(), world_.IncarnationOf(1));
  EXPECT_EQ(refused.status.epoch(), (MastershipEpoch{0, 1}));
  EXPECT_FALSE(Move(0, alice_, 1).changed) << "it is on its way";
}

TEST_F(MovesTest, TheNewHomeServesFromItsAdoptOn) {
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  EXPECT_EQ(world_.Run(1, Send(alice_, 1, bob_, "early")).status.code(), Code::kMoved);
  ApplyAll(1, Stream(0));
  EXPECT_EQ(world_.Run(1, Send(alice_, 1, bob_, "early")).status.code(), Code::kUnavailable);
  EXPECT_EQ(Move(1, alice_, 2).status.code(), Code::kUnavailable);
  Adopt(1);
  EXPECT_TRUE(Alice(1).adopted);
  EXPECT_TRUE(LoadArriving(world_.store(1), ShardOfAlice()).empty());
  EXPECT_TRUE(world_.Run(1, Send(alice_, 1, bob_, "hello")).status.ok());
  EXPECT_FALSE(Move(1, alice_, 1).changed) << "it is there";
  world_.Settle();
  EXPECT_EQ(world_.Bodies(2, bob_), Lines({"hello"}));
  EXPECT_EQ(world_.Differences(), Lines({}));
}

TEST_F(MovesTest, NobodyIsAdoptedBeforeAllThatTheOldHomeHadIsReplayed) {
  // What the old home has applied of a third region's stream of the shard.
  Uin carol;
  do {
    carol = world_.NewUinAt(2);
  } while (ShardOf(carol, kShards) != ShardOfAlice());
  ASSERT_TRUE(world_.Run(2, CreateAccount{carol, AccountKind::kUser, "carol"}).status.ok());
  ApplyAll(0, Stream(2));
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  ApplyAll(1, Stream(0));
  const auto adoption = world_.Open(1, ShardOfAlice()).Adopt(alice_);
  EXPECT_FALSE(adoption.done);
  ASSERT_TRUE(adoption.missing.has_value());
  EXPECT_EQ(adoption.missing->stream, Stream(2));
  world_.Finish(1, ShardOfAlice());
  ApplyAll(1, Stream(2));
  Adopt(1);
  EXPECT_TRUE(Alice(1).adopted);
}

TEST_F(MovesTest, TheRememberedIdsAndVersionsComeAlong) {
  const CommandResult first = world_.Run(0, Send(alice_, 7, bob_, "once"));
  world_.Run(2, Send(bob_, 1, alice_, "one"));
  world_.Settle();
  const std::string token = ReadSync(world_.store(0), {kShards, {}}, alice_, {}, "", {})->snapshot;
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  world_.Settle();
  const CommandResult again = world_.Run(1, Send(alice_, 7, bob_, "once"));
  EXPECT_EQ(again.message, first.message);
  EXPECT_FALSE(again.changed);
  world_.Run(2, Send(bob_, 2, alice_, "two"));
  world_.Settle();
  const auto page = ReadSync(world_.store(1), {kShards, {}}, alice_, {}, token, {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->messages.size(), 1u) << "the old home's snapshot is good here";
  EXPECT_EQ(page->messages[0].body, "two");
  EXPECT_EQ(page->messages[0].version, 2u);
  EXPECT_EQ(page->messages[0].epoch, (MastershipEpoch{0, 1}));
  EXPECT_EQ(world_.Bodies(2, bob_), Lines({"once"}));
}

TEST_F(MovesTest, WhatComesToTheOldHomeIsSentOn) {
  world_.Run(2, Send(bob_, 1, alice_, "on its way"));
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  world_.Settle();
  EXPECT_EQ(world_.Bodies(1, alice_), Lines({"on its way"}));
  EXPECT_EQ(world_.Differences(), Lines({}));
}

TEST_F(MovesTest, WhatComesBeforeItsUserIsParkedAndDeliveredInOrder) {
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  ApplyAll(2, Stream(0));  // bob's home knows first
  world_.Run(2, Send(bob_, 1, alice_, "one"));
  world_.Run(2, Send(bob_, 2, alice_, "two"));
  ApplyAll(1, world_.StreamOf(2, ShardOf(bob_, kShards)));
  while (world_.ConsumeNext(1, ShardOfAlice())) {
  }
  Finish(world_, 1, ShardOfAlice());
  EXPECT_EQ(LoadParkedTargets(world_.store(1), ShardOfAlice(), world_.IncarnationOf(1)).size(), 1u);
  EXPECT_TRUE(LoadParkedTargets(world_.store(1), ShardOfAlice(), world_.IncarnationOf(0)).empty());
  world_.Settle();
  EXPECT_EQ(world_.Bodies(1, alice_), Lines({"one", "two"}));
  EXPECT_TRUE(LoadParkedTargets(world_.store(1), ShardOfAlice(), world_.IncarnationOf(1)).empty());
  EXPECT_EQ(world_.Differences(), Lines({}));
}

// What is parked does not fit into the entry of the Adopt, and she moves on.
std::vector<SyncMessage> ParkALotAndMoveOn(PlantedMoveBug bug) {
  MessagingOptions options;
  options.move_bug = bug;
  World world(3, kShards, options);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(2, AccountKind::kUser, "bob");
  world.Settle();
  const ShardId shard = ShardOf(alice, kShards);
  const auto apply_all = [&](int region, StreamId stream) {
    while (world.Apply(region, stream)) {
    }
  };
  world.Run(0, MoveHome{alice, world.IncarnationOf(1)});
  apply_all(2, world.StreamOf(0, shard));
  for (uint64_t n = 1; n <= 20; ++n) world.Run(2, Send(bob, n, alice, std::string(60'000, 'x')));
  apply_all(1, world.StreamOf(2, ShardOf(bob, kShards)));
  while (world.ConsumeNext(1, shard)) {
    Finish(world, 1, shard);
  }
  for (uint16_t s = 0; s < kShards; ++s) {
    apply_all(1, world.StreamOf(0, ShardId(s)));
    apply_all(1, world.StreamOf(2, ShardId(s)));
  }
  world.AdoptArriving(1, shard);
  Finish(world, 1, shard);
  EXPECT_FALSE(LoadParkedTargets(world.store(1), shard, world.IncarnationOf(1)).empty());
  EXPECT_TRUE(world.Run(1, MoveHome{alice, world.IncarnationOf(0)}).changed);
  world.Settle();
  return world.Inbox(0, alice);
}

TEST(MovesParkedTest, WhatIsLeftParkedAtTheTransferIsSentOn) {
  EXPECT_EQ(ParkALotAndMoveOn(PlantedMoveBug::kNone).size(), 20u);
  EXPECT_LT(ParkALotAndMoveOn(PlantedMoveBug::kParkedStay).size(), 20u);
}

TEST_F(MovesTest, AGroupMovesWithItsMembersAndFollowsThem) {
  const Uin group = world_.NewAccount(0, AccountKind::kGroup, "friends");
  world_.Run(0, JoinGroup{group, alice_});
  world_.Run(0, JoinGroup{group, bob_});
  world_.Run(2, Post(bob_, 1, group, "one"));
  world_.Settle();
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  world_.Settle();
  world_.Run(2, Post(bob_, 2, group, "two"));
  world_.Settle();
  const auto fanout =
      LastIntents(world_, world_.StreamOf(0, ShardOf(group, kShards)), world_.IncarnationOf(1));
  EXPECT_EQ(fanout.size(), 1u) << "straight to where she lives now";
  ASSERT_TRUE(Move(0, group, 2).changed);
  world_.Settle();
  world_.Run(1, Post(alice_, 1, group, "three"));
  world_.Run(2, Post(bob_, 3, group, "four"));
  world_.Settle();
  EXPECT_EQ(world_.Bodies(1, alice_), Lines({"one", "two", "four"}));
  EXPECT_EQ(world_.Bodies(2, bob_), Lines({"three"}));
  EXPECT_EQ(world_.Differences(), Lines({}));
}

// A row for each: together far more than an entry holds.
TEST_F(MovesTest, AFanoutToManyWhoAreOnTheirWayIsParkedEntryByEntry) {
  const ShardId shard(0);
  const StreamId source = world_.StreamOf(0, shard);
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  fanout.group = alice_;
  fanout.group_seq = 1;
  std::vector<Uin> users;  // of region 0, as far as region 1 knows, and addressed to region 1
  for (uint64_t counter = 1'000; users.size() < 30'000; ++counter) {
    const Uin user(MakeId(world_.IncarnationOf(0), counter));
    if (ShardOf(user, kShards) == shard) users.push_back(user);
  }
  const Target here{world_.IncarnationOf(1), shard, {0, 1}, users};
  world_.Open(1, shard).Consume(source, Seq(1'000'000), 0, EncodePendingIntent(here, fanout));
  size_t entries = 0;
  do {
    EXPECT_LT(world_.Open(1, shard).draft_bytes(), 2u << 20);
    Finish(world_, 1, shard);
    ++entries;
  } while (world_.ConsumeNext(1, shard));
  EXPECT_GT(entries, 3u);
  EXPECT_EQ(LoadParkedTargets(world_.store(1), shard, world_.IncarnationOf(1)).size(),
            users.size());
}

TEST_F(MovesTest, ThereAndBackAgainManyTimes) {
  int home = 0;
  uint64_t sent = 0;
  for (int n = 0; n < 10; ++n) {
    const int to = (home + 1 + n % 2) % 3;
    ASSERT_TRUE(Move(home, alice_, to).changed) << n;
    ++sent;
    world_.Run(2, Send(bob_, sent, alice_, std::to_string(sent)));
    world_.Settle();
    home = to;
    ASSERT_TRUE(world_.Run(home, Send(alice_, sent, bob_, std::to_string(sent))).status.ok()) << n;
  }
  world_.Settle();
  EXPECT_EQ(Alice(2).epoch, (MastershipEpoch{0, 10}));
  EXPECT_EQ(world_.Inbox(home, alice_).size(), 10u);
  EXPECT_EQ(world_.Inbox(2, bob_).size(), 10u);
  EXPECT_EQ(world_.Differences(), Lines({}));
}

// A third region that hears of the new home first.
TEST_F(MovesTest, WhatTheNewHomeRecalledDoesNotRiseAgain) {
  world_.Run(2, Send(bob_, 1, alice_, "keep"));
  world_.Run(2, Send(bob_, 2, alice_, "take back"));
  ApplyAll(0, world_.StreamOf(2, ShardOf(bob_, kShards)));
  while (world_.ConsumeNext(0, ShardOfAlice())) {
  }
  Finish(world_, 0, ShardOfAlice());
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  ApplyAll(1, Stream(0));
  for (uint16_t shard = 0; shard < kShards; ++shard) {
    ApplyAll(1, world_.StreamOf(2, ShardId(shard)));
  }
  Adopt(1);
  ASSERT_TRUE(world_.Run(2, RecallMessage{bob_, ClientMessageId(2)}).status.ok());
  ApplyAll(1, world_.StreamOf(2, ShardOf(bob_, kShards)));
  ApplyAll(0, world_.StreamOf(2, ShardOf(bob_, kShards)));
  while (world_.ConsumeNext(0, ShardOfAlice())) {  // sent on
  }
  Finish(world_, 0, ShardOfAlice());
  ApplyAll(1, Stream(0));
  while (world_.ConsumeNext(1, ShardOfAlice())) {
  }
  Finish(world_, 1, ShardOfAlice());
  ApplyAll(2, Stream(1));
  EXPECT_FALSE(Alice(2).deps.empty());
  ApplyAll(2, Stream(0));
  world_.Settle();
  EXPECT_EQ(world_.Bodies(2, alice_), Lines({"keep", "", ""}));
  EXPECT_EQ(world_.Differences(), Lines({}));
}

// The recall goes straight to the new home, the message by the old one.
TEST_F(MovesTest, ARecallThatOvertakesItsMessageStillTakesItBack) {
  world_.Run(2, Send(bob_, 1, alice_, "take back"));
  ASSERT_TRUE(Move(0, alice_, 1).changed);
  ApplyAll(1, Stream(0));
  for (uint16_t shard = 0; shard < kShards; ++shard) {
    ApplyAll(2, world_.StreamOf(0, ShardId(shard)));
  }
  Adopt(1);
  ApplyAll(2, Stream(1));
  ASSERT_TRUE(world_.Run(2, RecallMessage{bob_, ClientMessageId(1)}).changed);
  ApplyAll(1, world_.StreamOf(2, ShardOf(bob_, kShards)));
  while (world_.ConsumeNext(1, ShardOfAlice())) {
  }
  Finish(world_, 1, ShardOfAlice());
  world_.Settle();
  EXPECT_EQ(world_.Bodies(1, alice_), Lines({}));
  EXPECT_EQ(world_.Differences(), Lines({}));
}

// The store refused our own writes for a while, and others' streams went on.
TEST_F(MovesTest, WhoComesBackBeforeOurOwnTransferIsAppliedIsAdoptedOnceItIs) {
  Evaluator& evaluator = world_.Open(0, ShardOfAlice());
  ASSERT_TRUE(evaluator.Execute(MoveHome{alice_, world_.IncarnationOf(1)}).changed);
  world_.Finish(0, ShardOfAlice());
  ASSERT_TRUE(world_.Commit(0, ShardOfAlice()));
  ApplyAll(1, Stream(0));
  Adopt(1);
  ASSERT_TRUE(Move(1, alice_, 0).changed);
  ApplyAll(0, Stream(1));
  const auto early = world_.Open(0, ShardOfAlice()).Adopt(alice_);
  EXPECT_FALSE(early.done);
  ASSERT_TRUE(early.missing.has_value()) << "or nobody would ask again";
  EXPECT_EQ(early.missing->stream, Stream(0));
  ApplyAll(0, Stream(0));
  EXPECT_TRUE(world_.Open(0, ShardOfAlice()).Adopt(alice_).done);
  EXPECT_FALSE(world_.Open(0, ShardOfAlice()).Adopt(alice_).done) << "once";
  world_.Settle();
  EXPECT_EQ(Alice(2).home, world_.IncarnationOf(0));
  EXPECT_TRUE(Alice(2).adopted);
  EXPECT_EQ(world_.Differences(), Lines({}));
}

}  // namespace
}  // namespace homeport::core
