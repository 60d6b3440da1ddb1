#include "router/gateway.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "core/messaging/queries.h"
#include "core/messaging/sync.h"
#include "router/local_reads.h"
#include "router/sealed_identity.h"
#include "router/tests/three_regions.h"
#include "router/wire_parts.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::ClientMessageId;
using core::Code;
using core::Incarnation;
using core::MessageId;
using core::ShardId;
using core::Status;
using core::Uin;

class GatewayTest : public testing::Test {
 protected:
  Uin NewUser(int region, const std::string& name) {
    const Uin uin = t.world.NewAccount(region, AccountKind::kUser, name);
    t.world.Settle();
    return uin;
  }
  Uin NewGroup(int region, const std::string& name) {
    const Uin uin = t.world.NewAccount(region, AccountKind::kGroup, name);
    t.world.Settle();
    return uin;
  }
  void Say(int region, Uin from, uint64_t id, Uin to, const std::string& body) {
    t.Get<SentAnswer>(region, core::Send(from, id, to, body));
    t.world.Settle();
  }
  ShardId ShardOf(Uin uin) { return core::ShardOf(uin, kShards); }
  // A name whose partition is homed in `region`.
  std::string NameOf(int region) {
    for (int i = 0;; ++i) {
      const std::string name = "name" + std::to_string(i);
      if (NamePartitionHome(name, ThreeRegionsConfig()) == t.world.IncarnationOf(region)) {
        return name;
      }
    }
  }
  // What the gateway sends when it is told of news of `user`, and later of nothing.
  std::vector<ResponseBody> News(int region, replicator::News news) {
    GatewayOutput out;
    t.gateway(region).OnNews(t.now, news, &out);
    return Bodies(out);
  }
  std::vector<ResponseBody> TickAt(int region, int64_t ms) {
    t.now = At(ms);
    GatewayOutput out;
    t.gateway(region).Tick(t.now, &out);
    return Bodies(out);
  }
  static std::vector<ResponseBody> Bodies(const GatewayOutput& out) {
    std::vector<ResponseBody> bodies;
    for (const auto& reply : out.replies) bodies.push_back(DecodeResponse(reply.bytes)->body);
    return bodies;
  }

  ThreeRegions t;
};

// ---- requests that are not requests

TEST_F(GatewayTest, DropsAndCountsWhatHasNoNumber) {
  GatewayOutput out;
  for (const std::string& bytes :
       {std::string(), std::string("hello!!!"), std::string(8, '\0'), std::string(4096, '\xff'),
        std::string("GET / HTTP/1.1\r\n\r\n")}) {
    t.gateway(kSh).Receive(t.now, ClientPeer(1), bytes, &out);
  }
  // Eight zero bytes are a message of no words, without even a root.
  EXPECT_TRUE(out.replies.empty());
  EXPECT_TRUE(out.commands.empty());
  EXPECT_EQ(t.gateway(kSh).stats().malformed, 5u);
}

TEST_F(GatewayTest, AnswersAnotherVersionNamingOurs) {
  const std::string bytes = core::Encode<wire::Request>([](wire::Request::Builder root) {
    root.setVersion(2);
    root.setNumber(31);
  });
  GatewayOutput out;
  t.gateway(kSh).Receive(t.now, ClientPeer(1), bytes, &out);
  ASSERT_EQ(out.replies.size(), 1u);
  const auto response = DecodeResponse(out.replies[0].bytes);
  EXPECT_EQ(response->number, 31u);
  const auto& status = std::get<Status>(response->body);
  EXPECT_EQ(status.code(), Code::kBadRequest);
  EXPECT_NE(status.message().find("speaks version 1"), std::string::npos) << status;
  EXPECT_EQ(t.gateway(kSh).stats().malformed, 1u);
}

TEST_F(GatewayTest, RefusesARequestOverTheLimit) {
  const auto status =
      t.Get<Status>(kSh, core::Send(Uin(1), 1, Uin(2), std::string(kRequestBytesMax + 1, 'x')));
  EXPECT_EQ(status.code(), Code::kTooLarge);
  EXPECT_EQ(status.detail(), kRequestBytesMax);
}

TEST_F(GatewayTest, SurvivesEveryFlippedBitOfASend) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin bob = NewUser(kSh, "bob");
  std::string bytes = EncodeRequest(1, core::Send(alice, 1, bob, "hello"));
  for (size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      GatewayOutput out;
      t.gateway(kSh).Receive(t.now, ClientPeer(i * 8 + static_cast<size_t>(bit)), bytes, &out);
      t.Execute(t.now, kSh, &out);
      for (const auto& reply : out.replies) EXPECT_TRUE(DecodeResponse(reply.bytes).ok());
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
    }
  }
  EXPECT_GT(t.gateway(kSh).stats().malformed, 0u);
}

// ---- home

TEST_F(GatewayTest, SaysHelloWithAllRegions) {
  const auto hello = t.Get<HelloAnswer>(kHk, HelloRequest{});
  EXPECT_EQ(hello.cluster, "feed");
  EXPECT_EQ(hello.region, "hk");
  EXPECT_EQ(hello.incarnation, Incarnation(2));
  EXPECT_EQ(hello.shards, kShards);
  EXPECT_EQ(hello.pid, 1001u);
  ASSERT_EQ(hello.regions.size(), 3u);
  EXPECT_EQ(hello.regions[2].region, "ca");
  EXPECT_EQ(hello.regions[2].endpoint, "tcp://ca:1");
}

