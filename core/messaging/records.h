// Records: rows of a team's own, in tables that the core knows nothing of. A table is a name; a
// user has one set of records in each, from key to value, with versions of its own, so that a
// client syncs each table by itself. docs/extending.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/messaging/sync.h"
#include "core/status.h"
#include "core/store.h"

namespace homeport::core {

struct Record {
  std::string value;
  int64_t changed_at_ms = 0;
  bool operator==(const Record&) const = default;
};
std::string EncodeRecord(const Record& record);
std::optional<Record> DecodeRecord(std::string_view bytes);

// What is counted of one user's records in one table.
struct RecordTable {
  uint64_t last = 0;     // version of the last change
  uint32_t records = 0;  // keys that ever had a value
  uint64_t bytes = 0;    // of values
  bool operator==(const RecordTable&) const = default;
};
std::string EncodeRecordTable(const RecordTable& table);
std::optional<RecordTable> DecodeRecordTable(std::string_view bytes);

// kBadRequest for what is no name of a table: 1 to kRecordTableNameMax of a-z, 0-9 and _.
Status CheckRecordTable(std::string_view table);

// One record as a store has it, and its version: the stamp of its row. A deleted one has a version,
// too; Stamp(): there never was one.
struct RecordRead {
  std::optional<Record> record;
  Stamp version;
};
// kBadRequest for what is no table or key.
Result<RecordRead> ReadRecord(const StoreView& store, uint16_t shards, Uin user,
                              std::string_view table, std::string_view key);
// kBadRequest for what is no key.
Status CheckRecordKey(std::string_view key);

struct SyncRecord {
  std::string key;
  bool deleted = false;
  std::string value;
  int64_t changed_at_ms = 0;  // of a deleted one not known
};
struct RecordsPage {
  std::vector<SyncRecord>
      records;           // that changed, each as it is now, in the order of their changes
  std::string snapshot;  // token to bring next time
  bool more = false;     // call again at once
};
// `snapshot` empty: from the beginning. kBadRequest for a token that is malformed, or of another
// user or table. A token ahead of this region's data gets nothing and the lower token of what is
// here. It acknowledges nothing.
Result<RecordsPage> ReadRecords(const StoreView& store, const SyncContext& context, Uin user,
                                std::string_view table, std::string_view snapshot,
                                const SyncLimits& limits);

}  // namespace homeport::core
