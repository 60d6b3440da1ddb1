#include "quorum_queue/writer.h"

#include <gtest/gtest.h>

#include "quorum_queue/tests/writer_harness.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;
using Seqs = std::vector<uint64_t>;

// ---- taking over

TEST(WriterTest, IsDueAtOnceAndFencesEveryReplicaOfEveryGroup) {
  WriterHarness h(5, 2);
  EXPECT_EQ(h.writer->NextDeadline(), core::Instant{});
  h.Step(WriterTick{});
  for (size_t r = 0; r < 6; ++r) {
    ASSERT_EQ(h.sent[r].size(), 1u);
    EXPECT_EQ(h.SentTo<Fence>(r).epoch, WriterEpoch(5));
  }
  EXPECT_EQ(h.writer->NextDeadline(), At(250));
}

TEST(WriterTest, RetriesFencesWithTheSameEpoch) {
  WriterHarness h;
  h.Step(WriterTick{});
  h.Deliver(0);
  h.RunTimers(250);
  EXPECT_TRUE(h.sent[0].empty());
  ASSERT_EQ(h.sent[1].size(), 2u);
  EXPECT_EQ(h.SentTo<Fence>(1, 1).epoch, WriterEpoch(5));
}

TEST(WriterTest, OpensAnEmptyStreamWithTwoReplicas) {
  WriterHarness h;
  h.Step(WriterTick{});
  h.DeliverAll({0, 1});
  EXPECT_EQ(h.opened, Seqs{1});
  EXPECT_EQ(h.commits, Seqs{1});
  EXPECT_EQ(h.Status().phase, WriterPhase::kActive);
  EXPECT_EQ(h.replicas[0].chain, MakeChain({{5, 1}}));
  EXPECT_EQ(h.replicas[0].entries.at(Seq(1)), (FakeEntry{WriterEpoch(5), ""}));
}

TEST(WriterTest, DecidesNothingWithoutTwoAnswersInEveryGroup) {
  WriterHarness h(5, 2);
  h.Step(WriterTick{});
  h.DeliverAll({0, 1, 2, 3});
  EXPECT_EQ(h.Status().phase, WriterPhase::kFencing);
  EXPECT_EQ(h.Status().waiting_for, (std::vector<ReplicaSlot>{{1, 1}, {1, 2}}));
  h.DeliverAll({4});
  EXPECT_NE(h.Status().phase, WriterPhase::kFencing);
}

TEST(WriterTest, FillsWhatOneReplicaShowedBeforeItAnnouncesAnything) {
  WriterHarness h;
  h.replicas[0].chain = MakeChain({{3, 1}});
  h.replicas[0].Put(MakeRun(1, 3, {"one", "two"}));
  h.Step(WriterTick{});
  h.Deliver(0);
  h.Deliver(1);
  // The copy at replica 0 counts; the others get a Fill, and nobody an Append yet.
  EXPECT_TRUE(h.sent[0].empty());
  ASSERT_EQ(h.sent[1].size(), 2u);
  const Fill& fill = h.SentTo<Fill>(1);
  EXPECT_EQ(fill.epoch, WriterEpoch(5));
  EXPECT_EQ(fill.run.epoch, WriterEpoch(3));
  EXPECT_EQ(h.Status().phase, WriterPhase::kFilling);
  EXPECT_TRUE(h.commits.empty());
  h.Deliver(1);
  EXPECT_EQ(h.Status().phase, WriterPhase::kFilling);
  h.Deliver(1);  // every entry came as a run of its own
  EXPECT_EQ(h.Status().phase, WriterPhase::kOpening);
  const Append& open = h.SentTo<Append>(0);
  EXPECT_EQ(open.chain, MakeChain({{3, 1}, {5, 3}}));
  EXPECT_EQ(open.run.first, Seq(3));
  EXPECT_EQ(open.committed, Seq(0));  // base, until Open commits
  h.DeliverAll({0, 1});
  EXPECT_EQ(h.opened, Seqs{3});
  EXPECT_EQ(h.commits, Seqs{3});
}

