#include "router/calls.h"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace homeport::router {
namespace {

using core::ClientMessageId;
using core::Code;
using core::Duration;
using core::Incarnation;
using core::Instant;
using core::MastershipEpoch;
using core::MessageId;
using core::Status;
using core::Uin;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Incarnation kSh(1), kHk(2), kCa(3);
const Uin kAlice(core::MakeId(kSh, 10));  // born in sh

Instant At(int64_t ms) {
  return Instant(milliseconds(ms));
}

class CallsTest : public testing::Test {
 protected:
  CallId Start(Route route, RequestBody body = HelloRequest{}, int64_t deadline_ms = 15000) {
    return calls.Start(now, route, std::move(body), At(deadline_ms), &out);
  }
  static Route To(Route::Kind kind, Incarnation region, Uin subject = {}) {
    return {.kind = kind, .region = region, .subject = subject, .hold_until = {}};
  }
  static Route HomeOf(Uin uin) { return To(Route::Kind::kHome, {}, uin); }
  static Route AnyRegion() { return {}; }
  static core::SendMessage Hi() { return {kAlice, ClientMessageId(5), Uin(1), false, "hi"}; }

  // The one message that goes out now.
  CallsOutput::Send Sent() {
    EXPECT_EQ(out.sends.size(), 1u);
    if (out.sends.empty()) return {};
    CallsOutput::Send send = out.sends.front();
    out.sends.clear();
    return send;
  }
  void Answer(const CallsOutput::Send& to, const ResponseBody& body) {
    calls.Receive(now, to.region, EncodeResponse(to.number, body), &out);
  }
  void Moved(const CallsOutput::Send& to, Incarnation home, uint32_t takeover = 0) {
    Answer(to, Status::Moved(home, MastershipEpoch{takeover, 0}, "elsewhere"));
  }
  // To the next timer, or `ms` when that is sooner.
  void RunUntil(int64_t ms) {
    now = std::min(At(ms), calls.NextDeadline().value_or(At(ms)));
    calls.Tick(now, &out);
  }
  std::optional<core::Result<ResponseBody>> Finished() {
    if (out.finished.empty()) return std::nullopt;
    EXPECT_EQ(out.finished.size(), 1u);
    auto answer = std::move(out.finished.front().answer);
    out.finished.clear();
    return answer;
  }

