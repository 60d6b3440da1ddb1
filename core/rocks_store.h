// RocksStore: a Store on RocksDB, one column family, so that a crash keeps a prefix of the batches.
// Usually without its WAL: the stream is the log.
//
// A read that the disk refuses ends the process: a row that cannot be read must not look absent.
#pragma once

#include <memory>
#include <string>

#include "core/store.h"

namespace homeport::core {

enum class DurableAt : uint8_t {
  kFlush,  // a crash forgets what was written since
  kWrite,  // a batch is on disk before Write returns: for what no stream holds
};

class RocksStore : public Store {
 public:
  // Opens or makes the database in `dir`. `memtable_bytes`: how much may be lost at a crash and
  // read again from the streams.
  static Result<std::unique_ptr<RocksStore>> Open(const std::string& dir,
                                                  uint64_t memtable_bytes = 64 << 20,
                                                  DurableAt durable_at = DurableAt::kFlush);
  // After a full disk: tries to go on. Ok when the database accepts writes.
  virtual Status Resume() = 0;
};

}  // namespace homeport::core