TEST(WriterTest, ResendsFillsAndAnnouncesNothingMeanwhile) {
  WriterHarness h;
  h.replicas[0].chain = MakeChain({{3, 1}});
  h.replicas[0].Put(MakeRun(1, 3, {"one"}));
  h.Step(WriterTick{});
  h.Deliver(0);
  h.Deliver(1);
  h.sent[1].clear();  // lost
  h.sent[2].clear();
  h.RunTimers(3000);
  for (size_t r = 0; r < 3; ++r) {
    for (const ReplicaRequest& request : h.sent[r]) {
      EXPECT_TRUE(std::holds_alternative<Fill>(request));
    }
  }
  EXPECT_TRUE(h.sent[0].empty());
  EXPECT_GE(h.sent[1].size(), 3u);
  h.DeliverAll({0, 1});
  EXPECT_EQ(h.opened, Seqs{2});
}

TEST(WriterTest, FillCopiesOfAnotherGroupDoNotOpen) {
  WriterHarness h(5, 2);
  for (const size_t r : {3, 4, 5}) {
    h.replicas[r].chain = MakeChain({{3, 1}});
    h.replicas[r].Put(MakeRun(1, 3, {"one"}));
  }
  h.Step(WriterTick{});
  for (size_t r = 0; r < 6; ++r) h.Deliver(r);
  EXPECT_EQ(h.Status().phase, WriterPhase::kFilling);
  h.Deliver(0);
  EXPECT_EQ(h.Status().phase, WriterPhase::kFilling);
  h.Deliver(1);
  EXPECT_EQ(h.Status().phase, WriterPhase::kOpening);
  for (const size_t r : {3, 4, 5}) EXPECT_TRUE(h.sent[r].empty());
}

TEST(WriterTest, LaterFenceAnswersDoNotChangeTheDecision) {
  WriterHarness h;
  h.replicas[2].chain = MakeChain({{3, 1}});
  h.replicas[2].Put(MakeRun(1, 3, {"never acknowledged"}));
  h.Step(WriterTick{});
  h.Deliver(0);
  h.Deliver(1);
  h.Deliver(2);
  h.DeliverAll({0, 1, 2});
  EXPECT_EQ(h.opened, Seqs{1});
  EXPECT_EQ(h.replicas[2].entries.at(Seq(1)), (FakeEntry{WriterEpoch(5), ""}));
}

TEST(WriterTest, RefusesCallersBeforeItIsOpen) {
  WriterHarness h;
  EXPECT_EQ(h.writer->Submit("x").status().code(), Code::kUnavailable);
  h.Step(WriterTick{});
  h.Deliver(0);
  h.Deliver(1);
  EXPECT_EQ(h.writer->Submit("x").status().code(), Code::kUnavailable);
}

// ---- steady state

TEST(WriterTest, CommitsWhatTwoReplicasStoredAndAnswersInOrder) {
  WriterHarness h;
  h.Open();
  EXPECT_EQ(h.Submit("a"), 2u);
  EXPECT_EQ(h.Submit("b"), 3u);
  EXPECT_TRUE(h.sent[0].empty());  // not before the flush
  h.Step(WriterFlush{});
  ASSERT_EQ(h.sent[0].size(), 1u);
  EXPECT_EQ(h.SentTo<Append>(0).run.count(), 2u);
  EXPECT_EQ(h.SentTo<Append>(0).run.body.view(), "ab");
  EXPECT_EQ(h.SentTo<Append>(0).run.checksum, BodyChecksum("ab"));
  h.Deliver(0);
  EXPECT_EQ(h.commits, Seqs{1});
  h.Deliver(2);
  EXPECT_EQ(h.commits, (Seqs{1, 3}));
  h.Deliver(1);
  EXPECT_EQ(h.commits, (Seqs{1, 3}));
}

TEST(WriterTest, TheThreeSendsShareOneBody) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("payload");
  const char* body = h.SentTo<Append>(0).run.body.view().data();
  EXPECT_EQ(h.SentTo<Append>(1).run.body.view().data(), body);
  EXPECT_EQ(h.SentTo<Append>(2).run.body.view().data(), body);
}

TEST(WriterTest, NeverAcknowledgesPastAGap) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("a");
  h.SubmitAndFlush("b");
  const ReplicaAnswer first = h.Handle(0);
  const ReplicaAnswer second = h.Handle(0);
  const ReplicaAnswer other_first = h.Handle(1);
  const ReplicaAnswer other_second = h.Handle(1);
  h.Receive(0, second);
  h.Receive(1, other_second);
  EXPECT_EQ(h.commits, Seqs{1});
  h.Receive(0, first);
  h.Receive(1, other_first);
  EXPECT_EQ(h.commits, (Seqs{1, 3}));
}

TEST(WriterTest, TheSameReplicaTwiceIsNoQuorum) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("a");
  const ReplicaAnswer answer = h.Handle(0);
  h.Receive(0, answer);
  h.Receive(0, answer);
  EXPECT_EQ(h.commits, Seqs{1});
}

