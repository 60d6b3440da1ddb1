// What a gateway holds for news, and takes back.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "core/tests/messaging/counting_view.h"
#include "router/gateway.h"
#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::Code;
using core::DeviceNumber;
using core::Status;
using core::Uin;

class GatewayNewsTest : public testing::Test {
 protected:
  struct Answered {
    ClientPeer peer;
    ResponseBody body;
  };
  Uin NewUser(int region, const std::string& name) {
    const Uin uin = t.world.NewAccount(region, AccountKind::kUser, name);
    for (uint64_t install = 1; install <= 2; ++install) {
      t.Get<DeviceAnswer>(region, core::ChangeCommand(core::RegisterDevice{uin, install, "phone"}));
    }
    t.world.Settle();
    return uin;
  }
  std::string SnapshotOf(Uin user, uint16_t device) {
    return t.Get<SyncResult>(kSh, SyncRequest{user, "", 0, 0, 0, DeviceNumber(device)}).snapshot;
  }
  std::vector<Answered> Receive(uint64_t peer, uint64_t number, const RequestBody& body) {
    GatewayOutput out;
    t.gateway(kSh).Receive(t.now, ClientPeer(peer), EncodeRequest(number, body), &out);
    t.Execute(t.now, kSh, &out);
    return Taken(out);
  }
  std::vector<Answered> Await(uint64_t peer, Uin user, uint16_t device, std::string snapshot,
                              uint32_t wait_ms = 300000) {
    return Receive(peer, 1,
                   AwaitNewsRequest{user, DeviceNumber(device), std::move(snapshot), wait_ms});
  }
  std::vector<Answered> News(Uin user) {
    GatewayOutput out;
    t.gateway(kSh).OnNews(t.now, {{user}, {}}, &out);
    return Taken(out);
  }
  std::vector<Answered> TickAt(int64_t ms) {
    t.now = At(ms);
    GatewayOutput out;
    t.gateway(kSh).Tick(t.now, &out);
    return Taken(out);
  }
  static std::vector<Answered> Taken(const GatewayOutput& out) {
    std::vector<Answered> answered;
    for (const auto& reply : out.replies) {
      answered.push_back({reply.peer, DecodeResponse(reply.bytes)->body});
    }
    return answered;
  }
  static NewsAnswer NewsOf(const ResponseBody& body) {
    const auto* news = std::get_if<NewsAnswer>(&body);
    EXPECT_NE(news, nullptr) << ThreeRegions::ErrorText(body);
    return news != nullptr ? *news : NewsAnswer{};
  }
  size_t held() { return t.gateway(kSh).long_polls(); }

  ThreeRegions t;
};

TEST_F(GatewayNewsTest, IsHeldUntilASyncWouldBringSomething) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin bob = NewUser(kSh, "bob");
  EXPECT_TRUE(Await(1, bob, 1, SnapshotOf(bob, 1)).empty());
  EXPECT_EQ(held(), 1u);
  EXPECT_TRUE(News(alice).empty());
  EXPECT_TRUE(News(bob).empty()) << "nothing in it";
  t.Get<SentAnswer>(kSh, core::Send(alice, 1, bob, "hi"));
  t.world.Settle();
  const auto answered = News(bob);
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_EQ(answered[0].peer, ClientPeer(1));
  EXPECT_TRUE(NewsOf(answered[0].body).news);
  EXPECT_EQ(held(), 0u);
  EXPECT_TRUE(News(bob).empty()) << "once";
}

TEST_F(GatewayNewsTest, IsAnsweredAtOnceWhenTheSnapshotIsOld) {
  const Uin bob = NewUser(kSh, "bob");
  const std::string old = SnapshotOf(bob, 1);
  t.Get<SentAnswer>(kSh, core::Send(bob, 1, bob, "hi"));
  t.world.Settle();
  EXPECT_TRUE(NewsOf(Await(1, bob, 1, old).at(0).body).news);
  EXPECT_TRUE(NewsOf(Await(2, bob, 1, "").at(0).body).news) << "who never synced has to";
  EXPECT_TRUE(Await(3, bob, 1, SnapshotOf(bob, 1)).empty());
}

