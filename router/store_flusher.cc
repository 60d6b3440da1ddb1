#include "router/store_flusher.h"

#include <utility>

#include "core/clock.h"
#include "core/log.h"

namespace homeport::router {

namespace {

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

void StoreFlusher::Flush() {
  {
    std::lock_guard lock(mutex_);
    wanted_ = true;
  }
  changed_.notify_one();
}

void StoreFlusher::SetFull(bool full) {
  {
    std::lock_guard lock(mutex_);
    full_ = full;
  }
  changed_.notify_one();
}

void StoreFlusher::Loop() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    const auto something = [this] { return stop_ || wanted_; };
    if (full_) {
      changed_.wait_for(lock, kResumeEvery, something);
    } else {
      changed_.wait(lock, [&] { return something() || full_; });
    }
    const bool full = full_;
    const bool wanted = std::exchange(wanted_, false);
    lock.unlock();
    if (full) {
      // Only the next write tells whether it helped; that is the region's to say.
      if (const core::Status resumed = store_->Resume(); !resumed.ok()) {
        core::LogWarn("store_cannot_go_on", {{"why", resumed.message()}});
      }
    }
    if (wanted) FlushOnce();
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
