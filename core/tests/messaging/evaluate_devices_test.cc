#include <chrono>

#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

using std::chrono::hours;

MessagingOptions Lazy() {
  MessagingOptions options;
  options.inbox_retention = hours(10);
  options.device_gone_after = hours(100);
  options.ack_items = 3;
  options.ack_age = hours(1);
  return options;
}

// alice sends to bob, who has devices.
struct Talk {
  explicit Talk(MessagingOptions options = Lazy()) : world(2, kShards, options) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(0, AccountKind::kUser, "bob");
    world.Settle();
  }
  void Say(uint64_t count) {
    for (; count > 0; --count) {
      ++sent;
      world.Run(0, Send(alice, sent, bob, std::to_string(sent)));
    }
    world.Settle();
  }
  CommandResult Register(uint64_t install, const std::string& name = "phone") {
    return world.Run(0, RegisterDevice{bob, install, name});
  }
  bool Acknowledge(DeviceNumber device, uint64_t version) {
    const CommandResult result =
        world.Run(0, core::Acknowledge{bob, device, {{}, Version(version)}});
    EXPECT_TRUE(result.status.ok()) << result.status;
    return result.changed;
  }
  size_t Kept(int region = 0) { return world.Bodies(region, bob).size(); }
  size_t KeptAfterTrim() {
    world.TrimInboxes(0);
    return Kept();
  }
  Counters counters() { return ReadCounters(world.store(0), ShardOf(bob, kShards), bob).counters; }

  World world;
  Uin alice;
  Uin bob;
  uint64_t sent = 0;
};

TEST(DevicesTest, GetsTheSameNumberForTheSameInstall) {
  Talk talk;
  EXPECT_EQ(talk.Register(77).device, DeviceNumber(1));
  EXPECT_EQ(talk.Register(78).device, DeviceNumber(2));
  const CommandResult again = talk.Register(77);
  EXPECT_EQ(again.device, DeviceNumber(1));
  EXPECT_FALSE(again.changed);
  const CommandResult renamed = talk.Register(77, "tablet");
  EXPECT_EQ(renamed.device, DeviceNumber(1));
  EXPECT_TRUE(renamed.changed);
  talk.world.Settle();
  const auto page = ReadSync(talk.world.store(1), {kShards, {}}, talk.bob, {}, "", {});
  ASSERT_TRUE(page.ok() && page->account.has_value());
  ASSERT_EQ(page->account->devices.size(), 2u);
  EXPECT_EQ(page->account->devices[0].device.name, "tablet");
  EXPECT_EQ(page->account->devices[1].number, DeviceNumber(2));
  EXPECT_EQ(talk.world.Differences(), Lines({}));
}

TEST(DevicesTest, SeesADeviceThatIsNotCommittedYet) {
  Talk talk;
  const ShardId shard = ShardOf(talk.bob, kShards);
  talk.world.Open(0, shard).Execute(RegisterDevice{talk.bob, 5, "a"});
  talk.world.Finish(0, shard);
  const CommandResult again = talk.world.Open(0, shard).Execute(RegisterDevice{talk.bob, 5, "a"});
  EXPECT_EQ(again.device, DeviceNumber(1));
  EXPECT_FALSE(again.changed);
}

TEST(DevicesTest, GivesANumberOnce) {
  Talk talk;
  EXPECT_EQ(talk.Register(1).device, DeviceNumber(1));
  EXPECT_TRUE(talk.world.Run(0, RemoveDevice{talk.bob, DeviceNumber(1)}).changed);
  EXPECT_FALSE(talk.world.Run(0, RemoveDevice{talk.bob, DeviceNumber(1)}).changed);
  EXPECT_EQ(talk.Register(1).device, DeviceNumber(2));
  EXPECT_EQ(talk.world.Run(0, Acknowledge{talk.bob, DeviceNumber(1), {}}).status.code(),
            Code::kBadRequest);
}

TEST(DevicesTest, RefusesMoreThanTheLimitUnlessOneIsGone) {
  Talk talk;
  for (uint64_t i = 1; i <= kDevicesMax; ++i) EXPECT_TRUE(talk.Register(i).changed);
  EXPECT_EQ(talk.Register(99).status.code(), Code::kTooLarge);
  talk.world.Pass(hours(60));
  talk.Acknowledge(DeviceNumber(1), 0);  // seen again
  talk.world.Pass(hours(60));
  EXPECT_EQ(talk.Register(99).device, DeviceNumber(kDevicesMax + 1));
  EXPECT_EQ(talk.counters().Find(DeviceNumber(2)), nullptr) << "gone longest";
  EXPECT_NE(talk.counters().Find(DeviceNumber(1)), nullptr);
}

TEST(DevicesTest, RefusesWhatIsNoDevice) {
  Talk talk;
  EXPECT_EQ(talk.Register(0).status.code(), Code::kBadRequest);
  EXPECT_EQ(talk.Register(1, std::string(kLabelBytesMax + 1, 'x')).status.code(), Code::kTooLarge);
  EXPECT_EQ(talk.world.Run(1, RegisterDevice{talk.bob, 1, ""}).status.code(), Code::kMoved);
}

