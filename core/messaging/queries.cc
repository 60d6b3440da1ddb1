#include "core/messaging/queries.h"

#include <algorithm>

#include "core/config.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::core {
namespace {

std::string After(const std::string& key) {
  return key + '\0';
}

// Position of the last item in an inbox; also when older items are cleared.
Stamp LastInboxStamp(const StoreView& store, ShardId shard, Uin user, const Stamp& cleared) {
  const std::string prefix = InboxPrefix(shard, user);
  const auto last = store.Last(prefix, PrefixEnd(prefix));
  return last ? std::max(cleared, PlaceOfInboxKey(last->first).stamp) : cleared;
}

// Makes the reader's message of one inbox item. kUnavailable: the group's row has not arrived here.
Status ReadItem(const StoreView& store, uint16_t shards, std::string_view value, SyncMessage* out) {
  std::optional<InboxItem> item = DecodeInboxItem(value);
  if (!item.has_value()) return Status::Corrupt("an inbox item of unknown form is stored");
  if (!item->message.has_value()) {
    const ShardId shard = ShardOf(item->group, shards);
    const auto bytes = ReadLive(store, GroupMessageKey(shard, item->group, item->group_seq));
    if (!bytes.has_value()) return Status::Unavailable("the group's message is not here yet");
    std::optional<GroupMessage> row = DecodeGroupMessage(*bytes);
    if (!row.has_value()) return Status::Corrupt("a group message of unknown form is stored");
    out->group = item->group;
    out->group_seq = item->group_seq;
    item->message = std::move(row->message);
  }
  out->id = item->message->id;
  out->sender = item->message->sender;
  out->sent_at_ms = item->message->sent_at_ms;
  out->body = std::move(item->message->body);
  return {};
}

// Fills `page` with the items after `position`, which moves to the last one taken.
Status FillPage(const StoreView& store, uint16_t shards, Uin user, const SyncLimits& limits,
                Stamp* position, SyncPage* page) {
  const ShardId shard = ShardOf(user, shards);
  size_t bytes = 0;
  Status failed;
  store.Scan(After(InboxKey(shard, user, *position)), PrefixEnd(InboxPrefix(shard, user)),
             [&](std::string_view key, std::string_view value) {
               if (page->messages.size() >= limits.items_max) {
                 page->more = true;
                 return false;
               }
               SyncMessage message;
               if (Status status = ReadItem(store, shards, value, &message); !status.ok()) {
                 if (status.code() != Code::kUnavailable) failed = std::move(status);
                 return false;
               }
               if (!page->messages.empty() && bytes + message.body.size() > limits.bytes_max) {
                 page->more = true;
                 return false;
               }
               bytes += message.body.size();
               *position = PlaceOfInboxKey(key).stamp;
               message.version = position->version.value();
               page->messages.push_back(std::move(message));
               return true;
             });
  return failed;
}

}  // namespace

std::optional<AccountInfo> FindAccount(const StoreView& store, uint16_t shards, Uin uin) {
  const auto bytes = ReadLive(store, AccountKey(ShardOf(uin, shards), uin));
  return bytes.has_value() ? DecodeAccount(*bytes) : std::nullopt;
}

std::optional<Uin> FindName(const StoreView& store, uint16_t shards, AccountKind kind,
                            std::string_view name) {
  const auto bytes = ReadLive(store, NameKey(ShardOfName(name, shards), kind, name));
  return bytes.has_value() ? DecodeName(*bytes) : std::nullopt;
}

HomeOf FindHome(const StoreView& store, uint16_t shards, Uin uin) {
  const std::optional<AccountInfo> account = FindAccount(store, shards, uin);
  if (!account.has_value()) return {BirthIncarnation(uin), {}, false};
  return {account->home, account->epoch, true};
}

std::vector<AccountInfo> ListAccounts(const StoreView& store, ShardId shard, AccountKind kind,
                                      Uin after, size_t limit) {
  std::vector<AccountInfo> accounts;
  if (limit == 0) return accounts;
  store.Scan(After(AccountKey(shard, after)), PrefixEnd(TablePrefix(shard, Table::kAccount)),
             [&](std::string_view, std::string_view value) {
               const std::optional<Row> row = DecodeRow(value);
               if (!row.has_value() || row->deleted) return true;
               std::optional<AccountInfo> account = DecodeAccount(row->value);
               if (!account.has_value() || account->kind != kind) return true;
               accounts.push_back(std::move(*account));
               return accounts.size() < limit;
             });
  return accounts;
}

std::vector<Uin> ListMembers(const StoreView& store, uint16_t shards, Uin group, Uin after,
                             size_t limit) {
  std::vector<Uin> members;
  if (limit == 0) return members;
  const ShardId shard = ShardOf(group, shards);
  store.Scan(After(MemberKey(shard, group, after)), PrefixEnd(MemberPrefix(shard, group)),
             [&](std::string_view key, std::string_view value) {
               const std::optional<Row> row = DecodeRow(value);
               if (!row.has_value() || row->deleted) return true;
               members.push_back(UserOfMemberKey(key));
               return members.size() < limit;
             });
  return members;
}

std::optional<uint64_t> FindGroupSeq(const StoreView& store, uint16_t shards, Uin group, Uin sender,
                                     ClientMessageId client_message) {
  const auto bytes =
      ReadLive(store, RememberedKey(ShardOf(group, shards), group, sender, client_message));
  const auto remembered = bytes.has_value() ? DecodeRemembered(*bytes) : std::nullopt;
  if (!remembered.has_value() || remembered->group_seq == 0) return std::nullopt;
  return remembered->group_seq;
}

Result<SyncPage> ReadSync(const StoreView& store, const SyncContext& context, Uin user,
                          DeviceNumber device, std::string_view snapshot,
                          const SyncLimits& limits) {
  Stamp position;
  if (!snapshot.empty()) {
    ASSIGN_OR_RETURN(const Snapshot brought, ParseSnapshot(context.key, snapshot));
    if (brought.user != user) return Status::BadRequest("this sync token belongs to another user");
    if (brought.device != device) {
      return Status::BadRequest("this sync token belongs to another device of the user");
    }
    position = brought.messages;
  }
  const ShardId shard = ShardOf(user, context.shards);
  Snapshot next;
  next.user = user;
  next.device = device;
  Stamp cleared;
  if (const auto row = ReadRow(store, CountersKey(shard, user)); row && !row->deleted) {
    const Counters counters = DecodeCounters(row->value).value_or(Counters{});
    next.account = {row->stamp.epoch, Version(counters.account)};
    next.contacts = {row->stamp.epoch, Version(counters.contacts)};
    if (counters.messages > 0) cleared = {row->stamp.epoch, Version(counters.messages)};
  }
  SyncPage page;
  next.messages = std::min(position, LastInboxStamp(store, shard, user, cleared));
  if (next.messages == position) {
    RETURN_IF_ERROR(FillPage(store, context.shards, user, limits, &next.messages, &page));
  }
  ASSIGN_OR_RETURN(page.snapshot, FormatSnapshot(context.key, next));
  return page;
}

}  // namespace homeport::core
