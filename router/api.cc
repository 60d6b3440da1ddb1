#include "router/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <type_traits>
#include <utility>
#include <vector>

#include "router/directory.h"
#include "router/local_reads.h"

namespace homeport::router {

using core::ClientMessageId;
using core::Duration;
using core::Result;
using core::Status;
using core::Uin;

namespace {

constexpr uint32_t kWaitMsMax = 300'000;

Uin TakeUin(ApiArgs& args, std::string_view key) {
  return Uin(args.TakeId(key));
}
std::string TakeName(ApiArgs& args) {
  return args.TakeBytes("name", "name_base64");
}
// Where a page of a sync begins, how much it holds, and how long it is waited for.
template <class Request>
void TakePage(ApiArgs& args, Request* request) {
  request->snapshot = args.TakeText("snapshot", "");
  request->items_max = args.TakeNumber("items_max", UINT32_MAX);
  request->bytes_max = args.TakeNumber("bytes_max", UINT32_MAX);
  request->wait_ms = args.TakeNumber("wait_ms", kWaitMsMax);
}

// ---- one function per route

RequestBody ReadHello(ApiArgs&) {
  return HelloRequest{};
}
RequestBody ReadNewUin(ApiArgs&) {
  return core::NewUin{};
}
RequestBody ReadClaimName(ApiArgs& args) {
  return core::ClaimName{args.TakeKind("kind"), TakeName(args), TakeUin(args, "uin")};
}
RequestBody ReadCreateAccount(ApiArgs& args) {
  return core::CreateAccount{TakeUin(args, "uin"), args.TakeKind("kind"), TakeName(args)};
}
RequestBody ReadResolve(ApiArgs& args) {
  return ResolveRequest{args.TakeKind("kind"), TakeName(args)};
}
RequestBody ReadShow(ApiArgs& args) {
  return ShowRequest{TakeUin(args, "uin")};
}
RequestBody ReadSend(ApiArgs& args) {
  core::SendMessage send;
  send.from = TakeUin(args, "from");
  send.client_message = ClientMessageId(args.TakeId("client_message_id"));
  send.to_group = args.Has("group");
  if (send.to_group && args.Has("to")) args.Fail("to whom? One of to and group is needed");
  send.to = TakeUin(args, send.to_group ? "group" : "to");
  send.body = args.TakeBytes("text", "base64");
  return send;
}
RequestBody ReadSync(ApiArgs& args) {
  SyncRequest sync;
  sync.user = TakeUin(args, "user");
  sync.device = args.TakeDevice();
  TakePage(args, &sync);
  return sync;
}
RequestBody ReadNews(ApiArgs& args) {
  AwaitNewsRequest news;
  news.user = TakeUin(args, "user");
  news.device = args.TakeDevice();
  news.snapshot = args.TakeText("snapshot", "");
  news.wait_ms = args.TakeNumber("wait_ms", kWaitMsMax);
  news.records = args.TakeRecordsPlaces();
  return news;
}
RequestBody ReadSequenced(ApiArgs& args) {
  return AwaitSequencedRequest{TakeUin(args, "group"), TakeUin(args, "sender"),
                               ClientMessageId(args.TakeId("client_message_id")),
                               args.TakeNumber("wait_ms", kWaitMsMax)};
}
RequestBody ReadJoin(ApiArgs& args) {
  return core::JoinGroup{TakeUin(args, "group"), TakeUin(args, "user")};
}
RequestBody ReadLeave(ApiArgs& args) {
  return core::LeaveGroup{TakeUin(args, "group"), TakeUin(args, "user")};
}
RequestBody ReadRegisterDevice(ApiArgs& args) {
  return core::ChangeCommand(
      core::RegisterDevice{TakeUin(args, "user"), args.TakeId("install"), TakeName(args)});
}
RequestBody ReadRemoveDevice(ApiArgs& args) {
  return core::ChangeCommand(core::RemoveDevice{TakeUin(args, "user"), args.TakeDevice()});
}
RequestBody ReadSetProfile(ApiArgs& args) {
  return core::ChangeCommand(core::SetProfile{TakeUin(args, "user"), args.TakeFields("profile")});
}
RequestBody ReadRecall(ApiArgs& args) {
  return core::ChangeCommand(core::RecallMessage{
      TakeUin(args, "from"), ClientMessageId(args.TakeId("client_message_id"))});
}
RequestBody ReadAskContact(ApiArgs& args) {
  return core::ChangeCommand(core::AskContact{TakeUin(args, "user"), TakeUin(args, "peer"),
                                              args.TakeBytesIfAny("text", "base64")});
}
RequestBody ReadDeleteContact(ApiArgs& args) {
  return core::ChangeCommand(core::DeleteContact{TakeUin(args, "user"), TakeUin(args, "peer")});
}
RequestBody ReadBlockContact(ApiArgs& args) {
  return core::ChangeCommand(core::BlockContact{TakeUin(args, "user"), TakeUin(args, "peer"),
                                                args.TakeFlag("blocked", true)});
}
RequestBody ReadRemarkContact(ApiArgs& args) {
  return core::ChangeCommand(core::RemarkContact{TakeUin(args, "user"), TakeUin(args, "peer"),
                                                 args.TakeBytes("remark", "remark_base64")});
}
RequestBody ReadCreateGroup(ApiArgs& args) {
  return core::ChangeCommand(core::CreateGroup{TakeUin(args, "uin"), TakeName(args),
                                               TakeUin(args, "owner"),
                                               args.TakeBytesIfAny("title", "title_base64")});
}
RequestBody ReadRenameGroup(ApiArgs& args) {
  return core::ChangeCommand(core::RenameGroup{TakeUin(args, "group"), TakeUin(args, "by"),
                                               args.TakeBytes("title", "title_base64")});
}
RequestBody ReadCloseGroup(ApiArgs& args) {
  return core::ChangeCommand(
      core::CloseGroup{TakeUin(args, "group"), TakeUin(args, "by"), args.TakeFlag("closed", true)});
}
RequestBody ReadAddMember(ApiArgs& args) {
  return core::ChangeCommand(
      core::AddMember{TakeUin(args, "group"), TakeUin(args, "by"), TakeUin(args, "user")});
}
RequestBody ReadRemoveMember(ApiArgs& args) {
  return core::ChangeCommand(
      core::RemoveMember{TakeUin(args, "group"), TakeUin(args, "by"), TakeUin(args, "user")});
}
RequestBody ReadTransferGroup(ApiArgs& args) {
  return core::ChangeCommand(
      core::TransferGroup{TakeUin(args, "group"), TakeUin(args, "by"), TakeUin(args, "to")});
}
RequestBody ReadRecords(ApiArgs& args) {
  RecordsRequest records;
  records.user = TakeUin(args, "user");
  records.table = args.TakeText("table");
  TakePage(args, &records);
  return records;
}
RequestBody ReadPutRecord(ApiArgs& args) {
  return core::ChangeCommand(core::PutRecord{TakeUin(args, "user"), args.TakeText("table"),
                                             args.TakeBytes("key", "key_base64"),
                                             args.TakeBytes("value", "base64")});
}
RequestBody ReadDeleteRecord(ApiArgs& args) {
  return core::ChangeCommand(core::DeleteRecord{TakeUin(args, "user"), args.TakeText("table"),
                                                args.TakeBytes("key", "key_base64")});
}
RequestBody ReadMarkRead(ApiArgs& args) {
  return core::ChangeCommand(
      core::MarkRead{TakeUin(args, "user"), TakeUin(args, "with"), args.TakePlace("through")});
}
RequestBody ReadMembers(ApiArgs& args) {
  return MembersRequest{TakeUin(args, "group"), Uin(args.TakeId("after", 0)),
                        args.TakeNumber("limit", kListLimitMax)};
}

constexpr std::array kRoutes = std::to_array<ApiRoute>({
    {"hello", "GET", "/v1/hello", ReadHello},
    {"new_uin", "POST", "/v1/uins", ReadNewUin},
    {"claim_name", "POST", "/v1/names", ReadClaimName},
    {"find", "GET", "/v1/names/{kind}/{name}", ReadResolve},
    {"create", "POST", "/v1/accounts", ReadCreateAccount},
    {"show", "GET", "/v1/accounts/{uin}", ReadShow},
    {"send", "POST", "/v1/send", ReadSend},
    {"sync", "POST", "/v1/sync", ReadSync},
    {"news", "POST", "/v1/news", ReadNews},
    {"register_device", "POST", "/v1/users/{user}/devices", ReadRegisterDevice},
    {"remove_device", "DELETE", "/v1/users/{user}/devices/{device}", ReadRemoveDevice},
    {"set_profile", "POST", "/v1/users/{user}/profile", ReadSetProfile},
    {"recall", "POST", "/v1/recall", ReadRecall},
    {"ask_contact", "POST", "/v1/users/{user}/contacts/{peer}/ask", ReadAskContact},
    {"delete_contact", "DELETE", "/v1/users/{user}/contacts/{peer}", ReadDeleteContact},
    {"block_contact", "POST", "/v1/users/{user}/contacts/{peer}/block", ReadBlockContact},
    {"remark_contact", "POST", "/v1/users/{user}/contacts/{peer}/remark", ReadRemarkContact},
    {"create_group", "POST", "/v1/groups", ReadCreateGroup},
    {"rename_group", "POST", "/v1/groups/{group}/rename", ReadRenameGroup},
    {"close_group", "POST", "/v1/groups/{group}/close", ReadCloseGroup},
    {"add_member", "POST", "/v1/groups/{group}/members", ReadAddMember},
    {"remove_member", "DELETE", "/v1/groups/{group}/members/{user}", ReadRemoveMember},
    {"transfer_group", "POST", "/v1/groups/{group}/transfer", ReadTransferGroup},
    {"mark_read", "POST", "/v1/users/{user}/read", ReadMarkRead},
    {"records", "POST", "/v1/users/{user}/records/{table}", ReadRecords},
    {"put_record", "PUT", "/v1/users/{user}/records/{table}/{key}", ReadPutRecord},
    {"delete_record", "DELETE", "/v1/users/{user}/records/{table}/{key}", ReadDeleteRecord},
    {"join", "POST", "/v1/groups/{group}/join", ReadJoin},
    {"leave", "POST", "/v1/groups/{group}/leave", ReadLeave},
    {"members", "GET", "/v1/groups/{group}/members", ReadMembers},
    {"sequenced", "POST", "/v1/groups/{group}/sequenced", ReadSequenced},
});

// ---- paths

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Any bytes; nullopt when a percent sign is followed by no two hex digits.
std::optional<std::string> PercentDecoded(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      bytes += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return bytes;
}

std::vector<std::string_view> Split(std::string_view text, char at) {
  std::vector<std::string_view> parts;
  while (true) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// Whether `path` is one of `pattern`; what stands for its {names}.
bool Matches(std::string_view pattern, std::string_view path,
             std::vector<std::pair<std::string, std::string_view>>* values) {
  const auto wanted = Split(pattern, '/');
  const auto parts = Split(path, '/');
  if (wanted.size() != parts.size()) return false;
  values->clear();
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool is_value = wanted[i].starts_with('{');
    if (!is_value && wanted[i] != parts[i]) return false;
    if (is_value) values->emplace_back(wanted[i].substr(1, wanted[i].size() - 2), parts[i]);
  }
  return true;
}

// The id under which a command is executed once, where it has one and the client gave one.
template <class Request>
void TakeOnce(ApiArgs& args, Request* request) {
  if constexpr (requires { request->once; }) {
    request->once = ClientMessageId(args.TakeId("client_message_id", 0));
  }
}
void TakeOnce(ApiArgs& args, core::ChangeCommand* change) {
  std::visit([&](auto& command) { TakeOnce(args, &command); }, *change);
}

Result<RequestBody> Read(const ApiRoute& route, ApiArgs args) {
  RequestBody request = route.read(args);
  std::visit([&](auto& body) { TakeOnce(args, &body); }, request);
  RETURN_IF_ERROR(args.Finish());
  return request;
}

// Bytes of path and query into `args`.
void AddDecoded(ApiArgs* args, const std::string& key, std::string_view encoded) {
  std::optional<std::string> value = PercentDecoded(encoded);
  if (!value) return args->Fail(fmt::format("{} is not percent-encoded", Quoted(key)));
  args->Add(key, std::move(*value));
}

Result<RequestBody> ReadAt(const ApiRoute& route,
                           const std::vector<std::pair<std::string, std::string_view>>& values,
                           std::string_view query, std::string_view body) {
  ASSIGN_OR_RETURN(nlohmann::json object, ParseApiObject(body));
  ApiArgs args(std::move(object));
  for (const auto& [key, value] : values) AddDecoded(&args, key, value);
  for (const std::string_view part : Split(query, '&')) {
    if (part.empty()) continue;
    const size_t equals = part.find('=');
    const auto value = equals == std::string_view::npos ? "" : part.substr(equals + 1);
    AddDecoded(&args, std::string(part.substr(0, equals)), value);
  }
  return Read(route, std::move(args));
}

}  // namespace

std::span<const ApiRoute> ApiRoutes() {
  return kRoutes;
}

std::variant<RequestBody, ApiError> ReadApiRequest(std::string_view method, std::string_view target,
                                                   std::string_view body) {
  const size_t question = target.find('?');
  const std::string_view path = target.substr(0, question);
  const std::string_view query =
      question == std::string_view::npos ? "" : target.substr(question + 1);
  std::vector<std::pair<std::string, std::string_view>> values;
  std::string allow;
  for (const ApiRoute& route : kRoutes) {
    if (!Matches(route.path, path, &values)) continue;
    if (route.method != method) {
      allow += fmt::format("{}{}", allow.empty() ? "" : ", ", route.method);
      continue;
    }
    auto request = ReadAt(route, values, query, body);
    if (!request.ok()) return ApiError{400, request.status(), ""};
    return std::move(*request);
  }
  if (!allow.empty()) {
    return ApiError{405, Status::BadRequest(fmt::format("only {} is served here", allow)), allow};
  }
  return ApiError{404, Status::BadRequest(fmt::format("{} is no path here", Quoted(path))), ""};
}

Result<RequestBody> ReadApiCall(std::string_view name, nlohmann::json args) {
  const auto route =
      std::find_if(kRoutes.begin(), kRoutes.end(), [&](const auto& r) { return r.name == name; });
  if (route == kRoutes.end()) {
    return Status::BadRequest(fmt::format("{} is nothing that can be asked", Quoted(name)));
  }
  if (!args.is_object()) return Status::BadRequest(fmt::format("{} is no JSON object", name));
  return Read(*route, ApiArgs(std::move(args)));
}

Duration WaitOf(const RequestBody& request) {
  return std::visit(
      [](const auto& body) -> Duration {
        if constexpr (requires { body.wait_ms; }) return std::chrono::milliseconds(body.wait_ms);
        return Duration(0);
      },
      request);
}

}  // namespace homeport::router
