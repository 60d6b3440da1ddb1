#include "quorum_queue/retire.h"

#include <gtest/gtest.h>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

constexpr GroupId kOld(1);
constexpr GroupId kNew(2);

std::vector<Group> Groups() {
  Group old{{DiskId(11), DiskId(12), DiskId(13)}, kOld, GroupState::kDraining, 7, {}};
  Group young{{DiskId(21), DiskId(22), DiskId(23)}, kNew, GroupState::kActive, 0, {}};
  Group third{{DiskId(31), DiskId(32), DiskId(33)}, GroupId(3), GroupState::kActive, 0, {}};
  return {old, young, third};
}

// Everything as it must be: 1 .. 5 trimmed, 6 .. 20 in the new group, 21 the Open.
StreamEvidence Good() {
  StreamEvidence stream;
  stream.stream = kTestStream;
  stream.writer = MakeEpoch(8, 1);
  stream.open = Seq(21);
  const HeldStream held{
      stream.writer, Seq(21), Seq(5), {{Seq(6), 15, WriterEpoch(3)}, {Seq(21), 1, stream.writer}}};
  stream.held = {{DiskId(21), held}, {DiskId(23), held}};
  return stream;
}

// Why not, with a change to the good case; "" when it may go.
template <class Change>
std::string With(Change&& change) {
  StreamEvidence stream = Good();
  change(&stream);
  return WhyNotRetire(Groups(), kOld, {Good(), stream}).value_or("");
}

bool Says(const std::string& why, std::string_view part) {
  return why.find(part) != std::string::npos;
}

TEST(WhyNotRetireTest, GoesWhenOneGroupOfTheOthersHasItAll) {
  EXPECT_EQ(With([](StreamEvidence*) {}), "");
  EXPECT_EQ(WhyNotRetire(Groups(), kOld, {}), std::nullopt) << "a region without streams";
}

TEST(WhyNotRetireTest, OnlyAGroupThatDrains) {
  EXPECT_TRUE(Says(*WhyNotRetire(Groups(), kNew, {Good()}), "not draining"));
  EXPECT_TRUE(Says(*WhyNotRetire(Groups(), GroupId(9), {Good()}), "no group 9"));
}

TEST(WhyNotRetireTest, NeedsAWriterThatKnewTheGroupAsDraining) {
  EXPECT_TRUE(Says(With([](auto* s) { s->writer = MakeEpoch(6, 0xffffff); }), "may not know"));
  EXPECT_TRUE(Says(With([](auto* s) { s->writer = WriterEpoch(0); }), "no open writer"));
  EXPECT_FALSE(Says(With([](auto* s) { s->writer = MakeEpoch(7, 0); }), "may not know"))
      << "the grant that the drain itself was answered with";
}

TEST(WhyNotRetireTest, TwoOfOneGroupMustKnowTheOpenOnDisk) {
  EXPECT_TRUE(Says(With([](auto* s) { s->held[DiskId(21)].committed = Seq(20); }), "know that 21"));
  EXPECT_TRUE(Says(With([](auto* s) { s->held[DiskId(21)].chain_epoch = MakeEpoch(7, 9); }),
                   "know that 21"))
      << "it has committed from an older writer";
  EXPECT_TRUE(Says(With([](auto* s) { s->held.erase(DiskId(23)); }), "know that 21"));
  EXPECT_EQ(With([](auto* s) { s->held[DiskId(22)] = s->held[DiskId(21)]; }), "");
  const std::string spread = With([](auto* s) {
    s->held[DiskId(31)] = s->held[DiskId(23)];
    s->held.erase(DiskId(23));
  });
  EXPECT_TRUE(Says(spread, "know that 21")) << "one in each of two groups";
  const std::string going = With([](auto* s) {
    s->held[DiskId(11)] = s->held[DiskId(12)] = s->held[DiskId(23)];
    s->held.erase(DiskId(21));
    s->held.erase(DiskId(23));
  });
  EXPECT_TRUE(Says(going, "know that 21")) << "the group itself does not count";
  EXPECT_EQ(With([](auto* s) {
              for (auto& [disk, held] : s->held) held.chain_epoch = MakeEpoch(9, 0);
            }),
            "")
      << "a later writer's chain says it too";
}

TEST(WhyNotRetireTest, EveryEntryMustBeOnTwoDisksOfOneOtherGroup) {
  const auto hole = [](uint64_t first, uint64_t count) {
    return With([&](auto* s) {
      s->held[DiskId(21)].runs = {{Seq(6), first - 6, WriterEpoch(3)},
                                  {Seq(first + count), 22 - first - count, s->writer}};
    });
  };
  EXPECT_TRUE(Says(hole(7, 1), "seq 7 "));
  EXPECT_TRUE(Says(hole(20, 1), "seq 20 "));
  EXPECT_TRUE(Says(With([](auto* s) { s->held[DiskId(23)].runs.clear(); }), "seq 6 "));
  EXPECT_TRUE(Says(With([](auto* s) { s->held[DiskId(23)].runs.pop_back(); }), "seq 21 "));
}

TEST(WhyNotRetireTest, WhatIsTrimmedIsNotWantedWhenTwoOfOneOtherGroupKnowIt) {
  const auto trimmed_at = [](std::vector<uint64_t> disks) {
    return With([&](auto* s) {
      s->held[DiskId(11)] = s->held[DiskId(31)] = s->held[DiskId(22)] = s->held[DiskId(21)];
      s->held.erase(DiskId(22));
      for (auto& [disk, held] : s->held) held.runs.erase(held.runs.begin());
      for (const uint64_t disk : disks) s->held[DiskId(disk)].trimmed = Seq(20);
    });
  };
  EXPECT_EQ(trimmed_at({21, 23}), "");
  EXPECT_TRUE(Says(trimmed_at({21}), "seq 6 "));
  EXPECT_TRUE(Says(trimmed_at({21, 31}), "seq 6 "));
  EXPECT_TRUE(Says(trimmed_at({11, 21}), "seq 6 ")) << "the group that goes does not count";
}

TEST(WhyNotRetireTest, ACopyThatMayBeStaleDoesNotCount) {
  const std::string why = With([](auto* s) {
    // A third replica that lags: what it holds above its committed may be of a dead writer.
    s->held[DiskId(22)] = {WriterEpoch(3), Seq(9), Seq(5), {{Seq(6), 15, WriterEpoch(3)}}};
    s->held[DiskId(23)].runs = {{Seq(21), 1, s->writer}};
  });
  EXPECT_TRUE(Says(why, "seq 10 ")) << why;
}

TEST(WhyNotRetireTest, DifferentEntriesMayBeInDifferentGroups) {
  const std::string why = With([](auto* s) {
    HeldStream other = s->held[DiskId(21)];
    other.runs = {{Seq(6), 4, WriterEpoch(3)}};
    s->held[DiskId(31)] = s->held[DiskId(33)] = other;
    for (const uint64_t disk : {21, 23}) {
      s->held[DiskId(disk)].runs = {{Seq(10), 12, s->writer}};
    }
  });
  EXPECT_EQ(why, "");
}

}  // namespace
}  // namespace homeport::quorum_queue
