#include "core/messaging/evaluator.h"

#include <gtest/gtest.h>

#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

constexpr uint16_t kShards = 4;

std::vector<std::string> Lines(std::initializer_list<const char*> lines) {
  return {lines.begin(), lines.end()};
}

// Writes a row past all rules: what another region, or an older move, could have left.
void PutAccount(World& world, int region, const AccountInfo& account, const Stamp& stamp) {
  WriteBatch batch;
  batch.Put(AccountKey(ShardOf(account.uin, world.shards()), account.uin),
            EncodeRow(stamp, false, EncodeAccount(account)));
  ASSERT_TRUE(world.store(region).Write(batch).ok());
}

std::string PendingMessage(World& world, IntentKind kind, const Message& message, Uin to,
                           MastershipEpoch epoch = {}) {
  Intent intent;
  intent.kind = kind;
  intent.message = message;
  return EncodePendingIntent({world.IncarnationOf(0), ShardOf(to, world.shards()), epoch, {to}},
                             intent);
}

// Commits and applies what is open at (region, shard).
void Finish(World& world, int region, ShardId shard) {
  world.Finish(region, shard);
  ASSERT_TRUE(world.Commit(region, shard));
  ASSERT_TRUE(world.Apply(region, world.StreamOf(region, shard)));
}

// The intents in the last entry of a stream that are addressed to `incarnation`.
std::vector<AddressedIntent> LastIntents(World& world, StreamId stream, Incarnation incarnation) {
  MemoryStore store;
  WriteBatch before;
  const auto& log = world.stream(stream);
  before.Put(AppliedKey(stream), EncodeNumber(log.size() - 1));
  EXPECT_TRUE(store.Write(before).ok());
  WriteBatch batch;
  ApplySummary summary;
  EXPECT_TRUE(ApplyEntry(store, {incarnation, world.shards()}, stream, Seq(log.size()), log.back(),
                         &batch, &summary)
                  .ok());
  std::vector<AddressedIntent> intents;
  for (const PendingIntent& pending : summary.pending) {
    intents.push_back(DecodePendingIntent(pending.bytes).value());
  }
  return intents;
}

// ---- ids, names, accounts

TEST(EvaluatorTest, GivesOutEachIdOnce) {
  World world(1, kShards);
  std::set<uint64_t> ids;
  for (uint16_t s = 0; s < kShards; ++s) {
    for (int i = 0; i < 20; ++i) {
      Evaluator& evaluator = world.Open(0, ShardId(s));
      const CommandResult result = evaluator.Execute(NewUin{});
      ASSERT_TRUE(result.status.ok());
      EXPECT_EQ(BirthIncarnation(result.uin), world.IncarnationOf(0));
      EXPECT_NE(IdCounter(result.uin.value()), 0u);
      EXPECT_TRUE(ids.insert(result.uin.value()).second) << result.uin;
      if (i % 3 == 0) world.Finish(0, ShardId(s));
    }
  }
}

TEST(EvaluatorTest, GivesNoIdAgainAfterACrash) {
  World world(1, 1);
  std::set<uint64_t> told;
  for (int life = 0; life < 5; ++life) {
    for (int i = 0; i < 4; ++i) told.insert(world.NewUinAt(0).value());
    world.Crash(0, [](size_t) { return size_t{0}; });  // nothing was flushed: all is applied again
  }
  EXPECT_EQ(told.size(), 20u);
}

TEST(EvaluatorTest, AnswersTheFirstClaimOfAName) {
  World world(1, kShards);
  const Uin first = world.NewUinAt(0);
  const Uin second = world.NewUinAt(0);
  const ClaimName claim{AccountKind::kUser, "alice", first};
  const CommandResult won = world.Run(0, claim);
  EXPECT_TRUE(won.status.ok());
  EXPECT_TRUE(won.changed);
  EXPECT_EQ(won.uin, first);
  const CommandResult again = world.Run(0, claim);
  EXPECT_EQ(again.uin, first);
  EXPECT_FALSE(again.changed);
  const CommandResult lost = world.Run(0, ClaimName{AccountKind::kUser, "alice", second});
  EXPECT_TRUE(lost.status.ok());
  EXPECT_EQ(lost.uin, first);
  EXPECT_FALSE(lost.changed);
  // Users and groups have name spaces of their own.
  EXPECT_EQ(world.Run(0, ClaimName{AccountKind::kGroup, "alice", second}).uin, second);
  EXPECT_EQ(FindName(world.store(0), kShards, AccountKind::kUser, "alice"), first);
  EXPECT_EQ(FindName(world.store(0), kShards, AccountKind::kGroup, "alice"), second);
}

