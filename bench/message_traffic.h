// What the benchmarks of messages share: connections, users, latencies, and receivers that check
// that each message comes once.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "core/config.h"
#include "core/status.h"
#include "router/client.h"

namespace homeport::bench {

// Microseconds.
struct Latencies {
  double p50 = 0;
  double p99 = 0;
  double p999 = 0;
  double max = 0;
};

class Histogram {
 public:
  void Add(int64_t ns) { samples_.push_back(ns); }
  Latencies Take();

 private:
  std::vector<int64_t> samples_;
};

int64_t NowNs();

// What a body begins with.
struct BodyStamp {
  uint64_t run = 0;
  uint64_t number = 0;
  int64_t sent_ns = 0;
};

core::Result<std::unique_ptr<router::Client>> ConnectTo(const core::ClusterConfig& config,
                                                        const std::string& region);
core::Result<std::vector<core::Uin>> CreateUsers(router::Client& client, const std::string& prefix,
                                                 const std::string& home, size_t count);

// Receiver: syncs one user, on a thread of its own, until it has all that the senders say was sent
// to it.
class Receiver {
 public:
  // Waits for news by AwaitNews and syncs then (`notified`), or by syncs that the gateway holds.
  Receiver(std::unique_ptr<router::Client> client, core::Uin user, uint64_t run, bool notified);
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  // After the last message to it was answered: `sent` were.
  void Expect(uint64_t sent) { expected_ = static_cast<int64_t>(sent); }
  // Adds the latencies of what was sent within the times given, and counts what came within them.
  // kUnavailable when something is missing or came twice.
  core::Status Join(int64_t from_ns, int64_t to_ns, Histogram* synced, Histogram* notified,
                    uint64_t* arrived);
  core::Uin user() const { return user_; }

 private:
  struct Arrival {
    BodyStamp stamp;
    int64_t told_ns;
    int64_t at_ns;
  };
  void Run();
  core::Status SyncOnce(int64_t told_ns);
  core::Status AwaitNews();

  std::unique_ptr<router::Client> client_;
  const core::Uin user_;
  const uint64_t run_;
  const bool notified_;
  std::string snapshot_;
  std::atomic<int64_t> expected_{-1};
  std::vector<Arrival> arrivals_;
  core::Status status_;
  std::thread thread_;
};

}  // namespace homeport::bench
