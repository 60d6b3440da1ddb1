// One rule of design section 5, rule 7 after the other.
#include "replicator/trimmer.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/memory_store.h"
#include "core/messaging/keys.h"

namespace homeport::replicator {
namespace {

using core::AwayRegion;
using core::Report;
using std::chrono::seconds;

constexpr Incarnation kHere{1};
constexpr Incarnation kB{2};
constexpr Incarnation kC{3};
const StreamId kOwn(kHere, ShardId(0));
const StreamId kOwn1(kHere, ShardId(1));
const StreamId kOfB(kB, ShardId(0));
const StreamId kOfB1(kB, ShardId(1));
const StreamId kOfC(kC, ShardId(0));

class Bench {
 public:
  Bench() {
    options.self = kHere;
    options.regions = {kHere, kB, kC};
    options.shards = 2;
    Start();
  }
  void Start() { trimmer = std::make_unique<Trimmer>(options, &store); }

  // Entries up to `through` are applied here; the last one has this report.
  void Apply(StreamId stream, uint64_t through, std::optional<Report> report = {},
             bool work = true) {
    for (uint64_t& seq = applied[stream]; seq < through;) {
      ++seq;
      const bool last = seq == through;
      trimmer->Applied({stream, Seq(seq), 1000, work && !(last && report.has_value()),
                        last ? report : std::nullopt});
    }
  }
  // B, or C, reports that it has all of these, consumed.
  void Tell(Incarnation from, std::vector<core::StreamPosition> positions,
            std::vector<AwayRegion> away = {}) {
    std::sort(positions.begin(), positions.end(),
              [](const auto& a, const auto& b) { return a.stream < b.stream; });
    const StreamId stream(from, ShardId(0));
    Apply(stream, applied[stream] + 1, Report{std::move(positions), std::move(away)});
  }
  void Round() {
    trimmer->Mark(now, unconsumed);
    trimmer->Flushed();
    now += seconds(1);
  }
  uint64_t trimmed(StreamId stream) const { return trimmer->trimmed(stream).value(); }

