#include "quorum_queue/segment_recovery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>

#include "core/files.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

constexpr uint64_t kReadBytes = 1 << 20;

Status IoError(const std::string& what, const std::string& path) {
  return Status::Io(fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

class File {
 public:
  static Result<std::unique_ptr<File>> Open(std::string path) {
    int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (fd < 0) return IoError("open", path);
    return std::unique_ptr<File>(new File(fd, std::move(path)));
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }

  Status ReadAll(std::string* bytes) {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return IoError("look at", path_);
    bytes->resize(static_cast<size_t>(info.st_size));
    ::posix_fadvise(fd_, 0, 0, POSIX_FADV_SEQUENTIAL);
    for (uint64_t offset = 0; offset < bytes->size();) {
      size_t size = std::min<uint64_t>(kReadBytes, bytes->size() - offset);
      ssize_t got = ::pread(fd_, bytes->data() + offset, size, static_cast<off_t>(offset));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return IoError("read", path_);
      offset += static_cast<uint64_t>(got);
    }
    return Status::Ok();
  }
  Status Zero(uint64_t offset, uint64_t size) {
    std::string zeros(size, '\0');
    while (!zeros.empty()) {
      ssize_t wrote = ::pwrite(fd_, zeros.data(), zeros.size(), static_cast<off_t>(offset));
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return IoError("write", path_);
      offset += static_cast<uint64_t>(wrote);
      zeros.resize(zeros.size() - static_cast<size_t>(wrote));
    }
    return Status::Ok();
  }
  Status Sync() { return ::fdatasync(fd_) == 0 ? Status::Ok() : IoError("sync", path_); }

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  int fd_;
  std::string path_;
};

// Walks a log's segments. One segment's bytes are in memory at a time.
class Recovery {
 public:
  Recovery(const std::string& dir, const ReplayFunction& replay, RecoveryReport* report)
      : dir_(dir), replay_(replay), report_(report) {}

  Status Run(uint64_t segment_bytes);
  RecoveredLog TakeLog() { return std::move(log_); }

 private:
  Status ListFiles(uint64_t segment_bytes);
  Status ReadSegment(RecoveredSegment* segment, File* file);
  Status Walk(RecoveredSegment* segment);
  const char* RecordFault(const SegmentHeader& header, uint64_t offset) const;
  Status JudgeTail(const RecoveredSegment& segment, File* file);
  Status Corrupt(std::string sentence);

  const std::string& dir_;
  const ReplayFunction& replay_;
  RecoveryReport* report_;
  RecoveredLog log_;
  std::string bytes_;            // of the segment in hand
  const char* fault_ = nullptr;  // why the walk stopped there
};

Status Recovery::Corrupt(std::string sentence) {
  report_->corrupt.push_back(sentence);
  return Status::Corrupt(std::move(sentence));
}

Status Recovery::Run(uint64_t segment_bytes) {
  RETURN_IF_ERROR(ListFiles(segment_bytes));
  for (size_t i = 0; i < log_.segments.size(); i++) {
    RecoveredSegment& segment = log_.segments[i];
    ASSIGN_OR_RETURN(auto file, File::Open(segment.path));
    RETURN_IF_ERROR(ReadSegment(&segment, file.get()));
    if (i == 0) {
      log_.next_record = segment.header.first_record;
    } else {
      const RecoveredSegment& before = log_.segments[i - 1];
      // A segment begins only when all before it is on disk, so what is missing now was there once.
      if (segment.header.first_record != log_.next_record) {
        return Corrupt(
            fmt::format("{} at offset {}: {}, but {} begins with record {}, so record {} was "
                        "on disk",
                        before.path, before.end, fault_, segment.path, segment.header.first_record,
                        log_.next_record));
      }
      if (segment.header.log_id != before.header.log_id ||
          segment.header.base != before.header.base + before.header.segment_bytes) {
        return Corrupt(fmt::format("{} does not continue {}: it belongs to another log",
                                   segment.path, before.path));
      }
    }
    RETURN_IF_ERROR(Walk(&segment));
    report_->bytes += segment.end;
    if (i + 1 == log_.segments.size()) RETURN_IF_ERROR(JudgeTail(segment, file.get()));
  }
  return Status::Ok();
}

Status Recovery::ListFiles(uint64_t segment_bytes) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, core::ListDirectory(dir_));
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    std::string path = dir_ + "/" + name;
    if (auto number = NumberInName(name, "segment-")) {
      numbers.push_back(*number);
    } else if (NumberInName(name, "free-")) {
      struct stat info;
      if (::stat(path.c_str(), &info) != 0) return IoError("look at", path);
      if (static_cast<uint64_t>(info.st_size) == segment_bytes) {
        log_.free_names.push_back(name);
      } else {
        ::unlink(path.c_str());
      }
    } else if (name == "preparing") {
      ::unlink(path.c_str());
    }
  }
  std::sort(numbers.begin(), numbers.end());
  for (size_t i = 0; i < numbers.size(); i++) {
    if (i > 0 && numbers[i] != numbers[i - 1] + 1) {
      return Corrupt(fmt::format("{}/{} is missing, and {} is there", dir_,
                                 SegmentName(numbers[i - 1] + 1), SegmentName(numbers[i])));
    }
    RecoveredSegment segment;
    segment.path = dir_ + "/" + SegmentName(numbers[i]);
    segment.header.segment = numbers[i];
    log_.segments.push_back(std::move(segment));
  }
  return Status::Ok();
}

