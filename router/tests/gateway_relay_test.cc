#include "router/gateway_relay.h"

#include <gtest/gtest.h>

#include <string>

#include "router/renumber.h"
#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::Code;
using core::Status;
using core::Uin;

// ---- the number in a message

TEST(RenumberTest, FindsTheNumberOfWhatWeEncode) {
  const uint64_t number = 0xfedcba9876543210;
  for (const size_t size : {0u, 10u, 3000u, 70000u}) {
    std::string request =
        EncodeRequest(number, core::Send(Uin(1), 2, Uin(3), std::string(size, 'x')));
    EXPECT_EQ(NumberOf(request), number);
    SetNumber(&request, 5);
    const DecodedRequest decoded = DecodeRequest(request);
    EXPECT_EQ(decoded.number, 5u);
    EXPECT_EQ(std::get<core::SendMessage>(decoded.body).body.size(), size);
  }
  SyncResult page;
  for (int i = 0; i < 500; ++i) page.messages.emplace_back().body = std::string(1000, 'x');
  std::string response = EncodeResponse(number, page);
  SetNumber(&response, 6);
  EXPECT_EQ(DecodeResponse(response)->number, 6u);
  EXPECT_EQ(std::get<SyncResult>(DecodeResponse(response)->body).messages.size(), 500u);
}

TEST(RenumberTest, FindsNoneInWhatIsMalformed) {
  const std::string good = EncodeRequest(7, HelloRequest{});
  for (size_t size = 0; size < good.size(); ++size) {
    const auto number = NumberOf(std::string_view(good).substr(0, size));
    EXPECT_TRUE(!number || *number == 7) << size;
  }
  EXPECT_FALSE(NumberOf("hello!!!"));
  EXPECT_FALSE(NumberOf(std::string(8, '\0')));
  EXPECT_FALSE(NumberOf(std::string(64, '\xff')));
  EXPECT_FALSE(NumberOf(std::string(64, '\0'))) << "a root without data";
}

// Whatever it finds in flipped bits lies inside the message.
TEST(RenumberTest, BearsEveryFlippedBit) {
  std::string bytes = EncodeRequest(7, core::Send(Uin(1), 2, Uin(3), "x"));
  for (size_t i = 0; i < bytes.size() * 8; ++i) {
    bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << i % 8));
    std::string copy = bytes;
    if (NumberOf(copy)) {
      SetNumber(&copy, 9);
      EXPECT_EQ(NumberOf(copy), 9u);
    }
    bytes[i / 8] = static_cast<char>(bytes[i / 8] ^ (1 << i % 8));
  }
}

// ---- the relay

class GatewayRelayTest : public testing::Test {
 protected:
  RelayOutput Ask(uint64_t peer, uint64_t number, int64_t at_ms = 0) {
    RelayOutput out;
    relay.OnRequest(At(at_ms), ClientPeer(peer), EncodeRequest(number, ShowRequest{Uin(peer)}),
                    &out);
    return out;
  }
  static uint64_t Upstream(const RelayOutput& out) {
    EXPECT_EQ(out.requests.size(), 1u);
    return out.requests.empty() ? 0 : NumberOf(out.requests[0]).value_or(0);
  }
  RelayOutput Answer(uint64_t number) {
    RelayOutput out;
    relay.OnAnswer(EncodeResponse(number, ChangedAnswer{true}), &out);
    return out;
  }
  static Code CodeOf(const RelayOutput& out) {
    return std::get<Status>(DecodeResponse(out.replies.at(0).bytes)->body).code();
  }

  GatewayRelay relay{{.requests_max = 3}};
};

TEST_F(GatewayRelayTest, AnswersGoBackToWhomeverAskedUnderTheirNumber) {
  const uint64_t one = Upstream(Ask(1, 42));
  const uint64_t two = Upstream(Ask(2, 42));
  EXPECT_NE(one, two);
  const RelayOutput second = Answer(two);
  ASSERT_EQ(second.replies.size(), 1u);
  EXPECT_EQ(second.replies[0].peer, ClientPeer(2));
  EXPECT_EQ(DecodeResponse(second.replies[0].bytes)->number, 42u);
  EXPECT_EQ(Answer(one).replies.at(0).peer, ClientPeer(1));
  EXPECT_TRUE(Answer(one).replies.empty()) << "once";
  EXPECT_EQ(relay.waiting(), 0u);
}

