#include "core/messaging/sync.h"

#include <gtest/gtest.h>

#include <random>

#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/counting_view.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

constexpr uint16_t kShards = 4;

SyncContext Context(uint16_t shards = kShards) {
  return {shards, SnapshotKey::FromSecret("a cluster's secret")};
}

SyncPage Read(World& world, Uin user, const std::string& token, SyncLimits limits = {}) {
  Result<SyncPage> page = ReadSync(world.store(0), Context(), user, {}, token, limits);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? std::move(page).value() : SyncPage{};
}

// One region; bob has `count` messages from alice: "1", "2", ...
struct Talk {
  explicit Talk(uint64_t count) : world(1, kShards) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(0, AccountKind::kUser, "bob");
    for (uint64_t i = 1; i <= count; ++i) Say(i, std::to_string(i));
  }
  void Say(uint64_t id, const std::string& body) {
    EXPECT_TRUE(world.Run(0, Send(alice, id, bob, body)).status.ok());
    world.Settle();
  }
  World world;
  Uin alice;
  Uin bob;
};

// An empty sync, of whatever inbox, reads the store once.
void ExpectOneReadWhenNothingIsNew(Talk& talk) {
  const DeviceNumber device = talk.world.Run(0, RegisterDevice{talk.bob, 1, ""}).device;
  CountingView view(&talk.world.store(0));
  const auto read = [&](const std::string& token) {
    return ReadSync(view, Context(), talk.bob, device, token, {}).value();
  };
  const std::string token = read("").snapshot;
  view.reads = 0;
  EXPECT_EQ(read(token).snapshot, token);
  EXPECT_EQ(view.reads, 1) << "from the snapshot's place on to the end of the inbox";
}

TEST(ReadSyncTest, ReadsOnceWhenNothingIsNew) {
  Talk talk(100);
  ExpectOneReadWhenNothingIsNew(talk);
}

TEST(ReadSyncTest, ReadsOnceWhenNothingEverCame) {
  Talk talk(0);
  ExpectOneReadWhenNothingIsNew(talk);
}

TEST(ReadSyncTest, ReadsOnceWhenAllIsTrimmed) {
  Talk talk(100);
  talk.world.Pass(std::chrono::hours(31 * 24));
  talk.world.TrimInboxes(0);
  ExpectOneReadWhenNothingIsNew(talk);
}

// What lies behind the items is a copy: it follows each change of the account and its counters.
TEST(ReadSyncTest, ThatOneReadFindsEveryChange) {
  Talk talk(1);
  const auto sync = [&](std::string* token) {
    SyncPage page = Read(talk.world, talk.bob, *token);
    *token = page.snapshot;
    return page;
  };
  std::string token;
  sync(&token);
  EXPECT_FALSE(sync(&token).account.has_value());
  talk.world.Run(0, SetProfile{talk.bob, {{"mood", "fine"}}});
  const SyncPage changed = sync(&token);
  ASSERT_TRUE(changed.account.has_value());
  EXPECT_EQ(changed.account->account.fields, (std::vector<ProfileField>{{"mood", "fine"}}));
  talk.world.Run(0, AskContact{talk.bob, talk.alice, "hi"});
  EXPECT_EQ(sync(&token).contacts.size(), 1u);
  talk.Say(2, "2");
  EXPECT_EQ(sync(&token).messages.size(), 1u);
  EXPECT_TRUE(sync(&token).messages.empty());
}

TEST(ReadSyncTest, TellsTheAccountAndItsDevicesOnceEach) {
  Talk talk(1);
  SyncPage page = Read(talk.world, talk.bob, "");
  ASSERT_TRUE(page.account.has_value());
  EXPECT_EQ(page.account->account.name, "bob");
  EXPECT_TRUE(page.account->devices.empty());
  EXPECT_FALSE(Read(talk.world, talk.bob, page.snapshot).account.has_value());
  talk.world.Run(0, RegisterDevice{talk.bob, 42, "phone"});
  page = Read(talk.world, talk.bob, page.snapshot);
  ASSERT_TRUE(page.account.has_value());
  ASSERT_EQ(page.account->devices.size(), 1u);
  EXPECT_EQ(page.account->devices[0].device.install, 42u);
  EXPECT_EQ(page.account->devices[0].seen_at_ms, talk.world.now_ms());
  EXPECT_TRUE(page.messages.empty());
}

