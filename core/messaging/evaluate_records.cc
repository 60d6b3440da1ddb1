#include <fmt/format.h>

#include "core/messaging/evaluator_impl.h"
#include "core/messaging/records.h"
#include "core/text.h"

namespace homeport::core {

// Records: rows of tables that a team adds (records.h, docs/extending.md).

CommandResult Evaluator::Impl::operator()(const PutRecord& command) {
  if (command.value.size() > kRecordBytesMax) {
    return Refused(Status::TooLarge(kRecordBytesMax,
                                    fmt::format("a record has at most {} bytes, this one has {}",
                                                kRecordBytesMax, command.value.size())));
  }
  return ChangeRecord(command.user, command.table, command.key, command.value, command.expects);
}

CommandResult Evaluator::Impl::operator()(const DeleteRecord& command) {
  return ChangeRecord(command.user, command.table, command.key, std::nullopt, command.expects);
}

// Counts a change that makes a table's values `bytes` long together.
Status Evaluator::Impl::CountRecord(Uin user, bool is_new, uint64_t bytes, RecordTable* table) {
  if (bytes > kRecordTableBytesMax) {
    return Status::TooLarge(
        kRecordTableBytesMax,
        fmt::format("a user's records in a table have at most {} bytes", kRecordTableBytesMax));
  }
  if (is_new && table->records >= kRecordsMax) {
    return Status::TooLarge(
        kRecordsMax, fmt::format("a user has at most {} keys in a table, those of deleted records "
                                 "included",
                                 kRecordsMax));
  }
  if (table->last == 0) {
    if (view.CountersOf(user).record_tables >= kRecordTablesMax) {
      return Status::TooLarge(kRecordTablesMax, fmt::format("a user has records in at most {} "
                                                            "tables",
                                                            kRecordTablesMax));
    }
    ++Count(user).record_tables;
  }
  if (is_new) ++table->records;
  table->bytes = bytes;
  ++table->last;
  return {};
}

CommandResult Evaluator::Impl::ChangeRecord(Uin user, std::string_view table, std::string_view key,
                                            const std::optional<std::string>& value,
                                            const std::optional<Stamp>& expects) {
  if (Status bad = CheckServed(user, AccountKind::kUser, "user"); !bad.ok()) {
    return Refused(std::move(bad));
  }
  if (Status bad = CheckRecordTable(table); !bad.ok()) return Refused(std::move(bad));
  if (Status bad = CheckRecordKey(key); !bad.ok()) return Refused(std::move(bad));
  std::string row_key = RecordKey(shard(), user, table, key);
  const std::optional<Row> row = view.Find(row_key);
  const auto known = row.has_value() && !row->deleted ? DecodeRecord(row->value) : std::nullopt;
  const Stamp version = row.has_value() ? row->stamp : Stamp();
  if (expects.has_value()) {
    const bool none_wanted = *expects == Stamp();
    if (none_wanted ? known.has_value() : version != *expects) {
      return Refused(Status::Refused(
          fmt::format("the record is {}, not {}: read it again",
                      version == Stamp() ? "not there" : "at version " + FormatPlace(version),
                      none_wanted ? "absent" : "at version " + FormatPlace(*expects))));
    }
  }
  CommandResult result;
  result.version = version;
  const bool same = known.has_value() ? value == known->value : !value.has_value();
  if (same) return result;
  std::string table_key = RecordTableKey(shard(), user, table);
  RecordTable totals =
      DecodeRecordTable(view.FindLive(table_key).value_or(std::string())).value_or(RecordTable());
  const uint64_t bytes = totals.bytes - (known.has_value() ? known->value.size() : 0) +
                         (value.has_value() ? value->size() : 0);
  if (Status bad = CountRecord(user, !row.has_value(), bytes, &totals); !bad.ok()) {
    return Refused(std::move(bad));
  }
  const Stamp stamp{view.ResidenceOf(user).at.epoch, Version(totals.last)};
  Put(std::move(table_key), stamp, EncodeRecordTable(totals));
  if (value.has_value()) {
    Put(std::move(row_key), stamp, EncodeRecord({*value, now_ms()}));
  } else {
    Delete(std::move(row_key), stamp);
  }
  result.changed = true;
  result.version = stamp;
  return result;
}

}  // namespace homeport::core
