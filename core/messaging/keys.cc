#include "core/messaging/keys.h"

#include "core/check.h"

namespace homeport::core {
namespace {

constexpr size_t kHeadBytes = 3;
// Of a record's own part: the user and the size of its table's name.
constexpr size_t kRecordHeadBytes = 9;
// In an inbox's end, where its items have their stamp: above any of them.
constexpr std::string_view kEndOfStamps(
    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);

// Appends numbers big-endian to one key; the longest fixed key is 31 bytes.
class KeyWriter {
 public:
  KeyWriter(ShardId shard, Table table, size_t bytes) {
    key_.reserve(kHeadBytes + bytes);
    U16(shard.value());
    key_.push_back(static_cast<char>(table));
  }
  KeyWriter& U16(uint16_t n) { return Number(n); }
  KeyWriter& U32(uint32_t n) { return Number(n); }
  KeyWriter& U64(uint64_t n) { return Number(n); }
  KeyWriter& Of(const Stamp& stamp) {
    return U32(stamp.epoch.takeover).U32(stamp.epoch.move).U64(stamp.version.value());
  }
  KeyWriter& Bytes(std::string_view bytes) {
    key_.append(bytes);
    return *this;
  }
  // One byte for its size, so that one table's keys are not among another's.
  KeyWriter& Sized(std::string_view bytes) {
    CHECK(bytes.size() <= UINT8_MAX, "the size of a table's name is one byte", bytes.size());
    key_.push_back(static_cast<char>(bytes.size()));
    return Bytes(bytes);
  }
  std::string Take() { return std::move(key_); }

 private:
  template <class T>
  KeyWriter& Number(T n) {
    char bytes[sizeof(T)];
    for (size_t i = 0; i < sizeof(T); ++i) {
      bytes[i] = static_cast<char>(n >> (8 * (sizeof(T) - 1 - i)));
    }
    key_.append(bytes, sizeof(T));
    return *this;
  }
  std::string key_;
};

template <class T>
T NumberAt(std::string_view key, size_t offset) {
  CHECK(offset + sizeof(T) <= key.size(), "a key has the shape of its table", key.size());
  T n = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    n = static_cast<T>(n << 8 | static_cast<uint8_t>(key[offset + i]));
  }
  return n;
}

uint64_t U64At(std::string_view key, size_t index) {
  return NumberAt<uint64_t>(key, kHeadBytes + 8 * index);
}

Stamp StampAt(std::string_view key, size_t offset) {
  offset += kHeadBytes;
  return {{NumberAt<uint32_t>(key, offset), NumberAt<uint32_t>(key, offset + 4)},
          Version(NumberAt<uint64_t>(key, offset + 8))};
}

bool HasShape(Table table, std::string_view rest) {
  switch (table) {
    case Table::kAccount:
    case Table::kCounters:
    case Table::kExecuted:
      return rest.size() == 8;
    case Table::kRecord: {
      if (rest.size() <= kRecordHeadBytes) return false;
      const size_t name = static_cast<uint8_t>(rest[kRecordHeadBytes - 1]);
      const size_t begin = kRecordHeadBytes + name;
      return name >= 1 && name <= kRecordTableNameMax && rest.size() > begin &&
             rest.size() <= begin + kRecordKeyBytesMax;
    }
    case Table::kRecordTable:
      return rest.size() > 8 && rest.size() <= 8 + kRecordTableNameMax;
    case Table::kName:
      return rest.size() >= 2 && rest.size() <= 1 + kNameBytesMax;
    case Table::kMember:
    case Table::kGroupMessage:
    case Table::kContact:
    case Table::kConversation:
      return rest.size() == 16;
    case Table::kInbox:
      return rest.size() == 24 && !rest.ends_with(kEndOfStamps);
    case Table::kRemembered:
      return rest.size() == 24;
    case Table::kDevice:
    case Table::kJournal:
      return rest.size() == 10;
    case Table::kRegionState:
      return rest.size() == 5;
    case Table::kParked:
      return rest.size() == 28;
    case Table::kKept:
      return rest.size() == 22;
    default:
      return false;
  }
}

}  // namespace

