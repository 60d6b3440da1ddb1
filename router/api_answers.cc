// What an Api answers: JSON of answers and of errors.
#include <fmt/format.h>

#include <string>
#include <type_traits>
#include <utility>

#include "core/check.h"
#include "router/api.h"
#include "router/view_json.h"
#include "router/view_names.h"

namespace homeport::router {

using core::ClusterConfig;
using core::Code;
using core::Incarnation;
using core::Json;
using core::PutBytes;
using core::Status;

namespace {

template <class Tag>
std::string Id(core::StrongInt<Tag, uint64_t> id) {
  return std::to_string(id.value());
}
std::string RegionName(const ClusterConfig& config, Incarnation incarnation) {
  const core::RegionConfig* region = config.FindRegion(incarnation);
  return region != nullptr ? region->name : fmt::format("incarnation {}", incarnation.value());
}
Json Epoch(core::MastershipEpoch epoch) {
  return {{"takeover", epoch.takeover}, {"move", epoch.move}};
}

Json Show(const ClusterConfig& config, const HelloAnswer& hello) {
  Json regions = Json::array();
  for (const GatewayAddress& region : hello.regions) {
    Json one = {{"region", region.region}, {"gateway", region.endpoint}, {"api", nullptr}};
    if (const auto url = ApiUrl(config, region.incarnation)) one["api"] = *url;
    regions.push_back(std::move(one));
  }
  return {{"cluster", hello.cluster},
          {"region", hello.region},
          {"shards", hello.shards},
          {"regions", std::move(regions)}};
}
Json Show(const ClusterConfig&, const UinAnswer& answer) {
  return {{"uin", Id(answer.uin)}};
}
Json Show(const ClusterConfig&, const ChangedAnswer& answer) {
  return {{"changed", answer.changed}};
}
Json AccountJson(const ClusterConfig& config, const AccountView& account) {
  Json json;
  json["uin"] = Id(account.uin);
  const bool is_group = account.kind == core::AccountKind::kGroup;
  json["kind"] = is_group ? "group" : "user";
  PutBytes(&json, "name", "name_base64", account.name);
  json["home"] = RegionName(config, account.home);
  json["epoch"] = Epoch(account.epoch);
  json["created_at"] = core::FormatTime(account.created_at_ms);
  if (is_group) json["members"] = account.members;
  PutAccountDetails(&json, account);
  return json;
}
Json Show(const ClusterConfig& config, const ResolvedAnswer& answer) {
  Json json = {{"account", nullptr}, {"bound", nullptr}};
  if (answer.account) json["account"] = AccountJson(config, *answer.account);
  if (answer.bound != core::Uin()) json["bound"] = Id(answer.bound);
  return json;
}
Json Show(const ClusterConfig&, const SentAnswer& answer) {
  return {{"id", Id(answer.message)}};
}
Json Show(const ClusterConfig&, const SequencedAnswer& answer) {
  Json json = {{"seq", nullptr}};
  if (answer.group_seq) json["seq"] = *answer.group_seq;
  return json;
}
Json Show(const ClusterConfig&, const NewsAnswer& answer) {
  Json json = {{"news", answer.news}, {"replaced", answer.replaced}};
  if (!answer.records.empty()) json["records"] = answer.records;
  return json;
}
Json Show(const ClusterConfig&, const MembersAnswer& answer) {
  Json members = Json::array();
  for (const core::Uin member : answer.members) members.push_back(Id(member));
  Json json = {{"members", std::move(members)}, {"next", nullptr}};
  if (answer.next != core::Uin()) json["next"] = Id(answer.next);
  return json;
}
Json MessageJson(const SyncedMessage& message) {
  Json json;
  json["id"] = Id(message.id);
  json["sender"] = Id(message.sender);
  PutBytes(&json, "sender_name", "sender_name_base64", message.sender_name);
  json["group"] = nullptr;
  json["seq"] = message.version;
  if (message.group != core::Uin()) {
    json["group"] = Id(message.group);
    PutBytes(&json, "group_name", "group_name_base64", message.group_name);
    json["seq"] = message.group_seq;
  }
  json["place"] = PlaceOf(message);
  json["sent_at"] = core::FormatTime(message.sent_at_ms);
  PutBytes(&json, "text", "base64", message.body);
  if (message.event.kind != core::GroupEventKind::kNone) {
    json["event"] = EventName(message.event.kind);
    json["subject"] = Id(message.event.subject);
    PutBytes(&json, "subject_name", "subject_name_base64", message.subject_name);
    PutBytes(&json, "title", "title_base64", message.event.text);
  }
  if (message.recalled) json["recalled"] = true;
  if (message.is_recall) json["recall"] = true;
  if (message.expired) json["expired"] = true;
  return json;
}
Json ContactJson(const ContactView& contact) {
  Json json = {{"peer", Id(contact.peer)}};
  PutBytes(&json, "peer_name", "peer_name_base64", contact.peer_name);
  json["relation"] = RelationName(contact.relation);
  json["blocked"] = contact.blocked;
  PutBytes(&json, "remark", "remark_base64", contact.remark);
  PutBytes(&json, "text", "base64", contact.text);
  json["changed_at"] = core::FormatTime(contact.changed_at_ms);
  return json;
}
Json DeviceJson(const core::SyncDevice& device) {
  Json json = {{"device", device.number.value()}};
  PutBytes(&json, "name", "name_base64", device.device.name);
  json["registered_at"] = core::FormatTime(device.device.registered_at_ms);
  json["seen_at"] = core::FormatTime(device.seen_at_ms);
  return json;
}
Json Show(const ClusterConfig& config, const SyncResult& page) {
  Json json = {{"snapshot", page.snapshot}, {"more", page.more}, {"account", nullptr}};
  if (page.account) {
    json["account"] = AccountJson(config, *page.account);
    json["devices"] = Json::array();
    for (const core::SyncDevice& device : page.devices) {
      json["devices"].push_back(DeviceJson(device));
    }
  }
  json["contacts"] = Json::array();
  for (const ContactView& contact : page.contacts) json["contacts"].push_back(ContactJson(contact));
  json["conversations"] = Json::array();
  for (const ConversationView& conversation : page.conversations) {
    json["conversations"].push_back(ConversationJson(conversation));
  }
  json["messages"] = Json::array();
  for (const SyncedMessage& message : page.messages) {
    json["messages"].push_back(MessageJson(message));
  }
  return json;
}
Json Show(const ClusterConfig&, const core::RecordsPage& page) {
  Json records = Json::array();
  for (const core::SyncRecord& record : page.records) {
    Json one;
    PutBytes(&one, "key", "key_base64", record.key);
    if (record.deleted) {
      one["deleted"] = true;
    } else {
      PutBytes(&one, "value", "base64", record.value);
      one["changed_at"] = core::FormatTime(record.changed_at_ms);
    }
    records.push_back(std::move(one));
  }
  return {{"records", std::move(records)}, {"snapshot", page.snapshot}, {"more", page.more}};
}
Json Show(const ClusterConfig&, const DeviceAnswer& answer) {
  return {{"device", answer.device.value()}};
}

template <class Answer>
concept IsShown = requires(const ClusterConfig& config, const Answer& answer) {
  Show(config, answer);
}
&&!std::is_same_v<Answer, Status>;

}  // namespace

std::optional<std::string> ApiUrl(const ClusterConfig& config, Incarnation region) {
  const core::RegionConfig* known = config.FindRegion(region);
  if (known == nullptr || known->api.empty()) return std::nullopt;
  return "http://" + known->api;
}

int HttpStatusOf(Code code) {
  switch (code) {
    case Code::kOk:
      return 200;
    case Code::kMoved:
      return 421;
    case Code::kOverloaded:
      return 429;
    case Code::kNoQuorum:
    case Code::kUnavailable:
      return 503;
    case Code::kTaken:
      return 409;
    case Code::kTrimmed:
    case Code::kResync:
      return 410;
    case Code::kRefused:
      return 403;
    case Code::kTooLarge:
      return 413;
    case Code::kBadRequest:
      return 400;
    case Code::kFenced:
    case Code::kCorrupt:
    case Code::kIo:
      break;
  }
  return 500;
}

std::optional<Json> AnswerJson(const ClusterConfig& config, const ResponseBody& body) {
  return std::visit(
      [&](const auto& answer) -> std::optional<Json> {
        if constexpr (IsShown<std::decay_t<decltype(answer)>>) return Show(config, answer);
        return std::nullopt;
      },
      body);
}

Json ProblemJson(const ClusterConfig& config, const Status& status, int http_status) {
  CHECK(!status.ok(), "a problem has a reason");
  const std::string code(core::CodeName(status.code()));
  Json json = {{"type", "urn:homeport:" + code},
               {"title", code},
               {"status", http_status},
               {"detail", status.message()}};
  switch (status.code()) {
    case Code::kMoved:
      json["home"] = {{"region", RegionName(config, status.home())},
                      {"api", nullptr},
                      {"epoch", Epoch(status.epoch())}};
      if (const auto url = ApiUrl(config, status.home())) json["home"]["api"] = *url;
      break;
    case Code::kOverloaded:
      json["retry_after_ms"] = status.detail();
      break;
    case Code::kTaken:
      json["owner"] = std::to_string(status.detail());
      break;
    case Code::kTrimmed:
      json["first"] = std::to_string(status.detail());
      break;
    case Code::kResync:
      json["from"] = std::to_string(status.detail());
      break;
    case Code::kTooLarge:
      json["limit"] = status.detail();
      break;
    default:
      break;
  }
  return json;
}

}  // namespace homeport::router