TEST(EvaluatorTest, SeesAClaimThatIsNotCommittedYet) {
  World world(1, 1);
  const Uin first = world.NewUinAt(0);
  const Uin second = world.NewUinAt(0);
  const ShardId shard(0);
  world.Open(0, shard).Execute(ClaimName{AccountKind::kUser, "bob", first});
  world.Finish(0, shard);
  const CommandResult lost =
      world.Open(0, shard).Execute(ClaimName{AccountKind::kUser, "bob", second});
  EXPECT_EQ(lost.uin, first);
  EXPECT_TRUE(world.Open(0, shard).draft_empty());
  EXPECT_FALSE(FindName(world.store(0), 1, AccountKind::kUser, "bob").has_value());
}

TEST(EvaluatorTest, TakesOddNamesAndRefusesEmptyAndLongOnesAndControlCharacters) {
  World world(1, kShards);
  const Uin uin = world.NewUinAt(0);
  for (const std::string& name :
       {std::string("[]\\`^{}|-_"), std::string("[cro] smiley"), std::string("[set] "),
        std::string("bur[n] er"), std::string("\xff\xfe\x80"), std::string(kNameBytesMax, 'x')}) {
    EXPECT_TRUE(world.Run(0, ClaimName{AccountKind::kUser, name, uin}).changed) << name;
  }
  for (const std::string& name : {std::string(), std::string("a\n"), std::string("a\0b", 3),
                                  std::string("\x7f"), std::string("\x1f")}) {
    EXPECT_EQ(world.Run(0, ClaimName{AccountKind::kUser, name, uin}).status.code(),
              Code::kBadRequest);
    EXPECT_EQ(CheckName(name).code(), Code::kBadRequest);
  }
  const CommandResult result =
      world.Run(0, ClaimName{AccountKind::kUser, std::string(kNameBytesMax + 1, 'x'), uin});
  EXPECT_EQ(result.status.code(), Code::kTooLarge);
  EXPECT_EQ(result.status.detail(), kNameBytesMax);
}

TEST(EvaluatorTest, CreatesAnAccountOnceAndOnlyAtItsBirth) {
  World world(2, kShards);
  const Uin uin = world.NewUinAt(0);
  const CreateAccount create{uin, AccountKind::kUser, "alice"};
  EXPECT_EQ(world.Run(1, create).status.code(), Code::kBadRequest);
  EXPECT_TRUE(world.Run(0, create).changed);
  const CommandResult again = world.Run(0, create);
  EXPECT_TRUE(again.status.ok());
  EXPECT_FALSE(again.changed);
  const CommandResult other = world.Run(0, CreateAccount{uin, AccountKind::kUser, "eve"});
  EXPECT_EQ(other.status.code(), Code::kTaken);
  EXPECT_EQ(other.status.detail(), uin.value());
  EXPECT_EQ(world.Run(0, CreateAccount{uin, AccountKind::kGroup, "alice"}).status.code(),
            Code::kTaken);
  const auto account = FindAccount(world.store(0), kShards, uin);
  ASSERT_TRUE(account.has_value());
  EXPECT_EQ(account->name, "alice");
  EXPECT_EQ(account->home, world.IncarnationOf(0));
}

TEST(EvaluatorTest, RefusesWhatBelongsToAnotherShard) {
  World world(1, kShards);
  const Uin user = world.NewAccount(0, AccountKind::kUser, "u");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  for (const Command& command :
       {Command(CreateAccount{world.NewUinAt(0), AccountKind::kUser, "v"}),
        Command(ClaimName{AccountKind::kUser, "w", user}), Command(Send(user, 1, user, "x")),
        Command(JoinGroup{group, user}), Command(LeaveGroup{group, user})}) {
    const ShardId wrong(
        static_cast<uint16_t>((ShardOfCommand(command, kShards).value() + 1) % kShards));
    EXPECT_EQ(world.Open(0, wrong).Execute(command).status.code(), Code::kBadRequest);
    EXPECT_TRUE(world.Open(0, wrong).draft_empty());
  }
}

// ---- messages

