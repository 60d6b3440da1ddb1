// RocksStore: a Store on RocksDB without its WAL (the stream is the log), one column family, so
// that a crash keeps a prefix of the batches.
//
// A read that the disk refuses ends the process: a row that cannot be read must not look absent.
#pragma once

#include <memory>
#include <string>

#include "core/store.h"

namespace homeport::core {

class RocksStore : public Store {
 public:
  // Opens or makes the database in `dir`. `memtable_bytes`: how much may be lost at a crash and
  // read again from the streams.
  static Result<std::unique_ptr<RocksStore>> Open(const std::string& dir,
                                                  uint64_t memtable_bytes = 64 << 20);
  // After a full disk: tries to go on. Ok when the database accepts writes.
  virtual Status Resume() = 0;
};

}  // namespace homeport::core
