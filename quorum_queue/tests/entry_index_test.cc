#include "quorum_queue/entry_index.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

namespace homeport::quorum_queue {
namespace {

RunLocation At(uint64_t first, uint64_t count, uint64_t epoch, uint64_t record) {
  return {.first = Seq(first),
          .count = count,
          .epoch = WriterEpoch(epoch),
          .record = RecordNumber(record),
          .record_first = Seq(first),
          .record_count = count,
          .record_bytes = count * 10 + record % 7};
}

TEST(EntryIndexTest, ReplacesPartsOfRuns) {
  EntryIndex index;
  index.Put(At(1, 10, 1, 1));
  index.Put(At(4, 3, 2, 2));
  const auto runs = index.RunsAfter(Seq(0));
  ASSERT_EQ(runs.size(), 3u);
  EXPECT_EQ(runs[0].count, 3u);
  EXPECT_EQ(runs[1].record, RecordNumber(2));
  EXPECT_EQ(runs[2].first, Seq(7));
  EXPECT_EQ(runs[2].record_first, Seq(1));
  EXPECT_EQ(index.entries(), 10u);
  EXPECT_EQ(index.last(), Seq(10));
}

TEST(EntryIndexTest, ForgetsARecordOnlyWithItsLastEntry) {
  EntryIndex index;
  EXPECT_EQ(index.LowestRecord(), std::nullopt);
  index.Put(At(1, 10, 1, 5));
  index.Put(At(3, 2, 1, 6));  // record 5 now stands on both sides
  index.DropThrough(Seq(2));
  EXPECT_EQ(index.LowestRecord(), RecordNumber(5));
  index.DropThrough(Seq(9));
  EXPECT_EQ(index.LowestRecord(), RecordNumber(5));
  index.DropThrough(Seq(10));
  EXPECT_EQ(index.LowestRecord(), std::nullopt);
  EXPECT_EQ(index.entries(), 0u);
}

TEST(EntryIndexTest, KeepsEntriesOfTheSameEpochWhenPuttingMissing) {
  EntryIndex index;
  index.Put(At(3, 2, 7, 1));
  index.Put(At(5, 1, 6, 2));
  index.PutMissing(At(1, 8, 7, 3));
  EXPECT_EQ(index.Find(Seq(3))->record, RecordNumber(1));
  EXPECT_EQ(index.Find(Seq(4))->record, RecordNumber(1));
  EXPECT_EQ(index.Find(Seq(5))->record, RecordNumber(3));  // of another epoch: replaced
  EXPECT_EQ(index.Find(Seq(8))->record, RecordNumber(3));
  EXPECT_TRUE(index.Holds(Seq(1), Seq(8), WriterEpoch(7)));
  EXPECT_FALSE(index.Holds(Seq(1), Seq(9), WriterEpoch(7)));
}

TEST(EntryIndexTest, StopsContiguousAtAHoleAndAtEachLimit) {
  EntryIndex index;
  index.Put(At(1, 5, 1, 1));
  index.Put(At(6, 5, 1, 2));
  index.Put(At(12, 5, 1, 3));
  EXPECT_EQ(index.Contiguous(Seq(3), Seq(100), 100, 100).back().last(), Seq(10));
  EXPECT_EQ(index.Contiguous(Seq(3), Seq(8), 100, 100).back().last(), Seq(8));
  EXPECT_EQ(index.Contiguous(Seq(3), Seq(100), 4, 100).back().last(), Seq(6));
  EXPECT_EQ(index.Contiguous(Seq(3), Seq(100), 100, 1).size(), 1u);
  EXPECT_EQ(index.Contiguous(Seq(1), Seq(100), 100, 100, 60).size(), 1u);
  EXPECT_EQ(index.Contiguous(Seq(1), Seq(100), 100, 100, 1).size(), 1u) << "at least one run";
  EXPECT_TRUE(index.Contiguous(Seq(11), Seq(100), 100, 100).empty());
  EXPECT_TRUE(index.Contiguous(Seq(3), Seq(2), 100, 100).empty());
}

TEST(EntryIndexTest, PartsOfARunAddUpToItsBytes) {
  RunLocation run = At(10, 7, 1, 1);
  run.record_bytes = 1003;
  uint64_t sum = 0;
  for (uint64_t seq = 10; seq <= 16; ++seq) sum += Clip(run, Seq(seq), Seq(seq)).bytes();
  EXPECT_EQ(sum, 1003u);
  EXPECT_EQ(Clip(run, Seq(10), Seq(12)).bytes() + Clip(run, Seq(13), Seq(16)).bytes(), 1003u);
}

TEST(EntryIndexTest, DropsWhatIsNotValidUnderTheChain) {
  EntryIndex index;
  index.Put(At(1, 10, 1, 1));
  index.Put(At(11, 5, 2, 2));
  const Chain chain = {{WriterEpoch(1), Seq(1)}, {WriterEpoch(3), Seq(8)}};
  EXPECT_TRUE(index.HoldsInvalid(chain, Seq(8)));
  EXPECT_FALSE(index.HoldsInvalid(chain, Seq(7)));
  index.DropInvalid(chain);
  EXPECT_EQ(index.last(), Seq(7));
  EXPECT_EQ(index.entries(), 7u);
  EXPECT_FALSE(index.HoldsInvalid(chain, Seq(100)));
}

// The dumb twin: one item per seq.
struct Twin {
  struct Entry {
    uint64_t epoch;
    uint64_t record;
    bool operator==(const Entry&) const = default;
  };
  std::map<uint64_t, Entry> entries;

