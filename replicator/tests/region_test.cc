// Regions with real writers, readers and replicas in a simulated world: what was acknowledged is
// never lost, each message comes exactly once, and at rest all regions are equal. HOMEPORT_SEED=n
// runs that seed, HOMEPORT_SEEDS=n so many, from it or from 1 on.
#include "replicator/region.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <string>

#include "core/format.h"
#include "replicator/tests/world.h"

namespace homeport::replicator {
namespace {

namespace qq = quorum_queue;
using core::AccountKind;
using core::Code;
using core::Uin;

uint64_t NumberOf(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

void RunSeeds(uint64_t seeds, const std::function<void(uint64_t seed)>& run) {
  uint64_t first = NumberOf("HOMEPORT_SEED", 0);
  uint64_t count = NumberOf("HOMEPORT_SEEDS", seeds);
  if (first != 0) count = NumberOf("HOMEPORT_SEEDS", 1);
  if (first == 0) first = 1;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("HOMEPORT_SEED=" + std::to_string(seed));
    run(seed);
    if (testing::Test::HasFailure()) return;
  }
}

// Chat: users of all regions who send to one another and to groups, one message after the other.
class Chat {
 public:
  struct Person {
    Uin uin;
    size_t home;
    uint64_t sent = 0;
    uint64_t to_send = 0;
  };
  struct Group {
    Uin uin;
    size_t home;
    std::vector<size_t> members;  // indices of people
  };

  explicit Chat(World* world) : world_(*world) {}

  void CreatePeople(size_t per_region) {
    for (size_t region = 0; region < world_.regions(); ++region) {
      for (size_t n = 0; n < per_region; ++n) {
        const std::string name = "user-" + std::to_string(region) + "-" + std::to_string(n);
        people_.push_back({world_.MustCreate(region, AccountKind::kUser, name), region});
      }
    }
  }
  void CreateGroups() {
    for (size_t region = 0; region < world_.regions(); ++region) {
      const std::string name = "group-" + std::to_string(region);
      Group group{world_.MustCreate(region, AccountKind::kGroup, name), region, {}};
      for (size_t i = 0; i < people_.size(); ++i) {
        if (world_.Chance(300)) continue;
        const auto joined = world_.Must(region, core::JoinGroup{group.uin, people_[i].uin});
        ASSERT_TRUE(joined.status.ok()) << joined.status;
        group.members.push_back(i);
      }
      groups_.push_back(std::move(group));
    }
  }
  void StartSending(uint64_t each) {
    for (size_t i = 0; i < people_.size(); ++i) {
      people_[i].to_send += each;
      SendNext(i);
    }
  }
  bool Done() const {
    for (const Person& person : people_) {
      if (person.sent < person.to_send) return false;
    }
    return true;
  }
  void Check(size_t region) const;
  const std::vector<Person>& people() const { return people_; }

 private:
  struct Sent {
    size_t from;
    std::optional<size_t> to;     // of people_
    std::optional<size_t> group;  // of groups_
    uint64_t number;
    core::MessageId id;
  };
  void SendNext(size_t from);
  static std::string BodyOf(size_t from, uint64_t number) {
    return std::to_string(from) + ":" + std::to_string(number);
  }