TEST_F(GatewayTest, SendsRequestsAboutAUserHomedElsewhereHome) {
  const Uin alice = NewUser(kHk, "alice");
  const Uin group = NewGroup(kHk, "group");
  const std::vector<RequestBody> requests = {core::Send(alice, 1, alice, "x"),
                                             core::JoinGroup{group, alice},
                                             core::LeaveGroup{group, alice},
                                             SyncRequest{alice, "", 0, 0, 1000},
                                             AwaitSequencedRequest{group, alice, {}, 1000},
                                             core::CreateAccount{alice, AccountKind::kUser, "a"}};
  for (const RequestBody& request : requests) {
    const auto moved = t.Get<Status>(kSh, request);
    EXPECT_EQ(moved.code(), Code::kMoved) << request.index();
    EXPECT_EQ(moved.home(), Incarnation(2));
    EXPECT_NE(moved.message().find("hk"), std::string::npos) << moved;
  }
  EXPECT_EQ(t.gateway(kSh).stats().moved, requests.size());
  EXPECT_EQ(t.gateway(kSh).stats().errors_by_code[static_cast<size_t>(Code::kMoved)],
            requests.size());
}

TEST_F(GatewayTest, SendsAUserNotKnownHereToItsBirthRegion) {
  const Uin unknown(core::MakeId(Incarnation(3), 12345));
  const auto moved = t.Get<Status>(kSh, core::Send(unknown, 1, unknown, "x"));
  EXPECT_EQ(moved.code(), Code::kMoved);
  EXPECT_EQ(moved.home(), Incarnation(3));
}

TEST_F(GatewayTest, RefusesAnIdOfNoRegion) {
  const Uin nowhere(core::MakeId(Incarnation(77), 1));
  for (const RequestBody& request :
       {RequestBody(core::Send(nowhere, 1, nowhere, "x")),
        RequestBody(SyncRequest{nowhere, "", 0, 0, 0}),
        RequestBody(core::CreateAccount{nowhere, AccountKind::kUser, "a"})}) {
    EXPECT_EQ(t.Get<Status>(kSh, request).code(), Code::kBadRequest);
  }
}

// It would be accepted, and reach no one.
TEST_F(GatewayTest, RefusesWhatIsAddressedToNoRegion) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin group = NewGroup(kSh, "group");
  const Uin nowhere(core::MakeId(Incarnation(77), 1));
  for (const RequestBody& request : {RequestBody(core::Send(alice, 1, nowhere, "x")),
                                     RequestBody(core::JoinGroup{group, nowhere})}) {
    EXPECT_EQ(t.Get<Status>(kSh, request).code(), Code::kBadRequest);
  }
}

TEST_F(GatewayTest, SendsANameToItsPartition) {
  const std::string name = NameOf(kCa);
  const Uin uin = t.Get<UinAnswer>(kSh, core::NewUin{}).uin;
  EXPECT_EQ(core::BirthIncarnation(uin), Incarnation(1));
  const core::ClaimName claim{AccountKind::kUser, name, uin};
  const auto moved = t.Get<Status>(kSh, claim);
  EXPECT_EQ(moved.code(), Code::kMoved);
  EXPECT_EQ(moved.home(), Incarnation(3));
  EXPECT_EQ(t.Get<UinAnswer>(kCa, claim).uin, uin);
}

TEST_F(GatewayTest, SpreadsNamesOverAllRegions) {
  std::set<Incarnation> homes;
  for (int i = 0; i < 100; ++i) {
    homes.insert(NamePartitionHome("name" + std::to_string(i), ThreeRegionsConfig()));
  }
  EXPECT_EQ(homes.size(), 3u);
}

// ---- commands

TEST_F(GatewayTest, AnswersACommandWhenItIsDoneAndNotBefore) {
  const Uin alice = NewUser(kSh, "alice");
  GatewayOutput out;
  t.gateway(kSh).Receive(At(1000), ClientPeer(5),
                         EncodeRequest(9, core::Send(alice, 1, alice, "x")), &out);
  ASSERT_EQ(out.commands.size(), 1u);
  EXPECT_TRUE(out.replies.empty());
  EXPECT_EQ(t.gateway(kSh).commands_waiting(), 1u);

  core::CommandResult result;
  result.message = MessageId(77);
  t.gateway(kSh).OnDone(At(1030), {out.commands[0].ticket, result}, &out);
  ASSERT_EQ(out.replies.size(), 1u);
  EXPECT_EQ(out.replies[0].peer, ClientPeer(5));
  const auto response = DecodeResponse(out.replies[0].bytes);
  EXPECT_EQ(response->number, 9u);
  EXPECT_EQ(std::get<SentAnswer>(response->body).message, MessageId(77));
  ASSERT_EQ(out.command_latencies.size(), 1u);
  EXPECT_EQ(out.command_latencies[0], std::chrono::milliseconds(30));
  EXPECT_EQ(t.gateway(kSh).commands_waiting(), 0u);
}

