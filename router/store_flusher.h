// StoreFlusher: makes the region's store durable when it is asked to, on a thread of its own, and
// once more at its end. After a full disk it asks the store to go on.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>

#include "core/rocks_store.h"

namespace homeport::router {

class StoreFlusher {
 public:
  // `flushed(seconds, ok)` is called from the thread after each flush. `store` outlives it.
  StoreFlusher(core::RocksStore* store, std::function<void(double, bool)> flushed);
  ~StoreFlusher();  // flushes once more
  StoreFlusher(const StoreFlusher&) = delete;
  StoreFlusher& operator=(const StoreFlusher&) = delete;

  // All that the store has now is to become durable. REQUIRES: what was asked for before is done.
  void Flush();
  // Writes fail (or no longer do): while they fail the store is asked to go on every second.
  void SetFull(bool full);

 private:
  void Loop();
  void FlushOnce();

  core::RocksStore* const store_;
  const std::function<void(double, bool)> flushed_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;
  bool full_ = false;
  bool wanted_ = false;
  std::thread thread_;
};

}  // namespace homeport::router
