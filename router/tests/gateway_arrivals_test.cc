// Requests about users who are moving here: held, then answered as any other. docs/mastership.md.
#include "router/arrivals.h"
#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::Code;
using core::Status;
using core::Uin;

class GatewayArrivalsTest : public testing::Test {
 protected:
  GatewayArrivalsTest() {
    alice_ = t_.world.NewAccount(kSh, core::AccountKind::kUser, "alice");
    t_.world.Settle();
    const auto moved = t_.world.Run(kSh, core::MoveHome{alice_, t_.world.IncarnationOf(kHk)});
    CHECK(moved.changed, "she moves", moved.status);
  }
  // hk has heard of it, and has not adopted her.
  void Replay() {
    const core::StreamId stream = t_.world.StreamOf(kSh, core::ShardOf(alice_, kShards));
    while (t_.world.Apply(kHk, stream)) {
    }
  }
  void Send(uint64_t number, core::MastershipEpoch known) {
    t_.gateway(kHk).Receive(
        t_.now, ClientPeer(5),
        EncodeRequest(number, core::Send(alice_, number, alice_, "hello"), known), &out_);
  }
  void Tell() { t_.gateway(kHk).OnNews(t_.now, {{alice_}, {}}, &out_); }
  std::vector<ResponseBody> Answers() {
    t_.Execute(t_.now, kHk, &out_);
    std::vector<ResponseBody> bodies;
    for (const auto& reply : std::exchange(out_.replies, {})) {
      bodies.push_back(DecodeResponse(reply.bytes)->body);
    }
    return bodies;
  }

  ThreeRegions t_;
  Uin alice_;
  GatewayOutput out_;
};

TEST_F(GatewayArrivalsTest, WhoKnowsOfTheMoveWaitsUntilItIsKnownHereAndServed) {
  Send(1, {0, 1});
  Send(2, {0, 1});
  EXPECT_TRUE(Answers().empty());
  Send(1, {0, 1});
  EXPECT_EQ(t_.gateway(kHk).stats().repeated, 1u);
  Replay();
  Tell();
  EXPECT_TRUE(Answers().empty()) << "known here, and not adopted";
  t_.world.Settle();
  Tell();
  const auto answers = Answers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<SentAnswer>(answers[0]));
  EXPECT_FALSE(t_.gateway(kHk).NextDeadline().has_value());
}

TEST_F(GatewayArrivalsTest, WhoKnowsNothingOfTheMoveIsSentToTheOldHome) {
  Send(1, {});
  const auto answers = Answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<Status>(answers[0]).code(), Code::kMoved);
}

// His word about what he was told is worth no more than what stands here.
TEST_F(GatewayArrivalsTest, WhoIsServedHereIsAnsweredWhateverHeSaysHeWasTold) {
  t_.world.Settle();
  Send(1, {7, 7});
  const auto answers = Answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<SentAnswer>(answers[0]));
}

TEST(GatewayArrivalsOfPeerTest, OneConnectionHoldsSoMany) {
  GatewayOptions options;
  options.arrivals_of_peer_max = 3;
  ThreeRegions t(options);
  const Uin alice = t.world.NewAccount(kSh, core::AccountKind::kUser, "alice");
  t.world.Settle();
  const auto refused = [&](uint64_t peer, uint64_t number) {
    GatewayOutput out;
    t.gateway(kHk).Receive(t.now, ClientPeer(peer),
                           EncodeRequest(number, SyncRequest{alice, "", 0, 0, 0}, {0, 1}), &out);
    return out.replies.size();
  };
  for (uint64_t number = 1; number <= 3; ++number) EXPECT_EQ(refused(5, number), 0u);
  EXPECT_EQ(refused(5, 4), 1u);
  EXPECT_EQ(refused(6, 1), 0u) << "others' requests are held";
  GatewayOutput out;
  t.gateway(kHk).Receive(t.now, ClientPeer(5), EncodeRequest(1, CancelRequest{}), &out);
  EXPECT_EQ(refused(5, 5), 0u);
}

TEST_F(GatewayArrivalsTest, NobodyWaitsForEver) {
  Send(1, {0, 1});
  ASSERT_TRUE(t_.gateway(kHk).NextDeadline().has_value());
  t_.now = *t_.gateway(kHk).NextDeadline();
  t_.gateway(kHk).Tick(t_.now, &out_);
  const auto answers = Answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_EQ(std::get<Status>(answers[0]).code(), Code::kUnavailable);
}

TEST_F(GatewayArrivalsTest, AHeldSyncMovesAndGoesOnWithItsSnapshot) {
  const auto page = t_.world.Inbox(kSh, alice_);
  EXPECT_TRUE(page.empty());
  GatewayOutput held;
  t_.gateway(kHk).Receive(t_.now, ClientPeer(6),
                          EncodeRequest(9, SyncRequest{alice_, "", 0, 0, 0}, {0, 1}), &held);
  EXPECT_TRUE(held.replies.empty());
  t_.world.Settle();
  Tell();
  const auto answers = Answers();
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<SyncResult>(answers[0]));
}

TEST_F(GatewayArrivalsTest, WhatIsTakenBackIsNotAnswered) {
  Send(1, {0, 1});
  t_.gateway(kHk).Receive(t_.now, ClientPeer(5), EncodeRequest(1, CancelRequest{}), &out_);
  t_.world.Settle();
  Tell();
  EXPECT_TRUE(Answers().empty());
}

}  // namespace
}  // namespace homeport::router
