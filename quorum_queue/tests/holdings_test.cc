// Holdings: what a replica says it holds, from the index to the wire.
#include <gtest/gtest.h>

#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

RunInfo Held(uint64_t first, uint64_t count, uint64_t epoch, uint64_t bytes) {
  return {Seq(first), count, WriterEpoch(epoch), bytes};
}

RunLocation At(uint64_t first, uint64_t count, uint64_t epoch, uint64_t record) {
  return {.first = Seq(first),
          .count = count,
          .epoch = WriterEpoch(epoch),
          .record = RecordNumber(record),
          .record_first = Seq(first),
          .record_count = count,
          .record_bytes = count * 10};
}

TEST(HoldingsTest, TheIndexMergesNeighboursOfOneEpoch) {
  EntryIndex index;
  index.Put(At(1, 4, 3, 1));
  index.Put(At(5, 4, 3, 2));
  index.Put(At(9, 1, 4, 3));
  index.Put(At(12, 2, 4, 4));
  Seq through;
  EXPECT_EQ(index.Held(Seq(3), 10, 10, &through),
            (std::vector<RunInfo>{Held(3, 6, 3, 60), Held(9, 1, 4, 10), Held(12, 2, 4, 20)}));
  EXPECT_EQ(through, kSeqMax);
  EXPECT_TRUE(index.Held(Seq(14), 10, 10, &through).empty());
  EXPECT_EQ(through, kSeqMax);
}

TEST(HoldingsTest, TheIndexStopsAtItsLimitsAndSaysWhere) {
  EntryIndex index;
  for (uint64_t i = 0; i < 10; ++i) index.Put(At(1 + 3 * i, 2, 3, i + 1));
  Seq through;
  EXPECT_EQ(index.Held(Seq(1), 2, 100, &through).size(), 2u);
  EXPECT_EQ(through, Seq(5));
  EXPECT_EQ(index.Held(through + 1, 100, 3, &through).size(), 3u);
  EXPECT_EQ(through, Seq(14));
  // A limit of nothing still goes on by one.
  EXPECT_EQ(index.Held(through + 1, 0, 0, &through).size(), 1u);
  EXPECT_EQ(through, Seq(17));
}

TEST(HoldingsTest, AReplicaShowsWhatItHoldsOnceItIsOnDisk) {
  ReplicaHarness h;
  Append append = MakeAppend(3, 1, 4, 2, 1);
  h.Send(append);
  h.Send(Holdings{kTestStream, Seq(1)}, kReaderPeer);
  EXPECT_TRUE(h.TakeAnswers().empty());
  h.Persist();
  const auto answers = h.TakeAnswers();
  ASSERT_EQ(answers.size(), 2u);
  const auto& held = std::get<HoldingsAnswer>(answers[1].answer);
  EXPECT_EQ(held.disk, kTestDisk);
  EXPECT_EQ(held.promised, WriterEpoch(3));
  EXPECT_EQ(held.chain_epoch, WriterEpoch(3));
  EXPECT_EQ(held.committed, Seq(2));
  EXPECT_EQ(held.trimmed, Seq(1));
  EXPECT_EQ(held.from, Seq(1));
  EXPECT_EQ(held.through, kSeqMax);
  ASSERT_EQ(held.runs.size(), 1u);
  EXPECT_EQ(held.runs[0].first, Seq(2));
  EXPECT_EQ(held.runs[0].count, 3u);
  EXPECT_EQ(h.records(), 1u);
}

TEST(HoldingsTest, AReplicaHoldsNothingOfAnUnknownStream) {
  ReplicaHarness h;
  const auto held = h.Ask<HoldingsAnswer>(Holdings{kTestStream, Seq(5)});
  EXPECT_TRUE(held.runs.empty());
  EXPECT_EQ(held.promised, WriterEpoch(0));
  EXPECT_EQ(held.from, Seq(5));
  EXPECT_EQ(h.records(), 0u);
}

HoldingsAnswer SomeAnswer() {
  return {.stream = kTestStream,
          .disk = kTestDisk,
          .promised = WriterEpoch(9),
          .chain_epoch = WriterEpoch(8),
          .committed = Seq(20),
          .trimmed = Seq(2),
          .from = Seq(3),
          .through = Seq(30),
          .runs = {Held(3, 5, 7, 50), Held(8, 1, 8, 0), Held(20, 11, 8, 1000)}};
}

core::Result<ReplicaAnswer> Back(const HoldingsAnswer& answer) {
  return DecodeAnswer(EncodeAnswer(answer, false));
}

TEST(HoldingsTest, RoundTrips) {
  const auto request = DecodeRequest(EncodeRequest(Holdings{kTestStream, Seq(6)}));
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(std::get<Holdings>(*request).stream, kTestStream);
  EXPECT_EQ(std::get<Holdings>(*request).from, Seq(6));
  const auto back = Back(SomeAnswer());
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& answer = std::get<HoldingsAnswer>(*back);
  EXPECT_EQ(answer.stream, kTestStream);
  EXPECT_EQ(answer.disk, kTestDisk);
  EXPECT_EQ(answer.promised, WriterEpoch(9));
  EXPECT_EQ(answer.chain_epoch, WriterEpoch(8));
  EXPECT_EQ(answer.committed, Seq(20));
  EXPECT_EQ(answer.trimmed, Seq(2));
  EXPECT_EQ(answer.from, Seq(3));
  EXPECT_EQ(answer.through, Seq(30));
  EXPECT_EQ(answer.runs, SomeAnswer().runs);
}

TEST(HoldingsTest, AnswersThatContradictThemselvesAreRefused) {
  const auto refused = [](auto change) {
    HoldingsAnswer answer = SomeAnswer();
    change(answer);
    return !Back(answer).ok();
  };
  EXPECT_FALSE(refused([](HoldingsAnswer&) {}));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.runs[1].first = Seq(7); }));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.runs[0].first = Seq(2); }));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.runs[2].count = 12; }));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.runs[2].count = 0; }));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.runs[2].count = UINT64_MAX; }));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.runs[2].epoch = WriterEpoch(0); }));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.from = Seq(31); }));
  EXPECT_TRUE(refused([](HoldingsAnswer& a) { a.through = kSeqMax + 1; }));
  EXPECT_FALSE(DecodeRequest(EncodeRequest(Holdings{kTestStream, Seq(0)})).ok());
}

TEST(HoldingsTest, MoreRunsThanAnAnswerMayHaveAreRefused) {
  HoldingsAnswer answer = SomeAnswer();
  answer.through = kSeqMax;
  answer.runs.clear();
  for (uint64_t i = 0; i < kHoldingsRunsMax; ++i) answer.runs.push_back(Held(10 + 2 * i, 1, 3, 1));
  EXPECT_TRUE(Back(answer).ok());
  answer.runs.push_back(Held(10 + 2 * kHoldingsRunsMax, 1, 3, 1));
  EXPECT_FALSE(Back(answer).ok());
}

}  // namespace
}  // namespace homeport::quorum_queue
