#include "replicator/relay_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

#include "core/check.h"
#include "core/format.h"
#include "core/log.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/entry_index.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/segment_log.h"

namespace homeport::replicator {

namespace qq = quorum_queue;
using core::Result;
using core::Status;

namespace {

// Of a record's header, besides four bytes for each entry.
constexpr uint64_t kHeaderBytes = 256;
// Appended before a sync, so that loads get their turn.
constexpr uint64_t kBytesPerSync = 16 << 20;
constexpr auto kFullRetryAfter = std::chrono::milliseconds(200);
constexpr size_t kRunsPerLoad = 256;

uint64_t RecordBytes(const qq::EntryRun& run) {
  return kHeaderBytes + run.count() * sizeof(uint32_t) + run.body.size();
}

Status Damaged(const std::string& dir, const std::string& what) {
  return Status::Corrupt(
      fmt::format("the relay log in {0} is damaged: {1}. It is this region's copy of the other "
                  "regions' entries. "
                  "Stop the region, remove {0} and start again: what the store has not applied is "
                  "pulled again from "
                  "the other regions, over the wide-area network. What that costs: until it is "
                  "there, shards that had "
                  "consumed it do not serve, and entries that a region now lost for good had sent "
                  "only to this one are "
                  "gone",
                  dir, what));
}

class RelayLogOnDisk final : public RelayLog {
 public:
  RelayLogOnDisk(std::string dir, std::function<void()> wake, uint64_t segment_bytes)
      : dir_(std::move(dir)), wake_(std::move(wake)), segment_bytes_(segment_bytes) {}
  ~RelayLogOnDisk() override {
    if (!thread_.joinable()) return;
    {
      std::lock_guard lock(queue_mutex_);
      stop_ = true;
    }
    queue_filled_.notify_one();
    thread_.join();
  }

  Status Start();

  const std::vector<RelayEnd>& ends_at_open() const override { return ends_at_open_; }
  void Append(uint64_t token, StreamId stream, qq::EntryRun run) override;
  uint64_t TakePersisted() override { return persisted_.load(std::memory_order_acquire); }
  void Load(StreamId stream, Seq from, uint64_t bytes_max) override;
  std::vector<RelayLoad> TakeLoaded() override;
  void Release(StreamId stream, Seq through) override;
  uint64_t bytes() const override { return bytes_.load(std::memory_order_relaxed); }

 private:
  struct Waiting {
    uint64_t token;
    StreamId stream;
    qq::EntryRun run;
  };
  struct LoadRequest {
    StreamId stream;
    Seq from;
    uint64_t bytes_max;
  };

  Status Replay(qq::RecordNumber record, std::string_view header, uint64_t body_size);
  void SyncLoop();
  std::optional<std::vector<Waiting>> TakeWaiting();
  void CarryOutLoads();
  Result<qq::EntryRun> LoadNow(const LoadRequest& request);
  void CarryOutReleases();
  bool MakeRoom(uint64_t record_bytes);
  bool AppendOne(const Waiting& waiting);
  bool AppendRecord(StreamId stream, const qq::EntryRun& run);

  const std::string dir_;
  const std::function<void()> wake_;
  const uint64_t segment_bytes_;
  uint64_t record_bytes_max_ = 0;

  std::vector<RelayEnd> ends_at_open_;

  // The thread's alone once it runs.
  std::unique_ptr<qq::SegmentLog> log_;
  std::map<StreamId, qq::EntryIndex> indexes_;
  std::atomic<uint64_t> bytes_ = 0;

  // Guards what the caller and the thread leave for one another. Never held while the disk is used.
  std::mutex queue_mutex_;
  std::condition_variable queue_filled_;
  std::deque<Waiting> queue_;
  std::deque<LoadRequest> loads_;
  std::vector<RelayLoad> loaded_;
  std::map<StreamId, Seq> releases_;
  bool stop_ = false;

