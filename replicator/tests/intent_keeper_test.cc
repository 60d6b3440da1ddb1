#include "replicator/intent_keeper.h"

#include <gtest/gtest.h>

#include "core/messaging/draft.h"
#include "core/messaging/entry.h"
#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "replicator/tests/shard_bench.h"

namespace homeport::replicator {
namespace {

const StreamId kOwn(kHere, ShardId(0));

// A shard that serves, and rows that it has kept for kThere, which is back.
struct Kept {
  ShardBench bench;

  // One row for each seq.
  void Put(uint64_t first, uint64_t last) {
    core::WriteBatch batch;
    for (uint64_t seq = first; seq <= last; ++seq) {
      core::Intent intent;
      const core::Uin to(core::MakeId(kThere, 8));
      batch.Put(core::KeptKey(kThere, kOwn, Seq(seq), 0),
                core::EncodeRow({{}, core::Version(1)}, false,
                                core::EncodePendingIntent({kThere, ShardId(0), {}, {to}}, intent)));
    }
    ASSERT_TRUE(bench.store.Write(batch).ok());
  }
  // An entry of kThere says so.
  void ConsumedThrough(uint64_t seq) {
    core::Draft draft(core::WallMs(1));
    draft.Consumed(kThere, kOwn, {Seq(seq), 0});
    core::WriteBatch batch;
    core::ApplySummary summary;
    const StreamId stream(kThere, ShardId(0));
    const Seq next = core::AppliedSeq(bench.store, stream) + 1;
    ASSERT_TRUE(
        core::ApplyEntry(bench.store, {kHere, 1}, stream, next, draft.Encode(), &batch, &summary)
            .ok());
    ASSERT_TRUE(bench.store.Write(batch).ok());
  }
  std::vector<uint64_t> Live() const {
    std::vector<uint64_t> live;
    const std::string prefix = core::KeptPrefix(kOwn, kThere);
    bench.store.Scan(prefix, core::PrefixEnd(prefix),
                     [&](std::string_view key, std::string_view value) {
                       const auto row = core::DecodeRow(value);
                       if (!row->deleted) live.push_back(core::PlaceOfKeptKey(key).seq.value());
                       return true;
                     });
    return live;
  }
  // Nobody is away; then everything the shard has to do.
  void Round() {
    bench.SetAway({});
    for (int turn = 0; turn < 20; ++turn) bench.Commit();
  }
};

TEST(IntentKeeperTest, DropsAllRowsThatWereConsumedInOneRound) {
  Kept kept;
  kept.bench.StartReady();
  kept.Put(1, 5000);
  kept.ConsumedThrough(4990);
  kept.Round();
  EXPECT_EQ(kept.Live(),
            (std::vector<uint64_t>{4991, 4992, 4993, 4994, 4995, 4996, 4997, 4998, 4999, 5000}));
  kept.ConsumedThrough(4995);
  kept.Round();
  EXPECT_EQ(kept.Live(), (std::vector<uint64_t>{4996, 4997, 4998, 4999, 5000}));
  kept.ConsumedThrough(5000);
  kept.Round();
  EXPECT_TRUE(kept.Live().empty());
}

TEST(IntentKeeperTest, LooksAgainForARegionThatWasAwayAgain) {
  Kept kept;
  kept.bench.StartReady();
  kept.Put(1, 10);
  kept.ConsumedThrough(10);
  kept.Round();
  kept.Round();
  ASSERT_TRUE(kept.Live().empty());
  kept.bench.SetAway({{kThere, Seq(10)}});
  kept.bench.Commit();
  kept.Put(11, 20);
  kept.ConsumedThrough(20);
  kept.Round();
  EXPECT_TRUE(kept.Live().empty());
}

}  // namespace
}  // namespace homeport::replicator
