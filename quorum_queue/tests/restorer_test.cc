#include "quorum_queue/restorer.h"

#include <gtest/gtest.h>

#include <deque>
#include <map>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

using core::Instant;
using std::chrono::seconds;

const StreamId kOtherStream(core::Incarnation(1), core::ShardId(3));

// What a full member shows of a stream, and what a recovering one was given.
struct FakeMember {
  DiskId disk;
  bool silent = false;
  bool recovering = false;
  uint64_t nonce = 0;                       // last asked with
  std::map<StreamId, RecoverAnswer> shows;  // all of it, in `runs`
  uint64_t page_runs = 100;
  std::vector<Restore> restores;
  std::vector<Restored> restored;
  std::map<StreamId, WriterEpoch> recovers;
  bool stalled = false;  // takes what is sent, and answers nothing of it
  std::string refuses;   // entries, and why

  std::optional<ReplicaAnswer> Answer(const ReplicaRequest& request) {
    if (const auto* status = std::get_if<StatusRequest>(&request)) {
      nonce = status->nonce;
      return StatusAnswer{
          .disk = disk, .streams = {}, .recovering = recovering, .nonce = status->nonce};
    }
    if (const auto* recover = std::get_if<Recover>(&request); recover && !recovering) {
      recovers[recover->stream] = recover->epoch;
      RecoverAnswer page = shows[recover->stream];
      page.stream = recover->stream;
      page.epoch = recover->epoch;
      page.promised = std::max(page.promised, recover->epoch);
      page.disk = disk;
      page.from = recover->from;
      page.through = kSeqMax;
      std::erase_if(page.runs, [&](const EntryRun& run) { return run.first < recover->from; });
      if (page.runs.size() > page_runs) {
        page.runs.resize(page_runs);
        page.through = page.runs.back().last();
      }
      return page;
    }
    if (const auto* restore = std::get_if<Restore>(&request);
        restore && recovering && restore->disk == disk) {
      if (!refuses.empty()) return Refused{restore->stream, restore->epoch, disk, refuses};
      restores.push_back(*restore);
      if (stalled) return std::nullopt;
      return Stored{restore->stream,    restore->epoch,       disk,  true,
                    restore->run.first, restore->run.count(), Seq(0)};
    }
    if (const auto* all = std::get_if<Restored>(&request); all && recovering && all->disk == disk) {
      restored.push_back(*all);
      recovering = false;
      return StatusAnswer{.disk = disk, .streams = {}, .recovering = false};
    }
    return std::nullopt;
  }
};

class RestorerTest : public testing::Test {
 protected:
  RestorerTest() : groups_(1) {
    groups_[0].disks = {DiskId(1), DiskId(2), DiskId(3)};
    for (uint64_t i = 0; i < 3; ++i) members_[i].disk = DiskId(i + 1);
    members_[2].disk = DiskId(30);
    members_[2].recovering = true;
    Start();
  }
  void Start() {
    RestorerOptions options;
    options.streams = {kTestStream, kOtherStream};
    restorer_ = std::make_unique<Restorer>(options);
    Step(RestorerGroups{groups_});
  }
  Grant Take() { return {WriterEpoch(++counter_ << 24), groups_}; }
  void Step(RestorerEvent event) {
    std::vector<RestorerEffect> effects;
    restorer_->Step(now_, std::move(event), &effects);
    for (RestorerEffect& effect : effects) {
      if (const auto* need = std::get_if<NeedGrant>(&effect)) {
        ++grants_asked_;
        tries_.push_back(3 * need->replica.group + need->replica.slot);
        if (!store_works_) continue;
        if (need->replace) groups_[need->replica.group].disks[need->replica.slot] = need->disk;
        Step(GrantTaken{Take()});
      } else if (const auto* done = std::get_if<ReplicaRestored>(&effect)) {
        done_ = *done;
      } else {
        auto& send = std::get<RestorerSend>(effect);
        FakeMember& member = members_[3 * send.to.group + send.to.slot];
        if (member.silent) continue;
        if (auto answer = member.Answer(send.request)) waiting_.emplace_back(send.to, *answer);
      }
    }
  }
  void Pass(core::Duration span) {
    const Instant end = now_ + span;
    for (int steps = 0; steps < 10000; ++steps) {
      while (!waiting_.empty()) {
        auto [from, answer] = std::move(waiting_.front());
        waiting_.pop_front();
        Step(RestorerAnswer{from, std::move(answer)});
      }
      const auto due = restorer_->NextDeadline();
      if (!due || *due > end) break;
      now_ = std::max(now_, *due);
      Step(RestorerTick{});
    }
    now_ = end;
  }
  // seq -> epoch, of the first stream.
  std::map<uint64_t, uint64_t> Given() const {
    std::map<uint64_t, uint64_t> given;
    for (const Restore& restore : members_[2].restores) {
      if (restore.stream != kTestStream) continue;
      for (uint64_t i = 0; i < restore.run.count(); ++i) {
        given[restore.run.first.value() + i] = restore.run.epoch.value();
      }
    }
    return given;
  }

