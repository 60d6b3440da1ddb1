// Rows: the values behind the keys of keys.h, as plain structs, and their bytes (messaging.capnp).
//
// Decode... answers nullopt for bytes that are not such a value: rows travel between regions, so a
// value may be anything.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/messaging/account.h"
#include "core/messaging/messaging.capnp.h"
#include "core/store.h"

namespace homeport::core {

inline constexpr uint16_t kRowVersion = 1;    // of every value below
inline constexpr uint16_t kEntryVersion = 1;  // of wire::Entry

// What is stored for a key of every replicated table but inbox.
struct Row {
  Stamp stamp;
  bool deleted = false;  // a tombstone: absent to whoever reads, but its stamp still counts
  std::string value;
};
std::string EncodeRow(const Stamp& stamp, bool deleted, std::string_view value);
std::optional<Row> DecodeRow(std::string_view bytes);
std::optional<Stamp> StampOfRow(std::string_view bytes);
// The row at `key`, tombstones included.
std::optional<Row> ReadRow(const StoreView& store, std::string_view key);
// The value at `key`; nullopt when absent or deleted.
std::optional<std::string> ReadLive(const StoreView& store, std::string_view key);

std::string EncodeAccount(const AccountInfo& account);
std::optional<AccountInfo> DecodeAccount(std::string_view bytes);

std::string EncodeName(AccountKind kind, Uin uin);
std::optional<Uin> DecodeName(std::string_view bytes);

std::string EncodeMember(int64_t joined_at_ms);

struct Remembered {
  MessageId message;
  int64_t at_ms = 0;
  uint64_t group_seq = 0;  // of a group's; else 0
};
std::string EncodeRemembered(const Remembered& remembered);
std::optional<Remembered> DecodeRemembered(std::string_view bytes);

struct Message {
  MessageId id;
  Uin sender;
  ClientMessageId client_message;
  int64_t sent_at_ms = 0;
  std::string body;
};
void FillMessage(const Message& message, wire::Message::Builder builder);
Message ReadMessage(wire::Message::Reader reader);

struct GroupMessage {
  uint64_t group_seq = 0;
  Message message;
};
std::string EncodeGroupMessage(const GroupMessage& message);
std::optional<GroupMessage> DecodeGroupMessage(std::string_view bytes);

struct InboxItem {
  std::optional<Message> message;  // one to one; else the body is in the group's row
  Uin group;
  uint64_t group_seq = 0;
  int64_t at_ms = 0;  // when it came into the inbox
};
std::string EncodeInboxItem(const InboxItem& item);
std::optional<InboxItem> DecodeInboxItem(std::string_view bytes);

// ---- intents

enum class IntentKind : uint8_t { kDeliver, kPost, kFanout };
// One address of an intent.
struct Target {
  Incarnation incarnation;
  ShardId shard;
  MastershipEpoch epoch;   // behind that address
  std::vector<Uin> users;  // deliver: one; post: the group; fanout: the members there
};
struct Intent {
  IntentKind kind = IntentKind::kDeliver;
  Message message;         // deliver, post
  Uin group;               // fanout
  uint64_t group_seq = 0;  // fanout
};
void FillTarget(const Target& target, wire::Target::Builder builder);
std::string EncodePendingIntent(const Target& target, const Intent& intent);
// The same from an entry's own parts. Throws kj::Exception when they are malformed: call it within
// Decode.
std::string EncodePendingIntent(wire::Target::Reader target, wire::Intent::Reader intent);

struct AddressedIntent {
  Target target;
  Intent intent;
};
std::optional<AddressedIntent> DecodePendingIntent(std::string_view bytes);

// ---- local rows: one number, 8 bytes big-endian

std::string EncodeNumber(uint64_t n);
uint64_t ReadNumber(const StoreView& store, std::string_view key);  // 0 when absent

}  // namespace homeport::core
