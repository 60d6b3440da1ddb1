#include "quorum_queue/mend_plan.h"

#include <gtest/gtest.h>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

RunInfo Held(uint64_t first, uint64_t count, uint64_t epoch) {
  return {Seq(first), count, WriterEpoch(epoch), 10 * count};
}

class MendPlanTest : public testing::Test {
 protected:
  MendPlanTest() { groups_.resize(1); }
  void Answer(uint16_t group, uint8_t slot, uint64_t committed, HeldRuns runs,
              uint64_t chain_epoch = 9, uint64_t trimmed = 0) {
    answers_[{group, slot}] = {.stream = kTestStream,
                               .disk = DiskId(1),
                               .promised = WriterEpoch(9),
                               .chain_epoch = WriterEpoch(chain_epoch),
                               .committed = Seq(committed),
                               .trimmed = Seq(trimmed),
                               .from = Seq(1),
                               .through = kSeqMax,
                               .runs = std::move(runs)};
  }
  MendPlan Plan(uint64_t first = 1, Seq last = kSeqMax) {
    return PlanMend(groups_, answers_, Seq(first), last);
  }
  std::vector<Group> groups_;
  std::map<ReplicaSlot, HoldingsAnswer> answers_;
};

TEST_F(MendPlanTest, FindsWhatOneLacksAndWhoHasIt) {
  Answer(0, 0, 10, {Held(1, 10, 3)}, 4);
  Answer(0, 1, 10, {Held(1, 4, 3), Held(8, 3, 3)});
  Answer(0, 2, 10, {Held(1, 10, 3)});
  const MendPlan plan = Plan();
  ASSERT_EQ(plan.gaps.size(), 1u);
  EXPECT_EQ(plan.gaps[0].target, (ReplicaSlot{0, 1}));
  EXPECT_EQ(plan.gaps[0].source, (ReplicaSlot{0, 0}));
  EXPECT_EQ(plan.gaps[0].epoch, WriterEpoch(4));
  EXPECT_EQ(plan.gaps[0].run, Held(5, 3, 3));
  EXPECT_EQ(CountOf(plan.lacking.at({0, 1})), 3u);
  EXPECT_TRUE(plan.lacking.at({0, 0}).empty());
  EXPECT_EQ(plan.held_nowhere, std::optional<uint64_t>(0));
}

TEST_F(MendPlanTest, TakesNothingThatItsHolderDoesNotKnowCommitted) {
  Answer(0, 0, 4, {Held(1, 10, 3)});
  Answer(0, 1, 8, {Held(1, 4, 3)});
  Answer(0, 2, 4, {Held(1, 4, 3)});
  const MendPlan plan = Plan();
  EXPECT_TRUE(plan.gaps.empty());
  EXPECT_EQ(plan.held_nowhere, std::optional<uint64_t>(0)) << "somebody has 5 .. 8";
}

TEST_F(MendPlanTest, AnEntryOfAStaleEpochIsLacking) {
  Answer(0, 0, 6, {Held(1, 4, 3), Held(5, 2, 7)});
  Answer(0, 1, 4, {Held(1, 6, 3)});
  const MendPlan plan = Plan();
  ASSERT_EQ(plan.gaps.size(), 1u);
  EXPECT_EQ(plan.gaps[0].run, Held(5, 2, 7));
}

TEST_F(MendPlanTest, LooksOnlyWhereItIsAskedToAndAboveWhatAnyoneTrimmed) {
  Answer(0, 0, 10, {Held(1, 10, 3)});
  Answer(0, 1, 10, {Held(5, 1, 3)}, 9, 4);
  const MendPlan plan = Plan(1, Seq(8));
  ASSERT_EQ(plan.gaps.size(), 1u);
  EXPECT_EQ(plan.gaps[0].run, Held(6, 3, 3));
  EXPECT_TRUE(Plan(9, Seq(8)).gaps.empty());
}

