#include "quorum_queue/reader.h"

#include <gtest/gtest.h>

#include <optional>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

using std::chrono::milliseconds;
using Seqs = std::vector<uint64_t>;

core::Instant At(int64_t ms) {
  return core::Instant(milliseconds(1000 + ms));
}

class ReaderTest : public testing::Test {
 protected:
  ReaderTest() { Make({}); }

  void Make(ReaderOptions options) {
    options.stream = kTestStream;
    options.session_base = 100;
    reader = std::make_unique<Reader>(options);
  }
  void Step(ReaderEvent event) {
    std::vector<ReaderEffect> effects;
    reader->Step(At(now_ms), std::move(event), &effects);
    for (ReaderEffect& effect : effects) {
      if (auto* send = std::get_if<SendRead>(&effect)) {
        reads.push_back(*send);
      } else if (auto* deliver = std::get_if<DeliverEffect>(&effect)) {
        for (Seq seq = deliver->run.first; seq <= deliver->run.last(); ++seq) {
          delivered.push_back(seq.value());
          payloads.push_back(std::string(SliceRun(deliver->run, seq, 1).body.view()));
        }
      } else if (auto* gone = std::get_if<TrimmedEffect>(&effect)) {
        trimmed = gone->first;
      } else {
        nowhere.push_back(std::get<HeldNowhereEffect>(effect).seq.value());
      }
    }
  }
  void Start() { Step(ReaderTick{}); }
  void TickAt(int64_t ms) {
    now_ms = ms;
    Step(ReaderTick{});
  }
  // An answer of the session last asked for, by its replica.
  ReadAnswer Answer(ReadOutcome outcome, uint64_t next) {
    ReadAnswer answer;
    answer.stream = kTestStream;
    answer.session = reads.back().read.session;
    answer.outcome = outcome;
    answer.next = Seq(next);
    answer.committed = Seq(100);
    return answer;
  }
  void Receive(ReadAnswer answer) {
    Step(ReadAnswerReceived{reads.back().replica, std::move(answer)});
  }
  void Data(uint64_t first, uint64_t count, uint64_t sent_bytes = 0) {
    ReadAnswer answer = Answer(ReadOutcome::kData, first);
    answer.runs = {MakeRun(first, 1, count)};
    answer.sent_bytes = sent_bytes;
    Receive(std::move(answer));
  }
  void HasNot(ReadOutcome outcome, uint64_t next, uint64_t trimmed_through = 0) {
    ReadAnswer answer = Answer(outcome, next);
    answer.trimmed = Seq(trimmed_through);
    Receive(std::move(answer));
  }

  int64_t now_ms = 0;
  std::unique_ptr<Reader> reader;
  std::vector<SendRead> reads;
  Seqs delivered;
  std::vector<std::string> payloads;
  Seqs nowhere;
  std::optional<Seq> trimmed;
};

TEST_F(ReaderTest, AsksTheNearestAtOnce) {
  EXPECT_EQ(reader->NextDeadline(), core::Instant{});
  Start();
  ASSERT_EQ(reads.size(), 1u);
  EXPECT_EQ(reads[0].replica, 0);
  EXPECT_EQ(reads[0].read.session, 100u);
  EXPECT_EQ(reads[0].read.from, Seq(1));
  EXPECT_EQ(reads[0].read.credit_bytes, 4u << 20);
}

TEST_F(ReaderTest, DeliversInOrderAndOnce) {
  Start();
  Data(1, 2);
  Data(3, 1);
  Data(3, 1);
  EXPECT_EQ(delivered, (Seqs{1, 2, 3}));
  EXPECT_EQ(payloads[2], "3/1");
  EXPECT_EQ(reader->Status().next, Seq(4));
  EXPECT_EQ(reader->Status().committed, Seq(100));
}

TEST_F(ReaderTest, TrimsWhatItHadAlready) {
  Start();
  Data(1, 3);
  Data(2, 4);
  EXPECT_EQ(delivered, (Seqs{1, 2, 3, 4, 5}));
  EXPECT_EQ(payloads[3], "4/1");
}

TEST_F(ReaderTest, AGapOpensANewSessionAtTheMissingSeq) {
  Start();
  Data(1, 2);
  Data(4, 1);
  EXPECT_EQ(delivered, (Seqs{1, 2}));
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[1].replica, 0);
  EXPECT_EQ(reads[1].read.session, 101u);
  EXPECT_EQ(reads[1].read.from, Seq(3));
  EXPECT_EQ(reads[1].read.received_bytes, 0u);
}

TEST_F(ReaderTest, AGapInsideAnAnswerIsAGap) {
  Start();
  ReadAnswer answer = Answer(ReadOutcome::kData, 1);
  answer.runs = {MakeRun(1, 1, 1), MakeRun(3, 1, 1)};
  Receive(answer);
  EXPECT_EQ(delivered, Seqs{1});
  // Nothing of use came before in this session: asked for with the renewal.
  TickAt(500);
  EXPECT_EQ(reads.back().read.session, 101u);
  EXPECT_EQ(reads.back().read.from, Seq(2));
}

