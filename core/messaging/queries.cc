#include "core/messaging/queries.h"

#include "core/config.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::core {
namespace {

std::string After(const std::string& key) {
  return key + '\0';
}

// Where a page of a list ends: asked at each row whether it ends before it.
class PageEnd {
 public:
  PageEnd(size_t limit, Uin* next) : limit_(limit), next_(next) {
    if (next_ != nullptr) *next_ = Uin();
  }
  bool Reached(size_t taken) {
    if (taken < limit_ && (next_ == nullptr || visited_ < kListVisitsMax)) return false;
    if (next_ != nullptr) *next_ = last_;
    return true;
  }
  void Visited(Uin at) {
    ++visited_;
    last_ = at;
  }

 private:
  const size_t limit_;
  Uin* const next_;
  size_t visited_ = 0;
  Uin last_;
};

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
  return {account->home, account->epoch, true, account->adopted};
}

std::vector<AccountInfo> ListAccounts(const StoreView& store, ShardId shard, AccountKind kind,
                                      Uin after, size_t limit, Uin* next) {
  std::vector<AccountInfo> accounts;
  PageEnd end(limit, next);
  if (limit == 0) return accounts;
  store.Scan(After(AccountKey(shard, after)), PrefixEnd(TablePrefix(shard, Table::kAccount)),
             [&](std::string_view key, std::string_view value) {
               if (end.Reached(accounts.size())) return false;
               end.Visited(UinOfAccountKey(key));
               const std::optional<Row> row = DecodeRow(value);
               if (!row.has_value() || row->deleted) return true;
               std::optional<AccountInfo> account = DecodeAccount(row->value);
               if (!account.has_value() || account->kind != kind) return true;
               accounts.push_back(std::move(*account));
               return true;
             });
  return accounts;
}

std::vector<Uin> ListMembers(const StoreView& store, uint16_t shards, Uin group, Uin after,
                             size_t limit, Uin* next) {
  std::vector<Uin> members;
  PageEnd end(limit, next);
  if (limit == 0) return members;
  const ShardId shard = ShardOf(group, shards);
  store.Scan(After(MemberKey(shard, group, after)), PrefixEnd(MemberPrefix(shard, group)),
             [&](std::string_view key, std::string_view value) {
               if (end.Reached(members.size())) return false;
               end.Visited(UserOfMemberKey(key));
               const std::optional<Row> row = DecodeRow(value);
               if (!row.has_value() || row->deleted) return true;
               members.push_back(UserOfMemberKey(key));
               return true;
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

}  // namespace homeport::core
