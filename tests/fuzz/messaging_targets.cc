// What travels in streams and stores of the messaging core, a client's token, and the cluster's
// configuration.
#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/config.h"
#include "core/memory_store.h"
#include "core/messaging/describe.h"
#include "core/messaging/draft.h"
#include "core/messaging/entry.h"
#include "core/messaging/executed.h"
#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/queries.h"
#include "core/messaging/records.h"
#include "core/messaging/rows.h"
#include "core/messaging/snapshot.h"
#include "core/messaging/user_rows.h"
#include "tests/fuzz/target.h"

namespace homeport::fuzz {
namespace {

using namespace core;  // NOLINT: every row

const StreamId kStream(Incarnation(2), ShardId(1));
constexpr uint16_t kShards = 4;

// ---- an entry, applied to a region that has seen nothing

void RunEntry(std::string_view bytes) {
  MemoryStore store;
  for (const Incarnation self : {Incarnation(1), Incarnation(2)}) {
    WriteBatch batch;
    ApplySummary summary;
    const Seq seq = AppliedSeq(store, kStream) + 1;
    const Status applied =
        ApplyEntry(store, {self, kShards}, kStream, seq, bytes, &batch, &summary);
    // It may say more: applying looks only at what concerns the region.
    (void)DescribeEntry(kStream, bytes).ok();
    if (!applied.ok()) continue;
    CHECK(store.Write(batch).ok(), "a store in memory takes all");
    CHECK(AppliedSeq(store, kStream) == seq, "the position goes with the entry", seq);
    for (uint16_t shard = 0; shard < kShards; ++shard) (void)LoadPending(store, ShardId(shard));
  }
}

std::vector<std::string> EntrySeeds() {
  const WallMs now(1234567);
  Draft rows(now);
  rows.Put(AccountKey(ShardId(1), Uin(5)), {{0, 0}, Version(1)}, "value");
  rows.Put(ConversationKey(ShardId(1), Uin(5), Uin(7)), {{0, 1}, Version(3)},
           EncodeConversation({}));
  rows.Put(ConversationKey(ShardId(1), Uin(5), Uin(7)), {{0, 1}, Version(4)},
           EncodeConversation({}));
  rows.Put(RecordKey(ShardId(1), Uin(5), "table", "key"), {{0, 1}, Version(3)},
           EncodeRecord({"value", 1}));
  rows.Delete(RecordKey(ShardId(1), Uin(5), "table", "key"), {{0, 1}, Version(4)});
  rows.Delete(AccountKey(ShardId(1), Uin(6)), {{0, 1}, Version(2)});
  rows.Fanout("item", {0, 1}, {Uin(1), Uin(5)}, {3, 4});
  rows.TrimInbox(Uin(5), {}, {{0, 1}, Version(3)});
  rows.TrimGroup(Uin(5), 1, 3);
  rows.Put(ExecutedKey(ShardId(1), Uin(5)), {{0, 1}, Version(1)}, EncodeExecuted({}));
  rows.RaiseIdsThrough(99);
  Draft intents(now);
  Intent deliver;
  deliver.kind = IntentKind::kDeliver;
  deliver.message.body = "hello";
  intents.AddIntent(deliver, {{Incarnation(1), ShardId(2), {0, 0}, {Uin(9)}}});
  Intent fanout;
  fanout.kind = IntentKind::kFanout;
  fanout.group = Uin(7);
  fanout.group_seq = 3;
  intents.AddIntent(fanout, {{Incarnation(2), ShardId(1), {0, 0}, {Uin(1), Uin(2)}}});
  Intent receipt;
  receipt.kind = IntentKind::kReceipt;
  receipt.receipt = {Uin(7), {{{0, 1}, Version(2)}, MessageId(3), 0}, {}};
  intents.AddIntent(receipt, {{Incarnation(1), ShardId(2), {0, 0}, {Uin(9)}}});
  Intent tell;
  tell.kind = IntentKind::kTell;
  intents.AddIntent(tell, {{Incarnation(2), ShardId(1), {0, 0}, {Uin(9)}}});
  intents.Consumed(Incarnation(2), StreamId(Incarnation(1), ShardId(0)), {Seq(4), 1});
  return {rows.Encode(), intents.Encode(), Draft(now).Encode(), ""};
}

// ---- rows; the first byte says which kind

void RunRow(std::string_view bytes) {
  if (bytes.empty()) return;
  const std::string_view row = bytes.substr(1);
  switch (static_cast<uint8_t>(bytes[0]) % 13) {
    case 0:
      if (const auto decoded = DecodeRow(row)) {
        const std::string encoded = EncodeRow(decoded->stamp, decoded->deleted, decoded->value);
        const auto again = DecodeRow(encoded);
        CHECK(again && again->stamp == decoded->stamp && again->value == decoded->value,
              "a row comes back as it was");
      }
      break;
    case 1:
      if (const auto decoded = DecodeAccount(row)) {
        const std::string encoded = EncodeAccount(*decoded);
        const auto again = DecodeAccount(encoded);
        CHECK(again && EncodeAccount(*again) == encoded, "an account comes back as it was");
      }
      break;
    case 2:
      (void)DecodeName(row);
      break;
    case 3:
      if (const auto decoded = DecodeCounters(row)) {
        const std::string encoded = EncodeCounters(*decoded);
        CHECK(DecodeCounters(encoded) == decoded, "counters come back as they were");
      }
      break;
    case 4:
      if (const auto decoded = DecodeRemembered(row)) {
        CHECK(DecodeRemembered(EncodeRemembered(*decoded)).has_value(), "they come back");
      }
      break;
    case 5:
      if (const auto decoded = DecodeGroupMessage(row)) {
        const std::string encoded = EncodeGroupMessage(*decoded);
        const auto again = DecodeGroupMessage(encoded);
        CHECK(again && EncodeGroupMessage(*again) == encoded, "a message comes back as it was");
      }
      break;
    case 6:
      if (const auto decoded = DecodeInboxItem(row)) {
        const std::string encoded = EncodeInboxItem(*decoded);
        const auto again = DecodeInboxItem(encoded);
        CHECK(again && EncodeInboxItem(*again) == encoded, "an item comes back as it was");
      }
      break;
    case 8:
      if (const auto decoded = DecodeDevice(row)) {
        CHECK(DecodeDevice(EncodeDevice(*decoded)) == decoded, "a device comes back as it was");
      }
      break;
    case 9:
      if (const auto decoded = DecodeConversation(row)) {
        CHECK(DecodeConversation(EncodeConversation(*decoded)) == decoded,
              "a conversation comes back as it was");
      }
      break;
    case 10:
      if (const auto decoded = DecodeRecord(row)) {
        CHECK(DecodeRecord(EncodeRecord(*decoded)) == decoded, "a record comes back as it was");
      }
      break;
    case 11:
      if (const auto decoded = DecodeRecordTable(row)) {
        CHECK(DecodeRecordTable(EncodeRecordTable(*decoded)) == decoded, "it comes back");
      }
      break;
    case 12:
      if (const auto decoded = DecodeExecuted(row)) {
        CHECK(DecodeExecuted(EncodeExecuted(*decoded)) == decoded, "it comes back");
      }
      break;
    default:
      if (const auto decoded = DecodePendingIntent(row)) {
        const std::string encoded = EncodePendingIntent(decoded->target, decoded->intent);
        const auto again = DecodePendingIntent(encoded);
        CHECK(again && EncodePendingIntent(again->target, again->intent) == encoded,
              "an intent comes back as it was");
      }
  }
}

std::vector<std::string> RowSeeds() {
  AccountInfo account;
  account.uin = Uin(5);
  account.name = "alice";
  Intent deliver;
  deliver.kind = IntentKind::kDeliver;
  deliver.message.body = "hello";
  const std::vector<std::string> rows = {
      EncodeRow({{0, 1}, Version(2)}, false, "value"),
      EncodeAccount(account),
      EncodeName(AccountKind::kGroup, Uin(5)),
      EncodeCounters({}),
      EncodeRemembered({}),
      EncodeGroupMessage({}),
      EncodeInboxItem({}),
      EncodePendingIntent({Incarnation(1), ShardId(2), {0, 0}, {Uin(9)}}, deliver),
      EncodeDevice({7, "phone", 1}),
      EncodeConversation({{{{0, 1}, Version(2)}, MessageId(3), 0}, {}, {}}),
      EncodeRecord({"value", 1}),
      EncodeRecordTable({1, 2, 3}),
      EncodeExecuted({{ClientMessageId(1), DeviceNumber(2), true}})};
  std::vector<std::string> seeds;
  for (size_t i = 0; i < rows.size(); ++i) seeds.push_back(static_cast<char>(i) + rows[i]);
  return seeds;
}

// ---- a token of records, as text

void RunRecords(std::string_view bytes) {
  const MemoryStore store;
  const SyncContext context{kShards, SnapshotKey::FromSecret("a secret for fuzzing")};
  const auto page = ReadRecords(store, context, Uin(5), "table", bytes, {});
  if (!page.ok()) return;
  CHECK(page->records.empty() && !page->more, "nothing is there");
}

std::vector<std::string> RecordsSeeds() {
  const MemoryStore store;
  const SyncContext context{kShards, SnapshotKey::FromSecret("a secret for fuzzing")};
  return {"", ReadRecords(store, context, Uin(5), "table", "", {})->snapshot};
}

// ---- a client's token: as text, and made of the input's numbers

const SnapshotKey kKey = SnapshotKey::FromSecret("a secret for fuzzing");

void RunSnapshot(std::string_view bytes) {
  if (const auto parsed = ParseSnapshot(kKey, bytes); parsed.ok()) {
    const auto token = FormatSnapshot(kKey, *parsed);
    CHECK(token.ok() && *token == bytes, "each snapshot has one token");
  }
  uint64_t numbers[9] = {};
  std::memcpy(numbers, bytes.data(), std::min(bytes.size(), sizeof numbers));
  Snapshot snapshot;
  snapshot.user = Uin(numbers[0]);
  snapshot.device = DeviceNumber(static_cast<uint16_t>(numbers[1]));
  snapshot.account.epoch = {static_cast<uint32_t>(numbers[2]), static_cast<uint32_t>(numbers[3])};
  snapshot.contacts.epoch = snapshot.account.epoch;
  snapshot.messages.epoch = {static_cast<uint32_t>(numbers[4]), static_cast<uint32_t>(numbers[5])};
  snapshot.account.version = Version(numbers[6]);
  snapshot.contacts.version = Version(numbers[7]);
  snapshot.messages.version = Version(numbers[8]);
  const auto token = FormatSnapshot(kKey, snapshot);
  if (!token.ok()) return;  // a stamp that we would not give out
  CHECK(token->size() <= kSnapshotTextMax, "a token has a bound", token->size());
  const auto parsed = ParseSnapshot(kKey, *token);
  CHECK(parsed.ok(), "what we format we parse", parsed.status());
  CHECK(*parsed == snapshot, "a snapshot comes back as it was");
}

std::vector<std::string> SnapshotSeeds() {
  Snapshot snapshot;
  snapshot.user = Uin(5);
  snapshot.messages = {{1, 2}, Version(1000000)};
  return {*FormatSnapshot(kKey, snapshot), std::string(80, '\x01'), std::string(72, '\x00')};
}

// ---- the cluster's configuration

void RunConfig(std::string_view bytes) {
  const auto config = ParseClusterConfig(std::string(bytes), "/dir/cluster.toml");
  if (!config.ok()) return;
  const std::string text = FormatClusterConfig(*config);
  const auto again = ParseClusterConfig(text, "/dir/cluster.toml");
  CHECK(again.ok(), "what we format we parse", again.status());
  CHECK(FormatClusterConfig(*again) == text, "a configuration comes back as it was");
}

std::vector<std::string> ConfigSeeds() {
  ClusterConfig config;
  config.cluster = "abcdef";
  config.data = "/dir/data";
  config.regions.resize(1);
  RegionConfig& region = config.regions[0];
  region.name = "sh";
  region.incarnation = Incarnation(1);
  region.gateway = "tcp://127.0.0.1:7101";
  region.http = "127.0.0.1:7102";
  for (size_t i = 0; i < region.replicas.size(); ++i) {
    region.replicas[i] = {"tcp://127.0.0.1:711" + std::to_string(2 * i),
                          "127.0.0.1:711" + std::to_string(2 * i + 1),
                          std::string(1, static_cast<char>('a' + i))};
  }
  return {FormatClusterConfig(config)};
}

}  // namespace

std::vector<FuzzTarget> MessagingTargets() {
  return {{"entry", RunEntry, EntrySeeds},
          {"row", RunRow, RowSeeds},
          {"records", RunRecords, RecordsSeeds},
          {"snapshot", RunSnapshot, SnapshotSeeds},
          {"config", RunConfig, ConfigSeeds}};
}

}  // namespace homeport::fuzz