TEST(ReadSyncTest, TellsWhatADeviceAcknowledges) {
  Talk talk(3);
  const DeviceNumber device = talk.world.Run(0, RegisterDevice{talk.bob, 1, ""}).device;
  const auto read = [&](const std::string& token) {
    return ReadSync(talk.world.store(0), Context(), talk.bob, device, token, {}).value();
  };
  const SyncPage first = read("");
  EXPECT_FALSE(first.acknowledges.has_value()) << "nothing was brought";
  const SyncPage second = read(first.snapshot);
  ASSERT_TRUE(second.acknowledges.has_value());
  EXPECT_EQ(second.acknowledges->brought, (Stamp{{}, Version(3)}));
  EXPECT_EQ(second.acknowledges->remembered, Stamp());
  EXPECT_FALSE(
      Read(talk.world, talk.bob, Read(talk.world, talk.bob, "").snapshot).acknowledges.has_value())
      << "no device acknowledges nothing";
}

TEST(ReadSyncTest, SaysBadRequestForADeviceThatIsNotRegistered) {
  Talk talk(1);
  EXPECT_EQ(
      ReadSync(talk.world.store(0), Context(), talk.bob, DeviceNumber(3), "", {}).status().code(),
      Code::kBadRequest);
}

TEST(ReadSyncTest, SaysResyncForASnapshotBelowTheFloorAndBeginsAboveIt) {
  Talk talk(5);
  SyncLimits two;
  two.items_max = 2;
  const std::string old = Read(talk.world, talk.bob, "", two).snapshot;
  const std::string at_end = Read(talk.world, talk.bob, "").snapshot;
  talk.world.Pass(std::chrono::hours(31 * 24));
  talk.world.TrimInboxes(0);
  const Result<SyncPage> refused = ReadSync(talk.world.store(0), Context(), talk.bob, {}, old, {});
  EXPECT_EQ(refused.status().code(), Code::kResync);
  EXPECT_EQ(refused.status().detail(), 5u);
  EXPECT_TRUE(Read(talk.world, talk.bob, at_end).messages.empty()) << "nothing is missing there";
  talk.Say(6, "6");
  const SyncPage anew = Read(talk.world, talk.bob, "");
  ASSERT_EQ(anew.messages.size(), 1u);
  EXPECT_EQ(anew.messages[0].body, "6");
  EXPECT_EQ(Read(talk.world, talk.bob, at_end).messages.size(), 1u);
}

// The token of the first page was below the floor, so the device was told to begin again for ever.
TEST(ReadSyncTest, BeginsAtTheFloorOfAnEmptyInbox) {
  Talk talk(2);
  talk.world.Pass(std::chrono::hours(31 * 24));
  talk.world.TrimInboxes(0);
  const SyncPage first = Read(talk.world, talk.bob, "");
  EXPECT_TRUE(first.messages.empty());
  EXPECT_EQ(Read(talk.world, talk.bob, first.snapshot).snapshot, first.snapshot);
}

// Likewise where contacts fill the first page.
TEST(ReadSyncTest, BeginsAtTheFloorThoughTheFirstPageHoldsNoMessage) {
  Talk talk(2);
  talk.world.Run(0, RemarkContact{talk.bob, talk.alice, "Al"});
  talk.world.Pass(std::chrono::hours(31 * 24));
  talk.world.TrimInboxes(0);
  talk.Say(3, "3");
  const SyncPage first = Read(talk.world, talk.bob, "", {.items_max = 1});
  EXPECT_EQ(first.contacts.size(), 1u);
  EXPECT_TRUE(first.more && first.messages.empty());
  EXPECT_EQ(Read(talk.world, talk.bob, first.snapshot).messages.size(), 1u);
}

