// The client protocol: requests and responses of the router.
#include "core/check.h"
#include "router/wire.h"
#include "tests/fuzz/target.h"

namespace homeport::fuzz {
namespace {

using namespace router;  // NOLINT: every message

void RunRequest(std::string_view bytes) {
  const DecodedRequest request = DecodeRequest(bytes);
  if (!request.status.ok()) return;
  CHECK(request.number.has_value(), "a good request has a number");
  const std::string encoded = EncodeRequest(*request.number, request.body);
  const DecodedRequest again = DecodeRequest(encoded);
  CHECK(again.status.ok(), "what we encode we decode", again.status);
  CHECK(EncodeRequest(*again.number, again.body) == encoded, "a request comes back as it was");
}

void RunResponse(std::string_view bytes) {
  const auto response = DecodeResponse(bytes);
  if (!response.ok()) return;
  const std::string encoded = EncodeResponse(response->number, response->body);
  const auto again = DecodeResponse(encoded);
  CHECK(again.ok(), "what we encode we decode", again.status());
  CHECK(EncodeResponse(again->number, again->body) == encoded, "a response comes back as it was");
}

std::vector<std::string> RequestSeeds() {
  core::SendMessage send{core::Uin(1), core::ClientMessageId(2), core::Uin(3), false, "hello"};
  std::vector<std::string> seeds;
  for (const RequestBody& body : std::vector<RequestBody>{
           HelloRequest{}, ResolveRequest{}, send, ShowRequest{}, ListRequest{}, MembersRequest{},
           SyncRequest{}, StatusRequest{}, DigestRequest{}, core::NewUin{}, core::ClaimName{},
           core::CreateAccount{}, core::JoinGroup{}, core::LeaveGroup{}, AwaitSequencedRequest{},
           AwaitNewsRequest{}, CancelRequest{}}) {
    seeds.push_back(EncodeRequest(7, body));
  }
  seeds.push_back(EncodeRequest(7, QueueGroupsRequest{}));
  seeds.push_back(
      EncodeRequest(7, AddQueueGroupRequest{2, {"tcp://a:1", "tcp://b:1", "tcp://c:1"}}));
  seeds.push_back(EncodeRequest(7, DrainQueueGroupRequest{2}));
  const core::Uin user(1);
  const core::ClientMessageId once(9);
  seeds.push_back(EncodeRequest(7, RecordsRequest{user, "drafts", "token", 1, 2, 3}));
  seeds.push_back(EncodeRequest(
      7,
      AwaitNewsRequest{user, core::DeviceNumber(2), "token", 3, {{"drafts", "token"}, {"x", ""}}}));
  for (const core::ChangeCommand& change : std::vector<core::ChangeCommand>{
           core::RegisterDevice{user, 2, "phone", once}, core::RemoveDevice{user, {}},
           core::SetProfile{user, {{"a", "b"}}, once}, core::AskContact{user, core::Uin(2), "hi"},
           core::BlockContact{user, core::Uin(2), true, once},
           core::RecallMessage{user, core::ClientMessageId(3)},
           core::CreateGroup{core::Uin(4), "g", user, "title"},
           core::AddMember{core::Uin(4), user, core::Uin(2), once},
           core::MarkRead{user, core::Uin(2), {{1, 2}, core::Version(3)}},
           core::PutRecord{user, "drafts", "key", "value", once},
           core::DeleteRecord{user, "drafts", "key", once}}) {
    seeds.push_back(EncodeRequest(7, change));
  }
  return seeds;
}

std::vector<std::string> ResponseSeeds() {
  AccountView account;
  account.name = "alice";
  HelloAnswer hello;
  hello.cluster = "c1";
  hello.region = "sh";
  hello.regions.resize(2);
  RegionReport report;
  report.shards.resize(2);
  report.streams.resize(2);
  report.writes_refused = "no lease";
  SyncResult page;
  page.account = account;
  page.devices.resize(1);
  page.contacts.resize(1);
  page.conversations.resize(1);
  page.messages.resize(2);
  page.messages[1].expired = true;
  page.snapshot = "token";
  core::RecordsPage records;
  records.records = {{"key", false, "value", 5}, {"other", true, "", 0}};
  records.snapshot = "token";
  std::vector<std::string> seeds;
  for (const ResponseBody& body : std::vector<ResponseBody>{
           core::Status::Overloaded(20, "later"),
           core::Status::Moved(core::Incarnation(2), {1, 2}, "moved"), hello, UinAnswer{},
           ChangedAnswer{true}, ResolvedAnswer{account, core::Uin(4)}, SentAnswer{},
           SequencedAnswer{9}, AccountsAnswer{{account, account}},
           MembersAnswer{{core::Uin(1), core::Uin(2)}}, SyncResult{}, report,
           DigestAnswer{{{core::ShardId(1), "account", 3, 4}}}, NewsAnswer{true, true, {"drafts"}},
           page, records,
           QueueGroups{{{2, true, {1, 2, 3}, {"tcp://a:1", "tcp://b:1", "tcp://c:1"}, "why"}},
                       3,
                       true,
                       true,
                       {{3, true, 10, 1000, 1500}},
                       0},
           GroupOrderResult{2, true}}) {
    seeds.push_back(EncodeResponse(7, body));
  }
  return seeds;
}

}  // namespace

std::vector<FuzzTarget> ClientTargets() {
  return {{"client_request", RunRequest, RequestSeeds},
          {"client_response", RunResponse, ResponseSeeds}};
}

}  // namespace homeport::fuzz
