// Which directories are old copies, and what the region's keeper does about it.
#include "quorum_queue/admitter.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Life kFirst{1, 11};
constexpr Life kSecond{2, 22};
constexpr Life kThird{3, 33};

// ---- the rule

TEST(JudgeLifeTest, ALifeThatIsKnownWithAllThatWasMarkedIsKnown) {
  const DiskLife known{DiskId(1), kFirst, kSecond, RecordNumber(10)};
  EXPECT_EQ(JudgeLife(known, kFirst, RecordNumber(10)), LifeVerdict::kKnown);
  EXPECT_EQ(JudgeLife(known, kSecond, RecordNumber(12)), LifeVerdict::kKnown);
}

TEST(JudgeLifeTest, AnEarlierLifeOrFewerRecordsIsAnOldCopy) {
  const DiskLife known{DiskId(1), kSecond, Life(), RecordNumber(10)};
  EXPECT_EQ(JudgeLife(known, kFirst, RecordNumber(50)), LifeVerdict::kAmnesiac);
  EXPECT_EQ(JudgeLife(known, Life(), RecordNumber(0)), LifeVerdict::kAmnesiac);
  EXPECT_EQ(JudgeLife(known, kSecond, RecordNumber(9)), LifeVerdict::kAmnesiac);
}

TEST(JudgeLifeTest, TheOtherOfTwoCopiesThatWereBothStartedIsAnOldCopy) {
  const DiskLife known{DiskId(1), kSecond, Life(), RecordNumber(10)};
  EXPECT_EQ(JudgeLife(known, Life{2, 99}, RecordNumber(50)), LifeVerdict::kAmnesiac);
}

TEST(JudgeLifeTest, ALaterLifeThanAnyOfferedSaysThatTheStoreIsOld) {
  const DiskLife known{DiskId(1), kFirst, kSecond, RecordNumber(10)};
  EXPECT_EQ(JudgeLife(known, kThird, RecordNumber(50)), LifeVerdict::kStoreIsOlder);
}

// ---- the replica

ReplicaOptions Waiting(Life life, Life proposed) {
  ReplicaOptions options;
  options.needs_admission = true;
  options.life = life;
  options.proposed = proposed;
  return options;
}

TEST(ReplicaAdmissionTest, TakesNothingButReadersBeforeItIsAdmitted) {
  ReplicaHarness h(Waiting(kFirst, kSecond));
  h.Send(MakeAppend(3, 1, 6, 4, 1));
  h.Send(Fence{kTestStream, WriterEpoch(5)});
  h.Send(Recover{kTestStream, WriterEpoch(6), Seq(1)});
  h.Send(Trim{kTestStream, Seq(3)});
  EXPECT_TRUE(h.log().empty());
  EXPECT_TRUE(h.TakeAnswers().empty());
  EXPECT_EQ(h.Ask<HoldingsAnswer>(Holdings{kTestStream, Seq(1)}).committed, Seq(0));
  EXPECT_FALSE(h.Ask<StatusAnswer>(StatusRequest{}).admitted);
  EXPECT_EQ(h.Ask<LifeAnswer>(AskLife{7}).nonce, 7u);

  const LifeAnswer offered = h.Ask<LifeAnswer>(Admit{8, kTestDisk, kSecond, Admission::kOffered});
  EXPECT_EQ(offered.life, kSecond);
  EXPECT_FALSE(offered.admitted);
  EXPECT_EQ(h.remembered(), kSecond);
  h.Send(Fence{kTestStream, WriterEpoch(5)});
  EXPECT_TRUE(h.log().empty());

  EXPECT_TRUE(h.Ask<LifeAnswer>(Admit{9, kTestDisk, kSecond, Admission::kAdmitted}).admitted);
  EXPECT_EQ(h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)}).epoch, WriterEpoch(5));
}

TEST(ReplicaAdmissionTest, IgnoresWhatIsForAnotherProcessOrDisk) {
  ReplicaHarness h(Waiting(kFirst, kSecond));
  h.Send(Admit{1, kTestDisk, kThird, Admission::kOffered});
  h.Send(Admit{1, DiskId(5), kSecond, Admission::kOffered});
  h.Send(Admit{1, kTestDisk, kThird, Admission::kAmnesiac});
  h.Send(Admit{1, kTestDisk, kSecond, Admission::kAdmitted});  // it was not offered yet
  EXPECT_TRUE(h.TakeAnswers().empty());
  EXPECT_EQ(h.remembered(), Life());
  EXPECT_EQ(h.amnesiac(), 0);
}

