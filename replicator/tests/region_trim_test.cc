// Regions that trim their streams and relay logs: nobody ever misses what was trimmed, logs end
// small, a region that is away for too long is given up, and each rule that is left out is noticed.
#include <gtest/gtest.h>

#include "core/messaging/entry.h"
#include "replicator/region.h"
#include "replicator/tests/chat.h"
#include "replicator/tests/world.h"

namespace homeport::replicator {
namespace {

WorldOptions TrimmingWorld() {
  WorldOptions options;
  options.region.flush_every = milliseconds(500);
  options.region.retention_time = seconds(20);
  return options;
}

TEST(RegionTrimTest, LogsAndRelayLogsEndSmallAndIdleRegionsAreQuiet) {
  World world(TrimmingWorld());
  Chat chat(&world);
  chat.CreatePeople(3);
  chat.CreateGroups();
  for (int n = 0; n < 5; ++n) {
    chat.StartSending(10);
    ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(60)));
  }
  ExpectQuietAndSmall(world);
  for (size_t region = 0; region < 3; ++region) EXPECT_LE(world.EntriesInRelay(region), 60u);
  EXPECT_TRUE(world.violations().empty()) << world.violations()[0];
  ExpectRestAndEqual(world, chat);
}

TEST(RegionTrimTest, RestartsAfterTrimmingFromWhatIsLeft) {
  World world(TrimmingWorld());
  Chat chat(&world);
  chat.CreatePeople(2);
  for (int n = 0; n < 6; ++n) {
    chat.StartSending(10);
    world.RunFor(seconds(2));
    world.RestartRegion(static_cast<size_t>(n) % 3);
  }
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(60)));
  ExpectRestAndEqual(world, chat);
  EXPECT_TRUE(world.violations().empty()) << world.violations()[0];
}

// Region 2 is cut off from the others until they have given it up.
class AwayTest : public testing::Test {
 protected:
  AwayTest() : world_(TrimmingWorld()), chat_(&world_) {
    chat_.CreatePeople(2);
    chat_.StartSending(5);
    CHECK(world_.RunUntil([&] { return chat_.Done(); }, seconds(60)), "all is said");
    CHECK(world_.RunToRest(seconds(30)), "rest");
    world_.GiveUp(2);
    SetCut(true);
  }
  void SetCut(bool cut) {
    world_.SetCut(0, 2, cut);
    world_.SetCut(1, 2, cut);
  }
  // Everybody to everybody, those in region 2 too: what they send stays there.
  void Talk(core::Duration duration) {
    for (const Instant until = world_.now() + duration; world_.now() < until;) {
      chat_.StartSending(1);
      world_.RunFor(seconds(1));
    }
    CHECK(world_.RunUntil([&] { return chat_.Done(); }, seconds(60)), "all is said");
  }
  bool IsAway(size_t at) { return !world_.region(at).Status().away.empty(); }
  uint64_t KeptRows(size_t at) {
    uint64_t rows = 0;
    for (uint16_t shard = 0; shard < world_.shards(); ++shard) {
      for (const core::TableDigest& table : core::DigestShard(world_.store(at), ShardId(shard))) {
        if (table.table == "kept") rows += table.rows;
      }
    }
    return rows;
  }
  World world_;
  Chat chat_;
};

TEST_F(AwayTest, ItIsGivenUpAndDoesNotFillTheOthersDisks) {
  Talk(seconds(15));
  EXPECT_FALSE(IsAway(0));
  const uint64_t held = world_.EntriesInLog(0);
  EXPECT_GT(held, 40u) << "kept for it, until now";
  Talk(seconds(15));
  world_.RunFor(seconds(20));
  EXPECT_TRUE(IsAway(0));
  EXPECT_TRUE(world_.notes().contains("region_away"));
  for (const AwayStatus& away : world_.region(0).Status().away) {
    EXPECT_EQ(away.region, world_.incarnation(2));
    EXPECT_TRUE(away.needs_bootstrap);
  }
  EXPECT_LT(world_.EntriesInLog(0), 20u) << world_.LogText(0);
  EXPECT_LT(world_.EntriesInRelay(1), 60u);
  EXPECT_TRUE(world_.violations().empty()) << world_.violations()[0];
}

TEST_F(AwayTest, WhatWasSentToItIsKeptAsRowsInEveryLiveRegion) {
  Talk(seconds(30));
  world_.RunFor(seconds(20));
  // What is not in a trimmed entry need not be a row yet; everything else must.
  EXPECT_EQ(world_.MissingIntents(0, 2), "");
  EXPECT_EQ(world_.MissingIntents(1, 2), "");
  EXPECT_GT(KeptRows(0), 20u);
  EXPECT_EQ(KeptRows(0), KeptRows(1));
}