TEST_F(GatewayTest, PassesTheErrorOfACommandOn) {
  const Uin alice = NewUser(kSh, "alice");
  GatewayOutput out;
  t.gateway(kSh).Receive(t.now, ClientPeer(5), EncodeRequest(9, core::Send(alice, 1, alice, "x")),
                         &out);
  core::CommandResult result;
  result.status = Status::Overloaded(250, "too much");
  t.gateway(kSh).OnDone(t.now, {out.commands.at(0).ticket, result}, &out);
  const auto status = std::get<Status>(Bodies(out).at(0));
  EXPECT_EQ(status.code(), Code::kOverloaded);
  EXPECT_EQ(status.detail(), 250u);
}

TEST_F(GatewayTest, DropsARepeatedRequestWhileTheFirstWaits) {
  const Uin alice = NewUser(kSh, "alice");
  const std::string bytes = EncodeRequest(9, core::Send(alice, 1, alice, "x"));
  GatewayOutput out;
  for (int i = 0; i < 3; ++i) t.gateway(kSh).Receive(t.now, ClientPeer(5), bytes, &out);
  t.gateway(kSh).Receive(t.now, ClientPeer(6), bytes, &out);  // another client's number 9
  EXPECT_EQ(out.commands.size(), 2u);
  EXPECT_EQ(t.gateway(kSh).stats().repeated, 2u);
  t.Execute(t.now, kSh, &out);
  EXPECT_EQ(out.replies.size(), 2u);
  // Its answer may have been lost: now it is a new request, with the same outcome.
  t.gateway(kSh).Receive(t.now, ClientPeer(5), bytes, &out);
  t.Execute(t.now, kSh, &out);
  ASSERT_EQ(out.replies.size(), 3u);
  EXPECT_EQ(out.replies[2].bytes, out.replies[0].bytes);
}

TEST_F(GatewayTest, CreatesAnAccountInThreeSteps) {
  const std::string name = NameOf(kSh);
  const Uin uin = t.Get<UinAnswer>(kSh, core::NewUin{}).uin;
  EXPECT_EQ(t.Get<UinAnswer>(kSh, core::ClaimName{AccountKind::kUser, name, uin}).uin, uin);
  EXPECT_TRUE(
      t.Get<ChangedAnswer>(kSh, core::CreateAccount{uin, AccountKind::kUser, name}).changed);
  const auto shown = t.Get<ResolvedAnswer>(kSh, ResolveRequest{AccountKind::kUser, name});
  ASSERT_TRUE(shown.account);
  EXPECT_EQ(shown.account->uin, uin);
  EXPECT_EQ(shown.account->home, Incarnation(1));
}

// ---- readiness

TEST_F(GatewayTest, AnswersUnavailableWithTheReasonWhileTheShardIsNotReady) {
  const Uin alice = NewUser(kSh, "alice");
  t.regions[kSh].not_ready = {ShardOf(alice)};
  for (const RequestBody& request : {RequestBody(core::Send(alice, 1, alice, "x")),
                                     RequestBody(SyncRequest{alice, "", 0, 0, 9000})}) {
    const auto status = t.Get<Status>(kSh, request);
    EXPECT_EQ(status.code(), Code::kUnavailable);
    EXPECT_NE(status.message().find("waits for replica 2"), std::string::npos) << status;
  }
  t.regions[kSh].not_ready.clear();
  t.Get<SentAnswer>(kSh, core::Send(alice, 1, alice, "x"));
}

TEST_F(GatewayTest, ServesReadyShardsWhileOthersAreNot) {
  const Uin alice = NewUser(kSh, "alice");
  t.regions[kSh].not_ready = {
      ShardId(static_cast<uint16_t>((ShardOf(alice).value() + 1) % kShards))};
  t.Get<SentAnswer>(kSh, core::Send(alice, 1, alice, "x"));
}

TEST_F(GatewayTest, AsksAStartingRegionForItsStatusNowAndThenOnly) {
  const Uin alice = NewUser(kSh, "alice");
  t.regions[kSh].not_ready = {ShardOf(alice)};
  const auto send = [&] { return t.Get<Status>(kSh, core::Send(alice, 1, alice, "x")); };
  for (int i = 0; i < 50; ++i) EXPECT_EQ(send().code(), Code::kUnavailable);
  EXPECT_EQ(t.regions[kSh].asked, 1);
  t.now += std::chrono::milliseconds(101);
  EXPECT_EQ(send().code(), Code::kUnavailable);
  EXPECT_EQ(t.regions[kSh].asked, 2);
}

TEST_F(GatewayTest, SaysThereIsNoneOfItsOwnOnlyWhenReady) {
  const Uin unknown(core::MakeId(Incarnation(1), 4711));
  EXPECT_FALSE(t.Get<ResolvedAnswer>(kSh, ShowRequest{unknown}).account);
  t.regions[kSh].not_ready = {ShardOf(unknown)};
  EXPECT_EQ(t.Get<Status>(kSh, ShowRequest{unknown}).code(), Code::kUnavailable);
  // Another region's copy may say so at any time: its client asks the birth region then.
  EXPECT_FALSE(t.Get<ResolvedAnswer>(kHk, ShowRequest{unknown}).account);

  const std::string name = NameOf(kSh);
  t.regions[kSh].not_ready = {core::ShardOfName(name, kShards)};
  t.now += std::chrono::seconds(1);
  EXPECT_EQ(t.Get<Status>(kSh, ResolveRequest{AccountKind::kUser, name}).code(),
            Code::kUnavailable);
  EXPECT_FALSE(t.Get<ResolvedAnswer>(kSh, ResolveRequest{AccountKind::kUser, NameOf(kHk)}).account);
}