TEST(EvaluatorTest, DeliversBodiesOfAnyBytes) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  world.Settle();
  std::string all_bytes;
  for (int i = 0; i < 256; ++i) all_bytes.push_back(static_cast<char>(i));
  const std::vector<std::string> bodies = {"", std::string(1, '\0'), all_bytes,
                                           std::string(kBodyBytesMax, 'z')};
  uint64_t id = 0;
  for (const std::string& body : bodies) {
    EXPECT_TRUE(world.Run(0, Send(alice, ++id, bob, body)).changed);
  }
  world.Settle();
  EXPECT_EQ(world.Bodies(0, bob), bodies);
  EXPECT_EQ(world.Bodies(1, bob), bodies);
  EXPECT_EQ(world.Differences(), Lines({}));
}

TEST(EvaluatorTest, RefusesABodyOverTheLimit) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const CommandResult result =
      world.Run(0, Send(alice, 1, alice, std::string(kBodyBytesMax + 1, 'x')));
  EXPECT_EQ(result.status.code(), Code::kTooLarge);
  EXPECT_EQ(result.status.detail(), kBodyBytesMax);
  // Nothing is remembered of it.
  EXPECT_TRUE(world.Run(0, Send(alice, 1, alice, "x")).changed);
}

TEST(EvaluatorTest, AnswersARetryWithTheFirstMessage) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const ShardId shard(0);
  // In the same entry, in an entry in flight, and when applied.
  const CommandResult first = world.Open(0, shard).Execute(Send(alice, 7, alice, "one"));
  EXPECT_TRUE(first.changed);
  const CommandResult same_entry = world.Open(0, shard).Execute(Send(alice, 7, alice, "two"));
  world.Finish(0, shard);
  const CommandResult in_flight = world.Open(0, shard).Execute(Send(alice, 7, alice, "three"));
  EXPECT_TRUE(world.Open(0, shard).draft_empty());
  world.Settle();
  const CommandResult applied = world.Run(0, Send(alice, 7, alice, "four"));
  for (const CommandResult& retry : {same_entry, in_flight, applied}) {
    EXPECT_TRUE(retry.status.ok());
    EXPECT_FALSE(retry.changed);
    EXPECT_EQ(retry.message, first.message);
  }
  world.Settle();
  EXPECT_EQ(world.Bodies(0, alice), Lines({"one"}));
}

TEST(EvaluatorTest, DeliversAMessageToOneself) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  EXPECT_TRUE(world.Run(0, Send(alice, 1, alice, "note")).changed);
  world.Settle();
  EXPECT_EQ(world.Bodies(0, alice), Lines({"note"}));
}

TEST(EvaluatorTest, RefusesAnUnknownSenderAndTellsWhereAnotherIsHomed) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin nobody = world.NewUinAt(0);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  EXPECT_EQ(world.Run(0, Send(nobody, 1, alice, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Send(group, 1, alice, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Send(Uin(0), 1, alice, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Send(alice, 1, Uin(0), "x")).status.code(), Code::kBadRequest);
  // Before and after region 1 has replayed the account.
  for (int i = 0; i < 2; ++i) {
    const CommandResult moved = world.Run(1, Send(alice, 1, alice, "x"));
    EXPECT_EQ(moved.status.code(), Code::kMoved);
    EXPECT_EQ(moved.status.home(), world.IncarnationOf(0));
    world.Settle();
  }
}

TEST(EvaluatorTest, TellsTheEpochOfAMovedSender) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  world.Crash(0, [](size_t n) { return n - 1; });  // forgets what the evaluator cached
  PutAccount(world, 0, {alice, AccountKind::kUser, "alice", Incarnation(9), {2, 5}, 1},
             {{2, 5}, Version(9)});
  const CommandResult moved = world.Run(0, Send(alice, 1, alice, "x"));
  EXPECT_EQ(moved.status.code(), Code::kMoved);
  EXPECT_EQ(moved.status.home(), Incarnation(9));
  EXPECT_EQ(moved.status.epoch(), (MastershipEpoch{2, 5}));
}

TEST(EvaluatorTest, RefusesTheWrongKindOfReceiverWhenItIsKnown) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  EXPECT_EQ(world.Run(0, Send(alice, 1, group, "x")).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, Post(alice, 1, alice, "x")).status.code(), Code::kBadRequest);
}

