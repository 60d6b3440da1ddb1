// Regions with devices that sync, and inboxes that are trimmed, under random faults.
#include "core/messaging/keys.h"
#include "core/messaging/user_rows.h"
#include "replicator/tests/devices.h"

namespace homeport::replicator {
namespace {

// Items of all inboxes that are gone.
uint64_t Trimmed(World& world, const Chat& chat) {
  uint64_t items = 0;
  for (const Chat::Person& person : chat.people()) {
    items += core::ReadCounters(world.store(person.home), core::ShardOf(person.uin, world.shards()),
                                person.uin)
                 .counters.floor.version.value();
  }
  return items;
}

TEST(RegionDevicesTest, EveryDeviceGetsAllInOneOrderWhateverIsTrimmedAndWhoeverCrashes) {
  uint64_t trimmed = 0;
  uint64_t resyncs = 0;
  uint64_t read = 0;
  uint64_t delivered = 0;
  RunSeeds(24, [&](uint64_t seed) {
    WorldOptions options = RandomWorld(seed);
    options.regions = 3;
    options.region.messaging.inbox_retention = milliseconds(500 + seed * 97 % 3000);
    options.region.messaging.ack_items = 1 + seed % 4;
    options.region.messaging.ack_age = milliseconds(700);
    options.region.sweep = {milliseconds(100), milliseconds(20), milliseconds(300)};
    World world(options);
    Chat chat(&world);
    chat.CreatePeople(2);
    Devices devices(&world, &chat);
    devices.Register(2);
    chat.CreateGroups();
    chat.StartSending(15);
    ScheduleFaults(&world, world.now() + seconds(12));
    world.RunFor(seconds(13));
    world.StopChaos();
    ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(300))) << "all are accepted";
    devices.StopChaos();
    world.RunFor(seconds(30));
    devices.Stop();
    devices.Check();
    ASSERT_TRUE(world.RunToRest(seconds(60)));
    EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
    EXPECT_TRUE(world.violations().empty()) << world.violations()[0];
    EXPECT_EQ(DigestDifference(world), "");
    EXPECT_GT(devices.crashes(), 0u);
    EXPECT_GT(devices.late_answers(), 0u);
    devices.CheckPositions();
    read += devices.read();
    delivered += devices.delivered();
    trimmed += Trimmed(world, chat);
    resyncs += devices.resyncs();
  });
  if (NumberOf("HOMEPORT_SEED", 0) != 0) return;
  EXPECT_GT(trimmed, 1000u);
  EXPECT_GT(resyncs, 0u);
  EXPECT_GT(read, 50u);
  EXPECT_GT(delivered, read);
}

}  // namespace
}  // namespace homeport::replicator
