#include "quorum_queue/held_runs.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace homeport::quorum_queue {
namespace {

RunInfo Held(uint64_t first, uint64_t count, uint64_t epoch, uint64_t bytes = 0) {
  return {Seq(first), count, WriterEpoch(epoch), bytes};
}

TEST(HeldRunsTest, CutsBytesInProportionAndLosesNone) {
  const HeldRuns runs = {Held(10, 3, 1, 100)};
  EXPECT_EQ(Within(runs, Seq(1), Seq(10)), HeldRuns{Held(10, 1, 1, 33)});
  EXPECT_EQ(Within(runs, Seq(11), Seq(99)), HeldRuns{Held(11, 2, 1, 67)});
  EXPECT_TRUE(Within(runs, Seq(13), Seq(99)).empty());
}

TEST(HeldRunsTest, AnEntryOfAnotherEpochIsAnotherEntry) {
  const HeldRuns a = {Held(1, 10, 3)};
  const HeldRuns b = {Held(4, 2, 2), Held(8, 1, 3)};
  EXPECT_EQ(Without(a, b), (HeldRuns{Held(1, 7, 3), Held(9, 2, 3)}));
  EXPECT_EQ(Common(a, b), HeldRuns{Held(8, 1, 3)});
  EXPECT_EQ(Union(b, a), (HeldRuns{Held(1, 3, 3), Held(4, 2, 2), Held(6, 5, 3)}));
  EXPECT_EQ(CountMissing(b, Seq(1), Seq(8)), 5u);
  EXPECT_EQ(CountMissing(b, Seq(9), Seq(8)), 0u);
}

// ---- the same with one item per entry

using Entries = std::map<uint64_t, uint64_t>;

HeldRuns RunsOf(const Entries& entries) {
  HeldRuns runs;
  for (const auto& [seq, epoch] : entries) {
    if (!runs.empty() && runs.back().last() + 1 == Seq(seq) &&
        runs.back().epoch == WriterEpoch(epoch)) {
      ++runs.back().count;
    } else {
      runs.push_back(Held(seq, 1, epoch));
    }
  }
  return runs;
}

Entries EntriesOf(const HeldRuns& runs) {
  Entries entries;
  Seq end;
  for (const RunInfo& run : runs) {
    EXPECT_GT(run.first, end);
    end = run.last();
    for (uint64_t i = 0; i < run.count; ++i) entries[run.first.value() + i] = run.epoch.value();
  }
  return entries;
}

TEST(HeldRunsTest, IsWhatItWouldBeEntryByEntry) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 3000; ++round) {
    Entries a, b;
    for (uint64_t seq = 1; seq <= 30; ++seq) {
      if (random() % 3 != 0) a[seq] = random() % 8 == 0 ? 2 : 1;
      if (random() % 3 != 0) b[seq] = random() % 8 == 0 ? 2 : 1;
    }
    const uint64_t first = random() % 32;
    const uint64_t last = random() % 32;
    Entries within, both = a, without, common;
    for (const auto& [seq, epoch] : a) {
      if (first <= seq && seq <= last) within[seq] = epoch;
      const auto other = b.find(seq);
      (other != b.end() && other->second == epoch ? common : without)[seq] = epoch;
    }
    both.insert(b.begin(), b.end());
    const HeldRuns runs_a = RunsOf(a);
    const HeldRuns runs_b = RunsOf(b);
    EXPECT_EQ(EntriesOf(Within(runs_a, Seq(first), Seq(last))), within);
    EXPECT_EQ(Union(runs_a, runs_b), RunsOf(both));
    EXPECT_EQ(Without(runs_a, runs_b), RunsOf(without));
    EXPECT_EQ(Common(runs_a, runs_b), RunsOf(common));
    EXPECT_EQ(CountOf(runs_a), a.size());
  }
}

}  // namespace
}  // namespace homeport::quorum_queue
