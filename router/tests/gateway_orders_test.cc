// Operators' orders of whole regions, at the gateways: who is refused, who is sent where, and what
// clients are told. Homes that follow. docs/mastership.md, "Orders".
#include "router/calls.h"
#include "router/client_peers.h"
#include "router/sealed_identity.h"
#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::Code;
using core::Incarnation;
using core::RegionOrder;
using core::Status;
using core::Uin;

const Incarnation kShIncarnation(1);
const Incarnation kHkIncarnation(2);

core::RegionState OrderOf(Incarnation region, RegionOrder order, bool on, uint64_t number = 1) {
  core::RegionState state;
  state.region = region;
  state.order = order;
  state.on = on;
  state.number = number;
  state.by = "ann@ops1";
  if (order == RegionOrder::kDrain && on) state.to = {Incarnation(3)};
  return state;
}

class GatewayOrdersTest : public testing::Test {
 protected:
  explicit GatewayOrdersTest(const core::ClusterConfig& config = ThreeRegionsConfig())
      : t_({}, config) {
    alice_ = t_.world.NewAccount(kHk, AccountKind::kUser, "alice");
    bob_ = t_.world.NewAccount(kSh, AccountKind::kUser, "bob");
    t_.world.Settle();
  }
  // As an operator; nullopt when nothing was answered.
  Response AskAsOperator(int region, const RequestBody& body) {
    const auto key = core::SnapshotKey::FromSecret(ThreeRegionsConfig().secret);
    const auto peer = *ClientPeerOf(NewSealedId(key, SealedRole::kOperator, ++peers_));
    GatewayOutput out;
    t_.gateway(region).Receive(t_.now, peer, EncodeRequest(7, body), &out);
    t_.Execute(t_.now, region, &out);
    EXPECT_EQ(out.replies.size(), 1u);
    return *DecodeResponse(out.replies.at(0).bytes);
  }
  Status Order(int region, const core::RegionState& state) {
    const Response response = AskAsOperator(region, core::OrderRegion{state});
    if (const auto* status = std::get_if<Status>(&response.body)) return *status;
    EXPECT_TRUE(std::holds_alternative<ChangedAnswer>(response.body));
    return {};
  }
  Status MustFail(int region, const RequestBody& body) { return t_.Get<Status>(region, body); }
  // All regions have it, and their gateways have looked.
  void Spread() {
    t_.world.Settle();
    t_.now += std::chrono::seconds(1);
  }

  ThreeRegions t_;
  Uin alice_;
  Uin bob_;
  uint64_t peers_ = 0;
};

TEST_F(GatewayOrdersTest, OnlyOperatorsGiveThem) {
  const auto drain = OrderOf(kHkIncarnation, RegionOrder::kDrain, true);
  EXPECT_EQ(MustFail(kHk, core::OrderRegion{drain}).code(), Code::kRefused);
  EXPECT_EQ(MustFail(kHk, core::WriteJournal{}).code(), Code::kRefused);
  EXPECT_EQ(MustFail(kHk, JournalRequest{}).code(), Code::kRefused);
}

TEST_F(GatewayOrdersTest, ADrainedRegionTakesNobodyNew) {
  ASSERT_TRUE(Order(kHk, OrderOf(kHkIncarnation, RegionOrder::kDrain, true)).ok());
  const Status refused = MustFail(kHk, core::NewUin{});
  EXPECT_EQ(refused.code(), Code::kRefused);
  EXPECT_NE(refused.message().find("hk is drained to ca by ann@ops1"), std::string::npos)
      << refused;
  EXPECT_EQ(MustFail(kHk, core::CreateAccount{alice_, AccountKind::kUser, "new"}).code(),
            Code::kRefused);
  EXPECT_EQ(MustFail(kHk, core::ChangeCommand(core::CreateGroup{alice_, "g", alice_, "t"})).code(),
            Code::kRefused);
  // Those it has are served until they are moved.
  t_.Get<SentAnswer>(kHk, core::Send(alice_, 1, bob_, "hello"));
  t_.Get<UinAnswer>(kSh, core::NewUin{});
  Spread();
  const auto into = AskAsOperator(kSh, core::ChangeCommand(core::MoveHome{bob_, kHkIncarnation}));
  EXPECT_EQ(std::get<Status>(into.body).code(), Code::kRefused) << "known to all regions";
  const auto away = AskAsOperator(kHk, core::ChangeCommand(core::MoveHome{alice_, Incarnation(3)}));
  EXPECT_TRUE(std::get<ChangedAnswer>(away.body).changed);
  ASSERT_TRUE(Order(kHk, OrderOf(kHkIncarnation, RegionOrder::kDrain, false, 2)).ok());
  t_.Get<UinAnswer>(kHk, core::NewUin{});
}

