// ShardDigester: reads whole shards of the store, one after the other, on a thread of its own, so
// that the region's loop goes on meanwhile.
//
// A table is digested as it is at one moment; two tables may be of two moments. Who compares
// digests looks whether anything was applied meanwhile.
//
// Called from one thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/messaging/entry.h"
#include "core/store.h"
#include "router/gateway.h"

namespace homeport::router {

class ShardDigester {
 public:
  struct Digested {
    replicator::Ticket ticket;
    std::vector<core::TableDigest> tables;
  };
  // `store` outlives it. `wake` is called from the thread whenever Take has news.
  ShardDigester(const core::StoreView* store, std::function<void()> wake);
  ~ShardDigester();  // what is not begun is dropped
  ShardDigester(const ShardDigester&) = delete;
  ShardDigester& operator=(const ShardDigester&) = delete;

  void Add(const GatewayOutput::Digest& wanted);
  // What was computed since, in the order it was asked for.
  std::vector<Digested> Take();

 private:
  void Loop();

  const core::StoreView* const store_;
  const std::function<void()> wake_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<GatewayOutput::Digest> wanted_;
  std::vector<Digested> digested_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace homeport::router