  std::vector<Group> groups_;
  FakeMember members_[6];  // 3 * group + slot
  std::unique_ptr<Restorer> restorer_;
  std::deque<std::pair<ReplicaSlot, ReplicaAnswer>> waiting_;
  std::optional<ReplicaRestored> done_;
  bool store_works_ = true;
  int grants_asked_ = 0;
  std::vector<int> tries_;  // the replicas of NeedGrant
  uint64_t counter_ = 100;
  Instant now_{seconds(100)};
};

TEST_F(RestorerTest, GivesAllThatIsValidOfBoth) {
  RecoverAnswer& a = members_[0].shows[kTestStream];
  a.chain = MakeChain({{4, 1}});
  a.committed = Seq(5);
  a.trimmed = Seq(2);
  a.runs = {MakeRun(1, 4, 7)};  // 6 and 7 are not valid under the other's chain
  RecoverAnswer& b = members_[1].shows[kTestStream];
  b.chain = MakeChain({{4, 1}, {6, 6}});
  b.committed = Seq(4);
  b.trimmed = Seq(1);
  b.promised = WriterEpoch(uint64_t{500} << 24);
  b.runs = {MakeRun(5, 4, 1), MakeRun(6, 6, 3)};
  members_[0].page_runs = members_[1].page_runs = 1;
  Pass(seconds(5));
  ASSERT_TRUE(done_.has_value());
  EXPECT_EQ(done_->replica, (ReplicaSlot{0, 2}));
  EXPECT_EQ(groups_[0].disks[2], DiskId(30)) << "recorded in the store";
  EXPECT_EQ(Given(),
            (std::map<uint64_t, uint64_t>{{3, 4}, {4, 4}, {5, 4}, {6, 6}, {7, 6}, {8, 6}}));
  ASSERT_EQ(members_[2].restored.size(), 1u);
  const Restored& all = members_[2].restored[0];
  ASSERT_EQ(all.streams.size(), 2u);
  EXPECT_EQ(all.streams[0].stream, kTestStream);
  EXPECT_EQ(all.streams[0].promised, b.promised);
  EXPECT_EQ(all.streams[0].chain, b.chain);
  EXPECT_EQ(all.streams[0].committed, Seq(5));
  EXPECT_EQ(all.streams[0].trimmed, Seq(2));
  EXPECT_EQ(all.streams[1].promised, all.epoch) << "a stream that nobody knows is promised too";
  EXPECT_EQ(members_[0].recovers.at(kOtherStream), all.epoch);
  EXPECT_EQ(members_[1].recovers.at(kOtherStream), all.epoch);
}

TEST_F(RestorerTest, WaitsForBothOthersAndSaysForWhich) {
  members_[1].silent = true;
  members_[0].shows[kTestStream].runs = {MakeRun(1, 4, 7)};
  members_[0].shows[kTestStream].chain = MakeChain({{4, 1}});
  Pass(seconds(30));
  EXPECT_FALSE(done_.has_value());
  EXPECT_TRUE(members_[2].restores.empty());
  const RestorerStatus status = restorer_->Status();
  EXPECT_EQ(status.phase, RestorePhase::kCopying);
  ASSERT_EQ(status.waiting_for.size(), 1u);
  EXPECT_EQ(status.waiting_for[0], (ReplicaSlot{0, 1}));
  members_[1].silent = false;
  Pass(seconds(5));
  EXPECT_TRUE(done_.has_value());
}

