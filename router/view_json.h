// View JSON: what a region shows, as JSON that is the same at the command line and over HTTP.
#pragma once

#include <string>
#include <utility>

#include "core/json.h"
#include "core/text.h"
#include "router/views.h"

namespace homeport::router {

// Adds what only a group has (owner, title, closed), or only a user (profile). docs/cli.md.
inline void PutAccountDetails(core::Json* json, const AccountView& account) {
  if (account.kind == core::AccountKind::kGroup) {
    (*json)["owner"] = nullptr;
    if (account.owner != core::Uin()) (*json)["owner"] = std::to_string(account.owner.value());
    core::PutBytes(json, "title", "title_base64", account.title);
    (*json)["closed"] = account.closed;
    return;
  }
  core::Json& profile = (*json)["profile"] = core::Json::array();
  for (const core::ProfileField& field : account.fields) {
    core::Json one;
    core::PutBytes(&one, "name", "name_base64", field.name);
    core::PutBytes(&one, "value", "base64", field.value);
    profile.push_back(std::move(one));
  }
}

inline std::string PlaceOf(const core::SyncMessage& message) {
  return core::FormatPlace({message.epoch, core::Version(message.version)});
}

inline core::Json IdOrNull(core::MessageId id) {
  if (id == core::MessageId()) return nullptr;
  return std::to_string(id.value());
}

inline core::Json ConversationJson(const ConversationView& view) {
  const core::Conversation& conversation = view.conversation;
  core::Json json = {{"with", std::to_string(view.with.value())}};
  core::PutBytes(&json, "with_name", "with_name_base64", view.with_name);
  json["read"] = nullptr;
  if (const core::Mark& read = conversation.read; read.at != core::Stamp()) {
    json["read"] = {{"place", core::FormatPlace(read.at)}, {"id", IdOrNull(read.message)}};
    if (read.group_seq != 0) json["read"]["seq"] = read.group_seq;
  }
  json["peer_read"] = IdOrNull(conversation.peers_read.message);
  json["peer_delivered"] = IdOrNull(conversation.peers_delivered.message);
  return json;
}

}  // namespace homeport::router
