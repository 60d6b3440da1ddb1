#include "bench/sync_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <memory>
#include <thread>
#include <vector>

#include "bench/message_traffic.h"
#include "core/files.h"
#include "router/client.h"

namespace homeport::bench {
namespace {

using core::Result;
using core::Status;
using core::Uin;
using router::Client;

constexpr auto kMemoryLookedAtEvery = std::chrono::milliseconds(20);

// Resident memory; 0 when there is no such process here.
uint64_t ResidentBytes(uint32_t pid) {
  std::ifstream file(pid == 0 ? "/proc/self/statm" : fmt::format("/proc/{}/statm", pid));
  uint64_t pages = 0;
  uint64_t resident = 0;
  return file >> pages >> resident ? resident * 4096 : 0;
}

// Watches how much a process grows, until it is asked.
class MemoryWatch {
 public:
  explicit MemoryWatch(uint32_t pid)
      : pid_(pid), before_(ResidentBytes(pid)), most_(before_), thread_([this] { Run(); }) {}
  ~MemoryWatch() {
    stop_ = true;
    thread_.join();
  }
  uint64_t grown() const { return most_ - before_; }

 private:
  void Run() {
    while (!stop_) {
      most_ = std::max(most_.load(), ResidentBytes(pid_));
      std::this_thread::sleep_for(kMemoryLookedAtEvery);
    }
  }
  const uint32_t pid_;
  const uint64_t before_;
  std::atomic<uint64_t> most_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// Sends message n to reader n % readers; each reader gets ascending numbers from one sender.
Status SendAll(Client& client, const SyncBenchOptions& options, const std::vector<Uin>& senders,
               const std::vector<Uin>& readers, uint64_t run) {
  std::string body(std::max(options.body_bytes, sizeof(BodyStamp)), '.');
  Status status;
  for (uint64_t sent = 0; sent < options.messages && status.ok();) {
    for (; sent < options.messages && client.in_flight() < options.in_flight; ++sent) {
      const BodyStamp stamp{run, sent, 0};
      std::memcpy(body.data(), &stamp, sizeof stamp);
      const size_t reader = sent % readers.size();
      client.SendAsync(senders[reader], client.NewClientMessageId(), readers[reader], false, body,
                       [&status](const Result<core::MessageId>& answer) {
                         if (!answer.ok()) status = answer.status();
                       });
    }
    client.Poll(std::chrono::milliseconds(100));
  }
  while (client.in_flight() > 0) client.Poll(std::chrono::milliseconds(100));
  return status;
}

// From the empty snapshot to the end: numbers `first`, first + step ...
Status ReadAll(Client& client, Uin user, uint64_t first, uint64_t step, uint64_t count,
               std::atomic<uint64_t>* pages) {
  std::string snapshot;
  uint64_t next = first;
  for (uint64_t seen = 0; seen < count;) {
    ASSIGN_OR_RETURN(const auto page, client.Sync(user, snapshot, {}, std::chrono::seconds(1)));
    ++*pages;
    snapshot = page.snapshot;
    for (const router::SyncedMessage& message : page.messages) {
      BodyStamp stamp;
      std::memcpy(&stamp, message.body.data(), std::min(sizeof stamp, message.body.size()));
      if (stamp.number != next) {
        return Status::Unavailable(
            fmt::format("message {} came where {} was to come", stamp.number, next));
      }
      next += step;
      ++seen;
    }
  }
  return {};
}

}  // namespace

Result<SyncBenchResult> RunSyncBench(const SyncBenchOptions& options) {
  const uint64_t run = core::RandomBits();
  ASSIGN_OR_RETURN(const auto client, ConnectTo(options.config, options.region));
  ASSIGN_OR_RETURN(const auto senders, CreateUsers(*client, fmt::format("bench-{:x}-from", run),
                                                   options.region, options.readers));
  ASSIGN_OR_RETURN(const auto users, CreateUsers(*client, fmt::format("bench-{:x}-to", run),
                                                 options.region, options.readers));
  SyncBenchResult result;
  const int64_t begun_ns = NowNs();
  RETURN_IF_ERROR(SendAll(*client, options, senders, users, run));
  const auto messages = static_cast<double>(options.messages);
  result.sent_per_s = messages / (static_cast<double>(NowNs() - begun_ns) / 1e9);

  ASSIGN_OR_RETURN(const auto report, client->ReportOf(options.region));
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < options.readers; ++i) {
    ASSIGN_OR_RETURN(auto one, ConnectTo(options.config, options.region));
    clients.push_back(std::move(one));
  }
  const MemoryWatch own(0);
  const MemoryWatch daemon(report.pid);
  std::vector<Status> statuses(options.readers);
  std::vector<std::thread> threads;
  std::atomic<uint64_t> pages = 0;
  const int64_t started_ns = NowNs();
  for (size_t i = 0; i < options.readers; ++i) {
    const uint64_t count = (options.messages + options.readers - 1 - i) / options.readers;
    threads.emplace_back([&, i, count] {
      statuses[i] = ReadAll(*clients[i], users[i], i, options.readers, count, &pages);
    });
  }
  for (std::thread& thread : threads) thread.join();
  result.seconds = static_cast<double>(NowNs() - started_ns) / 1e9;
  for (const Status& status : statuses) RETURN_IF_ERROR(status);
  result.messages_per_s = messages / result.seconds;
  result.mb_per_s = result.messages_per_s * static_cast<double>(options.body_bytes) / 1e6;
  result.pages = pages;
  result.client_bytes = own.grown();
  result.daemon_bytes = daemon.grown();
  return result;
}

}  // namespace homeport::bench