TEST(ReplicaAdmissionTest, AnAmnesiacSaysNothingMoreButHowItIs) {
  ReplicaHarness h(Waiting(kFirst, kSecond));
  h.Ask<LifeAnswer>(Admit{1, kTestDisk, kSecond, Admission::kAmnesiac});
  EXPECT_EQ(h.amnesiac(), 1);
  h.Ask<LifeAnswer>(Admit{2, kTestDisk, kSecond, Admission::kOffered});
  h.Ask<LifeAnswer>(Admit{3, kTestDisk, kSecond, Admission::kAdmitted});
  h.Send(Fence{kTestStream, WriterEpoch(5)});
  h.Send(Holdings{kTestStream, Seq(1)});
  EXPECT_TRUE(h.TakeAnswers().empty());
}

TEST(ReplicaAdmissionTest, TellsOfRecordsThatAreOnDiskOnly) {
  ReplicaHarness h(Waiting(kFirst, kSecond));
  h.Ask<LifeAnswer>(Admit{1, kTestDisk, kSecond, Admission::kOffered});
  h.Ask<LifeAnswer>(Admit{2, kTestDisk, kSecond, Admission::kAdmitted});
  h.Send(MakeAppend(3, 1, 1, 0, 0));
  h.Send(AskLife{3});
  const auto answers = h.TakeAnswers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<LifeAnswer>(answers[0].answer).record, RecordNumber(0));
  h.Persist();
  h.TakeAnswers();
  EXPECT_EQ(h.Ask<LifeAnswer>(AskLife{4}).record, RecordNumber(1));
}

// ---- the keeper's machine

// A replica's process, as the machine sees it.
struct FakeReplica {
  DiskId disk;
  Life life;
  Life proposed;
  uint64_t record = 0;
  bool admitted = false;
  bool recovering = false;
  bool silent = false;
  bool gives_up = false;

  void Restart() {
    proposed = {life.number + 1, proposed.random + 1000};
    admitted = false;
  }
  LifeAnswer Answer(uint64_t nonce) const {
    return {disk, nonce, life, proposed, admitted, recovering, RecordNumber(record)};
  }
};

class AdmitterTest : public testing::Test {
 protected:
  AdmitterTest() : groups_(1) {
    for (uint8_t i = 0; i < 3; ++i) {
      replicas_[i].disk = groups_[0].disks[i] = DiskId(i + 1);
      replicas_[i].proposed.random = i;
      replicas_[i].record = 10;
      replicas_[i].Restart();
    }
    StartKeeper();
  }
  void StartKeeper() {
    AdmitterOptions options;
    options.lives = store_;
    admitter_ = std::make_unique<Admitter>(options);
    waiting_.clear();
    Step(AdmitterGroups{groups_});
  }
  void Step(AdmitterEvent event) {
    std::vector<AdmitterEffect> effects;
    admitter_->Step(now_, std::move(event), &effects);
    for (AdmitterEffect& effect : effects) {
      if (const auto* note = std::get_if<AdmitterNote>(&effect)) {
        notes_.push_back(note->note);
      } else if (auto* store = std::get_if<StoreLives>(&effect)) {
        if (!store_works_) {
          Step(LivesStored{false});
          continue;
        }
        store_ = std::move(store->lives);
        ++stored_;
        Step(LivesStored{true});
      } else {
        Deliver(std::get<AdmitterSend>(effect));
      }
    }
  }
  void Deliver(const AdmitterSend& send) {
    FakeReplica& replica = replicas_[send.to.slot];
    if (replica.silent || groups_[send.to.group].disks[send.to.slot] != replica.disk) return;
    if (const auto* ask = std::get_if<AskLife>(&send.request)) {
      waiting_.emplace_back(send.to, replica.Answer(ask->nonce));
      return;
    }
    const auto& admit = std::get<Admit>(send.request);
    if (admit.disk != replica.disk || admit.life != replica.proposed) return;
    switch (admit.admission) {
      case Admission::kOffered:
        EXPECT_EQ(StoredOf(replica.disk).offered, replica.proposed) << "stored before it is said";
        replica.life = replica.proposed;
        break;
      case Admission::kAdmitted:
        EXPECT_EQ(StoredOf(replica.disk).admitted, replica.proposed) << "stored before it is said";
        replica.admitted = true;
        break;
      case Admission::kAmnesiac:
        replica.gives_up = true;
        return;
    }
    waiting_.emplace_back(send.to, replica.Answer(admit.nonce));
  }
  DiskLife StoredOf(DiskId disk) const {
    for (const DiskLife& one : store_) {
      if (one.disk == disk) return one;
    }
    return {};
  }
  void Pass(core::Duration span) {
    const Instant end = now_ + span;
    for (int steps = 0; steps < 10000; ++steps) {
      while (!waiting_.empty()) {
        auto [from, answer] = waiting_.front();
        waiting_.pop_front();
        Step(LifeAnswered{from, answer});
      }
      const auto due = admitter_->NextDeadline();
      if (!due || *due > end) break;
      now_ = std::max(now_, *due);
      Step(AdmitterTick{});
    }
    now_ = end;
  }
  bool Saw(AdmissionNote note) const {
    return std::find(notes_.begin(), notes_.end(), note) != notes_.end();
  }
  ReplicaLife StateOf(uint8_t slot) const { return admitter_->StateOf({0, slot}); }