  Calls calls{{},
              {{"sh", kSh, "tcp://sh:1"}, {"hk", kHk, "tcp://hk:1"}, {"ca", kCa, "tcp://ca:1"}}};
  CallsOutput out;
  Instant now = At(0);
};

TEST_F(CallsTest, AnAnswerFinishesItsCallOnce) {
  const CallId call = Start(HomeOf(kAlice), Hi());
  const auto sent = Sent();
  EXPECT_EQ(sent.region, kSh);
  Answer(sent, SentAnswer{MessageId(9)});
  ASSERT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(out.finished[0].call, call);
  EXPECT_EQ(std::get<SentAnswer>(*out.finished[0].answer).message, MessageId(9));
  Answer(sent, SentAnswer{MessageId(9)});
  EXPECT_EQ(out.finished.size(), 1u);
  EXPECT_EQ(calls.stats().stray, 1u);
  EXPECT_EQ(calls.in_flight(), 0u);
  EXPECT_FALSE(calls.NextDeadline());
}

TEST_F(CallsTest, SendsTheSameBytesAgainUntilAnsweredAfterTwiceAsLongEachTime) {
  Start(HomeOf(kAlice), Hi(), 100000);
  const auto first = Sent();
  for (const int64_t s : {1, 3, 7, 15, 25, 35}) {
    RunUntil(100000);
    EXPECT_EQ(now, At(s * 1000));
    const auto again = Sent();
    EXPECT_EQ(again.bytes, first.bytes);
    EXPECT_EQ(again.region, kSh);
  }
  Answer(first, SentAnswer{MessageId(9)});
  EXPECT_TRUE(Finished()->ok());
}

TEST_F(CallsTest, AsksSeldomAgainForWhatTheGatewayMayHold) {
  Route route = HomeOf(kAlice);
  route.hold_until = At(30000);
  Start(route, SyncRequest{kAlice, "", 0, 0, 30000}, 100000);
  Sent();
  for (const int64_t s : {5, 15, 25}) {
    RunUntil(100000);
    EXPECT_EQ(now, At(s * 1000));
    Sent();
  }
}

// It would cost the connection, and with it the answers to all other requests.
TEST_F(CallsTest, DoesNotSendWhatIsLargerThanAGatewayTakes) {
  core::SendMessage large = Hi();
  large.body.assign(kRequestBytesMax, 'x');
  Start(HomeOf(kAlice), large);
  EXPECT_TRUE(out.sends.empty());
  EXPECT_EQ(Finished()->status().code(), Code::kTooLarge);
  EXPECT_EQ(calls.in_flight(), 0u);
  EXPECT_FALSE(calls.NextDeadline());
}

TEST_F(CallsTest, ARouteMayBeAskedAgainMoreSeldom) {
  Route route = HomeOf(kAlice);
  route.hold_until = At(200000);
  route.resend_after = std::chrono::seconds(30);
  Start(route, AwaitNewsRequest{kAlice, {}, "t", 0}, 210000);
  const auto request = DecodeRequest(Sent().bytes);
  EXPECT_EQ(std::get<AwaitNewsRequest>(request.body).wait_ms, 200000u);
  EXPECT_EQ(calls.NextDeadline(), now + std::chrono::seconds(30));
}

// News came half a minute late after a restart of the region.
TEST_F(CallsTest, AsksAtOnceAgainForWhatAGatewayHeldThatWasStartedAgain) {
  Start(HomeOf(kAlice), Hi(), 210000);
  Sent();
  Route route = HomeOf(kAlice);
  route.hold_until = At(200000);
  route.resend_after = std::chrono::seconds(30);
  const CallId held = Start(route, AwaitNewsRequest{kAlice, {}, "t", 0}, 210000);
  const auto first = Sent();
  now = At(500);
  calls.Reconnected(now, kHk, &out);
  EXPECT_TRUE(out.sends.empty()) << "another region's";
  calls.Reconnected(now, kSh, &out);
  const auto again = Sent();
  EXPECT_EQ(again.number, first.number) << "the gateway drops it if it holds the first";
  EXPECT_EQ(std::get<AwaitNewsRequest>(DecodeRequest(again.bytes).body).wait_ms, 199500u);
  Answer(again, NewsAnswer{true, false});
  EXPECT_EQ(out.finished.at(0).call, held);
  out.finished.clear();
  calls.Reconnected(now, kSh, &out);
  EXPECT_TRUE(out.sends.empty());
}

TEST_F(CallsTest, GivesUpAtTheDeadlineNamingTheSilentRegion) {
  Start(HomeOf(kAlice), Hi(), 2500);
  while (out.finished.empty()) RunUntil(20000);
  EXPECT_EQ(now, At(2500));
  const auto answer = Finished();
  EXPECT_EQ(answer->status().code(), Code::kUnavailable);
  EXPECT_NE(answer->status().message().find("region sh (tcp://sh:1)"), std::string::npos);
  EXPECT_EQ(calls.in_flight(), 0u);
}

TEST_F(CallsTest, IgnoresMalformedAnswers) {
  Start(HomeOf(kAlice), Hi());
  const auto sent = Sent();
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(64, '\xff'), std::string(8, '\0'),
        EncodeResponse(sent.number, SentAnswer{MessageId(9)}).substr(0, 24)}) {
    calls.Receive(now, kSh, bytes, &out);
  }
  EXPECT_TRUE(out.finished.empty());
  EXPECT_EQ(calls.stats().malformed, 5u);
  Answer(sent, SentAnswer{MessageId(9)});
  EXPECT_TRUE(Finished()->ok());
}

TEST_F(CallsTest, IgnoresAnAnswerFromARegionThatWasNotAsked) {
  Start(HomeOf(kAlice), Hi());
  const auto sent = Sent();
  calls.Receive(now, kHk, EncodeResponse(sent.number, SentAnswer{MessageId(9)}), &out);
  EXPECT_TRUE(out.finished.empty());
  EXPECT_EQ(calls.stats().stray, 1u);
}

