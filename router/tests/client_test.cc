#include "router/client.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "router/client_peers.h"
#include "router/tests/fake_cluster.h"
#include "router/tests/must.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::Code;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kUser = AccountKind::kUser;
constexpr auto kGroup = AccountKind::kGroup;

// Tells the first request of a kind from later ones.
class FirstOfKind {
 public:
  template <class Request>
  bool Is(const RequestBody& request) {
    return std::holds_alternative<Request>(request) && seen_.insert(request.index()).second;
  }

 private:
  std::set<size_t> seen_;
};

// A name whose partition is homed in `region`.
std::string NameOf(int region) {
  for (int i = 0;; ++i) {
    const std::string name = "name" + std::to_string(i);
    if (NamePartitionHome(name, ThreeRegionsConfig()).value() == region + 1) return name;
  }
}

TEST(ClientPeersTest, AnIdentityComesBackFromItsNumber) {
  std::set<ClientPeer> seen;
  for (const std::string& id :
       {std::string("a"), std::string("\0\0\0\0\1", 5), std::string("\0\0\0\0", 4),
        std::string(7, '\xff'), std::string("\0", 1), std::string("\0\0", 2)}) {
    const auto peer = ClientPeerOf(id);
    ASSERT_TRUE(peer);
    EXPECT_EQ(PeerIdOf(*peer), id);
    EXPECT_TRUE(seen.insert(*peer).second);
  }
  EXPECT_FALSE(ClientPeerOf(""));
  EXPECT_FALSE(ClientPeerOf(std::string(8, 'x')));
}

// ---- connecting

TEST(ClientTest, LearnsAllRegionsFromOne) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kHk);
  ASSERT_EQ(client->regions().size(), 3u);
  EXPECT_EQ(client->regions()[0].region, "hk");
  EXPECT_EQ(client->regions()[0].incarnation, Incarnation(2));
  EXPECT_EQ(client->shards(), kShards);
  EXPECT_EQ(Must(client->ReportOf("ca")).pid, 1002u);
  EXPECT_EQ(Must(client->ReportOf("ca")).incarnation, Incarnation(3));
}

TEST(ClientTest, SaysWhomItAskedWhenNobodyAnswers) {
  FakeCluster cluster([](int, const RequestBody&) { return Act::kDrop; });
  const auto client = Client::Connect({.gateways = cluster.addresses(),
                                       .region = "",
                                       .timeout = milliseconds(300),
                                       .on_moved = {}});
  ASSERT_FALSE(client.ok());
  EXPECT_EQ(client.status().code(), Code::kUnavailable);
  EXPECT_NE(client.status().message().find(cluster.addresses()[0].endpoint), std::string::npos);
}

TEST(ClientTest, TakesAnotherGatewayWhenThePreferredOneIsSilent) {
  FakeCluster cluster(
      [](int region, const RequestBody&) { return region == kSh ? Act::kDrop : Act::kServe; });
  const auto client = Client::Connect(
      {.gateways = cluster.addresses(), .region = "sh", .timeout = seconds(3), .on_moved = {}});
  ASSERT_TRUE(client.ok()) << client.status();
  EXPECT_NE((*client)->regions()[0].region, "sh");
  EXPECT_EQ((*client)->regions().size(), 3u);
}

TEST(ClientTest, RefusesAGatewayOfAnotherRegionThanWasSaid) {
  FakeCluster cluster;
  const auto client = Client::Connect({.gateways = {{"sh", {}, cluster.addresses()[kHk].endpoint}},
                                       .region = "",
                                       .timeout = seconds(10),
                                       .on_moved = {}});
  EXPECT_EQ(client.status().code(), Code::kBadRequest);
}

TEST(ClientTest, RefusesNoGatewayAndUnknownRegions) {
  EXPECT_EQ(Client::Connect({}).status().code(), Code::kBadRequest);
  FakeCluster cluster;
  EXPECT_EQ(
      Client::Connect(
          {.gateways = cluster.addresses(), .region = "xx", .timeout = seconds(10), .on_moved = {}})
          .status()
          .code(),
      Code::kBadRequest);
  const auto client = cluster.Connect(kSh);
  EXPECT_EQ(client->Create(kUser, "alice", "xx").status().code(), Code::kBadRequest);
  EXPECT_EQ(client->ReportOf("xx").status().code(), Code::kBadRequest);
  EXPECT_EQ(client->DigestOf("xx", core::ShardId(0)).status().code(), Code::kBadRequest);
}

// ---- accounts