TEST_F(RestorerTest, ADiskThatIsNotTheGrantsDoesNotCount) {
  members_[1].disk = DiskId(99);
  Pass(seconds(30));
  EXPECT_FALSE(done_.has_value());
}

TEST_F(RestorerTest, TakesAFreshGrantForEachTry) {
  members_[1].silent = true;
  Pass(seconds(5));
  EXPECT_EQ(grants_asked_, 1);
  const WriterEpoch first = members_[0].recovers.at(kTestStream);
  Start();  // the keeper died
  Pass(seconds(5));
  EXPECT_EQ(grants_asked_, 2);
  EXPECT_GT(members_[0].recovers.at(kTestStream), first);
}

TEST_F(RestorerTest, UsesAGrantThatWasTakenBeforeOnceItHasTheDisk) {
  groups_[0].disks[2] = DiskId(30);
  const Grant early = Take();
  Start();
  Step(GrantTaken{early});
  Pass(seconds(5));
  EXPECT_TRUE(done_.has_value());
  EXPECT_EQ(grants_asked_, 0);
  EXPECT_EQ(members_[0].recovers.at(kTestStream), early.epoch);
}

TEST_F(RestorerTest, BeginsAgainWhenTheDiskIsReplacedAgain) {
  members_[1].silent = true;
  Pass(seconds(5));
  members_[2].disk = DiskId(31);
  members_[1].silent = false;
  Pass(seconds(10));
  EXPECT_TRUE(done_.has_value());
  EXPECT_EQ(groups_[0].disks[2], DiskId(31));
  EXPECT_EQ(grants_asked_, 2);
}

TEST_F(RestorerTest, TheOldProcessOfTheLostDiskDoesNotDisturb) {
  members_[1].silent = true;
  Pass(seconds(5));
  Step(RestorerAnswer{{0, 2},
                      StatusAnswer{.disk = DiskId(3), .streams = {}, .nonce = members_[2].nonce}});
  EXPECT_EQ(restorer_->Status().phase, RestorePhase::kCopying);
}

// Else it would take the disk that was restored out of the store again.
TEST_F(RestorerTest, ALateAnswerOfADiskThatWasReplacedSinceIsIgnored) {
  for (int i = 0; i < 100 && !done_; ++i) Pass(std::chrono::milliseconds(100));
  ASSERT_TRUE(done_.has_value());
  const uint64_t before = members_[2].nonce;  // asked while it was recovering
  for (const uint64_t disk : {29, 30}) {
    Step(RestorerAnswer{
        {0, 2},
        StatusAnswer{.disk = DiskId(disk), .streams = {}, .recovering = true, .nonce = before}});
  }
  EXPECT_EQ(grants_asked_, 1);
  EXPECT_EQ(groups_[0].disks[2], DiskId(30));
}

// Found by the simulator, seed 12509.
TEST_F(RestorerTest, ADeadReplicaDoesNotKeepAnotherGroupsWaiting) {
  groups_.push_back({});
  for (uint64_t i = 0; i < 3; ++i) {
    groups_[1].disks[i] = DiskId(i + 4);
    members_[i + 3].disk = DiskId(i + 4);
  }
  Start();
  members_[1].silent = true;  // so that it stays in the middle of it
  Pass(seconds(3));
  ASSERT_EQ(restorer_->Status().phase, RestorePhase::kCopying);
  members_[2].silent = true;
  members_[1].silent = false;
  Pass(seconds(30));
  EXPECT_EQ(restorer_->Status().given_up, 0u);  // nobody else needs it
  members_[4].disk = DiskId(50);
  members_[4].recovering = true;
  Pass(seconds(30));
  ASSERT_EQ(members_[4].restored.size(), 1u);
  EXPECT_EQ(groups_[1].disks[1], DiskId(50));
  // The first has its turn when it is back.
  members_[2].silent = false;
  Pass(seconds(30));
  EXPECT_EQ(members_[2].restored.size(), 1u);
}