std::string_view TableName(Table table) {
  switch (table) {
    case Table::kAccount:
      return "account";
    case Table::kName:
      return "name";
    case Table::kMember:
      return "member";
    case Table::kGroupMessage:
      return "group_message";
    case Table::kInbox:
      return "inbox";
    case Table::kRemembered:
      return "remembered";
    case Table::kCounters:
      return "counters";
    case Table::kParked:
      return "parked";
    case Table::kDevice:
      return "device";
    case Table::kContact:
      return "contact";
    case Table::kConversation:
      return "conversation";
    case Table::kRecord:
      return "record";
    case Table::kRecordTable:
      return "record_table";
    case Table::kExecuted:
      return "executed";
    case Table::kRegionState:
      return "region_state";
    case Table::kJournal:
      return "journal";
    case Table::kKept:
      return "kept";
    case Table::kPending:
      return "pending";
    case Table::kApplied:
      return "applied";
    case Table::kConsumed:
      return "consumed";
    case Table::kIdsThrough:
      return "ids_through";
    case Table::kReport:
      return "report";
    case Table::kRetention:
      return "retention";
    case Table::kChange:
      return "change";
    case Table::kRecordChange:
      return "record_change";
    case Table::kArriving:
      return "arriving";
    case Table::kOutrun:
      return "outrun";
    case Table::kTakeovers:
      return "takeovers";
    case Table::kTaken:
      return "taken";
    case Table::kFreeze:
      return "freeze";
    case Table::kRolePending:
      return "role_pending";
    case Table::kBacklog:
      return "backlog";
  }
  return "unknown";
}

std::string TablePrefix(ShardId shard, Table table) {
  return KeyWriter(shard, table, 0).Take();
}
std::string AccountKey(ShardId shard, Uin uin) {
  return KeyWriter(shard, Table::kAccount, 8).U64(uin.value()).Take();
}
std::string NameKey(ShardId shard, AccountKind kind, std::string_view name) {
  const char kind_byte = static_cast<char>(kind);
  return KeyWriter(shard, Table::kName, 1 + name.size()).Bytes({&kind_byte, 1}).Bytes(name).Take();
}
std::string MemberPrefix(ShardId shard, Uin group) {
  return KeyWriter(shard, Table::kMember, 8).U64(group.value()).Take();
}
std::string MemberKey(ShardId shard, Uin group, Uin uin) {
  return KeyWriter(shard, Table::kMember, 16).U64(group.value()).U64(uin.value()).Take();
}
std::string GroupMessagePrefix(ShardId shard, Uin group) {
  return KeyWriter(shard, Table::kGroupMessage, 8).U64(group.value()).Take();
}
std::string GroupMessageKey(ShardId shard, Uin group, uint64_t group_seq) {
  return KeyWriter(shard, Table::kGroupMessage, 16).U64(group.value()).U64(group_seq).Take();
}
std::string InboxPrefix(ShardId shard, Uin user) {
  return KeyWriter(shard, Table::kInbox, 8).U64(user.value()).Take();
}
std::string InboxKey(ShardId shard, Uin user, const Stamp& stamp) {
  return KeyWriter(shard, Table::kInbox, 24).U64(user.value()).Of(stamp).Take();
}
std::string InboxEndKey(ShardId shard, Uin user) {
  return KeyWriter(shard, Table::kInbox, 24).U64(user.value()).Bytes(kEndOfStamps).Take();
}
bool IsInboxEndKey(std::string_view key) {
  return TableOf(key) == Table::kInbox && key.ends_with(kEndOfStamps);
}
std::string RememberedKey(ShardId shard, Uin owner, Uin sender, ClientMessageId client_message) {
  return KeyWriter(shard, Table::kRemembered, 24)
      .U64(owner.value())
      .U64(sender.value())
      .U64(client_message.value())
      .Take();
}
std::string CountersKey(ShardId shard, Uin owner) {
  return KeyWriter(shard, Table::kCounters, 8).U64(owner.value()).Take();
}
std::string DeviceKey(ShardId shard, Uin user, DeviceNumber device) {
  return KeyWriter(shard, Table::kDevice, 10).U64(user.value()).U16(device.value()).Take();
}
std::string ContactKey(ShardId shard, Uin user, Uin peer) {
  return KeyWriter(shard, Table::kContact, 16).U64(user.value()).U64(peer.value()).Take();
}
std::string ConversationKey(ShardId shard, Uin user, Uin with) {
  return KeyWriter(shard, Table::kConversation, 16).U64(user.value()).U64(with.value()).Take();
}
std::string RecordKey(ShardId shard, Uin user, std::string_view table, std::string_view key) {
  return KeyWriter(shard, Table::kRecord, kRecordHeadBytes + table.size() + key.size())
      .U64(user.value())
      .Sized(table)
      .Bytes(key)
      .Take();
}
std::string RecordTableKey(ShardId shard, Uin user, std::string_view table) {
  return KeyWriter(shard, Table::kRecordTable, 8 + table.size())
      .U64(user.value())
      .Bytes(table)
      .Take();
}
std::string ExecutedKey(ShardId shard, Uin owner) {
  return KeyWriter(shard, Table::kExecuted, 8).U64(owner.value()).Take();
}
std::string RegionStateKey(Incarnation region, uint8_t order, Incarnation writer) {
  const char order_byte = static_cast<char>(order);
  return KeyWriter(ShardId(0), Table::kRegionState, 5)
      .U16(region.value())
      .Bytes({&order_byte, 1})
      .U16(writer.value())
      .Take();
}
std::string JournalKey(Incarnation writer, uint64_t id) {
  return KeyWriter(ShardId(0), Table::kJournal, 10).U16(writer.value()).U64(id).Take();
}
std::string ParkedPrefix(ShardId shard, Uin target) {
  return KeyWriter(shard, Table::kParked, 8).U64(target.value()).Take();
}
std::string ParkedKey(ShardId shard, Uin target, StreamId source, Seq seq, uint32_t index) {
  return KeyWriter(shard, Table::kParked, 28)
      .U64(target.value())
      .U64(source.value())
      .U64(seq.value())
      .U32(index)
      .Take();
}
std::string KeptPrefix(StreamId source, Incarnation role) {
  return KeyWriter(source.shard(), Table::kKept, 10).U64(source.value()).U16(role.value()).Take();
}
std::string KeptKey(Incarnation role, StreamId source, Seq seq, uint32_t index) {
  return KeyWriter(source.shard(), Table::kKept, 22)
      .U64(source.value())
      .U16(role.value())
      .U64(seq.value())
      .U32(index)
      .Take();
}