TEST_F(GatewayRelayTest, TheRequestItselfIsUnchanged) {
  const auto decoded = DecodeRequest(Ask(7, 1).requests.at(0));
  EXPECT_EQ(std::get<ShowRequest>(decoded.body).uin, Uin(7));
}

TEST_F(GatewayRelayTest, ARepeatedRequestKeepsItsUpstreamNumber) {
  const uint64_t first = Upstream(Ask(1, 42));
  EXPECT_EQ(Upstream(Ask(1, 42)), first);
  EXPECT_EQ(relay.waiting(), 1u);
  Answer(first);
  EXPECT_NE(Upstream(Ask(1, 42)), first) << "another request";
}

TEST_F(GatewayRelayTest, RefusesMoreThanItRemembers) {
  for (uint64_t number = 1; number <= 3; ++number) Ask(1, number);
  const RelayOutput fourth = Ask(2, 9);
  EXPECT_TRUE(fourth.requests.empty());
  EXPECT_EQ(CodeOf(fourth), Code::kOverloaded);
  EXPECT_EQ(Ask(1, 2).requests.size(), 1u) << "one of the three";
}

TEST_F(GatewayRelayTest, ForgetsWhatDoesNotComeAgain) {
  const uint64_t left = Upstream(Ask(1, 1, 0));
  const uint64_t kept = Upstream(Ask(1, 2, 0));
  Ask(1, 2, 100000);
  relay.Tick(At(359999));
  EXPECT_EQ(relay.waiting(), 2u);
  relay.Tick(At(360000));
  EXPECT_EQ(relay.waiting(), 1u);
  EXPECT_TRUE(Answer(left).replies.empty());
  EXPECT_EQ(Answer(kept).replies.size(), 1u);
  relay.Tick(At(9000000));
  EXPECT_EQ(relay.waiting(), 0u);
}

TEST_F(GatewayRelayTest, WhoeverWaitsHearsOfANewGatewayAndAsksAgain) {
  const uint64_t before = Upstream(Ask(1, 42));
  Ask(2, 7);
  RelayOutput out;
  relay.Reconnected(&out);
  ASSERT_EQ(out.replies.size(), 2u);
  EXPECT_EQ(out.replies[0].peer, ClientPeer(1));
  EXPECT_EQ(DecodeResponse(out.replies[0].bytes)->number, 42u);
  EXPECT_EQ(CodeOf(out), Code::kUnavailable);
  EXPECT_EQ(out.replies[1].peer, ClientPeer(2));
  EXPECT_EQ(relay.waiting(), 0u);
  EXPECT_TRUE(Answer(before).replies.empty());
  EXPECT_EQ(Answer(Upstream(Ask(1, 42))).replies.size(), 1u);
}

TEST_F(GatewayRelayTest, DropsAndCountsWhatHasNoNumber) {
  RelayOutput out;
  for (const std::string& bytes :
       {std::string(), std::string("hello!!!"), std::string(100, 'x'),
        EncodeRequest(1, core::Send(Uin(1), 1, Uin(2), std::string(300000, 'x')))}) {
    relay.OnRequest(At(0), ClientPeer(1), bytes, &out);
  }
  relay.OnAnswer("", &out);
  EXPECT_TRUE(out.requests.empty() && out.replies.empty());
  EXPECT_EQ(relay.stats().malformed, 5u);
}

TEST_F(GatewayRelayTest, LimitsEachConnection) {
  GatewayRelay limited({.connection_rate = 1});
  RelayOutput out;
  for (uint64_t number = 1; number <= 3; ++number) {
    limited.OnRequest(At(0), ClientPeer(1), EncodeRequest(number, HelloRequest{}), &out);
  }
  EXPECT_EQ(out.requests.size(), 2u);
  EXPECT_EQ(CodeOf(out), Code::kOverloaded);
  limited.OnRequest(At(0), ClientPeer(2), EncodeRequest(1, HelloRequest{}), &out);
  EXPECT_EQ(out.requests.size(), 3u);
}

}  // namespace
}  // namespace homeport::router
