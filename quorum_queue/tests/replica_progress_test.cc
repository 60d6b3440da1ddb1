#include "quorum_queue/replica_progress.h"

#include <gtest/gtest.h>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

using std::chrono::milliseconds;

core::Instant At(int64_t ms) {
  return core::Instant(milliseconds(1000 + ms));
}

// One replica and a log of batches of one entry of 92 bytes: 100 with what an entry costs.
class ReplicaProgressTest : public testing::Test {
 protected:
  ReplicaProgressTest() : progress(Options(), 0, true) {}
  static WriterOptions Options() {
    WriterOptions options;
    options.replica_window_bytes_max = 300;
    return options;
  }
  void AddBatches(uint64_t n) {
    for (uint64_t i = 0; i < n; ++i) {
      log.Add(MakeBatch(Batch::Kind::kEntries, MakeRun(log.end(), 5, {std::string(92, 'x')})));
    }
  }
  std::vector<uint64_t> SendAll(int64_t ms) {
    std::vector<uint64_t> sent;
    while (const auto number = progress.NextToSend(true, log)) {
      progress.Sent(At(ms), *number, log);
      progress.Told(At(ms), committed, Seq(0));
      sent.push_back(*number);
    }
    progress.CheckInvariants(log);
    return sent;
  }
  void Store(int64_t ms, uint64_t first, uint64_t count) {
    Stored stored;
    stored.first = Seq(first);
    stored.count = count;
    stored.committed = shown;
    progress.OnStored(At(ms), stored, &log);
    progress.CheckInvariants(log);
  }
  ReplicaProgress::Due Timer(int64_t ms, bool may_announce = true) {
    const auto due = progress.OnTimer(At(ms), may_announce, log);
    if (due.batch) progress.Sent(At(ms), *due.batch, log);
    if (due.announce) progress.Told(At(ms), committed, Seq(0));
    progress.CheckInvariants(log);
    return due;
  }

  BatchLog log;
  ReplicaProgress progress;
  Seq committed;
  Seq shown;
};

using Numbers = std::vector<uint64_t>;

TEST_F(ReplicaProgressTest, SendsNoMoreThanTheWindowAndGoesOnWithAnswers) {
  AddBatches(6);
  EXPECT_EQ(SendAll(0), (Numbers{1, 2, 3}));
  EXPECT_EQ(progress.in_flight_bytes(), 300u);
  Store(1, 1, 2);
  EXPECT_EQ(SendAll(1), (Numbers{4, 5}));
}

TEST_F(ReplicaProgressTest, ABatchLargerThanTheWindowGoesAlone) {
  log.Add(MakeBatch(Batch::Kind::kEntries, MakeRun(1, 5, {std::string(1000, 'x')})));
  log.Add(MakeBatch(Batch::Kind::kEntries, MakeRun(2, 5, {"y"})));
  EXPECT_EQ(SendAll(0), (Numbers{1}));
  Store(1, 1, 1);
  EXPECT_EQ(SendAll(1), (Numbers{2}));
}

TEST_F(ReplicaProgressTest, AnswersMayComeOutOfOrderTwiceAndForMany) {
  AddBatches(3);
  SendAll(0);
  Store(1, 2, 1);
  EXPECT_EQ(progress.first_missing(), 1u);
  EXPECT_EQ(progress.in_flight_bytes(), 200u);
  Store(2, 2, 1);
  EXPECT_EQ(progress.in_flight_bytes(), 200u);
  Store(3, 1, 3);
  EXPECT_EQ(progress.in_flight_bytes(), 0u);
  EXPECT_EQ(progress.first_missing(), 4u);
  EXPECT_FALSE(progress.Deadline().has_value());
}

TEST_F(ReplicaProgressTest, CountsOnlyWholeBatchesThatWereSent) {
  log.Add(MakeBatch(Batch::Kind::kEntries, MakeRun(1, 5, 3)));
  log.Add(MakeBatch(Batch::Kind::kEntries, MakeRun(4, 5, {std::string(400, 'x')})));
  EXPECT_EQ(SendAll(0), (Numbers{1}));
  Store(1, 1, 2);
  EXPECT_EQ(log.at(1).stored, 0u);
  Store(2, 1, 9);
  EXPECT_EQ(log.at(1).stored, 1u);
  EXPECT_EQ(log.at(2).stored, 0u);  // never sent
}