TEST(EvaluatorTest, LetsTheReceiverDecideWhatItIsWhenTheSenderCannotKnow) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  const Uin group = world.NewAccount(1, AccountKind::kGroup, "g");
  world.Run(1, JoinGroup{group, bob});
  EXPECT_TRUE(world.Run(0, Post(alice, 1, bob, "to bob")).changed);
  EXPECT_TRUE(world.Run(0, Send(alice, 2, group, "to the group")).changed);
  world.Settle();
  const std::vector<SyncMessage> inbox = world.Inbox(1, bob);
  ASSERT_EQ(inbox.size(), 2u);
  for (const SyncMessage& message : inbox) {
    EXPECT_EQ(message.group, message.body == "to bob" ? Uin(0) : group);
  }
}

TEST(EvaluatorTest, DeliversAnIntentThatComesTwiceOnce) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Message message{MessageId(77), Uin(5), ClientMessageId(3), 1, "hi"};
  const ShardId shard(0);
  const StreamId source(Incarnation(9), shard);
  for (uint64_t seq = 1; seq <= 3; ++seq) {  // 1 and 2 in one entry
    world.Open(0, shard).Consume(source, Seq(seq), 0,
                                 PendingMessage(world, IntentKind::kDeliver, message, alice));
    world.Open(0, shard).Consume(source, Seq(seq), 1,
                                 PendingMessage(world, IntentKind::kPost, message, group));
    if (seq > 1) Finish(world, 0, shard);
  }
  EXPECT_EQ(world.Bodies(0, alice), Lines({"hi"}));
  EXPECT_EQ(FindGroupSeq(world.store(0), 1, group, Uin(5), ClientMessageId(3)), 1u);
  const std::string second = GroupMessageKey(shard, group, 2);
  EXPECT_FALSE(world.store(0).Get(second).has_value());
  EXPECT_EQ(ConsumedSeq(world.store(0), world.IncarnationOf(0), source, shard), Seq(3));
}

TEST(EvaluatorDeathTest, ConsumesASourceOnlyForward) {
  World world(1, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const std::string intent = PendingMessage(world, IntentKind::kDeliver, {}, alice);
  const StreamId source(Incarnation(9), ShardId(0));
  world.Open(0, ShardId(0)).Consume(source, Seq(4), 2, intent);
  EXPECT_DEATH(world.Open(0, ShardId(0)).Consume(source, Seq(4), 2, intent), "consumed once");
  Finish(world, 0, ShardId(0));
  EXPECT_DEATH(world.Open(0, ShardId(0)).Consume(source, Seq(4), 2, intent), "consumed once");
  world.Open(0, ShardId(0)).Consume(source, Seq(4), 3, intent);
}

// ---- parking and forwarding

TEST(EvaluatorTest, DeliversParkedMessagesInOrderWhenTheAccountIsCreated) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin late = world.NewUinAt(1);
  const Uin late_group = world.NewUinAt(1);
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  for (uint64_t i = 1; i <= 5; ++i) {
    world.Run(0, Send(alice, i, late, "m" + std::to_string(i)));
    world.Run(0, Post(alice, 100 + i, late_group, "g" + std::to_string(i)));
    world.Settle();
  }
  EXPECT_EQ(world.Bodies(1, late), Lines({}));
  EXPECT_TRUE(world.Run(1, CreateAccount{late, AccountKind::kUser, "late"}).changed);
  EXPECT_TRUE(world.Run(1, CreateAccount{late_group, AccountKind::kGroup, "lateg"}).changed);
  world.Run(1, JoinGroup{late_group, bob});
  EXPECT_EQ(world.Bodies(1, late), Lines({"m1", "m2", "m3", "m4", "m5"}));
  for (uint64_t i = 1; i <= 5; ++i) {
    EXPECT_EQ(FindGroupSeq(world.store(1), kShards, late_group, alice, ClientMessageId(100 + i)),
              i);
  }
  world.Run(0, Post(alice, 200, late_group, "now"));
  world.Settle();
  EXPECT_EQ(world.Bodies(0, bob), Lines({"now"}));  // joined after the others
  EXPECT_EQ(world.Differences(), Lines({}));
  // What was parked is gone from the digests.
  for (uint16_t s = 0; s < kShards; ++s) {
    EXPECT_EQ(DigestShard(world.store(0), ShardId(s)).back().rows, 0u);
  }
}

