#include "coordination/etcd_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/check.h"
#include "core/store.h"
#include "core/text.h"

namespace homeport::coordination {

using core::Result;
using core::Status;
using Json = nlohmann::json;

namespace {

constexpr size_t kTokenBytes = 8;
constexpr int kRowsPerPage = 16;  // a page is limited by rows only, and each may be large

// What grpc calls these.
constexpr int64_t kInvalidArgument = 3;
constexpr int64_t kNotFound = 5;
constexpr int64_t kResourceExhausted = 8;

std::string TokenBytes(Token token) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(token.value() >> shift);
  }
  return bytes;
}

// ---- taking JSON apart: nothing is assumed

const Json& Part(const Json& json, const char* key) {
  static const Json kNone;
  if (!json.is_object()) return kNone;
  const auto found = json.find(key);
  return found == json.end() ? kNone : *found;
}
// 64-bit numbers are strings there; what is 0 is left out.
uint64_t Number(const Json& json, const char* key) {
  const Json& part = Part(json, key);
  if (part.is_number_unsigned()) return part.get<uint64_t>();
  if (!part.is_string()) return 0;
  const auto& text = part.get_ref<const std::string&>();
  uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() ? number : 0;
}
std::string Text(const Json& json, const char* key) {
  const Json& part = Part(json, key);
  return part.is_string() ? part.get<std::string>() : "";
}
bool IsTrue(const Json& json, const char* key) {
  const Json& part = Part(json, key);
  return part.is_boolean() && part.get<bool>();
}
std::optional<std::string> Bytes(const Json& json, const char* key) {
  return core::FromBase64(Text(json, key));
}
Revision HeaderRevision(const Json& json) {
  return Revision(Number(Part(json, "header"), "revision"));
}
std::optional<Json> Parse(std::string_view body) {
  Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return std::nullopt;
  return json;
}

Status NotAsEtcd() {
  return Status::BadRequest("the answer is not as etcd gives it: is the endpoint an etcd's?");
}

// Answered as if all were well: what changes something may have been carried out.
Status Unreadable(const Request& request) {
  if (!IsWrite(request)) return NotAsEtcd();
  return Status::NoQuorum(NotAsEtcd().message() + " It may have carried it out: read it back");
}

Result<Row> TakeRow(const Json& from, std::string_view prefix) {
  const auto key = Bytes(from, "key");
  const auto value = Bytes(from, "value");
  if (!key || !value || !key->starts_with(prefix) || value->size() < kTokenBytes) {
    return Status::Corrupt("a row below our prefix in etcd is not ours: who else writes there?");
  }
  Row row;
  row.key = key->substr(prefix.size());
  row.value = value->substr(kTokenBytes);
  row.revision = Revision(Number(from, "mod_revision"));
  row.lease = LeaseId(Number(from, "lease"));
  uint64_t token = 0;
  for (size_t i = 0; i < kTokenBytes; ++i) {
    token = token << 8 | static_cast<unsigned char>((*value)[i]);
  }
  row.token = Token(token);
  if (IsKey(row.key) && row.value.size() <= kValueBytesMax && row.revision != Revision(0)) {
    return row;
  }
  return Status::Corrupt("a row below our prefix in etcd is not ours: who else writes there?");
}

Status TakeRows(const Json& range, std::string_view prefix, std::vector<Row>* rows) {
  const Json& list = Part(range, "kvs");
  if (!list.is_array()) return {};
  if (list.size() > kRowsPerListMax) return NotAsEtcd();
  for (const Json& one : list) {
    ASSIGN_OR_RETURN(rows->emplace_back(), TakeRow(one, prefix));
  }
  return {};
}

// What etcd refused.
Status Failure(const Request& request, int http, std::string_view body) {
  const auto json = Parse(body);
  const Json& error =
      json ? (Part(*json, "error").is_object() ? Part(*json, "error") : *json) : Json();
  const std::string message = Text(error, "message");
  const auto code =
      static_cast<int64_t>(std::max(Number(error, "code"), Number(error, "grpc_code")));
  const std::string told = fmt::format("etcd answers {}: {}", http, message);
  if (code == kNotFound) return Status::Refused(told);
  if (code == kInvalidArgument) return Status::BadRequest(told);
  if (code == kResourceExhausted) {
    return message.find("space") != std::string::npos ? Status::Refused(told)
                                                      : Status::Overloaded(1000, told);
  }
  if (http == 404 && code == 0) return NotAsEtcd();
  // Timed out, no leader, leader changed: what was proposed may still be carried out.
  return IsWrite(request) ? Status::NoQuorum(told) : Status::Unavailable(told);
}

}  // namespace