TEST(WriterTest, IgnoresAnswersOfOtherDisksEpochsAndStreams) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("a");
  h.Deliver(0);
  const Stored good = std::get<Stored>(h.Handle(1));
  Stored other = good;
  other.disk = DiskId(999);
  h.Receive(1, other);
  other = good;
  other.epoch = WriterEpoch(4);
  h.Receive(1, other);
  other = good;
  other.stream = StreamId::FromValue(77);
  h.Receive(1, other);
  other = good;
  other.fill = true;
  h.Receive(1, other);
  EXPECT_EQ(h.commits, Seqs{1});
  h.Receive(1, good);
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
}

TEST(WriterTest, BatchesAreBoundedByBytesAndEntries) {
  WriterOptions options;
  options.batch_bytes_max = 10;
  options.batch_entries_max = 3;
  WriterHarness h(5, 1, options);
  h.Open();
  for (const char* payload : {"1", "2", "3", "4", "a payload of more than ten", "5"}) {
    h.Submit(payload);
  }
  h.Step(WriterFlush{});
  Seqs counts;
  for (const ReplicaRequest& request : h.sent[0]) {
    counts.push_back(std::get<Append>(request).run.count());
  }
  EXPECT_EQ(counts, (Seqs{3, 1, 1, 1}));
}

TEST(WriterTest, RefusesWhatIsTooLargeOrMoreThanTheWindow) {
  WriterOptions options;
  options.entry_bytes_max = 100;
  options.window_bytes_max = 200;
  WriterHarness h(5, 1, options);
  h.Open();
  EXPECT_EQ(h.writer->Submit(std::string(101, 'x')).status().code(), Code::kTooLarge);
  h.Submit(std::string(100, 'x'));
  const auto refused = h.writer->Submit(std::string(100, 'x'));
  EXPECT_EQ(refused.status().code(), Code::kOverloaded);
  EXPECT_GT(refused.status().detail(), 0u);
  EXPECT_EQ(h.Status().window_bytes, 108u);
  h.Step(WriterFlush{});
  h.DeliverAll({0, 1});
  EXPECT_EQ(h.Status().window_bytes, 0u);
  EXPECT_EQ(h.Submit(std::string(100, 'x')), 3u);
}

TEST(WriterTest, WhatFindsAllWindowsFullWaitsAndGoesOutTogether) {
  WriterOptions options;
  options.replica_window_bytes_max = 100;
  WriterHarness h(5, 1, options);
  h.Open();
  h.SubmitAndFlush(std::string(90, 'x'));
  h.SubmitAndFlush("a");
  h.SubmitAndFlush("b");
  for (size_t r = 0; r < 3; ++r) EXPECT_EQ(h.sent[r].size(), 1u);
  h.Deliver(0);
  ASSERT_EQ(h.sent[0].size(), 1u);
  EXPECT_EQ(h.SentTo<Append>(0).run.body.view(), "ab");
  h.DeliverAll({0, 1});
  EXPECT_EQ(h.commits.back(), 4u);
}

// ---- news

TEST(WriterTest, TellsCommittedAfterAShortIdleAndOnlyOnce) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("a");
  h.DeliverAll({0, 1, 2});
  EXPECT_EQ(h.replicas[0].committed, Seq(1));
  h.RunTimers(3);
  for (size_t r = 0; r < 3; ++r) {
    ASSERT_EQ(h.sent[r].size(), 1u);
    EXPECT_TRUE(h.SentTo<Append>(r).run.empty());
    EXPECT_EQ(h.SentTo<Append>(r).committed, Seq(2));
  }
  h.DeliverAll({0, 1, 2});
  EXPECT_EQ(h.replicas[0].committed, Seq(2));
  h.RunTimers(10000);
  for (size_t r = 0; r < 3; ++r) EXPECT_TRUE(h.sent[r].empty());
}

// ---- a newer writer

WriterOptions Looking() {
  WriterOptions options;
  options.look_after = std::chrono::milliseconds(500);
  return options;
}