  std::vector<Group> groups_;
  FakeReplica replicas_[3];
  std::vector<DiskLife> store_;
  bool store_works_ = true;
  int stored_ = 0;
  std::unique_ptr<Admitter> admitter_;
  std::deque<std::pair<ReplicaSlot, LifeAnswer>> waiting_;
  std::vector<AdmissionNote> notes_;
  Instant now_{seconds(100)};
};

TEST_F(AdmitterTest, AdmitsReplicasThatAreNewAndThoseThatComeBack) {
  Pass(milliseconds(10));
  for (const FakeReplica& replica : replicas_) EXPECT_TRUE(replica.admitted);
  EXPECT_EQ(StateOf(1), ReplicaLife::kTakesPart);
  for (int i = 0; i < 3; ++i) {
    replicas_[1].Restart();
    Pass(seconds(2));
    EXPECT_TRUE(replicas_[1].admitted);
  }
  EXPECT_FALSE(Saw(AdmissionNote::kAmnesiac));
  EXPECT_EQ(store_.size(), 3u);
}

TEST_F(AdmitterTest, StoresMarksNowAndThenAndOnlyWhenTheyMove) {
  Pass(seconds(5));
  const int before = stored_;
  Pass(seconds(20));
  EXPECT_EQ(stored_, before);
  replicas_[2].record = 50;
  Pass(seconds(3));
  EXPECT_EQ(StoredOf(DiskId(3)).mark, RecordNumber(50));
  EXPECT_LE(stored_, before + 2);
}

TEST_F(AdmitterTest, ADirectoryFromBeforeTheLastStartIsGivenUp) {
  Pass(seconds(3));
  const FakeReplica copy = replicas_[0];
  replicas_[0].Restart();
  Pass(seconds(3));
  replicas_[0] = copy;  // with no fewer records than before
  replicas_[0].Restart();
  Pass(seconds(3));
  EXPECT_TRUE(replicas_[0].gives_up);
  EXPECT_FALSE(replicas_[0].admitted);
  EXPECT_EQ(StateOf(0), ReplicaLife::kAmnesiac);
  EXPECT_TRUE(Saw(AdmissionNote::kGivesUp));
}

TEST_F(AdmitterTest, ADirectoryOfThisLifeWithLessThanTheMarkIsGivenUp) {
  Pass(seconds(3));
  const FakeReplica copy = replicas_[0];
  replicas_[0].record = 99;
  Pass(seconds(3));
  replicas_[0] = copy;
  replicas_[0].Restart();
  StartKeeper();  // the store remembers
  Pass(seconds(3));
  EXPECT_TRUE(replicas_[0].gives_up);
}

TEST_F(AdmitterTest, AProcessThatGoesOnFromAnOldStateOfItsMachineIsGivenUp) {
  replicas_[0].record = 99;
  Pass(seconds(3));
  replicas_[0].record = 50;  // with its memory: it still thinks that it is admitted
  Pass(seconds(3));
  EXPECT_TRUE(replicas_[0].gives_up);
}

TEST_F(AdmitterTest, AnAmnesiacWaitsUntilBothOthersTakePart) {
  Pass(seconds(3));
  for (int slot : {0, 1}) {
    replicas_[slot].life = kFirst;  // of another start: an old copy
    replicas_[slot].Restart();
  }
  Pass(seconds(10));
  EXPECT_FALSE(replicas_[0].gives_up);
  EXPECT_FALSE(replicas_[1].gives_up);
  EXPECT_EQ(StateOf(0), ReplicaLife::kAmnesiac);
  EXPECT_TRUE(Saw(AdmissionNote::kAmnesiac));
  EXPECT_FALSE(Saw(AdmissionNote::kGivesUp));
  // The right directory of one of them is found.
  replicas_[1].life = StoredOf(DiskId(2)).admitted;
  replicas_[1].Restart();
  Pass(seconds(3));
  EXPECT_TRUE(replicas_[1].admitted);
  EXPECT_TRUE(replicas_[0].gives_up);
}

