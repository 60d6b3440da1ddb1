#include "quorum_queue/writer_takeover.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

using std::chrono::milliseconds;

constexpr uint64_t kBytesMax = 1 << 20;
constexpr uint64_t kEntriesMax = 4096;

core::Instant At(int64_t ms) {
  return core::Instant(milliseconds(1000 + ms));
}

IndexedFenceAnswer Answer(size_t replica, Chain chain, uint64_t committed,
                          std::vector<EntryRun> runs, uint64_t trimmed = 0) {
  IndexedFenceAnswer one{replica, {}};
  one.answer.chain = std::move(chain);
  one.answer.committed = Seq(committed);
  one.answer.trimmed = Seq(trimmed);
  one.answer.runs = std::move(runs);
  return one;
}

TakeoverDecision DecideFor(const std::vector<IndexedFenceAnswer>& answers, uint64_t epoch = 9) {
  return Decide(answers, WriterEpoch(epoch), kBytesMax, kEntriesMax);
}

TEST(DecideTest, AnEmptyStreamBeginsAtOne) {
  const TakeoverDecision d = DecideFor({Answer(0, {}, 0, {}), Answer(1, {}, 0, {})});
  EXPECT_EQ(d.base, Seq(0));
  EXPECT_EQ(d.last, Seq(0));
  EXPECT_TRUE(d.fills.empty());
  EXPECT_EQ(d.chain, MakeChain({{9, 1}}));
}

TEST(DecideTest, KeepsWhatOneReplicaAloneShows) {
  const Chain chain = MakeChain({{3, 1}});
  const TakeoverDecision d =
      DecideFor({Answer(0, chain, 2, {}), Answer(2, chain, 2, {MakeRun(3, 3, 2)})});
  EXPECT_EQ(d.base, Seq(2));
  EXPECT_EQ(d.last, Seq(4));
  ASSERT_EQ(d.fills.size(), 1u);
  EXPECT_EQ(d.fills[0].stored, 0b100u);
  EXPECT_EQ(d.fills[0].run.epoch, WriterEpoch(3));
  EXPECT_EQ(d.chain, MakeChain({{3, 1}, {9, 5}}));
}

TEST(DecideTest, EndsAtAHole) {
  const Chain chain = MakeChain({{3, 1}});
  const TakeoverDecision d = DecideFor(
      {Answer(0, chain, 0, {MakeRun(1, 3, 2), MakeRun(4, 3, 2)}), Answer(1, chain, 0, {})});
  EXPECT_EQ(d.last, Seq(2));
}

TEST(DecideTest, TakesTheChainOfTheHighestEpochAndOnlyWhatIsValidUnderIt) {
  // Epoch 4 opened at 3: what epoch 3 wrote from there on was never acknowledged.
  const TakeoverDecision d =
      DecideFor({Answer(0, MakeChain({{3, 1}}), 0, {MakeRun(1, 3, 5)}),
                 Answer(1, MakeChain({{3, 1}, {4, 3}}), 0, {MakeRun(1, 3, 2), MakeRun(3, 4, 1)})});
  EXPECT_EQ(d.last, Seq(3));
  ASSERT_EQ(d.fills.size(), 2u);
  EXPECT_EQ(d.fills[0].run.epoch, WriterEpoch(3));
  EXPECT_EQ(d.fills[0].run.count(), 2u);
  EXPECT_EQ(d.fills[0].stored, 0b11u);
  EXPECT_EQ(d.fills[1].run.epoch, WriterEpoch(4));
  EXPECT_EQ(d.fills[1].stored, 0b10u);
}

TEST(DecideTest, BaseIsAtLeastWhatAnyAnswerTrimmed) {
  const TakeoverDecision d = DecideFor({Answer(0, MakeChain({{3, 1}}), 4, {MakeRun(5, 3, 6)}, 0),
                                        Answer(1, MakeChain({{3, 1}}), 8, {MakeRun(9, 3, 1)}, 8)});
  EXPECT_EQ(d.base, Seq(8));
  EXPECT_EQ(d.trimmed, Seq(8));
  ASSERT_FALSE(d.fills.empty());
  EXPECT_EQ(d.fills[0].run.first, Seq(9));
  EXPECT_EQ(d.last, Seq(10));
}

TEST(DecideTest, DropsLinksThatWereNeverReachedAndThoseWhollyTrimmed) {
  const Chain chain = MakeChain({{2, 1}, {3, 5}, {4, 9}, {6, 20}});
  const TakeoverDecision d = DecideFor({Answer(0, chain, 10, {}, 8), Answer(1, chain, 10, {}, 8)});
  EXPECT_EQ(d.last, Seq(10));
  EXPECT_EQ(d.chain, MakeChain({{4, 9}, {9, 11}}));
}

