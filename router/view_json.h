// View JSON: what a region shows, as JSON that is the same at the command line and over HTTP.
#pragma once

#include <string>
#include <utility>

#include "core/json.h"
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

}  // namespace homeport::router