TEST(ClientTest, CreatesWhereItIsToldAndIsFoundFromEverywhere) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  for (const int partition : {kSh, kHk, kCa}) {
    const std::string name = NameOf(partition);
    const AccountView created = Must(client->Create(kUser, name, "hk"));
    EXPECT_EQ(core::BirthIncarnation(created.uin), Incarnation(2));
    EXPECT_EQ(created.home_region, "hk");
    EXPECT_EQ(created.name, name);
    for (const int region : {kSh, kHk, kCa}) {
      const auto other = cluster.Connect(region);
      const auto found = Must(other->Find(kUser, name));
      ASSERT_TRUE(found) << name << " from " << region;
      EXPECT_EQ(found->uin, created.uin);
      EXPECT_EQ(Must(other->Show(created.uin))->home_region, "hk");
    }
  }
  EXPECT_FALSE(Must(client->Find(kUser, "nobody")));
  EXPECT_FALSE(Must(client->Find(kGroup, NameOf(kSh))));
  EXPECT_FALSE(Must(client->Show(Uin(core::MakeId(Incarnation(3), 999)))));
}

TEST(ClientTest, CreateOfATakenNameTellsTheOwner) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  for (const char* region : {"sh", "hk", "ca"}) {
    const auto again = client->Create(kUser, "alice", region);
    EXPECT_EQ(again.status().code(), Code::kTaken);
    EXPECT_EQ(again.status().detail(), alice.uin.value());
  }
}

// A creation that stopped after the name was bound.
void BindWithoutAccount(ThreeRegions& regions, int home, const std::string& name, Uin* uin) {
  *uin = regions.world.NewUinAt(home);
  const int partition = NamePartitionHome(name, ThreeRegionsConfig()).value() - 1;
  const auto claimed = regions.world.Run(partition, core::ClaimName{kUser, name, *uin});
  EXPECT_TRUE(claimed.status.ok()) << claimed.status;
  regions.world.Settle();
}

TEST(ClientTest, CreateFinishesACreationThatStoppedHalfWay) {
  Uin bound;
  FakeCluster cluster(
      nullptr, [&](ThreeRegions& regions) { BindWithoutAccount(regions, kHk, "alice", &bound); });
  const auto client = cluster.Connect(kSh);
  EXPECT_FALSE(Must(client->Find(kUser, "alice")));
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  EXPECT_EQ(alice.uin, bound);
  EXPECT_EQ(Must(client->Find(kUser, "alice"))->uin, bound);
}

TEST(ClientTest, CreateElsewhereTellsHowToFinishACreationThatStoppedHalfWay) {
  Uin bound;
  FakeCluster cluster(
      nullptr, [&](ThreeRegions& regions) { BindWithoutAccount(regions, kHk, "alice", &bound); });
  const auto refused = cluster.Connect(kSh)->Create(kUser, "alice", "ca");
  EXPECT_EQ(refused.status().code(), Code::kTaken);
  EXPECT_NE(refused.status().message().find("create it with home hk"), std::string::npos)
      << refused.status();
}

TEST(ClientTest, CreateSurvivesALostAnswer) {
  FirstOfKind first;
  FakeCluster cluster([&](int, const RequestBody& request) {
    return first.Is<core::CreateAccount>(request) ? Act::kLoseAnswer : Act::kServe;
  });
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  EXPECT_EQ(Must(client->Find(kUser, "alice"))->uin, alice.uin);
}

TEST(ClientTest, ReadsElsewhereWhenItsRegionIsSilent) {
  std::atomic<bool> silent = false;
  FakeCluster cluster([&](int region, const RequestBody&) {
    return silent && region == kSh ? Act::kDrop : Act::kServe;
  });
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  silent = true;
  EXPECT_EQ(Must(client->Find(kUser, "alice"))->uin, alice.uin);
  EXPECT_TRUE(Must(client->Show(alice.uin)));
}

TEST(ClientTest, ListsEverythingByName) {
  FakeCluster cluster(nullptr, [](ThreeRegions& regions) {
    // More than a page in some shard.
    for (int i = 0; i < 4200; ++i) {
      regions.world.NewAccount(kSh, kUser, "u" + std::to_string(10000 + i));
    }
    regions.world.NewAccount(kSh, kGroup, "a group");
    regions.world.Settle();
  });
  const auto client = cluster.Connect(kHk);
  const auto users = Must(client->List(kUser));
  ASSERT_EQ(users.size(), 4200u);
  for (size_t i = 0; i < users.size(); ++i) {
    EXPECT_EQ(users[i].name, "u" + std::to_string(10000 + i));
    EXPECT_EQ(users[i].home_region, "sh");
  }
  EXPECT_EQ(Must(client->List(kGroup)).size(), 1u);
  EXPECT_EQ(Must(client->List(kGroup, "ca")).size(), 1u);
  EXPECT_EQ(client->List(kGroup, "nowhere").status().code(), core::Code::kBadRequest);
}

