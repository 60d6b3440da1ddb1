// Queries: what clients may read of committed and applied state. Pure functions over a StoreView.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/messaging/account.h"
#include "core/messaging/commands.h"
#include "core/store.h"

namespace homeport::core {

std::optional<AccountInfo> FindAccount(const StoreView& store, uint16_t shards, Uin uin);
std::optional<Uin> FindName(const StoreView& store, uint16_t shards, AccountKind kind,
                            std::string_view name);
// Its record, else its birth incarnation with epoch 0.
HomeOf FindHome(const StoreView& store, uint16_t shards, Uin uin);
// Rows that a list looks at in one call, when it may stop there.
inline constexpr size_t kListVisitsMax = 20000;
// Accounts of a kind with uin > after within one shard, at most `limit`, ascending by uin. With
// `next` it also ends after kListVisitsMax rows: *next is where the following page begins after;
// Uin(): there is none.
std::vector<AccountInfo> ListAccounts(const StoreView& store, ShardId shard, AccountKind kind,
                                      Uin after, size_t limit, Uin* next = nullptr);
// Members with uin > after, ascending; `next` as above.
std::vector<Uin> ListMembers(const StoreView& store, uint16_t shards, Uin group, Uin after,
                             size_t limit, Uin* next = nullptr);
// Seq of a message in its group by (sender, client message id), if it has one.
std::optional<uint64_t> FindGroupSeq(const StoreView& store, uint16_t shards, Uin group, Uin sender,
                                     ClientMessageId client_message);

}  // namespace homeport::core
