#include "quorum_queue/segment_scrubber.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>

#include "core/clock.h"
#include "core/log.h"
#include "quorum_queue/page_writer.h"

namespace homeport::quorum_queue {
namespace {

// Read at once: large enough to be cheap, small enough that a foreground sync finds a short queue.
constexpr uint64_t kStepBytes = 256 << 10;

class File {
 public:
  explicit File(const std::string& path) : fd_(OpenForPages(path.c_str())) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  bool is_open() const { return fd_ >= 0; }

  // Whole pages around from .. to. The view is of just that part; empty when it cannot be read.
  std::string_view Read(uint64_t from, uint64_t to) {
    const uint64_t begin = from - from % kPageBytes;
    const uint64_t size = AlignUp(to, kPageBytes) - begin;
    if (size > capacity_) {
      capacity_ = size;
      buffer_ = MakePageBuffer(capacity_);
    }
    for (uint64_t done = 0; done < size;) {
      const ssize_t got =
          ::pread(fd_, buffer_.get() + done, size - done, static_cast<off_t>(begin + done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return {};
      done += static_cast<uint64_t>(got);
    }
    // Where reads are not direct.
    ::posix_fadvise(fd_, static_cast<off_t>(begin), static_cast<off_t>(size), POSIX_FADV_DONTNEED);
    return {buffer_.get() + (from - begin), to - from};
  }

 private:
  const int fd_;
  PageBuffer buffer_;
  uint64_t capacity_ = 0;
};

bool IsIntact(const SealedSegment& segment, size_t i, std::string_view bytes) {
  SegmentHeader view = segment.header;
  view.base += segment.offsets[i];
  if (FrameFault(view, bytes, 0) != nullptr) return false;
  const RecordFrame frame = FrameAt(bytes, 0);
  const std::string_view body = bytes.substr(kFrameBytes + frame.header_size, frame.body_size);
  return frame.number == segment.header.first_record + i &&
         XXH3_64bits(body.data(), body.size()) == frame.body_checksum;
}

}  // namespace

SegmentScrubber::SegmentScrubber(SegmentScrubberOptions options) : options_(options) {
  if (options_.bytes_per_s > 0) thread_ = std::thread([this] { Run(); });
}

SegmentScrubber::~SegmentScrubber() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

SegmentScrubber::Stats SegmentScrubber::stats() const {
  return {bytes_.load(std::memory_order_relaxed), passes_};
}

std::vector<RecordNumber> SegmentScrubber::Poll(core::Instant now, SegmentLog* log) {
  std::vector<RecordNumber> lost;
  if (!thread_.joinable()) return lost;
  if (has_result_.load(std::memory_order_acquire)) {
    std::vector<uint64_t> suspects;
    {
      std::lock_guard lock(mutex_);
      suspects.swap(suspects_);
    }
    has_result_ = false;
    idle_ = true;
    for (const uint64_t number : suspects) {
      const core::Status status = log->Recheck(RecordNumber(number));
      if (status.ok()) continue;
      core::LogError(
          "record_corrupt",
          {{"what", status.message()}, {"record", std::to_string(number)}, {"found_by", "scrub"}});
      lost.push_back(RecordNumber(number));
    }
  }
  if (!idle_) return lost;
  if (pass_ended_) {
    if (pass_began_ && now < *pass_began_ + options_.pass_every) return lost;
    pass_began_ = now;
    pass_ended_ = false;
    next_segment_ = 0;
  }
  if (std::optional<SealedSegment> segment = log->Sealed(next_segment_)) {
    next_segment_ = segment->header.segment + 1;
    idle_ = false;
    {
      std::lock_guard lock(mutex_);
      work_ = std::move(segment);
    }
    wake_.notify_all();
  } else {
    pass_ended_ = true;
    ++passes_;
  }
  return lost;
}

void SegmentScrubber::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stop_ || work_.has_value(); });
    if (stop_) return;
    const SealedSegment segment = std::move(*work_);
    work_.reset();
    lock.unlock();
    std::vector<uint64_t> suspects = Check(segment);
    lock.lock();
    suspects_ = std::move(suspects);
    has_result_.store(true, std::memory_order_release);
  }
}

std::vector<uint64_t> SegmentScrubber::Check(const SealedSegment& segment) {
  std::vector<uint64_t> suspects;
  File file(segment.path);
  if (!file.is_open()) return suspects;  // released
  const std::vector<uint32_t>& offsets = segment.offsets;
  const auto end_of = [&](size_t i) {
    return i + 1 < offsets.size() ? offsets[i + 1] : segment.end;
  };
  for (size_t i = 0; i < offsets.size();) {
    const uint64_t from = offsets[i];
    size_t after = i + 1;
    while (after < offsets.size() && end_of(after) - from <= kStepBytes) ++after;
    const uint64_t to = end_of(after - 1);
    std::string_view bytes = file.Read(from, to);
    // Where a block cannot be read, only the records in it are suspects.
    const bool one_by_one = bytes.empty();
    for (; i < after; ++i) {
      const std::string_view record = one_by_one
                                          ? file.Read(offsets[i], end_of(i))
                                          : bytes.substr(offsets[i] - from, end_of(i) - offsets[i]);
      if (!IsIntact(segment, i, record)) suspects.push_back(segment.header.first_record + i);
    }
    bytes_.fetch_add(to - from, std::memory_order_relaxed);
    if (!Pace(to - from)) break;
  }
  return suspects;
}

bool SegmentScrubber::Pace(uint64_t bytes) {
  const core::Instant now = core::SteadyNow();
  const auto took = std::chrono::microseconds(bytes * 1'000'000 / options_.bytes_per_s);
  next_read_ = std::max(next_read_, now) + took;
  std::unique_lock lock(mutex_);
  return !wake_.wait_for(lock, next_read_ - now, [this] { return stop_; });
}

}  // namespace homeport::quorum_queue
