// What readers get from a replica.
#include <gtest/gtest.h>

#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

constexpr uint64_t kCredit = 1 << 20;

Read MakeRead(uint64_t session, uint64_t from, uint64_t received = 0, uint64_t credit = kCredit) {
  return {kTestStream, session, Seq(from), received, credit, false};
}

// The answers to readers since the last call, each with what it located.
std::vector<std::pair<ReadAnswer, std::vector<RunLocation>>> TakeReads(ReplicaHarness& h) {
  std::vector<std::pair<ReadAnswer, std::vector<RunLocation>>> reads;
  for (AnswerEffect& effect : h.TakeAnswers()) {
    if (auto* read = std::get_if<ReadAnswer>(&effect.answer))
      reads.emplace_back(*read, effect.runs);
  }
  return reads;
}

TEST(ReplicaFeedsTest, ServesCommittedEntriesOnly) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 2));
  h.Send(MakeRead(7, 1), kReaderPeer);
  const auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  const auto& [answer, runs] = reads[0];
  EXPECT_EQ(answer.outcome, ReadOutcome::kData);
  EXPECT_EQ(answer.stream, kTestStream);
  EXPECT_EQ(answer.session, 7u);
  EXPECT_EQ(answer.disk, kTestDisk);
  EXPECT_EQ(answer.next, Seq(1));
  EXPECT_EQ(answer.committed, Seq(2));
  EXPECT_TRUE(answer.runs.empty()) << "for the driver to load";
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].first, Seq(1));
  EXPECT_EQ(runs[0].count, 2u);
}

TEST(ReplicaFeedsTest, SaysIdleOnceAfterAReadThatFindsNothing) {
  ReplicaHarness h;
  h.Send(MakeRead(7, 1), kReaderPeer);  // of a stream nobody has written
  auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.outcome, ReadOutcome::kIdle);
  EXPECT_EQ(reads[0].first.next, Seq(1));
  h.Step(Tick{});
  EXPECT_TRUE(TakeReads(h).empty());
  EXPECT_TRUE(h.replica().Status().streams.empty()) << "reading makes no stream";
}

TEST(ReplicaFeedsTest, PushesWhatBecomesCommittedOncePerSync) {
  ReplicaHarness h;
  h.Send(MakeRead(7, 1), kReaderPeer);
  TakeReads(h);
  for (uint64_t i = 1; i <= 100; ++i) h.Send(MakeAppend(3, i, 1, i));
  EXPECT_TRUE(TakeReads(h).empty());
  h.Persist();
  auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].second.size(), 100u);
  h.Send(MakeAppend(3, 101, 1, 101));
  h.Persist();
  reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.next, Seq(101));
}

TEST(ReplicaFeedsTest, SendsNothingTwiceInASession) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 4));
  h.Send(MakeRead(7, 1), kReaderPeer);
  TakeReads(h);
  h.Send(MakeRead(7, 1), kReaderPeer);  // the answer is still on its way
  auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.outcome, ReadOutcome::kIdle);
  EXPECT_EQ(reads[0].first.next, Seq(5));
  h.Send(MakeRead(8, 2), kReaderPeer);  // a new session starts again
  reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.session, 8u);
  EXPECT_EQ(reads[0].first.next, Seq(2));
  EXPECT_EQ(reads[0].second[0].first, Seq(2));
  EXPECT_EQ(reads[0].second[0].record_first, Seq(1));
}

TEST(ReplicaFeedsTest, StopsWhenTheCreditIsUsedAndGoesOnWhenItIsRenewed) {
  ReplicaOptions options;
  options.read_answer_bytes_max = 1000;
  ReplicaHarness h(options);
  for (uint64_t i = 1; i <= 10; ++i) {
    Append append = MakeAppend(3, i, 0, i);
    append.run = MakeRun(i, 3, {std::string(400, 'x')});
    h.Ask<Stored>(append);
  }
  h.Send(MakeRead(6, 1, 0, 800), kReaderPeer);
  EXPECT_EQ(TakeReads(h).size(), 1u) << "800 bytes of 800";
  h.Send(MakeRead(7, 1, 0, 1500), kReaderPeer);
  auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 2u) << "800 bytes, then 1600 of 1500";
  EXPECT_EQ(reads[0].first.sent_bytes, 800u);
  EXPECT_EQ(reads[1].first.sent_bytes, 1600u);
  EXPECT_EQ(reads[1].first.next, Seq(3));
  h.Send(MakeRead(7, 3, 800, 1500), kReaderPeer);
  reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.next, Seq(5));
  EXPECT_EQ(reads[0].first.sent_bytes, 2400u);
  h.Send(MakeRead(7, 5, 1600, 0), kReaderPeer);  // paused
  reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.outcome, ReadOutcome::kIdle);
}

TEST(ReplicaFeedsTest, ReckonsAsTheReaderOnceItHasAll) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 4));
  h.Send(MakeRead(7, 1, 0, 100), kReaderPeer);
  h.Send(MakeRead(7, 5, 1'000'000, 100), kReaderPeer);  // counted otherwise, but has all
  TakeReads(h);
  Append append = MakeAppend(3, 5, 0, 5);
  append.run = MakeRun(5, 3, {std::string(30, 'x')});
  h.Send(append);
  h.Persist();
  const auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.sent_bytes, 1'000'030u);
}

