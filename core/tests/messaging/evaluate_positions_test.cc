#include <algorithm>
#include <chrono>
#include <map>

#include "core/messaging/sync.h"
#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

using std::chrono::hours;

MessagingOptions Lazy() {
  MessagingOptions options;
  options.inbox_retention = hours(10);
  options.device_gone_after = hours(1000);
  options.ack_items = 2;
  return options;
}

// alice lives in region 0, bob, who reads, in region 1.
struct Talk {
  Talk() : world(2, kShards, Lazy()) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(1, AccountKind::kUser, "bob");
    world.Settle();
  }
  MessageId Say() {
    const CommandResult sent = world.Run(0, Send(alice, ++sends, bob, "hello"));
    EXPECT_TRUE(sent.status.ok()) << sent.status;
    world.Settle();
    return sent.message;
  }
  CommandResult Read(uint64_t version, MastershipEpoch epoch = {}) {
    return ReadOf(alice, version, epoch);
  }
  CommandResult ReadOf(Uin with, uint64_t version, MastershipEpoch epoch = {}) {
    const CommandResult result = world.Run(1, MarkRead{bob, with, {epoch, Version(version)}});
    world.Settle();
    return result;
  }
  void Acknowledge(uint64_t version) {
    const Stamp brought{{}, Version(version)};
    EXPECT_TRUE(world.Run(1, core::Acknowledge{bob, DeviceNumber(1), brought}).changed);
    world.Settle();
  }
  // As a device of `user` sees it.
  Conversation Seen(int region, Uin user, Uin with) {
    const auto page = ReadSync(world.store(region), {kShards, {}}, user, {}, "", {});
    EXPECT_TRUE(page.ok()) << page.status();
    for (const SyncConversation& one : page->conversations) {
      if (one.with == with) return one.conversation;
    }
    return {};
  }
  Conversation AtAlice() { return Seen(0, alice, bob); }
  Conversation AtBob(Uin with) { return Seen(1, bob, with); }

  World world;
  Uin alice;
  Uin bob;
  uint64_t sends = 0;
};

Mark MarkOf(uint64_t version, MessageId message, uint64_t group_seq = 0) {
  return {{{}, Version(version)}, message, group_seq};
}

TEST(MarkReadTest, OnlyEverGoesOnAndIsToldToTheSender) {
  Talk talk;
  const MessageId first = talk.Say();
  const MessageId second = talk.Say();
  EXPECT_TRUE(talk.Read(1).changed);
  EXPECT_EQ(talk.AtBob(talk.alice), (Conversation{MarkOf(1, first), {}, {}}));
  EXPECT_EQ(talk.AtAlice(), (Conversation{{}, MarkOf(1, first), MarkOf(1, first)}));
  EXPECT_TRUE(talk.Read(2).changed);
  EXPECT_FALSE(talk.Read(2).changed);
  EXPECT_FALSE(talk.Read(1).changed);
  EXPECT_EQ(talk.AtBob(talk.alice).read, MarkOf(2, second));
  EXPECT_EQ(talk.AtAlice().peers_read, MarkOf(2, second));
  EXPECT_EQ(talk.world.Differences(), Lines({}));
}

TEST(MarkReadTest, IsOrderedByThePlaceAcrossMoves) {
  Talk talk;
  talk.Say();
  talk.Say();
  EXPECT_TRUE(talk.Read(2).changed);
  AccountInfo moved{talk.bob, AccountKind::kUser, "bob", talk.world.IncarnationOf(1), {0, 1}};
  for (const int region : {0, 1}) PutAccount(talk.world, region, moved, {{0, 1}, Version(1)});
  talk.world.Flush(0);
  talk.world.Flush(1);
  talk.world.Crash(1, [](size_t) { return size_t{0}; });  // nothing is cached any more
  const MessageId third = talk.Say();
  EXPECT_TRUE(talk.Read(3, {0, 1}).changed);
  EXPECT_FALSE(talk.Read(3).changed) << "a place of the earlier home";
  EXPECT_EQ(talk.AtAlice().peers_read, (Mark{{{0, 1}, Version(3)}, third, 0}));
}

