#include "quorum_queue/mender.h"

#include <gtest/gtest.h>

#include <deque>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The simplest replica that there can be: its entries, one by one.
struct FakeReplica {
  DiskId disk;
  bool silent = false;
  bool full = false;
  std::optional<StreamId> deaf_to;
  Seq deaf_above = kSeqMax;  // to later pages of a look
  Seq lowest_asked = kSeqMax;
  WriterEpoch promised = WriterEpoch(3);
  WriterEpoch chain_epoch = WriterEpoch(3);
  Seq committed;
  Seq trimmed;
  std::map<Seq, EntryRun> entries;

  void Put(const EntryRun& run) {
    for (uint64_t i = 0; i < run.count(); ++i) {
      entries[run.first + i] = SliceRun(run, run.first + i, 1);
    }
  }
  std::optional<ReplicaAnswer> Answer(const ReplicaRequest& request) {
    if (const auto* holdings = std::get_if<Holdings>(&request)) {
      lowest_asked = std::min(lowest_asked, holdings->from);
      if (holdings->stream == deaf_to || holdings->from > deaf_above) return std::nullopt;
      HoldingsAnswer answer{holdings->stream, disk,           promised, chain_epoch, committed,
                            trimmed,          holdings->from, kSeqMax,  {}};
      for (const auto& [seq, run] : entries) {
        if (seq >= holdings->from) answer.runs.push_back({seq, 1, run.epoch, run.body.size()});
      }
      // Pages of ten.
      if (answer.runs.size() > 10) {
        answer.runs.resize(10);
        answer.through = answer.runs.back().last();
      }
      return answer;
    }
    if (const auto* read = std::get_if<Read>(&request)) {
      ReadAnswer answer{.stream = read->stream,
                        .session = read->session,
                        .disk = disk,
                        .outcome = ReadOutcome::kLacking,
                        .next = read->from,
                        .runs = {},
                        .committed = committed,
                        .trimmed = trimmed};
      // At most three at once.
      for (Seq seq = read->from; entries.contains(seq) && seq <= committed; ++seq) {
        if (answer.runs.size() == 3) break;
        answer.runs.push_back(entries[seq]);
        answer.outcome = ReadOutcome::kData;
      }
      return answer;
    }
    const auto& fill = std::get<Fill>(request);
    if (full) return Refused{fill.stream, fill.epoch, disk, "full"};
    if (fill.epoch < promised) return Fenced{fill.stream, fill.epoch, disk, promised};
    promised = fill.epoch;
    Put(fill.run);
    return Stored{fill.stream, fill.epoch, disk, true, fill.run.first, fill.run.count(), committed};
  }
};

class MenderTest : public testing::Test {
 protected:
  MenderTest() {
    AddGroup();
    options_.streams = {kTestStream};
    options_.ask_every = seconds(2);
    options_.grace = seconds(5);
  }
  void AddGroup() {
    Group group;
    for (DiskId& disk : group.disks) {
      disk = DiskId(replicas_.size() + 1);
      replicas_.emplace_back().disk = disk;
    }
    groups_.push_back(group);
  }
  void Start() {
    mender_ = std::make_unique<Mender>(options_);
    Step(GroupsChanged{groups_});
  }
  // All have first .. last, committed.
  void Commit(uint64_t first, uint64_t last, uint64_t epoch = 3) {
    for (FakeReplica& replica : replicas_) {
      if (replica.silent) continue;
      replica.Put(MakeRun(first, epoch, last - first + 1));
      replica.committed = Seq(last);
    }
  }
  void Lose(size_t replica, uint64_t first, uint64_t last) {
    for (uint64_t seq = first; seq <= last; ++seq) replicas_[replica].entries.erase(Seq(seq));
  }
  void Step(MenderEvent event) {
    std::vector<MenderEffect> effects;
    mender_->Step(now_, std::move(event), &effects);
    for (MenderEffect& effect : effects) {
      if (const auto* note = std::get_if<MenderNote>(&effect)) {
        ++notes_[std::string(note->kind)];
        continue;
      }
      auto& send = std::get<MenderSend>(effect);
      if (auto* fill = std::get_if<Fill>(&send.request)) {
        ++fills_;
        filled_bytes_ += fill->run.body.size();
        last_fill_epoch_ = fill->epoch;
      }
      FakeReplica& replica = replicas_[3 * send.to.group + send.to.slot];
      if (replica.silent) continue;
      if (auto answer = replica.Answer(send.request)) waiting_.emplace_back(send.to, *answer);
    }
  }
  void Pass(core::Duration span) {
    const Instant end = now_ + span;
    for (;;) {
      while (!waiting_.empty()) {
        auto [from, answer] = std::move(waiting_.front());
        waiting_.pop_front();
        Step(MenderAnswer{from, std::move(answer)});
      }
      const auto due = mender_->NextDeadline();
      if (!due || *due > end) break;
      now_ = std::max(now_, *due);
      Step(MenderTick{});
      ASSERT_LT(++steps_, 100000);
    }
    now_ = end;
  }
  bool AreEqual() const {
    for (const FakeReplica& replica : replicas_) {
      if (replica.entries.size() != replicas_[0].entries.size()) return false;
    }
    return true;
  }

