#include "core/messaging/rows.h"
#include "core/messaging/user_rows.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/records.h"

namespace homeport::core {
namespace {

const Stamp kStamp{{3, 4}, Version(0x0102030405060708)};

TEST(KeysTest, SortAsTheirNumbersDo) {
  const ShardId shard(1);
  const Uin user(0x01ff);
  std::vector<std::string> keys = {
      InboxKey(shard, Uin(1), {{9, 9}, Version(9)}),
      InboxKey(shard, user, {{0, 0}, Version(1)}),
      InboxKey(shard, user, {{0, 0}, Version(2)}),
      InboxKey(shard, user, {{0, 0}, Version(256)}),
      InboxKey(shard, user, {{0, 1}, Version(1)}),
      InboxKey(shard, user, {{1, 0}, Version(0)}),
      InboxEndKey(shard, user),
      InboxKey(shard, Uin(0x0200), {{0, 0}, Version(0)}),
      InboxKey(ShardId(2), Uin(0), {{0, 0}, Version(0)}),
      InboxKey(ShardId(256), Uin(0), {{0, 0}, Version(0)}),
  };
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_LT(PendingKey(shard, StreamId(Incarnation(1), shard), Seq(255), 300),
            PendingKey(shard, StreamId(Incarnation(1), shard), Seq(256), 0));
}

TEST(KeysTest, GiveBackTheirParts) {
  const ShardId shard(7);
  const InboxPlace inbox = PlaceOfInboxKey(InboxKey(shard, Uin(5), kStamp));
  EXPECT_EQ(inbox.user, Uin(5));
  EXPECT_EQ(inbox.stamp, kStamp);
  EXPECT_EQ(StampOfChangeKey(ChangeKey(shard, Uin(5), kStamp)), kStamp);
  const std::string record = RecordKey(shard, Uin(5), "table", "key");
  EXPECT_EQ(OwnerOfKey(record), Uin(5));
  EXPECT_EQ(TableOfRecordKey(record), "table");
  EXPECT_EQ(KeyOfRecordKey(record), "key");
  EXPECT_EQ(StampOfRecordChangeKey(RecordChangeKey(shard, Uin(5), "table", kStamp)), kStamp);
  EXPECT_EQ(PeerOfKey(ConversationKey(shard, Uin(5), Uin(6))), Uin(6));
  EXPECT_EQ(TableOf(ConversationKey(shard, Uin(5), Uin(6))), Table::kConversation);
  const GroupMessagePlace group = PlaceOfGroupMessageKey(GroupMessageKey(shard, Uin(6), 70));
  EXPECT_EQ(group.group, Uin(6));
  EXPECT_EQ(group.group_seq, 70u);
  EXPECT_EQ(UserOfMemberKey(MemberKey(shard, Uin(1), Uin(2))), Uin(2));
  EXPECT_EQ(UinOfAccountKey(AccountKey(shard, Uin(3))), Uin(3));
  const StreamId source(Incarnation(4), ShardId(5));
  for (const IntentPlace& place : {PlaceOfParkedKey(ParkedKey(shard, Uin(9), source, Seq(8), 7)),
                                   PlaceOfPendingKey(PendingKey(shard, source, Seq(8), 7))}) {
    EXPECT_EQ(place.source, source);
    EXPECT_EQ(place.seq, Seq(8));
    EXPECT_EQ(place.index, 7u);
  }
}

TEST(KeysTest, KnowReplicatedKeysOfTheirShardFromAnythingElse) {
  const ShardId shard(3);
  const StreamId source(Incarnation(4), shard);
  const std::vector<std::pair<Table, std::string>> keys = {
      {Table::kAccount, AccountKey(shard, Uin(1))},
      {Table::kName, NameKey(shard, AccountKind::kGroup, "n")},
      {Table::kMember, MemberKey(shard, Uin(1), Uin(2))},
      {Table::kGroupMessage, GroupMessageKey(shard, Uin(1), 2)},
      {Table::kInbox, InboxKey(shard, Uin(1), kStamp)},
      {Table::kRemembered, RememberedKey(shard, Uin(1), Uin(2), ClientMessageId(3))},
      {Table::kCounters, CountersKey(shard, Uin(1))},
      {Table::kDevice, DeviceKey(shard, Uin(1), DeviceNumber(2))},
      {Table::kContact, ContactKey(shard, Uin(1), Uin(2))},
      {Table::kConversation, ConversationKey(shard, Uin(1), Uin(2))},
      {Table::kRecord, RecordKey(shard, Uin(1), "table", std::string(kRecordKeyBytesMax, 'k'))},
      {Table::kRecordTable, RecordTableKey(shard, Uin(1), std::string(kRecordTableNameMax, 't'))},
      {Table::kExecuted, ExecutedKey(shard, Uin(1))},
      {Table::kRegionState, RegionStateKey(Incarnation(1), 2, Incarnation(3))},
      {Table::kJournal, JournalKey(Incarnation(1), 2)},
      {Table::kParked, ParkedKey(shard, Uin(1), source, Seq(2), 3)},
      {Table::kKept, KeptKey(Incarnation(9), StreamId(Incarnation(7), shard), Seq(2), 3)},
  };
  ASSERT_EQ(keys.size(), kReplicatedTables.size());
  for (const auto& [table, of_shard] : keys) {
    std::string key = of_shard;
    key[1] = static_cast<char>(shard.value());  // operators' rows are of shard 0
    EXPECT_EQ(ReplicatedTableOf(key, shard), table) << TableName(table);
    EXPECT_EQ(ReplicatedTableOf(key, ShardId(4)), std::nullopt);
    EXPECT_EQ(ReplicatedTableOf(key.substr(0, 2), shard), std::nullopt);
    EXPECT_EQ(ReplicatedTableOf(key + std::string(100, 'x'), shard), std::nullopt);
    if (table == Table::kRecord || table == Table::kRecordTable) {
      EXPECT_EQ(ReplicatedTableOf(key + 'x', shard), std::nullopt);
    } else if (table != Table::kName) {
      EXPECT_EQ(ReplicatedTableOf(key + 'x', shard), std::nullopt);
      EXPECT_EQ(ReplicatedTableOf(key.substr(0, key.size() - 1), shard), std::nullopt);
    }
  }
  EXPECT_EQ(ReplicatedTableOf(InboxEndKey(shard, Uin(1)), shard), std::nullopt) << "local";
  const std::string bare = RecordKey(shard, Uin(1), "table", "");
  EXPECT_EQ(ReplicatedTableOf(bare, shard), std::nullopt) << "no key";
  EXPECT_EQ(ReplicatedTableOf(RecordKey(shard, Uin(1), "", "key"), shard), std::nullopt);
  EXPECT_EQ(ReplicatedTableOf(RecordKey(shard, Uin(1), std::string(33, 't'), "key"), shard),
            std::nullopt);
  EXPECT_EQ(ReplicatedTableOf(RecordTableKey(shard, Uin(1), ""), shard), std::nullopt);
  for (const std::string& local : {PendingKey(shard, source, Seq(1), 0), AppliedKey(source),
                                   ConsumedKey(Incarnation(1), source, shard),
                                   IdsThroughKey(source), ChangeKey(shard, Uin(1), kStamp),
                                   RecordChangeKey(shard, Uin(1), "t", kStamp), std::string()}) {
    EXPECT_EQ(ReplicatedTableOf(local, shard), std::nullopt);
  }
}

TEST(RowsTest, RoundTrip) {
  const std::string bytes("a\0b\xff", 4);
  const Row row = DecodeRow(EncodeRow(kStamp, true, bytes)).value();
  EXPECT_EQ(row.stamp, kStamp);
  EXPECT_TRUE(row.deleted);
  EXPECT_EQ(row.value, bytes);
  EXPECT_EQ(StampOfRow(EncodeRow(kStamp, false, "")), kStamp);

  const AccountInfo account =
      DecodeAccount(EncodeAccount({Uin(1), AccountKind::kGroup, bytes, Incarnation(2), {3, 4}, -5}))
          .value();
  EXPECT_EQ(account.uin, Uin(1));
  EXPECT_EQ(account.kind, AccountKind::kGroup);
  EXPECT_EQ(account.name, bytes);
  EXPECT_EQ(account.home, Incarnation(2));
  EXPECT_EQ(account.epoch, (MastershipEpoch{3, 4}));
  EXPECT_EQ(account.created_at_ms, -5);
  EXPECT_TRUE(account.adopted);
  AccountInfo moving = account;
  moving.adopted = false;
  moving.deps = {{StreamId(Incarnation(6), ShardId(7)), Seq(8)}};
  const AccountInfo moved = DecodeAccount(EncodeAccount(moving)).value();
  EXPECT_FALSE(moved.adopted);
  EXPECT_EQ(moved.deps, moving.deps);

  EXPECT_EQ(DecodeName(EncodeName(AccountKind::kUser, Uin(9))), Uin(9));

  for (const bool bare : {true, false}) {
    Counters counters{1, 2, 3, 4, {}, {}, {}};
    if (!bare) {
      counters.floor = {{5, 6}, Version(7)};
      counters.last_device = DeviceNumber(9);
      counters.devices = {{DeviceNumber(8), -1, {{1, 2}, Version(3)}}, {DeviceNumber(9), 7, {}}};
      counters.conversation_rows = 10;
      counters.told = {{1, 2}, Version(11)};
      counters.telling = true;
      counters.record_tables = 12;
    }
    EXPECT_EQ(DecodeCounters(EncodeCounters(counters)), counters);
  }
  const Device device{77, bytes, -5};
  EXPECT_EQ(DecodeDevice(EncodeDevice(device)), device);
  const Record record{bytes, -5};
  EXPECT_EQ(DecodeRecord(EncodeRecord(record)), record);
  const RecordTable table{1, 2, 3};
  EXPECT_EQ(DecodeRecordTable(EncodeRecordTable(table)), table);
  const Conversation conversation{
      {kStamp, MessageId(1), 2}, {kStamp, MessageId(3), 4}, {kStamp, MessageId(5), 6}};
  EXPECT_EQ(DecodeConversation(EncodeConversation(conversation)), conversation);

  const Remembered remembered = DecodeRemembered(EncodeRemembered({MessageId(1), 2, 3})).value();
  EXPECT_EQ(remembered.message, MessageId(1));
  EXPECT_EQ(remembered.at_ms, 2);
  EXPECT_EQ(remembered.group_seq, 3u);

  const Message message{MessageId(1), Uin(2), ClientMessageId(3), 4, bytes};
  const GroupMessage posted = DecodeGroupMessage(EncodeGroupMessage({7, message})).value();
  EXPECT_EQ(posted.group_seq, 7u);
  EXPECT_EQ(posted.message.id, MessageId(1));
  EXPECT_EQ(posted.message.sender, Uin(2));
  EXPECT_EQ(posted.message.client_message, ClientMessageId(3));
  EXPECT_EQ(posted.message.sent_at_ms, 4);
  EXPECT_EQ(posted.message.body, bytes);

  const InboxItem direct = DecodeInboxItem(EncodeInboxItem({message, {}, 0, 6})).value();
  EXPECT_EQ(direct.at_ms, 6);
  ASSERT_TRUE(direct.message.has_value());
  EXPECT_EQ(direct.message->body, bytes);
  const InboxItem group = DecodeInboxItem(EncodeInboxItem({std::nullopt, Uin(8), 9, 10})).value();
  EXPECT_EQ(group.at_ms, 10);
  EXPECT_FALSE(group.message.has_value());
  EXPECT_EQ(group.group, Uin(8));
  EXPECT_EQ(group.group_seq, 9u);
}

TEST(RowsTest, RoundTripPendingIntents) {
  const Target target{Incarnation(1), ShardId(2), {3, 4}, {Uin(5), Uin(6)}};
  for (const IntentKind kind : {IntentKind::kDeliver, IntentKind::kPost, IntentKind::kFanout}) {
    Intent intent;
    intent.kind = kind;
    if (kind == IntentKind::kFanout) {
      intent.group = Uin(7);
      intent.group_seq = 8;
    } else {
      intent.message = {MessageId(1), Uin(2), ClientMessageId(3), 4, "body"};
    }
    const AddressedIntent back = DecodePendingIntent(EncodePendingIntent(target, intent)).value();
    EXPECT_EQ(back.target.incarnation, target.incarnation);
    EXPECT_EQ(back.target.shard, target.shard);
    EXPECT_EQ(back.target.epoch, target.epoch);
    EXPECT_EQ(back.target.users, target.users);
    EXPECT_EQ(back.intent.kind, kind);
    EXPECT_EQ(back.intent.group, intent.group);
    EXPECT_EQ(back.intent.group_seq, intent.group_seq);
    EXPECT_EQ(back.intent.message.body, intent.message.body);
  }
}

TEST(RowsTest, RoundTripReceipts) {
  const Target target{Incarnation(1), ShardId(2), {3, 4}, {Uin(5)}};
  Intent intent;
  intent.kind = IntentKind::kReceipt;
  intent.receipt = {Uin(1), {kStamp, MessageId(2), 3}, {kStamp, MessageId(4), 5}};
  const AddressedIntent back = DecodePendingIntent(EncodePendingIntent(target, intent)).value();
  EXPECT_EQ(back.intent.kind, IntentKind::kReceipt);
  EXPECT_EQ(back.intent.receipt.from, Uin(1));
  EXPECT_EQ(back.intent.receipt.read, intent.receipt.read);
  EXPECT_EQ(back.intent.receipt.delivered, intent.receipt.delivered);
  intent.kind = IntentKind::kTell;
  EXPECT_EQ(DecodePendingIntent(EncodePendingIntent(target, intent))->intent.kind,
            IntentKind::kTell);
}

TEST(RowsTest, RefuseOtherBytes) {
  for (const std::string& bytes :
       {std::string(), std::string("x"), std::string(7, '\0'), std::string(8, '\xff'),
        std::string(64, '\xff'), std::string(64, '\0')}) {
    EXPECT_FALSE(DecodeAccount(bytes).has_value());
    EXPECT_FALSE(DecodeName(bytes).has_value());
    EXPECT_FALSE(DecodeCounters(bytes).has_value());
    EXPECT_FALSE(DecodeDevice(bytes).has_value());
    EXPECT_FALSE(DecodeConversation(bytes).has_value());
    EXPECT_FALSE(DecodeRecord(bytes).has_value());
    EXPECT_FALSE(DecodeRecordTable(bytes).has_value());
    EXPECT_FALSE(DecodeRemembered(bytes).has_value());
    EXPECT_FALSE(DecodeGroupMessage(bytes).has_value());
    EXPECT_FALSE(DecodeInboxItem(bytes).has_value());
    EXPECT_FALSE(DecodePendingIntent(bytes).has_value());
  }
  // Truncated.
  const std::string whole = EncodeGroupMessage({7, {MessageId(1), Uin(2), {}, 4, "body"}});
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(DecodeGroupMessage(whole.substr(0, size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace homeport::core
