#include "core/messaging/queries.h"

#include <gtest/gtest.h>

#include <random>

#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

constexpr uint16_t kShards = 4;

SyncContext Context(uint16_t shards = kShards) {
  return {shards, SnapshotKey::FromSecret("a cluster's secret")};
}

SyncPage Read(World& world, Uin user, const std::string& token, SyncLimits limits = {}) {
  Result<SyncPage> page = ReadSync(world.store(0), Context(), user, {}, token, limits);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? std::move(page).value() : SyncPage{};
}

// One region; bob has `count` messages from alice: "1", "2", ...
struct Talk {
  explicit Talk(uint64_t count) : world(1, kShards) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(0, AccountKind::kUser, "bob");
    for (uint64_t i = 1; i <= count; ++i) Say(i, std::to_string(i));
  }
  void Say(uint64_t id, const std::string& body) {
    EXPECT_TRUE(world.Run(0, Send(alice, id, bob, body)).status.ok());
    world.Settle();
  }
  World world;
  Uin alice;
  Uin bob;
};

TEST(QueriesTest, FindAccountsNamesAndHomes) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  world.Run(0, ClaimName{AccountKind::kUser, "alice", alice});
  EXPECT_EQ(FindAccount(world.store(0), kShards, alice)->name, "alice");
  EXPECT_EQ(FindName(world.store(0), kShards, AccountKind::kUser, "alice"), alice);
  EXPECT_FALSE(FindName(world.store(0), kShards, AccountKind::kUser, "Alice").has_value());
  const HomeOf home = FindHome(world.store(0), kShards, alice);
  EXPECT_TRUE(home.known);
  EXPECT_EQ(home.home, world.IncarnationOf(0));
  const Uin stranger(MakeId(Incarnation(42), 1));
  const HomeOf birth = FindHome(world.store(0), kShards, stranger);
  EXPECT_FALSE(birth.known);
  EXPECT_EQ(birth.home, Incarnation(42));
  EXPECT_FALSE(FindAccount(world.store(0), kShards, stranger).has_value());
}

TEST(QueriesTest, ListAccountsOfAKindPageByPage) {
  World world(1, 1);
  std::vector<Uin> users;
  for (int i = 0; i < 7; ++i) {
    users.push_back(world.NewAccount(0, AccountKind::kUser, "u" + std::to_string(i)));
    world.NewAccount(0, AccountKind::kGroup, "g" + std::to_string(i));
  }
  std::vector<Uin> listed;
  Uin after(0);
  for (;;) {
    const auto page = ListAccounts(world.store(0), ShardId(0), AccountKind::kUser, after, 3);
    if (page.empty()) break;
    EXPECT_LE(page.size(), 3u);
    for (const AccountInfo& account : page) listed.push_back(account.uin);
    after = listed.back();
  }
  EXPECT_EQ(listed, users);
  EXPECT_TRUE(ListAccounts(world.store(0), ShardId(0), AccountKind::kUser, Uin(0), 0).empty());
  EXPECT_TRUE(
      ListAccounts(world.store(0), ShardId(0), AccountKind::kUser, Uin(UINT64_MAX), 9).empty());
}

TEST(QueriesTest, ListMembersPageByPage) {
  World world(1, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin other = world.NewAccount(0, AccountKind::kGroup, "other");
  for (uint64_t i = 1; i <= 5; ++i) {
    world.Run(0, JoinGroup{group, Uin(MakeId(Incarnation(1), 100 + i))});
    world.Run(0, JoinGroup{other, Uin(MakeId(Incarnation(1), 200 + i))});
  }
  world.Run(0, LeaveGroup{group, Uin(MakeId(Incarnation(1), 103))});
  const auto first = ListMembers(world.store(0), kShards, group, Uin(0), 3);
  const auto rest = ListMembers(world.store(0), kShards, group, first.back(), 3);
  std::vector<uint64_t> counters;
  for (const auto& page : {first, rest}) {
    for (const Uin uin : page) counters.push_back(IdCounter(uin.value()));
  }
  EXPECT_EQ(counters, (std::vector<uint64_t>{101, 102, 104, 105}));
}

TEST(QueriesTest, FindTheSeqOfAGroupMessageOnly) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  world.Run(0, Post(alice, 1, group, "x"));
  EXPECT_FALSE(FindGroupSeq(world.store(0), kShards, group, alice, ClientMessageId(1)).has_value());
  world.Settle();
  EXPECT_EQ(FindGroupSeq(world.store(0), kShards, group, alice, ClientMessageId(1)), 1u);
  world.Run(0, Send(alice, 2, alice, "x"));
  world.Settle();
  EXPECT_FALSE(FindGroupSeq(world.store(0), kShards, alice, alice, ClientMessageId(2)).has_value());
}