TEST_F(AdmitterTest, AStoreThatIsOldTakesNoOneForAnAmnesiac) {
  Pass(seconds(3));
  const std::vector<DiskLife> old = store_;
  for (int i = 0; i < 2; ++i) {
    for (FakeReplica& replica : replicas_) replica.Restart();
    Pass(seconds(3));
  }
  store_ = old;
  StartKeeper();
  for (FakeReplica& replica : replicas_) replica.Restart();
  Pass(seconds(3));
  for (const FakeReplica& replica : replicas_) {
    EXPECT_FALSE(replica.gives_up);
    EXPECT_FALSE(replica.admitted);
  }
  EXPECT_TRUE(Saw(AdmissionNote::kStoreIsOlder));
}

TEST_F(AdmitterTest, AdmitsNobodyWhileTheStoreFails) {
  store_works_ = false;
  Pass(seconds(5));
  EXPECT_FALSE(replicas_[0].admitted);
  store_works_ = true;
  Pass(seconds(5));
  EXPECT_TRUE(replicas_[0].admitted);
}

TEST_F(AdmitterTest, ACrashAtAnyStepOfAnAdmissionIsNoAmnesia) {
  // Between any two messages the keeper, the replica or both begin anew.
  for (int steps = 0; steps < 12; ++steps) {
    for (const int who : {1, 2, 3}) {
      notes_.clear();
      replicas_[0].Restart();
      now_ += seconds(2);
      Step(AdmitterTick{});
      for (int i = 0; i < steps && !waiting_.empty(); ++i) {
        auto [from, answer] = waiting_.front();
        waiting_.pop_front();
        Step(LifeAnswered{from, answer});
      }
      if (who & 1) StartKeeper();
      if (who & 2) replicas_[0].Restart();
      Pass(seconds(3));
      EXPECT_TRUE(replicas_[0].admitted) << steps << ' ' << who;
      EXPECT_FALSE(Saw(AdmissionNote::kAmnesiac)) << steps << ' ' << who;
      EXPECT_FALSE(Saw(AdmissionNote::kStoreIsOlder)) << steps << ' ' << who;
    }
  }
}

// An answer that is late, or comes twice, tells of a process that is gone.
TEST_F(AdmitterTest, OldAnswersDoNotCount) {
  Pass(seconds(3));
  const LifeAnswer old = replicas_[0].Answer(1);
  replicas_[0].Restart();
  replicas_[0].record = 70;
  Pass(seconds(3));
  for (uint64_t nonce = 0; nonce < 30; ++nonce) {  // of questions from before it began anew
    LifeAnswer late = old;
    late.nonce = nonce;
    Step(LifeAnswered{{0, 0}, late});
  }
  EXPECT_FALSE(Saw(AdmissionNote::kAmnesiac));
}

// A group is retired, and the next one has its place: what its replicas said before is late.
TEST_F(AdmitterTest, AnAnswerFromBeforeTheGroupsChangedDoesNotCount) {
  groups_.insert(groups_.begin(), Group());
  groups_[0].disks = {DiskId(91), DiskId(92), DiskId(93)};  // silent: see Deliver
  Step(AdmitterGroups{groups_});
  Pass(milliseconds(10));
  const LifeAnswer late = {DiskId(1), 1,     replicas_[0].life, replicas_[0].proposed,
                           true,      false, RecordNumber(0)};
  replicas_[0].record = 50;
  Pass(seconds(3));
  ASSERT_EQ(StoredOf(DiskId(1)).mark, RecordNumber(50));
  groups_.erase(groups_.begin());
  Step(AdmitterGroups{groups_});
  for (uint64_t nonce = 0; nonce < 30; ++nonce) {
    LifeAnswer one = late;
    one.nonce = nonce;
    Step(LifeAnswered{{0, 0}, one});
  }
  EXPECT_FALSE(Saw(AdmissionNote::kAmnesiac));
}

TEST_F(AdmitterTest, ARecoveringReplicaIsAdmittedOnceItsDiskIsInTheStore) {
  Pass(seconds(3));
  replicas_[2] = FakeReplica{.disk = DiskId(30), .life = {}, .proposed = {}, .recovering = true};
  replicas_[2].Restart();
  Pass(seconds(3));
  EXPECT_FALSE(replicas_[2].admitted);
  groups_[0].disks[2] = DiskId(30);
  Step(AdmitterGroups{groups_});
  Pass(seconds(3));
  EXPECT_TRUE(replicas_[2].admitted);
  EXPECT_EQ(StateOf(2), ReplicaLife::kRecovering);
  EXPECT_EQ(StoredOf(DiskId(3)).disk, DiskId()) << "what is gone is forgotten";
}

}  // namespace
}  // namespace homeport::quorum_queue
