#include "quorum_queue/segment_pool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "core/files.h"
#include "core/log.h"
#include "quorum_queue/page_writer.h"
#include "quorum_queue/segment_format.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

constexpr uint64_t kZeroBytes = 1 << 20;
// After so many bytes there is a pause, so that a foreground fdatasync finds a short queue at the
// disk.
constexpr uint64_t kStepBytes = 4 << 20;
constexpr auto kPause = std::chrono::milliseconds(2);
// Released files kept beyond the target; more are given back to the file system.
constexpr size_t kReadySlack = 8;

Status IoError(const std::string& what, const std::string& path) {
  return Status::Io(fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

}  // namespace

Result<FirstMark> FirstMark::Open(std::string dir, uint64_t first) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, core::ListDirectory(dir));
  // A log's segments are never below its mark, but for a crash in a release: then they may be.
  std::optional<uint64_t> marked;
  for (const std::string& name : names) {
    if (const auto number = NumberInName(name, "first-")) marked = number;
  }
  if (marked) return FirstMark(std::move(dir), *marked);
  const std::string path = dir + "/" + FirstName(first);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return IoError("cannot create", path);
  ::close(fd);
  RETURN_IF_ERROR(core::SyncDirectory(dir));
  return FirstMark(std::move(dir), first);
}

Status FirstMark::MoveTo(uint64_t segment) {
  if (segment <= first_) return Status::Ok();
  const std::string from = dir_ + "/" + FirstName(first_);
  if (::rename(from.c_str(), (dir_ + "/" + FirstName(segment)).c_str()) != 0) {
    return IoError("cannot rename", from);
  }
  first_ = segment;
  return core::SyncDirectory(dir_);
}

SegmentPool::SegmentPool(SegmentPoolOptions options, FirstMark mark,
                         const std::vector<std::string>& free_names, uint64_t used)
    : options_(std::move(options)), mark_(std::move(mark)), files_(used) {
  for (const std::string& name : free_names) {
    SegmentFile file{options_.dir + "/" + name, -1};
    file.fd = ::open(file.path.c_str(), O_RDWR | O_CLOEXEC);
    if (file.fd < 0) {
      core::LogWarn("segment_unusable", {{"path", file.path}, {"error", std::strerror(errno)}});
      continue;
    }
    next_free_id_ = std::max(next_free_id_, NumberInName(name, "free-").value_or(0) + 1);
    ready_.push_back(std::move(file));
    files_++;
  }
  helper_ = std::thread([this] { Run(); });
}

SegmentPool::~SegmentPool() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_helper_.notify_all();
  helper_.join();
  for (const SegmentFile& file : ready_) ::close(file.fd);
  for (const ReleasedSegment& released : released_) ::close(released.file.fd);
}

Result<SegmentFile> SegmentPool::Take(bool may_take_spare) {
  const size_t keep = may_take_spare ? 0 : 1;
  std::unique_lock lock(mutex_);
  while (ready_.size() <= keep) {
    bool coming = busy_ || !released_.empty();
    if (!coming && !MayMake()) {
      return Status::Io(
          fmt::format("the log in {} is at its limit of {} segments of {} KiB; it goes on when "
                      "entries are trimmed "
                      "or the limit is raised",
                      options_.dir, options_.files_max, options_.segment_bytes >> 10));
    }
    if (!failure_.empty() && released_.empty()) return Status::Io(failure_);
    urgent_ = true;
    wake_helper_.notify_all();
    wake_owner_.wait(lock);
  }
  urgent_ = false;
  SegmentFile file = std::move(ready_.front());
  ready_.pop_front();
  wake_helper_.notify_all();
  return file;
}

void SegmentPool::Release(ReleasedSegment released) {
  {
    std::lock_guard lock(mutex_);
    released_.push_back(std::move(released));
  }
  wake_helper_.notify_all();
}

bool SegmentPool::HasReady() {
  std::lock_guard lock(mutex_);
  return !ready_.empty();
}

void SegmentPool::Run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!released_.empty()) {
      ReleasedSegment released = std::move(released_.front());
      released_.pop_front();
      busy_ = true;
      lock.unlock();
      Recycle(std::move(released));
      lock.lock();
      busy_ = false;
      wake_owner_.notify_all();
      continue;
    }
    if (stop_) return;
    if (ready_.size() >= options_.ready_target || !MayMake()) {
      failure_.clear();
      wake_owner_.notify_all();
      wake_helper_.wait(lock);
      continue;
    }
    files_++;
    busy_ = true;
    lock.unlock();
    Result<SegmentFile> made = MakeFile();
    lock.lock();
    busy_ = false;
    if (made.ok()) {
      ready_.push_back(*made);
      if (!failure_.empty()) core::LogInfo("segment_space_back", {{"dir", options_.dir}});
      failure_.clear();
      wake_owner_.notify_all();
      continue;
    }
    files_--;
    if (stop_) continue;
    if (failure_.empty()) {
      core::LogWarn("segment_not_prepared", {{"reason", made.status().message()}});
    }
    failure_ = made.status().message();
    wake_owner_.notify_all();
    wake_helper_.wait_for(lock, options_.retry_after,
                          [this] { return stop_ || !released_.empty(); });
  }
}