// ---- MOVED

TEST_F(CallsTest, FollowsMovedAndRemembersTheHome) {
  Start(HomeOf(kAlice), Hi());
  Moved(Sent(), kCa, 1);
  const auto second = Sent();
  EXPECT_EQ(second.region, kCa);
  ASSERT_EQ(out.redirects.size(), 1u);
  EXPECT_EQ(out.redirects[0].from, kSh);
  EXPECT_EQ(out.redirects[0].to, kCa);
  EXPECT_EQ(out.redirects[0].subject, kAlice);
  Answer(second, SentAnswer{MessageId(9)});
  EXPECT_TRUE(Finished()->ok());
  Start(HomeOf(kAlice), Hi());
  EXPECT_EQ(Sent().region, kCa);
}

TEST_F(CallsTest, FollowsMovedWithTheSameCommand) {
  Start(HomeOf(kAlice), Hi());
  Moved(Sent(), kCa);
  const auto request = DecodeRequest(Sent().bytes);
  EXPECT_EQ(std::get<core::SendMessage>(request.body).client_message, ClientMessageId(5));
  EXPECT_EQ(std::get<core::SendMessage>(request.body).body, "hi");
}

TEST_F(CallsTest, ALateSecondMovedOfTheFirstRegionIsIgnored) {
  Start(HomeOf(kAlice), Hi());
  const auto first = Sent();
  Moved(first, kCa);
  const auto second = Sent();
  Moved(first, kHk);
  EXPECT_TRUE(out.sends.empty());
  Answer(second, SentAnswer{MessageId(9)});
  EXPECT_TRUE(Finished()->ok());
}

TEST_F(CallsTest, ANewerHomeIsNotForgottenForAnOlderOne) {
  Start(HomeOf(kAlice), Hi());
  Moved(Sent(), kCa, 7);
  Moved(Sent(), kHk, 3);  // ca has not learned something, or hk is wrong: follow, remember ca
  EXPECT_EQ(Sent().region, kHk);
  Start(HomeOf(kAlice), Hi());
  EXPECT_EQ(Sent().region, kCa);
}

TEST_F(CallsTest, TwoRegionsThatPointAtOneAnotherAreAskedSlowlyAndNotForEver) {
  Start(HomeOf(kAlice), Hi());
  int moved = 0;
  int64_t at_once = 0;
  while (out.finished.empty()) {
    if (out.sends.empty()) {
      RunUntil(20000);
      continue;
    }
    if (now == At(0)) ++at_once;
    ++moved;
    const auto sent = Sent();
    Moved(sent, sent.region == kSh ? kHk : kSh);
  }
  EXPECT_EQ(Finished()->status().code(), Code::kMoved);
  EXPECT_EQ(moved, CallsOptions().redirects_max + 1);
  EXPECT_LE(at_once, CallsOptions().redirects_at_once_max + 1);
}

TEST_F(CallsTest, AFixedRouteDoesNotFollowMoved) {
  Start(To(Route::Kind::kFixed, kHk));
  const auto sent = Sent();
  EXPECT_EQ(sent.region, kHk);
  Moved(sent, kSh);
  EXPECT_EQ(Finished()->status().code(), Code::kMoved);
}

TEST_F(CallsTest, MovedToARegionNobodyKnowsIsTold) {
  Start(HomeOf(kAlice), Hi());
  Moved(Sent(), Incarnation(9));
  EXPECT_EQ(Finished()->status().code(), Code::kMoved);
}

TEST_F(CallsTest, AUserBornInAnUnknownRegionIsAskedForAtThePreferredOne) {
  Start(HomeOf(Uin(core::MakeId(Incarnation(9), 1))), Hi());
  EXPECT_EQ(Sent().region, kSh);
}

