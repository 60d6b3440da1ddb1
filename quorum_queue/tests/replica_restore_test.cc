// A recovering replica, and what the others show for it.
#include <gtest/gtest.h>

#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

ReplicaOptions Recovering() {
  ReplicaOptions options;
  options.recovering = true;
  return options;
}
Restore MakeRestore(uint64_t epoch, EntryRun run, DiskId disk = kTestDisk) {
  return {kTestStream, WriterEpoch(epoch), disk, std::move(run)};
}
Restored MakeRestored(uint64_t epoch, StreamCheckpoint state) {
  return {WriterEpoch(epoch), kTestDisk, {std::move(state)}};
}
StreamCheckpoint StateOf(uint64_t promised, Chain chain, uint64_t committed, uint64_t trimmed) {
  return {kTestStream, WriterEpoch(promised), std::move(chain), Seq(committed), Seq(trimmed)};
}

// ---- Recover

TEST(ReplicaRecoverTest, PromisesAndShowsAllAboveTrimmed) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6, 4, 1));
  const auto answer = h.Ask<RecoverAnswer>(Recover{kTestStream, WriterEpoch(9), Seq(1)});
  EXPECT_EQ(answer.epoch, WriterEpoch(9));
  EXPECT_EQ(answer.promised, WriterEpoch(9));
  EXPECT_EQ(answer.disk, kTestDisk);
  EXPECT_EQ(answer.chain, MakeChain({{3, 1}}));
  EXPECT_EQ(answer.committed, Seq(4));
  EXPECT_EQ(answer.trimmed, Seq(1));
  EXPECT_EQ(answer.through, kSeqMax);
  ASSERT_EQ(h.runs().size(), 1u);
  EXPECT_EQ(h.runs()[0].first, Seq(2));
  EXPECT_EQ(h.runs()[0].count, 5u);
  h.Ask<Fenced>(MakeAppend(3, 7, 1));
}

TEST(ReplicaRecoverTest, IsNeverRefusedAndPromisesAStreamThatNobodyKnows) {
  ReplicaHarness h;
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(20)});
  EXPECT_EQ(h.Ask<RecoverAnswer>(Recover{kTestStream, WriterEpoch(9), Seq(1)}).promised,
            WriterEpoch(20));
  const StreamId other(core::Incarnation(1), core::ShardId(7));
  EXPECT_EQ(h.Ask<RecoverAnswer>(Recover{other, WriterEpoch(9), Seq(1)}).promised, WriterEpoch(9));
  EXPECT_EQ(h.Ask<Fenced>(Fence{other, WriterEpoch(8)}).promised, WriterEpoch(9));
}

TEST(ReplicaRecoverTest, LeavesWhenThePromiseIsOnDisk) {
  ReplicaHarness h;
  h.Send(Recover{kTestStream, WriterEpoch(9), Seq(1)});
  EXPECT_TRUE(h.TakeAnswers().empty());
  h.Persist();
  EXPECT_EQ(h.TakeAnswers().size(), 1u);
}

TEST(ReplicaRecoverTest, ComesInPages) {
  ReplicaOptions options;
  options.fence_page_runs_max = 2;
  ReplicaHarness h(options);
  for (uint64_t i = 0; i < 5; ++i) h.Ask<Stored>(MakeAppend(3, 1 + 2 * i, 2));
  const auto first = h.Ask<RecoverAnswer>(Recover{kTestStream, WriterEpoch(9), Seq(1)});
  EXPECT_EQ(first.through, Seq(4));
  const auto second = h.Ask<RecoverAnswer>(Recover{kTestStream, WriterEpoch(9), Seq(5)});
  EXPECT_EQ(second.from, Seq(5));
  EXPECT_EQ(second.through, Seq(8));
  EXPECT_EQ(h.Ask<RecoverAnswer>(Recover{kTestStream, WriterEpoch(9), Seq(9)}).through, kSeqMax);
}

// The disk stalls, and the keeper asks again.
TEST(ReplicaRecoverTest, AnswersThatWaitForTheDiskBecomeOnePerPage) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6));
  for (int i = 0; i < 3; ++i) h.Send(Recover{kTestStream, WriterEpoch(9), Seq(1)});
  h.Send(Recover{kTestStream, WriterEpoch(9), Seq(4)});
  h.Persist();
  EXPECT_EQ(h.TakeAnswers().size(), 2u);
}

// ---- recovering