TEST_F(GatewayOrdersTest, NobodyIsSentToABlockedRegion) {
  ASSERT_TRUE(Order(kSh, OrderOf(kHkIncarnation, RegionOrder::kBlock, true)).ok());
  const Status refused = MustFail(kSh, core::Send(alice_, 1, bob_, "x"));
  EXPECT_EQ(refused.code(), Code::kUnavailable) << "not MOVED: " << refused;
  EXPECT_NE(refused.message().find("hk is blocked by ann@ops1"), std::string::npos) << refused;
  EXPECT_EQ(MustFail(kSh, SyncRequest{alice_, "", 0, 0, 0}).code(), Code::kUnavailable);
  t_.Get<SentAnswer>(kSh, core::Send(bob_, 1, alice_, "what is sent to its users waits"));
  Spread();
  EXPECT_EQ(MustFail(kHk, core::Send(alice_, 1, bob_, "x")).code(), Code::kUnavailable) << "itself";
  EXPECT_EQ(MustFail(kHk, SyncRequest{alice_, "", 0, 0, 0}).code(), Code::kUnavailable);
  EXPECT_EQ(MustFail(kCa, core::Send(alice_, 1, bob_, "x")).code(), Code::kUnavailable);
  ASSERT_TRUE(Order(kCa, OrderOf(kHkIncarnation, RegionOrder::kBlock, false, 2)).ok());
  Spread();
  EXPECT_EQ(MustFail(kSh, core::Send(alice_, 1, bob_, "x")).code(), Code::kMoved);
  t_.Get<SentAnswer>(kHk, core::Send(alice_, 1, bob_, "x"));
  EXPECT_EQ(t_.Get<SyncResult>(kHk, SyncRequest{alice_, "", 0, 0, 0}).messages.size(), 1u);
}

TEST_F(GatewayOrdersTest, AnOrderThatMustNotBeIsRefused) {
  const auto code = [&](const core::RegionState& order) { return Order(kSh, order).code(); };
  EXPECT_EQ(code(OrderOf(Incarnation(9), RegionOrder::kBlock, true)), Code::kBadRequest);
  auto nowhere = OrderOf(kHkIncarnation, RegionOrder::kDrain, true);
  nowhere.to.clear();
  EXPECT_EQ(code(nowhere), Code::kBadRequest);
  nowhere.to = {kHkIncarnation};
  EXPECT_EQ(code(nowhere), Code::kBadRequest) << "to itself";
  nowhere.to = {Incarnation(9)};
  EXPECT_EQ(code(nowhere), Code::kBadRequest);
  EXPECT_EQ(code(OrderOf(kHkIncarnation, RegionOrder::kBlock, true)), Code::kOk);
  EXPECT_EQ(code(OrderOf(kShIncarnation, RegionOrder::kBlock, true)), Code::kOk);
  EXPECT_EQ(code(OrderOf(Incarnation(3), RegionOrder::kBlock, true)), Code::kRefused)
      << "nobody would be served";
  auto to_blocked = OrderOf(Incarnation(3), RegionOrder::kDrain, true);
  to_blocked.to = {kHkIncarnation};
  EXPECT_EQ(code(to_blocked), Code::kRefused);
}

TEST_F(GatewayOrdersTest, TheReportTellsOfThem) {
  ASSERT_TRUE(Order(kSh, OrderOf(kHkIncarnation, RegionOrder::kBlock, true)).ok());
  Spread();
  const auto states = t_.Get<RegionReport>(kCa, StatusRequest{}).states;
  ASSERT_EQ(states.size(), 1u);
  EXPECT_TRUE(states[0].on);
  EXPECT_EQ(states[0].by, "ann@ops1");
  EXPECT_EQ(states[0].writer, kShIncarnation);
}

TEST_F(GatewayOrdersTest, TheJournalIsReadPageByPage) {
  for (uint64_t id = 1; id <= core::kJournalPageMax + 5; ++id) {
    core::JournalRecord record;
    record.id = id;
    record.kind = "block";
    const auto written = AskAsOperator(kSh, core::WriteJournal{record});
    EXPECT_EQ(std::get<WrittenAnswer>(written.body).number, id);
  }
  t_.world.Settle();
  const auto first = std::get<JournalPage>(AskAsOperator(kCa, JournalRequest{}).body);
  ASSERT_EQ(first.records.size(), core::kJournalPageMax);
  EXPECT_TRUE(first.more);
  const auto& last = first.records.back();
  const auto second =
      std::get<JournalPage>(AskAsOperator(kCa, JournalRequest{{last.writer, last.id}}).body);
  EXPECT_EQ(second.records.size(), 5u);
  EXPECT_FALSE(second.more);
}

TEST_F(GatewayOrdersTest, NobodyIsMovedIntoARegionThatIsNotHeardOf) {
  t_.regions[kSh].silent = kHkIncarnation;
  const auto into = AskAsOperator(kSh, core::ChangeCommand(core::MoveHome{bob_, kHkIncarnation}));
  const Status refused = std::get<Status>(into.body);
  EXPECT_EQ(refused.code(), Code::kRefused);
  EXPECT_NE(refused.message().find("hk, the new home, has not been heard of in sh for 3600 s"),
            std::string::npos)
      << refused;
  const auto other = AskAsOperator(kSh, core::ChangeCommand(core::MoveHome{bob_, Incarnation(3)}));
  EXPECT_TRUE(std::get<ChangedAnswer>(other.body).changed);
}

