// Records that cannot be read any more: what a replica forgets, what it still answers, and what it
// knows after a restart.
#include <gtest/gtest.h>

#include <random>

#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

ReadOutcome ReadAt(ReplicaHarness* h, uint64_t seq) {
  static uint64_t session = 5000;
  h->Send(Read{kTestStream, ++session, Seq(seq), 0, 1, false}, kReaderPeer);
  const auto answers = h->TakeAnswers();
  EXPECT_EQ(answers.size(), 1u);
  return answers.empty() ? ReadOutcome::kIdle : std::get<ReadAnswer>(answers[0].answer).outcome;
}
bool AnswersFence(ReplicaHarness* h, uint64_t epoch) {
  h->Send(Fence{kTestStream, WriterEpoch(epoch)});
  h->Persist();
  return !h->TakeAnswers().empty();
}
void Lose(ReplicaHarness* h, std::vector<RecordNumber> records) {
  h->Step(RecordsLost{std::move(records)});
  h->Persist();
  h->TakeAnswers();
}

// Records 1, 2: entries 1..3 and 4..6, committed 3.
struct SixEntries : ReplicaHarness {
  SixEntries() {
    Ask<Stored>(MakeAppend(5, 1, 3));
    Ask<Stored>(MakeAppend(5, 4, 3, 3));
  }
};

TEST(ReplicaLostTest, ForgetsCommittedEntriesAndTakesThemFromAFill) {
  SixEntries h;
  Lose(&h, {RecordNumber(1)});
  ASSERT_EQ(h.lost().size(), 1u);
  EXPECT_EQ(h.lost()[0].first, Seq(1));
  EXPECT_EQ(h.lost()[0].last, Seq(3));
  EXPECT_FALSE(h.lost()[0].doubtful);
  EXPECT_EQ(h.replica().stats().entries_lost, 3u);
  EXPECT_EQ(ReadAt(&h, 2), ReadOutcome::kLacking);
  EXPECT_TRUE(AnswersFence(&h, 5));
  h.Send(MakeFill(5, 1, 5, 3));
  h.Persist();
  EXPECT_EQ(std::get<Stored>(h.TakeAnswers().at(0).answer).count, 3u);
  EXPECT_EQ(ReadAt(&h, 2), ReadOutcome::kData);
  h.replica().CheckInvariants();
}

TEST(ReplicaLostTest, AnswersNoFenceUntilCommittedHasPassedWhatWasLost) {
  SixEntries h;
  Lose(&h, {RecordNumber(2)});
  EXPECT_TRUE(h.lost().at(0).doubtful);
  EXPECT_EQ(h.replica().doubtful_streams(), 1u);
  EXPECT_FALSE(AnswersFence(&h, 5));
  EXPECT_FALSE(AnswersFence(&h, 6)) << "the promise is made, and not told";
  EXPECT_EQ(h.replica().stats().fences_withheld, 2u);
  EXPECT_EQ(h.Ask<Fenced>(MakeAppend(5, 7, 1, 3)).promised, WriterEpoch(6));
  // Its own writer is gone on with by a later one that knows all six.
  Append append{kTestStream, WriterEpoch(6), MakeChain({{5, 1}, {6, 7}}), {}, Seq(5), Seq(0)};
  h.Ask<Stored>(append);
  EXPECT_FALSE(AnswersFence(&h, 6)) << "6 is still missing";
  append.committed = Seq(6);
  h.Ask<Stored>(append);
  EXPECT_TRUE(AnswersFence(&h, 6));
  EXPECT_EQ(h.replica().doubtful_streams(), 0u);
}

TEST(ReplicaLostTest, ANewerChainEndsTheDoubtAboutWhatItMakesVoid) {
  SixEntries h;
  Lose(&h, {RecordNumber(2)});
  Append append{kTestStream, WriterEpoch(9), MakeChain({{5, 1}, {9, 5}}), {}, Seq(3), Seq(0)};
  h.Ask<Stored>(append);
  EXPECT_FALSE(AnswersFence(&h, 9)) << "4 may have been here";
  append.committed = Seq(4);
  h.Ask<Stored>(append);
  EXPECT_TRUE(AnswersFence(&h, 9)) << "5 and 6 are void";
}

