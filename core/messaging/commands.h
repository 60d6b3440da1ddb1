// Commands: what a client may ask a shard primary to do, and what it answers once the change is
// committed.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/messaging/operations.h"
#include "core/status.h"
#include "core/time.h"

namespace homeport::core {

inline constexpr uint64_t kBodyBytesMax = 64 << 10;
inline constexpr uint64_t kNameBytesMax = 64;
// A remark, a device's name, a group's title, the words of who asks.
inline constexpr uint64_t kLabelBytesMax = 256;
inline constexpr uint64_t kContactsMax = 10'000;       // of one user, whatever their state
inline constexpr uint64_t kConversationsMax = 10'000;  // of one user, with positions
// Records (records.h).
inline constexpr uint64_t kRecordTableNameMax = 32;
inline constexpr uint64_t kRecordKeyBytesMax = 64;
inline constexpr uint64_t kRecordBytesMax = 64 << 10;
inline constexpr uint64_t kRecordsMax = 10'000;                // keys of one user in one table
inline constexpr uint64_t kRecordTableBytesMax = 16ull << 20;  // of their values
inline constexpr uint64_t kRecordTablesMax = 64;               // of one user
inline constexpr uint64_t kProfileFieldsMax = 32;
inline constexpr uint64_t kProfileBytesMax = 4 << 10;
inline constexpr uint64_t kDevicesMax = 32;  // of one user
// A group message lists its members by 8 bytes at its home and 16 where it is fanned out, in one
// entry.
inline constexpr uint64_t kGroupMembersMax = 50'000;

// What the home remembers of commands, of one user or group.
inline constexpr uint64_t kExecutedMax = 128;

enum class AccountKind : uint8_t { kUser = 0, kGroup = 1 };

// `once`, where a command has one: it is executed once under this id, which its client chose, and
// comes to the first answer again, as long as it is among the last kExecutedMax of its user or
// group. 0: each time that it comes, even long after its answer was given. The others change
// nothing when they come again late.

// Gives out a fresh Uin of this region (answer: uin). Any shard.
struct NewUin {};
// At the name's partition: binds name to uin, or answers the uin it is bound to already (answer:
// uin; the caller sees whether it is its own). Idempotent.
struct ClaimName {
  AccountKind kind = AccountKind::kUser;
  std::string name;
  Uin uin;
};
// At ShardOf(uin) in the birth region. Again with the same name: `changed` is false. With another:
// kTaken.
struct CreateAccount {
  Uin uin;
  AccountKind kind = AccountKind::kUser;
  std::string name;
};
// At the sender's home. `to` is a user, or a group when to_group; anyone may post to a group, a
// member or not. A retry (same client message id) returns the first answer, `changed` is false.
// Answer: message. To a group that has an owner only its members post, and nobody sends to
// who blocks it: kRefused once the sender's home knows. What `to` is at its own home decides:
// neither kind of message is lost because the sender could not know.
struct SendMessage {
  Uin from;
  ClientMessageId client_message;
  Uin to;
  bool to_group = false;
  std::string body;
};
// At the group's home. Answer: changed. The user need not be known there yet. kTooLarge past
// kGroupMembersMax.
struct JoinGroup {
  Uin group;
  Uin user;
  ClientMessageId once = {};
};
struct LeaveGroup {
  Uin group;
  Uin user;
  ClientMessageId once = {};
};
// At the user's home. The same install gets the same number again. Answer: device. kTooLarge when
// kDevicesMax are registered and none of them is gone.
struct RegisterDevice {
  Uin user;
  uint64_t install = 0;  // a random number that the client made once; not 0
  std::string name;
  ClientMessageId once = {};
};
// At the user's home: a device that is lost. Answer: changed.
struct RemoveDevice {
  Uin user;
  DeviceNumber device;
};
// At the user's home: the device brought a snapshot with this stamp of the messages table. Written
// only when it is worth it (MessagingOptions). Answer: changed.
struct Acknowledge {
  Uin user;
  DeviceNumber device;
  Stamp messages;
};
// At the user's home: these fields have these values; an empty value removes one. Answer: changed.
struct ProfileField {
  std::string name;
  std::string value;
  bool operator==(const ProfileField&) const = default;
};
struct SetProfile {
  Uin user;
  std::vector<ProfileField> fields;
  ClientMessageId once = {};
};
// At the user's home; the peer's hears of it. Answer: changed. To accept is to ask, too.
struct AskContact {
  Uin user;
  Uin peer;
  std::string text;
  ClientMessageId once = {};
};
struct DeleteContact {
  Uin user;
  Uin peer;
  ClientMessageId once = {};
};
// Or no longer. The peer hears nothing of it, but what it sends is refused.
struct BlockContact {
  Uin user;
  Uin peer;
  bool blocked = true;
  ClientMessageId once = {};
};
struct RemarkContact {
  Uin user;
  Uin peer;
  std::string remark;
  ClientMessageId once = {};
};
// At the sender's home: takes a message back. Answer: message, changed. kRefused when too late.
struct RecallMessage {
  Uin user;
  ClientMessageId client_message;
};
// At the user's home: it has read the conversation with this user, or in this group, through that
// place of its inbox; who sent what lies there hears of it. Answer: changed. kTooLarge past
// kConversationsMax.
struct MarkRead {
  Uin user;
  Uin with;
  Stamp through;
};

// At the user's home: a record of a table that a team added. Answer: changed, version (of the
// record, but for one that comes again under its `once`). kTooLarge past its limits. With
// `expects` (PNUTS's test-and-set-write) only when the record has this version, or there is none
// where it is Stamp(): else kRefused.
struct PutRecord {
  Uin user;
  std::string table;
  std::string key;
  std::string value;
  ClientMessageId once = {};
  std::optional<Stamp> expects = {};
};
struct DeleteRecord {
  Uin user;
  std::string table;
  std::string key;
  ClientMessageId once = {};
  std::optional<Stamp> expects = {};
};

// At the birth region of `group`: a group with an owner, its first member. Again is nothing new.
struct CreateGroup {
  Uin group;
  std::string name;
  Uin owner;
  std::string title;
};
// At the group's home, `by` its owner, else kRefused. Answer: changed.
struct RenameGroup {
  Uin group;
  Uin by;
  std::string title;
  ClientMessageId once = {};
};
struct CloseGroup {
  Uin group;
  Uin by;
  bool closed = true;
  ClientMessageId once = {};
};
// kTooLarge past MessagingOptions::group_members_max.
struct AddMember {
  Uin group;
  Uin by;
  Uin user;
  ClientMessageId once = {};
};
struct RemoveMember {
  Uin group;
  Uin by;
  Uin user;
  ClientMessageId once = {};
};
// To a member, which is the owner from then on.
struct TransferGroup {
  Uin group;
  Uin by;
  Uin to;
  ClientMessageId once = {};
};

// At the home of a user or group: from then on its home is `to`, with all that is its own. Answer:
// changed; false when it is there already, or on its way there.
struct MoveHome {
  Uin subject;
  Incarnation to;
};

// An operator's order of a whole region, at whatever region. Answer: changed. kRefused when another
// one was given meanwhile.
struct OrderRegion {
  RegionState state;
};
// A record of the journal, new or changed. Answer: number.
struct WriteJournal {
  JournalRecord record;
};

// What changes what belongs to one user or group, at its home.
using ChangeCommand =
    std::variant<RegisterDevice, RemoveDevice, SetProfile, AskContact, DeleteContact, BlockContact,
                 RemarkContact, RecallMessage, CreateGroup, RenameGroup, CloseGroup, AddMember,
                 RemoveMember, TransferGroup, MarkRead, PutRecord, DeleteRecord, MoveHome>;
Uin SubjectOf(const ChangeCommand& command);

using Command =
    std::variant<NewUin, ClaimName, CreateAccount, SendMessage, JoinGroup, LeaveGroup,
                 RegisterDevice, RemoveDevice, Acknowledge, SetProfile, AskContact, DeleteContact,
                 BlockContact, RemarkContact, RecallMessage, CreateGroup, RenameGroup, CloseGroup,
                 AddMember, RemoveMember, TransferGroup, MarkRead, PutRecord, DeleteRecord,
                 MoveHome, OrderRegion, WriteJournal>;

struct CommandResult {
  Status status;
  Uin uin;
  MessageId message;
  bool changed = false;
  DeviceNumber device;
  Stamp version = {};
  uint64_t number = 0;
};

// 1 to kNameBytesMax bytes, none of them a control character (real nicks have spaces). Need not be
// UTF-8.
Status CheckName(std::string_view name);

// The user, group, or (hashed) name whose shard executes the command; NewUin, and what operators
// order: shard 0.
ShardId ShardOfCommand(const Command& command, uint16_t shards);

}  // namespace homeport::core
