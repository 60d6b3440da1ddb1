#include "cli/messages.h"

#include <fmt/format.h>

#include <iterator>
#include <utility>

#include "router/view_json.h"
#include "router/view_names.h"

namespace homeport::cli {

using core::Result;
using router::EventName;
using router::SyncedMessage;

namespace {

constexpr core::SyncLimits kPage{.items_max = 5000, .bytes_max = 4 << 20};

// What a person reads of it.
std::string TextOf(const SyncedMessage& message) {
  if (message.is_recall) return fmt::format("recalls message {}", message.id.value());
  if (message.recalled) return "(recalled)";
  if (message.expired) return "(no longer kept)";
  if (message.event.kind == core::GroupEventKind::kNone) return Printable(message.body);
  return fmt::format("* {} {}{}", EventName(message.event.kind), Printable(message.subject_name),
                     Printable(message.event.text));
}

}  // namespace

Json ToJson(const SyncedMessage& message) {
  Json json;
  json["id"] = std::to_string(message.id.value());
  PutBytes(&json, "from", "from_base64", message.sender_name);
  if (message.group == core::Uin()) {
    json["group"] = nullptr;
    json["seq"] = message.version;
  } else {
    PutBytes(&json, "group", "group_base64", message.group_name);
    json["seq"] = message.group_seq;
  }
  json["place"] = router::PlaceOf(message);
  json["sent_at"] = FormatTime(message.sent_at_ms);
  PutBytes(&json, "text", "base64", message.body);
  if (message.event.kind != core::GroupEventKind::kNone) {
    json["event"] = EventName(message.event.kind);
    PutBytes(&json, "subject", "subject_base64", message.subject_name);
    PutBytes(&json, "title", "title_base64", message.event.text);
  }
  if (message.recalled) json["recalled"] = true;
  if (message.is_recall) json["recall"] = true;
  if (message.expired) json["expired"] = true;
  return json;
}

std::string LineOf(const SyncedMessage& message) {
  const std::string place =
      message.group == core::Uin()
          ? ""
          : fmt::format(" {}#{}", Printable(message.group_name), message.group_seq);
  return fmt::format("{}{} <{}> {}", FormatTime(message.sent_at_ms), place,
                     Printable(message.sender_name), TextOf(message));
}

Result<router::SyncResult> ReadAll(router::Client& client, core::Uin user,
                                   core::DeviceNumber device, core::Duration wait,
                                   const std::string& snapshot) {
  router::SyncResult all;
  all.snapshot = snapshot;
  for (all.more = true; all.more;) {
    ASSIGN_OR_RETURN(auto page, client.Sync(user, all.snapshot, kPage, wait, device));
    all.snapshot = page.snapshot;
    all.more = page.more;
    if (page.account) all.account = std::move(page.account);
    std::move(page.contacts.begin(), page.contacts.end(), std::back_inserter(all.contacts));
    std::move(page.conversations.begin(), page.conversations.end(),
              std::back_inserter(all.conversations));
    std::move(page.messages.begin(), page.messages.end(), std::back_inserter(all.messages));
  }
  return all;
}

}  // namespace homeport::cli
