#include "router/api.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::Code;
using core::Json;
using core::Status;
using core::Uin;

RequestBody Must(std::string_view method, std::string_view target, std::string_view body = "") {
  auto read = ReadApiRequest(method, target, body);
  const auto* error = std::get_if<ApiError>(&read);
  EXPECT_EQ(error, nullptr) << target << ": " << (error != nullptr ? error->status : Status());
  return error != nullptr ? RequestBody() : std::get<RequestBody>(std::move(read));
}
ApiError Refused(std::string_view method, std::string_view target, std::string_view body = "") {
  auto read = ReadApiRequest(method, target, body);
  EXPECT_TRUE(std::holds_alternative<ApiError>(read)) << target << ' ' << body;
  const auto* error = std::get_if<ApiError>(&read);
  return error != nullptr ? *error : ApiError{};
}
template <class T>
T As(const RequestBody& request) {
  const auto* body = std::get_if<T>(&request);
  EXPECT_NE(body, nullptr) << request.index();
  return body != nullptr ? *body : T{};
}

// ---- requests

TEST(ApiTest, ReadsASendToAUser) {
  const auto send = As<core::SendMessage>(Must(
      "POST", "/v1/send",
      R"({"from": "18446744073709551615", "client_message_id": "7", "to": "9", "text": "hé"})"));
  EXPECT_EQ(send.from, Uin(UINT64_MAX));
  EXPECT_EQ(send.client_message.value(), 7u);
  EXPECT_EQ(send.to, Uin(9));
  EXPECT_FALSE(send.to_group);
  EXPECT_EQ(send.body, "h\xc3\xa9");
}

TEST(ApiTest, ReadsAnyBytesInBase64) {
  const auto send = As<core::SendMessage>(
      Must("POST", "/v1/send",
           R"({"from": "1", "client_message_id": "7", "group": "9", "base64": "/w=="})"));
  EXPECT_TRUE(send.to_group);
  EXPECT_EQ(send.to, Uin(9));
  EXPECT_EQ(send.body, "\xff");
}

TEST(ApiTest, ReadsPathAndQuery) {
  const auto members = As<MembersRequest>(Must("GET", "/v1/groups/12/members?after=3&limit=5"));
  EXPECT_EQ(members.group, Uin(12));
  EXPECT_EQ(members.after, Uin(3));
  EXPECT_EQ(members.limit, 5u);
  const auto join = As<core::JoinGroup>(Must("POST", "/v1/groups/12/join", R"({"user": "4"})"));
  EXPECT_EQ(join.group, Uin(12));
  EXPECT_EQ(join.user, Uin(4));
  const auto find = As<ResolveRequest>(Must("GET", "/v1/names/group/a%2Fb%20c"));
  EXPECT_EQ(find.kind, AccountKind::kGroup);
  EXPECT_EQ(find.name, "a/b c");
  EXPECT_EQ(As<ResolveRequest>(Must("GET", "/v1/names/user/%ff")).name, "\xff");
}

TEST(ApiTest, ReadsWhatMayWait) {
  const auto sync = As<SyncRequest>(
      Must("POST", "/v1/sync", R"({"user": "1", "device": 3, "snapshot": "t", "wait_ms": 2000})"));
  EXPECT_EQ(sync.device.value(), 3);
  EXPECT_EQ(sync.snapshot, "t");
  EXPECT_EQ(WaitOf(sync), std::chrono::seconds(2));
  EXPECT_EQ(WaitOf(Must("POST", "/v1/news", R"({"user": "1", "wait_ms": 300000})")),
            std::chrono::minutes(5));
  EXPECT_EQ(WaitOf(HelloRequest{}), core::Duration(0));
}