TEST(WriterTest, AsksNowAndThenWhetherANewerWriterExists) {
  WriterHarness h(5, 1, Looking());
  h.Open();
  h.RunTimers(500);
  for (size_t r = 0; r < 3; ++r) {
    ASSERT_EQ(h.sent[r].size(), 1u);
    EXPECT_EQ(h.SentTo<Fence>(r).epoch, WriterEpoch(5));
  }
  h.DeliverAll({0, 1, 2});
  EXPECT_FALSE(h.stopped.has_value());
  h.replicas[1].promised = WriterEpoch(6);
  h.RunTimers(500);
  h.DeliverAll({0, 1, 2});
  EXPECT_EQ(h.stopped, WriterEpoch(6));
}

TEST(WriterTest, TheNextBatchCarriesTheNews) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("a");
  h.DeliverAll({0, 1, 2});
  h.SubmitAndFlush("b");
  EXPECT_EQ(h.SentTo<Append>(0).committed, Seq(2));
  h.RunTimers(3);
  EXPECT_EQ(h.sent[0].size(), 1u);
}

TEST(WriterTest, LostNewsAreToldAgain) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("a");
  h.DeliverAll({0, 1, 2});
  h.RunTimers(3);
  h.ClearSent();
  h.RunTimers(250);
  h.DeliverAll({0, 1, 2});
  for (size_t r = 0; r < 3; ++r) EXPECT_EQ(h.replicas[r].committed, Seq(2));
}

TEST(WriterTest, NewsGoToAllGroupsAndEntriesToTheFirst) {
  WriterHarness h(5, 2);
  h.Open();
  EXPECT_EQ(h.replicas[3].chain, MakeChain({{5, 1}}));
  h.SubmitAndFlush("a");
  EXPECT_TRUE(h.sent[3].empty());
  h.DeliverAll({0, 1, 2});
  h.RunTimers(3);
  h.DeliverAll({0, 1, 2, 3, 4, 5});
  for (size_t r = 0; r < 6; ++r) EXPECT_EQ(h.replicas[r].committed, Seq(2));
  EXPECT_TRUE(h.replicas[3].entries.empty());
}

TEST(WriterTest, TrimsOnlyWhatIsCommittedAndTellsIt) {
  WriterHarness h;
  h.Open();
  h.Step(TrimThrough{Seq(2)});
  h.RunTimers(10);
  EXPECT_TRUE(h.sent[0].empty());
  h.Step(TrimThrough{Seq(1)});
  h.RunTimers(10);
  h.DeliverAll({0, 1, 2});
  EXPECT_EQ(h.replicas[0].trimmed, Seq(1));
}

TEST(WriterTest, SendsTheChainUntilItIsAdoptedAndAgainWithAProbe) {
  WriterHarness h;
  h.Step(WriterTick{});
  h.DeliverAll({0, 1});
  h.ClearSent();
  h.SubmitAndFlush("a");
  EXPECT_TRUE(h.SentTo<Append>(0).chain.empty());
  EXPECT_EQ(h.SentTo<Append>(2).chain, MakeChain({{5, 1}})) << "it has answered none yet";
  h.ClearSent();
  h.RunTimers(250);
  EXPECT_EQ(h.SentTo<Append>(0).chain, MakeChain({{5, 1}}));
}

// ---- replicas that are slow, dead, full

TEST(WriterTest, GoesOnWithADeadReplicaAndCatchesItUp) {
  WriterHarness h;
  h.Open();
  for (int i = 0; i < 10; ++i) {
    h.SubmitAndFlush(std::to_string(i));
    h.DeliverAll({0, 1});
  }
  EXPECT_EQ(h.commits.back(), 11u);
  h.RunTimers(300);
  h.sent[2].clear();  // it was dead
  h.RunTimers(4000);
  ASSERT_FALSE(h.sent[2].empty());
  for (const ReplicaRequest& request : h.sent[2]) {
    EXPECT_TRUE(std::get<Append>(request).run.empty()) << "a dead replica costs no bandwidth";
  }
  EXPECT_LE(h.sent[2].size(), 4u);
  h.DeliverAll({2});
  EXPECT_EQ(h.replicas[2].entries, h.replicas[0].entries);
}

TEST(WriterTest, WhatADeadReplicaMissesIsBounded) {
  WriterOptions options;
  options.straggler_bytes_max = 1000;
  WriterHarness h(5, 1, options);
  h.Open();
  for (int i = 0; i < 20; ++i) {
    h.SubmitAndFlush(std::string(92, 'x'));
    h.DeliverAll({0, 1});
  }
  h.sent[2].clear();
  h.RunTimers(5000);
  h.DeliverAll({0, 1, 2});
  // Ten batches of 100 were kept; the hole before them is left to others.
  EXPECT_EQ(h.replicas[2].entries.size(), 11u);
  EXPECT_EQ(h.replicas[2].entries.rbegin()->first, Seq(21));
  EXPECT_EQ(h.replicas[2].entries.count(Seq(11)), 0u);
}

