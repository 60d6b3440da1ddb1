// Grammar of a log. Integers are little-endian.
//
//   log      := segment*     files segment-N (16 hex digits), N without gaps
//               free*        files free-X: to be written over, their content is stale
//               mark         empty file first-M (16 hex digits): segments below M were released.
//               Made to
//                            say so, durably, before one of them goes: so a missing one is noticed
//   segment  := head record* rest
//               segment_bytes long; the rest is zero or stale
//   head     := "HPSEG001" version:u32 generation:u32 log_id:u64 segment:u64 base:u64
//               first_record:u64 segment_bytes:u64 checksum:u64, zeros up to 4096;
//               checksum is XXH3-64 of what precedes
//   record   := frame header body padding
//               padding: zeros up to a multiple of 8
//   frame    := checksum:u64 position:u64 synced:u64 number:u64 generation:u32 header_size:u32
//               body_size:u64 body_checksum:u64
//   header   := a Cap'n Proto LogRecord (queue.capnp), header_size bytes
//   body     := payloads back to back, body_size bytes, with XXH3-64 body_checksum
//
// The fields of a frame:
//
//   checksum     XXH3-64, seeded with log_id, of the rest of the frame and the header
//   position     base + offset in the file. base grows by segment_bytes from segment to segment, so
//   a
//                position is used once in the life of a log, but for a torn tail that was cut
//   synced       the log was on disk up to this position when the record was made
//   number       1, 2, 3 ... without gaps
//   generation   grows with each Open
//
// A segment's head is written and synced before the file gets its name segment-N, and only when all
// records before first_record are on disk.
//
// Which records count after a crash: segment_recovery.cc.
#include "quorum_queue/segment_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <deque>
#include <set>

#include "core/files.h"
#include "core/log.h"
#include "quorum_queue/page_writer.h"
#include "quorum_queue/record_offsets.h"
#include "quorum_queue/segment_format.h"
#include "quorum_queue/segment_pool.h"
#include "quorum_queue/segment_recovery.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::SharedBytes;
using core::Status;

constexpr uint64_t kSmallRecordBytes = 64 << 10;
// Room that entries leave in each segment: two small records with their frames.
constexpr uint64_t kReserveBytes = 2 * (kSmallRecordBytes + kPageBytes);
// What a cached record costs beyond its bytes, roughly.
constexpr uint64_t kCachedOverheadBytes = 192;

struct Segment {
  SegmentFile file;
  SegmentHeader header;
  RecordOffsets offsets;    // of record first_record + i
  std::set<uint64_t> lost;  // numbers of records that cannot be read any more
  uint64_t end = kSegmentHeaderBytes;

  uint64_t after_last() const { return header.first_record + offsets.size(); }
};

struct CachedRecord {
  std::string head;  // frame and header
  SharedBytes body;
};

void EndProcess(const std::string& reason) {
  core::LogError("log_failed", {{"reason", reason}});
  std::fprintf(stderr, "homeport: %s\n", reason.c_str());
  std::fflush(nullptr);
  ::_exit(70);
}

class SegmentLogOnDisk final : public SegmentLog {
 public:
  SegmentLogOnDisk(SegmentLogOptions options, RecoveredLog recovered)
      : options_(std::move(options)),
        generation_(recovered.generation + 1),
        next_(recovered.next_record),
        recent_first_(recovered.next_record),
        sealed_(recovered.sealed) {
    for (RecoveredSegment& from : recovered.segments) {
      Segment segment;
      segment.file.path = std::move(from.path);
      segment.header = from.header;
      segment.offsets = std::move(from.offsets);
      segment.lost.insert(from.lost.begin(), from.lost.end());
      segment.end = from.end;
      segments_.push_back(std::move(segment));
    }
    log_id_ = segments_.empty() ? core::RandomBits() : segments_.back().header.log_id;
  }
  ~SegmentLogOnDisk() override {
    for (const Segment& segment : segments_) ::close(segment.file.fd);
    if (pages_fd_ >= 0) ::close(pages_fd_);
  }

  Status Start(const std::vector<std::string>& free_names, std::string_view tail_page);

  RecordNumber next() const override { return RecordNumber(next_); }
  bool NeedsSegment() const override {
    return (spare_in_use_ && !pool_->HasReady()) ||
           Room() < RecordBytes(options_.record_bytes_max, 0) + kReserveBytes;
  }
  Status StartSegment() override;
  bool Fits(uint64_t bytes) const override { return RecordBytes(bytes, 0) <= Room(); }
  RecordNumber Append(std::string header, SharedBytes body, uint64_t body_checksum) override;
  void Sync() override;
  Status Load(RecordNumber record, std::string* header, SharedBytes* body) override;
  Status Recheck(RecordNumber record) override;
  std::optional<SealedSegment> Sealed(uint64_t from) const override;
  void Release(RecordNumber record) override;
  uint64_t bytes() const override {
    uint64_t sum = 0;
    for (const Segment& segment : segments_) sum += segment.header.segment_bytes;
    return sum;
  }

