// Regions with real writers, readers and replicas in a simulated world: what was acknowledged is
// never lost, each message comes exactly once, and at rest all regions are equal. HOMEPORT_SEED=n
// runs that seed, HOMEPORT_SEEDS=n so many, from it or from 1 on.
#include "replicator/region.h"

#include <gtest/gtest.h>

#include "replicator/tests/chat.h"
#include "replicator/tests/world.h"

namespace homeport::replicator {
namespace {

namespace qq = quorum_queue;
// ---- scenarios

TEST(RegionTest, ServesAfterTakingOverItsStreams) {
  World world({});
  EXPECT_FALSE(world.region(0).ready());
  EXPECT_TRUE(world.RunUntil([&] { return world.AllReady(); }, seconds(5)));
  EXPECT_TRUE(world.notes().contains("takeover_done"));
  EXPECT_TRUE(world.notes().contains("shard_ready"));
}

TEST(RegionTest, RefusesCommandsBeforeItServesAndSaysWhatItWaitsFor) {
  World world({});
  world.CrashReplica(0, 0);
  world.CrashReplica(0, 1);
  world.RunFor(seconds(3));
  std::optional<core::CommandResult> result;
  world.Try(0, core::NewUin{}, [&](const core::CommandResult& r) { result = r; });
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->status.code(), Code::kUnavailable);
  EXPECT_NE(result->status.message().find("waits for replica 1, 2"), std::string::npos)
      << result->status;
  const RegionStatus status = world.region(0).Status();
  EXPECT_NE(status.shards[0].why_not.find("waits for replica 1, 2"), std::string::npos);
}

TEST(RegionTest, AnAnsweredAccountIsInTheStoreAlready) {
  World world({});
  const Uin uin = world.Must(0, core::NewUin{}).uin;
  bool answered = false;
  world.Do(0, core::CreateAccount{uin, AccountKind::kUser, "alice"},
           [&](const core::CommandResult& result) {
             answered = true;
             EXPECT_TRUE(result.changed);
             EXPECT_TRUE(core::FindAccount(world.store(0), world.shards(), uin).has_value());
           });
  EXPECT_FALSE(core::FindAccount(world.store(0), world.shards(), uin).has_value());
  EXPECT_TRUE(world.RunUntil([&] { return answered; }, seconds(5)));
}

TEST(RegionTest, AMessageCrossesRegionsAndIsNewsThere) {
  World world({});
  const Uin alice = world.MustCreate(0, AccountKind::kUser, "alice");
  const Uin bob = world.MustCreate(1, AccountKind::kUser, "bob");
  world.Must(0, core::SendMessage{alice, core::ClientMessageId(1), bob, false, "hello"});
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  world.Must(0, core::AskContact{alice, bob, "me"});
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  for (size_t region = 0; region < 3; ++region) {
    const auto inbox = Inbox(world, region, bob);
    ASSERT_EQ(inbox.size(), 1u) << region;
    EXPECT_EQ(inbox[0].body, "hello");
    size_t told = 0;
    for (const News& news : world.news(region)) {
      told += static_cast<size_t>(std::count(news.inboxes.begin(), news.inboxes.end(), bob));
    }
    EXPECT_EQ(told, 3u) << region << ": his account, the message, the contact";
  }
}

TEST(RegionTest, AGroupMessageGetsItsPlaceOnceAndIsNewsInEveryRegion) {
  World world({});
  const Uin alice = world.MustCreate(0, AccountKind::kUser, "alice");
  const Uin group = world.MustCreate(1, AccountKind::kGroup, "friends");
  world.Must(1, core::JoinGroup{group, alice});
  world.Must(0, core::SendMessage{alice, core::ClientMessageId(1), group, true, "hello"});
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  for (size_t region = 0; region < 3; ++region) {
    EXPECT_EQ(core::FindGroupSeq(world.store(region), world.shards(), group, alice,
                                 core::ClientMessageId(1)),
              std::optional<uint64_t>(1));
    size_t told = 0;
    for (const News& news : world.news(region)) told += news.sequenced.size();
    EXPECT_EQ(told, 1u);
  }
}

TEST(RegionTest, ARetryAfterACrashGetsTheFirstAnswer) {
  World world({});
  const Uin alice = world.MustCreate(0, AccountKind::kUser, "alice");
  const core::SendMessage send{alice, core::ClientMessageId(7), alice, false, "note to myself"};
  const core::CommandResult first = world.Must(0, send);
  world.RestartRegion(0);
  const core::CommandResult again = world.Must(0, send);
  EXPECT_EQ(again.message, first.message);
  EXPECT_FALSE(again.changed);
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  EXPECT_EQ(Inbox(world, 0, alice).size(), 1u);
}

TEST(RegionTest, ServesItsOwnUsersWhileCutOffAndCatchesUpLater) {
  World world({});
  Chat chat(&world);
  chat.CreatePeople(3);
  chat.CreateGroups();
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  for (size_t a = 0; a < 3; ++a) {
    for (size_t b = a + 1; b < 3; ++b) world.SetCut(a, b, true);
  }
  chat.StartSending(10);
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(30)))
      << "messages to other regions are accepted without them";
  EXPECT_FALSE(world.AtRest());
  world.StopChaos();
  ExpectRestAndEqual(world, chat);
}

