#include "core/messaging/drafted_view.h"

#include <gtest/gtest.h>

#include "core/memory_store.h"
#include "core/messaging/keys.h"

namespace homeport::core {
namespace {

const EvaluatorOptions kOptions{Incarnation(1), ShardId(0), 1, {}};

struct Fixture {
  MemoryStore store;
  DraftedView view{kOptions, &store};

  void Store(const std::string& key, uint64_t version, const std::string& value) {
    WriteBatch batch;
    batch.Put(key, EncodeRow({{}, Version(version)}, false, value));
    ASSERT_TRUE(store.Write(batch).ok());
  }
  void Draft(const std::string& key, uint64_t version, const std::string& value) {
    view.OpenEntry();
    view.Drafted(key, {{{}, Version(version)}, false, value});
    view.CloseEntry();
  }
};

TEST(DraftedViewTest, ShowsADraftedRowOverTheStoresUntilItIsApplied) {
  Fixture f;
  const std::string key = AccountKey(ShardId(0), Uin(1));
  f.Store(key, 1, "stored");
  EXPECT_EQ(f.view.FindLive(key), "stored");
  f.Draft(key, 2, "first");
  f.Draft(key, 3, "second");
  EXPECT_EQ(f.view.FindLive(key), "second");
  f.Store(key, 2, "first");
  f.view.Applied();
  EXPECT_EQ(f.view.FindLive(key), "second");  // the later entry still holds it
  f.Store(key, 3, "second, from the store");
  f.view.Applied();
  EXPECT_EQ(f.view.FindLive(key), "second, from the store");
}

TEST(DraftedViewTest, HidesAStoredRowBehindADraftedTombstone) {
  Fixture f;
  const std::string key = AccountKey(ShardId(0), Uin(1));
  f.Store(key, 1, "stored");
  f.view.Drafted(key, {{{}, Version(2)}, true, {}});
  EXPECT_FALSE(f.view.FindLive(key).has_value());
  EXPECT_TRUE(f.view.Find(key)->deleted);
}

TEST(DraftedViewTest, ListsParkedRowsOfTheStoreAndDraftedOnesInOrderAndOnlyLive) {
  Fixture f;
  const auto key = [](uint64_t target, uint64_t seq) {
    return ParkedKey(ShardId(0), Uin(target), StreamId(Incarnation(2), ShardId(0)), Seq(seq), 0);
  };
  f.Store(key(5, 1), 1, "a");
  f.Store(key(5, 4), 1, "a");
  f.Store(key(6, 1), 1, "another target");
  f.Draft(key(5, 2), 1, "b");
  f.Draft(key(5, 9), 1, "b");
  f.Draft(key(4, 1), 1, "another target");
  f.view.Drafted(key(5, 4), {{{}, Version(2)}, true, {}});
  using Keys = std::vector<std::string>;
  EXPECT_EQ(f.view.ParkedKeys(Uin(5), 100), (Keys{key(5, 1), key(5, 2), key(5, 9)}));
  EXPECT_EQ(f.view.ParkedKeys(Uin(5), 2), (Keys{key(5, 1), key(5, 2)})) << "two bytes are enough";
  EXPECT_EQ(f.view.ParkedKeys(Uin(5), 1), (Keys{key(5, 1)}));
  f.view.UnparkedBefore(Uin(5), key(5, 2));
  EXPECT_EQ(f.view.ParkedKeys(Uin(5), 100), (Keys{key(5, 2), key(5, 9)}));
  f.Draft(key(5, 1), 3, "again");  // before what was looked at
  EXPECT_EQ(f.view.ParkedKeys(Uin(5), 100), (Keys{key(5, 1), key(5, 2), key(5, 9)}));
}

// Touches owners `first` to `last`, each in an entry of its own.
void TouchOwners(DraftedView* view, uint64_t first, uint64_t last, bool apply) {
  for (uint64_t owner = first; owner <= last; ++owner) {
    view->OpenEntry();
    (void)view->InboxVersionOf(Uin(owner));
    view->CloseEntry();
    if (apply) view->Applied();
  }
}

TEST(DraftedViewTest, ItsCachesStayBoundedWhileEntriesAreAlwaysInFlight) {
  Fixture f;
  TouchOwners(&f.view, 1, 10, false);  // the last ten are never applied
  TouchOwners(&f.view, 11, 400'000, true);
  EXPECT_LT(f.view.cached(), 150'000u);
  for (uint64_t group = 1; group <= 40; ++group) {
    f.view.OpenEntry();
    GroupMembers& members = f.view.MembersOf(Uin(group));
    for (uint64_t user = 1; user <= 100'000; ++user) members.Add(Uin(user), {});
    f.view.CloseEntry();
    f.view.Applied();
  }
  EXPECT_LT(f.view.cached(), 2'500'000u);
}

TEST(DraftedViewTest, KeepsWhatAnEntryInFlightHasChanged) {
  Fixture f;
  f.view.OpenEntry();
  f.view.InboxVersionOf(Uin(1)) = 7;
  f.view.CloseEntry();
  TouchOwners(&f.view, 2, 300'000, false);
  EXPECT_EQ(f.view.InboxVersionOf(Uin(1)), 7u);
  for (uint64_t entry = 1; entry <= 300'000; ++entry) f.view.Applied();
  TouchOwners(&f.view, 300'001, 500'000, true);
  EXPECT_EQ(f.view.InboxVersionOf(Uin(1)), 0u) << "read anew: the store has none";
}

TEST(GroupMembersTest, AddressesAllButTheSender) {
  GroupMembers members;
  const GroupMembers::Address one{Incarnation(1), ShardId(0), {}};
  const GroupMembers::Address two{Incarnation(2), ShardId(0), {0, 1}};
  for (const uint64_t user : {9u, 3u, 5u}) members.Add(Uin(user), one);
  members.Add(Uin(4), two);
  EXPECT_EQ(members.size(), 4u);
  auto targets = members.TargetsWithout(Uin(5));
  ASSERT_EQ(targets.size(), 2u);
  EXPECT_EQ(targets[0].users, (std::vector<Uin>{Uin(3), Uin(9)}));
  EXPECT_EQ(targets[1].incarnation, Incarnation(2));
  EXPECT_EQ(targets[1].epoch, (MastershipEpoch{0, 1}));
  targets = members.TargetsWithout(Uin(4));
  ASSERT_EQ(targets.size(), 1u);
  EXPECT_EQ(targets[0].users.size(), 3u);
  members.Remove(Uin(3));
  members.Remove(Uin(77));
  EXPECT_EQ(members.size(), 3u);
  EXPECT_FALSE(members.Contains(Uin(3)));
  EXPECT_TRUE(members.Contains(Uin(4)));
}

}  // namespace
}  // namespace homeport::core
