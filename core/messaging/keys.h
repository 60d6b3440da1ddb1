// Store keys of the messaging core: [shard u16][table u8][the table's own part], all numbers
// big-endian, so that byte order is number order and the rows of one shard, table and owner lie
// together.
//
//   1 account        uin
//   2 name           kind u8, name bytes; in the shard ShardOfName(name)
//   3 member         group, uin
//   4 group_message  group, group_seq
//   5 inbox          user, takeover u32, move u32, version; its stamp, so never overwritten; behind
//                    a user's items its end, local: 16 bytes of 0xff instead (user_end.h)
//   6 remembered     owner, sender (0: what the owner itself sent), client message id
//   7 counters       owner
//   8 parked         target uin, source stream, seq, index u32
//   9 device         user, number u16
//   10 contact       user, peer
//   11 conversation  user, peer or group
//   12 record        user, size of table u8, table, key bytes
//   13 record_table  user, table bytes
//   14 executed      owner
//   17 region_state  region u16, order u8, writer u16   what operators ordered of it; in shard 0
//   18 journal       writer u16, id u64              what was done of it; in shard 0
//   19 kept          source stream, role u16, seq, index u32; in the source's shard
//
// Local, not replicated and not in digests:
//
//   20 pending       source stream, seq, index u32   the key's shard is the target
//   21 applied       stream
//   22 consumed      role u16, source stream         the key's shard is the target
//   23 ids_through   stream
//   24 report        role u16                        its last report; all in shard 0
//   25 retention     -                               of the own streams; in shard 0
//   26 change        user, takeover u32, move u32, version   a contact or conversation by its stamp
//   27 record_change user, size of table u8, table, takeover u32, move u32, version   a record
//   28 arriving      uin                             moved here, not adopted yet
//   29 outrun        uin                             known to be moved before all that it had came
//   40 takeovers     -                               all that are known; in shard 0
//   41 taken         -                               the last takeover of this shard as heir
//   42 freeze        -                               which streams are frozen; in shard 0
//   43 role_pending  role u16, source stream, seq, index u32   as pending, in a dead region's role
//   44 backlog       role u16, source stream         how far role_pending is whole; in shard 0
//
// Design sections 4 to 6, docs/formats.md.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/ids.h"
#include "core/messaging/commands.h"

