// Users and groups that move between regions, under random faults and with devices that sync: what
// was acknowledged comes once, whoever serves them; and each rule that is left out is noticed
// (docs/mastership.md).
#include <gtest/gtest-spi.h>

#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "replicator/tests/devices.h"

namespace homeport::replicator {
namespace {

using core::PlantedMoveBug;

// Moves: sends users and groups from home to home, each to wherever it happens to be sent.
class Moves {
 public:
  Moves(World* world, const Chat* chat) : world_(*world), chat_(*chat) {}

  void Schedule(Instant until) {
    if (world_.now() >= until) return;
    MoveOne();
    world_.At(milliseconds(world_.Random(400)), [=, this] { Schedule(until); });
  }
  uint64_t asked() const { return asked_; }
  uint64_t moved() const { return moved_; }
  bool Done() const { return answered_ == asked_; }

 private:
  void MoveOne() {
    const size_t people = chat_.people().size();
    const size_t who = world_.Random(people + chat_.groups().size());
    const Uin uin = who < people ? chat_.people()[who].uin : chat_.groups()[who - people].uin;
    const size_t asks = world_.Random(world_.regions());
    const size_t to = world_.Random(world_.regions());
    ++asked_;
    world_.Do(asks, core::MoveHome{uin, world_.incarnation(to)},
              [this](const core::CommandResult& result) {
                EXPECT_TRUE(result.status.ok()) << result.status;
                ++answered_;
                moved_ += result.changed;
              });
  }

  World& world_;
  const Chat& chat_;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  uint64_t moved_ = 0;
};

void ExpectOneHomeEach(World& world, const Chat& chat) {
  const auto check = [&](Uin uin) {
    EXPECT_EQ(world.ServingRegions(uin).size(), 1u) << uin;
    const core::HomeOf home = core::FindHome(world.store(0), world.shards(), uin);
    EXPECT_TRUE(home.adopted) << uin;
  };
  for (const Chat::Person& person : chat.people()) check(person.uin);
  for (const Chat::Group& group : chat.groups()) check(group.uin);
}

// Nothing waits for anybody any more.
void ExpectNothingParked(World& world) {
  for (uint16_t shard = 0; shard < world.shards(); ++shard) {
    for (size_t region = 0; region < world.regions(); ++region) {
      const auto left =
          core::LoadParkedTargets(world.store(region), ShardId(shard), world.incarnation(region));
      EXPECT_TRUE(left.empty()) << "parked in region " << region << " for " << left[0];
    }
  }
}

struct Seen {
  uint64_t moved = 0;
  uint64_t adopted = 0;
};

void RunMovingWorld(uint64_t seed, PlantedMoveBug bug, Seen* seen) {
  WorldOptions options = RandomWorld(seed);
  options.regions = 3;
  options.region.messaging.move_bug = bug;
  options.region.messaging.inbox_retention = milliseconds(500 + seed * 97 % 3000);
  options.region.messaging.ack_items = 1 + seed % 4;
  options.region.messaging.ack_age = milliseconds(700);
  options.region.sweep = {milliseconds(100), milliseconds(20), milliseconds(300)};
  // So that a region has its own stream long before those of others.
  if (seed % 2 == 0) options.relay_load = milliseconds(100);
  World world(options);
  Chat chat(&world);
  chat.AllowMoves();
  chat.CreatePeople(2);
  Devices devices(&world, &chat);
  devices.Register(2);
  chat.CreateGroups();
  Moves moves(&world, &chat);
  chat.StartSending(15);
  ScheduleFaults(&world, world.now() + seconds(12));
  moves.Schedule(world.now() + seconds(12));
  world.RunFor(seconds(13));
  world.StopChaos();
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(300))) << "all are accepted";
  ASSERT_TRUE(world.RunUntil([&] { return moves.Done(); }, seconds(300))) << "all moves end";
  devices.StopChaos();
  world.RunFor(seconds(30));
  devices.Stop();
  devices.Check();
  ASSERT_TRUE(world.RunToRest(seconds(60)));
  EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
  EXPECT_TRUE(world.violations().empty()) << world.violations()[0];
  EXPECT_EQ(DigestDifference(world), "");
  ExpectOneHomeEach(world, chat);
  ExpectNothingParked(world);
  devices.CheckPositions();
  seen->moved += moves.moved();
  for (size_t region = 0; region < 3; ++region) {
    seen->adopted += world.region(region).stats().adopted;
  }
}

