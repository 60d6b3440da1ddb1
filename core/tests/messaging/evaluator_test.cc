#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

TEST(EvaluatorTest, DraftsNothingForRefusedCommands) {
  World world(1, 1);
  const ShardId shard(0);
  Evaluator& evaluator = world.Open(0, shard);
  EXPECT_TRUE(evaluator.draft_empty());
  EXPECT_FALSE(evaluator.Execute(Send(Uin(1), 1, Uin(1), "x")).status.ok());
  EXPECT_FALSE(evaluator.Execute(CreateAccount{Uin(1), AccountKind::kUser, "x"}).status.ok());
  EXPECT_TRUE(evaluator.draft_empty());
  EXPECT_EQ(evaluator.draft_bytes(), 0u);
  EXPECT_EQ(evaluator.Finish(), "");
  evaluator.Begin(WallMs(1));
  evaluator.Begin(WallMs(2));  // an empty draft may begin again
  evaluator.Execute(NewUin{});
  EXPECT_FALSE(evaluator.draft_empty());
  EXPECT_FALSE(evaluator.Finish().empty());
}

TEST(EvaluatorTest, NeedsAnEntryForACursorAlone) {
  World world(1, 1);
  const Uin late = world.NewUinAt(0);
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  const StreamId source(Incarnation(9), ShardId(0));
  world.Open(0, ShardId(0))
      .Consume(source, Seq(3), 0,
               EncodePendingIntent({world.IncarnationOf(0), ShardId(0), {}, {}}, fanout));
  EXPECT_FALSE(world.Open(0, ShardId(0)).draft_empty());
  Finish(world, 0, ShardId(0));
  EXPECT_EQ(ConsumedSeq(world.store(0), world.IncarnationOf(0), source, ShardId(0)), Seq(3));
  EXPECT_NE(late, Uin(0));
}

TEST(EvaluatorTest, CarriesOnFromTheStoreWhereAnotherEvaluatorStopped) {
  World world(1, 1);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(0, AccountKind::kUser, "bob");
  world.Run(0, JoinGroup{group, bob});
  for (uint64_t i = 1; i <= 6; ++i) {
    if (i == 4) world.Run(0, LeaveGroup{group, bob});
    world.Run(0, Post(alice, i, group, std::to_string(i)));
    world.Run(0, Send(alice, 100 + i, bob, "d" + std::to_string(i)));
    world.Settle();
    world.Crash(0, [](size_t) { return size_t{0}; });
  }
  EXPECT_EQ(FindGroupSeq(world.store(0), 1, group, alice, ClientMessageId(6)), 6u);
  std::vector<uint64_t> versions;
  for (const SyncMessage& message : world.Inbox(0, bob)) versions.push_back(message.version);
  EXPECT_EQ(versions, (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

}  // namespace
}  // namespace homeport::core
