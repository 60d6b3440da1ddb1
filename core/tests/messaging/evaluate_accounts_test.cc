#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

TEST(AccountsTest, GivesOutEachIdOnce) {
  World world(1, kShards);
  std::set<uint64_t> ids;
  for (uint16_t s = 0; s < kShards; ++s) {
    for (int i = 0; i < 20; ++i) {
      Evaluator& evaluator = world.Open(0, ShardId(s));
      const CommandResult result = evaluator.Execute(NewUin{});
      ASSERT_TRUE(result.status.ok());
      EXPECT_EQ(BirthIncarnation(result.uin), world.IncarnationOf(0));
      EXPECT_NE(IdCounter(result.uin.value()), 0u);
      EXPECT_TRUE(ids.insert(result.uin.value()).second) << result.uin;
      if (i % 3 == 0) world.Finish(0, ShardId(s));
    }
  }
}

TEST(AccountsTest, GivesNoIdAgainAfterACrash) {
  World world(1, 1);
  std::set<uint64_t> told;
  for (int life = 0; life < 5; ++life) {
    for (int i = 0; i < 4; ++i) told.insert(world.NewUinAt(0).value());
    world.Crash(0, [](size_t) { return size_t{0}; });  // nothing was flushed: all is applied again
  }
  EXPECT_EQ(told.size(), 20u);
}

TEST(AccountsTest, AnswersTheFirstClaimOfAName) {
  World world(1, kShards);
  const Uin first = world.NewUinAt(0);
  const Uin second = world.NewUinAt(0);
  const ClaimName claim{AccountKind::kUser, "alice", first};
  const CommandResult won = world.Run(0, claim);
  EXPECT_TRUE(won.status.ok());
  EXPECT_TRUE(won.changed);
  EXPECT_EQ(won.uin, first);
  const CommandResult again = world.Run(0, claim);
  EXPECT_EQ(again.uin, first);
  EXPECT_FALSE(again.changed);
  const CommandResult lost = world.Run(0, ClaimName{AccountKind::kUser, "alice", second});
  EXPECT_TRUE(lost.status.ok());
  EXPECT_EQ(lost.uin, first);
  EXPECT_FALSE(lost.changed);
  // Users and groups have name spaces of their own.
  EXPECT_EQ(world.Run(0, ClaimName{AccountKind::kGroup, "alice", second}).uin, second);
  EXPECT_EQ(FindName(world.store(0), kShards, AccountKind::kUser, "alice"), first);
  EXPECT_EQ(FindName(world.store(0), kShards, AccountKind::kGroup, "alice"), second);
}

TEST(AccountsTest, SeesAClaimThatIsNotCommittedYet) {
  World world(1, 1);
  const Uin first = world.NewUinAt(0);
  const Uin second = world.NewUinAt(0);
  const ShardId shard(0);
  world.Open(0, shard).Execute(ClaimName{AccountKind::kUser, "bob", first});
  world.Finish(0, shard);
  const CommandResult lost =
      world.Open(0, shard).Execute(ClaimName{AccountKind::kUser, "bob", second});
  EXPECT_EQ(lost.uin, first);
  EXPECT_TRUE(world.Open(0, shard).draft_empty());
  EXPECT_FALSE(FindName(world.store(0), 1, AccountKind::kUser, "bob").has_value());
}

TEST(AccountsTest, TakesOddNamesAndRefusesEmptyAndLongOnesAndControlCharacters) {
  World world(1, kShards);
  const Uin uin = world.NewUinAt(0);
  for (const std::string& name :
       {std::string("[]\\`^{}|-_"), std::string("[cro] smiley"), std::string("[set] "),
        std::string("bur[n] er"), std::string("\xff\xfe\x80"), std::string(kNameBytesMax, 'x')}) {
    EXPECT_TRUE(world.Run(0, ClaimName{AccountKind::kUser, name, uin}).changed) << name;
  }
  for (const std::string& name : {std::string(), std::string("a\n"), std::string("a\0b", 3),
                                  std::string("\x7f"), std::string("\x1f")}) {
    EXPECT_EQ(world.Run(0, ClaimName{AccountKind::kUser, name, uin}).status.code(),
              Code::kBadRequest);
    EXPECT_EQ(CheckName(name).code(), Code::kBadRequest);
  }
  const CommandResult result =
      world.Run(0, ClaimName{AccountKind::kUser, std::string(kNameBytesMax + 1, 'x'), uin});
  EXPECT_EQ(result.status.code(), Code::kTooLarge);
  EXPECT_EQ(result.status.detail(), kNameBytesMax);
}

TEST(AccountsTest, CreatesAnAccountOnceAndOnlyAtItsBirth) {
  World world(2, kShards);
  const Uin uin = world.NewUinAt(0);
  const CreateAccount create{uin, AccountKind::kUser, "alice"};
  EXPECT_EQ(world.Run(1, create).status.code(), Code::kBadRequest);
  EXPECT_TRUE(world.Run(0, create).changed);
  const CommandResult again = world.Run(0, create);
  EXPECT_TRUE(again.status.ok());
  EXPECT_FALSE(again.changed);
  const CommandResult other = world.Run(0, CreateAccount{uin, AccountKind::kUser, "eve"});
  EXPECT_EQ(other.status.code(), Code::kTaken);
  EXPECT_EQ(other.status.detail(), uin.value());
  EXPECT_EQ(world.Run(0, CreateAccount{uin, AccountKind::kGroup, "alice"}).status.code(),
            Code::kTaken);
  const auto account = FindAccount(world.store(0), kShards, uin);
  ASSERT_TRUE(account.has_value());
  EXPECT_EQ(account->name, "alice");
  EXPECT_EQ(account->home, world.IncarnationOf(0));
}

TEST(AccountsTest, RefusesWhatBelongsToAnotherShard) {
  World world(1, kShards);
  const Uin user = world.NewAccount(0, AccountKind::kUser, "u");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  for (const Command& command :
       {Command(CreateAccount{world.NewUinAt(0), AccountKind::kUser, "v"}),
        Command(ClaimName{AccountKind::kUser, "w", user}), Command(Send(user, 1, user, "x")),
        Command(JoinGroup{group, user}), Command(LeaveGroup{group, user})}) {
    const ShardId wrong(
        static_cast<uint16_t>((ShardOfCommand(command, kShards).value() + 1) % kShards));
    EXPECT_EQ(world.Open(0, wrong).Execute(command).status.code(), Code::kBadRequest);
    EXPECT_TRUE(world.Open(0, wrong).draft_empty());
  }
}

}  // namespace
}  // namespace homeport::core
