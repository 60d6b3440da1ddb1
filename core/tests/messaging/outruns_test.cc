#include "core/messaging/outruns.h"

#include <gtest/gtest.h>

#include <set>

#include "core/memory_store.h"

namespace homeport::core {
namespace {

const ShardId kShard(3);

// What `change` does in one entry.
void InEntry(MemoryStore* store, const std::function<void(Outruns*)>& change) {
  WriteBatch batch;
  Outruns outruns(*store, kShard, &batch);
  change(&outruns);
  ASSERT_TRUE(store->Write(std::move(batch)).ok());
}

TEST(OutrunsTest, KnowsWhoWasNotedUntilItIsForgotten) {
  MemoryStore store;
  InEntry(&store, [](Outruns* outruns) {
    EXPECT_FALSE(outruns->Has(Uin(1)));
    outruns->Note(Uin(1), true);
    outruns->Note(Uin(2), true);
    EXPECT_TRUE(outruns->Has(Uin(1)));
  });
  InEntry(&store, [](Outruns* outruns) {
    EXPECT_TRUE(outruns->Has(Uin(1)));
    EXPECT_FALSE(outruns->Has(Uin(3)));
    outruns->Note(Uin(1), false);
    outruns->Note(Uin(3), false);
  });
  InEntry(&store, [](Outruns* outruns) {
    EXPECT_FALSE(outruns->Has(Uin(1)));
    EXPECT_TRUE(outruns->Has(Uin(2)));
    outruns->Note(Uin(2), false);
  });
  bool empty = true;
  store.Scan("", std::string(1, '\xff'), [&](std::string_view, std::string_view) {
    empty = false;
    return true;
  });
  EXPECT_TRUE(empty) << "nothing is left behind";
}

TEST(OutrunsTest, LooksAtAFewInTurnAndForgetsAllThatCaughtUp) {
  constexpr uint64_t kUsers = 100;
  MemoryStore store;
  InEntry(&store, [](Outruns* outruns) {
    for (uint64_t user = 1; user <= kUsers; ++user) outruns->Note(Uin(user), true);
  });
  // The first half has not, for now: it does not keep the rest from being looked at.
  bool all = false;
  std::set<Uin> looked_at;
  for (uint64_t entry = 0; entry < kUsers; ++entry) {
    size_t looks = 0;
    InEntry(&store, [&](Outruns* outruns) {
      outruns->Sweep([&](Uin user) {
        ++looks;
        looked_at.insert(user);
        return user.value() > kUsers / 2;
      });
    });
    EXPECT_LE(looks, 2u) << "bounded, however many there are";
  }
  EXPECT_EQ(looked_at.size(), kUsers);
  InEntry(&store, [](Outruns* outruns) {
    EXPECT_TRUE(outruns->Has(Uin(1)));
    EXPECT_FALSE(outruns->Has(Uin(kUsers)));
  });
  all = true;
  for (uint64_t entry = 0; entry < kUsers; ++entry) {
    InEntry(&store, [&](Outruns* outruns) { outruns->Sweep([&](Uin) { return all; }); });
  }
  InEntry(&store, [](Outruns* outruns) {
    for (uint64_t user = 1; user <= kUsers; ++user) EXPECT_FALSE(outruns->Has(Uin(user)));
  });
}

}  // namespace
}  // namespace homeport::core