// It would make an entry that no writer takes, and stop the region.
TEST(EvaluatorTest, RefusesToCreateAnAccountForWhichTooMuchWaits) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin late = world.NewUinAt(1);
  for (uint64_t i = 1; i <= 9; ++i) {
    world.Run(0, Send(alice, i, late, std::string(kBodyBytesMax, 'x')));
  }
  world.Settle();
  const CommandResult refused = world.Run(1, CreateAccount{late, AccountKind::kUser, "late"});
  EXPECT_EQ(refused.status.code(), Code::kTooLarge);
  EXPECT_FALSE(FindAccount(world.store(1), kShards, late).has_value());
  const Uin other = world.NewUinAt(1);
  EXPECT_TRUE(world.Run(1, CreateAccount{other, AccountKind::kUser, "other"}).changed);
}

TEST(EvaluatorTest, UnparksWhatWasParkedInAnEntryThatIsNotApplied) {
  World world(1, 1);
  const Uin late = world.NewUinAt(0);
  const ShardId shard(0);
  const StreamId source(Incarnation(9), shard);
  const auto consume = [&](uint64_t seq, const char* body) {
    const Message message{MessageId(seq), Uin(5), ClientMessageId(seq), 1, body};
    world.Open(0, shard).Consume(source, Seq(seq), 0,
                                 PendingMessage(world, IntentKind::kDeliver, message, late));
  };
  consume(1, "applied");
  Finish(world, 0, shard);
  consume(2, "in flight");
  world.Finish(0, shard);
  consume(3, "same entry");
  world.Open(0, shard).Execute(CreateAccount{late, AccountKind::kUser, "late"});
  consume(4, "after");
  world.Settle();
  EXPECT_EQ(world.Bodies(0, late), Lines({"applied", "in flight", "same entry", "after"}));
  EXPECT_EQ(DigestShard(world.store(0), shard).back().rows, 0u);
}

TEST(EvaluatorTest, ForwardsToAHomeKnownByAHigherEpochAndParksOtherwise) {
  World world(1, 1);
  const Uin moved = world.NewUinAt(0);
  PutAccount(world, 0, {moved, AccountKind::kUser, "moved", Incarnation(7), {0, 3}, 1},
             {{0, 3}, Version(1)});
  const ShardId shard(0);
  const StreamId source(Incarnation(9), shard);
  const Message message{MessageId(1), Uin(5), ClientMessageId(1), 1, "x"};
  world.Open(0, shard).Consume(source, Seq(1), 0,
                               PendingMessage(world, IntentKind::kDeliver, message, moved, {0, 2}));
  Finish(world, 0, shard);
  const auto forwarded = LastIntents(world, world.StreamOf(0, shard), Incarnation(7));
  ASSERT_EQ(forwarded.size(), 1u);
  EXPECT_EQ(forwarded[0].target.epoch, (MastershipEpoch{0, 3}));
  EXPECT_EQ(forwarded[0].target.users, std::vector<Uin>{moved});
  EXPECT_EQ(forwarded[0].intent.message.body, "x");
  EXPECT_EQ(DigestShard(world.store(0), shard).back().rows, 0u);

  world.Open(0, shard).Consume(source, Seq(2), 0,
                               PendingMessage(world, IntentKind::kDeliver, message, moved, {0, 3}));
  Finish(world, 0, shard);
  EXPECT_TRUE(LastIntents(world, world.StreamOf(0, shard), Incarnation(7)).empty());
  EXPECT_EQ(DigestShard(world.store(0), shard).back().rows, 1u);  // parked
}

TEST(EvaluatorTest, ForwardsOnlyTheMembersThatMovedOfAFanout) {
  World world(1, 1);
  const Uin here = world.NewAccount(0, AccountKind::kUser, "here");
  const Uin moved = world.NewUinAt(0);
  const Uin ahead(
      MakeId(Incarnation(3), 8));  // its birth is elsewhere, and nothing is known of a move
  PutAccount(world, 0, {moved, AccountKind::kUser, "moved", Incarnation(7), {0, 3}, 1},
             {{0, 3}, Version(1)});
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  fanout.group = Uin(MakeId(Incarnation(2), 4));
  fanout.group_seq = 6;
  const ShardId shard(0);
  world.Open(0, shard).Consume(
      StreamId(Incarnation(2), shard), Seq(1), 0,
      EncodePendingIntent({world.IncarnationOf(0), shard, {}, {here, moved, ahead}}, fanout));
  Finish(world, 0, shard);
  const auto forwarded = LastIntents(world, world.StreamOf(0, shard), Incarnation(7));
  ASSERT_EQ(forwarded.size(), 1u);
  EXPECT_EQ(forwarded[0].intent.kind, IntentKind::kFanout);
  EXPECT_EQ(forwarded[0].intent.group_seq, 6u);
  EXPECT_EQ(forwarded[0].target.users, std::vector<Uin>{moved});
  const auto digests = DigestShard(world.store(0), shard);
  EXPECT_EQ(digests.back().rows, 1u);                                   // `ahead` is parked
  EXPECT_EQ(digests[static_cast<size_t>(Table::kInbox) - 1].rows, 1u);  // `here` has it
}

