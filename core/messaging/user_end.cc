#include "core/messaging/user_end.h"

#include "core/check.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::core {
namespace {

constexpr size_t kSizeBytes = 8;

std::optional<Row> LiveRow(std::string_view bytes) {
  std::optional<Row> row = bytes.empty() ? std::nullopt : DecodeRow(bytes);
  return row.has_value() && !row->deleted ? std::move(row) : std::nullopt;
}

}  // namespace

std::string EncodeUserEnd(const UserRows& rows) {
  return EncodeNumber(rows.account.size()) + rows.account + rows.counters;
}

UserRows DecodeUserEnd(std::string_view bytes) {
  CHECK(bytes.size() >= kSizeBytes, "only ApplyEntry writes ends, and in this format");
  const uint64_t account = DecodeNumber(bytes.substr(0, kSizeBytes));
  CHECK(account <= bytes.size() - kSizeBytes, "an end holds the row whose size it tells", account);
  return {std::string(bytes.substr(kSizeBytes, account)),
          std::string(bytes.substr(kSizeBytes + account))};
}

UserRows LoadUserRows(const StoreView& store, ShardId shard, Uin user) {
  if (const auto end = store.Get(InboxEndKey(shard, user))) return DecodeUserEnd(*end);
  return {store.Get(AccountKey(shard, user)).value_or(std::string()),
          store.Get(CountersKey(shard, user)).value_or(std::string())};
}

UserHead ReadUserHead(const UserRows& rows) {
  UserHead head;
  if (const auto account = LiveRow(rows.account)) head.account = DecodeAccount(account->value);
  if (const auto counters = LiveRow(rows.counters)) {
    head.counters = {DecodeCounters(counters->value).value_or(Counters{}), counters->stamp.epoch};
  }
  return head;
}

}  // namespace homeport::core
