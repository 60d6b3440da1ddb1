#include "core/messaging/records.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/config.h"
#include "core/messaging/keys.h"
#include "core/messaging/row_codec.h"
#include "core/messaging/rows.h"
#include "core/text.h"

namespace homeport::core {
namespace {

// A token is a place in the table's changes, and a seal over that, user and table, which it does
// not name. Seals of snapshots begin otherwise.
constexpr std::string_view kPurpose = "records ";

std::string SealOf(const SnapshotKey& key, Uin user, std::string_view table, const Stamp& stamp) {
  return EncodeNumber(
      key.Seal(fmt::format("{}{} {} {}", kPurpose, user.value(), table, FormatPlace(stamp))));
}

std::string FormatToken(const SnapshotKey& key, Uin user, std::string_view table,
                        const Stamp& stamp) {
  const uint64_t epoch = uint64_t{stamp.epoch.takeover} << 32 | stamp.epoch.move;
  return Base64Url(EncodeNumber(epoch) + EncodeNumber(stamp.version.value()) +
                   SealOf(key, user, table, stamp));
}

Result<Stamp> ParseToken(const SnapshotKey& key, Uin user, std::string_view table,
                         std::string_view token) {
  const Status malformed =
      Status::BadRequest("this is no token of this user and table; begin again without one");
  if (token.size() > kSnapshotTextMax) return malformed;
  const std::optional<std::string> bytes = FromBase64Url(token);
  if (!bytes.has_value() || bytes->size() != 24) return malformed;
  const uint64_t epoch = DecodeNumber(bytes->substr(0, 8));
  const Stamp stamp{{static_cast<uint32_t>(epoch >> 32), static_cast<uint32_t>(epoch)},
                    Version(DecodeNumber(bytes->substr(8, 8)))};
  // One text for each place.
  if (FormatToken(key, user, table, stamp) != token) return malformed;
  return stamp;
}

}  // namespace

std::string EncodeRecord(const Record& record) {
  return Encode<wire::Record>([&](wire::Record::Builder out) {
    out.setVersion(kRowVersion);
    out.setValue(Data(record.value));
    out.setChangedAtMs(record.changed_at_ms);
  });
}

std::optional<Record> DecodeRecord(std::string_view bytes) {
  return DecodeValue<wire::Record, Record>(bytes, [](auto in, Record* out) -> Status {
    *out = {std::string(View(in.getValue())), in.getChangedAtMs()};
    return {};
  });
}

std::string EncodeRecordTable(const RecordTable& table) {
  return Encode<wire::RecordTable>([&](wire::RecordTable::Builder out) {
    out.setVersion(kRowVersion);
    out.setLast(table.last);
    out.setRecords(table.records);
    out.setBytes(table.bytes);
  });
}

std::optional<RecordTable> DecodeRecordTable(std::string_view bytes) {
  return DecodeValue<wire::RecordTable, RecordTable>(
      bytes, [](auto in, RecordTable* out) -> Status {
        *out = {in.getLast(), in.getRecords(), in.getBytes()};
        return {};
      });
}

Status CheckRecordTable(std::string_view table) {
  const bool known = std::all_of(table.begin(), table.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  });
  if (known && !table.empty() && table.size() <= kRecordTableNameMax) return {};
  return Status::BadRequest(
      fmt::format("the name of a table has 1 to {} of a-z, 0-9 and _", kRecordTableNameMax));
}

Status CheckRecordKey(std::string_view key) {
  if (!key.empty() && key.size() <= kRecordKeyBytesMax) return {};
  return Status::BadRequest(
      fmt::format("the key of a record has 1 to {} bytes", kRecordKeyBytesMax));
}

Result<RecordRead> ReadRecord(const StoreView& store, uint16_t shards, Uin user,
                              std::string_view table, std::string_view key) {
  RETURN_IF_ERROR(CheckRecordTable(table));
  RETURN_IF_ERROR(CheckRecordKey(key));
  RecordRead read;
  const std::optional<Row> row = ReadRow(store, RecordKey(ShardOf(user, shards), user, table, key));
  if (!row.has_value()) return read;
  read.version = row->stamp;
  if (row->deleted) return read;
  read.record = DecodeRecord(row->value);
  if (!read.record.has_value()) return Status::Corrupt("a record of unknown form is stored");
  return read;
}

Result<RecordsPage> ReadRecords(const StoreView& store, const SyncContext& context, Uin user,
                                std::string_view table, std::string_view snapshot,
                                const SyncLimits& limits) {
  RETURN_IF_ERROR(CheckRecordTable(table));
  Stamp next;
  if (!snapshot.empty()) {
    ASSIGN_OR_RETURN(next, ParseToken(context.key, user, table, snapshot));
  }
  const ShardId shard = ShardOf(user, context.shards);
  Stamp last;
  const std::optional<Row> counted = ReadRow(store, RecordTableKey(shard, user, table));
  if (counted.has_value()) last = counted->stamp;
  RecordsPage page;
  Status failed;
  uint64_t bytes = 0;
  size_t looked = 0;
  const auto visit = [&](std::string_view key, std::string_view row_key) {
    // Deleted ones, which a first page leaves out, are work, too.
    page.more = looked > 0 && looked >= limits.items_max;
    if (page.more) return false;
    ++looked;
    const std::optional<Row> row = ReadRow(store, row_key);
    auto record = row.has_value() && !row->deleted ? DecodeRecord(row->value) : std::nullopt;
    if (!row.has_value() || (!row->deleted && !record.has_value())) {
      failed = Status::Corrupt("a record of unknown form is stored");
      return false;
    }
    const bool is_news = !row->deleted || !snapshot.empty();
    const uint64_t size = row->deleted ? 0 : record->value.size();
    if (is_news) {
      page.more = !page.records.empty() && bytes + size > limits.bytes_max;
      if (page.more) return false;
      SyncRecord& out = page.records.emplace_back();
      out.key = KeyOfRecordKey(row_key);
      out.deleted = row->deleted;
      if (record.has_value()) {
        out.value = std::move(record->value);
        out.changed_at_ms = record->changed_at_ms;
      }
      bytes += size;
    }
    next = StampOfRecordChangeKey(key);
    return true;
  };
  if (next < last) {
    store.Scan(RecordChangeKey(shard, user, table, next) + '\0',
               PrefixEnd(RecordChangePrefix(shard, user, table)), visit);
  }
  RETURN_IF_ERROR(failed);
  if (!page.more) next = last;
  page.snapshot = FormatToken(context.key, user, table, next);
  return page;
}

}  // namespace homeport::core
