#include "quorum_queue/regrouper.h"

#include <gtest/gtest.h>

#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;
using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr uint64_t kWriter = 20;  // number of the grant of the writer that is open
const StreamId kOther(core::Incarnation(1), core::ShardId(1));
const Endpoints kNew = {"tcp://n:1", "tcp://n:2", "tcp://n:3"};

Group MakeGroup(uint32_t id) {
  Group group;
  group.id = GroupId(id);
  for (uint32_t slot = 0; slot < 3; ++slot) group.disks[slot] = DiskId(10 * id + slot);
  return group;
}

Endpoints EndpointsOf(const Group& group) {
  Endpoints endpoints = group.endpoints;
  for (size_t slot = 0; slot < 3; ++slot) {
    if (endpoints[slot].empty()) {
      endpoints[slot] = "tcp://g" + std::to_string(group.id.value()) + ":" + std::to_string(slot);
    }
  }
  return endpoints;
}

// One Regrouper; the test is its replicas, which answer as they are told, and its record.
class RegrouperTest : public testing::Test {
 protected:
  struct Replica {
    bool up = true;
    DiskId disk;
    bool recovering = false;
    bool admitted = true;
    bool has_streams = false;
    std::string cluster = "c1";
    core::Incarnation incarnation{1};
    std::optional<uint8_t> number;  // of a newcomer; nullopt: as is asked for
    std::map<StreamId, HeldStream> held;
    size_t page_runs = 100;
    core::Duration page_takes{0};
  };

  RegrouperTest() {
    record_.counter = 10;
    record_.last_group = GroupId(2);
    for (const uint32_t id : {1, 2}) AddMembers(MakeGroup(id));
    for (uint8_t slot = 0; slot < 3; ++slot) replicas_[{kNewcomers, slot}].disk = DiskId(90 + slot);
    Options({kTestStream});
  }
  void Options(std::vector<StreamId> streams) {
    RegrouperOptions options;
    options.streams = std::move(streams);
    options.cluster = "c1";
    options.incarnation = core::Incarnation(1);
    regrouper_ = std::make_unique<Regrouper>(options);
    TellGroups();
  }
  void AddMembers(const Group& group) {
    record_.groups.push_back(group);
    for (uint8_t slot = 0; slot < 3; ++slot) At(group.id.value(), slot).disk = group.disks[slot];
  }
  Replica& At(uint32_t group, uint8_t slot) {
    return replicas_[{static_cast<uint16_t>(group), slot}];
  }

  void TellGroups() {
    RegrouperGroups groups;
    groups.groups = record_.groups;
    for (const Group& group : record_.groups) groups.endpoints.push_back(EndpointsOf(group));
    groups.last_group = record_.last_group;
    Step(groups);
  }
  void Open(StreamId stream, uint64_t number, uint64_t open) {
    writers_.writers.push_back({stream, MakeEpoch(number, 0), Seq(open)});
    Step(writers_);
  }
  // 1 .. `through` are held and committed there.
  void Hold(uint32_t group, uint8_t slot, uint64_t through, StreamId stream = kTestStream) {
    HeldStream& held = At(group, slot).held[stream];
    held.chain_epoch = MakeEpoch(kWriter, 0);
    held.committed = Seq(through);
    held.runs.clear();
    for (uint64_t seq = 1; seq <= through; ++seq)
      held.runs.push_back({Seq(seq), 1, held.chain_epoch});
  }
  OrderDone Add(const Endpoints& endpoints = kNew, uint32_t id = 3) {
    done_.reset();
    adding_ = id;
    Step(AddGroupOrder{1, GroupId(id), endpoints});
    Pass(seconds(10));
    return done_.value_or(OrderDone{});
  }
  OrderDone Drain(uint32_t group) {
    done_.reset();
    Step(DrainGroupOrder{2, GroupId(group)});
    Pass(seconds(10));
    return done_.value_or(OrderDone{});
  }
  void Pass(core::Duration duration) {
    const Instant until = now_ + duration;
    while (true) {
      const Instant due = regrouper_->NextDeadline().value_or(until + seconds(1));
      if (!late_.empty() && late_.begin()->first <= std::min(due, until)) {
        now_ = std::max(now_, late_.begin()->first);
        const RegrouperAnswer answer = late_.begin()->second;
        late_.erase(late_.begin());
        Step(answer);
      } else if (due <= until) {
        now_ = std::max(now_, due);
        Step(RegrouperTick{});
      } else {
        break;
      }
    }
    now_ = until;
  }
  bool Has(uint32_t id) const {
    return std::any_of(record_.groups.begin(), record_.groups.end(),
                       [&](const Group& group) { return group.id == GroupId(id); });
  }
  std::string WhyNot(uint32_t id) const {
    const auto reasons = regrouper_->WhyNotRetired();
    const auto found = reasons.find(GroupId(id));
    return found == reasons.end() ? "" : found->second;
  }

