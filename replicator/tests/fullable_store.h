// FullableStore: a MemoryStore whose disk can be full.
#pragma once

#include "core/memory_store.h"

namespace homeport::replicator {

class FullableStore : public core::MemoryStore {
 public:
  bool full = false;
  core::Status Write(const core::WriteBatch& batch) override {
    if (full) return core::Status::Io("no space left on device");
    return core::MemoryStore::Write(batch);
  }
};

}  // namespace homeport::replicator
