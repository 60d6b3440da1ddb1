// How fast a connection and a user may be at a gateway.
#include <gtest/gtest.h>

#include <string>

#include "router/gateway.h"
#include "router/sealed_identity.h"
#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::Code;
using core::Status;
using core::Uin;

core::ClusterConfig Limited(uint32_t connection_rate, uint32_t user_rate) {
  core::ClusterConfig config = ThreeRegionsConfig();
  config.connection_rate = connection_rate;
  config.user_rate = user_rate;
  return config;
}

// The code of the answer to `body` of `peer`; kOk when it was let in.
Code CodeOf(ThreeRegions& t, ClientPeer peer, uint64_t number, const RequestBody& body) {
  GatewayOutput out;
  t.gateway(kSh).Receive(t.now, peer, EncodeRequest(number, body), &out);
  t.Execute(t.now, kSh, &out);
  EXPECT_EQ(out.replies.size(), 1u);
  const auto response = DecodeResponse(out.replies.at(0).bytes);
  const auto* status = std::get_if<Status>(&response->body);
  return status != nullptr ? status->code() : Code::kOk;
}

TEST(GatewayRatesTest, OfAConnection) {
  ThreeRegions t({}, Limited(1, 0));
  EXPECT_EQ(CodeOf(t, ClientPeer(1), 1, HelloRequest{}), Code::kOk);
  EXPECT_EQ(CodeOf(t, ClientPeer(1), 2, HelloRequest{}), Code::kOk);
  EXPECT_EQ(CodeOf(t, ClientPeer(1), 3, HelloRequest{}), Code::kOverloaded);
  EXPECT_EQ(CodeOf(t, ClientPeer(2), 1, HelloRequest{}), Code::kOk);
  EXPECT_EQ(t.gateway(kSh).stats().limited, 1u);
  t.now += std::chrono::seconds(1);
  EXPECT_EQ(CodeOf(t, ClientPeer(1), 4, HelloRequest{}), Code::kOk);
}

TEST(GatewayRatesTest, OfAUserOverAllConnections) {
  ThreeRegions t({}, Limited(0, 1));
  const Uin alice = t.world.NewAccount(kSh, AccountKind::kUser, "alice");
  const Uin bob = t.world.NewAccount(kSh, AccountKind::kUser, "bob");
  t.world.Settle();
  for (uint64_t n = 1; n <= 2; ++n) {
    EXPECT_EQ(CodeOf(t, ClientPeer(n), 1, core::Send(alice, n, bob, "x")), Code::kOk);
  }
  EXPECT_EQ(CodeOf(t, ClientPeer(3), 1, core::Send(alice, 3, bob, "x")), Code::kOverloaded);
  EXPECT_EQ(CodeOf(t, ClientPeer(3), 2, core::Send(bob, 1, alice, "x")), Code::kOk);
  EXPECT_EQ(CodeOf(t, ClientPeer(3), 3, SyncRequest{alice, "", 0, 0, 0}), Code::kOk)
      << "no command";
}

TEST(GatewayRatesTest, AFrontIsNotOneConnection) {
  ThreeRegions t({}, Limited(1, 0));
  const auto key = core::SnapshotKey::FromSecret(ThreeRegionsConfig().secret);
  const auto front = ClientPeerOf(NewSealedId(key, SealedRole::kFront, 0));
  ASSERT_TRUE(front);
  for (uint64_t n = 1; n <= 5; ++n) EXPECT_EQ(CodeOf(t, *front, n, HelloRequest{}), Code::kOk);
}

TEST(FrontIdentityTest, OnlyTheClustersKeyMakesOne) {
  const auto key = core::SnapshotKey::FromSecret(std::string(64, 'a'));
  const auto other = core::SnapshotKey::FromSecret(std::string(64, 'b'));
  for (const uint64_t random : {uint64_t{0}, uint64_t{1} << 20, ~uint64_t{0}}) {
    core::PeerId id = NewSealedId(key, SealedRole::kFront, random);
    EXPECT_EQ(id.size(), kPeerBytesMax);
    EXPECT_TRUE(IsFront(key, *ClientPeerOf(id)));
    EXPECT_FALSE(IsFront(other, *ClientPeerOf(id)));
    for (size_t i = 0; i < id.size(); ++i) {
      core::PeerId changed = id;
      changed[i] = static_cast<char>(changed[i] ^ 1);
      EXPECT_FALSE(IsFront(key, *ClientPeerOf(changed))) << i;
    }
  }
  EXPECT_FALSE(IsFront(key, *ClientPeerOf(std::string("\0\0\0\0\1", 5))));
}

}  // namespace
}  // namespace homeport::router