TEST(MarkReadTest, InAGroupIsTheMembersOwn) {
  Talk talk;
  const Uin group = talk.world.NewAccount(0, AccountKind::kGroup, "group");
  talk.world.Run(0, JoinGroup{group, talk.bob});
  talk.world.Run(0, Post(talk.alice, 1, group, "to all"));
  talk.world.Run(0, Post(talk.alice, 2, group, "to all"));
  talk.world.Settle();
  EXPECT_EQ(talk.Read(2).status.code(), Code::kBadRequest) << "not of this conversation";
  EXPECT_TRUE(talk.ReadOf(group, 2).changed);
  EXPECT_EQ(talk.AtBob(group), (Conversation{MarkOf(2, {}, 2), {}, {}}));
  EXPECT_EQ(talk.AtAlice(), Conversation());
  EXPECT_EQ(talk.Seen(0, talk.alice, group), Conversation());
}

TEST(MarkReadTest, RefusesWhatCannotBe) {
  Talk talk;
  talk.Say();
  EXPECT_EQ(talk.Read(0).status.code(), Code::kBadRequest);
  EXPECT_EQ(talk.Read(2).status.code(), Code::kBadRequest) << "nothing is there yet";
  EXPECT_EQ(talk.Read(1, {0, 1}).status.code(), Code::kBadRequest) << "of no home that was";
  EXPECT_EQ(talk.ReadOf(talk.bob, 1).status.code(), Code::kBadRequest);
  EXPECT_EQ(talk.ReadOf(Uin(), 1).status.code(), Code::kBadRequest);
  EXPECT_EQ(talk.world.Run(0, MarkRead{talk.bob, talk.alice, {{}, Version(1)}}).status.code(),
            Code::kMoved);
}

TEST(MarkReadTest, TellsNobodyWhoBlocksOrIsBlocked) {
  for (const bool reader_blocks : {true, false}) {
    Talk talk;
    talk.world.Run(1, RegisterDevice{talk.bob, 7, "phone"});
    talk.Say();
    talk.Say();
    const Uin who = reader_blocks ? talk.bob : talk.alice;
    const Uin whom = reader_blocks ? talk.alice : talk.bob;
    talk.world.Run(reader_blocks ? 1 : 0, BlockContact{who, whom, true});
    talk.world.Settle();
    EXPECT_TRUE(talk.Read(1).changed) << "it is the reader's own, too";
    talk.Acknowledge(2);
    EXPECT_EQ(talk.AtAlice(), Conversation());
    talk.world.Run(reader_blocks ? 1 : 0, BlockContact{who, whom, false});
    talk.world.Settle();
    EXPECT_TRUE(talk.Read(2).changed);
    EXPECT_EQ(talk.AtAlice().peers_read.at.version, Version(2));
  }
}

TEST(MarkReadTest, AReceiptThatMeetsABlockIsDropped) {
  Talk talk;
  talk.Say();
  talk.world.Run(1, MarkRead{talk.bob, talk.alice, {{}, Version(1)}});
  talk.world.Run(0, BlockContact{talk.alice, talk.bob, true});
  talk.world.Settle();
  EXPECT_EQ(talk.AtAlice(), Conversation());
}

TEST(MarkReadTest, OfWhatIsNoLongerKeptOrIsARecallMovesTheOwnRowOnly) {
  Talk talk;
  talk.world.Run(1, RegisterDevice{talk.bob, 7, "phone"});
  talk.Say();
  talk.world.Run(0, RecallMessage{talk.alice, ClientMessageId(1)});
  talk.world.Settle();
  EXPECT_TRUE(talk.Read(2).changed);
  EXPECT_EQ(talk.AtBob(talk.alice).read, MarkOf(2, {}));
  EXPECT_EQ(talk.AtAlice(), Conversation());
  talk.Say();
  talk.Acknowledge(3);
  EXPECT_EQ(talk.AtAlice().peers_delivered.at.version, Version(3));
  talk.world.Pass(hours(11));
  talk.world.TrimInboxes(1);
  ASSERT_TRUE(talk.world.Inbox(1, talk.bob).empty());
  EXPECT_TRUE(talk.Read(3).changed);
  EXPECT_EQ(talk.AtBob(talk.alice).read, MarkOf(3, {}));
  EXPECT_EQ(talk.AtAlice().peers_read, Mark());
}

