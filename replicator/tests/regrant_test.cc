// The groups of a running region change: its streams are taken over with new grants, nobody notices
// but by a moment's wait, and other regions read from the groups there are.
#include <gtest/gtest.h>

#include "replicator/tests/chat.h"
#include "replicator/tests/shard_bench.h"

namespace homeport::replicator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// ---- one shard

class RegrantTest : public testing::Test {
 protected:
  RegrantTest() { bench_.StartReady(); }
  void AddGroup() {
    for (uint64_t r = 3; r < 6; ++r) {
      bench_.replicas.push_back(std::make_unique<SimReplica>(core::DiskId(10 + r)));
    }
  }
  core::WriterEpoch epoch() const { return bench_.shard->Status().writer.epoch; }
  void Settle() {
    for (int n = 0; n < 5; ++n) {
      bench_.Commit();
      bench_.Pass(milliseconds(5));
    }
  }

  ShardBench bench_;
};

TEST_F(RegrantTest, IsServedByAnotherWriterWithTheNewGroups) {
  AddGroup();
  const quorum_queue::Grant grant = bench_.NextGrant();
  bench_.shard->Regrant(grant);
  Settle();
  EXPECT_EQ(epoch(), grant.epoch);
  EXPECT_TRUE(bench_.shard->ready());
  ASSERT_TRUE(bench_.shard->Status().open.has_value());
  EXPECT_EQ(bench_.shard->Status().applied, *bench_.shard->Status().open);
  const Ticket ticket = bench_.Execute(core::NewUin{});
  Settle();
  EXPECT_TRUE(bench_.ResultOf(ticket)->status.ok());
  EXPECT_FALSE(bench_.why_stop.has_value());
}

TEST_F(RegrantTest, WaitsForWhatIsUnderWay) {
  const Ticket in_flight = bench_.Execute(core::NewUin{});
  bench_.EndOfTurn();
  const core::WriterEpoch before = epoch();
  AddGroup();
  bench_.shard->Regrant(bench_.NextGrant());
  const Ticket later = bench_.Execute(core::NewUin{});
  bench_.EndOfTurn();
  EXPECT_EQ(epoch(), before) << "an entry of the old writer is not committed yet";
  EXPECT_FALSE(bench_.ResultOf(in_flight).has_value());
  bench_.Deliver();
  ASSERT_TRUE(bench_.ResultOf(in_flight).has_value());
  EXPECT_FALSE(bench_.ResultOf(later).has_value());
  Settle();
  EXPECT_GT(epoch(), before);
  ASSERT_TRUE(bench_.ResultOf(later).has_value());
  EXPECT_TRUE(bench_.ResultOf(later)->status.ok());
  EXPECT_NE(bench_.ResultOf(in_flight)->uin, bench_.ResultOf(later)->uin);
}

TEST_F(RegrantTest, AnOlderGrantIsIgnored) {
  const quorum_queue::Grant older = bench_.NextGrant();
  const quorum_queue::Grant newer = bench_.NextGrant();
  bench_.shard->Regrant(newer);
  bench_.shard->Regrant(older);
  Settle();
  EXPECT_EQ(epoch(), newer.epoch);
  bench_.shard->Regrant(older);
  Settle();
  EXPECT_EQ(epoch(), newer.epoch);
  EXPECT_FALSE(bench_.why_stop.has_value());
}

TEST_F(RegrantTest, ANewerGrantEndsATakeoverThatWaits) {
  AddGroup();
  bench_.replicas[4]->Crash(0);
  bench_.replicas[5]->Crash(0);
  bench_.shard->Regrant(bench_.NextGrant());
  Settle();
  EXPECT_FALSE(bench_.shard->Status().open.has_value());
  EXPECT_EQ(bench_.shard->Status().waiting_for, (std::vector<uint8_t>{4, 5}));
  const Ticket waiting = bench_.Execute(core::NewUin{});
  bench_.replicas.resize(3);  // the group has left the record
  bench_.shard->Regrant(bench_.NextGrant());
  for (auto& request : bench_.requests) request.replica %= 3;  // what was for it is lost
  bench_.requests.clear();
  Settle();
  EXPECT_TRUE(bench_.ResultOf(waiting)->status.ok());
}

TEST_F(RegrantTest, BeforeItServesTheNewGrantIsTakenAtOnce) {
  bench_.Start();
  const core::WriterEpoch before = epoch();
  bench_.EndOfTurn();
  AddGroup();
  const quorum_queue::Grant grant = bench_.NextGrant();
  ASSERT_GT(grant.epoch, before);
  bench_.shard->Regrant(grant);
  for (int n = 0; n < 20 && !bench_.shard->ready(); ++n) {
    Settle();
    bench_.Pass(milliseconds(100));
  }
  EXPECT_TRUE(bench_.shard->ready()) << bench_.shard->Status().why_not;
  EXPECT_EQ(epoch(), grant.epoch);
  EXPECT_FALSE(bench_.why_stop.has_value()) << *bench_.why_stop;
}

