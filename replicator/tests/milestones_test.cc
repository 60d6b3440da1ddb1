#include "replicator/milestones.h"

#include <gtest/gtest.h>

#include "core/memory_store.h"

namespace homeport::replicator {
namespace {

using core::Instant;
using core::Seq;
using core::ShardId;
using std::chrono::hours;
using std::chrono::seconds;

constexpr ShardId kShard{0};

Instant At(int64_t second) {
  return Instant{} + seconds(second);
}

TEST(MilestonesTest, ALagBeginsWithTheFirstEntryThatIsMissing) {
  core::MemoryStore store;
  Milestones milestones(store, 1);
  milestones.AddBytes(kShard, 100);
  milestones.Mark(At(10), {Seq(5)});
  milestones.AddBytes(kShard, 1000);
  milestones.Mark(At(20), {Seq(7)});
  milestones.Mark(At(50), {Seq(7)});
  EXPECT_EQ(milestones.LagOf(kShard, Seq(4)).time, seconds(40));
  EXPECT_EQ(milestones.LagOf(kShard, Seq(4)).bytes, 1000u);
  EXPECT_EQ(milestones.LagOf(kShard, Seq(5)).time, seconds(30));
  EXPECT_EQ(milestones.LagOf(kShard, Seq(5)).bytes, 0u) << "too short rather than too long";
  EXPECT_EQ(milestones.LagOf(kShard, Seq(7)).time, seconds(0)) << "nothing is missing";
}

TEST(MilestonesTest, TimeWithoutTheDaemonDoesNotCount) {
  core::MemoryStore store;
  {
    Milestones milestones(store, 1);
    milestones.Mark(At(0), {Seq(1)});
    milestones.AddBytes(kShard, 10);
    milestones.Mark(At(60), {Seq(2)});
    core::WriteBatch batch;
    milestones.Save(&batch);
    ASSERT_TRUE(store.Write(batch).ok());
  }
  Milestones milestones(store, 1);
  EXPECT_EQ(milestones.LagOf(kShard, Seq(0)).time, seconds(60));
  milestones.Mark(At(1'000'000), {Seq(0)});
  milestones.AddBytes(kShard, 5);
  milestones.Mark(At(1'000'030), {Seq(0)});
  EXPECT_EQ(milestones.LagOf(kShard, Seq(0)).time, seconds(90));
  EXPECT_EQ(milestones.LagOf(kShard, Seq(0)).bytes, 15u);
}

TEST(MilestonesTest, KeepsFewPointsAndNeverMakesALagLonger) {
  core::MemoryStore store;
  Milestones milestones(store, 1);
  for (int64_t n = 1; n <= 10'000; ++n) {
    milestones.AddBytes(kShard, 7);
    milestones.Mark(At(n), {Seq(static_cast<uint64_t>(n))});
  }
  for (uint64_t seq = 0; seq < 10'000; seq += 97) {
    const Milestones::Lag lag = milestones.LagOf(kShard, Seq(seq));
    EXPECT_LE(lag.time, seconds(10'000 - static_cast<int64_t>(seq) - 1));
    EXPECT_LE(lag.bytes, 7 * (10'000 - seq - 1));
  }
  EXPECT_GT(milestones.LagOf(kShard, Seq(0)).time, hours(1)) << "but it is still one";
  core::WriteBatch batch;
  milestones.Save(&batch);
  EXPECT_LT(batch.ops()[0].value->size(), 4096u);
  milestones.DropThrough(kShard, Seq(9'999));
  EXPECT_EQ(milestones.LagOf(kShard, Seq(0)).time, seconds(0));
}

}  // namespace
}  // namespace homeport::replicator
