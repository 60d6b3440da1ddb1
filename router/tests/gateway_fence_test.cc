// A region that may accept no writes for now: docs/coordination.md, "Fence".
#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::Code;
using core::Status;
using core::Uin;

class GatewayFenceTest : public testing::Test {
 protected:
  GatewayFenceTest() {
    alice_ = t_.world.NewAccount(kSh, AccountKind::kUser, "alice");
    bob_ = t_.world.NewAccount(kSh, AccountKind::kUser, "bob");
    carol_ = t_.world.NewAccount(kHk, AccountKind::kUser, "carol");
    t_.world.Settle();
  }
  void Close() { t_.regions[kSh].accepts_writes = Status::Unavailable("its lease is not held"); }
  void Open() { t_.regions[kSh].accepts_writes = {}; }

  ThreeRegions t_;
  Uin alice_, bob_, carol_;
};

TEST_F(GatewayFenceTest, WritesAreRefusedWithTheReasonAndReadsGoOn) {
  (void)t_.Get<SentAnswer>(kSh, core::Send(alice_, 1, bob_, "before"));
  t_.world.Settle();
  Close();
  for (const RequestBody& write :
       std::vector<RequestBody>{core::Send(alice_, 2, bob_, "hello"), core::NewUin{},
                                core::ChangeCommand(core::RegisterDevice{alice_, 7, "phone"}),
                                core::ChangeCommand(core::PutRecord{alice_, "drafts", "k", "v"})}) {
    const auto refused = t_.Get<Status>(kSh, write);
    EXPECT_EQ(refused.code(), Code::kUnavailable);
    EXPECT_EQ(refused.message(), "its lease is not held");
  }
  EXPECT_EQ(t_.Get<SyncResult>(kSh, SyncRequest{bob_, "", 0, 0, 0}).messages.size(), 1u);
  EXPECT_TRUE(t_.Get<ResolvedAnswer>(kSh, ShowRequest{alice_}).account.has_value());
  EXPECT_EQ(t_.Get<RegionReport>(kSh, StatusRequest{}).writes_refused, "its lease is not held");
  Open();
  (void)t_.Get<SentAnswer>(kSh, core::Send(alice_, 2, bob_, "hello"));
  EXPECT_EQ(t_.Get<RegionReport>(kSh, StatusRequest{}).writes_refused, "");
}

TEST_F(GatewayFenceTest, WhoLivesElsewhereIsStillSentThere) {
  Close();
  EXPECT_EQ(t_.Get<Status>(kSh, core::Send(carol_, 1, alice_, "hello")).code(), Code::kMoved);
}

TEST_F(GatewayFenceTest, APlaceInAGroupIsNotTold) {
  const Uin team = t_.world.NewAccount(kSh, AccountKind::kGroup, "team");
  t_.world.Settle();
  const AwaitSequencedRequest request{team, alice_, core::ClientMessageId(5), 0};
  Close();
  EXPECT_EQ(t_.Get<Status>(kSh, request).code(), Code::kUnavailable);
  Open();
  EXPECT_FALSE(t_.Get<SequencedAnswer>(kSh, request).group_seq.has_value());
}

// What was taken before, and is committed too late, counts for nobody: a second try tells.
TEST_F(GatewayFenceTest, AWriteThatWasUnderWayIsNotAcknowledged) {
  GatewayOutput out;
  const std::string request = EncodeRequest(1, core::Send(alice_, 1, bob_, "hello"));
  t_.gateway(kSh).Receive(t_.now, ClientPeer(9), request, &out);
  ASSERT_EQ(out.commands.size(), 1u);
  Close();
  t_.Execute(t_.now, kSh, &out);
  ASSERT_EQ(out.replies.size(), 1u);
  EXPECT_EQ(std::get<Status>(DecodeResponse(out.replies[0].bytes)->body).code(), Code::kNoQuorum);
  Open();
  (void)t_.Get<SentAnswer>(kSh, core::Send(alice_, 1, bob_, "hello"));
  t_.world.Settle();
  EXPECT_EQ(t_.Get<SyncResult>(kSh, SyncRequest{bob_, "", 0, 0, 0}).messages.size(), 1u) << "once";
}

TEST_F(GatewayFenceTest, WhatADeviceHasIsToldToTheShardLater) {
  const auto device =
      t_.Get<DeviceAnswer>(kSh, core::ChangeCommand(core::RegisterDevice{bob_, 7, "phone"})).device;
  (void)t_.Get<SentAnswer>(kSh, core::Send(alice_, 1, bob_, "hello"));
  t_.world.Settle();
  uint64_t number = 0;
  const auto commands_of = [&](const std::string& token) {
    GatewayOutput out;
    t_.gateway(kSh).Receive(t_.now, ClientPeer(90),
                            EncodeRequest(++number, SyncRequest{bob_, token, 0, 0, 0, device}),
                            &out);
    return out.commands.size();
  };
  const std::string token =
      t_.Get<SyncResult>(kSh, SyncRequest{bob_, "", 0, 0, 0, device}).snapshot;
  Close();
  EXPECT_EQ(commands_of(token), 0u);
  Open();
  EXPECT_EQ(commands_of(token), 1u);
}

}  // namespace
}  // namespace homeport::router