TEST_F(MendPlanTest, SaysWhatNobodyHoldsOnlyWhenAllWereAsked) {
  Answer(0, 0, 10, {Held(1, 5, 3)});
  Answer(0, 1, 10, {Held(1, 5, 3), Held(8, 1, 3)});
  EXPECT_FALSE(Plan().held_nowhere);
  Answer(0, 2, 3, {});
  EXPECT_EQ(Plan().held_nowhere, std::optional<uint64_t>(4));
}

TEST_F(MendPlanTest, GroupsAreMendedEachForItself) {
  groups_.resize(2);
  Answer(0, 0, 10, {Held(1, 5, 3)});
  Answer(0, 1, 10, {Held(1, 4, 3)});
  Answer(1, 0, 10, {Held(6, 5, 3)});
  Answer(1, 1, 10, {});
  const MendPlan plan = Plan();
  ASSERT_EQ(plan.gaps.size(), 2u);
  EXPECT_EQ(plan.gaps[0].target, (ReplicaSlot{0, 1}));
  EXPECT_EQ(plan.gaps[0].run, Held(5, 1, 3));
  EXPECT_EQ(plan.gaps[1].target, (ReplicaSlot{1, 1}));
  EXPECT_EQ(plan.gaps[1].run, Held(6, 5, 3));
}

TEST_F(MendPlanTest, WhatADrainingGroupHoldsGoesToAnother) {
  groups_.resize(2);
  groups_[0].state = GroupState::kDraining;
  Answer(0, 0, 10, {Held(1, 8, 3)});
  Answer(0, 1, 10, {Held(1, 2, 3)});
  Answer(1, 0, 10, {Held(6, 5, 3)});
  EXPECT_TRUE(Plan().gaps.empty()) << "one answer does not tell what the other group has";
  Answer(1, 1, 10, {Held(7, 4, 3)});
  const MendPlan plan = Plan();
  EXPECT_EQ(plan.not_drained.at(0), 6u);  // 1 .. 6; 7 and 8 are at two of the other group
  ASSERT_EQ(plan.gaps.size(), 3u);
  EXPECT_EQ(plan.gaps[0].target, (ReplicaSlot{1, 1}));
  EXPECT_EQ(plan.gaps[0].run, Held(6, 1, 3));
  EXPECT_EQ(plan.gaps[1].target, (ReplicaSlot{1, 0}));
  EXPECT_EQ(plan.gaps[1].source, (ReplicaSlot{0, 0}));
  EXPECT_EQ(plan.gaps[1].run, Held(1, 5, 3));
  EXPECT_EQ(plan.gaps[2].run, Held(1, 5, 3));
  EXPECT_FALSE(plan.lacking.contains({0, 1})) << "nobody mends a group that goes";
}

TEST_F(MendPlanTest, AGroupIsDrainedWhereAllIsTrimmed) {
  groups_.resize(2);
  groups_[0].state = GroupState::kDraining;
  for (uint16_t g = 0; g < 2; ++g) {
    for (uint8_t slot = 0; slot < 2; ++slot) Answer(g, slot, 10, {}, 9, 10);
  }
  EXPECT_EQ(Plan(1, Seq(10)).not_drained.at(0), 0u);
}

TEST_F(MendPlanTest, OneOfADrainingGroupDoesNotTellWhatStandsInIt) {
  groups_.resize(2);
  groups_[0].state = GroupState::kDraining;
  Answer(1, 0, 10, {Held(1, 5, 3)});
  Answer(1, 1, 10, {Held(1, 5, 3)});
  Answer(0, 0, 10, {Held(1, 5, 3)});
  EXPECT_FALSE(Plan().not_drained.contains(0)) << "6 .. 10 may stand on the other two";
  Answer(0, 1, 4, {Held(1, 10, 3)});
  EXPECT_EQ(Plan().not_drained.at(0), 5u) << "committed, though their holder does not know it";
}

}  // namespace
}  // namespace homeport::quorum_queue