  std::atomic<uint64_t> persisted_ = 0;
  std::thread thread_;
};

// ---- start

Status RelayLogOnDisk::Start() {
  qq::SegmentLogOptions options;
  options.dir = dir_;
  options.segment_bytes = segment_bytes_;
  record_bytes_max_ = options.record_bytes_max;
  qq::RecoveryReport report;
  Result<std::unique_ptr<qq::SegmentLog>> log = qq::SegmentLog::Open(
      options,
      [this](qq::RecordNumber record, std::string_view header, uint64_t body_size) {
        return Replay(record, header, body_size);
      },
      &report);
  if (!log.ok()) {
    if (log.status().code() != core::Code::kCorrupt) return log.status();
    return Damaged(dir_, report.corrupt.empty() ? log.status().message() : report.corrupt.front());
  }
  log_ = std::move(log).value();
  bytes_ = log_->bytes();
  for (const auto& [stream, index] : indexes_) {
    std::optional<Seq> end;
    for (const qq::RunLocation& run : index.RunsAfter(Seq(0))) {
      if (end.has_value() && run.first != *end + 1) break;
      end = run.last();
    }
    if (end.has_value()) ends_at_open_.push_back({stream, *end});
  }
  thread_ = std::thread([this] { SyncLoop(); });
  return {};
}

Status RelayLogOnDisk::Replay(qq::RecordNumber record, std::string_view header,
                              uint64_t body_size) {
  const Result<qq::LogRecord> decoded = qq::DecodeLogRecord(header, body_size);
  if (!decoded.ok()) return decoded.status();
  const auto* relay = std::get_if<qq::Relay>(&*decoded);
  if (relay == nullptr || relay->run.empty()) {
    return Status::Corrupt(fmt::format("record {} is of no relay log", record));
  }
  const qq::EntryRun& run = relay->run;
  indexes_[relay->stream].Put({run.first, run.count(), run.epoch, record, run.first, 0, 0});
  return {};
}

// ---- appending

void RelayLogOnDisk::Append(uint64_t token, StreamId stream, qq::EntryRun run) {
  CHECK(!run.empty(), "only entries are appended", stream, run.first);
  {
    std::lock_guard lock(queue_mutex_);
    queue_.push_back({token, stream, std::move(run)});
  }
  queue_filled_.notify_one();
}

// nullopt: the thread is to end.
std::optional<std::vector<RelayLogOnDisk::Waiting>> RelayLogOnDisk::TakeWaiting() {
  std::unique_lock lock(queue_mutex_);
  queue_filled_.wait(
      lock, [this] { return stop_ || !queue_.empty() || !loads_.empty() || !releases_.empty(); });
  if (stop_ && queue_.empty()) return std::nullopt;
  std::vector<Waiting> taken;
  for (uint64_t bytes = 0; !queue_.empty() && bytes < kBytesPerSync; queue_.pop_front()) {
    bytes += RecordBytes(queue_.front().run);
    taken.push_back(std::move(queue_.front()));
  }
  return taken;
}

// Until it is told to stop; what waits then was promised to no one.
void RelayLogOnDisk::SyncLoop() {
  while (true) {
    const std::optional<std::vector<Waiting>> taken = TakeWaiting();
    if (!taken.has_value()) return;
    CarryOutLoads();
    CarryOutReleases();
    for (const Waiting& waiting : *taken) {
      while (!AppendOne(waiting)) {
        CarryOutLoads();
        CarryOutReleases();  // may be what makes room
        std::unique_lock lock(queue_mutex_);
        if (queue_filled_.wait_for(lock, kFullRetryAfter, [this] { return stop_; })) return;
      }
    }
    if (taken->empty()) continue;
    log_->Sync();
    bytes_ = log_->bytes();
    persisted_.store(taken->back().token, std::memory_order_release);
    wake_();
  }
}

// False when the disk has no room now; what was appended stays, and is appended again: later wins.
bool RelayLogOnDisk::AppendOne(const Waiting& waiting) {
  const qq::EntryRun& run = waiting.run;
  if (RecordBytes(run) <= record_bytes_max_) return AppendRecord(waiting.stream, run);
  uint64_t count = 0;
  uint64_t bytes = kHeaderBytes;
  Seq first = run.first;
  for (const uint32_t size : run.sizes) {
    const uint64_t more = size + sizeof(uint32_t);
    if (count > 0 && bytes + more > record_bytes_max_) {
      if (!AppendRecord(waiting.stream, qq::SliceRun(run, first, count))) return false;
      first = first + count;
      count = 0;
      bytes = kHeaderBytes;
    }
    ++count;
    bytes += more;
  }
  return AppendRecord(waiting.stream, qq::SliceRun(run, first, count));
}

bool RelayLogOnDisk::MakeRoom(uint64_t record_bytes) {
  if (!log_->NeedsSegment() && log_->Fits(record_bytes)) return true;
  const Status started = log_->StartSegment();
  if (started.ok() && !log_->NeedsSegment()) return true;
  core::LogWarn("relay_log_full", {{"dir", dir_}, {"why", started.message()}});
  return false;
}

bool RelayLogOnDisk::AppendRecord(StreamId stream, const qq::EntryRun& run) {
  std::string header = qq::EncodeLogRecord(qq::Relay{stream, run});
  if (!MakeRoom(header.size() + run.body.size())) return false;
  const qq::RecordNumber record = log_->Append(std::move(header), run.body, run.checksum);
  indexes_[stream].Put({run.first, run.count(), run.epoch, record, run.first, 0, 0});
  return true;
}

// ---- loading

void RelayLogOnDisk::Load(StreamId stream, Seq from, uint64_t bytes_max) {
  {
    std::lock_guard lock(queue_mutex_);
    loads_.push_back({stream, from, bytes_max});
  }
  queue_filled_.notify_one();
}

std::vector<RelayLoad> RelayLogOnDisk::TakeLoaded() {
  std::lock_guard lock(queue_mutex_);
  return std::exchange(loaded_, {});
}

void RelayLogOnDisk::CarryOutLoads() {
  std::deque<LoadRequest> loads;
  {
    std::lock_guard lock(queue_mutex_);
    loads.swap(loads_);
  }
  for (const LoadRequest& request : loads) {
    RelayLoad load{request.stream, LoadNow(request)};
    std::lock_guard lock(queue_mutex_);
    loaded_.push_back(std::move(load));
  }
  if (!loads.empty()) wake_();
}

Result<qq::EntryRun> RelayLogOnDisk::LoadNow(const LoadRequest& request) {
  const auto& [stream, from, bytes_max] = request;
  const auto index = indexes_.find(stream);
  if (index == indexes_.end()) return qq::EntryRun{};
  const std::vector<qq::RunLocation> runs =
      index->second.Contiguous(from, qq::kSeqMax, qq::kRunEntriesMax, kRunsPerLoad);
  qq::EntryRun loaded;
  std::string body;
  for (const qq::RunLocation& location : runs) {
    // One run has one epoch.
    if (!loaded.empty() && (location.epoch != loaded.epoch || body.size() >= bytes_max)) break;
    std::string header;
    core::SharedBytes bytes;
    if (Status status = log_->Load(location.record, &header, &bytes); !status.ok()) {
      return Damaged(dir_, status.message());
    }
    Result<qq::EntryRun> whole = qq::RunOfRecord(header, std::move(bytes));
    if (!whole.ok()) return Damaged(dir_, whole.status().message());
    if (whole->first > location.first || whole->last() < location.last()) {
      return Damaged(dir_, fmt::format("record {} has other entries of stream {} than at the start",
                                       location.record, stream));
    }
    const qq::EntryRun part = qq::SliceRun(*whole, location.first, location.count);
    if (loaded.empty()) {
      loaded.first = part.first;
      loaded.epoch = part.epoch;
    }
    loaded.sizes.insert(loaded.sizes.end(), part.sizes.begin(), part.sizes.end());
    body.append(part.body.view());
  }
  loaded.checksum = qq::BodyChecksum(body);
  loaded.body = core::SharedBytes(std::move(body));
  return loaded;
}

// ---- releasing

// Left to the thread: it may be syncing for long.
void RelayLogOnDisk::Release(StreamId stream, Seq through) {
  {
    std::lock_guard lock(queue_mutex_);
    Seq& released = releases_[stream];
    released = std::max(released, through);
  }
  queue_filled_.notify_one();
}

void RelayLogOnDisk::CarryOutReleases() {
  std::map<StreamId, Seq> releases;
  {
    std::lock_guard lock(queue_mutex_);
    releases.swap(releases_);
  }
  if (releases.empty()) return;
  for (const auto& [stream, through] : releases) {
    const auto index = indexes_.find(stream);
    if (index != indexes_.end()) index->second.DropThrough(through);
  }
  qq::RecordNumber lowest = log_->next();
  for (const auto& [other, held] : indexes_) {
    if (const auto record = held.LowestRecord()) lowest = std::min(lowest, *record);
  }
  log_->Release(lowest);
  bytes_ = log_->bytes();
}

}  // namespace

Result<std::unique_ptr<RelayLog>> RelayLog::Open(const std::string& dir, std::function<void()> wake,
                                                 uint64_t segment_bytes) {
  auto log = std::make_unique<RelayLogOnDisk>(dir, std::move(wake), segment_bytes);
  RETURN_IF_ERROR(log->Start());
  return Result<std::unique_ptr<RelayLog>>(std::move(log));
}

}  // namespace homeport::replicator
