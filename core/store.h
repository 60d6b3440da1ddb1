// Store: an ordered map of bytes with atomic batches. Where a region keeps its rows.
//
// Two implementations: RocksStore (core/rocks_store.h: RocksDB without its WAL; a crash keeps a
// prefix of the batches, in order) and MemoryStore (core/memory_store.h: tests and the simulator;
// can forget what was not flushed, as a crash does).
//
// Thread safety: reads from any thread, writes from one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace homeport::core {

// WriteBatch: puts and deletes that take effect together, in order.
class WriteBatch {
 public:
  struct Op {
    std::string key;
    std::optional<std::string> value;  // nullopt deletes
  };
  void Put(std::string key, std::string value) {
    ops_.push_back({std::move(key), std::move(value)});
  }
  void Delete(std::string key) { ops_.push_back({std::move(key), std::nullopt}); }
  const std::vector<Op>& ops() const { return ops_; }
  bool empty() const { return ops_.empty(); }
  void Clear() { ops_.clear(); }

 private:
  std::vector<Op> ops_;
};

// StoreView: the reading half; what evaluation and queries need.
class StoreView {
 public:
  virtual ~StoreView() = default;
  virtual std::optional<std::string> Get(std::string_view key) const = 0;
  // Calls `visit` for each row with first <= key < end (end empty: no end), ascending, until it
  // returns false.
  virtual void Scan(
      std::string_view first, std::string_view end,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
  // The last row with first <= key < end, if any.
  virtual std::optional<std::pair<std::string, std::string>> Last(std::string_view first,
                                                                  std::string_view end) const = 0;
};

class Store : public StoreView {
 public:
  // Atomic. Visible at once; durable after the next Flush. kIo when the disk is full or failing.
  virtual Status Write(const WriteBatch& batch) = 0;
  // Makes all earlier writes durable.
  virtual Status Flush() = 0;
};

// The smallest key greater than every key that starts with `prefix`; empty when there is none.
std::string PrefixEnd(std::string_view prefix);

}  // namespace homeport::core