std::string PendingPrefix(ShardId target, StreamId source) {
  return KeyWriter(target, Table::kPending, 8).U64(source.value()).Take();
}
std::string PendingKey(ShardId target, StreamId source, Seq seq, uint32_t index) {
  return KeyWriter(target, Table::kPending, 20)
      .U64(source.value())
      .U64(seq.value())
      .U32(index)
      .Take();
}
std::string AppliedKey(StreamId stream) {
  return KeyWriter(stream.shard(), Table::kApplied, 8).U64(stream.value()).Take();
}
std::string ConsumedKey(Incarnation role, StreamId source, ShardId target) {
  return KeyWriter(target, Table::kConsumed, 10).U16(role.value()).U64(source.value()).Take();
}
std::string IdsThroughKey(StreamId stream) {
  return KeyWriter(stream.shard(), Table::kIdsThrough, 8).U64(stream.value()).Take();
}
std::string ReportKey(Incarnation role) {
  return KeyWriter(ShardId(0), Table::kReport, 2).U16(role.value()).Take();
}
std::string RetentionKey() {
  return KeyWriter(ShardId(0), Table::kRetention, 0).Take();
}
std::string TakeoversKey() {
  return KeyWriter(ShardId(0), Table::kTakeovers, 0).Take();
}
std::string TakenKey(ShardId shard) {
  return KeyWriter(shard, Table::kTaken, 0).Take();
}
std::string FreezeKey() {
  return KeyWriter(ShardId(0), Table::kFreeze, 0).Take();
}
std::string RolePendingPrefix(ShardId target, Incarnation role, StreamId source) {
  return KeyWriter(target, Table::kRolePending, 10).U16(role.value()).U64(source.value()).Take();
}
std::string RolePendingKey(ShardId target, Incarnation role, StreamId source, Seq seq,
                           uint32_t index) {
  return KeyWriter(target, Table::kRolePending, 22)
      .U16(role.value())
      .U64(source.value())
      .U64(seq.value())
      .U32(index)
      .Take();
}
std::string BacklogKey(Incarnation role, StreamId source) {
  return KeyWriter(ShardId(0), Table::kBacklog, 10).U16(role.value()).U64(source.value()).Take();
}
std::string RecordChangePrefix(ShardId shard, Uin user, std::string_view table) {
  return KeyWriter(shard, Table::kRecordChange, kRecordHeadBytes + table.size())
      .U64(user.value())
      .Sized(table)
      .Take();
}
std::string RecordChangeKey(ShardId shard, Uin user, std::string_view table, const Stamp& stamp) {
  return KeyWriter(shard, Table::kRecordChange, kRecordHeadBytes + table.size() + 16)
      .U64(user.value())
      .Sized(table)
      .Of(stamp)
      .Take();
}
std::string ArrivingKey(ShardId shard, Uin uin) {
  return KeyWriter(shard, Table::kArriving, 8).U64(uin.value()).Take();
}
std::string OutrunKey(ShardId shard, Uin uin) {
  return KeyWriter(shard, Table::kOutrun, 8).U64(uin.value()).Take();
}
std::string ChangePrefix(ShardId shard, Uin user) {
  return KeyWriter(shard, Table::kChange, 8).U64(user.value()).Take();
}
std::string ChangeKey(ShardId shard, Uin user, const Stamp& stamp) {
  return KeyWriter(shard, Table::kChange, 24).U64(user.value()).Of(stamp).Take();
}