TEST(ApiTest, ReadsCommandsOfAUser) {
  const auto registered = std::get<core::RegisterDevice>(As<core::ChangeCommand>(
      Must("POST", "/v1/users/5/devices", R"({"install": "77", "name": "phone"})")));
  EXPECT_EQ(registered.user, Uin(5));
  EXPECT_EQ(registered.install, 77u);
  EXPECT_EQ(registered.name, "phone");
  const auto removed = std::get<core::RemoveDevice>(
      As<core::ChangeCommand>(Must("DELETE", "/v1/users/5/devices/3")));
  EXPECT_EQ(removed.device.value(), 3);
  const auto read = std::get<core::MarkRead>(As<core::ChangeCommand>(
      Must("POST", "/v1/users/5/read", R"({"with": "9", "through": "1.2.17"})")));
  EXPECT_EQ(read.user, Uin(5));
  EXPECT_EQ(read.with, Uin(9));
  EXPECT_EQ(read.through, (core::Stamp{{1, 2}, core::Version(17)}));
  const ApiError error = Refused("POST", "/v1/users/5/read", R"({"with": "9", "through": "17"})");
  EXPECT_NE(error.status.message().find("through"), std::string::npos);
}

template <class Command>
Command Changes(std::string_view method, std::string_view target, std::string_view body = "") {
  const auto change = As<core::ChangeCommand>(Must(method, target, body));
  const auto* command = std::get_if<Command>(&change);
  EXPECT_NE(command, nullptr) << target;
  return command != nullptr ? *command : Command{};
}

TEST(ApiTest, ReadsAProfileAndARecall) {
  const auto profile = Changes<core::SetProfile>(
      "POST", "/v1/users/5/profile",
      R"({"profile": [{"name": "city", "value": "Kiel"}, {"name_base64": "/w==", "base64": ""}]})");
  EXPECT_EQ(profile.user, Uin(5));
  EXPECT_EQ(profile.fields, (std::vector<core::ProfileField>{{"city", "Kiel"}, {"\xff", ""}}));
  const auto recall = Changes<core::RecallMessage>("POST", "/v1/recall",
                                                   R"({"from": "5", "client_message_id": "7"})");
  EXPECT_EQ(recall.user, Uin(5));
  EXPECT_EQ(recall.client_message.value(), 7u);
  for (const std::string bad : {R"({})", R"({"profile": "city"})", R"({"profile": ["city"]})",
                                R"({"profile": [{"name": "city"}]})",
                                R"({"profile": [{"name": "a", "value": "b", "c": "d"}]})"}) {
    const ApiError error = Refused("POST", "/v1/users/5/profile", bad);
    EXPECT_NE(error.status.message().find("profile"), std::string::npos) << error.status;
  }
  std::string many = R"({"profile": [)";
  for (size_t i = 0; i <= core::kProfileFieldsMax; ++i) {
    many += std::string(i > 0 ? "," : "") + R"({"name": "a", "value": "b"})";
  }
  // How many are too many says the home, with its own code.
  const auto passed = Changes<core::SetProfile>("POST", "/v1/users/5/profile", many + "]}");
  EXPECT_EQ(passed.fields.size(), core::kProfileFieldsMax + 1);
}

TEST(ApiTest, ReadsWhatIsDoneAboutContacts) {
  const std::string peer = "/v1/users/5/contacts/6";
  const auto ask = Changes<core::AskContact>("POST", peer + "/ask", R"({"text": "it is me"})");
  EXPECT_EQ(ask.user, Uin(5));
  EXPECT_EQ(ask.peer, Uin(6));
  EXPECT_EQ(ask.text, "it is me");
  EXPECT_EQ(Changes<core::AskContact>("POST", peer + "/ask").text, "");
  EXPECT_EQ(Changes<core::DeleteContact>("DELETE", peer).peer, Uin(6));
  EXPECT_TRUE(Changes<core::BlockContact>("POST", peer + "/block").blocked);
  EXPECT_FALSE(
      Changes<core::BlockContact>("POST", peer + "/block", R"({"blocked": false})").blocked);
  EXPECT_NE(Refused("POST", peer + "/block", R"({"blocked": 1})").status.message().find("blocked"),
            std::string::npos);
  EXPECT_EQ(Changes<core::RemarkContact>("POST", peer + "/remark", R"({"remark": "Al"})").remark,
            "Al");
}