  MenderOptions options_;
  std::vector<Group> groups_;
  std::vector<FakeReplica> replicas_;
  std::unique_ptr<Mender> mender_;
  std::deque<std::pair<ReplicaSlot, ReplicaAnswer>> waiting_;
  std::map<std::string, int> notes_;
  int fills_ = 0;
  uint64_t filled_bytes_ = 0;
  WriterEpoch last_fill_epoch_;
  Instant now_{seconds(100)};
  int steps_ = 0;
};

TEST_F(MenderTest, FillsWhatAMemberLacks) {
  Commit(1, 40);
  Lose(1, 5, 30);
  Lose(2, 12, 12);
  Start();
  Pass(seconds(4));
  EXPECT_EQ(fills_, 0) << "it could still be on its way";
  Pass(seconds(20));
  EXPECT_TRUE(AreEqual());
  const MenderStatus status = mender_->Status();
  EXPECT_TRUE(status.complete);
  EXPECT_TRUE(status.lacking.empty());
  EXPECT_EQ(status.mended_entries, 27u);
  EXPECT_EQ(status.mended_bytes, filled_bytes_);
  EXPECT_EQ(replicas_[1].entries[Seq(20)].body.view(), "20/3");
}

TEST_F(MenderTest, LeavesWhatWasJustCommittedToTheWriter) {
  Commit(1, 10);
  Start();
  Pass(seconds(20));
  Commit(11, 20);
  Lose(1, 11, 20);
  Pass(seconds(4));
  EXPECT_EQ(fills_, 0);
  EXPECT_TRUE(mender_->Status().lacking.empty());
  Pass(seconds(10));
  EXPECT_TRUE(AreEqual());
}

TEST_F(MenderTest, LeavesAReplicaThatJustCameBackToTheWriter) {
  replicas_[1].silent = true;
  Commit(1, 10);
  Start();
  Pass(seconds(30));
  EXPECT_EQ(fills_, 0);
  replicas_[1].silent = false;
  Pass(seconds(4));
  EXPECT_EQ(fills_, 0);
  Pass(seconds(10));
  EXPECT_TRUE(AreEqual());
}

TEST_F(MenderTest, SaysWhatASilentReplicaLacksAndSinceWhen) {
  Commit(1, 10);
  Start();
  Pass(seconds(20));
  EXPECT_TRUE(mender_->Status().lacking.empty());
  replicas_[2].silent = true;
  Lose(2, 1, 2);  // no one knows
  Commit(11, 25);
  const Instant before = now_;
  Pass(seconds(30));
  const MenderStatus status = mender_->Status();
  ASSERT_EQ(status.lacking.size(), 1u);
  EXPECT_EQ(status.lacking[0].stream, kTestStream);
  EXPECT_EQ(status.lacking[0].replica, (ReplicaSlot{0, 2}));
  EXPECT_TRUE(status.lacking[0].silent);
  EXPECT_EQ(status.lacking[0].entries, 15u);
  EXPECT_EQ(status.lacking[0].bytes, 15 * 4u);  // "11/3"
  EXPECT_GT(status.lacking[0].since, before);
  EXPECT_LT(status.lacking[0].since, before + seconds(20));
}