TEST(ReadSyncTest, GivesWhatIsNewSinceTheToken) {
  Talk talk(3);
  SyncPage page = Read(talk.world, talk.bob, "");
  ASSERT_EQ(page.messages.size(), 3u);
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.messages[0].sender, talk.alice);
  EXPECT_EQ(page.messages[0].body, "1");
  EXPECT_EQ(page.messages[2].version, 3u);
  const SyncPage none = Read(talk.world, talk.bob, page.snapshot);
  EXPECT_TRUE(none.messages.empty());
  EXPECT_EQ(none.snapshot, page.snapshot);
  talk.Say(4, "4");
  for (int i = 0; i < 2; ++i) {  // a lost answer: the same again
    const SyncPage again = Read(talk.world, talk.bob, page.snapshot);
    ASSERT_EQ(again.messages.size(), 1u);
    EXPECT_EQ(again.messages[0].body, "4");
  }
}

TEST(ReadSyncTest, EndsPagesByItemsAndBytes) {
  Talk talk(5);
  SyncLimits limits;
  limits.items_max = 2;
  SyncPage page = Read(talk.world, talk.bob, "", limits);
  EXPECT_EQ(page.messages.size(), 2u);
  EXPECT_TRUE(page.more);
  limits = {};
  limits.bytes_max = 3;
  page = Read(talk.world, talk.bob, page.snapshot, limits);
  EXPECT_EQ(page.messages.size(), 3u);
  EXPECT_FALSE(page.more);
  limits.bytes_max = 0;  // one message is always allowed
  page = Read(talk.world, talk.bob, "", limits);
  EXPECT_EQ(page.messages.size(), 1u);
  EXPECT_TRUE(page.more);
  for (const size_t items : {1u, 2u, 3u, 5u, 6u}) {
    limits = {};
    limits.items_max = items;
    EXPECT_EQ(talk.world.Inbox(0, talk.bob, limits).size(), 5u) << items;
  }
}

TEST(ReadSyncTest, RefusesATokenOfAnotherUserOrNone) {
  Talk talk(1);
  const std::string token = Read(talk.world, talk.bob, "").snapshot;
  const auto code = [&](std::string_view text, Uin user) {
    return ReadSync(talk.world.store(0), Context(), user, {}, text, {}).status().code();
  };
  EXPECT_EQ(code(token, talk.alice), Code::kBadRequest);
  EXPECT_EQ(ReadSync(talk.world.store(0), Context(), talk.bob, DeviceNumber(1), token, {})
                .status()
                .code(),
            Code::kBadRequest);
  EXPECT_EQ(code("rubbish", talk.bob), Code::kBadRequest);
  EXPECT_EQ(code(token, talk.bob), Code::kOk);
}

TEST(ReadSyncTest, AnswersATokenAheadOfTheDataWithTheLowerOne) {
  Talk talk(2);
  const std::string here = Read(talk.world, talk.bob, "").snapshot;
  Snapshot ahead = ParseSnapshot(Context().key, here).value();
  for (const Stamp& stamp : {Stamp{{0, 0}, Version(9)}, Stamp{{1, 0}, Version(1)}}) {
    ahead.messages = stamp;
    const SyncPage page = Read(talk.world, talk.bob, FormatSnapshot(Context().key, ahead).value());
    EXPECT_TRUE(page.messages.empty());
    EXPECT_FALSE(page.more);
    EXPECT_EQ(page.snapshot, here);
  }
}

