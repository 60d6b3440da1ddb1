// Queries: what clients may read of committed and applied state. Pure functions over a StoreView.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/messaging/account.h"
#include "core/messaging/commands.h"
#include "core/messaging/snapshot.h"
#include "core/store.h"

namespace homeport::core {

std::optional<AccountInfo> FindAccount(const StoreView& store, uint16_t shards, Uin uin);
std::optional<Uin> FindName(const StoreView& store, uint16_t shards, AccountKind kind,
                            std::string_view name);
// Its record, else its birth incarnation with epoch 0.
HomeOf FindHome(const StoreView& store, uint16_t shards, Uin uin);
// Accounts of a kind with uin > after within one shard, at most `limit`, ascending by uin.
std::vector<AccountInfo> ListAccounts(const StoreView& store, ShardId shard, AccountKind kind,
                                      Uin after, size_t limit);
// Members with uin > after, ascending.
std::vector<Uin> ListMembers(const StoreView& store, uint16_t shards, Uin group, Uin after,
                             size_t limit);
// Seq of a message in its group by (sender, client message id), if it has one.
std::optional<uint64_t> FindGroupSeq(const StoreView& store, uint16_t shards, Uin group, Uin sender,
                                     ClientMessageId client_message);

// ---- sync (design section 8)

struct SyncMessage {
  MessageId id;
  Uin sender;
  Uin group;               // 0: one to one
  uint64_t group_seq = 0;  // of the group
  uint64_t version = 0;    // of the reader's messages table
  int64_t sent_at_ms = 0;
  std::string body;
};
struct SyncPage {
  std::vector<SyncMessage> messages;
  std::string snapshot;  // token to bring next time: acknowledges this page
  bool more = false;     // call again at once
};
struct SyncLimits {
  size_t items_max = 1000;
  size_t bytes_max = 1 << 20;  // of bodies; one message is always allowed
};
// What sync needs to know of the cluster.
struct SyncContext {
  uint16_t shards = 8;
  SnapshotKey key;
};
// `snapshot` empty: from the beginning. kBadRequest for a token that is malformed, or of another
// user or device. A token ahead of this region's data gets nothing and the lower token of what is
// here (design section 8). A group item whose body has not arrived here yet ends the page before
// it, without `more`.
Result<SyncPage> ReadSync(const StoreView& store, const SyncContext& context, Uin user,
                          DeviceNumber device, std::string_view snapshot, const SyncLimits& limits);

}  // namespace homeport::core