TEST(WriterTest, TrimmedEntriesAreNotKeptForADeadReplica) {
  WriterHarness h;
  h.Open();
  for (int i = 0; i < 5; ++i) {
    h.SubmitAndFlush("x");
    h.DeliverAll({0, 1});
  }
  h.sent[2].clear();
  h.Step(TrimThrough{Seq(4)});
  h.RunTimers(5000);
  h.DeliverAll({0, 1, 2});
  for (const uint64_t seq : {2, 3, 4}) EXPECT_EQ(h.replicas[2].entries.count(Seq(seq)), 0u);
  EXPECT_EQ(h.replicas[2].entries.count(Seq(5)), 1u);
}

TEST(WriterTest, WithTwoDeadReplicasNothingCommitsUntilOneIsBack) {
  WriterHarness h;
  h.Open();
  h.SubmitAndFlush("a");
  h.Deliver(0);
  h.RunTimers(5000);
  EXPECT_EQ(h.commits, Seqs{1});
  EXPECT_EQ(h.Status().waiting_for, (std::vector<ReplicaSlot>{{0, 1}, {0, 2}}));
  h.sent[1].clear();  // all lost, it was down
  h.RunTimers(2000);
  h.DeliverAll({1});
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
}

TEST(WriterTest, AFullReplicaIsToldAndTriedAgain) {
  WriterHarness h;
  h.Open();
  h.replicas[1].full = true;
  h.SubmitAndFlush("a");
  h.Deliver(0);
  h.Deliver(1);
  EXPECT_TRUE(h.Status().refused_full);
  EXPECT_EQ(h.commits, Seqs{1});
  EXPECT_TRUE(h.sent[1].empty()) << "not at once";
  h.RunTimers(250);
  h.DeliverAll({1});
  EXPECT_TRUE(h.Status().refused_full);
  h.replicas[1].full = false;
  h.RunTimers(2000);
  h.DeliverAll({1});
  EXPECT_FALSE(h.Status().refused_full);
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
}

// ---- fenced

TEST(WriterTest, StopsForGoodWhenFencedByAHigherEpoch) {
  WriterHarness h;
  h.Open();
  h.Submit("a");
  h.Receive(2,
            Fenced{kTestStream, WriterEpoch(5), DiskId(999), WriterEpoch(6)});  // whatever the disk
  EXPECT_EQ(h.stopped, WriterEpoch(6));
  EXPECT_EQ(h.writer->Submit("b").status().code(), Code::kFenced);
  EXPECT_FALSE(h.writer->NextDeadline().has_value());
  h.Step(WriterFlush{});
  EXPECT_TRUE(h.sent[0].empty());
  EXPECT_EQ(h.Status().phase, WriterPhase::kStopped);
}

TEST(WriterTest, IgnoresFencedThatIsNotHigher) {
  WriterHarness h;
  h.Open();
  h.Receive(2, Fenced{kTestStream, WriterEpoch(5), DiskOf(2), WriterEpoch(5)});
  h.Receive(2, Fenced{StreamId::FromValue(9), WriterEpoch(5), DiskOf(2), WriterEpoch(8)});
  EXPECT_FALSE(h.stopped.has_value());
}

TEST(WriterTest, AZombieStopsAndTheNextWriterKeepsWhatWasAcknowledged) {
  WriterHarness old(5);
  old.Open();
  old.SubmitAndFlush("acknowledged");
  old.DeliverAll({0, 1});
  old.SubmitAndFlush("at one only");
  old.Deliver(0);

  WriterHarness young(6);
  young.replicas = old.replicas;
  young.Step(WriterTick{});
  young.DeliverAll({1, 2});
  EXPECT_EQ(young.opened, Seqs{3});
  EXPECT_EQ(young.replicas[2].entries.at(Seq(2)).payload, "acknowledged");
  EXPECT_EQ(young.replicas[1].entries.at(Seq(3)), (FakeEntry{WriterEpoch(6), ""}));

  old.replicas = young.replicas;
  old.DeliverAll({1});
  EXPECT_EQ(old.stopped, WriterEpoch(6));
  EXPECT_EQ(old.commits.back(), 2u);
}

// ---- a transcript