Status Recovery::ReadSegment(RecoveredSegment* segment, File* file) {
  RETURN_IF_ERROR(file->ReadAll(&bytes_));
  Result<SegmentHeader> header = DecodeSegmentHeader(bytes_);
  if (!header.ok()) {
    return Corrupt(fmt::format("{}: {}", segment->path, header.status().message()));
  }
  if (header->segment != segment->header.segment) {
    return Corrupt(
        fmt::format("{}: its header says it is segment {}", segment->path, header->segment));
  }
  if (header->segment_bytes != bytes_.size()) {
    return Corrupt(fmt::format("{} has {} bytes, and its header says {}", segment->path,
                               bytes_.size(), header->segment_bytes));
  }
  segment->header = *header;
  log_.generation = std::max(log_.generation, header->generation);
  return Status::Ok();
}

const char* Recovery::RecordFault(const SegmentHeader& header, uint64_t offset) const {
  if (const char* fault = FrameFault(header, bytes_, offset)) return fault;
  RecordFrame frame = FrameAt(bytes_, offset);
  if (frame.number != log_.next_record) return "the record there has a number out of order";
  if (frame.generation < log_.generation) return "the record there is of an older generation";
  const char* body = bytes_.data() + offset + kFrameBytes + frame.header_size;
  if (XXH3_64bits(body, frame.body_size) != frame.body_checksum) {
    return "the checksum of the record's body does not hold";
  }
  return nullptr;
}

// Leaves segment->end behind the last good record and fault_ set.
Status Recovery::Walk(RecoveredSegment* segment) {
  segment->end = kSegmentHeaderBytes;
  while ((fault_ = RecordFault(segment->header, segment->end)) == nullptr) {
    RecordFrame frame = FrameAt(bytes_, segment->end);
    std::string_view header(bytes_.data() + segment->end + kFrameBytes, frame.header_size);
    Status status = replay_(RecordNumber(frame.number), header, frame.body_size);
    if (!status.ok()) {
      status = Status(status.code(), fmt::format("{} at offset {}: {}", segment->path, segment->end,
                                                 status.message()));
      if (status.code() == core::Code::kCorrupt) report_->corrupt.push_back(status.message());
      return status;
    }
    segment->offsets.push_back(static_cast<uint32_t>(segment->end));
    log_.generation = frame.generation;
    log_.next_record++;
    segment->end += RecordBytes(frame.header_size, frame.body_size);
    report_->records++;
  }
  return Status::Ok();
}

// What follows the last good record P is either nothing, or stale, or a torn tail, or (when a later
// record knows that the log was on disk beyond P) corruption. Every frame of the cut tail is
// zeroed, so that none can follow a record that will be written at P by chance of equal size.
Status Recovery::JudgeTail(const RecoveredSegment& segment, File* file) {
  const SegmentHeader& header = segment.header;
  const uint64_t start = segment.end;
  const uint64_t position = header.base + start;
  uint64_t torn_end = start;
  std::vector<uint64_t> frames;
  for (uint64_t at = start; at + kFrameBytes <= bytes_.size(); at += 8) {
    uint64_t claimed;
    std::memcpy(&claimed, bytes_.data() + at + offsetof(RecordFrame, position), sizeof claimed);
    if (claimed != header.base + at) continue;
    frames.push_back(at);
    torn_end = std::max(torn_end, at + kFrameBytes);
    if (FrameFault(header, bytes_, at) != nullptr) continue;
    RecordFrame frame = FrameAt(bytes_, at);
    if (frame.generation < log_.generation) continue;
    if (frame.synced > position) {
      return Corrupt(
          fmt::format("{} at offset {}: {}, but record {} at offset {} says that it was on "
                      "disk",
                      segment.path, start, fault_, frame.number, at));
    }
    torn_end = std::max(torn_end, at + RecordBytes(frame.header_size, frame.body_size));
  }
  for (uint64_t at : frames) RETURN_IF_ERROR(file->Zero(at, kFrameBytes));
  report_->torn_bytes = torn_end - start;
  // What was replayed may have been in the page cache only (the process died, the machine did not).
  RETURN_IF_ERROR(file->Sync());
  log_.tail_page = bytes_.substr(start - start % kPageBytes, start % kPageBytes);
  return Status::Ok();
}

}  // namespace

Result<RecoveredLog> RecoverLog(const std::string& dir, uint64_t segment_bytes,
                                const ReplayFunction& replay, RecoveryReport* report) {
  Recovery recovery(dir, replay, report);
  RETURN_IF_ERROR(recovery.Run(segment_bytes));
  return recovery.TakeLog();
}

}  // namespace homeport::quorum_queue