TEST(ApiTest, ReadsWhatAnOwnerDoesAboutItsGroup) {
  const auto created = Changes<core::CreateGroup>(
      "POST", "/v1/groups", R"({"uin": "9", "name": "club", "owner": "5", "title": "Club"})");
  EXPECT_EQ(created.group, Uin(9));
  EXPECT_EQ(created.name, "club");
  EXPECT_EQ(created.owner, Uin(5));
  EXPECT_EQ(created.title, "Club");
  const auto renamed =
      Changes<core::RenameGroup>("POST", "/v1/groups/9/rename", R"({"by": "5", "title": "Pub"})");
  EXPECT_EQ(renamed.by, Uin(5));
  EXPECT_EQ(renamed.title, "Pub");
  EXPECT_TRUE(Changes<core::CloseGroup>("POST", "/v1/groups/9/close", R"({"by": "5"})").closed);
  EXPECT_FALSE(
      Changes<core::CloseGroup>("POST", "/v1/groups/9/close", R"({"by": "5", "closed": false})")
          .closed);
  const auto added =
      Changes<core::AddMember>("POST", "/v1/groups/9/members", R"({"by": "5", "user": "6"})");
  EXPECT_EQ(added.by, Uin(5));
  EXPECT_EQ(added.user, Uin(6));
  const auto removed = Changes<core::RemoveMember>("DELETE", "/v1/groups/9/members/6?by=5");
  EXPECT_EQ(removed.group, Uin(9));
  EXPECT_EQ(removed.by, Uin(5));
  EXPECT_EQ(removed.user, Uin(6));
  EXPECT_EQ(
      Changes<core::TransferGroup>("POST", "/v1/groups/9/transfer", R"({"by": "5", "to": "6"})").to,
      Uin(6));
}

TEST(ApiTest, ReadsRecords) {
  const std::string table = "/v1/users/5/records/drafts";
  const auto sync = As<RecordsRequest>(
      Must("POST", table, R"({"snapshot": "t", "items_max": 2, "bytes_max": 3, "wait_ms": 2000})"));
  EXPECT_EQ(sync.user, Uin(5));
  EXPECT_EQ(sync.table, "drafts");
  EXPECT_EQ(sync.snapshot, "t");
  EXPECT_EQ(sync.items_max, 2u);
  EXPECT_EQ(sync.bytes_max, 3u);
  EXPECT_EQ(WaitOf(sync), std::chrono::seconds(2));
  const auto put = Changes<core::PutRecord>("PUT", table + "/%ff", R"({"value": "hi"})");
  EXPECT_EQ(put.user, Uin(5));
  EXPECT_EQ(put.table, "drafts");
  EXPECT_EQ(put.key, "\xff");
  EXPECT_EQ(put.value, "hi");
  EXPECT_EQ(Changes<core::DeleteRecord>("DELETE", table + "/a%2Fb").key, "a/b");
  for (const char* key : {"/%ff", "/k"}) {
    EXPECT_EQ(Refused("PUT", table + key, R"({"key_base64": "YQ==", "value": "x"})").http_status,
              400)
        << "in the path and in the body";
  }
}

TEST(ApiTest, RefusesWhatIsNoPath) {
  EXPECT_EQ(Refused("GET", "/").http_status, 404);
  EXPECT_EQ(Refused("GET", "").http_status, 404);
  EXPECT_EQ(Refused("GET", "/v1/send/").http_status, 404);
  EXPECT_EQ(Refused("GET", "/v1/groups/members").http_status, 404);
  const ApiError other = Refused("DELETE", "/v1/send");
  EXPECT_EQ(other.http_status, 405);
  EXPECT_EQ(other.allow, "POST");
  EXPECT_EQ(Refused("post", "/v1/send").http_status, 405);
}