// ---- messages

TEST(ClientTest, GoesHomeByTheIdOfTheSender) {
  FakeCluster cluster;
  ClientOptions options;
  int moves = 0;
  options.on_moved = [&](const std::string&, const std::string&, Uin) { ++moves; };
  const auto client = cluster.Connect(kSh, options);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  const AccountView bob = Must(client->Create(kUser, "bob", "ca"));
  Must(client->Send(alice.uin, client->NewClientMessageId(), bob.uin, false, "hi"));
  const SyncResult page = Must(client->Sync(bob.uin, "", {}, milliseconds(0)));
  ASSERT_EQ(page.messages.size(), 1u);
  EXPECT_EQ(page.messages[0].sender_name, "alice");
  EXPECT_EQ(page.messages[0].body, "hi");
  EXPECT_EQ(moves, 0);
}

TEST(ClientTest, ChangesWhatBelongsToAUserOrGroupAtItsHome) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  const AccountView bob = Must(client->Create(kUser, "bob", "ca"));
  const core::DeviceNumber phone = Must(client->RegisterDevice(bob.uin, 7, "phone"));
  EXPECT_EQ(Must(client->RegisterDevice(bob.uin, 7, "phone")), phone);
  EXPECT_TRUE(Must(client->Change(core::AskContact{alice.uin, bob.uin, "hi"})));
  EXPECT_FALSE(Must(client->Change(core::AskContact{alice.uin, bob.uin, "hi"})));
  const AccountView club = Must(client->CreateGroup("club", "sh", alice.uin, "The Club"));
  EXPECT_EQ(club.owner, alice.uin);
  EXPECT_EQ(club.title, "The Club");
  EXPECT_EQ(client->CreateGroup("club", "sh", bob.uin, "Mine").status().code(), Code::kTaken);
  EXPECT_EQ(client->Change(core::AddMember{club.uin, bob.uin, bob.uin}).status().code(),
            Code::kRefused);
  EXPECT_TRUE(Must(client->Change(core::AddMember{club.uin, alice.uin, bob.uin})));

  const SyncResult page = Must(client->Sync(bob.uin, "", {}, milliseconds(0), phone));
  ASSERT_TRUE(page.account.has_value());
  EXPECT_EQ(page.account->home_region, "ca");
  ASSERT_EQ(page.devices.size(), 1u);
  ASSERT_EQ(page.contacts.size(), 1u);
  EXPECT_EQ(page.contacts[0].peer_name, "alice");
  EXPECT_EQ(page.contacts[0].relation, core::Relation::kAsking);
  ASSERT_EQ(page.messages.size(), 1u);
  EXPECT_EQ(page.messages[0].event.kind, core::GroupEventKind::kAdded);
  EXPECT_EQ(page.messages[0].subject_name, "bob");
  EXPECT_EQ(page.messages[0].group_name, "club");
  EXPECT_EQ(client->Sync(bob.uin, "", {}, milliseconds(0), core::DeviceNumber(9)).status().code(),
            Code::kBadRequest);
}

TEST(ClientTest, FollowsMovedAndTellsOfIt) {
  FirstOfKind first;
  FakeCluster cluster([&](int, const RequestBody& request) {
    return first.Is<core::SendMessage>(request) ? Act::kMoveToCa : Act::kServe;
  });
  ClientOptions options;
  std::vector<std::string> moves;
  options.on_moved = [&](const std::string& from, const std::string& to, Uin uin) {
    moves.push_back(from + ">" + to + " " + std::to_string(core::IdCounter(uin.value())));
  };
  const auto client = cluster.Connect(kSh, options);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "hi"));
  const std::string counter = " " + std::to_string(core::IdCounter(alice.uin.value()));
  EXPECT_EQ(moves, (std::vector<std::string>{"hk>ca" + counter, "ca>hk" + counter}));
}

TEST(ClientTest, ARetryUnderTheSameIdIsAnsweredAsTheFirst) {
  FirstOfKind first;
  FakeCluster cluster([&](int, const RequestBody& request) {
    return first.Is<core::SendMessage>(request) ? Act::kLoseAnswer : Act::kServe;
  });
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const auto id = client->NewClientMessageId();
  const MessageId sent = Must(client->Send(alice.uin, id, alice.uin, false, "hi"));
  EXPECT_EQ(cluster.sends().size(), 2u);
  EXPECT_EQ(Must(client->Send(alice.uin, id, alice.uin, false, "hi")), sent);
  EXPECT_EQ(Must(client->Sync(alice.uin, "", {}, milliseconds(0))).messages.size(), 1u);
}