TEST_F(ReplicaProgressTest, ASilentReplicaGetsProbesOnlyEachTimeLater) {
  AddBatches(3);
  SendAll(0);
  AddBatches(3);
  EXPECT_EQ(progress.Deadline(), At(250));
  EXPECT_FALSE(Timer(249).announce);
  for (const int64_t ms : {250, 750, 1750, 3750, 5750}) {
    ASSERT_EQ(progress.Deadline(), At(ms));
    const auto due = Timer(ms);
    EXPECT_TRUE(due.announce);
    EXPECT_FALSE(due.batch.has_value());
    EXPECT_TRUE(SendAll(ms).empty());
  }
}

TEST_F(ReplicaProgressTest, AnAnsweredProbeBringsWhatIsMissingAndNoMore) {
  AddBatches(3);
  SendAll(0);
  Store(10, 2, 1);
  Timer(250);
  Store(300, 0, 0);
  EXPECT_EQ(SendAll(300), (Numbers{1, 3}));
  EXPECT_EQ(progress.Deadline(), At(550));
}

TEST_F(ReplicaProgressTest, ASlowAnswerWhileProbingResendsNothing) {
  AddBatches(3);
  SendAll(0);
  Timer(250);
  Store(400, 1, 1);
  EXPECT_TRUE(SendAll(400).empty());
  EXPECT_EQ(progress.in_flight_bytes(), 200u);
  EXPECT_EQ(progress.Deadline(), At(650));
}

TEST_F(ReplicaProgressTest, AGapIsAskedForAgainThoughLaterOnesAreAnswered) {
  AddBatches(3);
  SendAll(0);
  for (int64_t ms = 100; ms < 1000; ms += 100) {
    if (ms == 100) Store(ms, 2, 2);
    if (progress.Deadline() <= At(ms)) {
      EXPECT_TRUE(Timer(ms).announce);
      Store(ms, 0, 0);
      EXPECT_EQ(SendAll(ms), (Numbers{1}));
      return;
    }
  }
  FAIL() << "the lost batch was never asked for";
}

TEST_F(ReplicaProgressTest, WhileNothingMayBeAnnouncedTheFirstMissingBatchIsTheProbe) {
  AddBatches(3);
  SendAll(0);
  const auto due = Timer(250, false);
  EXPECT_FALSE(due.announce);
  EXPECT_EQ(due.batch, 1u);
  EXPECT_TRUE(SendAll(250).empty());
  Store(300, 1, 1);
  EXPECT_EQ(SendAll(300), (Numbers{2, 3}));
}

TEST_F(ReplicaProgressTest, AFullReplicaIsOfferedOneBatchByTheTimer) {
  AddBatches(3);
  SendAll(0);
  progress.OnRefused(At(1));
  progress.OnRefused(At(1));
  EXPECT_TRUE(progress.refused_full());
  EXPECT_TRUE(SendAll(1).empty());
  EXPECT_EQ(progress.Deadline(), At(251));
  EXPECT_EQ(Timer(251).batch, 1u);
  progress.OnRefused(At(260));
  EXPECT_EQ(progress.Deadline(), At(751));
  Store(300, 0, 0);  // small messages are answered by a full replica too
  EXPECT_TRUE(progress.refused_full());
  EXPECT_TRUE(SendAll(300).empty());
  EXPECT_EQ(Timer(751).batch, 1u);
  Store(760, 1, 1);
  EXPECT_FALSE(progress.refused_full());
  EXPECT_EQ(SendAll(760), (Numbers{2, 3}));
}

TEST_F(ReplicaProgressTest, DroppedBatchesAreAHole) {
  AddBatches(5);
  SendAll(0);
  for (int i = 0; i < 4; ++i) {
    log.Commit(0);
    progress.OnDropFront(log);
    log.DropFront();
    progress.CheckInvariants(log);
  }
  EXPECT_EQ(progress.in_flight_bytes(), 0u);
  EXPECT_EQ(SendAll(1), (Numbers{5}));
}