TEST(RegionTest, ReplaysFromItsOwnDisksWhileCutOff) {
  World world({});
  Chat chat(&world);
  chat.CreatePeople(2);
  chat.CreateGroups();
  chat.StartSending(10);
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(60)));
  ASSERT_TRUE(world.RunToRest(seconds(30)));
  world.FlushRelay(0);
  for (size_t b = 1; b < 3; ++b) world.SetCut(0, b, true);
  world.store(0).Crash(0);  // all rows of all regions are gone; streams and relay log are not
  world.RestartRegion(0);
  ASSERT_TRUE(world.RunUntil([&] { return world.region(0).ready(); }, seconds(10)))
      << StatusText(world, 0);
  world.RunFor(seconds(1));
  for (const auto& person : chat.people()) {
    EXPECT_EQ(Inbox(world, 0, person.uin).size(), Inbox(world, 1, person.uin).size());
  }
  EXPECT_EQ(DigestDifference(world), "");
}

TEST(RegionTest, ServesWithOneReplicaDown) {
  World world({});
  world.CrashReplica(0, 1);
  Chat chat(&world);
  chat.CreatePeople(2);
  chat.StartSending(5);
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(60)));
  world.StartReplica(0, 1);
  ExpectRestAndEqual(world, chat);
}

TEST(RegionTest, AnswersNoQuorumWhenTwoReplicasAreDownAndTheRetryTells) {
  World world({});
  const Uin alice = world.MustCreate(0, AccountKind::kUser, "alice");
  ASSERT_TRUE(world.RunUntil([&] { return world.AllReady(); }, seconds(5)));
  world.CrashReplica(0, 0);
  world.CrashReplica(0, 1);
  const core::SendMessage send{alice, core::ClientMessageId(1), alice, false, "into the dark"};
  std::vector<core::CommandResult> answers;
  world.Try(0, send, [&](const core::CommandResult& result) { answers.push_back(result); });
  world.RunFor(seconds(10));
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(answers[0].status.code(), Code::kNoQuorum);
  EXPECT_NE(answers[0].status.message().find("the outcome is unknown until a retry"),
            std::string::npos);
  world.StartReplica(0, 0);
  world.StartReplica(0, 1);
  const core::CommandResult retried = world.Must(0, send);
  EXPECT_TRUE(retried.status.ok());
  ASSERT_TRUE(world.RunToRest(seconds(20)));
  EXPECT_EQ(Inbox(world, 0, alice).size(), 1u);
}

TEST(RegionTest, AFullDiskSkipsNothing) {
  World world({});
  Chat chat(&world);
  chat.CreatePeople(2);
  chat.CreateGroups();
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  world.store(1).full = true;
  chat.StartSending(10);
  world.RunFor(seconds(8));
  EXPECT_TRUE(world.notes().contains("store_full"));
  EXPECT_FALSE(chat.Done());
  world.StopChaos();
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(120)));
  EXPECT_TRUE(world.notes().contains("store_ok"));
  ExpectRestAndEqual(world, chat);
}

TEST(RegionTest, MessagesToALargeGroupMayFillMoreThanOneEntry) {
  WorldOptions options;
  options.regions = 2;
  options.shards = 1;
  options.region.entry_bytes_max = 8 << 10;
  options.region.writer.entry_bytes_max = 24
                                          << 10;  // 20 messages to 300 members are 48 KB and more
  World world(options);
  const Uin group = world.MustCreate(0, AccountKind::kGroup, "all");
  const Uin alice = world.MustCreate(0, AccountKind::kUser, "alice");
  std::vector<Uin> members;
  size_t joined = 0;
  for (uint64_t n = 0; n < 300; ++n) {
    members.push_back(Uin(core::MakeId(world.incarnation(1), 1000 + n)));
    world.Do(0, core::JoinGroup{group, members.back()},
             [&](const core::CommandResult& result) { joined += result.status.ok() ? 1u : 0u; });
  }
  ASSERT_TRUE(world.RunUntil([&] { return joined == members.size(); }, seconds(10)));
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  for (uint64_t n = 1; n <= 20; ++n) {
    world.Do(0, core::SendMessage{alice, core::ClientMessageId(n), group, true, "hello"},
             [](const core::CommandResult& result) { EXPECT_TRUE(result.status.ok()); });
  }
  EXPECT_TRUE(world.RunToRest(seconds(20)));
  EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
  EXPECT_EQ(DigestDifference(world), "");
  for (const Uin member : members) EXPECT_EQ(Inbox(world, 1, member).size(), 20u);
}