TEST(ReplicaLostTest, DoubtOutlivesTheRecordsThatCausedIt) {
  SixEntries h;
  Lose(&h, {RecordNumber(2)});
  const uint64_t checkpoint = h.records();
  h.Send(MakeFill(5, 1, 5, 1));
  h.Persist();
  h.Step(Tick{});
  // Of a log that begins with the checkpoint nothing else is left.
  ReplicaHarness restarted(h.log(), checkpoint);
  EXPECT_FALSE(AnswersFence(&restarted, 5));
  EXPECT_EQ(restarted.replica().doubtful_streams(), 1u);
}

TEST(ReplicaLostTest, NothingIsReleasedAfterALossyReplayBeforeACheckpointTellsOfIt) {
  SixEntries h;
  h.Step(SegmentStarted{});
  h.Ask<Stored>(MakeAppend(5, 7, 1, 3));
  Replica replica(ReplicaOptions{.disk = kTestDisk});
  for (uint64_t n = 1; n <= h.records(); ++n) {
    const auto& record = h.log()[n - 1];
    const auto replay = n <= 2 ? &Replica::ReplayWithoutBody : &Replica::Replay;
    ASSERT_TRUE((replica.*replay)(RecordNumber(n), record.header, record.body_size).ok());
  }
  replica.FinishReplay(RecordNumber(h.records() + 1));
  std::vector<ReplicaEffect> effects;
  replica.Step({}, Tick{}, &effects);
  EXPECT_TRUE(effects.empty()) << "record 2 is what says that there is doubt";
  replica.Step({}, RecordsLost{}, &effects);
  ASSERT_EQ(effects.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<LogRecordEffect>(effects[0]));
  replica.Step({}, Persisted{RecordNumber(h.records() + 1)}, &effects);
  ASSERT_EQ(effects.size(), 2u);
  EXPECT_EQ(std::get<ReleaseEffect>(effects[1]).record, RecordNumber(4));
}

// Else it would end the try, which the keeper goes on with, as a full member with nothing.
TEST(ReplicaLostTest, ARecoveringOneThatLostAPartOfItsTryIsOfNoUse) {
  const ReplicaOptions options{.disk = kTestDisk, .recovering = true};
  const auto restore = [](uint64_t epoch, uint64_t first) {
    return Restore{kTestStream, WriterEpoch(epoch), kTestDisk, MakeRun(first, 4, 2)};
  };
  ReplicaHarness h(options);
  h.Ask<Stored>(restore(9, 1));  // records 1, its begin, and 2
  h.Step(SegmentStarted{});
  h.Ask<Stored>(restore(10, 1));  // 4, a new begin, and 5
  h.Step(SegmentStarted{});
  const auto is_of_use = [&](uint64_t lost) {
    Replica replica(options);
    for (uint64_t n = 1; n <= h.records(); ++n) {
      const auto& record = h.log()[n - 1];
      const auto replayed = n == lost
                                ? replica.ReplayLost(RecordNumber(n), RecordNumber(n))
                                : replica.Replay(RecordNumber(n), record.header, record.body_size);
      EXPECT_TRUE(replayed.ok()) << replayed;
    }
    return replica.knows_promises();
  };
  ASSERT_EQ(h.records(), 6u);
  EXPECT_TRUE(is_of_use(0));
  EXPECT_TRUE(is_of_use(2)) << "of a try that is over";
  EXPECT_FALSE(is_of_use(4));
  EXPECT_FALSE(is_of_use(5));
}

TEST(ReplicaLostTest, KnowsNoPromisesAfterALostRecordUntilACheckpoint) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(5, 1, 3));
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(8)});
  h.Step(SegmentStarted{});
  Replica replica(ReplicaOptions{.disk = kTestDisk});
  const auto replay = [&](uint64_t n) {
    return replica.Replay(RecordNumber(n), h.log()[n - 1].header, h.log()[n - 1].body_size);
  };
  ASSERT_TRUE(replay(1).ok());
  EXPECT_TRUE(replica.knows_promises());
  ASSERT_TRUE(replica.ReplayLost(RecordNumber(2), RecordNumber(2)).ok());
  EXPECT_FALSE(replica.knows_promises());
  ASSERT_TRUE(replay(3).ok());
  EXPECT_TRUE(replica.knows_promises());
  replica.FinishReplay(RecordNumber(4));
  EXPECT_EQ(replica.Status().streams.at(0).promised, WriterEpoch(8));
  EXPECT_EQ(replica.Status().streams.at(0).entries, 3u);
  EXPECT_EQ(replica.doubtful_streams(), 1u) << "up to 3, whatever it was that is lost";
}

}  // namespace
}  // namespace homeport::quorum_queue