TEST(ClientTest, ClientMessageIdsDifferBetweenClients) {
  FakeCluster cluster;
  const auto a = cluster.Connect(kSh);
  const auto b = cluster.Connect(kSh);
  std::set<ClientMessageId> ids;
  for (int i = 0; i < 100; ++i) {
    ids.insert(a->NewClientMessageId());
    ids.insert(b->NewClientMessageId());
  }
  EXPECT_EQ(ids.size(), 200u);
}

TEST(ClientTest, SurvivesBytesThatAreNoAnswer) {
  FakeCluster cluster([](int, const RequestBody& request) {
    return std::holds_alternative<core::SendMessage>(request) ? Act::kGarble : Act::kServe;
  });
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "hi"));
}

TEST(ClientTest, AnAnswerToAnotherQuestionIsAnError) {
  FakeCluster cluster([](int, const RequestBody& request) {
    return std::holds_alternative<core::SendMessage>(request) ? Act::kLie : Act::kServe;
  });
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  EXPECT_EQ(
      client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "hi").status().code(),
      Code::kBadRequest);
  std::optional<Code> answered;
  client->SendAsync(alice.uin, client->NewClientMessageId(), alice.uin, false, "hi",
                    [&](const Result<MessageId>& result) { answered = result.status().code(); });
  while (!answered) client->Poll(seconds(1));
  EXPECT_EQ(answered, Code::kBadRequest);
}

TEST(ClientTest, ErrorsOfTheRegionComeThrough) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const Uin nobody(core::MakeId(Incarnation(2), 4711));
  EXPECT_EQ(client->Send(nobody, client->NewClientMessageId(), nobody, false, "x").status().code(),
            Code::kBadRequest);
  EXPECT_EQ(client->Sync(nobody, "", {}, milliseconds(0)).status().code(), Code::kBadRequest);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  EXPECT_EQ(client
                ->Send(alice.uin, client->NewClientMessageId(), alice.uin, false,
                       std::string(core::kBodyBytesMax + 1, 'x'))
                .status()
                .code(),
            Code::kTooLarge);
}

TEST(ClientTest, SyncWaitsForAMessage) {
  FakeCluster cluster;
  const auto sender = cluster.Connect(kSh);
  const AccountView alice = Must(sender->Create(kUser, "alice", "sh"));
  const AccountView bob = Must(sender->Create(kUser, "bob", "hk"));
  auto page = std::async(std::launch::async, [&] {
    const auto reader = cluster.Connect(kHk);
    return Must(reader->Sync(bob.uin, "", {}, seconds(20)));
  });
  while (cluster.long_polls() == 0) std::this_thread::yield();
  Must(sender->Send(alice.uin, sender->NewClientMessageId(), bob.uin, false, "hi"));
  ASSERT_EQ(page.get().messages.size(), 1u);
}

TEST(ClientTest, SyncAnswersAnEmptyPageWhenTheWaitIsOver) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const SyncResult page = Must(client->Sync(alice.uin, "", {}, milliseconds(50)));
  EXPECT_TRUE(page.messages.empty());
  EXPECT_FALSE(page.snapshot.empty());
}

TEST(ClientTest, AGroupFromBeginningToEnd) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const AccountView bob = Must(client->Create(kUser, "bob", "hk"));
  const AccountView group = Must(client->Create(kGroup, "friends", "ca"));
  EXPECT_TRUE(Must(client->Join(group.uin, alice.uin)));
  EXPECT_TRUE(Must(client->Join(group.uin, bob.uin)));
  EXPECT_FALSE(Must(client->Join(group.uin, bob.uin)));
  EXPECT_EQ(Must(client->Members(group.uin)), (std::vector<Uin>{alice.uin, bob.uin}));
  EXPECT_EQ(Must(client->Show(group.uin))->members, 2u);
  const auto id = client->NewClientMessageId();
  Must(client->Send(alice.uin, id, group.uin, true, "all"));
  EXPECT_EQ(Must(client->AwaitSequenced(group.uin, alice.uin, id)), 1u);
  const SyncResult page = Must(client->Sync(bob.uin, "", {}, seconds(10)));
  ASSERT_EQ(page.messages.size(), 1u);
  EXPECT_EQ(page.messages[0].group_name, "friends");
  EXPECT_TRUE(Must(client->Leave(group.uin, bob.uin)));
  EXPECT_FALSE(Must(client->Leave(group.uin, bob.uin)));
}