TEST_F(MenderTest, TheEpochOfAFillIsTheSourcesAndNotTheTargets) {
  Commit(1, 10);
  Lose(1, 4, 4);
  for (size_t i : {0, 2}) replicas_[i].chain_epoch = replicas_[i].promised = WriterEpoch(7);
  Start();
  Pass(seconds(20));
  EXPECT_TRUE(AreEqual());
  EXPECT_EQ(last_fill_epoch_, WriterEpoch(7));
}

TEST_F(MenderTest, AFencedFillIsTriedAgainLater) {
  Commit(1, 10);
  Lose(1, 4, 4);
  replicas_[1].promised = WriterEpoch(8);
  Start();
  Pass(seconds(20));
  EXPECT_FALSE(AreEqual());
  EXPECT_GT(notes_["mend_fenced"], 1);
  EXPECT_EQ(mender_->Status().lacking.size(), 1u);
  replicas_[0].chain_epoch = WriterEpoch(8);  // the new writer came through
  Pass(seconds(5));
  EXPECT_TRUE(AreEqual());
}

TEST_F(MenderTest, AFullDiskIsTriedAgainLater) {
  Commit(1, 10);
  Lose(1, 4, 4);
  replicas_[1].full = true;
  Start();
  Pass(seconds(20));
  EXPECT_GT(notes_["mend_refused"], 1);
  replicas_[1].full = false;
  Pass(seconds(5));
  EXPECT_TRUE(AreEqual());
}

TEST_F(MenderTest, OneThatCannotBeFilledKeepsNobodyWaiting) {
  Commit(1, 40);
  for (size_t i : {0, 1}) Lose(i, 5, 6);
  Lose(1, 30, 31);  // some pages later
  replicas_[0].full = true;
  Start();
  Pass(seconds(20));
  EXPECT_TRUE(replicas_[1].entries.contains(Seq(5)));
  EXPECT_TRUE(replicas_[1].entries.contains(Seq(31)));
  const MenderStatus status = mender_->Status();
  EXPECT_TRUE(status.complete);
  ASSERT_EQ(status.lacking.size(), 1u);
  EXPECT_EQ(status.lacking[0].replica, (ReplicaSlot{0, 0}));
}

TEST_F(MenderTest, AFullDiskDoesNotKeepAGroupFromBeingDrained) {
  AddGroup();
  groups_[1].state = GroupState::kDraining;
  Commit(1, 8);
  for (size_t i = 0; i < 3; ++i) Lose(i, 5, 8);
  Lose(0, 3, 3);
  replicas_[0].full = true;
  Start();
  Pass(seconds(20));
  EXPECT_TRUE(replicas_[1].entries.contains(Seq(8)));
  EXPECT_TRUE(replicas_[2].entries.contains(Seq(8)));
  EXPECT_EQ(mender_->Status().not_drained, (std::map<uint16_t, uint64_t>{{1, 0}}));
}

TEST_F(MenderTest, LooksFromWhereAllAgreedAndNowAndThenAtAll) {
  options_.look_at_all_every = std::chrono::minutes(2);
  Commit(1, 40);
  Start();
  Pass(seconds(20));
  Commit(41, 50);
  Lose(1, 45, 46);
  Lose(1, 5, 6);  // its disk: nobody is told
  for (FakeReplica& replica : replicas_) replica.lowest_asked = kSeqMax;
  Pass(seconds(30));
  EXPECT_EQ(replicas_[0].lowest_asked, Seq(41));
  EXPECT_TRUE(replicas_[1].entries.contains(Seq(46)));
  EXPECT_FALSE(replicas_[1].entries.contains(Seq(6)));
  Pass(std::chrono::minutes(2));
  EXPECT_EQ(replicas_[0].lowest_asked, Seq(1));
  EXPECT_TRUE(AreEqual());
}

