// User end: what a sync begins with, so that one read finds it. Behind the items of a user's inbox
// each region keeps copies of the user's account and counters rows (and of a group's), made while
// it applies entries. So a scan from where a device is either meets items that are new to it, or
// this row at once. docs/messaging.md, "Sync".
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/messaging/account.h"
#include "core/messaging/user_rows.h"
#include "core/store.h"

namespace homeport::core {

// Bytes of rows as stored; empty where there is none.
struct UserRows {
  std::string account;
  std::string counters;
};
std::string EncodeUserEnd(const UserRows& rows);
// REQUIRES: bytes of EncodeUserEnd.
UserRows DecodeUserEnd(std::string_view bytes);
// From the end, else from the rows themselves.
UserRows LoadUserRows(const StoreView& store, ShardId shard, Uin user);

// What they say; of a deleted or malformed row nothing.
struct UserHead {
  std::optional<AccountInfo> account;
  StoredCounters counters;
};
UserHead ReadUserHead(const UserRows& rows);

}  // namespace homeport::core
