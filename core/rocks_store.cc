#include "core/rocks_store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <cstdarg>
#include <cstdio>

#include "core/log.h"

namespace homeport::core {
namespace {

constexpr size_t kBlockCacheBytes = 64 << 20;
constexpr double kBloomBitsPerKey = 10;
// Most rows that are looked up before they are put are new: a filter spares the search for them.
constexpr double kMemtableBloomShare = 0.05;
constexpr int kMemtablesMax = 3;
constexpr int kBackgroundJobsMax = 2;

rocksdb::Slice Slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view View(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

// The database's warnings, as lines of our own log. RocksDB's own log file would lie on the store's
// disk: when that is full, a second line that cannot be written ends the process, by an assertion
// of RocksDB.
class WarningLog final : public rocksdb::Logger {
 public:
  explicit WarningLog(std::string dir)
      : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL), dir_(std::move(dir)) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, std::va_list arguments) override {
    char text[512];
    std::vsnprintf(text, sizeof text, format, arguments);
    std::string_view line = text;
    while (line.ends_with('\n')) line.remove_suffix(1);
    LogWarn("store_says", {{"dir", dir_}, {"what", std::string(line)}});
  }

 private:
  const std::string dir_;
};

rocksdb::Options DatabaseOptions(const std::string& dir, uint64_t memtable_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  table.format_version = 5;

  rocksdb::Options options;
  options.create_if_missing = true;
  options.paranoid_checks = true;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  options.write_buffer_size = memtable_bytes;
  options.memtable_prefix_bloom_size_ratio = kMemtableBloomShare;
  options.memtable_whole_key_filtering = true;
  options.max_write_buffer_number = kMemtablesMax;
  options.max_background_jobs = kBackgroundJobsMax;
  options.info_log = std::make_shared<WarningLog>(dir);
  // Only a log's torn end may be cut: what is damaged before it was told to someone.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  return options;
}

class RocksStoreOnDisk final : public RocksStore {
 public:
  RocksStoreOnDisk(std::string dir, DurableAt durable_at, std::unique_ptr<rocksdb::DB> db)
      : dir_(std::move(dir)), durable_at_(durable_at), db_(std::move(db)) {}

  std::optional<std::string> Get(std::string_view key) const override {
    std::string value;
    const rocksdb::Status status = db_->Get(rocksdb::ReadOptions(), Slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    DieUnlessRead(status);
    return value;
  }

  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    if (!end.empty() && first >= end) return;
    const Range range(*db_, first, end);
    rocksdb::Iterator& row = *range.row;
    for (row.Seek(Slice(first)); row.Valid(); row.Next()) {
      if (!visit(View(row.key()), View(row.value()))) return;
    }
    DieUnlessRead(row.status());
  }

  std::optional<std::pair<std::string, std::string>> Last(std::string_view first,
                                                          std::string_view end) const override {
    if (!end.empty() && first >= end) return std::nullopt;
    const Range range(*db_, first, end);
    rocksdb::Iterator& row = *range.row;
    row.SeekToLast();
    if (!row.Valid()) {
      DieUnlessRead(row.status());
      return std::nullopt;
    }
    return std::make_pair(row.key().ToString(), row.value().ToString());
  }

  Status Write(const WriteBatch& batch) override {
    if (batch.empty()) return {};
    rocksdb::WriteBatch ops;
    for (const WriteBatch::Op& op : batch.ops()) {
      const rocksdb::Status status =
          op.value ? ops.Put(Slice(op.key), Slice(*op.value)) : ops.Delete(Slice(op.key));
      if (!status.ok()) return Failed("write to", status);
    }
    rocksdb::WriteOptions options;
    options.disableWAL = durable_at_ == DurableAt::kFlush;
    options.sync = durable_at_ == DurableAt::kWrite;
    const rocksdb::Status status = db_->Write(options, &ops);
    return status.ok() ? Status() : Failed("write to", status);
  }

  Status Flush() override {
    const rocksdb::Status status = db_->Flush(rocksdb::FlushOptions());
    return status.ok() ? Status() : Failed("flush", status);
  }

  Status Resume() override {
    const rocksdb::Status status = db_->Resume();
    return status.ok() ? Status() : Failed("resume writes to", status);
  }

 private:
  // An iterator over first <= key < end and the bounds it points to.
  struct Range {
    Range(rocksdb::DB& db, std::string_view first, std::string_view end)
        : lower(Slice(first)), upper(Slice(end)) {
      rocksdb::ReadOptions options;
      options.iterate_lower_bound = &lower;
      if (!end.empty()) options.iterate_upper_bound = &upper;
      row.reset(db.NewIterator(options));
    }
    rocksdb::Slice lower;
    rocksdb::Slice upper;
    std::unique_ptr<rocksdb::Iterator> row;
  };

  Status Failed(const char* what, const rocksdb::Status& status) const {
    return Status::Io(
        fmt::format("cannot {} the store in {}: {}; check the disk and its free space", what, dir_,
                    status.ToString()));
  }

  // A row that cannot be read must not look like a row that is not there: everything decided from
  // it would be wrong. The process ends instead; another start, or a copy from the streams, is the
  // way on.
  void DieUnlessRead(const rocksdb::Status& status) const {
    CHECK(status.ok(), "the store's disk must give back what was written", dir_, status.ToString());
  }

  const std::string dir_;
  const DurableAt durable_at_;
  const std::unique_ptr<rocksdb::DB> db_;
};

}  // namespace

Result<std::unique_ptr<RocksStore>> RocksStore::Open(const std::string& dir,
                                                     uint64_t memtable_bytes,
                                                     DurableAt durable_at) {
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DatabaseOptions(dir, memtable_bytes), dir, &db);
  if (!status.ok()) {
    return Status::Io(fmt::format(
        "cannot open the store in {}: {}; is another process using it, or is the disk damaged?",
        dir, status.ToString()));
  }
  return std::unique_ptr<RocksStore>(
      std::make_unique<RocksStoreOnDisk>(dir, durable_at, std::unique_ptr<rocksdb::DB>(db)));
}

}  // namespace homeport::core