EtcdCall EtcdJson::Encode(const Request& request) const {
  const auto key_of = [&](std::string_view key) {
    return core::Base64(std::string(prefix_).append(key));
  };
  if (const auto* get = std::get_if<Get>(&request)) {
    return {"/v3/kv/range", Json{{"key", key_of(get->key)}}.dump()};
  }
  if (const auto* list = std::get_if<List>(&request)) {
    const std::string first =
        list->after < list->prefix ? key_of(list->prefix) : key_of(list->after + '\0');
    return {"/v3/kv/range",
            Json{{"key", first},
                 {"range_end", core::Base64(core::PrefixEnd(prefix_ + list->prefix))},
                 {"limit", kRowsPerPage}}
                .dump()};
  }
  if (const auto* grant = std::get_if<GrantLease>(&request)) {
    return {"/v3/lease/grant", Json{{"TTL", grant->ttl.count()}}.dump()};
  }
  if (const auto* keep = std::get_if<KeepAlive>(&request)) {
    return {"/v3/lease/keepalive", Json{{"ID", std::to_string(keep->lease.value())}}.dump()};
  }
  if (const auto* end = std::get_if<EndLease>(&request)) {
    return {"/v3/lease/revoke", Json{{"ID", std::to_string(end->lease.value())}}.dump()};
  }
  if (const auto* watch = std::get_if<Watch>(&request)) {
    return {"/v3/watch",
            Json{{"create_request",
                  {{"key", key_of(watch->prefix)},
                   {"range_end", core::Base64(core::PrefixEnd(prefix_ + watch->prefix))},
                   {"start_revision", std::to_string(watch->from.value())}}}}
                .dump()};
  }
  const auto* set = std::get_if<CompareAndSet>(&request);
  CHECK(set != nullptr, "an AskStatus is several calls");
  Json compare = Json::array();
  Json success = Json::array();
  Json failure = Json::array();
  for (const Term& term : set->terms) {
    const std::string key = key_of(term.key);
    compare.push_back({{"result", "EQUAL"},
                       {"target", "MOD"},
                       {"key", key},
                       {"mod_revision", std::to_string(term.expected.value())}});
    failure.push_back({{"request_range", {{"key", key}}}});
    if (!term.write) continue;
    if (!term.write->value) {
      success.push_back({{"request_delete_range", {{"key", key}}}});
      continue;
    }
    success.push_back({{"request_put",
                        {{"key", key},
                         {"value", core::Base64(TokenBytes(set->token) + *term.write->value)},
                         {"lease", std::to_string(term.write->lease.value())}}}});
  }
  return {"/v3/kv/txn", Json{{"compare", std::move(compare)},
                             {"success", std::move(success)},
                             {"failure", std::move(failure)}}
                            .dump()};
}

namespace {

Answer DecodeRange(const Json& json, std::string_view prefix) {
  Rows rows;
  rows.revision = HeaderRevision(json);
  if (Status status = TakeRows(json, prefix, &rows.rows); !status.ok()) return status;
  rows.more = IsTrue(json, "more");
  return rows;
}

Answer DecodeTransaction(const CompareAndSet& set, const Json& json, std::string_view prefix) {
  Compared compared;
  compared.revision = HeaderRevision(json);
  compared.done = IsTrue(json, "succeeded");
  if (compared.done) return compared;
  const Json& responses = Part(json, "responses");
  if (!responses.is_array()) return Unreadable(set);
  for (const Json& response : responses) {
    const Status status = TakeRows(Part(response, "response_range"), prefix, &compared.rows);
    if (!status.ok()) return status;
  }
  for (const Row& row : compared.rows) {
    if (row.token == set.token) return Compared{true, row.revision, {}};
  }
  return compared;
}

Answer DecodeLease(const Request& request, const Json& json) {
  const uint64_t ttl = Number(json, "TTL");
  const uint64_t id = Number(json, "ID");
  if (id == 0) return Unreadable(request);
  if (ttl == 0) return Status::Refused(fmt::format("there is no lease {:x}: it ended", id));
  return Leased{LeaseId(id), std::chrono::seconds(ttl)};
}

}  // namespace

