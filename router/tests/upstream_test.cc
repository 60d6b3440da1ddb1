#include "router/upstream.h"

#include <gtest/gtest.h>

#include <string>

#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::Code;
using core::Status;
using core::Uin;

class UpstreamTest : public testing::Test {
 protected:
  static AwaitNewsRequest News() { return {Uin(1), core::DeviceNumber(1), "t", 60000}; }
  UpstreamOutput TickAt(int64_t ms) {
    UpstreamOutput ticked;
    upstream.Tick(At(ms), &ticked);
    return ticked;
  }
  static Code CodeOf(const ResponseBody& body) { return std::get<Status>(body).code(); }

  Upstream upstream{{.requests_max = 2, .held_max = 1}};
  UpstreamOutput out;
};

TEST_F(UpstreamTest, AnswersUnderTheNumberItGave) {
  const uint64_t one = upstream.Ask(At(0), ShowRequest{Uin(1)}, &out);
  const uint64_t two = upstream.Ask(At(0), ShowRequest{Uin(2)}, &out);
  EXPECT_NE(one, two);
  ASSERT_EQ(out.sends.size(), 2u);
  EXPECT_EQ(*DecodeRequest(out.sends[1]).number, two);
  upstream.Receive(EncodeResponse(two, ChangedAnswer{true}), &out);
  upstream.Receive(EncodeResponse(two, ChangedAnswer{true}), &out);  // a repeat
  upstream.Receive(EncodeResponse(77, ChangedAnswer{true}), &out);   // nobody's
  ASSERT_EQ(out.answered.size(), 1u);
  EXPECT_EQ(out.answered[0].number, two);
  EXPECT_TRUE(std::get<ChangedAnswer>(out.answered[0].body).changed);
  EXPECT_EQ(upstream.waiting(), 1u);
}

TEST_F(UpstreamTest, CountsWhatIsNoAnswer) {
  for (const char* bytes : {"", "hello!!!", "xxx"}) upstream.Receive(bytes, &out);
  EXPECT_EQ(upstream.malformed(), 3u);
  EXPECT_TRUE(out.answered.empty());
}

TEST_F(UpstreamTest, SendsTheSameAgainEachSecondThenGivesUp) {
  upstream.Ask(At(0), ShowRequest{Uin(1)}, &out);
  EXPECT_EQ(upstream.NextDeadline(), At(1000));
  EXPECT_TRUE(TickAt(999).sends.empty());
  EXPECT_EQ(TickAt(1000).sends, out.sends);
  EXPECT_EQ(TickAt(2000).sends, out.sends);
  const UpstreamOutput end = TickAt(10000);
  ASSERT_EQ(end.answered.size(), 1u);
  EXPECT_EQ(CodeOf(end.answered[0].body), Code::kUnavailable);
  EXPECT_EQ(upstream.waiting(), 0u);
  EXPECT_FALSE(upstream.NextDeadline().has_value());
}

TEST_F(UpstreamTest, AsksSeldomAgainForWhatIsHeld) {
  upstream.Ask(At(0), News(), &out);
  EXPECT_EQ(upstream.NextDeadline(), At(30000));
  EXPECT_EQ(TickAt(30000).sends, out.sends);
  EXPECT_TRUE(TickAt(69999).answered.empty());
  EXPECT_EQ(CodeOf(TickAt(70000).answered.at(0).body), Code::kUnavailable);
}

// News came half a minute late after a restart of the region.
TEST_F(UpstreamTest, AsksAtOnceAgainForWhatAGatewayHeldThatWasStartedAgain) {
  upstream.Ask(At(0), ShowRequest{Uin(1)}, &out);
  upstream.Ask(At(0), News(), &out);
  UpstreamOutput again;
  upstream.Reconnected(At(500), &again);
  ASSERT_EQ(again.sends.size(), 1u) << "what is answered soon is asked again soon";
  EXPECT_EQ(again.sends[0], out.sends[1]);
  EXPECT_TRUE(TickAt(30499).sends.empty()) << "the other one is given up by now";
  EXPECT_EQ(TickAt(30500).sends, again.sends);
}

TEST_F(UpstreamTest, ACancelledRequestIsForgottenOnBothSides) {
  const uint64_t held = upstream.Ask(At(0), News(), &out);
  UpstreamOutput cancelled;
  upstream.Cancel(held, &cancelled);
  upstream.Cancel(held, &cancelled);
  ASSERT_EQ(cancelled.sends.size(), 1u);
  const DecodedRequest request = DecodeRequest(cancelled.sends[0]);
  EXPECT_EQ(*request.number, held);
  EXPECT_TRUE(std::holds_alternative<CancelRequest>(request.body));
  upstream.Receive(EncodeResponse(held, NewsAnswer{true, false}), &cancelled);
  EXPECT_TRUE(cancelled.answered.empty());
  EXPECT_FALSE(upstream.NextDeadline().has_value());
  upstream.Ask(At(1), News(), &cancelled);
  EXPECT_EQ(cancelled.sends.size(), 2u);  // there is room for another
}

TEST_F(UpstreamTest, RefusesMoreThanItsLimits) {
  for (int i = 0; i < 2; ++i) upstream.Ask(At(0), ShowRequest{Uin(1)}, &out);
  upstream.Ask(At(0), News(), &out);
  EXPECT_TRUE(out.answered.empty());
  upstream.Ask(At(0), ShowRequest{Uin(1)}, &out);
  upstream.Ask(At(0), News(), &out);
  ASSERT_EQ(out.answered.size(), 2u);
  for (const auto& answer : out.answered) EXPECT_EQ(CodeOf(answer.body), Code::kOverloaded);
  EXPECT_EQ(out.sends.size(), 3u);
}

TEST_F(UpstreamTest, NeverSendsMoreThanTheGatewayTakes) {
  upstream.Ask(At(0), core::Send(Uin(1), 1, Uin(2), std::string(kRequestBytesMax, 'x')), &out);
  EXPECT_TRUE(out.sends.empty());
  EXPECT_EQ(CodeOf(out.answered.at(0).body), Code::kTooLarge);
  EXPECT_EQ(upstream.waiting(), 0u);
}

}  // namespace
}  // namespace homeport::router
