#include "router/store_flusher.h"

#include <utility>

#include "core/clock.h"
#include "core/log.h"

namespace homeport::router {

namespace {

constexpr auto kFlushEvery = std::chrono::seconds(10);
constexpr auto kResumeEvery = std::chrono::seconds(1);

}  // namespace

StoreFlusher::StoreFlusher(core::RocksStore* store, std::function<void(double, bool)> flushed)
    : store_(store), flushed_(std::move(flushed)), thread_([this] { Loop(); }) {}

StoreFlusher::~StoreFlusher() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void StoreFlusher::SetFull(bool full) {
  {
    std::lock_guard lock(mutex_);
    full_ = full;
  }
  changed_.notify_one();
}

void StoreFlusher::Loop() {
  auto next_flush = std::chrono::steady_clock::now() + kFlushEvery;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    auto wake_at = next_flush;
    if (full_) wake_at = std::min(wake_at, std::chrono::steady_clock::now() + kResumeEvery);
    changed_.wait_until(lock, wake_at);
    const bool full = full_;
    lock.unlock();
    if (full) {
      // Only the next write tells whether it helped; that is the region's to say.
      if (const core::Status resumed = store_->Resume(); !resumed.ok()) {
        core::LogWarn("store_cannot_go_on", {{"why", resumed.message()}});
      }
    }
    if (std::chrono::steady_clock::now() >= next_flush) {
      FlushOnce();
      next_flush = std::chrono::steady_clock::now() + kFlushEvery;
    }
    lock.lock();
  }
  lock.unlock();
  FlushOnce();
}

void StoreFlusher::FlushOnce() {
  const core::Instant start = core::SteadyNow();
  const core::Status status = store_->Flush();
  flushed_(std::chrono::duration<double>(core::SteadyNow() - start).count(), status.ok());
  if (!status.ok()) core::LogWarn("store_not_flushed", {{"why", status.message()}});
}

}  // namespace homeport::router