TEST(MarkReadTest, AUserHasSoManyConversations) {
  Talk talk;
  talk.world.Run(1, RegisterDevice{talk.bob, 7, "phone"});
  for (int i = 0; i < 2; ++i) talk.Say();
  talk.Acknowledge(2);
  talk.world.Pass(hours(11));
  talk.world.TrimInboxes(1);
  const Stamp gone{{}, Version(1)};
  for (uint64_t i = 0; i < kConversationsMax; ++i) {
    const Uin with(MakeId(Incarnation(1), 1000 + i));
    ASSERT_TRUE(talk.world.Run(1, MarkRead{talk.bob, with, gone}).changed);
  }
  EXPECT_EQ(talk.ReadOf(talk.alice, 1).status.code(), Code::kTooLarge);
  EXPECT_TRUE(talk.ReadOf(Uin(MakeId(Incarnation(1), 1000)), 2).changed) << "one that is there";
  // A receipt beyond it is dropped.
  talk.world.Run(1, Send(talk.bob, 1, talk.alice, "hello"));
  talk.world.Settle();
  EXPECT_TRUE(talk.world.Run(0, MarkRead{talk.alice, talk.bob, gone}).changed);
  talk.world.Settle();
  EXPECT_EQ(ReadCounters(talk.world.store(1), ShardOf(talk.bob, kShards), talk.bob)
                .counters.conversation_rows,
            kConversationsMax);
}

TEST(TellDeliveredTest, TellsEachSenderTheLastThatADeviceHas) {
  Talk talk;
  const Uin carol = talk.world.NewAccount(1, AccountKind::kUser, "carol");
  talk.world.Run(1, RegisterDevice{talk.bob, 7, "phone"});
  talk.world.Run(1, RegisterDevice{talk.bob, 8, "tablet"});
  const MessageId first = talk.Say();
  const MessageId second = talk.Say();
  const CommandResult carols = talk.world.Run(1, Send(carol, 1, talk.bob, "me too"));
  talk.world.Settle();
  talk.Acknowledge(3);
  EXPECT_EQ(talk.AtAlice(), (Conversation{{}, {}, MarkOf(2, second)}));
  EXPECT_EQ(talk.Seen(1, carol, talk.bob), (Conversation{{}, {}, MarkOf(3, carols.message)}));
  EXPECT_TRUE(talk.Read(1).changed);
  EXPECT_EQ(talk.AtAlice(), (Conversation{{}, MarkOf(1, first), MarkOf(2, second)}));
  // The other device has it later: nothing new.
  const StreamId stream = talk.world.StreamOf(0, ShardOf(talk.alice, kShards));
  const size_t entries = talk.world.stream(stream).size();
  talk.world.Run(1, core::Acknowledge{talk.bob, DeviceNumber(2), {{}, Version(3)}});
  talk.world.Settle();
  EXPECT_EQ(talk.world.stream(stream).size(), entries);
}

