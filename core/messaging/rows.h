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
  uint64_t group_seq = 0;      // of a group's; else 0
  Uin to = {};                 // of the owner's own
  uint64_t inbox_version = 0;  // of what came into the owner's inbox
  bool recalled = false;
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

enum class GroupEventKind : uint8_t {
  kNone = 0,
  kCreated = 1,  // text: the title
  kRenamed = 2,  // text: the title
  kJoined = 3,
  kLeft = 4,
  kAdded = 5,        // the subject
  kRemoved = 6,      // the subject
  kTransferred = 7,  // to the subject
  kClosed = 8,
  kOpened = 9,
};
struct GroupEvent {
  GroupEventKind kind = GroupEventKind::kNone;
  Uin subject;
  std::string text;
  bool operator==(const GroupEvent&) const = default;
};
struct GroupMessage {
  uint64_t group_seq = 0;
  Message message;  // of an event: who did it, and when
  GroupEvent event = {};
  bool recalled = false;   // its body is gone
  bool is_recall = false;  // tells that the message of this id is recalled
  int64_t at_ms = 0;       // when it came into the group
};
std::string EncodeGroupMessage(const GroupMessage& message);
std::optional<GroupMessage> DecodeGroupMessage(std::string_view bytes);

struct InboxItem {
  std::optional<Message> message;  // one to one; else the body is in the group's row
  Uin group;
  uint64_t group_seq = 0;
  int64_t at_ms = 0;  // when it came into the inbox
  // Of one to one, as of a group's.
  bool recalled = false;
  bool is_recall = false;
};
std::string EncodeInboxItem(const InboxItem& item);
std::optional<InboxItem> DecodeInboxItem(std::string_view bytes);

// ---- local rows: one number, 8 bytes big-endian

std::string EncodeNumber(uint64_t n);
uint64_t DecodeNumber(std::string_view bytes);                      // REQUIRES: 8 bytes
uint64_t ReadNumber(const StoreView& store, std::string_view key);  // 0 when absent

}  // namespace homeport::core
