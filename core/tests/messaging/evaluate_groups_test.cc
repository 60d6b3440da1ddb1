#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

TEST(GroupsTest, SendsAGroupMessageToEachMemberButTheSender) {
  World world(3, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  std::vector<Uin> users;
  for (int i = 0; i < 12; ++i) {
    users.push_back(world.NewAccount(i % 3, AccountKind::kUser, "u" + std::to_string(i)));
    EXPECT_TRUE(world.Run(0, JoinGroup{group, users.back()}).changed);
  }
  world.Settle();
  world.Run(1, Post(users[1], 1, group, "hello"));
  world.Settle();
  EXPECT_TRUE(world.Run(0, LeaveGroup{group, users[2]}).changed);
  world.Run(2, Post(users[2], 1, group, "I left"));  // not a member: may still post
  world.Settle();
  for (int region = 0; region < 3; ++region) {
    for (size_t i = 0; i < users.size(); ++i) {
      const std::vector<std::string> expected = i == 1   ? Lines({"I left"})
                                                : i == 2 ? Lines({"hello"})
                                                         : Lines({"hello", "I left"});
      EXPECT_EQ(world.Bodies(region, users[i]), expected) << i;
    }
  }
  EXPECT_EQ(world.Differences(), Lines({}));
}

TEST(GroupsTest, AddressesEachRegionAndShardOnce) {
  World world(2, 1);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  for (int i = 0; i < 10; ++i) {
    world.Run(0, JoinGroup{group, world.NewAccount(1, AccountKind::kUser, std::to_string(i))});
  }
  world.Run(0, JoinGroup{group, alice});
  const ShardId shard(0);
  world.Run(0, Post(alice, 1, group, "x"));
  ASSERT_TRUE(world.ConsumeNext(0, shard));
  Finish(world, 0, shard);
  const auto there = LastIntents(world, world.StreamOf(0, shard), world.IncarnationOf(1));
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].target.users.size(), 10u);
  // The only member here is the sender: no address at all.
  EXPECT_TRUE(LastIntents(world, world.StreamOf(0, shard), world.IncarnationOf(0)).empty());
}

TEST(GroupsTest, JoinsAndLeavesOnce) {
  World world(1, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin stranger(MakeId(Incarnation(5), 99));  // not known here yet
  EXPECT_FALSE(world.Run(0, LeaveGroup{group, stranger}).changed);
  EXPECT_TRUE(world.Run(0, JoinGroup{group, stranger}).changed);
  EXPECT_FALSE(world.Run(0, JoinGroup{group, stranger}).changed);
  EXPECT_EQ(ListMembers(world.store(0), kShards, group, Uin(0), 10), std::vector<Uin>{stranger});
  EXPECT_TRUE(world.Run(0, LeaveGroup{group, stranger}).changed);
  EXPECT_FALSE(world.Run(0, LeaveGroup{group, stranger}).changed);
  EXPECT_TRUE(ListMembers(world.store(0), kShards, group, Uin(0), 10).empty());
  EXPECT_TRUE(world.Run(0, JoinGroup{group, stranger}).changed);
  EXPECT_EQ(ListMembers(world.store(0), kShards, group, Uin(0), 10), std::vector<Uin>{stranger});
}

TEST(GroupsTest, RefusesToJoinWhatIsNoGroupOrHomedElsewhere) {
  World world(2, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  EXPECT_EQ(world.Run(0, JoinGroup{alice, alice}).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, JoinGroup{world.NewUinAt(0), alice}).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, JoinGroup{group, group}).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, JoinGroup{group, Uin(0)}).status.code(), Code::kBadRequest);
  world.Settle();
  const CommandResult moved = world.Run(1, JoinGroup{group, alice});
  EXPECT_EQ(moved.status.code(), Code::kMoved);
  EXPECT_EQ(moved.status.home(), world.IncarnationOf(0));
}

TEST(GroupsTest, FansOutToAMemberWhoseAccountIsNotCreatedYet) {
  World world(2, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin late = world.NewUinAt(1);
  world.Run(0, JoinGroup{group, late});
  world.Run(0, Post(alice, 1, group, "early"));
  world.Settle();
  world.Run(1, CreateAccount{late, AccountKind::kUser, "late"});
  world.Run(0, Post(alice, 2, group, "later"));
  world.Settle();
  EXPECT_EQ(world.Bodies(1, late), Lines({"early", "later"}));
}

TEST(GroupsTest, FansOutNothingToAMemberThatBecameAGroup) {
  World world(1, 1);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin other = world.NewUinAt(0);
  EXPECT_TRUE(world.Run(0, JoinGroup{group, other}).changed);
  world.Run(0, CreateAccount{other, AccountKind::kGroup, "other"});
  world.Run(0, Post(alice, 1, group, "x"));
  world.Run(0, Post(alice, 2, other, "y"));
  world.Settle();
  EXPECT_TRUE(world.Inbox(0, other).empty());
  EXPECT_EQ(FindGroupSeq(world.store(0), 1, other, alice, ClientMessageId(2)), 1u);
}

}  // namespace
}  // namespace homeport::core