  void Step(RegrouperEvent event) {
    std::vector<RegrouperEffect> effects;
    regrouper_->Step(now_, std::move(event), &effects);
    for (RegrouperEffect& effect : effects) {
      if (auto* send = std::get_if<RegrouperSend>(&effect)) Answer(*send);
      if (auto* change = std::get_if<ChangeRecord>(&effect)) Change(*change);
      if (auto* done = std::get_if<OrderDone>(&effect)) {
        EXPECT_FALSE(done_.has_value()) << "an order is answered once";
        done_ = *done;
      }
      if (auto* connect = std::get_if<ConnectNewcomers>(&effect)) newcomers_ = connect->endpoints;
    }
  }

  GrantRecord record_;
  std::map<ReplicaSlot, Replica> replicas_;
  std::unique_ptr<Regrouper> regrouper_;
  Instant now_{seconds(1)};
  OpenWriters writers_;
  std::optional<OrderDone> done_;
  std::optional<Endpoints> newcomers_;
  uint32_t adding_ = 0;
  int changes_ = 0;
  std::multimap<Instant, RegrouperAnswer> late_;
  bool fail_changes_ = false;

 private:
  void Answer(const RegrouperSend& send) {
    const auto found = replicas_.find(send.to);
    if (found == replicas_.end() || !found->second.up) return;
    const Replica& replica = found->second;
    if (const auto* status = std::get_if<StatusRequest>(&send.request)) {
      StatusAnswer answer;
      answer.disk = replica.disk;
      answer.recovering = replica.recovering;
      answer.admitted = replica.admitted;
      answer.nonce = status->nonce;
      answer.cluster = replica.cluster;
      answer.incarnation = replica.incarnation;
      const auto expected = static_cast<uint8_t>(3 * (adding_ - 1) + send.to.slot + 1);
      answer.replica = replica.number.value_or(expected);
      if (replica.has_streams) answer.streams.emplace_back().stream = kTestStream;
      return Step(RegrouperAnswer{send.to, answer});
    }
    const auto& asked = std::get<Holdings>(send.request);
    HoldingsAnswer answer;
    answer.stream = asked.stream;
    answer.disk = replica.disk;
    answer.from = asked.from;
    answer.through = kSeqMax;
    if (const auto held = replica.held.find(asked.stream); held != replica.held.end()) {
      answer.chain_epoch = held->second.chain_epoch;
      answer.committed = held->second.committed;
      answer.trimmed = held->second.trimmed;
      for (const RunInfo& run : held->second.runs) {
        if (run.first < asked.from) continue;
        if (answer.runs.size() == replica.page_runs) {
          answer.through = answer.runs.back().last();
          break;
        }
        answer.runs.push_back(run);
      }
    }
    if (replica.page_takes == core::Duration(0)) return Step(RegrouperAnswer{send.to, answer});
    late_.emplace(now_ + replica.page_takes, RegrouperAnswer{send.to, answer});
  }
  void Change(const ChangeRecord& change) {
    ++changes_;
    auto changed = change.add     ? WithGroup(record_, *change.add)
                   : change.drain ? WithDraining(record_, *change.drain)
                                  : WithoutGroup(record_, *change.remove, change.seen);
    if (fail_changes_) changed = core::Status::Io("the disk is full");
    if (changed.ok()) {
      record_ = *changed;
      TellGroups();
    }
    Step(RecordChanged{changed.ok() ? core::Status() : changed.status()});
  }
};

// ---- adding