std::string Describe(const ReplicaRequest& request) {
  const auto run = [](const EntryRun& r) {
    return r.empty() ? std::string("-")
                     : std::to_string(r.first.value()) + "+" + std::to_string(r.count()) + " by " +
                           std::to_string(r.epoch.value());
  };
  if (std::holds_alternative<Fence>(request)) return "Fence";
  if (const auto* fill = std::get_if<Fill>(&request)) return "Fill " + run(fill->run);
  const auto& append = std::get<Append>(request);
  std::string chain;
  for (const ChainLink& link : append.chain) {
    chain +=
        " (" + std::to_string(link.epoch.value()) + "," + std::to_string(link.start.value()) + ")";
  }
  return "Append " + run(append.run) + " committed " + std::to_string(append.committed.value()) +
         " trimmed " + std::to_string(append.trimmed.value()) + chain;
}

// A takeover from a writer that left 4 and 5 at one replica, with a third replica that was away.
TEST(WriterTest, TranscriptOfATakeover) {
  WriterHarness h(7);
  for (const size_t r : {0, 1}) {
    h.replicas[r].chain = MakeChain({{2, 1}, {3, 3}});
    h.replicas[r].Put(MakeRun(1, 2, 2));
    h.replicas[r].Put(MakeRun(3, 3, 1));
    h.replicas[r].committed = Seq(r == 0 ? 3 : 2);
  }
  h.replicas[1].Put(MakeRun(4, 3, 2));
  std::string transcript;
  for (int round = 0; round < 6; ++round) {
    h.Tick(round == 0 ? 0 : 3);
    if (round == 4) h.SubmitAndFlush("a");
    for (size_t r = 0; r < 3; ++r) {
      std::deque<ReplicaRequest> now;
      now.swap(h.sent[r]);
      for (ReplicaRequest& request : now) {
        transcript +=
            std::to_string(round) + " to " + std::to_string(r) + ": " + Describe(request) + "\n";
        if (r == 2 && round < 3) continue;  // lost
        h.sent[r].push_front(std::move(request));
        h.Deliver(r);
      }
    }
  }
  EXPECT_EQ(transcript, R"(0 to 0: Fence
0 to 1: Fence
0 to 2: Fence
0 to 2: Fill 4+1 by 3
0 to 2: Fill 5+1 by 3
1 to 0: Fill 4+1 by 3
1 to 0: Fill 5+1 by 3
1 to 1: Append 6+1 by 7 committed 3 trimmed 0 (2,1) (3,3) (7,6)
1 to 2: Append 6+1 by 7 committed 3 trimmed 0 (2,1) (3,3) (7,6)
2 to 0: Append 6+1 by 7 committed 3 trimmed 0 (2,1) (3,3) (7,6)
3 to 0: Append - committed 6 trimmed 0
3 to 1: Append - committed 6 trimmed 0
3 to 2: Append - committed 6 trimmed 0 (2,1) (3,3) (7,6)
4 to 0: Append 7+1 by 7 committed 6 trimmed 0
4 to 1: Append 7+1 by 7 committed 6 trimmed 0
4 to 2: Append 7+1 by 7 committed 6 trimmed 0
5 to 0: Append - committed 7 trimmed 0
5 to 1: Append - committed 7 trimmed 0
5 to 2: Append - committed 7 trimmed 0
)");
}

// ---- robustness

TEST(WriterTest, AnswersThatMakeNoSenseChangeNothing) {
  WriterHarness h;
  h.Step(WriterTick{});
  h.Receive(0, Stored{kTestStream, WriterEpoch(5), DiskOf(0), false, Seq(1), 5, Seq(9)});
  h.Receive(0, Refused{kTestStream, WriterEpoch(5), DiskOf(0), "full"});
  h.Receive(0, StatusAnswer{});
  h.Receive(0, ReadAnswer{});
  EXPECT_EQ(h.Status().phase, WriterPhase::kFencing);
  h.Open();
  h.Receive(0,
            Stored{kTestStream, WriterEpoch(5), DiskOf(0), false, Seq(1), kSeqMax.value(), Seq(9)});
  h.Receive(1,
            Stored{kTestStream, WriterEpoch(5), DiskOf(1), true, kSeqMax, kSeqMax.value(), Seq(9)});
  h.Receive(1, FenceAnswer{kTestStream, WriterEpoch(5), DiskOf(1), {}, Seq(50), Seq(0), {}});
  EXPECT_EQ(h.commits, Seqs{1});
  EXPECT_EQ(h.Submit("a"), 2u);
}

}  // namespace
}  // namespace homeport::quorum_queue