TEST_F(GatewayTest, ShowsWhatItHasEvenWhenNotReady) {
  const Uin alice = NewUser(kSh, "alice");
  t.regions[kSh].not_ready = {ShardOf(alice)};
  EXPECT_TRUE(t.Get<ResolvedAnswer>(kSh, ShowRequest{alice}).account);
}

TEST_F(GatewayTest, ListsOnlyWhatIsAllHere) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin team = t.world.NewAccount(kSh, AccountKind::kGroup, "team");
  t.world.Settle();
  const ListRequest list{AccountKind::kUser, ShardOf(alice), Uin(), 0};
  EXPECT_EQ(t.Get<AccountsAnswer>(kSh, list).accounts.size(), 1u);
  t.regions[kSh].not_ready = {ShardOf(alice)};
  EXPECT_EQ(t.Get<Status>(kSh, list).code(), Code::kUnavailable);
  t.regions[kSh].not_ready = {ShardOf(team)};
  t.now += std::chrono::seconds(1);
  EXPECT_EQ(t.Get<Status>(kSh, MembersRequest{team, Uin(), 0}).code(), Code::kUnavailable);
}

// ---- local reads

TEST_F(GatewayTest, TellsTheUinOfANameWhoseAccountHasNotArrived) {
  const std::string name = NameOf(kSh);
  const Uin uin = t.Get<UinAnswer>(kHk, core::NewUin{}).uin;
  t.Get<UinAnswer>(kSh, core::ClaimName{AccountKind::kUser, name, uin});
  const auto resolved = t.Get<ResolvedAnswer>(kSh, ResolveRequest{AccountKind::kUser, name});
  EXPECT_FALSE(resolved.account);
  EXPECT_EQ(resolved.bound, uin);
}

TEST_F(GatewayTest, ListsAShardInPagesOfAtMostAThousand) {
  for (int i = 0; i < 12; ++i) {
    t.world.NewAccount(kSh, AccountKind::kUser, "u" + std::to_string(i));
  }
  NewGroup(kSh, "a group is no user");
  size_t listed = 0;
  for (uint16_t s = 0; s < kShards; ++s) {
    Uin after;
    while (true) {
      const auto page =
          t.Get<AccountsAnswer>(kHk, ListRequest{AccountKind::kUser, ShardId(s), after, 2});
      EXPECT_LE(page.accounts.size(), 2u);
      listed += page.accounts.size();
      if (page.next == Uin()) break;
      EXPECT_GT(page.accounts.front().uin, after);
      after = page.next;
    }
  }
  EXPECT_EQ(listed, 12u);
  EXPECT_EQ(t.Get<Status>(kSh, ListRequest{AccountKind::kUser, ShardId(kShards), {}, 0}).code(),
            Code::kBadRequest);
}

TEST_F(GatewayTest, ClampsTheLimitOfAList) {
  const Uin group = NewGroup(kSh, "group");
  for (uint64_t i = 1; i <= kListLimitMax + 5; ++i) {
    t.world.Run(kSh, core::JoinGroup{group, Uin(core::MakeId(Incarnation(1), 1000 + i))});
  }
  EXPECT_EQ(t.Get<MembersAnswer>(kSh, MembersRequest{group, {}, ~uint32_t{0}}).members.size(),
            kListLimitMax);
  EXPECT_EQ(t.Get<MembersAnswer>(kSh, MembersRequest{group, {}, 0}).members.size(), kListLimitMax);
  EXPECT_EQ(t.Get<MembersAnswer>(kSh, MembersRequest{group, {}, 3}).members.size(), 3u);
  EXPECT_EQ(t.Get<ResolvedAnswer>(kSh, ShowRequest{group}).account->members, kListLimitMax + 5);
}

TEST_F(GatewayTest, ReportsShardsAndStreams) {
  t.regions[kSh].not_ready = {ShardId(2)};
  const auto report = t.Get<RegionReport>(kSh, StatusRequest{});
  EXPECT_EQ(report.region, "sh");
  EXPECT_EQ(report.pid, 1000u);
  EXPECT_FALSE(report.ready);
  ASSERT_EQ(report.shards.size(), kShards);
  EXPECT_EQ(report.shards[2].why_not, "waits for replica 2");
  EXPECT_TRUE(report.shards[1].ready);
  ASSERT_EQ(report.streams.size(), 1u);
  EXPECT_EQ(report.streams[0].heard_ms_ago, 100);
  EXPECT_EQ(report.streams[0].applied_written_at_ms, 123456);
}