TEST_F(RegrantTest, TheRegionStopsWhenAnotherProcessWroteInBetween) {
  // Another process takes the stream over and writes, before our fences arrive.
  const quorum_queue::Grant others = bench_.NextGrant();
  const quorum_queue::Grant ours = bench_.NextGrant();
  quorum_queue::WriterOptions options;
  options.stream = {kHere, ShardId(0)};
  quorum_queue::Writer writer(options, others);
  std::vector<quorum_queue::WriterEffect> effects;
  writer.Step(bench_.now, quorum_queue::WriterTick{}, &effects);
  while (!effects.empty()) {
    for (auto& effect : std::exchange(effects, {})) {
      auto* send = std::get_if<quorum_queue::SendToReplica>(&effect);
      if (send == nullptr) continue;
      SimReplica& replica = *bench_.replicas[send->to.slot];
      auto out = replica.Receive(bench_.now, quorum_queue::ReplicaPeer(77), send->request);
      for (auto& late : replica.Sync(bench_.now)) out.push_back(std::move(late));
      for (auto& one : out) {
        if (one.peer.value() != 77) continue;
        writer.Step(bench_.now, quorum_queue::AnswerReceived{send->to, one.answer}, &effects);
      }
    }
  }
  bench_.shard->Regrant(ours);
  Settle();
  ASSERT_TRUE(bench_.why_stop.has_value());
  EXPECT_NE(bench_.why_stop->find("another process"), std::string::npos) << *bench_.why_stop;
}

// ---- whole regions

WorldOptions TwoGroupsOneGranted(uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  options.shards = 2;
  options.groups = 2;
  options.groups_at_start = 1;
  return options;
}

TEST(RegrantWorldTest, AnAddedGroupTakesOverWhenTheFirstDies) {
  World world(TwoGroupsOneGranted(1));
  Chat chat(&world);
  chat.CreatePeople(4);
  chat.StartSending(20);
  world.RunFor(milliseconds(200));
  world.SetGroups(0, {1, 2});
  world.RunFor(milliseconds(500));
  for (const size_t replica : {0, 1}) world.CrashReplica(0, replica);
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(60)));
  for (const size_t replica : {0, 1}) world.StartReplica(0, replica);
  ExpectRestAndEqual(world, chat);
  EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
}

TEST(RegrantWorldTest, NothingIsWrittenIntoADrainingGroup) {
  World world(TwoGroupsOneGranted(2));
  Chat chat(&world);
  chat.CreatePeople(4);
  chat.StartSending(20);
  world.RunFor(milliseconds(200));
  world.SetGroups(0, {1, 2});
  world.RunFor(milliseconds(500));
  world.SetGroups(0, {1, 2}, 1);
  world.RunFor(milliseconds(500));
  for (const size_t replica : {0, 1, 2}) world.CrashReplica(0, replica);
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(60)))
      << "group 1 is not needed to go on";
  for (const size_t replica : {0, 1, 2}) world.StartReplica(0, replica);
  ExpectRestAndEqual(world, chat);
  EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
}

// Adds group 2, and drains group 1, of region 0, at random moments; again and again regrants.
void ChangeGroups(World* world, int step) {
  const bool drains = step > 8;
  world->SetGroups(0, step < 4 ? std::vector<uint32_t>{1} : std::vector<uint32_t>{1, 2},
                   drains ? 1 : 0);
  if (step == 14) return;
  world->At(milliseconds(world->Random(1500)), [=] { ChangeGroups(world, step + 1); });
}

TEST(RegrantWorldTest, LosesNothingUnderRandomFaults) {
  RunSeeds(30, [](uint64_t seed) {
    WorldOptions options = RandomWorld(seed);
    options.groups = 2;
    options.groups_at_start = 1;
    World world(options);
    Chat chat(&world);
    chat.CreatePeople(3);
    chat.CreateGroups();
    chat.StartSending(15);
    ScheduleFaults(&world, world.now() + seconds(12));
    ChangeGroups(&world, 0);
    world.RunFor(seconds(22));
    world.StopChaos();
    ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(300))) << "all are accepted";
    ExpectRestAndEqual(world, chat);
    EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
    EXPECT_TRUE(world.violations().empty()) << world.violations()[0];
  });
}

}  // namespace
}  // namespace homeport::replicator