  void Put(const RunLocation& run) {
    for (uint64_t s = run.first.value(); s <= run.last().value(); ++s) {
      entries[s] = {run.epoch.value(), run.record.value()};
    }
  }
  void PutMissing(const RunLocation& run) {
    for (uint64_t s = run.first.value(); s <= run.last().value(); ++s) {
      const auto held = entries.find(s);
      if (held != entries.end() && held->second.epoch == run.epoch.value()) continue;
      entries[s] = {run.epoch.value(), run.record.value()};
    }
  }
  void DropInvalid(const Chain& chain, Seq after) {
    std::erase_if(entries, [&](const auto& e) {
      return Seq(e.first) > after && EpochAt(chain, Seq(e.first)) != WriterEpoch(e.second.epoch);
    });
  }
  void DropThrough(Seq seq) {
    std::erase_if(entries, [&](const auto& e) { return Seq(e.first) <= seq; });
  }
};

std::map<uint64_t, Twin::Entry> Spread(const std::vector<RunLocation>& runs) {
  Twin twin;
  for (const RunLocation& run : runs) twin.Put(run);
  return twin.entries;
}

void ExpectSame(const EntryIndex& index, const Twin& twin, std::mt19937_64& random) {
  ASSERT_TRUE(index.IsConsistent());
  ASSERT_EQ(Spread(index.RunsAfter(Seq(0))), twin.entries);
  ASSERT_EQ(index.entries(), twin.entries.size());
  std::set<uint64_t> records;
  for (const auto& [seq, entry] : twin.entries) records.insert(entry.record);
  ASSERT_EQ(index.LowestRecord().has_value(), !records.empty());
  if (!records.empty()) {
    ASSERT_EQ(index.LowestRecord()->value(), *records.begin());
    ASSERT_EQ(index.first().value(), twin.entries.begin()->first);
    ASSERT_EQ(index.last().value(), twin.entries.rbegin()->first);
  }

  const uint64_t from = random() % 40 + 1, through = random() % 40 + 1, max = random() % 20;
  std::map<uint64_t, Twin::Entry> expected;
  for (uint64_t s = from; s <= through && expected.size() < max && twin.entries.contains(s); ++s) {
    expected[s] = twin.entries.at(s);
  }
  ASSERT_EQ(Spread(index.Contiguous(Seq(from), Seq(through), max, 100)), expected);

  const auto found = index.Find(Seq(from));
  ASSERT_EQ(found.has_value(), twin.entries.contains(from));
  if (found) {
    ASSERT_EQ(found->first, Seq(from));
    ASSERT_EQ(found->epoch.value(), twin.entries.at(from).epoch);
  }
  auto above = twin.entries;
  std::erase_if(above, [&](const auto& e) { return e.first <= from; });
  ASSERT_EQ(Spread(index.RunsAfter(Seq(from))), above);

  const uint64_t epoch = random() % 4 + 1, last = from + random() % 4;
  bool holds = true;
  for (uint64_t s = from; s <= last; ++s) {
    holds = holds && twin.entries.contains(s) && twin.entries.at(s).epoch == epoch;
  }
  ASSERT_EQ(index.Holds(Seq(from), Seq(last), WriterEpoch(epoch)), holds);
}

TEST(EntryIndexTest, PackedRunsComeOutAsTheyWentIn) {
  std::mt19937_64 random(7);
  const auto number = [&](uint64_t max) { return random() % 3 == 0 ? random() % max : 1; };
  for (int round = 0; round < 200; ++round) {
    std::vector<RunLocation> runs;
    uint64_t seq = number(uint64_t{1} << 50);
    for (uint64_t i = 0; i < 1 + random() % 50; ++i) {
      RunLocation run;
      run.first = Seq(seq + number(1000));
      run.count = 1 + number(1 << 20);
      run.epoch = WriterEpoch(number(UINT64_MAX));
      run.record = RecordNumber(number(uint64_t{1} << 40));
      run.record_first = Seq(run.first.value() - number(run.first.value()));
      run.record_count = random() % 5 == 0 ? 0 : run.count + number(100);
      run.record_bytes = number(uint64_t{1} << 32);
      seq = run.last().value() + 1;
      runs.push_back(run);
    }
    const RunBlock block(runs);
    ASSERT_EQ(block.Unpack(), runs);
    ASSERT_EQ(block.last(), runs.back().last());
    ASSERT_EQ(block.count(), runs.size());
  }
}

TEST(EntryIndexTest, DropsARecordWhereverItsRunsAre) {
  EntryIndex index(2);
  for (uint64_t i = 0; i < 20; ++i) index.Put(At(1 + 10 * i, 10, 1, 100 + i % 3));
  const auto dropped = index.DropRecord(RecordNumber(101));
  EXPECT_EQ(dropped.size(), 7u);
  EXPECT_EQ(dropped.front().first, Seq(11));
  EXPECT_EQ(dropped.back().first, Seq(191));
  EXPECT_EQ(index.entries(), 130u);
  EXPECT_EQ(index.Find(Seq(15)), std::nullopt);
  EXPECT_TRUE(index.IsConsistent());
  EXPECT_TRUE(index.DropRecord(RecordNumber(101)).empty());
  index.DropAfter(Seq(55));
  EXPECT_EQ(index.last(), Seq(55));
  EXPECT_TRUE(index.IsConsistent());
}

TEST(EntryIndexTest, DoesAsItsDumbTwin) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 random(seed);
    EntryIndex index(1 + seed % 5);
    Twin twin;
    for (uint64_t step = 1; step <= 100; ++step) {
      const RunLocation run = At(random() % 30 + 1, random() % 10 + 1, random() % 4 + 1, step);
      const uint64_t what = random() % 20;
      if (what < 9) {
        index.Put(run);
        twin.Put(run);
      } else if (what < 16) {
        index.PutMissing(run);
        twin.PutMissing(run);
      } else if (what < 18) {
        const uint64_t start = random() % 10 + 1;
        const Chain chain = {{WriterEpoch(1), Seq(start)},
                             {WriterEpoch(2), Seq(start + 1 + random() % 10)},
                             {WriterEpoch(3), Seq(start + 12 + random() % 10)}};
        const Seq after(random() % 3 == 0 ? random() % 30 : 0);
        bool invalid = false;
        for (const auto& [seq, entry] : twin.entries) {
          invalid |= Seq(seq) <= after && EpochAt(chain, Seq(seq)) != WriterEpoch(entry.epoch);
        }
        ASSERT_EQ(index.HoldsInvalid(chain, after), invalid) << "seed " << seed;
        index.DropInvalid(chain, after);
        twin.DropInvalid(chain, after);
      } else {
        const Seq through(random() % 12);
        index.DropThrough(through);
        twin.DropThrough(through);
      }
      ASSERT_NO_FATAL_FAILURE(ExpectSame(index, twin, random))
          << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace homeport::quorum_queue