  TrimmerOptions options;
  core::MemoryStore store;
  std::unique_ptr<Trimmer> trimmer;
  std::map<StreamId, uint64_t> applied;
  std::optional<Trimmer::Unconsumed> unconsumed = Trimmer::Unconsumed();
  Instant now{seconds(100)};
};

core::StreamPosition Has(StreamId stream, uint64_t applied) {
  return {stream, Seq(applied), Seq(applied)};
}

TEST(TrimmerTest, TrimsAnOwnStreamToTheLowestOfAllRegions) {
  Bench t;
  t.Apply(kOwn, 10);
  t.Tell(kB, {Has(kOwn, 7)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 0u) << "C has told nothing";
  t.Tell(kC, {Has(kOwn, 4)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 4u);
  t.Tell(kC, {Has(kOwn, 9)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 7u);
}

TEST(TrimmerTest, TrimsARelayedStreamByTheSameRuleItsHomeIncluded) {
  Bench t;
  t.Apply(kOfB1, 10);
  t.Tell(kC, {Has(kOfB1, 9)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOfB1), 0u) << "B's own store may lack them";
  t.Tell(kB, {Has(kOfB1, 8)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOfB1), 8u);
}

TEST(TrimmerTest, TrimsNothingThatIsNotOnThisDisk) {
  Bench t;
  t.Apply(kOwn, 5);
  t.Tell(kB, {Has(kOwn, 10)});
  t.Tell(kC, {Has(kOwn, 10)});
  t.trimmer->Mark(t.now, t.unconsumed);
  t.Apply(kOwn, 10);
  EXPECT_EQ(t.trimmed(kOwn), 0u) << "marked, not flushed";
  t.trimmer->Flushed();
  EXPECT_EQ(t.trimmed(kOwn), 5u) << "not what came after the mark";
}

TEST(TrimmerTest, AFailedFlushTrimsAndReportsNothing) {
  Bench t;
  t.Apply(kOwn, 5);
  t.Tell(kB, {Has(kOwn, 5)});
  t.Tell(kC, {Has(kOwn, 5)});
  t.trimmer->Mark(t.now, t.unconsumed);
  EXPECT_FALSE(t.trimmer->dirty());
  t.trimmer->FlushFailed();
  EXPECT_TRUE(t.trimmer->dirty());
  EXPECT_EQ(t.trimmed(kOwn), 0u);
  EXPECT_FALSE(t.trimmer->TakeReport().has_value());
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 5u);
}

TEST(TrimmerTest, WaitsForIntentsThatAnyShardHasNotConsumed) {
  Bench t;
  t.Apply(kOwn, 10);
  t.unconsumed = Trimmer::Unconsumed{{kOwn, Seq(6)}};
  t.Tell(kB, {{kOwn, Seq(10), Seq(8)}});
  t.Tell(kC, {{kOwn, Seq(10), Seq(3)}});
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 3u) << "C has not consumed the fourth";
  t.Tell(kC, {Has(kOwn, 10)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 5u) << "a shard of this region has not consumed the sixth";
  t.unconsumed->clear();
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 8u);
}

TEST(TrimmerTest, BelievesConsumedOnlyWithTheEntriesThatConsumed) {
  Bench t;
  t.Apply(kOwn, 10);
  t.Tell(kC, {Has(kOwn, 10)});
  // B says so in shard 0; the entries that consumed stand in its shard 1 up to 20.
  t.Apply(kOfB1, 19);
  t.Tell(kB, {Has(kOwn, 10), Has(kOfB1, 20)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 0u) << "if B died now, its heir would find them not consumed";
  t.Apply(kOfB1, 20);
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 10u);
}

TEST(TrimmerTest, AReportIsBelievedEvenIfLaterOnesAlwaysRunAhead) {
  Bench t;
  t.Apply(kOwn, 1000);
  t.Tell(kC, {Has(kOwn, 1000)});
  for (uint64_t n = 1; n <= 100; ++n) {
    t.Tell(kB, {Has(kOwn, n), Has(kOfB1, 10 * n)});
    t.Apply(kOfB1, 5 * n);
    t.Round();
  }
  EXPECT_GT(t.trimmed(kOwn), 0u);
  t.Apply(kOfB1, 1000);
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 100u) << "the last one is among those kept";
}

TEST(TrimmerTest, KnowsAfterARestartWhatOthersTold) {
  Bench t;
  t.Apply(kOwn, 10);
  const Report of_b{{Has(kOwn, 7)}, {}};
  const Report of_c{{Has(kOwn, 8)}, {}};
  core::WriteBatch batch;
  batch.Put(core::ReportKey(kB), core::EncodeReport(of_b));
  batch.Put(core::ReportKey(kC), core::EncodeReport(of_c));
  std::string ten(8, '\0');
  ten[7] = 10;
  batch.Put(core::AppliedKey(kOwn), ten);
  ASSERT_TRUE(t.store.Write(batch).ok());
  t.Start();
  EXPECT_TRUE(t.trimmer->dirty()) << "the first round needs no news";
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 7u);
}

// ---- reports

TEST(TrimmerTest, ReportsWhatIsOnDisk) {
  Bench t;
  t.Apply(kOwn, 3);
  t.Apply(kOfC, 4);
  t.unconsumed = Trimmer::Unconsumed{{kOfC, Seq(2)}};
  t.trimmer->Mark(t.now, t.unconsumed);
  t.Apply(kOfC, 9);
  EXPECT_FALSE(t.trimmer->TakeReport().has_value()) << "not flushed";
  t.trimmer->Flushed();
  const auto report = t.trimmer->TakeReport();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->positions,
            (std::vector<core::StreamPosition>{Has(kOwn, 3), {kOfC, Seq(4), Seq(1)}}));
  EXPECT_FALSE(t.trimmer->TakeReport().has_value()) << "told once";
}

TEST(TrimmerTest, ReportsAreNoReasonToReport) {
  Bench t;
  t.Apply(kOwn, 3);
  t.Round();
  ASSERT_TRUE(t.trimmer->TakeReport().has_value());
  for (int n = 0; n < 10; ++n) {
    t.Tell(kB, {Has(kOwn, 3)});
    t.Apply(kOwn, t.applied[kOwn] + 1, {}, false);
    t.Round();
    EXPECT_FALSE(t.trimmer->TakeReport().has_value());
  }
  t.Apply(kOfC, 1);
  t.Round();
  const auto report = t.trimmer->TakeReport();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->positions.front(), Has(kOwn, 13)) << "then all that is new is told";
}

TEST(TrimmerTest, ReportsAgainWhenIntentsGetConsumed) {
  Bench t;
  t.Apply(kOfC, 4);
  t.unconsumed = Trimmer::Unconsumed{{kOfC, Seq(2)}};
  t.Round();
  ASSERT_TRUE(t.trimmer->TakeReport().has_value());
  t.Round();
  EXPECT_FALSE(t.trimmer->TakeReport().has_value());
  t.unconsumed->clear();
  t.Round();
  const auto report = t.trimmer->TakeReport();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->positions.back(), Has(kOfC, 4));
}

TEST(TrimmerTest, SaysNothingWhileAShardDoesNotServe) {
  Bench t;
  t.Apply(kOfC, 4);
  t.unconsumed.reset();
  t.Round();
  EXPECT_FALSE(t.trimmer->TakeReport().has_value());
  EXPECT_TRUE(t.trimmer->dirty()) << "that it serves is news, too";
  t.unconsumed.emplace();
  t.Round();
  EXPECT_TRUE(t.trimmer->TakeReport().has_value());
  EXPECT_FALSE(t.trimmer->dirty());
}