TEST(ReadSyncTest, GivesWhatIsNewSinceTheToken) {
  Talk talk(3);
  SyncPage page = Read(talk.world, talk.bob, "");
  ASSERT_EQ(page.messages.size(), 3u);
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.messages[0].sender, talk.alice);
  EXPECT_EQ(page.messages[0].body, "1");
  EXPECT_EQ(page.messages[2].version, 3u);
  const SyncPage none = Read(talk.world, talk.bob, page.snapshot);
  EXPECT_TRUE(none.messages.empty());
  EXPECT_EQ(none.snapshot, page.snapshot);
  talk.Say(4, "4");
  for (int i = 0; i < 2; ++i) {  // a lost answer: the same again
    const SyncPage again = Read(talk.world, talk.bob, page.snapshot);
    ASSERT_EQ(again.messages.size(), 1u);
    EXPECT_EQ(again.messages[0].body, "4");
  }
}

TEST(ReadSyncTest, EndsPagesByItemsAndBytes) {
  Talk talk(5);
  SyncLimits limits;
  limits.items_max = 2;
  SyncPage page = Read(talk.world, talk.bob, "", limits);
  EXPECT_EQ(page.messages.size(), 2u);
  EXPECT_TRUE(page.more);
  limits = {};
  limits.bytes_max = 3;
  page = Read(talk.world, talk.bob, page.snapshot, limits);
  EXPECT_EQ(page.messages.size(), 3u);
  EXPECT_FALSE(page.more);
  limits.bytes_max = 0;  // one message is always allowed
  page = Read(talk.world, talk.bob, "", limits);
  EXPECT_EQ(page.messages.size(), 1u);
  EXPECT_TRUE(page.more);
  for (const size_t items : {1u, 2u, 3u, 5u, 6u}) {
    limits = {};
    limits.items_max = items;
    EXPECT_EQ(talk.world.Inbox(0, talk.bob, limits).size(), 5u) << items;
  }
}

TEST(ReadSyncTest, RefusesATokenOfAnotherUserOrNone) {
  Talk talk(1);
  const std::string token = Read(talk.world, talk.bob, "").snapshot;
  const auto code = [&](std::string_view text, Uin user) {
    return ReadSync(talk.world.store(0), Context(), user, {}, text, {}).status().code();
  };
  EXPECT_EQ(code(token, talk.alice), Code::kBadRequest);
  EXPECT_EQ(ReadSync(talk.world.store(0), Context(), talk.bob, DeviceNumber(1), token, {})
                .status()
                .code(),
            Code::kBadRequest);
  EXPECT_EQ(code("rubbish", talk.bob), Code::kBadRequest);
  EXPECT_EQ(code(token, talk.bob), Code::kOk);
}

TEST(ReadSyncTest, AnswersATokenAheadOfTheDataWithTheLowerOne) {
  Talk talk(2);
  const std::string here = Read(talk.world, talk.bob, "").snapshot;
  Snapshot ahead = ParseSnapshot(Context().key, here).value();
  for (const Stamp& stamp : {Stamp{{0, 0}, Version(9)}, Stamp{{1, 0}, Version(1)}}) {
    ahead.messages = stamp;
    const SyncPage page = Read(talk.world, talk.bob, FormatSnapshot(Context().key, ahead).value());
    EXPECT_TRUE(page.messages.empty());
    EXPECT_FALSE(page.more);
    EXPECT_EQ(page.snapshot, here);
  }
}

