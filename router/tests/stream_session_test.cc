#include "router/stream_session.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::Code;
using core::Json;
using core::Status;
using core::Uin;

class StreamSessionTest : public testing::Test {
 protected:
  StreamSessionTest() {
    config.api_rate = 0;
    config.regions[1].api = "127.0.0.1:2";
  }
  StreamOutput Say(const std::string& text) {
    StreamOutput out;
    session.OnText(now, text, &out);
    return out;
  }
  StreamOutput Answer(uint64_t token, const ResponseBody& body) {
    StreamOutput out;
    session.OnAnswer(now, token, body, &out);
    return out;
  }
  static Json Told(const StreamOutput& out, size_t i = 0) {
    return i < out.sends.size() ? Json::parse(out.sends[i]) : Json("nothing");
  }
  // The request for news, and its token.
  std::pair<uint64_t, AwaitNewsRequest> NewsAsked(const StreamOutput& out) {
    EXPECT_EQ(out.asks.size(), 1u);
    if (out.asks.empty()) return {};
    const auto* news = std::get_if<AwaitNewsRequest>(&out.asks[0].request);
    EXPECT_NE(news, nullptr);
    return {out.asks[0].token, news != nullptr ? *news : AwaitNewsRequest{}};
  }
  uint64_t Subscribe() {
    return NewsAsked(Say(R"({"subscribe": {"user": "7", "device": 2, "snapshot": "t"}})")).first;
  }
  static SyncResult Page(const std::string& snapshot, bool more) {
    SyncResult page;
    page.snapshot = snapshot;
    page.more = more;
    return page;
  }

  core::ClusterConfig config = ThreeRegionsConfig();
  core::Instant now = At(1000);
  StreamSession session{{.unanswered_max = 2, .output_bytes_max = 1000}, &config};
};

TEST_F(StreamSessionTest, AnswersByIdAndName) {
  const StreamOutput asked = Say(
      R"({"id": "x", "send": {"from": "1", "client_message_id": "2", "to": "3", "text": "a"}})");
  ASSERT_EQ(asked.asks.size(), 1u);
  EXPECT_TRUE(std::holds_alternative<core::SendMessage>(asked.asks[0].request));
  EXPECT_TRUE(asked.sends.empty());
  const StreamOutput done = Answer(asked.asks[0].token, SentAnswer{core::MessageId(9)});
  EXPECT_EQ(Told(done), Json::parse(R"({"id": "x", "send": {"id": "9"}})"));
  EXPECT_TRUE(Answer(asked.asks[0].token, SentAnswer{}).sends.empty()) << "once";
}

TEST_F(StreamSessionTest, ErrorsAreProblems) {
  for (const auto* bad : {"", "{}", "7", "[", R"({"id": 1})", R"({"id": [], "hello": {}})",
                          R"({"id": 1.5, "hello": {}})", R"({"dance": {}})", R"({"hello": 7})",
                          R"({"hello": {}, "sync": {}})", R"({"subscribe": {}})",
                          R"({"subscribe": 7})", R"({"subscribe": {"user": "1", "x": 1}})"}) {
    const StreamOutput out = Say(bad);
    EXPECT_EQ(Told(out)["error"]["title"], "BAD_REQUEST") << bad;
    EXPECT_TRUE(out.asks.empty()) << bad;
    session.OnWritten(out.sends.at(0).size());
  }
  EXPECT_EQ(Told(Say(R"({"id": 5, "dance": {}})"))["id"], 5);
  const StreamOutput asked = Say(R"({"id": 6, "show": {"uin": "1"}})");
  const StreamOutput failed = Answer(asked.asks.at(0).token, Status::NoQuorum("later"));
  EXPECT_EQ(Told(failed)["id"], 6);
  EXPECT_EQ(Told(failed)["error"]["status"], 503);
}

