#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

TEST(MessagesTest, DeliversBodiesOfAnyBytes) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  world.Settle();
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  const std::vector<std::string> bodies = {"", std::string(1, '\0'), all_bytes,
                                           std::string(kBodyBytesMax, 'z')};
  uint64_t id = 0;
  for (const std::string& body : bodies) {
    EXPECT_TRUE(world.Run(0, Send(alice, ++id, bob, body)).changed);
  }
  world.Settle();
  EXPECT_EQ(world.Bodies(0, bob), bodies);
  EXPECT_EQ(world.Bodies(1, bob), bodies);
  EXPECT_EQ(world.Differences(), Lines({}));
}

TEST(MessagesTest, RefusesABodyOverTheLimit) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const CommandResult result =
      world.Run(0, Send(alice, 1, alice, std::string(kBodyBytesMax + 1, 'x')));
  EXPECT_EQ(result.status.code(), Code::kTooLarge);
  EXPECT_EQ(result.status.detail(), kBodyBytesMax);
  // Nothing is remembered of it.
  EXPECT_TRUE(world.Run(0, Send(alice, 1, alice, "x")).changed);
}

TEST(MessagesTest, AnswersARetryWithTheFirstMessage) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const ShardId shard(0);
  // In the same entry, in an entry in flight, and when applied.
  const CommandResult first = world.Open(0, shard).Execute(Send(alice, 7, alice, "one"));
  EXPECT_TRUE(first.changed);
  const CommandResult same_entry = world.Open(0, shard).Execute(Send(alice, 7, alice, "two"));
  world.Finish(0, shard);
  const CommandResult in_flight = world.Open(0, shard).Execute(Send(alice, 7, alice, "three"));
  EXPECT_TRUE(world.Open(0, shard).draft_empty());
  world.Settle();
  const CommandResult applied = world.Run(0, Send(alice, 7, alice, "four"));
  for (const CommandResult& retry : {same_entry, in_flight, applied}) {
    EXPECT_TRUE(retry.status.ok());
    EXPECT_FALSE(retry.changed);
    EXPECT_EQ(retry.message, first.message);
  }
  world.Settle();
  EXPECT_EQ(world.Bodies(0, alice), Lines({"one"}));
}

TEST(MessagesTest, DeliversAMessageToOneself) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  EXPECT_TRUE(world.Run(0, Send(alice, 1, alice, "note")).changed);
  world.Settle();
  EXPECT_EQ(world.Bodies(0, alice), Lines({"note"}));
}

TEST(MessagesTest, RefusesAnUnknownSenderAndTellsWhereAnotherIsHomed) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin nobody = world.NewUinAt(0);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  EXPECT_EQ(world.Run(0, Send(nobody, 1, alice, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Send(group, 1, alice, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Send(Uin(0), 1, alice, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Send(alice, 1, Uin(0), "x")).status.code(), Code::kBadRequest);
  // Before and after region 1 has replayed the account.
  for (int i = 0; i < 2; ++i) {
    const CommandResult moved = world.Run(1, Send(alice, 1, alice, "x"));
    EXPECT_EQ(moved.status.code(), Code::kMoved);
    EXPECT_EQ(moved.status.home(), world.IncarnationOf(0));
    world.Settle();
  }
}

TEST(MessagesTest, TellsTheEpochOfAMovedSender) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  world.Crash(0, [](size_t n) { return n - 1; });  // forgets what the evaluator cached
  PutAccount(world, 0, {alice, AccountKind::kUser, "alice", Incarnation(9), {2, 5}, 1},
             {{2, 5}, Version(9)});
  const CommandResult moved = world.Run(0, Send(alice, 1, alice, "x"));
  EXPECT_EQ(moved.status.code(), Code::kMoved);
  EXPECT_EQ(moved.status.home(), Incarnation(9));
  EXPECT_EQ(moved.status.epoch(), (MastershipEpoch{2, 5}));
}

TEST(MessagesTest, RefusesTheWrongKindOfReceiverWhenItIsKnown) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  EXPECT_EQ(world.Run(0, Send(alice, 1, group, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Post(alice, 1, alice, "x")).status.code(), Code::kBadRequest);
}

TEST(MessagesTest, LetsTheReceiverDecideWhatItIsWhenTheSenderCannotKnow) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  const Uin group = world.NewAccount(1, AccountKind::kGroup, "g");
  world.Run(1, JoinGroup{group, bob});
  EXPECT_TRUE(world.Run(0, Post(alice, 1, bob, "to bob")).changed);
  EXPECT_TRUE(world.Run(0, Send(alice, 2, group, "to the group")).changed);
  world.Settle();
  const std::vector<SyncMessage> inbox = world.Inbox(1, bob);
  ASSERT_EQ(inbox.size(), 2u);
  for (const SyncMessage& message : inbox) {
    EXPECT_EQ(message.group, message.body == "to bob" ? Uin(0) : group);
  }
}

}  // namespace
}  // namespace homeport::core
