#include "core/messaging/queries.h"

#include <gtest/gtest.h>

#include "core/memory_store.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

constexpr uint16_t kShards = 4;

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

// A list of few among many must not look at all of them in one call.
TEST(QueriesTest, AListSaysWhereToGoOnWhenItHasLookedAtEnough) {
  MemoryStore store;
  const ShardId shard(0);
  const uint64_t rows = 2 * kListVisitsMax + 5;
  const auto uin = [](uint64_t n) { return Uin(MakeId(Incarnation(1), n)); };
  for (uint64_t n = 1; n <= rows; ++n) {
    AccountInfo account;
    account.uin = uin(n);
    account.kind = n == rows ? AccountKind::kGroup : AccountKind::kUser;
    account.name = "n" + std::to_string(n);
    account.home = Incarnation(1);
    WriteBatch batch;
    batch.Put(AccountKey(shard, account.uin),
              EncodeRow({{}, Version(1)}, false, EncodeAccount(account)));
    ASSERT_TRUE(store.Write(batch).ok());
  }
  Uin after;
  std::vector<uint64_t> stops;
  size_t found = 0;
  do {
    Uin next;
    found += ListAccounts(store, shard, AccountKind::kGroup, after, 9, &next).size();
    stops.push_back(IdCounter(next.value()));
    after = next;
  } while (after != Uin());
  EXPECT_EQ(found, 1u);
  EXPECT_EQ(stops, (std::vector<uint64_t>{kListVisitsMax, 2 * kListVisitsMax, 0}));
  Uin next(7);
  EXPECT_EQ(ListAccounts(store, shard, AccountKind::kUser, uin(rows - 3), 2, &next).size(), 2u);
  EXPECT_EQ(IdCounter(next.value()), rows - 1);
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

}  // namespace
}  // namespace homeport::core