// ---- what a client makes of it

class BlockedCallsTest : public testing::Test {
 protected:
  static std::string Answer(uint64_t number, const ResponseBody& body,
                            const BlockedRegions& blocked) {
    return EncodeResponse(number, body, blocked);
  }
  CallsOutput::Send Sent() {
    EXPECT_EQ(out_.sends.size(), 1u);
    return std::exchange(out_.sends, {}).at(0);
  }
  void Start(Route route) { calls_.Start(At(0), route, ShowRequest{Uin(1)}, At(60'000), &out_); }

  Calls calls_{
      {}, {{"sh", kShIncarnation, "a"}, {"hk", kHkIncarnation, "b"}, {"ca", Incarnation(3), "c"}}};
  CallsOutput out_;
  const Uin at_hk_{core::MakeId(kHkIncarnation, 5)};
};

TEST_F(BlockedCallsTest, NothingGoesToABlockedRegionUntilTheBlockIsLifted) {
  const Route home{.kind = Route::Kind::kHome, .region = {}, .subject = at_hk_, .hold_until = {}};
  Start(home);
  const auto first = Sent();
  EXPECT_EQ(first.region, kHkIncarnation);
  calls_.Receive(At(1), kHkIncarnation,
                 Answer(first.number, Status::Unavailable("blocked"), {1, {kHkIncarnation}}),
                 &out_);
  calls_.Tick(*calls_.NextDeadline(), &out_);
  const auto second = Sent();
  EXPECT_EQ(second.region, Incarnation(3)) << "who can tell when it is over";
  Start(home);
  const auto other = Sent();
  EXPECT_EQ(other.region, Incarnation(3));
  Start({.kind = Route::Kind::kFixed, .region = kHkIncarnation, .subject = {}, .hold_until = {}});
  EXPECT_EQ(Sent().region, kHkIncarnation) << "an operator means it";
  // An older word does not count; a newer one does.
  calls_.Receive(At(20), Incarnation(3), Answer(other.number, Status::Unavailable("no"), {0, {}}),
                 &out_);
  Start(home);
  EXPECT_EQ(Sent().region, Incarnation(3));
  calls_.Receive(At(30), Incarnation(3),
                 Answer(second.number, Status::Moved(kHkIncarnation, {}, "home"), {2, {}}), &out_);
  EXPECT_EQ(Sent().region, kHkIncarnation);
}

TEST_F(BlockedCallsTest, WhoeverMayAnswerIsNeverABlockedRegion) {
  Start({});
  const auto first = Sent();
  EXPECT_EQ(first.region, kShIncarnation);
  calls_.Receive(At(1), kShIncarnation,
                 Answer(first.number, ResolvedAnswer{}, {1, {kShIncarnation, kHkIncarnation}}),
                 &out_);
  Start({});
  EXPECT_EQ(Sent().region, Incarnation(3));
}

// ---- homes that follow

core::ClusterConfig FollowingConfig() {
  core::ClusterConfig config = ThreeRegionsConfig();
  config.follow_writes = 3;
  config.follow_stay_seconds = 10;
  return config;
}

class FollowTest : public GatewayOrdersTest {
 protected:
  FollowTest() : GatewayOrdersTest(FollowingConfig()) {}
  void Write(Incarnation from) {
    GatewayOutput out;
    ++number_;
    t_.gateway(kSh).Receive(
        t_.now, ClientPeer(5),
        EncodeRequest(number_, core::Send(bob_, number_, alice_, "x"), {}, from), &out);
    t_.Execute(t_.now, kSh, &out);
    EXPECT_EQ(out.replies.size(), 1u);
  }
  Incarnation Home() { return core::FindHome(t_.world.store(kSh), kShards, bob_).home; }
  uint64_t number_ = 0;
};

TEST_F(FollowTest, AUserLivesWhereItWritesFrom) {
  Write(kHkIncarnation);
  t_.now += std::chrono::seconds(11);
  Write(kHkIncarnation);
  EXPECT_EQ(Home(), kShIncarnation);
  Write(kHkIncarnation);
  EXPECT_EQ(Home(), kHkIncarnation);
  EXPECT_EQ(t_.gateway(kSh).stats().followed, 1u);
  t_.world.Settle();
  EXPECT_EQ(t_.world.Inbox(kHk, alice_).size(), 3u) << "and all that it wrote was written once";
}

TEST_F(FollowTest, NobodyFollowsIntoARegionThatTakesNobody) {
  ASSERT_TRUE(Order(kHk, OrderOf(kHkIncarnation, RegionOrder::kDrain, true)).ok());
  Spread();
  Write(kHkIncarnation);
  t_.now += std::chrono::seconds(11);
  for (int i = 0; i < 10; ++i) Write(kHkIncarnation);
  t_.regions[kSh].silent = Incarnation(3);
  for (int i = 0; i < 10; ++i) Write(Incarnation(3));
  t_.now += std::chrono::seconds(11);
  for (int i = 0; i < 10; ++i) Write(Incarnation(3));
  EXPECT_EQ(Home(), kShIncarnation);
}

}  // namespace
}  // namespace homeport::router