TEST_F(AwayTest, TheGivenUpRegionSkipsNothingAndSaysWhatItNeeds) {
  Talk(seconds(30));
  world_.RunFor(seconds(20));
  const std::vector<StreamLag> before = world_.region(2).Status().streams;
  SetCut(false);
  world_.RunFor(seconds(10));
  EXPECT_FALSE(world_.region(2).ready());
  size_t gone = 0;
  const std::vector<StreamLag> after = world_.region(2).Status().streams;
  for (size_t i = 0; i < after.size(); ++i) {
    if (!after[i].begins_at.has_value()) continue;
    ++gone;
    EXPECT_GT(*after[i].begins_at, after[i].applied + 1);
    EXPECT_EQ(after[i].applied, before[i].applied) << "nothing is skipped";
  }
  EXPECT_GT(gone, 0u);
  EXPECT_TRUE(world_.notes().contains("needs_bootstrap"));
  // Its own users are served all the same.
  for (const ShardStatus& shard : world_.region(2).Status().shards) EXPECT_TRUE(shard.ready);
}

TEST_F(AwayTest, ARegionOnItsOwnKeepsWhatNobodyElseHas) {
  Talk(seconds(30));
  world_.RunFor(seconds(20));
  EXPECT_TRUE(IsAway(2)) << "it cannot tell that it is the one that is cut off";
  for (const StreamLag& own : world_.region(2).Status().streams) {
    if (own.stream.incarnation() != world_.incarnation(2)) continue;
    for (const StreamLag& there : world_.region(0).Status().streams) {
      if (there.stream != own.stream) continue;
      EXPECT_LE(own.trimmed, there.applied);
      EXPECT_LT(there.applied + 20, own.applied);
    }
  }
}

TEST_F(AwayTest, OneThatComesBackInTimeCountsAgain) {
  Talk(seconds(10));
  SetCut(false);
  chat_.StartSending(2);
  ASSERT_TRUE(world_.RunUntil([&] { return chat_.Done(); }, seconds(60)));
  world_.RunFor(seconds(30));
  EXPECT_FALSE(IsAway(0));
  EXPECT_EQ(KeptRows(0), 0u);
  ExpectQuietAndSmall(world_);
  ExpectRestAndEqual(world_, chat_);
}

// ---- planted bugs

// Whether the world notices a rule that is left out.
bool FindsBug(uint64_t seed, const std::function<void(WorldOptions*)>& plant) {
  WorldOptions options = RandomWorld(seed);
  options.region.flush_every = milliseconds(100 + seed * 37 % 1900);
  options.region.retention_time = seconds(120);
  plant(&options);
  World world(options);
  Chat chat(&world);
  chat.CreatePeople(3);
  chat.CreateGroups();
  chat.StartSending(15);
  ScheduleFaults(&world, world.now() + seconds(12));
  world.RunFor(seconds(13));
  return !world.violations().empty();
}

void ExpectFound(const std::function<void(WorldOptions*)>& plant) {
  uint64_t seed = 1;
  while (seed <= 60 && !FindsBug(seed, plant)) ++seed;
  EXPECT_LE(seed, 60u) << "no seed finds it";
}

TEST(PlantedTrimBugTest, NoneIsFoundWhereNoneIs) {
  for (uint64_t seed = 1; seed <= 20; ++seed) EXPECT_FALSE(FindsBug(seed, [](auto*) {})) << seed;
}
TEST(PlantedTrimBugTest, OneEntryTooFar) {
  ExpectFound([](WorldOptions* o) { o->plant = PlantedBug::kTrimsOneTooFar; });
}
TEST(PlantedTrimBugTest, AppliedTakenForDurable) {
  ExpectFound([](WorldOptions* o) { o->plant = PlantedBug::kFlushesNothing; });
}
TEST(PlantedTrimBugTest, IntentsNotAskedFor) {
  ExpectFound([](WorldOptions* o) { o->region.trim_bug = PlantedTrimBug::kIntentsIgnored; });
}
TEST(PlantedTrimBugTest, OneShardNotAskedForIntents) {
  ExpectFound([](WorldOptions* o) { o->region.trim_bug = PlantedTrimBug::kShardForgotten; });
}
TEST(PlantedTrimBugTest, ConsumptionBelievedTooEarly) {
  ExpectFound([](WorldOptions* o) { o->region.trim_bug = PlantedTrimBug::kClaimsUncovered; });
}
TEST(PlantedTrimBugTest, GivenUpTooEarly) {
  ExpectFound([](WorldOptions* o) { o->region.retention_time = seconds(1); });
}

}  // namespace
}  // namespace homeport::replicator
