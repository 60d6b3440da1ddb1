// Answers as a real etcd 3.4.23 gave them.
#include "coordination/etcd_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace homeport::coordination {
namespace {

const EtcdJson kJson("c");
const CompareAndSet kSet{Token(0x0102030405060708), {{"a", Revision(3), Write{"v", LeaseId(4)}}}};
// "homeport/c/a", and token and "v".
const std::string kKey = "aG9tZXBvcnQvYy9h";
const std::string kValue = "AQIDBAUGBwh2";
const std::string kHeader =
    R"("header":{"cluster_id":"15118495548433857066","member_id":"13668033151171901709","revision":"7","raft_term":"2"})";
const std::string kRow = R"({"key":")" + kKey +
                         R"(","create_revision":"2","mod_revision":"5","version":"1","value":")" +
                         kValue + R"(","lease":"9"})";

core::Status StatusOf(const Answer& answer) {
  EXPECT_TRUE(std::holds_alternative<core::Status>(answer)) << answer.index();
  const auto* status = std::get_if<core::Status>(&answer);
  return status != nullptr ? *status : core::Status();
}
core::Code CodeOf(const Request& request, int http, const std::string& body) {
  return StatusOf(kJson.Decode(request, http, body)).code();
}

TEST(EtcdJsonTest, ACompareAndSetIsATransaction) {
  const EtcdCall call = kJson.Encode(kSet);
  EXPECT_EQ(call.path, "/v3/kv/txn");
  const auto body = nlohmann::json::parse(call.body);
  EXPECT_EQ(body["compare"][0]["key"], kKey);
  EXPECT_EQ(body["compare"][0]["mod_revision"], "3");
  EXPECT_EQ(body["success"][0]["request_put"]["value"], kValue);
  EXPECT_EQ(body["success"][0]["request_put"]["lease"], "4");
  EXPECT_EQ(body["failure"][0]["request_range"]["key"], kKey);
}

TEST(EtcdJsonTest, TokenAndValueAreTakenApart) {
  const Answer answer = kJson.Decode(Get{"a"}, 200, "{" + kHeader + R"(,"kvs":[)" + kRow + "]}");
  ASSERT_TRUE(std::holds_alternative<Rows>(answer));
  EXPECT_EQ(std::get<Rows>(answer),
            (Rows{Revision(7), {{"a", "v", Revision(5), kSet.token, LeaseId(9)}}, false}));
}

TEST(EtcdJsonTest, WhatWasComparedAndDiffersIsShownOrWasDoneBefore) {
  const std::string body = "{" + kHeader + R"(,"responses":[{"response_range":{)" + kHeader +
                           R"(,"kvs":[)" + kRow + R"(],"count":"1"}}]})";
  EXPECT_EQ(std::get<Compared>(kJson.Decode(kSet, 200, body)), (Compared{true, Revision(5), {}}));
  CompareAndSet other = kSet;
  other.token = Token(77);
  const auto compared = std::get<Compared>(kJson.Decode(other, 200, body));
  EXPECT_FALSE(compared.done);
  EXPECT_EQ(compared.rows.at(0).value, "v");
}

TEST(EtcdJsonTest, WhatEtcdRefusesHasACode) {
  const auto error = [](int code, const std::string& message) {
    return R"({"error":")" + message + R"(","message":")" + message + R"(","code":)" +
           std::to_string(code) + "}";
  };
  const std::string late = error(14, "etcdserver: request timed out");
  EXPECT_EQ(CodeOf(kSet, 503, late), core::Code::kNoQuorum);
  EXPECT_EQ(CodeOf(Get{"a"}, 503, late), core::Code::kUnavailable);
  EXPECT_EQ(CodeOf(kSet, 404, error(5, "etcdserver: requested lease not found")),
            core::Code::kRefused);
  EXPECT_EQ(CodeOf(kSet, 429, error(8, "etcdserver: mvcc: database space exceeded")),
            core::Code::kRefused);
  EXPECT_EQ(CodeOf(kSet, 429, error(8, "etcdserver: too many requests")), core::Code::kOverloaded);
  EXPECT_EQ(CodeOf(kSet, 400, error(3, "etcdserver: key is not provided")),
            core::Code::kBadRequest);
  EXPECT_TRUE(std::holds_alternative<LeaseEnded>(
      kJson.Decode(EndLease{LeaseId(7)}, 404, error(5, "etcdserver: requested lease not found"))));
  // Another server altogether.
  EXPECT_EQ(CodeOf(Get{"a"}, 404, "Not Found\n"), core::Code::kBadRequest);
  EXPECT_EQ(CodeOf(Get{"a"}, 200, "<html>"), core::Code::kBadRequest);
  EXPECT_EQ(CodeOf(Get{"a"}, 200, "{}"), core::Code::kBadRequest);
}

