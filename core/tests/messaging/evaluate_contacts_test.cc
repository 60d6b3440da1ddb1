#include <random>

#include "core/messaging/sync.h"
#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

// alice lives in region 0, bob in region 1.
struct Pair {
  Pair() : world(2, kShards) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(1, AccountKind::kUser, "bob");
    world.Settle();
  }
  CommandResult Alice(const Command& command) { return world.Run(0, command); }
  CommandResult Bob(const Command& command) { return world.Run(1, command); }
  std::vector<SyncContact> Contacts(int region, Uin user) {
    const auto page = ReadSync(world.store(region), {kShards, {}}, user, {}, "", {});
    EXPECT_TRUE(page.ok()) << page.status();
    return page->contacts;
  }
  Relation RelationOf(int region, Uin user) {
    const auto contacts = Contacts(region, user);
    return contacts.empty() ? Relation::kNone : contacts[0].contact.relation();
  }
  World world;
  Uin alice;
  Uin bob;
};

TEST(ContactsTest, AreAskedForAndAccepted) {
  Pair pair;
  EXPECT_TRUE(pair.Alice(AskContact{pair.alice, pair.bob, "it is me"}).changed);
  EXPECT_FALSE(pair.Alice(AskContact{pair.alice, pair.bob, "it is me"}).changed);
  EXPECT_EQ(pair.RelationOf(0, pair.alice), Relation::kAsked);
  pair.world.Settle();
  ASSERT_EQ(pair.Contacts(1, pair.bob).size(), 1u);
  EXPECT_EQ(pair.Contacts(1, pair.bob)[0].contact.text, "it is me");
  EXPECT_EQ(pair.Contacts(1, pair.bob)[0].peer, pair.alice);
  EXPECT_EQ(pair.RelationOf(1, pair.bob), Relation::kAsking);
  EXPECT_TRUE(pair.Bob(AskContact{pair.bob, pair.alice, ""}).changed);
  pair.world.Settle();
  EXPECT_EQ(pair.RelationOf(0, pair.alice), Relation::kFriends);
  EXPECT_EQ(pair.RelationOf(1, pair.bob), Relation::kFriends);
  EXPECT_TRUE(pair.Bob(DeleteContact{pair.bob, pair.alice}).changed);
  EXPECT_FALSE(pair.Bob(DeleteContact{pair.bob, pair.alice}).changed);
  pair.world.Settle();
  EXPECT_EQ(pair.RelationOf(0, pair.alice), Relation::kNone);
  EXPECT_EQ(pair.RelationOf(1, pair.bob), Relation::kNone);
  EXPECT_EQ(pair.world.Differences(), Lines({}));
}

TEST(ContactsTest, RemarksAndBlocksStayWithTheirOwner) {
  Pair pair;
  EXPECT_TRUE(pair.Alice(RemarkContact{pair.alice, pair.bob, "Bobby"}).changed);
  EXPECT_FALSE(pair.Alice(RemarkContact{pair.alice, pair.bob, "Bobby"}).changed);
  EXPECT_TRUE(pair.Alice(BlockContact{pair.alice, pair.bob, true}).changed);
  EXPECT_FALSE(pair.Alice(BlockContact{pair.alice, pair.bob, true}).changed);
  pair.world.Settle();
  EXPECT_TRUE(pair.Contacts(1, pair.bob).empty());
  const auto contacts = pair.Contacts(1, pair.alice);
  ASSERT_EQ(contacts.size(), 1u);
  EXPECT_EQ(contacts[0].contact.remark, "Bobby");
  EXPECT_TRUE(contacts[0].contact.blocked);
}

TEST(ContactsTest, AMessageOfWhoIsBlockedIsRefusedAndDroppedUntilThatIsKnown) {
  Pair pair;
  pair.Alice(BlockContact{pair.alice, pair.bob, true});
  EXPECT_TRUE(pair.Bob(Send(pair.bob, 1, pair.alice, "not known yet")).changed);
  pair.world.Settle();
  EXPECT_EQ(pair.world.Bodies(0, pair.alice), Lines({}));
  const CommandResult refused = pair.Bob(Send(pair.bob, 2, pair.alice, "known"));
  EXPECT_EQ(refused.status.code(), Code::kRefused);
  EXPECT_TRUE(pair.Alice(Send(pair.alice, 1, pair.bob, "the other way is open")).changed);
  pair.Alice(BlockContact{pair.alice, pair.bob, false});
  pair.world.Settle();
  EXPECT_TRUE(pair.Bob(Send(pair.bob, 2, pair.alice, "open again")).changed);
  pair.world.Settle();
  EXPECT_EQ(pair.world.Bodies(0, pair.alice), Lines({"open again"}));
  EXPECT_EQ(pair.world.Bodies(1, pair.bob), Lines({"the other way is open"}));
}

TEST(ContactsTest, ARequestWaitsForAnAccountThatIsNotThere) {
  Pair pair;
  const Uin late = pair.world.NewUinAt(1);
  EXPECT_TRUE(pair.Alice(AskContact{pair.alice, late, "hello"}).changed);
  pair.world.Settle();
  pair.Bob(CreateAccount{late, AccountKind::kUser, "late"});
  EXPECT_EQ(pair.RelationOf(1, late), Relation::kAsking);
}