TEST(ApiTest, RefusesBadArgumentsNamingThem) {
  const auto refused = [](const std::string& body, const std::string& word) {
    const ApiError error = Refused("POST", "/v1/send", body);
    EXPECT_EQ(error.http_status, 400);
    EXPECT_EQ(error.status.code(), Code::kBadRequest);
    EXPECT_NE(error.status.message().find(word), std::string::npos) << error.status;
  };
  const std::string good = R"("from": "1", "client_message_id": "7", "to": "9")";
  refused("{", "not JSON");
  refused("[]", "object");
  refused("\"x\"", "object");
  refused("{}", "from");
  refused("{" + good + "}", "text");
  refused("{" + good + R"(, "text": "a", "base64": "YQ=="})", "base64");
  refused("{" + good + R"(, "base64": "YQ"})", "base64");
  refused("{" + good + R"(, "text": 7})", "text");
  refused("{" + good + R"(, "text": "a", "group": "4"})", "group");
  refused("{" + good + R"(, "text": "a", "texts": "4"})", "texts");
  refused(R"({"from": 1, "client_message_id": "7", "to": "9", "text": ""})", "from");
  refused(R"({"from": "18446744073709551616", "client_message_id": "7", "to": "9", "text": ""})",
          "from");
  refused(R"({"from": "-1", "client_message_id": "7", "to": "9", "text": ""})", "from");
  refused(R"({"from": "", "client_message_id": "7", "to": "9", "text": ""})", "from");
  EXPECT_NE(Refused("GET", "/v1/groups/1/members?limit=1001").status.message().find("limit"),
            std::string::npos);
  EXPECT_NE(Refused("GET", "/v1/names/user/%zz").status.message().find("percent"),
            std::string::npos);
  EXPECT_NE(Refused("GET", "/v1/names/user/%f").status.message().find("percent"),
            std::string::npos);
  EXPECT_NE(Refused("GET", "/v1/names/dog/x").status.message().find("kind"), std::string::npos);
  EXPECT_NE(Refused("POST", "/v1/groups/1/join?user=2", R"({"user": "3"})")
                .status.message()
                .find("twice"),
            std::string::npos);
  EXPECT_NE(Refused("GET", "/v1/groups/1/members?after=1&after=2").status.message().find("twice"),
            std::string::npos);
}

TEST(ApiTest, RefusesDeepNestingBeforeItIsParsed) {
  const std::string deep = std::string(200000, '[');
  EXPECT_NE(Refused("POST", "/v1/send", deep).status.message().find("nested"), std::string::npos);
  // Brackets in strings are text.
  const auto send = As<core::SendMessage>(
      Must("POST", "/v1/send",
           R"({"from": "1", "client_message_id": "7", "to": "9", "text": "\"[[[[[[[[[[[[{{{\\"})"));
  EXPECT_EQ(send.body, "\"[[[[[[[[[[[[{{{\\");
}

TEST(ApiTest, ReadsTheSameByName) {
  const auto join = ReadApiCall("join", {{"group", "1"}, {"user", "2"}});
  ASSERT_TRUE(join.ok()) << join.status();
  EXPECT_EQ(As<core::JoinGroup>(*join).user, Uin(2));
  EXPECT_FALSE(ReadApiCall("cancel", nlohmann::json::object()).ok());
  EXPECT_FALSE(ReadApiCall("join", 7).ok());
}

// ---- answers

core::ClusterConfig WithApis() {
  core::ClusterConfig config = ThreeRegionsConfig();
  config.regions[0].api = "127.0.0.1:1";
  config.regions[1].api = "127.0.0.1:2";
  return config;
}

TEST(ApiTest, ShowsMessagesAsTextOrBase64) {
  SyncResult page;
  page.snapshot = "t";
  page.more = true;
  SyncedMessage& one = page.messages.emplace_back();
  one.id = core::MessageId(UINT64_MAX);
  one.sender = Uin(1);
  one.sender_name = "al";
  one.version = 4;
  one.body = "hi";
  SyncedMessage& two = page.messages.emplace_back();
  two.group = Uin(9);
  two.group_name = "\xff";
  two.group_seq = 5;
  two.body = "\xfe";
  const Json json = *AnswerJson(WithApis(), page);
  EXPECT_EQ(json["more"], true);
  EXPECT_EQ(json["messages"][0]["id"], "18446744073709551615");
  EXPECT_EQ(json["messages"][0]["group"], nullptr);
  EXPECT_EQ(json["messages"][0]["seq"], 4);
  EXPECT_EQ(json["messages"][0]["text"], "hi");
  EXPECT_EQ(json["messages"][1]["group"], "9");
  EXPECT_EQ(json["messages"][1]["group_name_base64"], "/w==");
  EXPECT_EQ(json["messages"][1]["seq"], 5);
  EXPECT_EQ(json["messages"][1]["base64"], "/g==");
  EXPECT_EQ(json["account"], nullptr);
}