TEST(ReadSyncTest, GivesAnUnknownUserAnEmptyPage) {
  World world(1, kShards);
  const Uin nobody(MakeId(Incarnation(1), 77));
  const SyncPage page = Read(world, nobody, "");
  EXPECT_TRUE(page.messages.empty());
  EXPECT_TRUE(Read(world, nobody, page.snapshot).messages.empty());
}

TEST(ReadSyncTest, TellsTheAccountTablesStamp) {
  Talk talk(1);
  const Snapshot snapshot =
      ParseSnapshot(Context().key, Read(talk.world, talk.bob, "").snapshot).value();
  EXPECT_EQ(snapshot.user, talk.bob);
  EXPECT_EQ(snapshot.account, (Stamp{{0, 0}, Version(1)}));
  EXPECT_EQ(snapshot.messages, (Stamp{{0, 0}, Version(1)}));
}

TEST(ReadSyncTest, WaitsForAGroupMessageThatHasNotArrivedHere) {
  // Region 1 replays bob's inbox from region 0 before the group's own stream from region 2.
  World world(3, 1);
  const ShardId shard(0);
  const Uin bob = world.NewAccount(0, AccountKind::kUser, "bob");
  const Uin group = world.NewAccount(2, AccountKind::kGroup, "g");
  world.Settle();
  world.Run(2, JoinGroup{group, bob});
  world.Run(0, Send(bob, 1, bob, "before"));
  world.Run(0, Post(bob, 2, group, "mine"));
  const Uin carol = world.NewAccount(2, AccountKind::kUser, "carol");
  world.Run(2, Post(carol, 1, group, "late"));
  const auto step = [&](int region) {
    while (world.ConsumeNext(region, shard)) {
    }
    world.Finish(region, shard);
    while (world.Commit(region, shard)) {
    }
    for (const int from : {0, 2}) {
      while (world.Apply(region, world.StreamOf(from, shard))) {
      }
    }
  };
  for (int i = 0; i < 4; ++i) {
    step(2);
    step(0);
  }
  world.Run(0, Send(bob, 3, bob, "after"));
  step(0);
  step(0);
  EXPECT_EQ(world.Bodies(0, bob), (std::vector<std::string>{"before", "late", "after"}));
  while (world.Apply(1, world.StreamOf(0, shard))) {
  }
  Result<SyncPage> page = ReadSync(world.store(1), Context(1), bob, {}, "", {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->messages.size(), 1u);
  EXPECT_EQ(page->messages[0].body, "before");
  EXPECT_FALSE(page->more);
  while (world.Apply(1, world.StreamOf(2, shard))) {
  }
  page = ReadSync(world.store(1), Context(1), bob, {}, page->snapshot, {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->messages.size(), 2u);
  EXPECT_EQ(page->messages[0].body, "late");
  EXPECT_EQ(page->messages[0].group, group);
  EXPECT_EQ(page->messages[1].body, "after");
}

TEST(ReadSyncTest, SaysCorruptForAnItemOfUnknownForm) {
  Talk talk(1);
  WriteBatch batch;
  batch.Put(InboxKey(ShardOf(talk.bob, kShards), talk.bob, {{}, Version(2)}), "rubbish");
  ASSERT_TRUE(talk.world.store(0).Write(batch).ok());
  EXPECT_EQ(ReadSync(talk.world.store(0), Context(), talk.bob, {}, "", {}).status().code(),
            Code::kCorrupt);
}

TEST(ReadSyncTest, SurvivesMutatedTokens) {
  Talk talk(2);
  const std::string token = Read(talk.world, talk.bob, "").snapshot;
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string text = token;
    for (uint64_t n = random() % 3 + 1; n > 0; --n) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) text.resize(random() % 120, 'A');
    if (text.empty() || text == token) continue;
    EXPECT_FALSE(ReadSync(talk.world.store(0), Context(), talk.bob, {}, text, {}).ok());
  }
}

}  // namespace
}  // namespace homeport::core