TEST(AcknowledgeTest, IsWrittenOnlyWhenItIsWorthIt) {
  Talk talk;
  talk.Register(1);
  talk.Say(9);
  EXPECT_FALSE(talk.Acknowledge(DeviceNumber(1), 2));
  EXPECT_TRUE(talk.Acknowledge(DeviceNumber(1), 3));
  EXPECT_FALSE(talk.Acknowledge(DeviceNumber(1), 5));
  EXPECT_FALSE(talk.Acknowledge(DeviceNumber(1), 1)) << "an old snapshot";
  talk.world.Pass(hours(1));
  EXPECT_TRUE(talk.Acknowledge(DeviceNumber(1), 1)) << "it was seen";
  EXPECT_EQ(talk.counters().devices[0].acknowledged, (Stamp{{}, Version(3)}));
  EXPECT_EQ(talk.counters().devices[0].seen_at_ms, talk.world.now_ms());
}

TEST(TrimInboxTest, KeepsWhatIsYoungOrNotAcknowledgedByEveryDevice) {
  Talk talk;
  talk.Register(1);
  talk.Register(2);
  talk.Say(6);
  EXPECT_TRUE(talk.Acknowledge(DeviceNumber(1), 6));
  EXPECT_EQ(talk.KeptAfterTrim(), 6u);
  talk.world.Pass(hours(11));
  EXPECT_EQ(talk.KeptAfterTrim(), 6u) << "device 2 has none of it";
  EXPECT_TRUE(talk.Acknowledge(DeviceNumber(2), 4));
  EXPECT_EQ(talk.KeptAfterTrim(), 2u);
  talk.Say(1);
  EXPECT_TRUE(talk.Acknowledge(DeviceNumber(2), 7));
  talk.world.Pass(hours(2));
  EXPECT_TRUE(talk.Acknowledge(DeviceNumber(1), 7));
  EXPECT_EQ(talk.KeptAfterTrim(), 1u) << "the last one is young";
  EXPECT_EQ(talk.counters().floor, (Stamp{{}, Version(6)}));
  talk.world.Pass(hours(11));
  EXPECT_EQ(talk.KeptAfterTrim(), 0u);
  talk.world.Settle();
  EXPECT_EQ(talk.Kept(1), 0u);
  EXPECT_EQ(talk.world.Differences(), Lines({}));
}

TEST(TrimInboxTest, GoesOnCountingWhenTheInboxIsEmpty) {
  Talk talk;
  talk.Register(1);
  talk.Say(4);
  talk.Acknowledge(DeviceNumber(1), 4);
  talk.world.Pass(hours(11));
  EXPECT_EQ(talk.KeptAfterTrim(), 0u);
  talk.world.Crash(0, [](size_t) { return size_t{0}; });  // nothing is cached any more
  talk.Say(1);
  const std::vector<SyncMessage> inbox = talk.world.Inbox(0, talk.bob);
  ASSERT_EQ(inbox.size(), 1u);
  EXPECT_EQ(inbox[0].version, 5u);
}

TEST(TrimInboxTest, KeepsForAUserWithoutADeviceAndForgetsAGoneOne) {
  Talk talk;
  talk.Say(2);
  talk.world.Pass(hours(99));
  EXPECT_EQ(talk.KeptAfterTrim(), 2u);
  talk.world.Pass(hours(2));
  EXPECT_EQ(talk.KeptAfterTrim(), 0u);
  talk.Register(1);
  talk.Register(2);
  talk.Say(2);
  talk.world.Pass(hours(99));
  EXPECT_TRUE(talk.Acknowledge(DeviceNumber(2), 9));
  EXPECT_EQ(talk.KeptAfterTrim(), 2u);
  talk.world.Pass(hours(2));
  EXPECT_EQ(talk.KeptAfterTrim(), 0u) << "device 1 is gone";
}

TEST(TrimInboxTest, TakesALargeInboxInSteps) {
  Talk talk;
  talk.Register(1);
  talk.Say(1500);
  talk.Acknowledge(DeviceNumber(1), 1500);
  talk.world.Pass(hours(11));
  const ShardId shard = ShardOf(talk.bob, kShards);
  const auto step = [&] {
    const Evaluator::Sweep sweep = talk.world.Open(0, shard).TrimInboxes(Uin());
    Finish(talk.world, 0, shard);
    return sweep.more;
  };
  EXPECT_TRUE(step());
  EXPECT_EQ(talk.Kept(), 476u);
  EXPECT_FALSE(step());
  EXPECT_EQ(talk.Kept(), 0u);
}

TEST(TrimInboxTest, WritesNothingWhereNothingGoes) {
  Talk talk;
  talk.Register(1);
  talk.Say(3);
  talk.world.TrimInboxes(0);
  const ShardId shard = ShardOf(talk.bob, kShards);
  const size_t entries = talk.world.stream(talk.world.StreamOf(0, shard)).size();
  talk.world.Pass(hours(11));
  talk.world.TrimInboxes(0);
  EXPECT_EQ(talk.world.stream(talk.world.StreamOf(0, shard)).size(), entries);
}

}  // namespace
}  // namespace homeport::core