TEST_F(GatewayNewsTest, SaysThereIsNoneAtItsDeadlineOfFiveMinutesAtMost) {
  const Uin bob = NewUser(kSh, "bob");
  EXPECT_TRUE(Await(1, bob, 1, SnapshotOf(bob, 1), ~0u).empty());
  EXPECT_EQ(t.gateway(kSh).NextDeadline(), At(301000));
  const auto answered = TickAt(301000);
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_FALSE(NewsOf(answered[0].body).news);
  EXPECT_FALSE(NewsOf(answered[0].body).replaced);
  EXPECT_EQ(held(), 0u);
}

TEST_F(GatewayNewsTest, ANewerRequestOfTheDeviceReplacesTheOlder) {
  const Uin bob = NewUser(kSh, "bob");
  EXPECT_TRUE(Await(1, bob, 1, SnapshotOf(bob, 1)).empty());
  EXPECT_TRUE(Await(2, bob, 2, SnapshotOf(bob, 2)).empty()) << "another device";
  const auto answered = Await(3, bob, 1, SnapshotOf(bob, 1));
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_EQ(answered[0].peer, ClientPeer(1));
  EXPECT_TRUE(NewsOf(answered[0].body).replaced);
  EXPECT_EQ(held(), 2u);
  EXPECT_TRUE(Await(3, bob, 1, SnapshotOf(bob, 1)).empty()) << "the same request again";
  EXPECT_EQ(held(), 2u);
}

TEST_F(GatewayNewsTest, WithoutADeviceManyMayWait) {
  const Uin bob = NewUser(kSh, "bob");
  for (uint64_t peer = 1; peer <= 3; ++peer) {
    EXPECT_TRUE(Await(peer, bob, 0, SnapshotOf(bob, 0)).empty());
  }
  EXPECT_EQ(held(), 3u);
  t.Get<SentAnswer>(kSh, core::Send(bob, 1, bob, "hi"));
  t.world.Settle();
  EXPECT_EQ(News(bob).size(), 3u);
}

TEST_F(GatewayNewsTest, RefusesWhatASyncWouldRefuse) {
  const Uin alice = NewUser(kSh, "alice");
  const Uin far = NewUser(kHk, "far");
  uint64_t peer = 0;
  const auto refused = [&](Uin user, const std::string& snapshot) {
    return std::get<Status>(Await(++peer, user, 1, snapshot).at(0).body).code();
  };
  EXPECT_EQ(refused(far, ""), Code::kMoved);
  EXPECT_EQ(refused(Uin(uint64_t{1} << 48 | 999), ""), Code::kBadRequest);
  EXPECT_EQ(refused(alice, "forged"), Code::kBadRequest);
  EXPECT_EQ(refused(alice, SnapshotOf(alice, 2)), Code::kBadRequest) << "of another device";
}

TEST_F(GatewayNewsTest, ACancelledRequestIsForgottenWithoutAnAnswer) {
  const Uin bob = NewUser(kSh, "bob");
  const std::string snapshot = SnapshotOf(bob, 1);
  EXPECT_TRUE(Await(1, bob, 1, snapshot).empty());
  EXPECT_TRUE(Receive(2, 1, CancelRequest{}).empty()) << "another connection's number";
  EXPECT_TRUE(Receive(1, 2, CancelRequest{}).empty());
  EXPECT_EQ(held(), 1u);
  EXPECT_TRUE(Receive(1, 1, CancelRequest{}).empty());
  EXPECT_EQ(held(), 0u);
  EXPECT_FALSE(t.gateway(kSh).NextDeadline().has_value());
  EXPECT_TRUE(Receive(1, 1, CancelRequest{}).empty());
  // The number is free again, as is the device.
  EXPECT_TRUE(Await(1, bob, 1, snapshot).empty());
  EXPECT_EQ(held(), 1u);
}