TEST(ClientTest, AwaitSequencedGivesUpAtItsTimeout) {
  FakeCluster cluster;
  const auto client = cluster.Connect(
      kSh, {.gateways = {}, .region = "", .timeout = milliseconds(800), .on_moved = {}});
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const AccountView group = Must(client->Create(kGroup, "friends", "sh"));
  const auto never = client->AwaitSequenced(group.uin, alice.uin, client->NewClientMessageId());
  EXPECT_EQ(never.status().code(), Code::kUnavailable);
}

// ---- many in flight

TEST(ClientTest, ManyInFlightAreEachAnsweredOnceAndArriveInOrder) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  std::map<int, int> answered;
  std::vector<ClientMessageId> ids;
  for (int i = 0; i < 500; ++i) {
    ids.push_back(client->NewClientMessageId());
    client->SendAsync(alice.uin, ids.back(), alice.uin, false, "m" + std::to_string(i),
                      [&answered, i](const Result<MessageId>& result) {
                        EXPECT_TRUE(result.ok()) << result.status();
                        ++answered[i];
                      });
  }
  EXPECT_EQ(client->in_flight(), 500u);
  while (client->in_flight() > 0) client->Poll(seconds(1));
  EXPECT_EQ(answered.size(), 500u);
  for (const auto& [i, times] : answered) EXPECT_EQ(times, 1) << i;
  const auto sends = cluster.sends();
  ASSERT_EQ(sends.size(), 500u);
  for (size_t i = 0; i < sends.size(); ++i) EXPECT_EQ(sends[i].client_message, ids[i]);
}

TEST(ClientTest, ACallbackMaySendAgain) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  int sent = 0;
  std::function<void()> send_next = [&] {
    client->SendAsync(alice.uin, client->NewClientMessageId(), alice.uin, false, "x",
                      [&](const Result<MessageId>& result) {
                        EXPECT_TRUE(result.ok()) << result.status();
                        if (++sent < 20) send_next();
                      });
  };
  send_next();
  while (client->in_flight() > 0) client->Poll(seconds(1));
  EXPECT_EQ(sent, 20);
}

TEST(ClientTest, BlockingCallsGoOnBesideThoseInFlight) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  int answered = 0;
  for (int i = 0; i < 10; ++i) {
    client->SendAsync(alice.uin, client->NewClientMessageId(), alice.uin, false, "x",
                      [&](const Result<MessageId>&) { ++answered; });
  }
  const AccountView bob = Must(client->Create(kUser, "bob", "hk"));
  EXPECT_TRUE(Must(client->Show(bob.uin)));
  while (client->in_flight() > 0) client->Poll(seconds(1));
  EXPECT_EQ(answered, 10);
}

TEST(ClientTest, IsCalledBackWhenThereIsNews) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  const AccountView alice = Must(client->Create(kUser, "alice", "hk"));
  const auto empty = Must(client->Sync(alice.uin, "", {}, milliseconds(0)));
  std::vector<NewsAnswer> told;
  const auto note = [&](const Result<NewsAnswer>& news) { told.push_back(Must(news)); };
  client->AwaitNews(alice.uin, {}, empty.snapshot, seconds(60), note);
  while (cluster.long_polls() == 0) client->Poll(milliseconds(10));
  EXPECT_TRUE(told.empty());
  Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "hi"));
  while (told.empty()) client->Poll(seconds(1));
  EXPECT_TRUE(told[0].news);

  const auto page = Must(client->Sync(alice.uin, empty.snapshot, {}, milliseconds(0)));
  ASSERT_EQ(page.messages.size(), 1u);
  client->AwaitNews(alice.uin, {}, page.snapshot, milliseconds(1), note);
  while (told.size() < 2) client->Poll(seconds(1));
  EXPECT_FALSE(told[1].news);
  EXPECT_FALSE(told[1].replaced);
}

TEST(ClientTest, ADigestIsEqualEverywhereAtRest) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kSh);
  Must(client->Create(kUser, "alice", "sh"));
  for (uint16_t s = 0; s < kShards; ++s) {
    const auto sh = Must(client->DigestOf("sh", core::ShardId(s)));
    const auto ca = Must(client->DigestOf("ca", core::ShardId(s)));
    ASSERT_EQ(sh.size(), ca.size());
    for (size_t i = 0; i < sh.size(); ++i) {
      EXPECT_EQ(sh[i].digest, ca[i].digest);
      EXPECT_EQ(sh[i].shard, core::ShardId(s));
    }
  }
}

}  // namespace
}  // namespace homeport::router