 private:
  uint64_t Room() const {
    if (sealed_) return 0;
    const Segment& segment = segments_.back();
    return segment.header.segment_bytes - segment.end;
  }
  uint64_t EndPosition() const { return segments_.back().header.base + segments_.back().end; }
  size_t unsynced() const { return recent_.size() - recent_synced_; }
  [[noreturn]] void Fatal(const std::string& what, const std::string& path);
  Status BeginSegment(SegmentFile file);
  void OpenPages(uint64_t end, std::string_view tail_page);
  void WriteUnsynced();
  void ShrinkCache();
  Segment& SegmentOf(uint64_t record);
  static Status LoadFromDisk(Segment* segment, uint64_t record, std::string* header,
                             SharedBytes* body);
  void ReleaseSegments();

  const SegmentLogOptions options_;
  const uint32_t generation_;
  uint64_t log_id_ = 0;
  uint64_t next_;
  std::deque<Segment> segments_;  // the last is written to
  std::unique_ptr<SegmentPool> pool_;
  bool spare_in_use_ = false;  // since then, until another file is ready to be the spare
  RecordNumber release_below_;

  // The newest records: first those on disk, then unsynced() ones that are not.
  std::deque<CachedRecord> recent_;
  uint64_t recent_first_;  // number of recent_.front()
  size_t recent_synced_ = 0;
  uint64_t recent_bytes_ = 0;
  uint64_t synced_position_ = 0;
  bool sealed_ = false;  // see RecoveredLog
  PageWriter pages_;     // at the end of what is written of the last segment
  int pages_fd_ = -1;
};

void SegmentLogOnDisk::Fatal(const std::string& what, const std::string& path) {
  std::string reason = fmt::format(
      "{} {} failed: {}; the state of the disk is unknown, so this process "
      "ends. Look at the disk, then start it again",
      what, path, std::strerror(errno));
  if (options_.on_fatal) options_.on_fatal(reason);
  EndProcess(reason);
  std::abort();
}

Status SegmentLogOnDisk::Start(const std::vector<std::string>& free_names,
                               std::string_view tail_page) {
  for (Segment& segment : segments_) {
    segment.file.fd = ::open(segment.file.path.c_str(), O_RDWR | O_CLOEXEC);
    if (segment.file.fd < 0) {
      return Status::Io(fmt::format("cannot open {}: {}", segment.file.path, std::strerror(errno)));
    }
  }
  SegmentPoolOptions pool;
  pool.dir = options_.dir;
  pool.segment_bytes = options_.segment_bytes;
  pool.files_max = options_.log_bytes_max / options_.segment_bytes;
  pool.ready_target = options_.prepared_segments + 1;
  pool.retry_after = std::chrono::ceil<std::chrono::milliseconds>(options_.retry_after);
  const uint64_t first = segments_.empty() ? 1 : segments_.front().header.segment;
  ASSIGN_OR_RETURN(FirstMark mark, FirstMark::Open(options_.dir, first));
  pool_ =
      std::make_unique<SegmentPool>(std::move(pool), std::move(mark), free_names, segments_.size());
  if (segments_.empty()) {
    ASSIGN_OR_RETURN(SegmentFile file, pool_->Take(true));
    return BeginSegment(std::move(file));
  }
  OpenPages(segments_.back().end, tail_page);
  synced_position_ = EndPosition();
  return Status::Ok();
}

// Only the last segment is written to.
void SegmentLogOnDisk::OpenPages(uint64_t end, std::string_view tail_page) {
  const SegmentFile& file = segments_.back().file;
  if (pages_fd_ >= 0) ::close(pages_fd_);
  pages_fd_ = OpenForPages(file.path.c_str());
  if (pages_fd_ < 0) Fatal("opening", file.path);
  pages_.Begin(pages_fd_, end, tail_page);
}

Status SegmentLogOnDisk::StartSegment() {
  Sync();
  const bool reserve_used_up = Room() < RecordBytes(kSmallRecordBytes, 0);
  Result<SegmentFile> file = pool_->Take(false);
  if (!file.ok()) {
    if (!reserve_used_up) return file.status();
    file = pool_->Take(true);
    if (!file.ok()) return file.status();
    spare_in_use_ = true;
  } else {
    spare_in_use_ = false;
  }
  return BeginSegment(std::move(*file));
}