namespace homeport::core {

enum class Table : uint8_t {
  kAccount = 1,
  kName = 2,
  kMember = 3,
  kGroupMessage = 4,
  kInbox = 5,
  kRemembered = 6,
  kCounters = 7,
  kParked = 8,
  kDevice = 9,
  kContact = 10,
  kConversation = 11,
  kRecord = 12,
  kRecordTable = 13,
  kExecuted = 14,
  kRegionState = 17,
  kJournal = 18,
  kKept = 19,
  kPending = 20,
  kApplied = 21,
  kConsumed = 22,
  kIdsThrough = 23,
  kReport = 24,
  kRetention = 25,
  kChange = 26,
  kRecordChange = 27,
  kArriving = 28,
  kOutrun = 29,
  kTakeovers = 40,
  kTaken = 41,
  kFreeze = 42,
  kRolePending = 43,
  kBacklog = 44,
};
inline constexpr std::array kReplicatedTables = {
    Table::kAccount,  Table::kName,         Table::kMember,   Table::kGroupMessage,
    Table::kInbox,    Table::kRemembered,   Table::kCounters, Table::kDevice,
    Table::kContact,  Table::kConversation, Table::kRecord,   Table::kRecordTable,
    Table::kExecuted, Table::kRegionState,  Table::kJournal,  Table::kKept,
    Table::kParked};
std::string_view TableName(Table table);  // "account"

std::string TablePrefix(ShardId shard, Table table);
std::string AccountKey(ShardId shard, Uin uin);
std::string NameKey(ShardId shard, AccountKind kind, std::string_view name);
std::string MemberPrefix(ShardId shard, Uin group);
std::string MemberKey(ShardId shard, Uin group, Uin uin);
std::string GroupMessagePrefix(ShardId shard, Uin group);
std::string GroupMessageKey(ShardId shard, Uin group, uint64_t group_seq);
std::string InboxPrefix(ShardId shard, Uin user);
std::string InboxKey(ShardId shard, Uin user, const Stamp& stamp);
// Behind all of the user's items: where a scan of them ends.
std::string InboxEndKey(ShardId shard, Uin user);
bool IsInboxEndKey(std::string_view key);
std::string RememberedKey(ShardId shard, Uin owner, Uin sender, ClientMessageId client_message);
std::string CountersKey(ShardId shard, Uin owner);
std::string DeviceKey(ShardId shard, Uin user, DeviceNumber device);
std::string ContactKey(ShardId shard, Uin user, Uin peer);
std::string ConversationKey(ShardId shard, Uin user, Uin with);
std::string RecordKey(ShardId shard, Uin user, std::string_view table, std::string_view key);
std::string RecordTableKey(ShardId shard, Uin user, std::string_view table);
std::string ExecutedKey(ShardId shard, Uin owner);
std::string RegionStateKey(Incarnation region, uint8_t order, Incarnation writer);
std::string JournalKey(Incarnation writer, uint64_t id);
std::string ParkedPrefix(ShardId shard, Uin target);
std::string ParkedKey(ShardId shard, Uin target, StreamId source, Seq seq, uint32_t index);
std::string KeptPrefix(StreamId source, Incarnation role);
std::string KeptKey(Incarnation role, StreamId source, Seq seq, uint32_t index);

std::string PendingPrefix(ShardId target, StreamId source);
std::string PendingKey(ShardId target, StreamId source, Seq seq, uint32_t index);
std::string AppliedKey(StreamId stream);
std::string ConsumedKey(Incarnation role, StreamId source, ShardId target);
std::string IdsThroughKey(StreamId stream);
std::string ReportKey(Incarnation role);
std::string RetentionKey();
std::string TakeoversKey();
std::string TakenKey(ShardId shard);
std::string FreezeKey();
std::string RolePendingPrefix(ShardId target, Incarnation role, StreamId source);
std::string RolePendingKey(ShardId target, Incarnation role, StreamId source, Seq seq,
                           uint32_t index);
std::string BacklogKey(Incarnation role, StreamId source);
std::string RecordChangePrefix(ShardId shard, Uin user, std::string_view table);
std::string RecordChangeKey(ShardId shard, Uin user, std::string_view table, const Stamp& stamp);
std::string ArrivingKey(ShardId shard, Uin uin);
std::string OutrunKey(ShardId shard, Uin uin);
std::string ChangePrefix(ShardId shard, Uin user);
std::string ChangeKey(ShardId shard, Uin user, const Stamp& stamp);

// The table of a key of a replicated table of `shard` with the right shape; nullopt for any other
// bytes.
std::optional<Table> ReplicatedTableOf(std::string_view key, ShardId shard);
// The same where the shard is known to be right. REQUIRES: a key of keys.h.
Table TableOf(std::string_view key);

// Parts of keys. REQUIRES: the key is of that table (of a shape ReplicatedTableOf accepts).
Uin UinOfAccountKey(std::string_view key);
// Of the tables whose keys begin with a user or group.
Uin OwnerOfKey(std::string_view key);
// Of a contact or a conversation.
Uin PeerOfKey(std::string_view key);
Uin UserOfMemberKey(std::string_view key);
struct GroupMessagePlace {
  Uin group;
  uint64_t group_seq = 0;
};
GroupMessagePlace PlaceOfGroupMessageKey(std::string_view key);
struct InboxPlace {
  Uin user;
  Stamp stamp;
};
InboxPlace PlaceOfInboxKey(std::string_view key);
Stamp StampOfChangeKey(std::string_view key);
std::string_view TableOfRecordKey(std::string_view key);
std::string_view KeyOfRecordKey(std::string_view key);
Stamp StampOfRecordChangeKey(std::string_view key);
Uin TargetOfParkedKey(std::string_view key);
StreamId StreamOfAppliedKey(std::string_view key);
// Of a parked, a pending, a kept or a role_pending key.
struct IntentPlace {
  StreamId source;
  Seq seq;
  uint32_t index = 0;
};
IntentPlace PlaceOfParkedKey(std::string_view key);
IntentPlace PlaceOfPendingKey(std::string_view key);
IntentPlace PlaceOfKeptKey(std::string_view key);
IntentPlace PlaceOfRolePendingKey(std::string_view key);

}  // namespace homeport::core