TEST_F(GatewayTest, TellsTheGroupsOfTheQueue) {
  t.regions[kSh].groups.groups = {{1, true, {}, {"tcp://a:1", "tcp://a:2", "tcp://a:3"}, "waits"}};
  t.regions[kSh].groups.last_group = 4;
  const auto groups = t.Get<QueueGroups>(kSh, QueueGroupsRequest{});
  ASSERT_EQ(groups.groups.size(), 1u);
  EXPECT_EQ(groups.groups[0].why_not_retired, "waits");
  EXPECT_EQ(groups.last_group, 4u);
}

ClientPeer Operator() {
  const auto key = core::SnapshotKey::FromSecret(ThreeRegionsConfig().secret);
  return *ClientPeerOf(NewSealedId(key, SealedRole::kOperator, 7));
}

TEST_F(GatewayTest, OnlyWhoHasTheSecretMayGiveOrders) {
  const auto key = core::SnapshotKey::FromSecret(ThreeRegionsConfig().secret);
  const auto other = core::SnapshotKey::FromSecret("another secret");
  const std::array<std::string, 3> endpoints = {"tcp://a:1", "tcp://a:2", "tcp://a:3"};
  for (const ClientPeer peer :
       {ClientPeer(5), *ClientPeerOf(NewSealedId(key, SealedRole::kFront, 7)),
        *ClientPeerOf(NewSealedId(other, SealedRole::kOperator, 7))}) {
    GatewayOutput out;
    Gateway& gateway = *t.gateways[kSh];
    gateway.Receive(At(0), peer, EncodeRequest(5, AddQueueGroupRequest{2, endpoints}), &out);
    gateway.Receive(At(0), peer, EncodeRequest(6, DrainQueueGroupRequest{1}), &out);
    EXPECT_TRUE(out.orders.empty());
    ASSERT_EQ(out.replies.size(), 2u);
    for (const auto& reply : out.replies) {
      const auto refused = DecodeResponse(reply.bytes);
      EXPECT_EQ(std::get<Status>(refused->body).code(), Code::kRefused);
    }
  }
}

TEST_F(GatewayTest, AnOrderForTheQueueIsAnsweredWhenItIsDone) {
  GatewayOutput out;
  Gateway& gateway = *t.gateways[kSh];
  const ClientPeer peer = Operator();
  const std::array<std::string, 3> endpoints = {"tcp://a:1", "tcp://a:2", "tcp://a:3"};
  const std::string add = EncodeRequest(5, AddQueueGroupRequest{2, endpoints});
  gateway.Receive(At(0), peer, add, &out);
  gateway.Receive(At(1), peer, add, &out);
  gateway.Receive(At(1), peer, EncodeRequest(6, DrainQueueGroupRequest{9}), &out);
  EXPECT_TRUE(out.replies.empty());
  ASSERT_EQ(out.orders.size(), 2u) << "the repeated one is the same order";
  const auto& first = std::get<quorum_queue::AddGroupOrder>(out.orders[0]);
  const auto& second = std::get<quorum_queue::DrainGroupOrder>(out.orders[1]);
  EXPECT_EQ(first.id, quorum_queue::GroupId(2));
  EXPECT_EQ(first.endpoints, endpoints);
  EXPECT_EQ(second.id, quorum_queue::GroupId(9));
  gateway.OnOrderDone(At(2), {second.ticket, Status::BadRequest("there is no group 9")}, &out);
  gateway.OnOrderDone(At(2), {first.ticket, {}, quorum_queue::GroupId(2), true}, &out);
  ASSERT_EQ(out.replies.size(), 2u);
  const auto refused = DecodeResponse(out.replies[0].bytes);
  EXPECT_EQ(refused->number, 6u);
  EXPECT_EQ(std::get<Status>(refused->body).code(), Code::kBadRequest);
  const auto added = DecodeResponse(out.replies[1].bytes);
  EXPECT_EQ(std::get<GroupOrderResult>(added->body).group, 2u);
  EXPECT_TRUE(std::get<GroupOrderResult>(added->body).changed);
}

TEST_F(GatewayTest, DigestsAreEqualInAllRegionsAtRest) {
  NewUser(kSh, "alice");
  for (uint16_t s = 0; s < kShards; ++s) {
    const auto sh = t.Get<DigestAnswer>(kSh, DigestRequest{ShardId(s)});
    const auto hk = t.Get<DigestAnswer>(kHk, DigestRequest{ShardId(s)});
    ASSERT_EQ(sh.tables.size(), hk.tables.size());
    ASSERT_FALSE(sh.tables.empty());
    for (size_t i = 0; i < sh.tables.size(); ++i) {
      EXPECT_EQ(sh.tables[i].digest, hk.tables[i].digest) << sh.tables[i].table;
    }
  }
  EXPECT_EQ(t.Get<Status>(kSh, DigestRequest{ShardId(kShards)}).code(), Code::kBadRequest);
}

// ---- sync