TEST_F(GatewayNewsTest, TellsOfTablesOfRecordsToo) {
  const Uin bob = NewUser(kSh, "bob");
  const auto place = [&](const std::string& table) {
    return RecordsPlace{
        table, t.Get<core::RecordsPage>(kSh, RecordsRequest{bob, table, "", 0, 0, 0}).snapshot};
  };
  const auto await = [&](uint64_t peer, std::vector<RecordsPlace> places) {
    return Receive(peer, 1,
                   AwaitNewsRequest{bob, DeviceNumber(1), SnapshotOf(bob, 1), 300000, places});
  };
  EXPECT_TRUE(await(1, {place("drafts"), place("marks")}).empty());
  t.Get<ChangedAnswer>(kSh, core::ChangeCommand(core::PutRecord{bob, "others", "k", "v"}));
  EXPECT_TRUE(News(bob).empty()) << "a table that nobody asked for";
  t.Get<ChangedAnswer>(kSh, core::ChangeCommand(core::PutRecord{bob, "marks", "k", "v"}));
  const auto answered = News(bob);
  ASSERT_EQ(answered.size(), 1u);
  EXPECT_FALSE(NewsOf(answered[0].body).news) << "no message";
  EXPECT_EQ(NewsOf(answered[0].body).records, std::vector<std::string>{"marks"});
  const auto at_once = await(2, {place("marks"), {"drafts", ""}});
  EXPECT_EQ(NewsOf(at_once.at(0).body).records, std::vector<std::string>{"drafts"})
      << "who never synced a table has to";
  EXPECT_EQ(std::get<Status>(await(3, {{"NO", ""}}).at(0).body).code(), Code::kBadRequest);
}

TEST_F(GatewayNewsTest, AContactEndsAHeldSync) {
  const Uin bob = NewUser(kSh, "bob");
  const Uin alice = NewUser(kSh, "alice");
  EXPECT_TRUE(Receive(1, 5, SyncRequest{bob, SnapshotOf(bob, 0), 0, 0, 9000}).empty());
  t.Get<ChangedAnswer>(kSh, core::ChangeCommand(core::AskContact{alice, bob, "hi"}));
  EXPECT_TRUE(News(alice).empty());
  t.world.Settle();
  const auto answered = News(bob);
  ASSERT_EQ(answered.size(), 1u);
  const auto& page = std::get<SyncResult>(answered[0].body);
  ASSERT_EQ(page.contacts.size(), 1u);
  EXPECT_EQ(page.contacts[0].peer, alice);
}

// Of the account it is homed by, of what its devices acknowledged, and of the end of its inbox.
TEST_F(GatewayNewsTest, AnEmptySyncAndAWaitForNewsReadTheStoreOnceEach) {
  const Uin bob = NewUser(kSh, "bob");
  t.Get<SentAnswer>(kSh, core::Send(bob, 1, bob, "hi"));
  t.world.Settle();
  const std::string snapshot = SnapshotOf(bob, 1);
  core::CountingView view(&t.world.store(kSh));
  GatewayOptions options;
  options.config = ThreeRegionsConfig();
  options.region = "sh";
  Gateway gateway(options, &view, &t.regions[kSh]);
  GatewayOutput out;
  const auto reads = [&](uint64_t number, const RequestBody& body) {
    view.reads = 0;
    gateway.Receive(t.now, ClientPeer(1), EncodeRequest(number, body), &out);
    return view.reads;
  };
  reads(3, HelloRequest{});  // what operators ordered is read now and then, whatever is asked
  out.replies.clear();
  EXPECT_EQ(reads(1, SyncRequest{bob, snapshot, 0, 0, 0, DeviceNumber(1)}), 1);
  ASSERT_EQ(out.replies.size(), 1u);
  const auto page = std::get<SyncResult>(DecodeResponse(out.replies[0].bytes)->body);
  EXPECT_EQ(page.snapshot, snapshot);
  EXPECT_TRUE(page.messages.empty());
  EXPECT_EQ(reads(2, AwaitNewsRequest{bob, DeviceNumber(1), snapshot, 1000}), 1);
  EXPECT_EQ(gateway.long_polls(), 1u);
}

TEST_F(GatewayNewsTest, AHeldSyncIsCancelledToo) {
  const Uin bob = NewUser(kSh, "bob");
  EXPECT_TRUE(Receive(1, 5, SyncRequest{bob, "", 0, 0, 9000}).empty());
  EXPECT_TRUE(Receive(1, 5, CancelRequest{}).empty());
  EXPECT_EQ(held(), 0u);
}

}  // namespace
}  // namespace homeport::router
