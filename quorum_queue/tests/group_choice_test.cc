#include "quorum_queue/group_choice.h"

#include <gtest/gtest.h>

namespace homeport::quorum_queue {
namespace {

using std::chrono::milliseconds;
using Switch = GroupChoice::Switch;

core::Instant At(int64_t ms) {
  return core::Instant(milliseconds(100000 + ms));
}

Grant GrantOf(size_t groups) {
  Grant grant;
  grant.epoch = WriterEpoch(9);
  grant.groups.resize(groups);
  return grant;
}

WriterOptions Options() {
  WriterOptions options;
  options.append_timeout = milliseconds(100);
  options.return_after = milliseconds(400);
  options.return_after_max = milliseconds(1600);
  return options;
}

// `ms` of outstanding entries without progress, with probes answered by the replicas `well`.
std::optional<Switch> Stall(GroupChoice* choice, int64_t from, int64_t ms,
                            const std::vector<size_t>& well, ReplicaSet refusing = 0) {
  for (int64_t t = from; t <= from + ms; t += 5) {
    choice->Observe(At(t), 1, true, refusing);
    if (const auto next = choice->Next(At(t))) return next;
    for (const size_t r : choice->ProbesDue(At(t))) {
      if (std::count(well.begin(), well.end(), r)) choice->Heard(At(t), r);
    }
  }
  return std::nullopt;
}

TEST(GroupChoiceTest, BeginsWithThePreferredGroupAndSkipsDrainingOnes) {
  WriterOptions options = Options();
  Grant grant = GrantOf(3);
  options.preferred_group = 4;  // spread over any number of groups
  EXPECT_EQ(GroupChoice(options, grant).current(), 1u);
  grant.groups[1].state = grant.groups[2].state = GroupState::kDraining;
  EXPECT_EQ(GroupChoice(options, grant).current(), 0u);
  grant.groups[0].state = GroupState::kDraining;
  EXPECT_DEATH(GroupChoice(options, grant), "not draining");
}

TEST(GroupChoiceTest, LeavesALateGroupForOneThatIsWell) {
  GroupChoice choice(Options(), GrantOf(2));
  EXPECT_EQ(Stall(&choice, 0, 95, {3, 4, 5}), std::nullopt) << "in time still";
  EXPECT_EQ(Stall(&choice, 100, 0, {3, 4, 5}), (Switch{1, false}));
  EXPECT_EQ(choice.current(), 1u);
}

TEST(GroupChoiceTest, StaysWhenNoOtherGroupIsWell) {
  GroupChoice choice(Options(), GrantOf(2));
  EXPECT_EQ(Stall(&choice, 0, 1000, {3}), std::nullopt) << "one replica is not enough";
  EXPECT_EQ(Stall(&choice, 1005, 500, {3, 4, 5}, 0b110 << 3), std::nullopt) << "two refuse";
  EXPECT_EQ(Stall(&choice, 1510, 500, {3, 4, 5}), (Switch{1, false}));
  GroupChoice alone(Options(), GrantOf(1));
  EXPECT_EQ(Stall(&alone, 0, 1000, {}), std::nullopt);
  EXPECT_EQ(alone.Deadline(), std::nullopt);
}

TEST(GroupChoiceTest, NeverGoesToADrainingGroup) {
  Grant grant = GrantOf(3);
  grant.groups[1].state = GroupState::kDraining;
  GroupChoice choice(Options(), grant);
  EXPECT_EQ(Stall(&choice, 0, 1000, {3, 4, 5}), std::nullopt);
  EXPECT_EQ(Stall(&choice, 1005, 1000, {3, 4, 5, 6, 7}), (Switch{2, false}));
}

TEST(GroupChoiceTest, TwoThatRefuseAreLeftAsSoonAsAnotherAnswers) {
  GroupChoice choice(Options(), GrantOf(2));
  EXPECT_EQ(Stall(&choice, 0, 10, {3, 4}, 0b011), (Switch{1, false}));
}

TEST(GroupChoiceTest, ProgressOrAnIdleStreamIsNotLate) {
  GroupChoice choice(Options(), GrantOf(2));
  for (int t = 0; t < 1000; t += 20) {
    choice.Observe(At(t), static_cast<uint64_t>(t), true, 0);
    EXPECT_EQ(choice.Next(At(t)), std::nullopt);
    EXPECT_TRUE(choice.ProbesDue(At(t)).empty());
  }
  choice.Observe(At(1000), 1000, false, 0);
  choice.Observe(At(9000), 1000, false, 0);
  EXPECT_EQ(choice.Next(At(9000)), std::nullopt);
  EXPECT_EQ(choice.Deadline(), std::nullopt);
}

// Idle for `ms` in the second group; what Next says then.
std::optional<Switch> Idle(GroupChoice* choice, int64_t from, int64_t ms,
                           const std::vector<size_t>& well) {
  for (int64_t t = from; t <= from + ms; t += 10) {
    choice->Observe(At(t), 1, false, 0);
    if (const auto next = choice->Next(At(t))) return next;
    for (const size_t r : choice->ProbesDue(At(t))) {
      EXPECT_LT(r, 3u) << "only the preferred group is probed";
      if (std::count(well.begin(), well.end(), r)) choice->Heard(At(t), r);
    }
  }
  return std::nullopt;
}

TEST(GroupChoiceTest, ReturnsOnceThePreferredGroupWasWellAllThroughTheHoldOff) {
  GroupChoice choice(Options(), GrantOf(2));
  ASSERT_TRUE(Stall(&choice, 0, 200, {3, 4}));
  EXPECT_EQ(Idle(&choice, 200, 1000, {1}), std::nullopt);
  EXPECT_EQ(Idle(&choice, 1210, 300, {0, 1}), std::nullopt) << "not long enough";
  EXPECT_EQ(Idle(&choice, 1520, 150, {1}), std::nullopt) << "begins anew";
  EXPECT_EQ(Idle(&choice, 1680, 300, {0, 1}), std::nullopt);
  EXPECT_EQ(Idle(&choice, 1990, 400, {0, 1}), (Switch{0, true}));
  EXPECT_EQ(choice.current(), 0u);
}

TEST(GroupChoiceTest, TheHoldOffDoublesWhenThePreferredGroupFailsAgain) {
  GroupChoice choice(Options(), GrantOf(2));
  int64_t now = 0;
  std::vector<int64_t> away;
  for (int round = 0; round < 5; ++round) {
    while (!Stall(&choice, now, 5, {3, 4})) now += 5;
    now += 10;
    const int64_t left = now;
    while (!Idle(&choice, now, 0, {0, 1})) now += 10;
    away.push_back((now - left) / 100);
    now += 10;
  }
  // 400 ms, 800, 1600 at most, and the probe that begins it.
  EXPECT_EQ(away, (std::vector<int64_t>{5, 9, 17, 17, 17}));
}

TEST(GroupChoiceTest, PatienceDoublesWhileNoGroupMakesProgress) {
  GroupChoice choice(Options(), GrantOf(2));
  const std::vector<size_t> all = {0, 1, 2, 3, 4, 5};
  int64_t now = 0;
  std::vector<int64_t> patience;
  for (int round = 0; round < 7; ++round) {
    const int64_t begin = now;
    while (!Stall(&choice, now, 0, all)) now += 5;
    patience.push_back(now - begin);
  }
  EXPECT_EQ(patience, (std::vector<int64_t>{100, 200, 400, 800, 1600, 1600, 1600}));
}

TEST(GroupChoiceTest, ItsDeadlineIsAlwaysAheadOnceItIsServed) {
  GroupChoice choice(Options(), GrantOf(3));
  core::Instant now = At(0);
  for (int i = 0; i < 2000; ++i) {
    const bool outstanding = i % 300 < 200;
    choice.Observe(now, static_cast<uint64_t>(i / 50), outstanding, i % 7 == 0 ? 0b11 : 0);
    choice.Next(now);
    for (const size_t r : choice.ProbesDue(now)) {
      if ((i + r) % 3) choice.Heard(now, r);
    }
    const auto deadline = choice.Deadline();
    if (deadline) {
      ASSERT_GT(*deadline, now);
    }
    now = i % 2 && deadline ? *deadline : now + milliseconds(3);
  }
}

}  // namespace
}  // namespace homeport::quorum_queue
