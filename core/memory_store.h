// MemoryStore: a Store in memory, for tests and the simulator. Not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "core/store.h"

namespace homeport::core {

class MemoryStore : public Store {
 public:
  std::optional<std::string> Get(std::string_view key) const override;
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override;
  std::optional<std::pair<std::string, std::string>> Last(std::string_view first,
                                                          std::string_view end) const override;
  Status Write(const WriteBatch& batch) override;
  Status Flush() override;

  // A crash: forgets all batches after the first `kept` un-flushed ones (a prefix survives, as in
  // RocksDB). What survives counts as flushed.
  void Crash(size_t kept = 0);
  size_t unflushed() const { return unflushed_.size(); }
  // Batches written so far. A flush that began then makes no more durable than these.
  uint64_t written() const { return written_; }
  void FlushThrough(uint64_t written);

 private:
  using Rows = std::map<std::string, std::string, std::less<>>;
  static void Apply(const WriteBatch& batch, Rows* rows);

  // rows_ == flushed_ with unflushed_ applied in order.
  Rows rows_;
  Rows flushed_;
  std::deque<WriteBatch> unflushed_;
  uint64_t written_ = 0;
};

}  // namespace homeport::core