TEST_F(RegrouperTest, AddsAGroupOfEmptyReplicas) {
  const OrderDone done = Add();
  EXPECT_TRUE(done.status.ok()) << done.status;
  EXPECT_TRUE(done.changed);
  EXPECT_EQ(done.group, GroupId(3));
  ASSERT_TRUE(Has(3));
  EXPECT_EQ(record_.groups[2].disks[1], DiskId(91));
  EXPECT_EQ(record_.groups[2].endpoints, kNew);
  EXPECT_FALSE(newcomers_.has_value()) << "they are members now";
}

TEST_F(RegrouperTest, AddingWhatIsThereChangesNothing) {
  ASSERT_TRUE(Add().changed);
  const OrderDone again = Add();
  EXPECT_TRUE(again.status.ok()) << again.status;
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(again.group, GroupId(3));
  EXPECT_EQ(changes_, 1);
}

TEST_F(RegrouperTest, WaitsForEveryNewcomerAndNamesTheMissing) {
  At(kNewcomers, 1).up = false;
  const OrderDone done = Add();
  EXPECT_EQ(done.status.code(), Code::kUnavailable);
  EXPECT_NE(done.status.message().find("tcp://n:2"), std::string::npos) << done.status;
  EXPECT_EQ(changes_, 0);
  EXPECT_FALSE(newcomers_.has_value());
  At(kNewcomers, 1).up = true;
  EXPECT_TRUE(Add().changed);
}

TEST_F(RegrouperTest, ChangesNothingWhileAGroupHasNoQuorum) {
  At(2, 0).up = At(2, 2).up = false;
  for (const OrderDone& done : {Add(), Drain(1)}) {
    EXPECT_EQ(done.status.code(), Code::kUnavailable);
    EXPECT_NE(done.status.message().find("group 2 (no answer from 4, 6)"), std::string::npos)
        << done.status;
  }
  At(2, 2).disk = DiskId(5);  // another disk does not count
  At(2, 2).up = true;
  EXPECT_EQ(Add().status.code(), Code::kUnavailable);
  At(2, 0).up = true;
  EXPECT_TRUE(Add().changed);
}

// It takes no Fence, so the takeover that follows the order would wait for it.
TEST_F(RegrouperTest, AMemberThatIsNotAdmittedIsNoneThatAnswers) {
  At(1, 0).up = false;
  At(1, 1).admitted = false;
  const OrderDone done = Drain(1);
  EXPECT_EQ(done.status.code(), Code::kUnavailable);
  EXPECT_NE(done.status.message().find("group 1 (no answer from 1, 2)"), std::string::npos)
      << done.status;
  At(1, 1).admitted = true;
  EXPECT_TRUE(Drain(1).changed);
}

TEST_F(RegrouperTest, RefusesReplicasThatAreNotFresh) {
  At(kNewcomers, 2).has_streams = true;
  EXPECT_EQ(Add().status.code(), Code::kBadRequest);
  At(kNewcomers, 2).has_streams = false;
  At(kNewcomers, 0).recovering = true;
  EXPECT_EQ(Add().status.code(), Code::kBadRequest);
  At(kNewcomers, 0).recovering = false;
  At(kNewcomers, 0).disk = At(1, 0).disk;  // a member by another name
  EXPECT_EQ(Add().status.code(), Code::kBadRequest);
  EXPECT_EQ(record_.groups.size(), 2u);
}

TEST_F(RegrouperTest, RefusesReplicasOfAnotherPlace) {
  Replica& newcomer = At(kNewcomers, 1);
  newcomer.number = 7;  // its endpoint and another's are swapped
  OrderDone refused = Add();
  EXPECT_EQ(refused.status.code(), Code::kBadRequest);
  EXPECT_EQ(refused.status.message(),
            "the replica at tcp://n:2 is replica 7 of incarnation 1 in cluster c1; there should be "
            "replica 8 of incarnation 1 in cluster c1");
  newcomer.number = 8;
  newcomer.incarnation = core::Incarnation(2);
  EXPECT_EQ(Add().status.code(), Code::kBadRequest);
  newcomer.incarnation = core::Incarnation(1);
  newcomer.cluster = "c2";
  EXPECT_EQ(Add().status.code(), Code::kBadRequest);
  EXPECT_EQ(changes_, 0);
  newcomer.cluster = "c1";
  EXPECT_TRUE(Add().changed);
}