TEST(EtcdJsonTest, AnAnswerThatCannotBeReadTellsNotWhatWasDone) {
  for (const Request& request : std::vector<Request>{kSet, GrantLease{std::chrono::seconds(5)},
                                                     KeepAlive{LeaseId(7)}, EndLease{LeaseId(7)}}) {
    for (const char* body : {"", "<html>", "{}", R"({"header":{"revision":)"}) {
      EXPECT_EQ(CodeOf(request, 200, body), core::Code::kNoQuorum) << body;
    }
  }
  EXPECT_EQ(CodeOf(kSet, 404, "Not Found\n"), core::Code::kBadRequest) << "surely not";
}

TEST(EtcdJsonTest, OldVersionsHaveKnownFaults) {
  for (const char* old : {"3.4.23", "3.4.41", "3.5.17", "3.3.25", "2.3.8"}) {
    EXPECT_NE(KnownFaults(old), "") << old;
  }
  for (const char* good : {"3.4.42", "3.5.18", "3.5.21", "3.6.0", "4.0.0", "", "x"}) {
    EXPECT_EQ(KnownFaults(good), "") << good;
  }
}

TEST(EtcdJsonTest, ALeaseThatIsGoneHasNoTime) {
  EXPECT_EQ(CodeOf(KeepAlive{LeaseId(123)}, 200, R"({"result":{)" + kHeader + R"(,"ID":"123"}})"),
            core::Code::kRefused);
  const Answer kept = kJson.Decode(KeepAlive{LeaseId(123)}, 200,
                                   R"({"result":{)" + kHeader + R"(,"ID":"123","TTL":"5"}})");
  EXPECT_EQ(std::get<Leased>(kept), (Leased{LeaseId(123), std::chrono::seconds(5)}));
}

TEST(EtcdJsonTest, AWatchIsReadLineByLine) {
  EXPECT_EQ(kJson.DecodeLine(R"({"result":{)" + kHeader + R"(,"created":true}})"), std::nullopt);
  const auto told = kJson.DecodeLine(R"({"result":{)" + kHeader + R"(,"events":[{"kv":)" + kRow +
                                     R"(},{"type":"DELETE","kv":{"key":")" + kKey +
                                     R"(","mod_revision":"6"}}]}})");
  ASSERT_TRUE(told.has_value());
  const auto& changes = std::get<Changes>(*told);
  ASSERT_EQ(changes.changes.size(), 2u);
  EXPECT_EQ(changes.changes[0].row.value, "v");
  EXPECT_TRUE(changes.changes[1].deleted);
  EXPECT_EQ(changes.changes[1].row.key, "a");
  EXPECT_EQ(changes.next, Revision(7));
  const auto gone =
      kJson.DecodeLine(R"({"result":{)" + kHeader + R"(,"canceled":true,"compact_revision":"6"}})");
  EXPECT_EQ(StatusOf(*gone).code(), core::Code::kTrimmed);
  EXPECT_EQ(StatusOf(*gone).detail(), 6u);
}

TEST(EtcdJsonTest, RowsOfOthersBelowOurPrefixAreNoticed) {
  const std::string row = R"({"key":")" + kKey + R"(","mod_revision":"5","value":"dg=="})";
  EXPECT_EQ(CodeOf(Get{"a"}, 200, "{" + kHeader + R"(,"kvs":[)" + row + "]}"),
            core::Code::kCorrupt);
}

}  // namespace
}  // namespace homeport::coordination