  World& world_;
  std::vector<Person> people_;
  std::vector<Group> groups_;
  std::vector<Sent> sent_;
};

void Chat::SendNext(size_t from) {
  Person& person = people_[from];
  if (person.sent >= person.to_send) return;
  const uint64_t number = person.sent + 1;
  core::SendMessage command;
  command.from = person.uin;
  command.client_message = core::ClientMessageId(number);
  command.body = BodyOf(from, number);
  Sent sent{from, {}, {}, number, {}};
  if (!groups_.empty() && world_.Chance(400)) {
    sent.group = world_.Random(groups_.size());
    command.to = groups_[*sent.group].uin;
    command.to_group = true;
  } else {
    sent.to = world_.Random(people_.size());
    command.to = people_[*sent.to].uin;
  }
  world_.Do(person.home, command, [this, from, sent](const core::CommandResult& result) {
    EXPECT_TRUE(result.status.ok()) << result.status;
    sent_.push_back(sent);
    sent_.back().id = result.message;
    ++people_[from].sent;
    world_.At(milliseconds(world_.Random(120)), [this, from] { SendNext(from); });
  });
}

// Every acknowledged message stands exactly once in each inbox it is for, in the order of its
// sender and of its group, and nothing else does.
void Chat::Check(size_t region) const {
  std::vector<std::map<core::MessageId, const Sent*>> expected(people_.size());
  for (const Sent& sent : sent_) {
    if (sent.to.has_value()) {
      expected[*sent.to][sent.id] = &sent;
      continue;
    }
    for (const size_t member : groups_[*sent.group].members) {
      if (member != sent.from) expected[member][sent.id] = &sent;
    }
  }
  for (size_t i = 0; i < people_.size(); ++i) {
    std::map<core::MessageId, int> seen;
    std::map<std::pair<Uin, Uin>, uint64_t> last_of_sender;
    std::map<Uin, uint64_t> last_of_group;
    for (const core::SyncMessage& message : Inbox(world_, region, people_[i].uin)) {
      const auto found = expected[i].find(message.id);
      ASSERT_TRUE(found != expected[i].end()) << "a message nobody sent here: " << message.body;
      const Sent& sent = *found->second;
      EXPECT_EQ(++seen[message.id], 1) << "twice: " << message.body;
      EXPECT_EQ(message.body, BodyOf(sent.from, sent.number));
      EXPECT_EQ(message.sender, people_[sent.from].uin);
      EXPECT_EQ(message.group, sent.group.has_value() ? groups_[*sent.group].uin : Uin());
      uint64_t& last = last_of_sender[{message.sender, message.group}];
      EXPECT_LT(last, sent.number) << "out of the sender's order: " << message.body;
      last = sent.number;
      if (!sent.group.has_value()) continue;
      EXPECT_LT(last_of_group[message.group], message.group_seq);
      last_of_group[message.group] = message.group_seq;
    }
    EXPECT_EQ(seen.size(), expected[i].size())
        << "inbox of person " << i << " in region " << region;
  }
}

void ExpectRestAndEqual(World& world, const Chat& chat) {
  ASSERT_TRUE(world.RunToRest(seconds(180))) << "comes to rest";
  EXPECT_EQ(DigestDifference(world), "");
  for (size_t region = 0; region < world.regions(); ++region) chat.Check(region);
}

std::string StatusText(World& world, size_t region) {
  std::string text;
  const RegionStatus status = world.region(region).Status();
  for (const ShardStatus& shard : status.shards) text += shard.why_not + "\n";
  for (const StreamLag& lag : status.streams) {
    text += fmt::format("{}: applied {} committed {}\n", lag.stream, lag.applied, lag.committed);
  }
  return text;
}

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
  for (size_t region = 0; region < 3; ++region) {
    const auto inbox = Inbox(world, region, bob);
    ASSERT_EQ(inbox.size(), 1u) << region;
    EXPECT_EQ(inbox[0].body, "hello");
    size_t told = 0;
    for (const News& news : world.news(region)) {
      told += static_cast<size_t>(std::count(news.inboxes.begin(), news.inboxes.end(), bob));
    }
    EXPECT_EQ(told, 1u) << region;
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

void OneFault(World* world) {
  const size_t region = world->Random(world->regions());
  const uint64_t kind = world->Random(100);
  if (kind < 30) {
    const size_t replica = world->Random(world->replicas());
    world->CrashReplica(region, replica);
    world->At(milliseconds(50 + world->Random(2500)),
              [=] { world->StartReplica(region, replica); });
  } else if (kind < 45) {
    world->RestartRegion(region);
  } else if (kind < 60) {
    const size_t other = (region + 1) % world->regions();
    world->SetCut(region, other, true);
    world->At(milliseconds(100 + world->Random(4000)),
              [=] { world->SetCut(region, other, false); });
  } else if (kind < 70) {
    world->store(region).full = true;
    world->At(milliseconds(50 + world->Random(800)), [=] { world->store(region).full = false; });
  } else if (kind < 90) {
    EXPECT_TRUE(world->store(region).Flush().ok());
  }
}

void ScheduleFaults(World* world, Instant until) {
  if (world->now() >= until) return;
  OneFault(world);
  world->At(milliseconds(world->Random(500)), [=] { ScheduleFaults(world, until); });
}

TEST(RegionTest, LosesNothingAndDeliversOnceUnderRandomFaults) {
  RunSeeds(40, [](uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    options.regions = static_cast<uint16_t>(2 + seed % 2);
    options.shards = static_cast<uint16_t>(1 + seed % 3);
    options.groups = seed % 3 == 0 ? 2 : 1;
    options.drop_per_mille = static_cast<uint32_t>(seed % 5 * 20);
    // Small limits, so that every one of them is met.
    options.region.entry_bytes_max = seed % 2 == 0 ? 600 : 512 << 10;
    if (seed % 4 == 0) options.region.writer.window_bytes_max = 2000;
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
  });
}

}  // namespace
}  // namespace homeport::replicator