TEST_F(RegrouperTest, RefusesEndpointsThatAreTaken) {
  for (const Endpoints& endpoints :
       {Endpoints{"tcp://n:1", "tcp://n:1", "tcp://n:3"}, Endpoints{"tcp://n:1", "", "tcp://n:3"},
        Endpoints{"tcp://n:1", "tcp://g2:1", "tcp://n:3"}}) {
    EXPECT_EQ(Add(endpoints).status.code(), Code::kBadRequest);
  }
  EXPECT_EQ(changes_, 0);
}

TEST_F(RegrouperTest, TellsWhenTheRecordCannotBeWritten) {
  fail_changes_ = true;
  EXPECT_EQ(Add().status.code(), Code::kIo);
  fail_changes_ = false;
  EXPECT_TRUE(Add().changed);
}

TEST_F(RegrouperTest, TakesOneOrderAtATime) {
  At(kNewcomers, 0).up = false;
  Step(AddGroupOrder{1, GroupId(3), kNew});
  Step(DrainGroupOrder{2, GroupId(1)});
  ASSERT_TRUE(done_.has_value());
  EXPECT_EQ(done_->ticket, 2u);
  EXPECT_EQ(done_->status.code(), Code::kOverloaded);
}

TEST_F(RegrouperTest, ANumberIsGivenOnceAndInOrder) {
  EXPECT_EQ(Add(kNew, 4).status.code(), Code::kBadRequest);
  EXPECT_EQ(Add(kNew, 2).status.code(), Code::kBadRequest) << "it is there, elsewhere";
  EXPECT_EQ(Add(kNew, 0).status.code(), Code::kBadRequest);
  record_.last_group = GroupId(3);  // it was retired
  TellGroups();
  EXPECT_EQ(Add(kNew, 3).status.code(), Code::kBadRequest);
  EXPECT_EQ(changes_, 0);
  EXPECT_TRUE(Add(kNew, 4).changed);
}

// ---- draining

TEST_F(RegrouperTest, DrainsOnce) {
  EXPECT_TRUE(Drain(1).changed);
  EXPECT_EQ(record_.groups[0].state, GroupState::kDraining);
  const OrderDone again = Drain(1);
  EXPECT_TRUE(again.status.ok());
  EXPECT_FALSE(again.changed);
  EXPECT_EQ(changes_, 1);
}

TEST_F(RegrouperTest, RefusesToDrainTheLastActiveOrAnUnknownOne) {
  EXPECT_EQ(Drain(3).status.code(), Code::kBadRequest);
  EXPECT_EQ(Drain(0).status.code(), Code::kBadRequest);
  ASSERT_TRUE(Drain(1).changed);
  EXPECT_EQ(Drain(2).status.code(), Code::kBadRequest);
}

// ---- retiring

TEST_F(RegrouperTest, RetiresADrainedGroupWhenTheOthersHoldAll) {
  ASSERT_TRUE(Drain(1).changed);
  EXPECT_NE(WhyNot(1).find("no open writer"), std::string::npos) << WhyNot(1);
  Open(kTestStream, kWriter, 7);
  Pass(seconds(3));
  EXPECT_NE(WhyNot(1).find("7 is committed"), std::string::npos) << WhyNot(1);
  Hold(2, 0, 7);
  Hold(2, 1, 6);
  Pass(seconds(3));
  EXPECT_TRUE(Has(1)) << "one copy of the last is too few";
  Hold(2, 1, 7);
  At(2, 2).up = false;
  Pass(seconds(10));
  EXPECT_FALSE(Has(1)) << WhyNot(1);
  const OrderDone again = Drain(1);
  EXPECT_TRUE(again.status.ok()) << "it is gone already: " << again.status;
  EXPECT_FALSE(again.changed);
}

TEST_F(RegrouperTest, ReadsEveryPage) {
  ASSERT_TRUE(Drain(1).changed);
  Open(kTestStream, kWriter, 50);
  for (uint8_t slot = 0; slot < 3; ++slot) {
    Hold(2, slot, 50);
    At(2, slot).page_runs = 7;
  }
  Pass(seconds(3));
  EXPECT_FALSE(Has(1)) << WhyNot(1);
}