Status SegmentLogOnDisk::BeginSegment(SegmentFile file) {
  Segment segment;
  segment.header.generation = generation_;
  segment.header.log_id = log_id_;
  segment.header.segment = 1;
  segment.header.first_record = next_;
  segment.header.segment_bytes = options_.segment_bytes;
  if (!segments_.empty()) {
    const SegmentHeader& before = segments_.back().header;
    segment.header.segment = before.segment + 1;
    segment.header.base = before.base + before.segment_bytes;
  }
  if (!segments_.empty()) segments_.back().offsets.Seal();
  const std::string head = EncodeSegmentHeader(segment.header);
  segment.file = std::move(file);
  segments_.push_back(std::move(segment));
  Segment& current = segments_.back();
  OpenPages(0, {});
  sealed_ = false;
  if (!pages_.Append(head) || !pages_.Flush()) Fatal("writing", current.file.path);
  if (::fdatasync(pages_fd_) != 0) Fatal("syncing", current.file.path);
  std::string path = options_.dir + "/" + SegmentName(current.header.segment);
  if (::rename(current.file.path.c_str(), path.c_str()) != 0) {
    Fatal("renaming", current.file.path);
  }
  current.file.path = std::move(path);
  if (!core::SyncDirectory(options_.dir).ok()) Fatal("syncing", options_.dir);
  synced_position_ = EndPosition();
  return Status::Ok();
}

RecordNumber SegmentLogOnDisk::Append(std::string header, SharedBytes body,
                                      uint64_t body_checksum) {
  CHECK(Fits(header.size() + body.size()), "a record is appended only where it fits", header.size(),
        body.size(), Room());
  Segment& segment = segments_.back();
  RecordFrame frame;
  frame.position = EndPosition();
  frame.synced = synced_position_;
  frame.number = next_;
  frame.generation = generation_;
  frame.header_size = static_cast<uint32_t>(header.size());
  frame.body_size = body.size();
  frame.body_checksum = body_checksum;
  CachedRecord record{EncodeFrame(log_id_, frame, header), std::move(body)};
  segment.offsets.Add(static_cast<uint32_t>(segment.end));
  segment.end += RecordBytes(frame.header_size, frame.body_size);
  recent_bytes_ += record.head.size() + record.body.size() + kCachedOverheadBytes;
  recent_.push_back(std::move(record));
  return RecordNumber(next_++);
}

void SegmentLogOnDisk::Sync() {
  if (unsynced() > 0) {
    WriteUnsynced();
    if (::fdatasync(pages_fd_) != 0) Fatal("syncing", segments_.back().file.path);
    recent_synced_ = recent_.size();
    synced_position_ = EndPosition();
    ShrinkCache();
  }
  ReleaseSegments();
}

void SegmentLogOnDisk::WriteUnsynced() {
  bool written = true;
  for (size_t i = recent_synced_; i < recent_.size() && written; i++) {
    const CachedRecord& record = recent_[i];
    const uint64_t size = record.head.size() + record.body.size();
    written = pages_.Append(record.head) && pages_.Append(record.body.view()) &&
              pages_.AppendZeros(AlignUp(size, 8) - size);
  }
  if (!written || !pages_.Flush()) Fatal("writing", segments_.back().file.path);
  CHECK(pages_.end() == segments_.back().end, "all that was appended is written", pages_.end(),
        segments_.back().end);
}

void SegmentLogOnDisk::ShrinkCache() {
  while (recent_bytes_ > options_.cache_bytes && recent_synced_ > 0) {
    const CachedRecord& oldest = recent_.front();
    recent_bytes_ -= oldest.head.size() + oldest.body.size() + kCachedOverheadBytes;
    recent_.pop_front();
    recent_first_++;
    recent_synced_--;
  }
}

Status SegmentLogOnDisk::Load(RecordNumber record, std::string* header, SharedBytes* body) {
  const uint64_t number = record.value();
  CHECK(number >= segments_.front().header.first_record && number < next_,
        "a record is loaded only while it is in the log", number,
        segments_.front().header.first_record, next_);
  if (number >= recent_first_) {
    const CachedRecord& cached = recent_[number - recent_first_];
    header->assign(cached.head, kFrameBytes);
    *body = cached.body;
    return Status::Ok();
  }
  return LoadFromDisk(&SegmentOf(number), number, header, body);
}

Status SegmentLogOnDisk::Recheck(RecordNumber record) {
  const uint64_t number = record.value();
  CHECK(number < next_, "only what was appended is checked", number, next_);
  if (number < segments_.front().header.first_record) return Status::Ok();
  Segment& segment = SegmentOf(number);
  if (segment.lost.contains(number)) return Status::Ok();
  // What the page cache has is not what the disk has.
  ::posix_fadvise(segment.file.fd, 0, 0, POSIX_FADV_DONTNEED);
  std::string header;
  SharedBytes body;
  return LoadFromDisk(&segment, number, &header, &body);
}

std::optional<SealedSegment> SegmentLogOnDisk::Sealed(uint64_t from) const {
  for (size_t i = 0; i + 1 < segments_.size(); i++) {
    const Segment& segment = segments_[i];
    if (segment.header.segment < from) continue;
    return SealedSegment{segment.file.path, segment.header, segment.offsets.All(), segment.end};
  }
  return std::nullopt;
}