TEST(RecoveringReplicaTest, TakesNoPart) {
  ReplicaHarness h(Recovering());
  h.Send(Fence{kTestStream, WriterEpoch(5)});
  h.Send(MakeAppend(5, 1, 2));
  h.Send(MakeFill(5, 1, 5, 2));
  h.Send(Recover{kTestStream, WriterEpoch(5), Seq(1)});
  h.Send(Holdings{kTestStream, Seq(1)});
  h.Send(Read{kTestStream, 1, Seq(1), 0, 100, false});
  h.Send(Trim{kTestStream, Seq(5)});
  h.Persist();
  EXPECT_TRUE(h.TakeAnswers().empty());
  EXPECT_EQ(h.records(), 0u);
  EXPECT_TRUE(h.Ask<StatusAnswer>(StatusRequest{}).recovering);
}

TEST(RecoveringReplicaTest, IsAFullMemberOnceAllIsOnDisk) {
  ReplicaHarness h(Recovering());
  h.Ask<Stored>(MakeRestore(9, MakeRun(3, 4, 4)));
  h.Ask<Stored>(MakeRestore(9, MakeRun(7, 5, 3)));
  h.Send(MakeRestored(9, StateOf(11, MakeChain({{4, 1}, {6, 7}}), 6, 3)));
  EXPECT_EQ(h.recovered(), 0);
  h.Send(Fence{kTestStream, WriterEpoch(12)});
  EXPECT_TRUE(h.TakeAnswers().empty());
  h.Persist();
  EXPECT_EQ(h.recovered(), 1);
  EXPECT_FALSE(h.TakeAnswer<StatusAnswer>().recovering);
  const ObservedStream seen = h.Observe();
  EXPECT_EQ(seen.state.promised, WriterEpoch(11));
  EXPECT_EQ(seen.state.chain, MakeChain({{4, 1}, {6, 7}}));
  EXPECT_EQ(seen.state.committed, Seq(6));
  EXPECT_EQ(seen.state.trimmed, Seq(3));
  EXPECT_EQ(seen.entries.size(), 3u) << "4 .. 6; 3 is trimmed, 7 .. 9 by 5 are not valid";
  EXPECT_EQ(h.Ask<Fenced>(Fence{kTestStream, WriterEpoch(10)}).promised, WriterEpoch(11));
}

TEST(RecoveringReplicaTest, TakesNothingForAnotherDiskOrOfAnOlderTry) {
  ReplicaHarness h(Recovering());
  h.Send(MakeRestore(9, MakeRun(1, 4, 2), DiskId(5)));
  h.Persist();
  EXPECT_TRUE(h.TakeAnswers().empty());
  h.Ask<Stored>(MakeRestore(9, MakeRun(1, 4, 2)));
  EXPECT_EQ(h.Ask<Fenced>(MakeRestore(8, MakeRun(1, 4, 2))).promised, WriterEpoch(9));
  h.Send(MakeRestored(8, StateOf(11, {}, 0, 0)));
  h.Persist();
  EXPECT_EQ(h.recovered(), 0);
}

TEST(RecoveringReplicaTest, ANewTryBeginsFromNothing) {
  ReplicaHarness h(Recovering());
  h.Ask<Stored>(MakeRestore(9, MakeRun(1, 4, 5)));
  h.Ask<Stored>(MakeRestore(10, MakeRun(3, 4, 1)));
  h.Ask<StatusAnswer>(MakeRestored(10, StateOf(10, MakeChain({{4, 1}}), 5, 0)));
  EXPECT_EQ(h.Observe().entries.size(), 1u);
}

TEST(RecoveringReplicaTest, GoesOnAfterARestart) {
  ReplicaHarness before(Recovering());
  before.Ask<Stored>(MakeRestore(8, MakeRun(1, 4, 1)));
  before.Ask<Stored>(MakeRestore(9, MakeRun(2, 4, 2)));
  ReplicaHarness h(before.log(), 1, Recovering());
  EXPECT_TRUE(h.replica().recovering());
  EXPECT_EQ(h.Ask<Fenced>(MakeRestore(8, MakeRun(1, 4, 1))).promised, WriterEpoch(9));
  h.Ask<Stored>(MakeRestore(9, MakeRun(4, 4, 1)));
  h.Ask<StatusAnswer>(MakeRestored(9, StateOf(9, MakeChain({{4, 1}}), 4, 0)));
  EXPECT_EQ(h.Observe().entries.size(), 3u);

  // It ended before it could note that it is a member.
  ReplicaHarness again(h.log(), 1, Recovering());
  EXPECT_FALSE(again.replica().recovering());
  EXPECT_EQ(again.Observe(), h.Observe());
}

TEST(RecoveringReplicaTest, AFullDiskRefusesEntries) {
  ReplicaHarness h(Recovering());
  h.Step(SpaceChanged{true});
  h.Ask<Refused>(MakeRestore(9, MakeRun(1, 4, 2)));
  EXPECT_EQ(h.records(), 0u);
}