TEST_F(GatewayTest, SyncNamesSendersAndGroups) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin bob = NewUser(kHk, "bob");
  const Uin group = NewGroup(kCa, "friends");
  t.Get<ChangedAnswer>(kCa, core::JoinGroup{group, bob});
  Say(kSh, alice, 1, bob, "hi");
  t.Get<SentAnswer>(kSh, core::Post(alice, 2, group, "all"));
  t.world.Settle();
  const auto page = t.Get<SyncResult>(kHk, SyncRequest{bob, "", 0, 0, 0});
  ASSERT_EQ(page.messages.size(), 2u);
  EXPECT_EQ(page.messages[0].sender_name, "alice");
  EXPECT_EQ(page.messages[0].group_name, "");
  EXPECT_EQ(page.messages[0].body, "hi");
  EXPECT_EQ(page.messages[1].sender_name, "alice");
  EXPECT_EQ(page.messages[1].group_name, "friends");
  EXPECT_EQ(page.messages[1].group_seq, 1u);
  EXPECT_FALSE(page.more);
}

TEST_F(GatewayTest, SyncPagesByTheLimitsOfTheClient) {
  const Uin alice = NewUser(kSh, "alice");
  for (uint64_t i = 1; i <= 5; ++i) Say(kSh, alice, i, alice, std::string(100, 'x'));
  auto page = t.Get<SyncResult>(kSh, SyncRequest{alice, "", 2, 0, 0});
  EXPECT_EQ(page.messages.size(), 2u);
  EXPECT_TRUE(page.more);
  page = t.Get<SyncResult>(kSh, SyncRequest{alice, page.snapshot, 0, 100, 0});
  EXPECT_EQ(page.messages.size(), 1u);
  page = t.Get<SyncResult>(kSh, SyncRequest{alice, page.snapshot, ~0u, ~0u, 0});
  EXPECT_EQ(page.messages.size(), 2u);
  EXPECT_FALSE(page.more);
}

TEST_F(GatewayTest, SyncRefusesWhoIsNoUserHere) {
  const Uin group = NewGroup(kSh, "group");
  for (const Uin uin : {Uin(core::MakeId(Incarnation(1), 999)), group}) {
    const auto status = t.Get<Status>(kSh, SyncRequest{uin, "", 0, 0, 1000});
    EXPECT_EQ(status.code(), Code::kBadRequest);
    EXPECT_NE(status.message().find("no user"), std::string::npos) << status;
  }
}

TEST_F(GatewayTest, SyncRefusesAnotherUsersToken) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin bob = NewUser(kSh, "bob");
  const auto page = t.Get<SyncResult>(kSh, SyncRequest{alice, "", 0, 0, 0});
  EXPECT_EQ(t.Get<Status>(kSh, SyncRequest{bob, page.snapshot, 0, 0, 1000}).code(),
            Code::kBadRequest);
  EXPECT_EQ(t.Get<Status>(kSh, SyncRequest{bob, "garbage", 0, 0, 1000}).code(), Code::kBadRequest);
}

TEST_F(GatewayTest, RegistersADeviceAndTellsItsShardWhatItAcknowledges) {
  const Uin alice = NewUser(kSh, "alice");
  const core::ChangeCommand command = core::RegisterDevice{alice, 7, "phone"};
  EXPECT_EQ(std::get<Status>(*t.Ask(kHk, command)).code(), Code::kMoved);
  const core::DeviceNumber device = t.Get<DeviceAnswer>(kSh, command).device;
  EXPECT_EQ(device, core::DeviceNumber(1));
  Say(kSh, alice, 1, alice, "note");
  uint64_t number = 0;
  const auto sync = [&](const std::string& token) {
    GatewayOutput out;
    t.gateway(kSh).Receive(t.now, ClientPeer(90),
                           EncodeRequest(++number, SyncRequest{alice, token, 0, 0, 0, device}),
                           &out);
    EXPECT_EQ(out.replies.size(), 1u);
    const auto response = DecodeResponse(out.replies[0].bytes);
    const auto commands = out.commands;
    t.Execute(t.now, kSh, &out);
    EXPECT_EQ(out.replies.size(), 1u) << "nobody waits for what became of it";
    return std::make_pair(std::get<SyncResult>(response->body), commands);
  };
  const auto [first, none] = sync("");
  EXPECT_TRUE(none.empty()) << "nothing was brought";
  ASSERT_TRUE(first.account.has_value());
  EXPECT_EQ(first.account->name, "alice");
  ASSERT_EQ(first.devices.size(), 1u);
  EXPECT_EQ(first.devices[0].device.name, "phone");
  const auto [second, told] = sync(first.snapshot);
  ASSERT_EQ(told.size(), 1u);
  const auto& acknowledge = std::get<core::Acknowledge>(told[0].command);
  EXPECT_EQ(acknowledge.messages.version, core::Version(1));
  EXPECT_TRUE(sync(second.snapshot).second.empty()) << "told lately";
  t.now = t.now + core::MessagingOptions().ack_age;
  EXPECT_EQ(sync(second.snapshot).second.size(), 1u);
  for (uint64_t n = 2; n <= 101; ++n) Say(kSh, alice, n, alice, "note");
  const auto [third, not_yet] = sync(second.snapshot);
  EXPECT_TRUE(not_yet.empty());
  EXPECT_EQ(sync(third.snapshot).second.size(), 1u) << "so many more";
}