TEST(DecideTest, BatchesAreBounded) {
  const Chain chain = MakeChain({{3, 1}});
  const std::vector<IndexedFenceAnswer> answers = {
      Answer(0, chain, 0, {MakeRun(1, 3, {"aaaa", "bbbb", "cc", "dd", "e", "a long one"})}),
      Answer(1, chain, 0, {})};
  const TakeoverDecision d = Decide(answers, WriterEpoch(9), 8, 3);
  std::vector<uint64_t> counts;
  for (const Batch& fill : d.fills) counts.push_back(fill.run.count());
  EXPECT_EQ(counts, (std::vector<uint64_t>{2, 3, 1}));
  EXPECT_EQ(d.last, Seq(6));
}

// ---- a dumb twin: entry by entry, as the design says it

struct Twin {
  uint64_t base = 0;
  std::vector<EntryRun> entries;  // of one each
  uint64_t last = 0;
};

Twin DecideDumbly(const std::vector<IndexedFenceAnswer>& answers) {
  Twin twin;
  Chain chain;
  for (const auto& one : answers) {
    twin.base = std::max({twin.base, one.answer.committed.value(), one.answer.trimmed.value()});
    if (LastEpoch(one.answer.chain) > LastEpoch(chain)) chain = one.answer.chain;
  }
  twin.last = twin.base;
  while (true) {
    const Seq seq(twin.last + 1);
    std::optional<EntryRun> found;
    for (const auto& one : answers) {
      for (const EntryRun& run : one.answer.runs) {
        if (seq >= run.first && seq <= run.last() && run.epoch == EpochAt(chain, seq)) {
          found = SliceRun(run, seq, 1);
        }
      }
    }
    if (!found) return twin;
    twin.entries.push_back(*found);
    ++twin.last;
  }
}

IndexedFenceAnswer RandomAnswer(size_t replica, std::mt19937_64& random) {
  static const Chain kChains[] = {MakeChain({{1, 1}}), MakeChain({{1, 1}, {2, 4}}),
                                  MakeChain({{1, 1}, {2, 4}, {3, 7}}), MakeChain({{1, 1}, {3, 6}})};
  const Chain& chain = kChains[random() % 4];
  const uint64_t committed = random() % 4;
  std::vector<EntryRun> runs;
  for (uint64_t seq = committed + 1; seq < 12;) {
    const uint64_t count = 1 + random() % 3;
    const WriterEpoch valid = EpochAt(chain, Seq(seq));
    const uint64_t epoch = random() % 5 ? valid.value() : 1 + random() % 3;
    if (random() % 6) runs.push_back(MakeRun(seq, epoch, count));
    seq += count;
  }
  return Answer(replica, chain, committed, std::move(runs), random() % (committed + 1));
}

TEST(DecideTest, AgreesWithADumbTwin) {
  for (uint64_t seed = 1; seed <= 3000; ++seed) {
    std::mt19937_64 random(seed);
    std::vector<IndexedFenceAnswer> answers;
    const size_t n = 2 + random() % 2;
    for (size_t r = 0; r < n; ++r) answers.push_back(RandomAnswer(r, random));
    const Twin twin = DecideDumbly(answers);
    const TakeoverDecision d = Decide(answers, WriterEpoch(9), 20, 1 + random() % 4);
    ASSERT_EQ(d.base.value(), twin.base) << seed;
    ASSERT_EQ(d.last.value(), twin.last) << seed;
    size_t i = 0;
    for (const Batch& fill : d.fills) {
      for (Seq seq = fill.run.first; seq <= fill.run.last(); ++seq, ++i) {
        ASSERT_EQ(seq, twin.entries[i].first) << seed;
        ASSERT_EQ(fill.run.epoch, twin.entries[i].epoch) << seed;
        ASSERT_EQ(SliceRun(fill.run, seq, 1).body.view(), twin.entries[i].body.view()) << seed;
      }
    }
    ASSERT_EQ(i, twin.entries.size()) << seed;
    ASSERT_TRUE(IsWellFormed(d.chain)) << seed;
  }
}

// ---- Takeover

Grant GrantOf(size_t groups) {
  Grant grant;
  grant.epoch = WriterEpoch(9);
  grant.groups.resize(groups);
  return grant;
}

TEST(TakeoverTest, FencesAllAtOnceAndAgainThoseThatAreSilent) {
  const WriterOptions options;
  Takeover takeover(options, GrantOf(1));
  using Due = std::vector<Takeover::FenceDue>;
  EXPECT_EQ(takeover.FencesDue(At(0)), (Due{{0, Seq(0)}, {1, Seq(0)}, {2, Seq(0)}}));
  EXPECT_EQ(takeover.Deadline(), At(250));
  takeover.Add(1, {});
  EXPECT_TRUE(takeover.FencesDue(At(249)).empty());
  EXPECT_EQ(takeover.FencesDue(At(250)), (Due{{0, Seq(0)}, {2, Seq(0)}}));
  EXPECT_EQ(takeover.Deadline(), At(750));  // doubled
}