TEST(RecoveringReplicaTest, SaysThatThereIsTooMuchForIt) {
  ReplicaOptions options = Recovering();
  options.streams_max = 1;
  options.chain_links_max = 2;
  ReplicaHarness h(options);
  h.Ask<Stored>(MakeRestore(9, MakeRun(1, 4, 2)));
  Restore other = MakeRestore(9, MakeRun(1, 4, 2));
  other.stream = StreamId(core::Incarnation(1), core::ShardId(7));
  EXPECT_EQ(h.Ask<Refused>(other).reason, "more than 1 streams, or 2 links of their chains");
  h.Ask<Refused>(MakeRestored(9, StateOf(9, MakeChain({{4, 1}, {5, 2}, {6, 3}}), 2, 0)));
  EXPECT_EQ(h.recovered(), 0);
}

// ---- the wire

template <class Kind>
Kind Back(const Kind& request) {
  const auto back = DecodeRequest(EncodeRequest(request));
  EXPECT_TRUE(back.ok()) << back.status();
  return std::get<Kind>(*back);
}

TEST(RestoreCodecTest, RequestsRoundTrip) {
  const Recover recover = Back(Recover{kTestStream, WriterEpoch(9), Seq(4)});
  EXPECT_EQ(recover.stream, kTestStream);
  EXPECT_EQ(recover.epoch, WriterEpoch(9));
  EXPECT_EQ(recover.from, Seq(4));
  const Restore restore = Back(MakeRestore(9, MakeRun(3, 4, 2)));
  EXPECT_EQ(restore.epoch, WriterEpoch(9));
  EXPECT_EQ(restore.disk, kTestDisk);
  EXPECT_EQ(restore.run.body.view(), MakeRun(3, 4, 2).body.view());
  const Restored sent = MakeRestored(9, StateOf(11, MakeChain({{4, 1}}), 6, 3));
  const Restored restored = Back(sent);
  EXPECT_EQ(restored.epoch, WriterEpoch(9));
  EXPECT_EQ(restored.disk, kTestDisk);
  EXPECT_EQ(restored.streams, sent.streams);
}

TEST(RestoreCodecTest, RequestsThatContradictThemselvesAreRefused) {
  const auto refused = [](const ReplicaRequest& request) {
    return !DecodeRequest(EncodeRequest(request)).ok();
  };
  EXPECT_TRUE(refused(Recover{kTestStream, WriterEpoch(0), Seq(1)}));
  EXPECT_TRUE(refused(Recover{kTestStream, WriterEpoch(9), Seq(0)}));
  EXPECT_TRUE(refused(MakeRestore(9, {})));
  EXPECT_TRUE(refused(MakeRestored(9, StateOf(8, {}, 0, 0)))) << "promised below the epoch";
  EXPECT_TRUE(refused(MakeRestored(9, StateOf(9, MakeChain({{10, 1}}), 0, 0))));
  EXPECT_TRUE(refused(MakeRestored(9, StateOf(9, {}, 3, 4))));
  Restored twice = MakeRestored(9, StateOf(9, {}, 0, 0));
  twice.streams.push_back(twice.streams[0]);
  EXPECT_TRUE(refused(twice));
}

TEST(RestoreCodecTest, RecoverAnswerRoundTripsAndIsChecked) {
  RecoverAnswer answer{kTestStream, WriterEpoch(9), kTestDisk, WriterEpoch(11), MakeChain({{4, 1}}),
                       Seq(6),      Seq(3),         Seq(4),    Seq(9),          {MakeRun(5, 4, 2)}};
  const auto back = DecodeAnswer(EncodeAnswer(answer, false));
  ASSERT_TRUE(back.ok()) << back.status();
  const auto& same = std::get<RecoverAnswer>(*back);
  EXPECT_EQ(same.epoch, answer.epoch);
  EXPECT_EQ(same.disk, answer.disk);
  EXPECT_EQ(same.promised, answer.promised);
  EXPECT_EQ(same.chain, answer.chain);
  EXPECT_EQ(same.committed, answer.committed);
  EXPECT_EQ(same.trimmed, answer.trimmed);
  EXPECT_EQ(same.from, answer.from);
  EXPECT_EQ(same.through, answer.through);
  ASSERT_EQ(same.runs.size(), 1u);
  const auto refused = [&](auto change) {
    RecoverAnswer changed = answer;
    change(changed);
    return !DecodeAnswer(EncodeAnswer(changed, false)).ok();
  };
  EXPECT_TRUE(refused([](RecoverAnswer& a) { a.promised = WriterEpoch(8); }));
  EXPECT_TRUE(refused([](RecoverAnswer& a) { a.through = Seq(5); }));
  EXPECT_TRUE(refused([](RecoverAnswer& a) { a.from = Seq(6); }));
  EXPECT_TRUE(refused([](RecoverAnswer& a) { a.trimmed = Seq(7); }));
}

}  // namespace
}  // namespace homeport::quorum_queue