TEST_F(CallsTest, AsksWhereConnectedFirstWhenToldNotToReadIds) {
  Calls client({.homes_from_ids = false}, {{"hk", kHk, "b"}, {"sh", kSh, "a"}});
  client.Start(now, HomeOf(kAlice), Hi(), At(15000), &out);
  const auto sent = Sent();
  EXPECT_EQ(sent.region, kHk);
  client.Receive(now, kHk, EncodeResponse(sent.number, Status::Moved(kSh, {}, "elsewhere")), &out);
  EXPECT_EQ(Sent().region, kSh);
  client.Start(now, HomeOf(kAlice), Hi(), At(15000), &out);
  EXPECT_EQ(Sent().region, kSh);  // remembered
}

TEST_F(CallsTest, ForgetsTheOldestHomesPastTheLimit) {
  Calls small({.homes_max = 2}, {{"sh", kSh, "a"}, {"hk", kHk, "b"}});
  const auto home = [&](uint64_t n) {
    small.Start(now, HomeOf(Uin(core::MakeId(kSh, n))), Hi(), At(1000), &out);
    return Sent();
  };
  for (const uint64_t n : {1, 2, 3}) {
    const auto sent = home(n);
    small.Receive(now, sent.region,
                  EncodeResponse(sent.number, Status::Moved(kHk, {}, "elsewhere")), &out);
    EXPECT_EQ(Sent().region, kHk);
  }
  EXPECT_EQ(home(1).region, kSh);
  EXPECT_EQ(home(3).region, kHk);
}

// ---- not now

TEST_F(CallsTest, TriesAgainLaterAndLongerEachTime) {
  for (const Code code : {Code::kUnavailable, Code::kNoQuorum, Code::kOverloaded}) {
    const Instant start = now;
    calls.Start(now, HomeOf(kAlice), Hi(), now + seconds(15), &out);
    std::vector<Duration> waits;
    for (int i = 0; i < 9; ++i) {
      Answer(Sent(), Status(code, "not now"));
      const Instant refused = now;
      RunUntil(1000000);
      waits.push_back(now - refused);
    }
    EXPECT_GE(waits.front(), milliseconds(15));
    EXPECT_LE(waits.front(), milliseconds(25));
    EXPECT_GE(waits.back(), milliseconds(750));
    EXPECT_LE(waits.back(), milliseconds(1250));
    Answer(Sent(), SentAnswer{MessageId(9)});
    EXPECT_TRUE(Finished()->ok());
    EXPECT_LT(now - start, seconds(15));
  }
}

TEST_F(CallsTest, ALateAnswerToAnEarlierAttemptIsIgnored) {
  Start(HomeOf(kAlice), Hi());
  const auto first = Sent();
  Answer(first, Status::Unavailable("starting"));
  RunUntil(20000);
  const auto second = Sent();
  EXPECT_NE(second.number, first.number);
  Answer(first, Status::BadRequest("late"));
  EXPECT_TRUE(out.finished.empty());
  Answer(second, SentAnswer{MessageId(9)});
  EXPECT_TRUE(Finished()->ok());
}

TEST_F(CallsTest, TheLastErrorIsTheAnswerAtTheDeadline) {
  Start(HomeOf(kAlice), Hi(), 3000);
  while (out.finished.empty()) {
    if (!out.sends.empty()) Answer(Sent(), Status::NoQuorum("two replicas are down"));
    RunUntil(20000);
  }
  EXPECT_EQ(now, At(3000));
  const auto answer = Finished();
  EXPECT_EQ(answer->status().code(), Code::kNoQuorum);
  EXPECT_EQ(answer->status().message(), "two replicas are down");
}

TEST_F(CallsTest, WaitsAsLongAsAnOverloadedRegionAsks) {
  Start(HomeOf(kAlice), Hi());
  Answer(Sent(), Status::Overloaded(800, "later"));
  RunUntil(20000);
  EXPECT_GE(now, At(600));
  Answer(Sent(), Status::Overloaded(~uint64_t{0}, "in a year"));
  const Instant refused = now;
  RunUntil(100000);
  EXPECT_LE(now - refused, milliseconds(1250));
}