// ---- retention

class RetentionBench : public Bench {
 public:
  RetentionBench() {
    options.retention_time = seconds(60);
    Start();
    Apply(kOwn, 10);
    Tell(kB, {Has(kOwn, 10)});
    Tell(kC, {Has(kOwn, 4)});
    Round();
  }
};

class RetentionTest : public testing::Test {
 protected:
  RetentionBench t;
};

TEST(TrimmerTest, ARegionThatIsAwayForTooLongIsGivenUpAndComesBack) {
  RetentionBench t;
  EXPECT_EQ(t.trimmed(kOwn), 4u);
  for (int n = 0; n < 59; ++n) t.Round();
  EXPECT_TRUE(t.trimmer->away().empty());
  for (int n = 0; n < 2; ++n) t.Round();
  ASSERT_EQ(t.trimmer->away().size(), 1u);
  EXPECT_EQ(t.trimmer->away()[0], (AwayRegion{kC, kOwn, Seq(10), Seq(0)}));
  EXPECT_EQ(t.trimmer->TakeReport()->away, t.trimmer->away());
  EXPECT_EQ(t.trimmed(kOwn), 4u) << "what it has not consumed must not be lost";
  t.trimmer->SetKept(kC, kOwn, Seq(8));
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 8u) << "kept as rows up to there";
  EXPECT_TRUE(t.trimmer->Lost(t.trimmer->away()[0]));
  t.Tell(kC, {Has(kOwn, 9)});
  t.Round();
  EXPECT_EQ(t.trimmer->away().size(), 1u);
  EXPECT_FALSE(t.trimmer->Lost(t.trimmer->away()[0]));
  t.Tell(kC, {Has(kOwn, 10)});
  t.Round();
  EXPECT_TRUE(t.trimmer->away().empty());
  EXPECT_EQ(t.trimmed(kOwn), 10u);
}

TEST(TrimmerTest, OneThatIsBehindButMovesIsNotGivenUp) {
  RetentionBench t;
  for (uint64_t n = 10; n < 200; ++n) {
    t.Apply(kOwn, n + 1);
    t.Tell(kB, {Has(kOwn, n)});
    t.Tell(kC, {Has(kOwn, n - 6)});
    t.Round();
    ASSERT_TRUE(t.trimmer->away().empty()) << n;
  }
}

TEST(TrimmerTest, AnIdleStreamGivesNobodyUp) {
  RetentionBench t;
  t.Tell(kC, {Has(kOwn, 10)});
  t.Apply(kOwn, 12, {}, false);  // reports of this region
  for (int n = 0; n < 500; ++n) t.Round();
  t.Apply(kOwn, 13);
  t.Round();
  EXPECT_TRUE(t.trimmer->away().empty()) << "missing work counts, not missing reports";
}

TEST(TrimmerTest, GivesUpByBytesToo) {
  RetentionBench t;
  t.options.retention_time = seconds(0);
  t.options.retention_bytes = 50'000;
  t.Start();
  t.Tell(kB, {Has(kOwn, 10)});
  t.Tell(kC, {Has(kOwn, 10)});
  t.Apply(kOwn, 11);
  t.Round();
  t.Apply(kOwn, 60);
  t.Round();
  EXPECT_TRUE(t.trimmer->away().empty());
  t.Apply(kOwn, 64);
  t.Round();
  EXPECT_EQ(t.trimmer->away().size(), 2u) << "B and C";
}

TEST_F(RetentionTest, WithoutAnyOtherRegionNothingIsTrimmed) {
  for (int n = 0; n < 3; ++n) t.Apply(kOwn, 20 + static_cast<uint64_t>(n));
  for (int n = 0; n < 70; ++n) t.Round();
  ASSERT_EQ(t.trimmer->away().size(), 2u) << "B has stopped, too";
  t.trimmer->SetKept(kB, kOwn, Seq(22));
  t.trimmer->SetKept(kC, kOwn, Seq(22));
  t.Round();
  EXPECT_EQ(t.trimmed(kOwn), 10u) << "of the rest this store would be the only copy";
}

TEST(TrimmerTest, RelaysFollowTheHomeInGivingUp) {
  Bench t;
  t.Apply(kOfB1, 10);
  t.Tell(kB, {Has(kOfB1, 10)}, {{kC, kOfB1, Seq(10), Seq(6)}});
  t.Round();
  EXPECT_EQ(t.trimmed(kOfB1), 6u);
  t.Tell(kC, {Has(kOfB1, 10)});
  t.Round();
  EXPECT_EQ(t.trimmed(kOfB1), 10u);
}

}  // namespace
}  // namespace homeport::replicator