TEST(ReadSyncTest, GivesAnUnknownUserAnEmptyPage) {
  World world(1, kShards);
  const Uin nobody(MakeId(Incarnation(1), 77));
  const SyncPage page = Read(world, nobody, "");
  EXPECT_TRUE(page.messages.empty());
  EXPECT_TRUE(Read(world, nobody, page.snapshot).messages.empty());
}

TEST(ReadSyncTest, TellsTheAccountTablesStamp) {
  Talk talk(1);
  const Snapshot snapshot =
      ParseSnapshot(Context().key, Read(talk.world, talk.bob, "").snapshot).value();
  EXPECT_EQ(snapshot.user, talk.bob);
  EXPECT_EQ(snapshot.account, (Stamp{{0, 0}, Version(1)}));
  EXPECT_EQ(snapshot.messages, (Stamp{{0, 0}, Version(1)}));
}

TEST(ReadSyncTest, WaitsForAGroupMessageThatHasNotArrivedHere) {
  // Region 1 replays bob's inbox from region 0 before the group's own stream from region 2.
  World world(3, 1);
  const ShardId shard(0);
  const Uin bob = world.NewAccount(0, AccountKind::kUser, "bob");
  const Uin group = world.NewAccount(2, AccountKind::kGroup, "g");
  world.Settle();
  world.Run(2, JoinGroup{group, bob});
  world.Run(0, Send(bob, 1, bob, "before"));
  world.Run(0, Post(bob, 2, group, "mine"));
  const Uin carol = world.NewAccount(2, AccountKind::kUser, "carol");
  world.Run(2, Post(carol, 1, group, "late"));
  const auto step = [&](int region) {
    while (world.ConsumeNext(region, shard)) {
    }
    world.Finish(region, shard);
    while (world.Commit(region, shard)) {
    }
    for (const int from : {0, 2}) {
      while (world.Apply(region, world.StreamOf(from, shard))) {
      }
    }
  };
  for (int i = 0; i < 4; ++i) {
    step(2);
    step(0);
  }
  world.Run(0, Send(bob, 3, bob, "after"));
  step(0);
  step(0);
  EXPECT_EQ(world.Bodies(0, bob), (std::vector<std::string>{"before", "late", "after"}));
  while (world.Apply(1, world.StreamOf(0, shard))) {
  }
  Result<SyncPage> page = ReadSync(world.store(1), Context(1), bob, {}, "", {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->messages.size(), 1u);
  EXPECT_EQ(page->messages[0].body, "before");
  EXPECT_FALSE(page->more);
  while (world.Apply(1, world.StreamOf(2, shard))) {
  }
  page = ReadSync(world.store(1), Context(1), bob, {}, page->snapshot, {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->messages.size(), 2u);
  EXPECT_EQ(page->messages[0].body, "late");
  EXPECT_EQ(page->messages[0].group, group);
  EXPECT_EQ(page->messages[1].body, "after");
}

TEST(ReadSyncTest, SaysCorruptForAnItemOfUnknownForm) {
  Talk talk(1);
  WriteBatch batch;
  batch.Put(InboxKey(ShardOf(talk.bob, kShards), talk.bob, {{}, Version(2)}), "rubbish");
  ASSERT_TRUE(talk.world.store(0).Write(batch).ok());
  EXPECT_EQ(ReadSync(talk.world.store(0), Context(), talk.bob, {}, "", {}).status().code(),
            Code::kCorrupt);
}

TEST(ReadSyncTest, SurvivesMutatedTokens) {
  Talk talk(2);
  const std::string token = Read(talk.world, talk.bob, "").snapshot;
  std::mt19937_64 random(3);
  for (int i = 0; i < 20000; ++i) {
    std::string text = token;
    for (uint64_t n = random() % 3 + 1; n > 0; --n) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    if (random() % 4 == 0) text.resize(random() % 120, 'A');
    if (text.empty() || text == token) continue;
    EXPECT_FALSE(ReadSync(talk.world.store(0), Context(), talk.bob, {}, text, {}).ok());
  }
}

}  // namespace
}  // namespace homeport::core