TEST_F(CallsTest, WhatCanNeverSucceedIsNotRepeated) {
  for (const Code code : {Code::kBadRequest, Code::kTaken, Code::kTooLarge}) {
    Start(HomeOf(kAlice), Hi());
    Answer(Sent(), Status(code, "no"));
    EXPECT_EQ(Finished()->status().code(), code);
  }
}

TEST_F(CallsTest, WhatTheTransportRefusedGoesOutLater) {
  Start(HomeOf(kAlice), Hi());
  const auto refused = Sent();
  calls.SendRefused(now, refused.number);
  EXPECT_TRUE(out.sends.empty());
  RunUntil(20000);
  EXPECT_LT(now, At(100));
  Answer(Sent(), SentAnswer{MessageId(9)});
  EXPECT_TRUE(Finished()->ok());
}

TEST_F(CallsTest, ClientsRefusedTogetherDoNotComeBackTogether) {
  std::vector<Instant> back;
  for (const uint64_t seed : {1, 2, 3, 4}) {
    Calls client({.seed = seed}, {{"sh", kSh, "a"}});
    client.Start(now, HomeOf(kAlice), Hi(), At(15000), &out);
    const auto sent = Sent();
    client.Receive(now, kSh, EncodeResponse(sent.number, Status::Overloaded(500, "x")), &out);
    back.push_back(*client.NextDeadline());
  }
  EXPECT_NE(back, std::vector<Instant>(back.size(), back.front()));
}

// ---- any region

TEST_F(CallsTest, AReadGoesToTheNextRegionWhileThereIsNoAnswer) {
  Start(AnyRegion(), ShowRequest{kAlice});
  EXPECT_EQ(Sent().region, kSh);
  RunUntil(20000);
  const auto second = Sent();
  EXPECT_EQ(second.region, kHk);
  RunUntil(20000);
  EXPECT_EQ(Sent().region, kCa);
  // A slow answer of an earlier one is as good.
  Answer(second, ResolvedAnswer{});
  EXPECT_TRUE(Finished()->ok());
}

TEST_F(CallsTest, AReadGoesToTheNextRegionWhenOneIsNotReady) {
  Start(AnyRegion(), ShowRequest{kAlice});
  Answer(Sent(), Status::Unavailable("starting"));
  RunUntil(20000);
  EXPECT_EQ(Sent().region, kHk);
}

TEST_F(CallsTest, AWriteStaysWithItsHomeWhileThereIsNoAnswer) {
  Start(HomeOf(kAlice), Hi());
  EXPECT_EQ(Sent().region, kSh);
  RunUntil(20000);
  EXPECT_EQ(Sent().region, kSh);
}

// ---- held answers

TEST_F(CallsTest, ARepeatedLongPollAsksForTheRestOfTheWaitOnly) {
  Route route = HomeOf(kAlice);
  route.hold_until = At(20000);
  Start(route, SyncRequest{kAlice, "", 0, 0, 0}, 100000);
  const auto wait_of = [](const CallsOutput::Send& send) {
    const auto request = DecodeRequest(send.bytes);
    return std::get<SyncRequest>(request.body).wait_ms;
  };
  const auto first = Sent();
  EXPECT_EQ(wait_of(first), 20000u);
  std::vector<uint32_t> waits;
  for (int i = 0; i < 3; ++i) {
    RunUntil(100000);
    const auto again = Sent();
    EXPECT_EQ(again.number, first.number);
    waits.push_back(wait_of(again));
  }
  EXPECT_EQ(waits, (std::vector<uint32_t>{15000, 5000, 0}));
}

TEST_F(CallsTest, KeepsTheOrderOfSends) {
  for (uint64_t i = 0; i < 100; ++i) {
    Start(HomeOf(kAlice), core::SendMessage{kAlice, ClientMessageId(i), Uin(1), false, "x"});
  }
  ASSERT_EQ(out.sends.size(), 100u);
  for (uint64_t i = 0; i < 100; ++i) {
    const auto request = DecodeRequest(out.sends[i].bytes);
    EXPECT_EQ(std::get<core::SendMessage>(request.body).client_message, ClientMessageId(i));
  }
}

}  // namespace
}  // namespace homeport::router