TEST(ApiTest, ShowsAnAccountThatChangedWithItsDevices) {
  SyncResult page;
  page.account.emplace().name = "alice";
  page.devices = {{core::DeviceNumber(2), {7, "phone", 0}, 1000}};
  const Json json = *AnswerJson(WithApis(), page);
  EXPECT_EQ(json["account"]["name"], "alice");
  EXPECT_EQ(json["devices"][0]["device"], 2);
  EXPECT_EQ(json["devices"][0]["name"], "phone");
  EXPECT_EQ(json["devices"][0]["seen_at"], "1970-01-01T00:00:01.000Z");
  EXPECT_EQ((*AnswerJson(WithApis(), DeviceAnswer{core::DeviceNumber(4)}))["device"], 4);
}

TEST(ApiTest, ShowsEventsRecallsAndContacts) {
  SyncResult page;
  SyncedMessage& event = page.messages.emplace_back();
  event.group = Uin(9);
  event.event = {core::GroupEventKind::kAdded, Uin(3), ""};
  event.subject_name = "carol";
  page.messages.emplace_back().recalled = true;
  page.messages.emplace_back().is_recall = true;
  ContactView& contact = page.contacts.emplace_back();
  contact.peer = Uin(5);
  contact.relation = core::Relation::kAsking;
  contact.text = "may I?";
  const Json json = *AnswerJson(WithApis(), page);
  EXPECT_EQ(json["messages"][0]["event"], "added");
  EXPECT_EQ(json["messages"][0]["subject"], "3");
  EXPECT_EQ(json["messages"][0]["subject_name"], "carol");
  EXPECT_EQ(json["messages"][1]["recalled"], true);
  EXPECT_EQ(json["messages"][2]["recall"], true);
  EXPECT_EQ(json["contacts"][0]["peer"], "5");
  EXPECT_EQ(json["contacts"][0]["relation"], "asking");
  EXPECT_EQ(json["contacts"][0]["text"], "may I?");
}

TEST(ApiTest, ShowsPositions) {
  SyncResult page;
  SyncedMessage& message = page.messages.emplace_back();
  message.epoch = {0, 1};
  message.version = 17;
  ConversationView& user = page.conversations.emplace_back();
  user.with = Uin(5);
  user.with_name = "al";
  user.conversation.read = {{{0, 1}, core::Version(3)}, core::MessageId(4), 0};
  user.conversation.peers_delivered = {{{}, core::Version(6)}, core::MessageId(7), 0};
  ConversationView& group = page.conversations.emplace_back();
  group.conversation.read = {{{0, 1}, core::Version(8)}, {}, 9};
  const Json json = *AnswerJson(WithApis(), page);
  EXPECT_EQ(json["messages"][0]["place"], "0.1.17");
  EXPECT_EQ(json["conversations"][0],
            Json::parse(R"({"with": "5", "with_name": "al", "read": {"place": "0.1.3", "id": "4"},
                            "peer_read": null, "peer_delivered": "7"})"));
  EXPECT_EQ(json["conversations"][1]["read"],
            Json::parse(R"({"place": "0.1.8", "id": null, "seq": 9})"));
}

TEST(ApiTest, ShowsRecords) {
  const core::RecordsPage page{{{"a", false, "1", 1000}, {"\xff", true, "", 0}}, "t", true};
  EXPECT_EQ(
      *AnswerJson(WithApis(), page),
      Json::parse(
          R"({"records": [{"key": "a", "value": "1", "changed_at": "1970-01-01T00:00:01.000Z"},
                                        {"key_base64": "/w==", "deleted": true}],
                            "snapshot": "t", "more": true})"));
}

