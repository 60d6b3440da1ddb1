// Sync: what a device has not got yet, page by page, from a snapshot on. Pure functions over a
// StoreView. Design section 8, docs/messaging.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/messaging/account.h"
#include "core/messaging/rows.h"
#include "core/messaging/snapshot.h"
#include "core/messaging/user_end.h"
#include "core/messaging/user_rows.h"
#include "core/store.h"

namespace homeport::core {

struct SyncMessage {
  MessageId id;
  Uin sender;
  Uin group;               // 0: one to one
  uint64_t group_seq = 0;  // of the group
  uint64_t version = 0;    // of the reader's messages table
  MastershipEpoch epoch;   // with version, its place in the reader's inbox
  int64_t sent_at_ms = 0;
  std::string body;
  GroupEvent event = {};   // not a message but what somebody did to the group
  bool recalled = false;   // its body is gone
  bool is_recall = false;  // tells that the message of this id is recalled
  bool expired = false;    // of a group that keeps it no more: only group and place are known
};
struct SyncContact {
  Uin peer;
  Contact contact;
};
struct SyncConversation {
  Uin with;
  Conversation conversation;
};
struct SyncDevice {
  DeviceNumber number;
  Device device;
  int64_t seen_at_ms = 0;  // as remembered
};
// The whole account table: it is small, and goes into a page whatever the limits.
struct SyncAccount {
  AccountInfo account;
  std::vector<SyncDevice> devices;  // by number, ascending
};
// What bringing a snapshot acknowledges, and what was remembered of that device before.
struct SyncAcknowledgement {
  Stamp brought;
  Stamp remembered;
};
struct SyncPage {
  std::optional<SyncAccount> account;  // when it changed
  std::vector<SyncContact> contacts;   // that changed
  std::vector<SyncConversation> conversations;
  std::vector<SyncMessage> messages;
  std::string snapshot;  // token to bring next time: acknowledges this page
  bool more = false;     // call again at once
  std::optional<SyncAcknowledgement> acknowledges;  // when a device brought a snapshot
  // Whose message, not here yet, the page ended before; 0: none.
  Uin awaits_group = {};
};
struct SyncLimits {
  size_t items_max = 1000;     // rows; one is always allowed
  size_t bytes_max = 1 << 20;  // of bodies; one row is always allowed
};
// What sync needs to know of the cluster.
struct SyncContext {
  uint16_t shards = 8;
  SnapshotKey key;
};
// What a sync finds before it answers: whose it is, and whether there is anything. One read when
// there are no messages after the token; else three.
struct SyncHead {
  Status token;       // kBadRequest for one that is malformed, or of another user or device
  bool first = true;  // no token was brought
  Snapshot brought;
  UserHead user;
  // Where the inbox ends, if that is known already.
  std::optional<Stamp> last_message = {};
};
SyncHead ReadSyncHead(const StoreView& store, const SyncContext& context, Uin user,
                      DeviceNumber device, std::string_view snapshot);
// `head` is of the same store, unchanged since; else as ReadSync below.
Result<SyncPage> ReadSync(const StoreView& store, const SyncContext& context, const SyncHead& head,
                          const SyncLimits& limits);

// `snapshot` empty: from the beginning. kBadRequest for a token that is malformed, or of another
// user or device, and for a device that is not registered. kResync when messages that the device
// has not got are gone. A token ahead of this region's data gets nothing and the lower token of
// what is here (design section 8). A group item whose body has not arrived here yet ends the page
// before it, without `more`.
Result<SyncPage> ReadSync(const StoreView& store, const SyncContext& context, Uin user,
                          DeviceNumber device, std::string_view snapshot, const SyncLimits& limits);

}  // namespace homeport::core