TEST_F(ReaderTest, AnIdleAnswerThatIsAheadShowsALostOne) {
  Start();
  Data(1, 2);
  Receive(Answer(ReadOutcome::kIdle, 5));
  EXPECT_EQ(reads.back().read.session, 101u);
  EXPECT_EQ(reads.back().read.from, Seq(3));
}

TEST_F(ReaderTest, AReplicaThatAlwaysAnswersWithAGapDoesNotKeepUsBusy) {
  Start();
  for (int i = 0; i < 10; ++i) Data(7, 1);
  EXPECT_EQ(reads.size(), 1u);
}

TEST_F(ReaderTest, IgnoresOlderSessionsOtherReplicasAndOtherStreams) {
  Start();
  Data(1, 1);
  ReadAnswer old = Answer(ReadOutcome::kData, 2);
  old.runs = {MakeRun(2, 1, 1)};
  Data(5, 1);  // a gap: session 101
  Receive(old);
  ReadAnswer other = Answer(ReadOutcome::kData, 2);
  other.runs = {MakeRun(2, 1, 1)};
  Step(ReadAnswerReceived{1, other});
  other.stream = StreamId::FromValue(5);
  Step(ReadAnswerReceived{0, other});
  EXPECT_EQ(delivered, Seqs{1});
}

TEST_F(ReaderTest, RenewsAtHalfTheCredit) {
  ReaderOptions options;
  options.credit_bytes = 1000;
  Make(options);
  Start();
  Data(1, 1, 499);
  EXPECT_EQ(reads.size(), 1u);
  Data(2, 1, 500);
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[1].read.session, 100u);
  EXPECT_EQ(reads[1].read.from, Seq(3));
  EXPECT_EQ(reads[1].read.received_bytes, 500u);
  Data(3, 1, 999);
  EXPECT_EQ(reads.size(), 2u);
  Data(4, 1, 1000);
  EXPECT_EQ(reads.size(), 3u);
}

TEST_F(ReaderTest, RenewsAfterAWhileAsKeepAlive) {
  Start();
  EXPECT_EQ(reader->NextDeadline(), At(500));
  Receive(Answer(ReadOutcome::kIdle, 1));
  TickAt(499);
  EXPECT_EQ(reads.size(), 1u);
  TickAt(500);
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[1].read.session, 100u);
}

TEST_F(ReaderTest, ASilentReplicaIsLeftForTheNext) {
  Start();
  for (const int64_t ms : {500, 1000, 1500}) TickAt(ms);
  EXPECT_EQ(reads.size(), 4u);
  EXPECT_EQ(reader->Status().replica, 0);
  TickAt(2000);
  EXPECT_EQ(reads.back().replica, 1);
  EXPECT_EQ(reads.back().read.session, 101u);
  TickAt(4000);
  EXPECT_EQ(reads.back().replica, 2);
  TickAt(6000);
  EXPECT_EQ(reads.back().replica, 0);
}

TEST_F(ReaderTest, AnAnswerPutsOffTheSilence) {
  Start();
  now_ms = 1900;
  Receive(Answer(ReadOutcome::kIdle, 1));
  TickAt(2100);
  EXPECT_EQ(reader->Status().replica, 0);
  EXPECT_EQ(reader->Status().heard, At(1900));
}

TEST_F(ReaderTest, AReplicaThatLacksAnEntryIsLeftAtOnce) {
  Start();
  Data(1, 1);
  HasNot(ReadOutcome::kLacking, 2);
  EXPECT_EQ(reads.back().replica, 1);
  EXPECT_EQ(reads.back().read.from, Seq(2));
  Data(2, 1);
  EXPECT_EQ(delivered, (Seqs{1, 2}));
}

TEST_F(ReaderTest, AStaleLackingIsIgnored) {
  Start();
  Data(1, 3);
  HasNot(ReadOutcome::kLacking, 2);
  EXPECT_EQ(reader->Status().replica, 0);
}

TEST_F(ReaderTest, HeldNowhereIsToldAgainEverySecondAndNeverSkipped) {
  Start();
  for (int i = 0; i < 3; ++i) HasNot(ReadOutcome::kLacking, 1);
  EXPECT_EQ(nowhere, Seqs{1});
  EXPECT_EQ(reads.size(), 3u);
  EXPECT_EQ(reader->NextDeadline(), At(1000));
  TickAt(999);
  EXPECT_EQ(reads.size(), 3u);
  TickAt(1000);
  EXPECT_EQ(reads.size(), 4u);
  for (int i = 0; i < 3; ++i) HasNot(ReadOutcome::kLacking, 1);
  EXPECT_EQ(nowhere, (Seqs{1, 1}));
  TickAt(2000);
  Data(1, 1);
  EXPECT_EQ(delivered, Seqs{1});
}

