#include "quorum_queue/segment_recovery.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

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
  static Result<std::unique_ptr<File>> Open(std::string path, bool read_only) {
    int fd = ::open(path.c_str(), (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (fd < 0) return IoError("open", path);
    struct stat info;
    if (::fstat(fd, &info) != 0) {
      Status failed = IoError("look at", path);
      ::close(fd);
      return failed;
    }
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return std::unique_ptr<File>(
        new File(fd, static_cast<uint64_t>(info.st_size), std::move(path)));
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }

  uint64_t size() const { return size_; }

  // What the disk cannot give back reads as zeros, in whole pages; `unreadable` is the end of the
  // last of them, or 0.
  Status Read(uint64_t from, uint64_t count, std::string* bytes, uint64_t* unreadable) {
    bytes->assign(count, '\0');
    *unreadable = 0;
    bool page_by_page = false;
    for (uint64_t done = 0; done < count;) {
      const uint64_t step = page_by_page ? kPageBytes - (from + done) % kPageBytes : kReadBytes;
      const size_t size = std::min<uint64_t>(step, count - done);
      const ssize_t got = ::pread(fd_, bytes->data() + done, size, static_cast<off_t>(from + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0 && errno == EIO && !page_by_page) {
        page_by_page = true;
        continue;
      }
      if (got < 0 && errno == EIO) {
        done += size;
        *unreadable = from + done;
        page_by_page = false;
        continue;
      }
      if (got <= 0) return IoError("read", path_);
      done += static_cast<uint64_t>(got);
      page_by_page = false;
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
  File(int fd, uint64_t size, std::string path) : fd_(fd), size_(size), path_(std::move(path)) {}
  int fd_;
  uint64_t size_;
  std::string path_;
};

// Walks a log's segments. One segment's bytes are in memory at a time.
//
// A record that does not hold is lost, not torn, when something later says that it was on disk:
//   - in a segment that is not the last: the next one's head, which was written after all before it
//     had been synced;
//   - in the last segment: a later record, by its field `synced`.
// Then the walk goes on behind it: where its own frame says, or, if that does not hold either, at
// the next frame that does.
class Recovery {
 public:
  // `segment_bytes`: of the files to come, others that are free are removed; none: nothing is
  // changed.
  Recovery(const std::string& dir, std::optional<uint64_t> segment_bytes, const LogReplay& replay,
           RecoveryReport* report)
      : dir_(dir), segment_bytes_(segment_bytes), replay_(replay), report_(report) {}

  Status Run();
  RecoveredLog TakeLog() { return std::move(log_); }

 private:
  enum class Fault { kNone, kFrame, kBody };

  bool read_only() const { return !segment_bytes_; }
  Status ListFiles();
  Status ReadHeads();
  Status DeriveHead(size_t i, const std::string& why);
  Status CheckOrder() const;
  Status Walk(RecoveredSegment* segment, std::optional<uint64_t> next_first);
  Status ReplayOne(RecoveredSegment* segment, const RecordFrame& frame, const ReplayRecord& replay);
  Status PassOver(RecoveredSegment* segment, std::optional<uint64_t> next_first,
                  const std::string& sentence);
  Fault RecordFault(const SegmentHeader& header, uint64_t offset);
  // Calls visit(offset, frame) for all frames from `offset` on that stand where they say and are
  // not older than what was replayed; of those that do not hold, with frame == nullptr.
  void ForFrames(const SegmentHeader& header, uint64_t offset,
                 const std::function<void(uint64_t, const RecordFrame*)>& visit) const;
  bool TailIsWitness(const RecoveredSegment& segment) const;
  Status JudgeTail(const RecoveredSegment& segment, File* file);
  Status Corrupt(std::string sentence) const;
  void Damaged(LogDamage damage);

  const std::string& dir_;
  const std::optional<uint64_t> segment_bytes_;
  const LogReplay& replay_;
  RecoveryReport* const report_;
  RecoveredLog log_;
  std::string bytes_;            // of the segment in hand
  uint64_t unreadable_ = 0;      // end of the last page of it that the disk did not give back
  const char* fault_ = nullptr;  // why the walk stopped there
  // The last segment's highest `synced`, looked for once a record does not hold.
  std::optional<uint64_t> synced_;
  uint32_t heads_generation_ = 0;  // highest in a segment's head
};

Status Recovery::Corrupt(std::string sentence) const {
  report_->corrupt.push_back(sentence);
  return Status::Corrupt(std::move(sentence));
}

void Recovery::Damaged(LogDamage damage) {
  report_->corrupt.push_back(damage.what);
  report_->damage.push_back(std::move(damage));
}

Status Recovery::Run() {
  RETURN_IF_ERROR(ListFiles());
  RETURN_IF_ERROR(ReadHeads());
  RETURN_IF_ERROR(CheckOrder());
  for (size_t i = 0; i < log_.segments.size(); i++) {
    RecoveredSegment& segment = log_.segments[i];
    const bool last = i + 1 == log_.segments.size();
    ASSIGN_OR_RETURN(auto file, File::Open(segment.path, read_only()));
    RETURN_IF_ERROR(file->Read(0, file->size(), &bytes_, &unreadable_));
    if (segment.header.segment_bytes != bytes_.size()) {
      return Corrupt(fmt::format("{} has {} bytes, and its header says {}", segment.path,
                                 bytes_.size(), segment.header.segment_bytes));
    }
    if (i == 0) log_.next_record = segment.header.first_record;
    RETURN_IF_ERROR(Walk(
        &segment, last ? std::nullopt : std::optional(log_.segments[i + 1].header.first_record)));
    segment.offsets.Seal();
    report_->bytes += segment.end;
    if (last) RETURN_IF_ERROR(JudgeTail(segment, file.get()));
  }
  return Status::Ok();
}

Status Recovery::ListFiles() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, core::ListDirectory(dir_));
  std::vector<uint64_t> numbers;
  std::optional<uint64_t> first;  // as the mark says; logs of before there were marks have none
  for (const std::string& name : names) {
    std::string path = dir_ + "/" + name;
    if (auto number = NumberInName(name, "segment-")) {
      numbers.push_back(*number);
    } else if (const auto marked = NumberInName(name, "first-")) {
      first = marked;
    } else if (read_only()) {
      continue;
    } else if (NumberInName(name, "free-")) {
      struct stat info;
      if (::stat(path.c_str(), &info) != 0) return IoError("look at", path);
      if (static_cast<uint64_t>(info.st_size) == *segment_bytes_) {
        log_.free_names.push_back(name);
      } else {
        ::unlink(path.c_str());
      }
    } else if (name == "preparing") {
      ::unlink(path.c_str());
    }
  }
  std::sort(numbers.begin(), numbers.end());
  // A new log has its mark before its first segment.
  if (first && (numbers.empty() ? *first > 1 : numbers.front() > *first)) {
    return Corrupt(fmt::format("{}/{} is missing: it was not released, and was there", dir_,
                               SegmentName(*first)));
  }
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

Status Recovery::ReadHeads() {
  std::vector<std::pair<size_t, std::string>> damaged;
  for (size_t i = 0; i < log_.segments.size(); i++) {
    RecoveredSegment& segment = log_.segments[i];
    ASSIGN_OR_RETURN(auto file, File::Open(segment.path, read_only()));
    RETURN_IF_ERROR(
        file->Read(0, std::min(file->size(), kSegmentHeaderBytes), &bytes_, &unreadable_));
    Result<SegmentHeader> header = DecodeSegmentHeader(bytes_);
    if (!header.ok()) {
      damaged.emplace_back(i, fmt::format("{}: {}", segment.path, header.status().message()));
      continue;
    }
    if (header->segment != segment.header.segment) {
      return Corrupt(
          fmt::format("{}: its header says it is segment {}", segment.path, header->segment));
    }
    segment.header = *header;
    log_.generation = std::max(log_.generation, header->generation);
  }
  for (const auto& [i, why] : damaged) RETURN_IF_ERROR(DeriveHead(i, why));
  // The generation that counts is that of the records walked so far.
  heads_generation_ = std::exchange(log_.generation, 0);
  return Status::Ok();
}

// The head of a segment that is not the last can be told from the next one's, and from its own
// first record. That of the last one cannot: what it says of the records before it is needed.
Status Recovery::DeriveHead(size_t i, const std::string& why) {
  RecoveredSegment& segment = log_.segments[i];
  if (!replay_.bears_losses() || i + 1 == log_.segments.size() ||
      log_.segments[i + 1].header.log_id == 0) {
    return Corrupt(why);
  }
  ASSIGN_OR_RETURN(auto file, File::Open(segment.path, read_only()));
  RETURN_IF_ERROR(file->Read(0, file->size(), &bytes_, &unreadable_));
  const SegmentHeader& next = log_.segments[i + 1].header;
  segment.header.log_id = next.log_id;
  segment.header.segment_bytes = bytes_.size();
  segment.header.base = next.base - bytes_.size();
  if (bytes_.size() < kSegmentHeaderBytes || bytes_.size() > next.base ||
      FrameFault(segment.header, bytes_, kSegmentHeaderBytes) != nullptr) {
    return Corrupt(why);
  }
  segment.header.first_record = FrameAt(bytes_, kSegmentHeaderBytes).number;
  Damaged({segment.path, 0, RecordNumber(0), RecordNumber(0), false, why});
  return Status::Ok();
}

Status Recovery::CheckOrder() const {
  for (size_t i = 1; i < log_.segments.size(); i++) {
    const RecoveredSegment& before = log_.segments[i - 1];
    const RecoveredSegment& segment = log_.segments[i];
    if (segment.header.log_id != before.header.log_id ||
        segment.header.base != before.header.base + before.header.segment_bytes ||
        segment.header.first_record < before.header.first_record) {
      return Corrupt(fmt::format("{} does not continue {}: it belongs to another log", segment.path,
                                 before.path));
    }
  }
  return Status::Ok();
}

Recovery::Fault Recovery::RecordFault(const SegmentHeader& header, uint64_t offset) {
  fault_ = FrameFault(header, bytes_, offset);
  if (fault_ != nullptr) return Fault::kFrame;
  const RecordFrame frame = FrameAt(bytes_, offset);
  if (frame.number != log_.next_record) {
    fault_ = "the record there has a number out of order";
  } else if (frame.generation < log_.generation) {
    fault_ = "the record there is of an older generation";
  }
  if (fault_ != nullptr) return Fault::kFrame;
  const char* body = bytes_.data() + offset + kFrameBytes + frame.header_size;
  if (XXH3_64bits(body, frame.body_size) == frame.body_checksum) return Fault::kNone;
  fault_ = "the checksum of the record's body does not hold";
  return Fault::kBody;
}

void Recovery::ForFrames(const SegmentHeader& header, uint64_t offset,
                         const std::function<void(uint64_t, const RecordFrame*)>& visit) const {
  for (uint64_t at = offset; at + kFrameBytes <= bytes_.size(); at += 8) {
    uint64_t claimed;
    std::memcpy(&claimed, bytes_.data() + at + offsetof(RecordFrame, position), sizeof claimed);
    if (claimed != header.base + at) continue;
    const RecordFrame frame = FrameAt(bytes_, at);
    const bool holds =
        FrameFault(header, bytes_, at) == nullptr && frame.generation >= log_.generation;
    visit(at, holds ? &frame : nullptr);
  }
}

Status Recovery::ReplayOne(RecoveredSegment* segment, const RecordFrame& frame,
                           const ReplayRecord& replay) {
  const std::string_view header(bytes_.data() + segment->end + kFrameBytes, frame.header_size);
  Status status = replay(RecordNumber(frame.number), header, frame.body_size);
  if (!status.ok()) {
    status = Status(status.code(), fmt::format("{} at offset {}: {}", segment->path, segment->end,
                                               status.message()));
    if (status.code() == core::Code::kCorrupt) report_->corrupt.push_back(status.message());
    return status;
  }
  segment->offsets.Add(static_cast<uint32_t>(segment->end));
  log_.generation = frame.generation;
  log_.next_record++;
  segment->end += RecordBytes(frame.header_size, frame.body_size);
  return Status::Ok();
}

// Leaves segment->end behind the last record.
Status Recovery::Walk(RecoveredSegment* segment, std::optional<uint64_t> next_first) {
  segment->end = kSegmentHeaderBytes;
  for (;;) {
    if (next_first && log_.next_record >= *next_first) return Status::Ok();
    const Fault fault = RecordFault(segment->header, segment->end);
    if (fault == Fault::kNone) {
      RETURN_IF_ERROR(ReplayOne(segment, FrameAt(bytes_, segment->end), replay_.record));
      report_->records++;
      continue;
    }
    if (!next_first) {
      const uint64_t position = segment->header.base + segment->end;
      if (!synced_) {
        synced_ = 0;
        ForFrames(segment->header, segment->end, [this](uint64_t, const RecordFrame* frame) {
          if (frame != nullptr) synced_ = std::max(*synced_, frame->synced);
        });
      }
      if (*synced_ <= position && unreadable_ > segment->end) {
        return Corrupt(
            fmt::format("{} at offset {}: the disk cannot read what stands there or behind it, so "
                        "nothing tells whether records were there",
                        segment->path, segment->end));
      }
      if (*synced_ <= position) return Status::Ok();  // nothing, or a torn tail
    }
    const std::string sentence = fmt::format(
        "{} at offset {}: {}, but record {} was on disk, as {}", segment->path, segment->end,
        fault_, log_.next_record,
        next_first ? fmt::format("the next segment says, which begins with record {}", *next_first)
                   : "a later record says");
    if (!replay_.bears_losses()) return Corrupt(sentence);
    if (fault == Fault::kBody) {
      const RecordNumber number(log_.next_record);
      Damaged({segment->path, segment->end, number, number, true, sentence});
      segment->lost.push_back(log_.next_record);
      RETURN_IF_ERROR(ReplayOne(segment, FrameAt(bytes_, segment->end), replay_.without_body));
    } else {
      RETURN_IF_ERROR(PassOver(segment, next_first, sentence));
    }
  }
}

// Goes on at the next frame that holds; at the next segment when there is none.
Status Recovery::PassOver(RecoveredSegment* segment, std::optional<uint64_t> next_first,
                          const std::string& sentence) {
  uint64_t number = 0;
  uint64_t offset = 0;
  ForFrames(segment->header, segment->end + 8, [&](uint64_t at, const RecordFrame* frame) {
    if (frame == nullptr || number != 0 || frame->number <= log_.next_record) return;
    if (next_first && frame->number >= *next_first) return;
    number = frame->number;
    offset = at;
  });
  if (number == 0 && next_first) {
    number = *next_first;
    offset = bytes_.size();
  }
  const uint64_t lost = number - log_.next_record;
  if (number == 0 || lost > (offset - segment->end) / kFrameBytes) {
    return Corrupt(sentence + ", and no record is found again behind it");
  }
  Damaged({segment->path, segment->end, RecordNumber(log_.next_record), RecordNumber(number - 1),
           false, sentence});
  RETURN_IF_ERROR(replay_.lost(RecordNumber(log_.next_record), RecordNumber(number - 1)));
  for (; log_.next_record < number; log_.next_record++) {
    segment->lost.push_back(log_.next_record);
    segment->offsets.Add(static_cast<uint32_t>(segment->end));
  }
  segment->end = offset;
  return Status::Ok();
}

// Whether only what follows the last good record tells that a record before it was lost.
bool Recovery::TailIsWitness(const RecoveredSegment& segment) const {
  if (segment.lost.empty()) return false;
  const uint64_t first_number = log_.next_record - segment.offsets.size();
  const uint64_t last_lost = segment.lost.back();
  const uint64_t position = segment.header.base + segment.offsets[last_lost - first_number];
  for (uint64_t number = last_lost + 1; number < log_.next_record; number++) {
    const RecordFrame frame = FrameAt(bytes_, segment.offsets[number - first_number]);
    if (frame.synced > position) return false;
  }
  return true;
}

// What follows the last good record P in the last segment is nothing, or stale, or a torn tail.
// Every frame of it is zeroed, so that none can follow a record that will be written at P by chance
// of equal size.
Status Recovery::JudgeTail(const RecoveredSegment& segment, File* file) {
  log_.sealed = TailIsWitness(segment);
  const uint64_t start = segment.end;
  uint64_t torn_end = start;
  std::vector<uint64_t> frames;
  ForFrames(segment.header, start, [&](uint64_t at, const RecordFrame* frame) {
    frames.push_back(at);
    torn_end = std::max(
        torn_end,
        at + (frame == nullptr ? kFrameBytes : RecordBytes(frame->header_size, frame->body_size)));
  });
  report_->torn_bytes = torn_end - start;
  if (read_only()) return Status::Ok();
  if (!log_.sealed) {
    for (uint64_t at : frames) RETURN_IF_ERROR(file->Zero(at, kFrameBytes));
  }
  // What was replayed may have been in the page cache only (the process died, the machine did not).
  RETURN_IF_ERROR(file->Sync());
  log_.tail_page = bytes_.substr(start - start % kPageBytes, start % kPageBytes);
  log_.generation = std::max(log_.generation, heads_generation_);
  return Status::Ok();
}

}  // namespace

Result<RecoveredLog> ReadLog(const std::string& dir, const LogReplay& replay,
                             RecoveryReport* report) {
  Recovery recovery(dir, std::nullopt, replay, report);
  RETURN_IF_ERROR(recovery.Run());
  return recovery.TakeLog();
}

Result<RecoveredLog> RecoverLog(const std::string& dir, uint64_t segment_bytes,
                                const LogReplay& replay, RecoveryReport* report) {
  Recovery recovery(dir, segment_bytes, replay, report);
  RETURN_IF_ERROR(recovery.Run());
  return recovery.TakeLog();
}

}  // namespace homeport::quorum_queue