TEST(ContactsTest, RefusesWhoIsNoOtherUserAndLongWords) {
  Pair pair;
  const Uin group = pair.world.NewAccount(0, AccountKind::kGroup, "g");
  for (const Uin peer : {pair.alice, group, Uin(0)}) {
    EXPECT_EQ(pair.Alice(AskContact{pair.alice, peer, ""}).status.code(), Code::kBadRequest);
    EXPECT_EQ(pair.Alice(BlockContact{pair.alice, peer, true}).status.code(), Code::kBadRequest);
  }
  const std::string words(kLabelBytesMax + 1, 'x');
  EXPECT_EQ(pair.Alice(AskContact{pair.alice, pair.bob, words}).status.code(), Code::kTooLarge);
  EXPECT_EQ(pair.Alice(RemarkContact{pair.alice, pair.bob, words}).status.code(), Code::kTooLarge);
  EXPECT_EQ(pair.Bob(AskContact{pair.alice, pair.bob, ""}).status.code(), Code::kMoved);
}

TEST(ContactsTest, AreLimitedAndStrangersFillOnlyHalf) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const ShardId shard(0);
  const auto stranger = [](uint64_t i) { return Uin(MakeId(Incarnation(7), 1000 + i)); };
  for (uint64_t i = 0; i < kContactsMax / 2 + 3; ++i) {
    Intent ask;
    ask.kind = IntentKind::kContact;
    ask.contact = {stranger(i), {{{}, Version(1)}, true, {}}, ""};
    world.Open(0, shard).Consume(
        StreamId(Incarnation(7), shard), Seq(1 + i), 0,
        EncodePendingIntent({world.IncarnationOf(0), shard, {}, {alice}}, ask));
  }
  Finish(world, 0, shard);
  const auto rows = [&] {
    return ReadCounters(world.store(0), shard, alice).counters.contact_rows;
  };
  EXPECT_EQ(rows(), kContactsMax / 2);
  for (uint64_t i = kContactsMax / 2; i < kContactsMax; ++i) {
    EXPECT_TRUE(world.Open(0, shard).Execute(AskContact{alice, stranger(i), ""}).changed);
  }
  const CommandResult full =
      world.Open(0, shard).Execute(AskContact{alice, stranger(kContactsMax), ""});
  EXPECT_EQ(full.status.code(), Code::kTooLarge);
  EXPECT_TRUE(world.Open(0, shard).Execute(AskContact{alice, stranger(0), ""}).changed);
  Finish(world, 0, shard);
  EXPECT_EQ(rows(), kContactsMax);

  // Synced in pages, each contact once.
  std::string token;
  std::set<Uin> seen;
  size_t pages = 0;
  for (bool more = true; more; ++pages) {
    SyncLimits limits;
    limits.items_max = 900;
    const auto page = ReadSync(world.store(0), {1, {}}, alice, {}, token, limits);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->contacts.size(), 900u);
    for (const SyncContact& contact : page->contacts) EXPECT_TRUE(seen.insert(contact.peer).second);
    more = page->more;
    token = page->snapshot;
  }
  EXPECT_EQ(seen.size(), kContactsMax);
  EXPECT_EQ(pages, 12u);
}

// Whatever two users do at the same time, both sides show the same in the end, and a device that
// syncs now and then ends with what is there.
TEST(ContactsTest, BothSidesAgreeAfterAnythingAndDevicesFollow) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    std::mt19937_64 random(seed);
    Pair pair;
    std::string token;
    std::optional<Contact> at_device;
    const auto sync = [&] {
      const auto page = ReadSync(pair.world.store(0), {kShards, {}}, pair.alice, {}, token, {});
      ASSERT_TRUE(page.ok());
      token = page->snapshot;
      ASSERT_LE(page->contacts.size(), 1u);
      if (!page->contacts.empty()) at_device = page->contacts[0].contact;
    };
    for (int step = 0; step < 40; ++step) {
      const bool is_alice = random() % 2 == 0;
      const Uin user = is_alice ? pair.alice : pair.bob;
      const Uin peer = is_alice ? pair.bob : pair.alice;
      const Command command = random() % 2 == 0 ? Command(AskContact{user, peer, "x"})
                                                : Command(DeleteContact{user, peer});
      EXPECT_TRUE(pair.world.Run(is_alice ? 0 : 1, command).status.ok());
      if (random() % 3 == 0) pair.world.Settle();
      if (random() % 3 == 0) sync();
      if (random() % 9 == 0) pair.world.Crash(0, [&](size_t n) { return random() % n; });
    }
    pair.world.Settle();
    sync();
    const Relation mine = pair.RelationOf(0, pair.alice);
    const Relation theirs = pair.RelationOf(1, pair.bob);
    const bool agree = (mine == theirs && mine != Relation::kAsked && mine != Relation::kAsking) ||
                       (mine == Relation::kAsked && theirs == Relation::kAsking) ||
                       (mine == Relation::kAsking && theirs == Relation::kAsked);
    EXPECT_TRUE(agree) << "seed " << seed;
    ASSERT_TRUE(at_device.has_value());
    EXPECT_EQ(at_device->relation(), mine);
    EXPECT_EQ(pair.world.Differences(), Lines({}));
  }
}

}  // namespace
}  // namespace homeport::core