TEST_F(RegrouperTest, ALookMayTakeLongAsLongAsPagesCome) {
  ASSERT_TRUE(Drain(1).changed);
  Open(kTestStream, kWriter, 50);
  for (uint8_t slot = 0; slot < 3; ++slot) {
    Hold(2, slot, 50);
    At(2, slot).page_runs = 2;
    At(2, slot).page_takes = milliseconds(900);  // of 25 pages
  }
  Pass(seconds(40));
  EXPECT_FALSE(Has(1)) << WhyNot(1);
}

TEST_F(RegrouperTest, NamesWhoDidNotTellAllItHolds) {
  ASSERT_TRUE(Drain(1).changed);
  Open(kTestStream, kWriter, 7);
  Hold(2, 0, 7);
  At(2, 1).up = At(2, 2).up = false;
  Pass(seconds(20));
  EXPECT_NE(WhyNot(1).find("replica 5, 6 did not tell"), std::string::npos) << WhyNot(1);
}

TEST_F(RegrouperTest, AWriterWithTheGrantOfTheDrainKnows) {
  ASSERT_TRUE(Drain(1).changed);
  for (uint8_t slot = 0; slot < 3; ++slot) {
    Hold(2, slot, 7);
    At(2, slot).held[kTestStream].chain_epoch = MakeEpoch(record_.counter, 0);
  }
  Open(kTestStream, record_.counter, 7);
  Pass(seconds(10));
  EXPECT_FALSE(Has(1)) << WhyNot(1);
}

TEST_F(RegrouperTest, WantsEveryStreamSettled) {
  Options({kTestStream, kOther});
  ASSERT_TRUE(Drain(1).changed);
  Open(kTestStream, kWriter, 3);
  Open(kOther, 5, 3);  // its writer is older than the draining
  for (uint8_t slot = 0; slot < 2; ++slot) {
    Hold(2, slot, 3);
    Hold(2, slot, 3, kOther);
  }
  Pass(seconds(5));
  EXPECT_TRUE(Has(1));
  EXPECT_NE(WhyNot(1).find("may not know yet"), std::string::npos) << WhyNot(1);
  writers_.writers.clear();
  Open(kTestStream, kWriter, 3);
  Open(kOther, kWriter, 3);
  Pass(seconds(3));
  EXPECT_FALSE(Has(1)) << WhyNot(1);
}

TEST_F(RegrouperTest, LooksAgainWhenTheGroupsChangedMeanwhile) {
  Options({kTestStream, kOther});
  ASSERT_TRUE(Drain(1).changed);
  Open(kTestStream, kWriter, 3);
  for (uint8_t slot = 0; slot < 2; ++slot) Hold(2, slot, 3);
  Pass(seconds(3));
  // The disk that one copy was on is lost, and replaced by an empty one.
  record_ = WithDisk(record_, GroupId(2), 0, DiskId(99)).value();
  At(2, 0).disk = DiskId(99);
  At(2, 0).held.clear();
  TellGroups();
  Open(kOther, kWriter, 3);
  for (uint8_t slot = 0; slot < 2; ++slot) Hold(2, slot, 3, kOther);
  Pass(seconds(5));
  EXPECT_TRUE(Has(1)) << "what was settled with the old disk does not count";
  Hold(2, 0, 3);
  Pass(seconds(5));
  EXPECT_FALSE(Has(1)) << WhyNot(1);
}

TEST_F(RegrouperTest, OneGroupGoesAfterTheOther) {
  AddMembers(MakeGroup(3));
  record_.last_group = GroupId(3);
  TellGroups();
  ASSERT_TRUE(Drain(1).changed);
  ASSERT_TRUE(Drain(2).changed);
  EXPECT_NE(WhyNot(2).find("group 1 goes first"), std::string::npos) << WhyNot(2);
  Open(kTestStream, kWriter, 3);
  for (uint8_t slot = 0; slot < 2; ++slot) Hold(3, slot, 3);
  Pass(seconds(10));
  EXPECT_EQ(record_.groups.size(), 1u);
  EXPECT_TRUE(Has(3));
}

}  // namespace
}  // namespace homeport::quorum_queue