TEST_F(GatewayTest, SyncIsHeldUntilThereIsNewsForItsUser) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin bob = NewUser(kSh, "bob");
  EXPECT_FALSE(t.Ask(kSh, SyncRequest{bob, "", 0, 0, 5000}));
  EXPECT_EQ(t.gateway(kSh).long_polls(), 1u);
  EXPECT_TRUE(News(kSh, {{alice}, {}}).empty());  // another user's
  EXPECT_TRUE(News(kSh, {{bob}, {}}).empty());    // nothing in it
  Say(kSh, alice, 1, bob, "hi");
  const auto answers = News(kSh, {{bob}, {}});
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<SyncResult>(answers[0]).messages.at(0).body, "hi");
  EXPECT_EQ(t.gateway(kSh).long_polls(), 0u);
  EXPECT_FALSE(t.gateway(kSh).NextDeadline());
}

TEST_F(GatewayTest, SyncAnswersAnEmptyPageAtItsDeadline) {
  const Uin bob = NewUser(kSh, "bob");
  EXPECT_FALSE(t.Ask(kSh, SyncRequest{bob, "", 0, 0, 5000}));
  EXPECT_EQ(t.gateway(kSh).NextDeadline(), At(6000));
  EXPECT_TRUE(TickAt(kSh, 5999).empty());
  const auto answers = TickAt(kSh, 6000);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(std::get<SyncResult>(answers[0]).messages.empty());
  EXPECT_FALSE(std::get<SyncResult>(answers[0]).snapshot.empty());
}

TEST_F(GatewayTest, ALongPollIsHeldAsLongAsTheGatewayAllowsAtMost) {
  const Uin bob = NewUser(kSh, "bob");
  EXPECT_FALSE(t.Ask(kSh, SyncRequest{bob, "", 0, 0, ~0u}));
  EXPECT_EQ(t.gateway(kSh).NextDeadline(), At(31000));
}

// A store that lost its unflushed tail knows less than the token says, until it has replayed.
TEST_F(GatewayTest, SyncWithATokenThatIsAheadIsAnsweredAtOnceWithALowerOne) {
  const Uin bob = NewUser(kSh, "bob");
  Say(kSh, bob, 1, bob, "hi");
  const auto page = t.Get<SyncResult>(kSh, SyncRequest{bob, "", 0, 0, 0});
  const auto key = core::SnapshotKey::FromSecret(ThreeRegionsConfig().secret);
  auto ahead = core::ParseSnapshot(key, page.snapshot);
  ASSERT_TRUE(ahead.ok());
  ahead->messages.version = core::Version(100);
  const auto answer = t.Get<SyncResult>(
      kSh, SyncRequest{bob, core::FormatSnapshot(key, *ahead).value(), 0, 0, 5000});
  EXPECT_TRUE(answer.messages.empty());
  EXPECT_EQ(answer.snapshot, page.snapshot);
}

TEST_F(GatewayTest, AnswersARepeatedReadOnceUnlessItsAnswerCouldNotLeave) {
  const std::string bytes = EncodeRequest(9, StatusRequest{});
  GatewayOutput out;
  for (int i = 0; i < 3; ++i) t.gateway(kSh).Receive(t.now, ClientPeer(5), bytes, &out);
  EXPECT_EQ(out.replies.size(), 1u);
  EXPECT_EQ(t.gateway(kSh).stats().repeated, 2u);
  t.gateway(kSh).Receive(t.now, ClientPeer(6), bytes, &out);
  EXPECT_EQ(out.replies.size(), 2u) << "another client's number 9";
  t.gateway(kSh).ReplyRefused(ClientPeer(5), 9);
  t.gateway(kSh).Receive(t.now, ClientPeer(5), bytes, &out);
  EXPECT_EQ(out.replies.size(), 3u);
}

TEST_F(GatewayTest, ADigestIsComputedAsideAndItsRequestAnsweredThenOnce) {
  const auto ask = [&](uint64_t peer) {
    GatewayOutput out;
    t.gateway(kSh).Receive(t.now, ClientPeer(peer), EncodeRequest(9, DigestRequest{ShardId(1)}),
                           &out);
    return out;
  };
  const GatewayOutput first = ask(5);
  EXPECT_TRUE(first.replies.empty());
  ASSERT_EQ(first.digests.size(), 1u);
  EXPECT_EQ(first.digests[0].shard, ShardId(1));
  EXPECT_TRUE(ask(5).digests.empty()) << "it waits already";
  const auto answer = [&](replicator::Ticket ticket) {
    GatewayOutput out;
    t.gateway(kSh).OnDigest(t.now, ticket, {{ShardId(1), "account", 2, 3}}, &out);
    return Bodies(out);
  };
  const auto bodies = answer(first.digests[0].ticket);
  ASSERT_EQ(bodies.size(), 1u);
  EXPECT_EQ(std::get<DigestAnswer>(bodies[0]).tables.at(0).rows, 2u);
  EXPECT_TRUE(ask(5).digests.empty()) << "its answer is on its way";

  std::vector<replicator::Ticket> waiting;
  for (uint64_t i = 0; i < GatewayOptions().digests_max; ++i) {
    waiting.push_back(ask(100 + i).digests.at(0).ticket);
  }
  const auto full = Bodies(ask(99));
  ASSERT_EQ(full.size(), 1u);
  EXPECT_EQ(std::get<Status>(full[0]).code(), Code::kOverloaded);
  answer(waiting[0]);
  EXPECT_EQ(ask(98).digests.size(), 1u);
}