TEST(RegionMovesTest, NothingIsLostNorTwiceWhoeverMovesAndWhateverFails) {
  Seen seen;
  RunSeeds(40, [&](uint64_t seed) { RunMovingWorld(seed, PlantedMoveBug::kNone, &seen); });
  if (NumberOf("HOMEPORT_SEED", 0) != 0) return;
  EXPECT_GT(seen.moved, 500u);
  EXPECT_GT(seen.adopted, 100u);
}

// What the inbox of a user has in its new home at the moment when that serves it again, after it
// has lost its store.
size_t InboxWhenServedAgain(PlantedMoveBug bug) {
  WorldOptions options;
  options.region.messaging.move_bug = bug;
  options.relay_load = seconds(1);
  World world(options);
  const Uin alice = world.MustCreate(0, AccountKind::kUser, "alice");
  for (uint64_t n = 1; n <= 5; ++n) {
    world.Must(0, core::SendMessage{alice, core::ClientMessageId(n), alice, false, "note"});
  }
  world.Must(0, core::MoveHome{alice, world.incarnation(1)});
  EXPECT_TRUE(world.RunToRest(seconds(30)));
  EXPECT_EQ(world.ServingRegions(alice), std::vector<size_t>{1});
  world.FlushRelay(1);
  world.store(1).Crash(0);
  world.RestartRegion(1);
  EXPECT_TRUE(world.RunUntil([&] { return !world.ServingRegions(alice).empty(); }, seconds(60)));
  return Inbox(world, 1, alice).size();
}

TEST(RegionMovesTest, ServesWhoItAdoptedOnlyWhenAllIsHereAgain) {
  EXPECT_EQ(InboxWhenServedAgain(PlantedMoveBug::kNone), 5u);
  EXPECT_LT(InboxWhenServedAgain(PlantedMoveBug::kServesAfterRestart), 5u);
}

// ---- each rule left out is noticed

struct Planted {
  PlantedMoveBug bug;
  const char* name;
  uint64_t seeds_max;
};
void PrintTo(const Planted& planted, std::ostream* out) {
  *out << planted.name;
}

class PlantedMoveTest : public testing::TestWithParam<Planted> {};

TEST_P(PlantedMoveTest, IsFound) {
  for (uint64_t seed = 1; seed <= GetParam().seeds_max; ++seed) {
    testing::TestPartResultArray results;
    {
      testing::ScopedFakeTestPartResultReporter reporter(
          testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &results);
      Seen seen;
      RunMovingWorld(seed, GetParam().bug, &seen);
    }
    for (int i = 0; i < results.size(); ++i) {
      if (!results.GetTestPartResult(i).failed()) continue;
      RecordProperty("seed", static_cast<int>(seed));
      RecordProperty("found", results.GetTestPartResult(i).message());
      return;
    }
  }
  FAIL() << GetParam().name << " was not found in " << GetParam().seeds_max << " seeds";
}

// kServesAfterRestart is above; kParkedStay needs more parked than one entry takes:
// core/tests/messaging/evaluate_moves_test.cc.
INSTANTIATE_TEST_SUITE_P(
    Rules, PlantedMoveTest,
    testing::Values(Planted{PlantedMoveBug::kQueueNotFinished, "QueueNotFinished", 20},
                    Planted{PlantedMoveBug::kAdoptsUnreplayed, "AdoptsUnreplayed", 20},
                    Planted{PlantedMoveBug::kForwardsNothing, "ForwardsNothing", 20},
                    Planted{PlantedMoveBug::kEpochNotCompared, "EpochNotCompared", 20},
                    Planted{PlantedMoveBug::kParksNothing, "ParksNothing", 20},
                    Planted{PlantedMoveBug::kLateItemsRise, "LateItemsRise", 20},
                    Planted{PlantedMoveBug::kMemoryStays, "MemoryStays", 20}),
    [](const auto& planted) { return planted.param.name; });

}  // namespace
}  // namespace homeport::replicator
