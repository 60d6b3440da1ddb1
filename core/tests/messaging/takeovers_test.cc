#include "core/messaging/takeovers.h"

#include <gtest/gtest.h>

#include "core/memory_store.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::core {
namespace {

constexpr Incarnation kSh{1};
constexpr Incarnation kHk{2};
constexpr Incarnation kCa{3};
constexpr ShardId kShard{0};

Takeover Of(uint32_t number, std::vector<Incarnation> dead, Incarnation heir, uint64_t cut = 7) {
  Takeover takeover{number, dead, heir, {}};
  for (const Incarnation one : dead) takeover.cuts.push_back({{one, kShard}, Seq(cut)});
  return takeover;
}

Takeovers Known(std::initializer_list<Takeover> all) {
  Takeovers known;
  for (const Takeover& one : all) EXPECT_TRUE(known.Learn(one).ok());
  return known;
}

TEST(TakeoversTest, WithoutAnyEveryHomeIsWhatIsRecorded) {
  const HomeOf home = Takeovers().HomeNow({kSh, {0, 3}, true});
  EXPECT_EQ(home.home, kSh);
  EXPECT_EQ(home.epoch, (MastershipEpoch{0, 3}));
  EXPECT_EQ(Takeovers().CutOf({kSh, kShard}), kNoCut);
}

TEST(TakeoversTest, ADeadHomeIsItsHeirsWithTheTakeoversEpoch) {
  const Takeovers known = Known({Of(1, {kSh}, kHk)});
  const HomeOf home = known.HomeNow({kSh, {0, 3}, true});
  EXPECT_EQ(home.home, kHk);
  EXPECT_EQ(home.epoch, (MastershipEpoch{1, 0}));
  EXPECT_EQ(known.HomeNow({kCa, {0, 3}, true}).home, kCa);
  EXPECT_EQ(known.CutOf({kSh, kShard}), Seq(7));
  EXPECT_EQ(known.CutOf({kSh, ShardId(1)}), Seq(0));
}

TEST(TakeoversTest, AnEpochOfThatTakeoverStillRises) {
  const Takeovers known = Known({Of(1, {kSh}, kHk)});
  const HomeOf home = known.HomeNow({kSh, {1, 4}, true});
  EXPECT_EQ(home.home, kHk);
  EXPECT_EQ(home.epoch, (MastershipEpoch{1, 5}));
}

TEST(TakeoversTest, AnHeirThatDiesHasItsOwnHeir) {
  const Takeovers known = Known({Of(1, {kSh}, kHk), Of(2, {kHk}, kCa)});
  EXPECT_EQ(known.HomeNow({kSh, {0, 3}, true}).home, kCa);
  EXPECT_EQ(known.HomeNow({kSh, {0, 3}, true}).epoch, (MastershipEpoch{2, 0}));
  EXPECT_EQ(known.HeirOf(kSh), kCa);
  EXPECT_EQ(known.HeirOf(kCa), kCa);
}

TEST(TakeoversTest, RefusesWhatCannotFollow) {
  Takeovers known = Known({Of(1, {kSh}, kHk)});
  EXPECT_FALSE(known.Learn(Of(3, {kCa}, kHk)).ok()) << "a gap";
  EXPECT_FALSE(known.Learn(Of(2, {}, kHk)).ok()) << "nobody is dead";
  EXPECT_FALSE(known.Learn(Of(2, {kHk}, kHk)).ok()) << "the heir is dead";
  EXPECT_FALSE(known.Learn(Of(2, {kCa}, kSh)).ok()) << "the heir died before";
  EXPECT_FALSE(known.Learn(Of(2, {kSh}, kHk)).ok()) << "it died before";
  Takeover foreign = Of(2, {kCa}, kHk);
  foreign.cuts.push_back({{Incarnation(9), kShard}, Seq(1)});
  EXPECT_FALSE(known.Learn(foreign).ok()) << "a cut of a live stream";
  EXPECT_EQ(known.count(), 1u);
  EXPECT_TRUE(known.Learn(Of(2, {kCa}, kHk)).ok());
}

TEST(TakeoversTest, AShardSeesWhatStandsBeforeItsOwnEntry) {
  const Takeovers known = Known({Of(1, {kSh}, kHk), Of(2, {kHk}, kCa)});
  EXPECT_EQ(VisibleTo(known, kHk, 0).count(), 0u);
  EXPECT_EQ(VisibleTo(known, kHk, 1).count(), 2u);
  EXPECT_EQ(VisibleTo(known, kCa, 0).count(), 1u);
  EXPECT_EQ(VisibleTo(known, Incarnation(4), 0).count(), 2u);
}

TEST(TakeoversTest, TakeoversComeBackFromTheirBytes) {
  const Takeovers known = Known({Of(1, {kSh}, kHk), Of(2, {kHk}, kCa, 0)});
  const std::string bytes = EncodeTakeovers(known);
  EXPECT_EQ(DecodeTakeovers(bytes), known);
  for (size_t size = 0; size < bytes.size(); size += 8) {
    EXPECT_FALSE(DecodeTakeovers(bytes.substr(0, size)).has_value()) << size;
  }
}

TEST(TakeoversTest, AreKeptInOneRow) {
  MemoryStore store;
  EXPECT_EQ(LoadTakeovers(store).count(), 0u);
  EXPECT_EQ(TakenBy(store, kShard), 0u);
  WriteBatch batch;
  batch.Put(TakeoversKey(), EncodeTakeovers(Known({Of(1, {kSh}, kHk)})));
  batch.Put(TakenKey(kShard), EncodeNumber(1));
  ASSERT_TRUE(store.Write(batch).ok());
  EXPECT_EQ(LoadTakeovers(store).count(), 1u);
  EXPECT_EQ(TakenBy(store, kShard), 1u);
}

TEST(TakeoversTest, ARolesPendingKeyTellsItsPlace) {
  const std::string key = RolePendingKey(kShard, kSh, {kCa, ShardId(2)}, Seq(9), 4);
  const IntentPlace place = PlaceOfRolePendingKey(key);
  EXPECT_EQ(place.source, (StreamId{kCa, ShardId(2)}));
  EXPECT_EQ(place.seq, Seq(9));
  EXPECT_EQ(place.index, 4u);
  EXPECT_EQ(key.find(RolePendingPrefix(kShard, kSh, {kCa, ShardId(2)})), 0u);
}

}  // namespace
}  // namespace homeport::core