TEST_F(GatewayTest, ManyPollsThatAreDueAreServedTurnByTurn) {
  const Uin bob = NewUser(kSh, "bob");
  GatewayOptions options;
  for (uint64_t i = 0; i < options.polls_per_turn_max + 1; ++i) {
    GatewayOutput out;
    t.gateway(kSh).Receive(t.now, ClientPeer(100 + i),
                           EncodeRequest(1, SyncRequest{bob, "", 0, 0, 5000}), &out);
  }
  const auto news = replicator::News{.inboxes = {bob}, .sequenced = {}};
  News(kSh, news);
  ASSERT_TRUE(t.gateway(kSh).NextDeadline().has_value());
  EXPECT_LE(*t.gateway(kSh).NextDeadline(), t.now);
  EXPECT_LT(*t.gateway(kSh).NextDeadline() - t.now, core::Duration(0)) << "no overflow";
}

TEST_F(GatewayTest, ARepeatedLongPollIsHeldOnce) {
  const Uin bob = NewUser(kSh, "bob");
  const std::string bytes = EncodeRequest(1, SyncRequest{bob, "", 0, 0, 5000});
  GatewayOutput out;
  for (int i = 0; i < 5; ++i) t.gateway(kSh).Receive(t.now, ClientPeer(7), bytes, &out);
  EXPECT_EQ(t.gateway(kSh).long_polls(), 1u);
  EXPECT_EQ(TickAt(kSh, 6000).size(), 1u);
}

TEST(GatewayLimitsTest, LongPollsAreBounded) {
  ThreeRegions t({.config = {}, .region = "", .long_polls_max = 2});
  const Uin bob = t.world.NewAccount(kSh, AccountKind::kUser, "bob");
  EXPECT_FALSE(t.Ask(kSh, SyncRequest{bob, "", 0, 0, 5000}));
  EXPECT_FALSE(t.Ask(kSh, SyncRequest{bob, "", 0, 0, 5000}));
  const auto status = t.Get<Status>(kSh, SyncRequest{bob, "", 0, 0, 5000});
  EXPECT_EQ(status.code(), Code::kOverloaded);
  EXPECT_GT(status.detail(), 0u);
  // Who does not wait is answered still.
  t.Get<SyncResult>(kSh, SyncRequest{bob, "", 0, 0, 0});
}

TEST(GatewayLimitsTest, NewsForManyIsServedOverSeveralTurns) {
  ThreeRegions t({.config = {}, .region = "", .polls_per_turn_max = 2});
  const Uin bob = t.world.NewAccount(kSh, AccountKind::kUser, "bob");
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(t.Ask(kSh, SyncRequest{bob, "", 0, 0, 5000}));
  t.world.Run(kSh, core::Send(bob, 1, bob, "x"));
  t.world.Settle();
  GatewayOutput out;
  t.gateway(kSh).OnNews(t.now, {{bob}, {}}, &out);
  EXPECT_EQ(out.replies.size(), 2u);
  ASSERT_TRUE(t.gateway(kSh).NextDeadline());
  EXPECT_LE(*t.gateway(kSh).NextDeadline(), t.now);
  t.gateway(kSh).Tick(t.now, &out);
  t.gateway(kSh).Tick(t.now, &out);
  EXPECT_EQ(out.replies.size(), 5u);
  EXPECT_FALSE(t.gateway(kSh).NextDeadline());
}

// ---- awaitSequenced

TEST_F(GatewayTest, AwaitSequencedIsHeldUntilTheMessageHasItsPlace) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin group = NewGroup(kHk, "group");
  const AwaitSequencedRequest request{group, alice, ClientMessageId(5), 5000};
  t.Get<SentAnswer>(kSh, core::Post(alice, 5, group, "x"));
  EXPECT_FALSE(t.Ask(kHk, request));
  t.world.Settle();
  const auto answers = News(kHk, {{}, {{group, MessageId(1), 1}}});
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<SequencedAnswer>(answers[0]).group_seq, 1u);
  // Once it has a place the answer is there at once.
  EXPECT_EQ(t.Get<SequencedAnswer>(kHk, request).group_seq, 1u);
}

TEST_F(GatewayTest, AwaitSequencedSaysNoAtItsDeadline) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin group = NewGroup(kHk, "group");
  EXPECT_FALSE(t.Ask(kHk, AwaitSequencedRequest{group, alice, ClientMessageId(5), 5000}));
  const auto answers = TickAt(kHk, 6000);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_FALSE(std::get<SequencedAnswer>(answers[0]).group_seq);
}

TEST_F(GatewayTest, AwaitSequencedRefusesWhatIsNoGroup) {
  const Uin alice = NewUser(kSh, "alice");
  const auto status =
      t.Get<Status>(kSh, AwaitSequencedRequest{alice, alice, ClientMessageId(5), 5000});
  EXPECT_EQ(status.code(), Code::kBadRequest);
  EXPECT_NE(status.message().find("no group"), std::string::npos) << status;
}

}  // namespace
}  // namespace homeport::router