// The new name must be durable before the header is overwritten: a file named segment-N always has
// the header of N.
void SegmentPool::Recycle(ReleasedSegment released) {
  SegmentFile& file = released.file;
  if (const Status moved = mark_.MoveTo(released.segment + 1); !moved.ok()) {
    // Left where it is, and found again at the next start; not to be missed then.
    core::LogWarn("segment_not_released", {{"path", file.path}, {"reason", moved.message()}});
    ::close(file.fd);
    return;
  }
  uint64_t id;
  bool keep;
  {
    std::lock_guard lock(mutex_);
    id = next_free_id_++;
    keep = released.reused && ready_.size() < options_.ready_target + kReadySlack &&
           (options_.files_max == 0 || files_ <= options_.files_max);
  }
  std::string path = options_.dir + "/" + FreeName(id);
  if (keep && ::rename(file.path.c_str(), path.c_str()) == 0 &&
      core::SyncDirectory(options_.dir).ok()) {
    file.path = std::move(path);
    std::lock_guard lock(mutex_);
    ready_.push_back(std::move(file));
    return;
  }
  if (keep) core::LogWarn("segment_not_recycled", {{"path", file.path}});
  ::unlink(file.path.c_str());
  ::unlink(path.c_str());
  ::close(file.fd);
  std::lock_guard lock(mutex_);
  files_--;
}

Result<SegmentFile> SegmentPool::MakeFile() {
  std::string preparing = options_.dir + "/preparing";
  const int fd = ::open(preparing.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return IoError("cannot create", preparing);
  const int pages_fd = OpenForPages(preparing.c_str());
  Status written = pages_fd < 0 ? IoError("cannot open", preparing) : WriteZeros(pages_fd);
  if (pages_fd >= 0) ::close(pages_fd);
  std::string path;
  if (written.ok()) {
    {
      std::lock_guard lock(mutex_);
      path = options_.dir + "/" + FreeName(next_free_id_++);
    }
    if (::rename(preparing.c_str(), path.c_str()) != 0)
      written = IoError("cannot rename", preparing);
  }
  if (written.ok()) written = core::SyncDirectory(options_.dir);
  if (!written.ok()) {
    // The space it took goes back before the next attempt: a full disk is not filled further by us.
    ::unlink(preparing.c_str());
    if (!path.empty()) ::unlink(path.c_str());
    ::close(fd);
    return written;
  }
  return SegmentFile{std::move(path), fd};
}

Status SegmentPool::WriteZeros(int fd) {
  // Asks for all the space at once, so that a nearly full disk refuses before it is filled to the
  // brim. Not every file system can; the writes below find out then.
  if (::fallocate(fd, 0, 0, static_cast<off_t>(options_.segment_bytes)) != 0 &&
      errno != EOPNOTSUPP) {
    return IoError("cannot get space for a segment in", options_.dir);
  }
  const uint64_t write_bytes = std::min(kZeroBytes, options_.segment_bytes);
  const PageBuffer zeros = MakePageBuffer(write_bytes);
  for (uint64_t offset = 0; offset < options_.segment_bytes;) {
    const uint64_t size = std::min(write_bytes, options_.segment_bytes - offset);
    if (!WritePages(fd, zeros.get(), size, offset)) {
      return IoError("cannot write a segment in", options_.dir);
    }
    offset += size;
    if (offset % kStepBytes != 0) continue;
    // Where the writes were not direct, starts their way to the disk; fdatasync tells how it ended.
    ::sync_file_range(fd, 0, static_cast<off_t>(offset), SYNC_FILE_RANGE_WRITE);
    std::unique_lock lock(mutex_);
    if (!urgent_) wake_helper_.wait_for(lock, kPause, [this] { return stop_ || urgent_; });
    if (stop_) return Status::Unavailable("stopping");
  }
  if (::fdatasync(fd) != 0) return IoError("cannot sync a segment in", options_.dir);
  return Status::Ok();
}

}  // namespace homeport::quorum_queue