Answer EtcdJson::Decode(const Request& request, int http, std::string_view body) const {
  if (http != 200) {
    Status failure = Failure(request, http, body);
    // To end a lease that has ended is no failure.
    if (std::holds_alternative<EndLease>(request) && failure.code() == core::Code::kRefused) {
      return LeaseEnded{};
    }
    return failure;
  }
  const auto json = Parse(body);
  if (!json) return Unreadable(request);
  if (const auto* set = std::get_if<CompareAndSet>(&request)) {
    return DecodeTransaction(*set, *json, prefix_);
  }
  if (std::holds_alternative<GrantLease>(request)) return DecodeLease(request, *json);
  if (std::holds_alternative<KeepAlive>(request)) {
    const Json& result = Part(*json, "result");
    return result.is_object() ? DecodeLease(request, result) : Answer(Failure(request, http, body));
  }
  if (HeaderRevision(*json) == Revision(0)) return Unreadable(request);
  if (std::holds_alternative<EndLease>(request)) return LeaseEnded{};
  return DecodeRange(*json, prefix_);
}

std::optional<Answer> EtcdJson::DecodeLine(std::string_view line) const {
  const auto json = Parse(line);
  if (!json) return NotAsEtcd();
  const Json& result = Part(*json, "result");
  if (!result.is_object()) return Failure(AskStatus{}, 200, line);
  if (const uint64_t first = Number(result, "compact_revision"); first != 0) {
    return Status::Trimmed(
        core::Seq(first),
        fmt::format("changes before revision {} are not kept: list again", first));
  }
  if (IsTrue(result, "canceled")) {
    return Status::Unavailable("etcd ended the watch: " + Text(result, "cancel_reason"));
  }
  const Json& events = Part(result, "events");
  if (!events.is_array()) return std::nullopt;
  Changes changes;
  for (const Json& event : events) {
    const Json& row = Part(event, "kv");
    Change change;
    change.deleted = Text(event, "type") == "DELETE";
    if (change.deleted) {
      const auto key = Bytes(row, "key");
      if (!key || !key->starts_with(prefix_)) return NotAsEtcd();
      change.row.key = key->substr(prefix_.size());
      change.row.revision = Revision(Number(row, "mod_revision"));
    } else {
      auto taken = TakeRow(row, prefix_);
      if (!taken.ok()) return Answer(taken.status());
      change.row = std::move(taken).value();
    }
    changes.next = std::max(changes.next, change.row.revision + 1);
    changes.changes.push_back(std::move(change));
  }
  if (changes.changes.empty()) return std::nullopt;
  return Answer(std::move(changes));
}

std::string KnownFaults(std::string_view version) {
  uint64_t numbers[3] = {0, 0, 0};
  const char* at = version.data();
  const char* const end = at + version.size();
  for (uint64_t& number : numbers) {
    const auto parsed = std::from_chars(at, end, number);
    if (parsed.ec != std::errc()) return "";
    at = parsed.ptr == end ? end : parsed.ptr + 1;
  }
  const auto [first, second, third] = numbers;
  const bool is_old =
      first < 3 ||
      (first == 3 && (second < 4 || (second == 4 && third < 42) || (second == 5 && third < 18)));
  if (!is_old) return "";
  return fmt::format(
      "etcd {} has known faults: after a pause it may end leases that are kept, lose changes of "
      "watches, and show old rows; 3.5.18 and 3.4.42 have them mended",
      version);
}

EtcdCall EtcdJson::CountCall() const {
  return {"/v3/kv/range", Json{{"key", core::Base64(prefix_)},
                               {"range_end", core::Base64(core::PrefixEnd(prefix_))},
                               {"count_only", true}}
                              .dump()};
}

bool EtcdJson::DecodeMember(const std::string& endpoint, std::string_view body,
                            StoreStatus* status) {
  Member member;
  member.endpoint = endpoint;
  if (const auto json = Parse(body)) {
    const uint64_t self = Number(Part(*json, "header"), "member_id");
    member.name = fmt::format("{:x}", self);
    member.version = Text(*json, "version");
    member.up = !member.version.empty();
    member.leads = self != 0 && Number(*json, "leader") == self;
  }
  status->members.push_back(member);
  return member.up;
}

bool EtcdJson::DecodeLeases(std::string_view body, StoreStatus* status) {
  const auto json = Parse(body);
  if (!json || HeaderRevision(*json) == Revision(0)) return false;
  status->leases = Part(*json, "leases").is_array() ? Part(*json, "leases").size() : 0;
  return true;
}

bool EtcdJson::DecodeCount(std::string_view body, StoreStatus* status) {
  const auto json = Parse(body);
  if (!json || HeaderRevision(*json) == Revision(0)) return false;
  status->revision = HeaderRevision(*json);
  status->rows = Number(*json, "count");
  return true;
}

}  // namespace homeport::coordination