// A device that comes back after long acknowledges all at once: many entries tell it, none is
// large, and what is acknowledged meanwhile is told, too.
TEST(TellDeliveredTest, GoesByPortions) {
  Talk talk;
  talk.world.Run(1, RegisterDevice{talk.bob, 7, "phone"});
  std::map<Uin, uint64_t> last;  // by sender, its place
  for (int i = 0; i < 100; ++i) {
    last[talk.world.NewAccount(0, AccountKind::kUser, "s" + std::to_string(i))] = 0;
  }
  talk.world.Settle();
  uint64_t place = 0;
  for (uint64_t round = 1; round <= 25; ++round) {
    for (auto& [sender, at] : last) {
      talk.world.Run(0, Send(sender, round, talk.bob, "hello"));
      talk.world.Settle();
      at = ++place;
    }
  }
  const StreamId stream = talk.world.StreamOf(1, ShardOf(talk.bob, kShards));
  const auto& log = talk.world.stream(stream);
  const size_t before = log.size();
  EXPECT_TRUE(
      talk.world.Run(1, core::Acknowledge{talk.bob, DeviceNumber(1), {{}, Version(2300)}}).changed);
  EXPECT_TRUE(
      talk.world.Run(1, core::Acknowledge{talk.bob, DeviceNumber(1), {{}, Version(2500)}}).changed);
  EXPECT_EQ(log.size(), before + 2);
  talk.world.Settle();
  EXPECT_EQ(log.size(), before + 4) << "2,500 items, 1,024 an entry";
  for (size_t i = before; i < log.size(); ++i) EXPECT_LT(log[i].size(), 64u << 10);
  for (const auto& [sender, at] : last) {
    EXPECT_EQ(talk.Seen(0, sender, talk.bob).peers_delivered.at.version, Version(at));
  }
  const Counters counters =
      ReadCounters(talk.world.store(1), ShardOf(talk.bob, kShards), talk.bob).counters;
  EXPECT_FALSE(counters.telling);
  EXPECT_EQ(counters.told, (Stamp{{}, Version(2500)}));
  EXPECT_EQ(talk.world.Differences(), Lines({}));
}

TEST(SyncConversationsTest, GiveEachRowOnceInTheOrderOfTheirChanges) {
  Talk talk;
  const Uin carol = talk.world.NewAccount(1, AccountKind::kUser, "carol");
  talk.Say();
  talk.Say();
  talk.world.Run(1, Send(carol, 1, talk.bob, "me too"));
  talk.world.Run(1, RemarkContact{talk.bob, carol, "Carol"});
  talk.world.Settle();
  talk.Read(1);
  talk.ReadOf(carol, 3);
  talk.Read(2);
  const SyncLimits one{.items_max = 1};
  std::vector<Uin> conversations;
  std::string token;
  for (int pages = 0; pages < 3; ++pages) {
    const auto page = ReadSync(talk.world.store(1), {kShards, {}}, talk.bob, {}, token, one);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(page->contacts.size(), pages == 0 ? 1u : 0u);
    EXPECT_TRUE(page->more);
    for (const SyncConversation& row : page->conversations) conversations.push_back(row.with);
    token = page->snapshot;
  }
  EXPECT_EQ(conversations, (std::vector<Uin>{carol, talk.alice}));
}

// Whoever sends receipts fills only half of what the user itself may have.
TEST(ReceiptTest, StrangersFillHalfOfAUsersConversations) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const ShardId shard(0);
  const auto stranger = [](uint64_t i) { return Uin(MakeId(Incarnation(7), 1000 + i)); };
  const auto rows = [&] {
    return ReadCounters(world.store(0), shard, alice).counters.conversation_rows;
  };
  uint64_t seq = 0;
  const auto receipt = [&](Uin from, uint64_t version) {
    Intent told;
    told.kind = IntentKind::kReceipt;
    told.receipt = {from, MarkOf(version, MessageId(5)), {}};
    world.Open(0, shard).Consume(
        StreamId(Incarnation(7), shard), Seq(++seq), 0,
        EncodePendingIntent({world.IncarnationOf(0), shard, {}, {alice}}, told));
  };
  for (uint64_t i = 0; i < kConversationsMax / 2 + 3; ++i) receipt(stranger(i), 1);
  Finish(world, 0, shard);
  EXPECT_EQ(rows(), kConversationsMax / 2);
  receipt(stranger(0), 2);
  Finish(world, 0, shard);
  const auto known = ReadLive(world.store(0), ConversationKey(shard, alice, stranger(0)));
  EXPECT_EQ(DecodeConversation(*known)->peers_read.at.version, Version(2))
      << "who is known goes on";
  // The user's own are not held up.
  const Uin bob = world.NewAccount(0, AccountKind::kUser, "bob");
  ASSERT_TRUE(world.Run(0, Send(bob, 1, alice, "hi")).status.ok());
  world.Settle();
  EXPECT_TRUE(world.Run(0, MarkRead{alice, bob, {{}, Version(1)}}).changed);
  EXPECT_EQ(rows(), kConversationsMax / 2 + 1);
}

}  // namespace
}  // namespace homeport::core