TEST(RegionTest, WhatWaitsForAShardThatDoesNotServeIsBounded) {
  WorldOptions options;
  options.regions = 2;
  options.shards = 1;
  options.region.pending_bytes_max = 5000;
  World world(options);
  const Uin alice = world.MustCreate(0, AccountKind::kUser, "alice");
  const Uin bob = world.MustCreate(1, AccountKind::kUser, "bob");
  ASSERT_TRUE(world.RunToRest(seconds(10)));
  world.CrashReplica(1, 0);
  world.CrashReplica(1, 1);
  world.RestartRegion(1);  // it cannot take over its stream
  for (uint64_t n = 1; n <= 600; ++n) {
    world.Must(0, core::SendMessage{alice, core::ClientMessageId(n), bob, false, "hello"});
  }
  world.RunFor(seconds(5));
  uint64_t bytes = 0;
  for (const core::PendingIntent& intent : core::LoadPending(world.store(1), ShardId(0))) {
    bytes += intent.bytes.size();
  }
  EXPECT_GT(bytes, 2000u) << "some are taken";
  EXPECT_LT(bytes, 20'000u);
  world.StartReplica(1, 0);
  world.StartReplica(1, 1);
  ASSERT_TRUE(world.RunToRest(seconds(30))) << StatusText(world, 1);
  EXPECT_EQ(Inbox(world, 1, bob).size(), 600u);
}

TEST(RegionTest, IgnoresAnswersOfAnotherRegionThanTheStreamIsOf) {
  World world({});
  ASSERT_TRUE(world.RunUntil([&] { return world.AllReady(); }, seconds(5)));
  std::vector<RegionEffect> effects;
  for (const Incarnation from : {world.incarnation(1), Incarnation(77)}) {
    qq::Fenced fenced;
    fenced.stream = StreamId(world.incarnation(0), ShardId(0));
    fenced.promised = qq::WriterEpoch(UINT64_MAX);
    world.region(0).Step(world.now(), QueueAnswer{from, 0, fenced}, &effects);
  }
  qq::ReadAnswer stranger;
  stranger.stream = StreamId(Incarnation(77), ShardId(0));
  world.region(0).Step(world.now(), QueueAnswer{Incarnation(77), 0, stranger}, &effects);
  stranger.stream = StreamId(world.incarnation(0), ShardId(77));
  world.region(0).Step(world.now(), QueueAnswer{world.incarnation(0), 0, stranger}, &effects);
  EXPECT_TRUE(world.region(0).ready());
}

TEST(RegionTest, StopsWhenTheReplicasLostWhatTheStoreHas) {
  World world({});
  world.MustCreate(0, AccountKind::kUser, "alice");
  World wiped({});  // as if all replicas of region 0 had been formatted anew
  ASSERT_TRUE(world.store(0).Flush().ok());
  // Give the fresh world the old store.
  core::WriteBatch batch;
  world.store(0).Scan("", "", [&](std::string_view key, std::string_view value) {
    batch.Put(std::string(key), std::string(value));
    return true;
  });
  ASSERT_TRUE(wiped.store(0).Write(batch).ok());
  ASSERT_TRUE(wiped.store(0).Flush().ok());
  wiped.RestartRegion(0);
  wiped.RunUntil([&] { return !wiped.stops().empty(); }, seconds(5));
  ASSERT_FALSE(wiped.stops().empty());
  EXPECT_NE(wiped.stops()[0].find("lost committed entries"), std::string::npos) << wiped.stops()[0];
}

// ---- several groups of replicas

TEST(RegionTest, ShardsAreSpreadOverGroupsAndGoOnWhenOneGroupDies) {
  WorldOptions options;
  options.shards = 2;
  options.groups = 2;
  World world(options);
  Chat chat(&world);
  chat.CreatePeople(4);
  chat.StartSending(10);
  world.RunFor(milliseconds(300));
  for (const size_t replica : {0, 1}) world.CrashReplica(0, replica);
  ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(60)))
      << "the other group takes the entries of both shards";
  for (const size_t replica : {0, 1}) world.StartReplica(0, replica);
  ExpectRestAndEqual(world, chat);
  EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
}

// ---- random faults

TEST(RegionTest, LosesNothingAndDeliversOnceUnderRandomFaults) {
  RunSeeds(40, [](uint64_t seed) {
    const WorldOptions options = RandomWorld(seed);
    World world(options);
    Chat chat(&world);
    chat.CreatePeople(3);
    chat.CreateGroups();
    chat.StartSending(15);
    ScheduleFaults(&world, world.now() + seconds(12));
    world.RunFor(seconds(13));
    world.StopChaos();
    ASSERT_TRUE(world.RunUntil([&] { return chat.Done(); }, seconds(300))) << "all are accepted";
    ExpectRestAndEqual(world, chat);
    EXPECT_TRUE(world.stops().empty()) << world.stops()[0];
    EXPECT_TRUE(world.violations().empty()) << world.violations()[0];
    if (options.region.flush_every > seconds(60)) return;
    ExpectQuietAndSmall(world);
    EXPECT_TRUE(world.violations().empty()) << world.violations()[0];
    ExpectRestAndEqual(world, chat);
  });
}

}  // namespace
}  // namespace homeport::replicator