TEST(TakeoverTest, NeedsTwoOfThreeInEveryGroup) {
  const WriterOptions options;
  Takeover takeover(options, GrantOf(2));
  takeover.Add(0, {});
  takeover.Add(1, {});
  takeover.Add(2, {});
  takeover.Add(4, {});
  takeover.Add(4, {});  // twice the same
  EXPECT_FALSE(takeover.HasQuorums());
  EXPECT_EQ(takeover.WaitingFor(), (std::vector<size_t>{3, 5}));
  takeover.Add(5, {});
  EXPECT_TRUE(takeover.HasQuorums());
}

FenceAnswer Page(uint64_t after, uint64_t through, std::vector<EntryRun> runs) {
  FenceAnswer page;
  page.chain = MakeChain({{3, 1}});
  page.runs = std::move(runs);
  page.after = Seq(after);
  page.through = Seq(through);
  return page;
}

TEST(TakeoverTest, AsksForPageAfterPageAndCountsTheReplicaWithItsLast) {
  const WriterOptions options;
  Takeover takeover(options, GrantOf(1));
  takeover.FencesDue(At(0));
  takeover.Add(1, Page(0, 0, {}));
  takeover.Add(0, Page(0, 2, {MakeRun(1, 3, 2)}));
  EXPECT_FALSE(takeover.HasQuorums());
  using Due = std::vector<Takeover::FenceDue>;
  EXPECT_EQ(takeover.FencesDue(At(1)), (Due{{0, Seq(2)}})) << "at once";
  EXPECT_EQ(takeover.FencesDue(At(251)), (Due{{0, Seq(2)}, {2, Seq(0)}})) << "and again";
  FenceAnswer second = Page(2, 4, {MakeRun(3, 3, 2)});
  second.committed = second.trimmed = Seq(1);  // trimmed between the pages
  takeover.Add(0, second);
  EXPECT_FALSE(takeover.HasQuorums());
  takeover.Add(0, Page(4, 0, {MakeRun(5, 3, 1)}));
  ASSERT_TRUE(takeover.HasQuorums());
  const TakeoverDecision d = takeover.Decide();
  EXPECT_EQ(d.base, Seq(1));
  EXPECT_EQ(d.trimmed, Seq(1));
  EXPECT_EQ(d.last, Seq(5));
}

TEST(TakeoverTest, IgnoresPagesThatComeTwiceLateOrOutOfOrder) {
  const WriterOptions options;
  Takeover takeover(options, GrantOf(1));
  takeover.FencesDue(At(0));
  takeover.Add(1, Page(0, 0, {}));
  takeover.Add(0, Page(2, 0, {MakeRun(3, 3, 2)}));  // not asked for yet
  EXPECT_FALSE(takeover.HasQuorums());
  takeover.Add(0, Page(0, 2, {MakeRun(1, 3, 2)}));
  takeover.Add(0, Page(0, 2, {MakeRun(1, 3, 2)}));
  EXPECT_FALSE(takeover.HasQuorums());
  takeover.Add(0, Page(0, 0, {}));  // the first one again, of a time when it was the last
  EXPECT_FALSE(takeover.HasQuorums());
  takeover.Add(0, Page(2, 0, {MakeRun(3, 3, 2)}));
  ASSERT_TRUE(takeover.HasQuorums());
  EXPECT_EQ(takeover.Decide().last, Seq(4));
}

TEST(TakeoverTest, DecidesWithoutTheReplicaWhosePagesAreNotAllThere) {
  const WriterOptions options;
  Takeover takeover(options, GrantOf(1));
  takeover.Add(2, Page(0, 9, {MakeRun(1, 3, 9)}));
  takeover.Add(1, Page(0, 0, {}));
  EXPECT_EQ(takeover.WaitingFor(), (std::vector<size_t>{0, 2}));
  takeover.Add(0, Page(0, 0, {}));
  ASSERT_TRUE(takeover.HasQuorums());
  EXPECT_EQ(takeover.Decide().last, Seq(0));
}

TEST(TakeoverTest, IgnoresAnswersOnceDecidedAndThoseOfALaterChain) {
  const WriterOptions options;
  Takeover takeover(options, GrantOf(1));
  FenceAnswer later;
  later.chain = MakeChain({{9, 1}});
  takeover.Add(0, later);
  takeover.Add(1, {});
  EXPECT_FALSE(takeover.HasQuorums());
  takeover.Add(2, {});
  ASSERT_TRUE(takeover.HasQuorums());
  EXPECT_EQ(takeover.Decide().last, Seq(0));
  FenceAnswer more;
  more.committed = Seq(7);
  takeover.Add(0, more);
  EXPECT_FALSE(takeover.Deadline().has_value());
  EXPECT_TRUE(takeover.FencesDue(At(5000)).empty());
  EXPECT_DEATH(takeover.Decide(), "decided once");
}

}  // namespace
}  // namespace homeport::quorum_queue
