// TailReader: follows the benchmark's stream in a thread of its own, as another region would.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "core/socket.h"
#include "core/status.h"
#include "quorum_queue/queue_endpoint.h"
#include "quorum_queue/reader.h"

namespace homeport::bench {

class TailReader {
 public:
  // Reads `stream` from `from` on, nearest replica first in the order of `endpoints`.
  static core::Result<std::unique_ptr<TailReader>> Start(
      core::Context& context, const std::vector<quorum_queue::QueueClient::Endpoint>& endpoints,
      core::StreamId stream, core::Seq from);
  ~TailReader();

  // Entries so far. From any thread.
  uint64_t entries() const { return entries_; }
  // Next seq. From any thread.
  core::Seq next() const { return core::Seq(next_.load()); }
  bool failed() const { return failed_; }  // told of a trimmed or lost entry

 private:
  TailReader(std::unique_ptr<quorum_queue::QueueClient> client, core::StreamId stream,
             core::Seq from);
  void Run();

  std::unique_ptr<quorum_queue::QueueClient> client_;
  quorum_queue::Reader reader_;
  std::atomic<uint64_t> entries_{0};
  std::atomic<uint64_t> next_;
  std::atomic<bool> failed_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace homeport::bench