TEST_F(StreamSessionTest, TellsNewsOnceUntilTheClientHasSynced) {
  const StreamOutput subscribed = Say(R"({"subscribe": {"user": "7", "device": 2}})");
  EXPECT_TRUE(subscribed.sends.empty());
  const auto [token, news] = NewsAsked(subscribed);
  EXPECT_EQ(news.user, Uin(7));
  EXPECT_EQ(news.device.value(), 2);
  EXPECT_EQ(news.snapshot, "");
  EXPECT_EQ(news.wait_ms, 120000u);
  const StreamOutput told = Answer(token, NewsAnswer{true, false});
  EXPECT_EQ(Told(told), Json::parse(R"({"news": {"user": "7", "device": 2}})"));
  EXPECT_TRUE(told.asks.empty());

  // A page that is not the last one, and a sync of another device, change nothing.
  const std::string sync = R"({"id": 1, "sync": {"user": "7", "device": 2}})";
  EXPECT_TRUE(Answer(Say(sync).asks.at(0).token, Page("s1", true)).asks.empty());
  const StreamOutput other = Say(R"({"id": 1, "sync": {"user": "7", "device": 3}})");
  EXPECT_TRUE(Answer(other.asks.at(0).token, Page("s2", false)).asks.empty());

  const StreamOutput synced = Answer(Say(sync).asks.at(0).token, Page("s3", false));
  EXPECT_EQ(Told(synced)["sync"]["snapshot"], "s3");
  EXPECT_EQ(NewsAsked(synced).second.snapshot, "s3");
}

TEST_F(StreamSessionTest, TellsOfTablesAndWaitsOnWhenAllIsSynced) {
  const auto [token, asked] = NewsAsked(Say(
      R"({"subscribe": {"user": "7", "device": 2, "snapshot": "t",
                        "records": [{"table": "drafts", "snapshot": "d"}, {"table": "x"}]}})"));
  ASSERT_EQ(asked.records.size(), 2u);
  EXPECT_EQ(asked.records[0].table, "drafts");
  EXPECT_EQ(asked.records[0].snapshot, "d");
  const StreamOutput told = Answer(token, NewsAnswer{true, false, {"drafts"}});
  EXPECT_EQ(Told(told), Json::parse(R"({"news": {"user": "7", "device": 2}})"));
  EXPECT_EQ(Told(told, 1), Json::parse(R"({"record_news": {"user": "7", "device": 2,
                                                           "tables": ["drafts"]}})"));
  core::RecordsPage page;
  page.snapshot = "d2";
  const std::string records = R"({"id": 1, "records": {"user": "7", "table": "drafts"}})";
  EXPECT_TRUE(Answer(Say(records).asks.at(0).token, page).asks.empty()) << "the messages are left";
  const StreamOutput synced = Answer(
      Say(R"({"id": 2, "sync": {"user": "7", "device": 2}})").asks.at(0).token, Page("t2", false));
  const auto [again, waits] = NewsAsked(synced);
  EXPECT_EQ(waits.snapshot, "t2");
  EXPECT_EQ(waits.records[0].snapshot, "d2");
  // What is fetched unasked moves the wait on, too.
  page.snapshot = "d3";
  const StreamOutput later = Answer(Say(records).asks.at(0).token, page);
  EXPECT_EQ(later.cancels, std::vector<uint64_t>{again});
  EXPECT_EQ(NewsAsked(later).second.records[0].snapshot, "d3");
}

TEST_F(StreamSessionTest, AsksAgainWhenThereIsNoNews) {
  const uint64_t token = Subscribe();
  const StreamOutput again = Answer(token, NewsAnswer{false, false});
  EXPECT_TRUE(again.sends.empty());
  EXPECT_EQ(NewsAsked(again).second.snapshot, "t");
  EXPECT_TRUE(Answer(token, NewsAnswer{true, false}).sends.empty()) << "an old answer";
}

TEST_F(StreamSessionTest, RestsWhenTheRegionIsNotReady) {
  const uint64_t token = Subscribe();
  EXPECT_TRUE(Answer(token, Status::Unavailable("starting")).asks.empty());
  ASSERT_EQ(session.NextDeadline(), At(2000));
  StreamOutput out;
  session.Tick(At(1999), &out);
  EXPECT_TRUE(out.asks.empty());
  session.Tick(At(2000), &out);
  const uint64_t second = NewsAsked(out).first;
  EXPECT_FALSE(session.NextDeadline().has_value());
  EXPECT_TRUE(Answer(second, Status::Overloaded(5000, "later")).sends.empty());
  EXPECT_EQ(session.NextDeadline(), At(6000));
}

TEST_F(StreamSessionTest, TellsWhereAMovedUserIs) {
  const StreamOutput moved =
      Answer(Subscribe(), Status::Moved(core::Incarnation(2), {0, 1}, "at hk"));
  EXPECT_EQ(Told(moved)["moved"]["region"], "hk");
  EXPECT_EQ(Told(moved)["moved"]["api"], "http://127.0.0.1:2");
  EXPECT_TRUE(moved.asks.empty());
  EXPECT_FALSE(moved.close.has_value());
}