std::optional<Table> ReplicatedTableOf(std::string_view key, ShardId shard) {
  if (key.size() < kHeadBytes || NumberAt<uint16_t>(key, 0) != shard.value()) return std::nullopt;
  const auto table = static_cast<Table>(key[2]);
  if (!HasShape(table, key.substr(kHeadBytes))) return std::nullopt;
  return table;
}
Table TableOf(std::string_view key) {
  return static_cast<Table>(NumberAt<uint8_t>(key, 2));
}

Uin UinOfAccountKey(std::string_view key) {
  return Uin(U64At(key, 0));
}
Uin OwnerOfKey(std::string_view key) {
  return Uin(U64At(key, 0));
}
Uin PeerOfKey(std::string_view key) {
  return Uin(U64At(key, 1));
}
Uin UserOfMemberKey(std::string_view key) {
  return Uin(U64At(key, 1));
}
GroupMessagePlace PlaceOfGroupMessageKey(std::string_view key) {
  return {Uin(U64At(key, 0)), U64At(key, 1)};
}
InboxPlace PlaceOfInboxKey(std::string_view key) {
  CHECK(!IsInboxEndKey(key), "a scan of an inbox ends before its end", key.size());
  return {Uin(U64At(key, 0)), StampAt(key, 8)};
}
Stamp StampOfChangeKey(std::string_view key) {
  return StampAt(key, 8);
}
std::string_view TableOfRecordKey(std::string_view key) {
  return key.substr(kHeadBytes + kRecordHeadBytes,
                    NumberAt<uint8_t>(key, kHeadBytes + kRecordHeadBytes - 1));
}
std::string_view KeyOfRecordKey(std::string_view key) {
  return key.substr(kHeadBytes + kRecordHeadBytes + TableOfRecordKey(key).size());
}
Stamp StampOfRecordChangeKey(std::string_view key) {
  return StampAt(key, kRecordHeadBytes + TableOfRecordKey(key).size());
}
Uin TargetOfParkedKey(std::string_view key) {
  return Uin(U64At(key, 0));
}
StreamId StreamOfAppliedKey(std::string_view key) {
  return StreamId::FromValue(U64At(key, 0));
}
IntentPlace PlaceOfParkedKey(std::string_view key) {
  return {StreamId::FromValue(U64At(key, 1)), Seq(U64At(key, 2)),
          NumberAt<uint32_t>(key, kHeadBytes + 24)};
}
IntentPlace PlaceOfKeptKey(std::string_view key) {
  return {StreamId::FromValue(U64At(key, 0)), Seq(NumberAt<uint64_t>(key, kHeadBytes + 10)),
          NumberAt<uint32_t>(key, kHeadBytes + 18)};
}
IntentPlace PlaceOfRolePendingKey(std::string_view key) {
  return {StreamId::FromValue(NumberAt<uint64_t>(key, kHeadBytes + 2)),
          Seq(NumberAt<uint64_t>(key, kHeadBytes + 10)), NumberAt<uint32_t>(key, kHeadBytes + 18)};
}
IntentPlace PlaceOfPendingKey(std::string_view key) {
  return {StreamId::FromValue(U64At(key, 0)), Seq(U64At(key, 1)),
          NumberAt<uint32_t>(key, kHeadBytes + 16)};
}

}  // namespace homeport::core