Segment& SegmentLogOnDisk::SegmentOf(uint64_t record) {
  const auto after = std::upper_bound(
      segments_.begin(), segments_.end(), record,
      [](uint64_t n, const Segment& segment) { return n < segment.header.first_record; });
  return *std::prev(after);
}

Status SegmentLogOnDisk::LoadFromDisk(Segment* from, uint64_t record, std::string* header,
                                      SharedBytes* body) {
  const Segment& segment = *from;
  const size_t i = record - segment.header.first_record;
  CHECK(i < segment.offsets.size(), "a segment has all records up to the next one's first", record);
  const uint64_t offset = segment.offsets[i];
  const uint64_t end = i + 1 < segment.offsets.size() ? segment.offsets[i + 1] : segment.end;
  const auto corrupt = [&](const char* why) {
    from->lost.insert(record);
    return Status::Corrupt(fmt::format("{} at offset {}: {}", segment.file.path, offset, why));
  };
  if (segment.lost.contains(record)) return corrupt("found corrupt before");
  std::string bytes(end - offset, '\0');
  for (uint64_t read = 0; read < bytes.size();) {
    ssize_t got = ::pread(segment.file.fd, bytes.data() + read, bytes.size() - read,
                          static_cast<off_t>(offset + read));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return corrupt(got == 0 ? "the file ends there" : std::strerror(errno));
    read += static_cast<uint64_t>(got);
  }
  // Seen from its own start, the record is a file whose base is its position.
  SegmentHeader view = segment.header;
  view.base += offset;
  if (const char* fault = FrameFault(view, bytes, 0)) return corrupt(fault);
  RecordFrame frame = FrameAt(bytes, 0);
  if (frame.number != record) return corrupt("the record there has another number");
  const std::string_view body_view =
      std::string_view(bytes).substr(kFrameBytes + frame.header_size, frame.body_size);
  if (XXH3_64bits(body_view.data(), body_view.size()) != frame.body_checksum) {
    return corrupt("the checksum of the record's body does not hold");
  }
  header->assign(bytes, kFrameBytes, frame.header_size);
  *body = SharedBytes(std::move(bytes)).Slice(kFrameBytes + frame.header_size, frame.body_size);
  return Status::Ok();
}

void SegmentLogOnDisk::Release(RecordNumber record) {
  CHECK(record.value() <= next_, "only what was appended is released", record, next_);
  release_below_ = std::max(release_below_, record);
  // The records that make older ones needless must be on disk first.
  if (unsynced() == 0) ReleaseSegments();
}

void SegmentLogOnDisk::ReleaseSegments() {
  while (segments_.size() > 1 && segments_.front().after_last() <= release_below_.value()) {
    Segment& oldest = segments_.front();
    pool_->Release({.file = std::move(oldest.file),
                    .segment = oldest.header.segment,
                    .reused = oldest.header.segment_bytes == options_.segment_bytes});
    segments_.pop_front();
  }
}

}  // namespace

Result<std::unique_ptr<SegmentLog>> SegmentLog::Open(SegmentLogOptions options,
                                                     const LogReplay& replay,
                                                     RecoveryReport* report) {
  const uint64_t room =
      options.segment_bytes - std::min(options.segment_bytes, kSegmentHeaderBytes);
  if (options.segment_bytes % kPageBytes != 0 || options.segment_bytes > uint64_t{2} << 30 ||
      room < RecordBytes(options.record_bytes_max, 0) + kReserveBytes) {
    return Status::BadRequest(
        fmt::format("segments of {} bytes: expected a multiple of {}, at most 2 GiB, with room for "
                    "a record of {} "
                    "bytes",
                    options.segment_bytes, kPageBytes, options.record_bytes_max));
  }
  if (options.log_bytes_max != 0 && options.log_bytes_max < 3 * options.segment_bytes) {
    return Status::BadRequest(fmt::format(
        "a log limit of {} bytes is too small: expected at least three segments, {} bytes",
        options.log_bytes_max, 3 * options.segment_bytes));
  }
  RETURN_IF_ERROR(core::MakeDirectories(options.dir));
  ASSIGN_OR_RETURN(RecoveredLog recovered,
                   RecoverLog(options.dir, options.segment_bytes, replay, report));
  const std::vector<std::string> free_names = std::move(recovered.free_names);
  const std::string tail_page = std::move(recovered.tail_page);
  auto log = std::make_unique<SegmentLogOnDisk>(std::move(options), std::move(recovered));
  RETURN_IF_ERROR(log->Start(free_names, tail_page));
  return std::unique_ptr<SegmentLog>(std::move(log));
}

}  // namespace homeport::quorum_queue