TEST_F(ReaderTest, WhatOneLacksAfterProgressIsANewQuestion) {
  Start();
  HasNot(ReadOutcome::kLacking, 1);
  HasNot(ReadOutcome::kLacking, 1);
  Data(1, 1);
  HasNot(ReadOutcome::kLacking, 2);
  HasNot(ReadOutcome::kLacking, 2);
  EXPECT_TRUE(nowhere.empty());
  HasNot(ReadOutcome::kLacking, 2);
  EXPECT_EQ(nowhere, Seqs{2});
}

TEST_F(ReaderTest, TrimmedAtOneMayBeHeldByAnother) {
  Start();
  HasNot(ReadOutcome::kTrimmed, 1, 5);
  EXPECT_FALSE(trimmed.has_value());
  EXPECT_EQ(reads.back().replica, 1);
  Data(1, 1);
  EXPECT_EQ(delivered, Seqs{1});
}

TEST_F(ReaderTest, TrimmedAtAllEndsTheReader) {
  Start();
  HasNot(ReadOutcome::kTrimmed, 1, 5);
  HasNot(ReadOutcome::kTrimmed, 1, 7);
  HasNot(ReadOutcome::kTrimmed, 1, 6);
  EXPECT_EQ(trimmed, Seq(8));
  EXPECT_FALSE(reader->NextDeadline().has_value());
  const size_t asked = reads.size();
  TickAt(10000);
  EXPECT_EQ(reads.size(), asked);
}

TEST_F(ReaderTest, TrimmedAtSomeAndLackedByTheOthersIsGone) {
  Start();
  HasNot(ReadOutcome::kLacking, 1);
  HasNot(ReadOutcome::kTrimmed, 1, 5);
  HasNot(ReadOutcome::kLacking, 1);
  EXPECT_EQ(trimmed, Seq(6));
  EXPECT_TRUE(nowhere.empty());
}

TEST_F(ReaderTest, ASilentReplicaHidesForAWhileOnlyThatTheOthersTrimmedIt) {
  Start();
  int64_t ms = 0;
  for (; ms < 30000 && !trimmed; ms += 100) {
    if (reads.back().replica != 1) HasNot(ReadOutcome::kTrimmed, 1, 5);
    TickAt(ms);
  }
  EXPECT_EQ(trimmed, Seq(6));
  EXPECT_GE(ms, 10000);
  EXPECT_LE(ms, 13000);
}

TEST_F(ReaderTest, ASilentReplicaHidesForAWhileOnlyThatTheOthersLackIt) {
  Start();
  int64_t ms = 0;
  for (; ms < 30000 && nowhere.empty(); ms += 100) {
    if (reads.back().replica != 1) HasNot(ReadOutcome::kLacking, 1);
    TickAt(ms);
  }
  EXPECT_EQ(nowhere, Seqs{1});
  EXPECT_GE(ms, 10000);
  EXPECT_LE(ms, 13000);
}

TEST_F(ReaderTest, GivesNoCreditWhilePausedAndGoesOnAfterwards) {
  ReaderOptions options;
  options.credit_bytes = 100;
  Make(options);
  Start();
  Step(PauseReader{true});
  EXPECT_FALSE(reader->NextDeadline().has_value());
  Data(1, 1, 80);  // what was on its way
  EXPECT_EQ(delivered, Seqs{1});
  EXPECT_EQ(reads.size(), 1u);
  now_ms = 1000;
  Step(PauseReader{false});
  ASSERT_EQ(reads.size(), 2u);
  EXPECT_EQ(reads[1].read.session, 100u);
  EXPECT_EQ(reads[1].read.received_bytes, 80u);
}

TEST_F(ReaderTest, ALongPauseBeginsANewSession) {
  Start();
  Step(PauseReader{true});
  TickAt(60000);
  EXPECT_EQ(reads.size(), 1u);
  Step(PauseReader{false});
  EXPECT_EQ(reads.back().read.session, 101u);
}

TEST_F(ReaderTest, GoesBackToTheNearestOnlyWhenThatAnswers) {
  Start();
  HasNot(ReadOutcome::kLacking, 1);
  Data(1, 1);
  const uint64_t serving = reads.back().read.session;
  int64_t ms = 0;
  while (reads.back().replica == 1 && ms < 40000) {
    TickAt(ms += 500);
    if (reads.back().replica == 1) Receive(Answer(ReadOutcome::kIdle, 2));
  }
  EXPECT_EQ(ms, 30000);
  EXPECT_EQ(reads.back().replica, 0);
  EXPECT_EQ(reader->Status().replica, 1);  // still served
  ReadAnswer from_old = Answer(ReadOutcome::kData, 2);
  from_old.session = serving;
  from_old.runs = {MakeRun(2, 1, 1)};
  Step(ReadAnswerReceived{1, from_old});
  EXPECT_EQ(delivered, (Seqs{1, 2}));
  Step(ReadAnswerReceived{0, Answer(ReadOutcome::kIdle, 2)});
  EXPECT_EQ(reader->Status().replica, 0);
  EXPECT_EQ(reads.back().read.from, Seq(3));
}

}  // namespace
}  // namespace homeport::quorum_queue