TEST(ReplicaFeedsTest, NoCountOfBytesGivesEndlessCredit) {
  ReplicaOptions options;
  options.read_answer_bytes_max = 1;
  ReplicaHarness h(options);
  for (uint64_t i = 1; i <= 50; ++i) h.Ask<Stored>(MakeAppend(3, i, 1, i));
  h.Send(MakeRead(7, 1, 0, 1), kReaderPeer);
  TakeReads(h);
  h.Send(MakeRead(7, 1, UINT64_MAX, 1), kReaderPeer);
  EXPECT_EQ(TakeReads(h).size(), 1u);
}

TEST(ReplicaFeedsTest, AnAnswerHasWholeRecordsWithinItsLimitButAtLeastOne) {
  ReplicaOptions options;
  options.read_answer_bytes_max = 1000;
  ReplicaHarness h(options);
  for (uint64_t i = 1; i <= 3; ++i) {
    Append append = MakeAppend(3, 2 * i - 1, 0, 2 * i);
    append.run = MakeRun(2 * i - 1, 3, {std::string(700, 'x'), std::string(700, 'y')});
    h.Ask<Stored>(append);
  }
  h.Send(MakeRead(7, 1), kReaderPeer);
  const auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 3u);
  for (const auto& [answer, runs] : reads) EXPECT_EQ(runs.size(), 1u);
  EXPECT_EQ(reads[2].first.sent_bytes, 4200u);
}

TEST(ReplicaFeedsTest, TellsLackingOnceThenServesWhatAFillBrings) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 3, 1, 3));
  h.Send(MakeRead(7, 1), kReaderPeer);
  auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.outcome, ReadOutcome::kLacking);
  EXPECT_EQ(reads[0].first.committed, Seq(3));
  h.Send(MakeAppend(3, 4, 1, 4));
  h.Persist();
  EXPECT_TRUE(TakeReads(h).empty()) << "told already";
  h.Send(MakeRead(7, 1), kReaderPeer);
  EXPECT_EQ(TakeReads(h).size(), 1u) << "asked again, told again";
  h.Send(MakeFill(3, 1, 3, 2));
  h.Persist();
  reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.outcome, ReadOutcome::kData);
  EXPECT_EQ(reads[0].second.back().last(), Seq(4));
}

TEST(ReplicaFeedsTest, TellsTrimmed) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 4, 2));
  h.Send(MakeRead(7, 2), kReaderPeer);
  auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].first.outcome, ReadOutcome::kTrimmed);
  EXPECT_EQ(reads[0].first.trimmed, Seq(2));
  EXPECT_EQ(reads[0].first.next, Seq(2));
}

TEST(ReplicaFeedsTest, AnEntryIsServedBeforeItIsOnThisDisk) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 1, 1));
  h.Send(MakeRead(7, 1), kReaderPeer);
  EXPECT_EQ(TakeReads(h).size(), 1u) << "committed: on two disks elsewhere";
}

TEST(ReplicaFeedsTest, ReadersOfOneStreamHaveTheirOwnPlaces) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 4));
  h.Send(MakeRead(7, 3), ReplicaPeer(20));
  h.Send(MakeRead(7, 5), ReplicaPeer(21));
  TakeReads(h);
  h.Send(MakeAppend(3, 5, 1, 5));
  h.Persist();
  const auto reads = TakeReads(h);
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[0].first.next, Seq(5));
  EXPECT_EQ(reads[1].first.next, Seq(5));
}

TEST(ReplicaFeedsTest, ForgetsAReaderThatIsSilentTooLong) {
  ReplicaHarness h;
  h.Send(MakeRead(7, 1), kReaderPeer);
  h.Advance(std::chrono::seconds(29));
  h.Step(Tick{});
  h.Send(MakeRead(7, 1), kReaderPeer);
  h.Advance(std::chrono::seconds(29));
  h.Step(Tick{});
  TakeReads(h);
  h.Send(MakeAppend(3, 1, 1, 1));
  h.Persist();
  EXPECT_EQ(TakeReads(h).size(), 1u);
  h.Advance(std::chrono::seconds(2));
  h.Step(Tick{});
  h.Send(MakeAppend(3, 2, 1, 2));
  h.Persist();
  EXPECT_TRUE(TakeReads(h).empty());
}

TEST(ReplicaFeedsTest, TheOldestReaderGoesWhenThereAreTooMany) {
  ReplicaOptions options;
  options.subscriptions_max = 2;
  ReplicaHarness h(options);
  for (const uint64_t peer : {22, 20, 21}) {
    h.Send(MakeRead(7, 1), ReplicaPeer(peer));
    h.Advance(std::chrono::milliseconds(1));
  }
  h.TakeAnswers();
  h.Send(MakeAppend(3, 1, 1, 1));
  h.Persist();
  std::vector<ReplicaPeer> served;
  for (const AnswerEffect& effect : h.TakeAnswers()) {
    if (std::holds_alternative<ReadAnswer>(effect.answer)) served.push_back(effect.peer);
  }
  EXPECT_EQ(served, (std::vector<ReplicaPeer>{ReplicaPeer(20), ReplicaPeer(21)}));
}

TEST(ReplicaFeedsTest, CompressesForWhoAsks) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 4));
  Read read = MakeRead(7, 1);
  read.compress = true;
  h.Send(read, kReaderPeer);
  EXPECT_TRUE(h.TakeAnswers().at(0).compress);
}

TEST(ReplicaFeedsTest, IgnoresAReadFromBeforeTheFirst) {
  ReplicaHarness h;
  h.Send(MakeRead(7, 0), kReaderPeer);
  EXPECT_TRUE(h.TakeAnswers().empty());
  EXPECT_EQ(h.replica().stats().ignored, 1u);
}

}  // namespace
}  // namespace homeport::quorum_queue
