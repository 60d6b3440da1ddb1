#include "bench/queue_limits.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <deque>
#include <memory>
#include <nlohmann/json.hpp>

#include "bench/child_process.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/socket.h"

namespace homeport::bench {
namespace {

using core::Duration;
using core::Instant;
using core::Result;
using core::Status;

constexpr uint64_t kFrameBytesMax = 64 << 20;
constexpr uint64_t kBatchBytesMax = 1 << 20;
constexpr uint64_t kFioFileMiB = 64;  // as large as a segment
constexpr Duration kAnswerWithin = std::chrono::seconds(10);

std::atomic<bool> g_stop{false};
void Stop(int) {
  g_stop = true;
}

// Output of a shell command; nullopt when it failed.
std::optional<std::string> OutputOf(const std::string& command) {
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return std::nullopt;
  std::string output;
  std::array<char, 4096> part;
  while (const size_t n = ::fread(part.data(), 1, part.size(), pipe)) output.append(part.data(), n);
  return ::pclose(pipe) == 0 ? std::optional(output) : std::nullopt;
}

Status RunFio(const QueueLimitsOptions& options, QueueLimits* limits) {
  if (!OutputOf("command -v fio")) return {};
  const std::string dir = options.dir + "/fio";
  RETURN_IF_ERROR(core::MakeDirectories(dir));
  const auto output = OutputOf(fmt::format(
      "fio --name=limit --directory='{}' --numjobs=3 --rw=write --bs={} --fdatasync=1 --size={}m "
      "--ioengine=psync --time_based --runtime={:.0f} --group_reporting --output-format=json",
      dir, std::max<uint64_t>(512, options.entry_bytes), kFioFileMiB,
      std::max(1.0, options.seconds)));
  if (!output) return Status::Unavailable("fio failed; run it by hand to see why");
  const auto json = nlohmann::json::parse(*output, nullptr, false);
  if (json.is_discarded() || !json.contains("jobs") || json["jobs"].empty()) {
    return Status::Unavailable("fio printed something unexpected");
  }
  const auto& job = json["jobs"][0];
  limits->fio_syncs_per_s = job["write"]["iops"].get<double>();
  limits->fio_sync_p50_us =
      job["sync"]["lat_ns"].value("/percentile/50.000000"_json_pointer, 0.0) / 1000;
  return {};
}

// Keeps `in_flight` entries under way in batches, as the writer does: whatever is free goes out as
// one batch to all three; two answers free it.
class ZmqLoop {
 public:
  explicit ZmqLoop(const QueueLimitsOptions& options)
      : options_(options), body_(std::string(kBatchBytesMax, '\x5a')) {}
  Status Run(QueueLimits* limits);

 private:
  struct Batch {
    uint64_t entries = 0;
    int answers = 0;
    Instant sent_at{};
  };
  void SendFree();
  void Receive();

  const QueueLimitsOptions& options_;
  const std::string body_;
  core::Context context_;
  std::vector<std::unique_ptr<ChildProcess>> echoes_;
  std::vector<std::unique_ptr<core::DealerSocket>> sockets_;
  std::vector<uint64_t> answered_ = {0, 0, 0};  // batches, in order, by echo
  std::deque<Batch> batches_;
  uint64_t first_batch_ = 0;
  uint64_t under_way_ = 0;
  bool measuring_ = false;
  uint64_t entries_ = 0;
  std::vector<double> latencies_us_;
};

void ZmqLoop::SendFree() {
  while (under_way_ < options_.in_flight) {
    const uint64_t fit =
        std::max<uint64_t>(1, kBatchBytesMax / std::max<uint64_t>(1, options_.entry_bytes));
    const uint64_t count = std::min(options_.in_flight - under_way_, fit);
    for (const auto& socket : sockets_) {
      // A copy for each, as a batch that is read from the caller's memory is one.
      socket->Send({core::SharedBytes(
          body_.substr(0, std::min<uint64_t>(body_.size(), count * options_.entry_bytes)))});
    }
    batches_.push_back({count, 0, core::SteadyNow()});
    under_way_ += count;
  }
}

void ZmqLoop::Receive() {
  core::Frames frames;
  for (size_t i = 0; i < sockets_.size(); ++i) {
    while (sockets_[i]->Receive(&frames)) {
      const uint64_t number = answered_[i]++;
      if (number < first_batch_) continue;
      Batch& batch = batches_[number - first_batch_];
      if (++batch.answers != 2) continue;
      under_way_ -= batch.entries;
      if (!measuring_) continue;
      entries_ += batch.entries;
      latencies_us_.push_back(
          std::chrono::duration<double, std::micro>(core::SteadyNow() - batch.sent_at).count());
    }
  }
  while (!batches_.empty() && batches_.front().answers >= 2) {
    batches_.pop_front();
    ++first_batch_;
  }
}

Status ZmqLoop::Run(QueueLimits* limits) {
  core::Poller poller;
  for (int i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(const int port, FreePort());
    const std::string endpoint = fmt::format("tcp://127.0.0.1:{}", port);
    std::vector<std::string> argv = options_.echo_argv;
    argv.push_back(endpoint);
    ASSIGN_OR_RETURN(auto echo, ChildProcess::Start(argv));
    echoes_.push_back(std::move(echo));
    ASSIGN_OR_RETURN(auto socket, core::DealerSocket::Connect(context_, endpoint, kFrameBytesMax));
    poller.Add(socket->raw());
    sockets_.push_back(std::move(socket));
  }
  const Instant start = core::SteadyNow();
  const auto warm = start + std::chrono::seconds(1);
  const auto end =
      warm + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options_.seconds));
  for (Instant now = start; now < end; now = core::SteadyNow()) {
    if (now >= warm) measuring_ = true;
    if (now > start + kAnswerWithin && answered_[0] == 0) {
      return Status::Unavailable("the echo processes do not answer");
    }
    SendFree();
    poller.Wait(20000);
    Receive();
  }
  limits->zmq_entries_per_s = static_cast<double>(entries_) / options_.seconds;
  if (!latencies_us_.empty()) {
    auto middle = latencies_us_.begin() + static_cast<ptrdiff_t>(latencies_us_.size() / 2);
    std::nth_element(latencies_us_.begin(), middle, latencies_us_.end());
    limits->zmq_p50_us = *middle;
  }
  return {};
}

}  // namespace

Result<QueueLimits> MeasureQueueLimits(const QueueLimitsOptions& options) {
  if (options.echo_argv.empty() || options.in_flight == 0 || options.seconds <= 0) {
    return Status::BadRequest("the limits need an echo program, entries in flight and time");
  }
  QueueLimits limits;
  RETURN_IF_ERROR(RunFio(options, &limits));
  RETURN_IF_ERROR(ZmqLoop(options).Run(&limits));
  return limits;
}

int RunEchoServer(const std::string& endpoint) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::signal(SIGTERM, Stop);
  ::signal(SIGINT, SIG_IGN);  // the parent ends us
  core::Context context;
  auto socket = core::RouterSocket::Bind(context, endpoint, kFrameBytesMax);
  if (!socket.ok()) {
    std::fprintf(stderr, "echo: %s\n", socket.status().ToString().c_str());
    return 1;
  }
  core::Poller poller;
  poller.Add((*socket)->raw());
  core::PeerId peer;
  core::Frames frames;
  while (!g_stop) {
    poller.Wait(50000);
    while ((*socket)->Receive(&peer, &frames)) {
      (*socket)->Send(peer, {core::SharedBytes(std::string("stored"))});
    }
  }
  return 0;
}

}  // namespace homeport::bench
