#include "router/shard_digester.h"

#include <utility>

namespace homeport::router {

ShardDigester::ShardDigester(const core::StoreView* store, std::function<void()> wake)
    : store_(store), wake_(std::move(wake)), thread_([this] { Loop(); }) {}

ShardDigester::~ShardDigester() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void ShardDigester::Add(const GatewayOutput::Digest& wanted) {
  {
    std::lock_guard lock(mutex_);
    wanted_.push_back(wanted);
  }
  changed_.notify_one();
}

std::vector<ShardDigester::Digested> ShardDigester::Take() {
  std::lock_guard lock(mutex_);
  return std::exchange(digested_, {});
}

void ShardDigester::Loop() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stop_ || !wanted_.empty(); });
    if (stop_) return;
    const GatewayOutput::Digest wanted = wanted_.front();
    wanted_.pop_front();
    lock.unlock();
    Digested digested{wanted.ticket, core::DigestShard(*store_, wanted.shard)};
    lock.lock();
    digested_.push_back(std::move(digested));
    lock.unlock();
    wake_();
    lock.lock();
  }
}

}  // namespace homeport::router