// ---- groups

TEST(EvaluatorTest, SendsAGroupMessageToEachMemberButTheSender) {
  World world(3, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  std::vector<Uin> users;
  for (int i = 0; i < 12; ++i) {
    users.push_back(world.NewAccount(i % 3, AccountKind::kUser, "u" + std::to_string(i)));
    EXPECT_TRUE(world.Run(0, JoinGroup{group, users.back()}).changed);
  }
  world.Settle();
  world.Run(1, Post(users[1], 1, group, "hello"));
  world.Settle();
  EXPECT_TRUE(world.Run(0, LeaveGroup{group, users[2]}).changed);
  world.Run(2, Post(users[2], 1, group, "I left"));  // not a member: may still post
  world.Settle();
  for (int region = 0; region < 3; ++region) {
    for (size_t i = 0; i < users.size(); ++i) {
      const std::vector<std::string> expected = i == 1   ? Lines({"I left"})
                                                : i == 2 ? Lines({"hello"})
                                                         : Lines({"hello", "I left"});
      EXPECT_EQ(world.Bodies(region, users[i]), expected) << i;
    }
  }
  EXPECT_EQ(world.Differences(), Lines({}));
}

TEST(EvaluatorTest, AddressesEachRegionAndShardOnce) {
  World world(2, 1);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  for (int i = 0; i < 10; ++i) {
    world.Run(0, JoinGroup{group, world.NewAccount(1, AccountKind::kUser, std::to_string(i))});
  }
  world.Run(0, JoinGroup{group, alice});
  const ShardId shard(0);
  world.Run(0, Post(alice, 1, group, "x"));
  ASSERT_TRUE(world.ConsumeNext(0, shard));
  Finish(world, 0, shard);
  const auto there = LastIntents(world, world.StreamOf(0, shard), world.IncarnationOf(1));
  ASSERT_EQ(there.size(), 1u);
  EXPECT_EQ(there[0].target.users.size(), 10u);
  // The only member here is the sender: no address at all.
  EXPECT_TRUE(LastIntents(world, world.StreamOf(0, shard), world.IncarnationOf(0)).empty());
}

TEST(EvaluatorTest, JoinsAndLeavesOnce) {
  World world(1, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin stranger(MakeId(Incarnation(5), 99));  // not known here yet
  EXPECT_FALSE(world.Run(0, LeaveGroup{group, stranger}).changed);
  EXPECT_TRUE(world.Run(0, JoinGroup{group, stranger}).changed);
  EXPECT_FALSE(world.Run(0, JoinGroup{group, stranger}).changed);
  EXPECT_EQ(ListMembers(world.store(0), kShards, group, Uin(0), 10), std::vector<Uin>{stranger});
  EXPECT_TRUE(world.Run(0, LeaveGroup{group, stranger}).changed);
  EXPECT_FALSE(world.Run(0, LeaveGroup{group, stranger}).changed);
  EXPECT_TRUE(ListMembers(world.store(0), kShards, group, Uin(0), 10).empty());
  EXPECT_TRUE(world.Run(0, JoinGroup{group, stranger}).changed);
  EXPECT_EQ(ListMembers(world.store(0), kShards, group, Uin(0), 10), std::vector<Uin>{stranger});
}

TEST(EvaluatorTest, RefusesToJoinWhatIsNoGroupOrHomedElsewhere) {
  World world(2, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  EXPECT_EQ(world.Run(0, JoinGroup{alice, alice}).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, JoinGroup{world.NewUinAt(0), alice}).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, JoinGroup{group, group}).status.code(), Code::kBadRequest);
  EXPECT_EQ(world.Run(0, JoinGroup{group, Uin(0)}).status.code(), Code::kBadRequest);
  world.Settle();
  const CommandResult moved = world.Run(1, JoinGroup{group, alice});
  EXPECT_EQ(moved.status.code(), Code::kMoved);
  EXPECT_EQ(moved.status.home(), world.IncarnationOf(0));
}

TEST(EvaluatorTest, FansOutToAMemberWhoseAccountIsNotCreatedYet) {
  World world(2, kShards);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin late = world.NewUinAt(1);
  world.Run(0, JoinGroup{group, late});
  world.Run(0, Post(alice, 1, group, "early"));
  world.Settle();
  world.Run(1, CreateAccount{late, AccountKind::kUser, "late"});
  world.Run(0, Post(alice, 2, group, "later"));
  world.Settle();
  EXPECT_EQ(world.Bodies(1, late), Lines({"early", "later"}));
}

TEST(EvaluatorTest, FansOutNothingToAMemberThatBecameAGroup) {
  World world(1, 1);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin other = world.NewUinAt(0);
  EXPECT_TRUE(world.Run(0, JoinGroup{group, other}).changed);
  world.Run(0, CreateAccount{other, AccountKind::kGroup, "other"});
  world.Run(0, Post(alice, 1, group, "x"));
  world.Run(0, Post(alice, 2, other, "y"));
  world.Settle();
  EXPECT_TRUE(world.Inbox(0, other).empty());
  EXPECT_EQ(FindGroupSeq(world.store(0), 1, other, alice, ClientMessageId(2)), 1u);
}

// ---- the draft

TEST(EvaluatorTest, DraftsNothingForRefusedCommands) {
  World world(1, 1);
  const ShardId shard(0);
  Evaluator& evaluator = world.Open(0, shard);
  EXPECT_TRUE(evaluator.draft_empty());
  EXPECT_FALSE(evaluator.Execute(Send(Uin(1), 1, Uin(1), "x")).status.ok());
  EXPECT_FALSE(evaluator.Execute(CreateAccount{Uin(1), AccountKind::kUser, "x"}).status.ok());
  EXPECT_TRUE(evaluator.draft_empty());
  EXPECT_EQ(evaluator.draft_bytes(), 0u);
  EXPECT_EQ(evaluator.Finish(), "");
  evaluator.Begin(WallMs(1));
  evaluator.Begin(WallMs(2));  // an empty draft may begin again
  evaluator.Execute(NewUin{});
  EXPECT_FALSE(evaluator.draft_empty());
  EXPECT_FALSE(evaluator.Finish().empty());
}

TEST(EvaluatorTest, NeedsAnEntryForACursorAlone) {
  World world(1, 1);
  const Uin late = world.NewUinAt(0);
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  const StreamId source(Incarnation(9), ShardId(0));
  world.Open(0, ShardId(0))
      .Consume(source, Seq(3), 0,
               EncodePendingIntent({world.IncarnationOf(0), ShardId(0), {}, {}}, fanout));
  EXPECT_FALSE(world.Open(0, ShardId(0)).draft_empty());
  Finish(world, 0, ShardId(0));
  EXPECT_EQ(ConsumedSeq(world.store(0), world.IncarnationOf(0), source, ShardId(0)), Seq(3));
  EXPECT_NE(late, Uin(0));
}

TEST(EvaluatorTest, CarriesOnFromTheStoreWhereAnotherEvaluatorStopped) {
  World world(1, 1);
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(0, AccountKind::kUser, "bob");
  world.Run(0, JoinGroup{group, bob});
  for (uint64_t i = 1; i <= 6; ++i) {
    if (i == 4) world.Run(0, LeaveGroup{group, bob});
    world.Run(0, Post(alice, i, group, std::to_string(i)));
    world.Run(0, Send(alice, 100 + i, bob, "d" + std::to_string(i)));
    world.Settle();
    world.Crash(0, [](size_t) { return size_t{0}; });
  }
  EXPECT_EQ(FindGroupSeq(world.store(0), 1, group, alice, ClientMessageId(6)), 6u);
  std::vector<uint64_t> versions;
  for (const SyncMessage& message : world.Inbox(0, bob)) versions.push_back(message.version);
  EXPECT_EQ(versions, (std::vector<uint64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

}  // namespace
}  // namespace homeport::core