TEST_F(MenderTest, LooksAtAllWhenAReplicaIsBack) {
  options_.look_at_all_every = std::chrono::hours(1);
  Commit(1, 40);
  Start();
  Pass(seconds(20));
  replicas_[1].silent = true;
  Pass(seconds(20));
  Lose(1, 5, 6);
  replicas_[1].silent = false;
  Pass(seconds(20));
  EXPECT_TRUE(AreEqual());
}

TEST_F(MenderTest, AReplicaThatIsSilentForLongDoesNotMakeEachLookOneAtAll) {
  options_.look_at_all_every = std::chrono::minutes(3);
  Commit(1, 40);
  Start();
  Pass(seconds(30));
  replicas_[1].silent = true;
  Commit(41, 45);
  // Until it was time to look at all again: some look began at the first entry.
  for (int s = 0; s < 200; ++s) {
    replicas_[0].lowest_asked = kSeqMax;
    Pass(seconds(1));
    if (replicas_[0].lowest_asked == Seq(1)) break;
  }
  ASSERT_EQ(replicas_[0].lowest_asked, Seq(1));
  Pass(seconds(10));
  replicas_[0].lowest_asked = kSeqMax;
  Pass(seconds(60));
  EXPECT_EQ(replicas_[0].lowest_asked, Seq(41));
  ASSERT_EQ(mender_->Status().lacking.size(), 1u);
  EXPECT_EQ(mender_->Status().lacking[0].entries, 5u);
}

TEST_F(MenderTest, WhileOneIsSilentAMendedGapDoesNotMakeEachLookLongForEver) {
  options_.look_at_all_every = std::chrono::minutes(3);
  Commit(1, 40);
  Start();
  Pass(seconds(30));
  replicas_[1].silent = true;
  Lose(2, 5, 6);  // its disk: found by the next look at all
  Pass(std::chrono::minutes(6));
  EXPECT_TRUE(replicas_[2].entries.contains(Seq(6)));
  replicas_[0].lowest_asked = kSeqMax;
  Pass(seconds(60));
  EXPECT_EQ(replicas_[0].lowest_asked, Seq(41));
}

TEST_F(MenderTest, ASourceThatFallsSilentCostsOnlyTime) {
  Commit(1, 40);
  Lose(1, 5, 30);
  options_.bytes_per_s = 20;
  Start();
  Pass(seconds(8));
  replicas_[0].silent = true;
  Pass(seconds(40));
  EXPECT_TRUE(replicas_[1].entries.contains(Seq(30)));
}

TEST_F(MenderTest, KeepsItsRateAndASlowerOneInBusyTimes) {
  for (FakeReplica& replica : replicas_) {
    replica.Put(MakeRun(1, 3, std::vector<std::string>(400, std::string(100, 'x'))));
    replica.committed = Seq(400);
  }
  Lose(1, 1, 400);
  options_.bytes_per_s = 2000;
  options_.busy_bytes_per_s = 400;
  Start();
  Pass(seconds(6));
  filled_bytes_ = 0;
  Pass(seconds(5));
  EXPECT_GT(filled_bytes_, 8000u);
  EXPECT_LE(filled_bytes_, 12600u);
  Step(Foreground{true});
  Pass(seconds(2));
  filled_bytes_ = 0;
  Pass(seconds(5));
  EXPECT_GT(filled_bytes_, 1000u);
  EXPECT_LE(filled_bytes_, 2700u);
}

TEST_F(MenderTest, AReplicaWithAnotherDiskDoesNotCount) {
  Commit(1, 10);
  Lose(1, 4, 4);
  replicas_[0].disk = DiskId(99);
  replicas_[2].disk = DiskId(98);
  Start();
  Pass(seconds(30));
  EXPECT_EQ(fills_, 0);
  EXPECT_FALSE(mender_->Status().complete) << "one of a group does not tell what it holds";
}