// Two that cannot be restored now do not fence the region's writers again and again.
TEST_F(RestorerTest, TakesTurnsMoreAndMoreSlowly) {
  groups_.push_back({});
  for (uint64_t i = 0; i < 3; ++i) {
    groups_[1].disks[i] = DiskId(i + 4);
    members_[i + 3].disk = DiskId(i + 4);
  }
  Start();
  members_[4].disk = DiskId(50);
  members_[4].recovering = true;
  members_[0].silent = members_[3].silent = true;  // each lacks one that has its data
  Pass(std::chrono::hours(1));
  EXPECT_GE(restorer_->Status().given_up, 5u);
  EXPECT_LE(restorer_->Status().given_up, 18u);
  EXPECT_LE(grants_asked_, 20);
  members_[0].silent = members_[3].silent = false;
  Pass(std::chrono::minutes(20));
  EXPECT_EQ(members_[2].restored.size(), 1u);
  EXPECT_EQ(members_[4].restored.size(), 1u);
}

// A page of 20 MiB, to one that may stall in a sync.
TEST_F(RestorerTest, SendsAStalledReplicaNoMoreThanAWindowAndLessAndLessOften) {
  for (size_t i : {0, 1}) {
    RecoverAnswer& shows = members_[i].shows[kTestStream];
    shows.chain = MakeChain({{4, 1}});
    for (uint64_t r = 0; r < 20; ++r) {
      shows.runs.push_back(MakeRun(1 + r, 4, {std::string(1 << 20, 'x')}));
    }
  }
  members_[2].stalled = true;
  Pass(seconds(60));
  uint64_t bytes = 0;
  for (const Restore& restore : members_[2].restores) bytes += restore.run.body.size();
  EXPECT_LE(bytes, uint64_t{20} * (4 << 20)) << "20 times in a minute";
  members_[2].stalled = false;
  members_[2].restores.clear();
  Pass(seconds(10));
  EXPECT_TRUE(done_.has_value());
  EXPECT_EQ(members_[2].restores.size(), 20u);
}

TEST_F(RestorerTest, SaysWhyTheReplicaTakesNothing) {
  for (size_t i : {0, 1}) {
    members_[i].shows[kTestStream].chain = MakeChain({{4, 1}});
    members_[i].shows[kTestStream].runs = {MakeRun(1, 4, 7)};
  }
  members_[2].refuses = "disk full";
  Pass(seconds(10));
  EXPECT_EQ(restorer_->Status().refused, "disk full");
  members_[2].refuses.clear();
  Pass(seconds(10));
  EXPECT_TRUE(done_.has_value());
  EXPECT_EQ(restorer_->Status().refused, "");
}

TEST_F(RestorerTest, TheOneGivenUpIsPassedOverEachTime) {
  groups_.push_back({});
  for (uint64_t i = 0; i < 3; ++i) {
    groups_[1].disks[i] = DiskId(i + 4);
    members_[i + 3].disk = DiskId(i + 4);
  }
  Start();
  members_[0].silent = members_[3].silent = true;  // neither can be restored
  members_[2].recovering = false;
  members_[4].disk = DiskId(50);
  members_[4].recovering = true;
  Pass(seconds(5));
  members_[2].recovering = true;  // answers a look before the other does
  Pass(std::chrono::minutes(3));
  ASSERT_GE(tries_.size(), 4u);
  for (size_t i = 1; i < tries_.size(); ++i) EXPECT_NE(tries_[i], tries_[i - 1]) << i;
}

TEST_F(RestorerTest, AStoreThatFailsIsAskedAgain) {
  store_works_ = false;
  Pass(seconds(5));
  EXPECT_GT(grants_asked_, 1);
  store_works_ = true;
  Pass(seconds(5));
  EXPECT_TRUE(done_.has_value());
}

}  // namespace
}  // namespace homeport::quorum_queue