TEST_F(StreamSessionTest, EndsASubscriptionThatIsRefusedOrReplaced) {
  const auto token =
      NewsAsked(Say(R"({"id": "s", "subscribe": {"user": "7", "snapshot": "forged"}})")).first;
  const StreamOutput refused = Answer(token, Status::BadRequest("no such token"));
  EXPECT_EQ(Told(refused)["id"], "s");
  EXPECT_EQ(Told(refused)["error"]["title"], "BAD_REQUEST");
  const StreamOutput replaced = Answer(Subscribe(), NewsAnswer{false, true});
  EXPECT_EQ(Told(replaced), Json::parse(R"({"replaced": {"user": "7", "device": 2}})"));
  EXPECT_TRUE(replaced.asks.empty());
}

TEST_F(StreamSessionTest, ASecondSubscriptionTakesTheFirstBack) {
  const uint64_t first = Subscribe();
  const StreamOutput second = Say(R"({"subscribe": {"user": "8"}})");
  EXPECT_EQ(second.cancels, std::vector<uint64_t>{first});
  EXPECT_EQ(NewsAsked(second).second.user, Uin(8));
  EXPECT_TRUE(Answer(first, NewsAnswer{true, false}).sends.empty());
}

TEST_F(StreamSessionTest, ASyncBeforeTheNewsMovesTheWaitOn) {
  const uint64_t first = Subscribe();
  const StreamOutput sync = Say(R"({"id": 1, "sync": {"user": "7", "device": 2}})");
  const StreamOutput same = Answer(sync.asks.at(0).token, Page("t", false));
  EXPECT_TRUE(same.asks.empty()) << "nothing was there: the wait goes on";
  const StreamOutput again = Say(R"({"id": 1, "sync": {"user": "7", "device": 2}})");
  const StreamOutput moved = Answer(again.asks.at(0).token, Page("u", false));
  EXPECT_EQ(moved.cancels, std::vector<uint64_t>{first});
  EXPECT_EQ(NewsAsked(moved).second.snapshot, "u");
}

TEST_F(StreamSessionTest, RefusesTooManyUnansweredRequests) {
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Say(R"({"id": 1, "hello": {}})").asks.size(), 1u);
  const StreamOutput third = Say(R"({"id": 3, "hello": {}})");
  EXPECT_TRUE(third.asks.empty());
  EXPECT_EQ(Told(third)["error"]["title"], "OVERLOADED");
}

TEST_F(StreamSessionTest, RefusesWhatComesTooFast) {
  config.api_rate = 1;
  StreamSession limited({}, &config);
  StreamOutput out;
  for (int i = 0; i < 3; ++i) limited.OnText(now, R"({"id": 1, "hello": {}})", &out);
  EXPECT_EQ(out.asks.size(), 2u);
  EXPECT_EQ(Told(out)["error"]["retry_after_ms"], 1000);
  EXPECT_EQ(limited.limited(), 1u);
}

TEST_F(StreamSessionTest, ASlowReaderIsDropped) {
  Subscribe();
  StreamOutput out;
  for (int i = 0; i < 20 && !out.close; ++i) out = Say("{}");
  ASSERT_TRUE(out.close.has_value());
  EXPECT_EQ(out.close->code, 1008);
  EXPECT_EQ(out.close->reason, "slow reader");
  EXPECT_TRUE(out.sends.empty());
  EXPECT_EQ(out.cancels.size(), 1u) << "nobody waits for its news any more";
  const StreamOutput after = Say("{}");
  EXPECT_TRUE(after.sends.empty() && after.asks.empty() && !after.close);
}

TEST_F(StreamSessionTest, WhoReadsMayBeToldMuch) {
  for (int i = 0; i < 100; ++i) {
    const StreamOutput out = Say("{}");
    ASSERT_FALSE(out.close.has_value());
    for (const std::string& text : out.sends) session.OnWritten(text.size());
  }
}

TEST_F(StreamSessionTest, GivesBackWhatItWaitedForWhenItEnds) {
  const uint64_t news = Subscribe();
  const uint64_t hello = Say(R"({"id": 1, "hello": {}})").asks.at(0).token;
  StreamOutput out;
  session.OnClosed(&out);
  session.OnClosed(&out);
  EXPECT_EQ(out.cancels, (std::vector<uint64_t>{news, hello}));
  EXPECT_TRUE(Answer(hello, HelloAnswer{}).sends.empty());
}

}  // namespace
}  // namespace homeport::router