TEST_F(MenderTest, AnEntryHeldNowhereIsTold) {
  Commit(1, 10);
  for (size_t i = 0; i < 3; ++i) Lose(i, 4, 5);
  Start();
  Pass(seconds(30));
  EXPECT_EQ(mender_->Status().held_nowhere, 2u);
  EXPECT_EQ(notes_["held_nowhere"], 1);
  replicas_[2].silent = true;
  Pass(seconds(30));
  EXPECT_EQ(mender_->Status().held_nowhere, 2u) << "nobody has found them";
  replicas_[2].silent = false;
  Commit(4, 5);
  Pass(seconds(30));
  EXPECT_EQ(mender_->Status().held_nowhere, 0u);
}

TEST_F(MenderTest, OneThatAnswersHalfOfALookIsNotCountedTwice) {
  Commit(1, 40);
  Lose(1, 2, 3);
  replicas_[1].full = true;
  Start();
  Pass(seconds(20));
  ASSERT_EQ(mender_->Status().lacking.size(), 1u);
  replicas_[1].deaf_above = Seq(1);
  Pass(seconds(20));
  ASSERT_EQ(mender_->Status().lacking.size(), 1u);
  EXPECT_EQ(mender_->Status().lacking[0].entries, 2u);
}

TEST_F(MenderTest, SaysThatAllIsWholeOnlyWhenItHasCompared) {
  Commit(1, 10);
  Lose(2, 4, 5);
  replicas_[2].full = true;  // so it stays
  Start();
  Pass(seconds(4));
  EXPECT_FALSE(mender_->Status().complete);
  Pass(seconds(20));
  EXPECT_TRUE(mender_->Status().complete);
  EXPECT_EQ(mender_->Status().lacking.size(), 1u);
  groups_[0].disks[2] = DiskId(9);  // replaced; it does not answer until it is restored
  replicas_[2].silent = true;
  Step(GroupsChanged{groups_});
  EXPECT_FALSE(mender_->Status().complete);
  Pass(seconds(3));
  EXPECT_TRUE(mender_->Status().complete) << "what was committed long ago still was";
  ASSERT_EQ(mender_->Status().lacking.size(), 1u);
  EXPECT_EQ(mender_->Status().lacking[0].entries, 10u);
}

TEST_F(MenderTest, NothingIsCompleteWhileNobodyAnswers) {
  for (FakeReplica& replica : replicas_) replica.silent = true;
  Start();
  Pass(seconds(30));
  EXPECT_FALSE(mender_->Status().complete);
}

TEST_F(MenderTest, OneThatAnswersAloneDoesNotLookWhole) {
  Commit(1, 10);
  Lose(2, 4, 5);
  replicas_[2].full = true;
  Start();
  Pass(seconds(20));
  Commit(11, 13);
  for (size_t i : {0, 1}) replicas_[i].silent = true;
  Pass(seconds(20));
  std::map<ReplicaSlot, uint64_t> lacking;
  for (const UnderReplicated& one : mender_->Status().lacking) lacking[one.replica] = one.entries;
  EXPECT_EQ(lacking, (std::map<ReplicaSlot, uint64_t>{{{0, 0}, 3}, {{0, 1}, 3}, {{0, 2}, 2}}));
}

TEST_F(MenderTest, AGroupIsDrainedOnlyWhenEveryStreamKnows) {
  const StreamId other(core::Incarnation(1), core::ShardId(3));
  options_.streams.push_back(other);
  AddGroup();
  groups_[0].state = GroupState::kDraining;
  Commit(1, 30);  // three pages
  for (size_t i : {3, 4}) replicas_[i].deaf_to = other;
  Start();
  Pass(seconds(30));
  EXPECT_TRUE(mender_->Status().not_drained.empty()) << "of one stream nothing is known";
  for (size_t i : {3, 4}) replicas_[i].deaf_to.reset();
  Pass(seconds(30));
  EXPECT_EQ(mender_->Status().not_drained, (std::map<uint16_t, uint64_t>{{0, 0}}));
}

}  // namespace
}  // namespace homeport::quorum_queue