TEST(ApiTest, ShowsAccounts) {
  AccountView account;
  account.uin = Uin(7);
  account.name = "alice";
  account.home = core::Incarnation(2);
  const Json json = *AnswerJson(WithApis(), ResolvedAnswer{account, Uin()});
  EXPECT_EQ(json["account"]["home"], "hk");
  EXPECT_EQ(json["account"]["uin"], "7");
  EXPECT_EQ(json["bound"], nullptr);
  EXPECT_EQ((*AnswerJson(WithApis(), ResolvedAnswer{{}, Uin(3)}))["bound"], "3");
}

TEST(ApiTest, AMovedUserIsToldWhereToGo) {
  const Status moved = Status::Moved(core::Incarnation(2), {1, 2}, "at hk");
  const Json json = ProblemJson(WithApis(), moved, HttpStatusOf(moved.code()));
  EXPECT_EQ(json["status"], 421);
  EXPECT_EQ(json["type"], "urn:homeport:MOVED");
  EXPECT_EQ(json["title"], "MOVED");
  EXPECT_EQ(json["detail"], "at hk");
  EXPECT_EQ(json["home"]["region"], "hk");
  EXPECT_EQ(json["home"]["api"], "http://127.0.0.1:2");
  EXPECT_EQ(json["home"]["epoch"]["move"], 2);
  const Status far = Status::Moved(core::Incarnation(3), {}, "at ca, which serves no HTTP");
  EXPECT_EQ(ProblemJson(WithApis(), far, 421)["home"]["api"], nullptr);
}

TEST(ApiTest, EveryCodeHasAnHttpStatusAndItsDetail) {
  for (uint16_t number = 1; core::CodeFromNumber(number); ++number) {
    const Code code = *core::CodeFromNumber(number);
    EXPECT_GE(HttpStatusOf(code), 400);
    const Json json = ProblemJson(WithApis(), Status(code, "why"), HttpStatusOf(code));
    EXPECT_EQ(json["title"], core::CodeName(code));
  }
  EXPECT_EQ(ProblemJson(WithApis(), Status::Overloaded(20, ""), 429)["retry_after_ms"], 20);
  EXPECT_EQ(ProblemJson(WithApis(), Status::Taken(Uin(5), ""), 409)["owner"], "5");
  EXPECT_EQ(ProblemJson(WithApis(), Status::TooLarge(9, ""), 413)["limit"], 9);
  EXPECT_EQ(ProblemJson(WithApis(), Status::Resync(6, ""), 410)["from"], "6");
  EXPECT_EQ(ProblemJson(WithApis(), Status::Trimmed(core::Seq(8), ""), 410)["first"], "8");
}

TEST(ApiTest, WhatNoRouteAsksForIsNotShown) {
  EXPECT_FALSE(AnswerJson(WithApis(), DigestAnswer{}).has_value());
  EXPECT_FALSE(AnswerJson(WithApis(), RegionReport{}).has_value());
}

// ---- the table and its document

TEST(ApiTest, TheOpenApiFileHasTheSameRoutes) {
  std::ifstream file(HOMEPORT_SOURCE_DIR "/docs/openapi.yaml");
  ASSERT_TRUE(file.good());
  std::set<std::string> documented;
  std::string path;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("  /")) path = line.substr(2, line.size() - 3);
    for (const std::string method : {"get", "post", "put", "delete"}) {
      if (line != "    " + method + ":") continue;
      std::string upper = method;
      for (char& c : upper) c = static_cast<char>(std::toupper(c));
      documented.insert(upper + ' ' + path);
    }
  }
  std::set<std::string> served = {"GET " + std::string(kStreamPath)};
  std::set<std::string_view> names;
  for (const ApiRoute& route : ApiRoutes()) {
    served.insert(std::string(route.method) + ' ' + std::string(route.path));
    EXPECT_TRUE(names.insert(route.name).second) << route.name;
  }
  EXPECT_EQ(documented, served);
}

}  // namespace
}  // namespace homeport::router