TEST_F(ReplicaProgressTest, NewsGoOutAfterAWhileAndAgainUntilShown) {
  committed = Seq(3);
  progress.OfferNews(At(0), committed, Seq(0));
  EXPECT_EQ(progress.Deadline(), At(3));
  EXPECT_FALSE(Timer(2).announce);
  EXPECT_TRUE(Timer(3).announce);
  EXPECT_EQ(progress.Deadline(), At(253));
  EXPECT_TRUE(Timer(253).announce);
  shown = Seq(2);
  Store(300, 0, 0);  // answers something older
  ASSERT_TRUE(progress.Deadline().has_value());
  EXPECT_TRUE(Timer(600).announce);
  shown = Seq(3);
  Store(700, 0, 0);
  EXPECT_FALSE(progress.Deadline().has_value());
}

TEST_F(ReplicaProgressTest, NewsThatWentWithABatchAreNotAnnouncedAgain) {
  committed = Seq(3);
  progress.OfferNews(At(0), committed, Seq(0));
  AddBatches(1);
  SendAll(1);
  EXPECT_EQ(progress.Deadline(), At(251));  // of the batch
}

TEST_F(ReplicaProgressTest, AReplicaOfAnotherGroupGetsNewsOnly) {
  ReplicaProgress other(Options(), 3, false);
  AddBatches(2);
  EXPECT_FALSE(other.NextToSend(true, log).has_value());
  EXPECT_FALSE(other.HasRoomFor(1, log));
  other.OfferNews(At(0), Seq(1), Seq(0));
  const auto due = other.OnTimer(At(3), true, log);
  EXPECT_TRUE(due.announce);
  EXPECT_FALSE(due.batch.has_value());
}

// ---- groups

TEST_F(ReplicaProgressTest, WhenItsGroupIsLeftItKeepsWhatWasCommittedAndLateAnswersCount) {
  AddBatches(4);
  EXPECT_EQ(SendAll(0), (std::vector<uint64_t>{1, 2, 3}));
  log.Commit(0);
  progress.StopTaking(At(1), 2);
  EXPECT_FALSE(progress.takes_entries());
  EXPECT_EQ(SendAll(1), (std::vector<uint64_t>{1})) << "again, and no more than that";
  EXPECT_TRUE(progress.Wants(1, log));
  EXPECT_FALSE(progress.Wants(2, log));
  Store(2, 3, 2);
  EXPECT_EQ(log.at(3).stored, 1u);
  EXPECT_EQ(log.at(4).stored, 0u) << "never sent to it";
  Store(3, 1, 1);
  EXPECT_EQ(progress.in_flight_bytes(), 0u);
  EXPECT_FALSE(progress.Deadline().has_value());
}

TEST_F(ReplicaProgressTest, WhenItsGroupIsCurrentAgainItBeginsWithWhatIsNotCommitted) {
  AddBatches(6);
  SendAll(0);
  progress.StopTaking(At(1), 1);
  for (int i = 0; i < 3; ++i) log.Commit(1);
  log.MarkStored(5, progress.bit());
  progress.StartTaking(At(2), 4);
  EXPECT_EQ(SendAll(2), (std::vector<uint64_t>{4, 6}));
  EXPECT_FALSE(progress.Wants(3, log)) << "it is left to the mender";
  progress.OnDropFront(log);
  log.DropFront();
  progress.CheckInvariants(log);
}

TEST_F(ReplicaProgressTest, AReplicaThatWasProbedIsProbedAtOnceWhenItsGroupBecomesCurrent) {
  AddBatches(1);
  SendAll(0);
  EXPECT_TRUE(Timer(250).announce);
  progress.StopTaking(At(260), 1);
  progress.StartTaking(At(300), 1);
  EXPECT_EQ(progress.Deadline(), At(300));
  EXPECT_TRUE(Timer(300).announce);
  EXPECT_EQ(progress.Deadline(), At(800));
}

TEST_F(ReplicaProgressTest, OpenWaitsUntilItMayBeAnnounced) {
  log.Add(MakeBatch(Batch::Kind::kFill, MakeRun(1, 3, 1)));
  log.Add(MakeBatch(Batch::Kind::kOpen, MakeRun(2, 5, {std::string()})));
  EXPECT_EQ(progress.NextToSend(false, log), 1u);
  progress.Sent(At(0), 1, log);
  EXPECT_EQ(progress.NextToSend(false, log), std::nullopt);
  EXPECT_EQ(progress.NextToSend(true, log), 2u);
}

}  // namespace
}  // namespace homeport::quorum_queue
