// SegmentLog: numbered records on disk, appended in order, found again after a crash.
//
// A directory of segment files of equal size, written ahead (so that an append overwrites and
// fdatasync need not touch the file's metadata) and reused once released. Format: segment_log.cc,
// docs/formats.md.
//
// Append buffers; Sync writes what is buffered and calls fdatasync once. A failed write or
// fdatasync is never retried: Sync ends the process (design section 3), because the state of the
// disk is unknown after it.
//
// One thread, but for the helper thread that prepares segments. Used by replicas and by a region's
// relay log.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/status.h"
#include "core/time.h"
#include "quorum_queue/entry_index.h"
#include "quorum_queue/segment_format.h"

namespace homeport::quorum_queue {

struct SegmentLogOptions {
  std::string dir;
  uint64_t segment_bytes = 64 << 20;
  uint64_t record_bytes_max = 5 << 20;  // header and body
  uint64_t log_bytes_max = 0;           // 0: as much as the disk has
  uint64_t prepared_segments = 2;       // kept ready ahead of the one in use, and one spare
  uint64_t cache_bytes = 32 << 20;      // newest records kept in memory for Load
  core::Duration retry_after = std::chrono::seconds(1);  // when a segment could not be prepared
  // Called when a write or fdatasync fails; must not return. Default: prints the reason and ends
  // the process with code 70.
  std::function<void(const std::string& reason)> on_fatal;
};

// What of a log cannot be read, though it was on disk.
struct LogDamage {
  std::string path;
  uint64_t offset = 0;
  RecordNumber first;      // of the records lost; 0: the segment's head
  RecordNumber last;       // of the records lost
  bool body_only = false;  // frame and header of the one record hold
  std::string what;        // a sentence: file, offset, what is wrong
};

struct RecoveryReport {
  uint64_t records = 0;  // intact ones
  uint64_t bytes = 0;
  uint64_t torn_bytes = 0;           // cut from the tail
  std::vector<std::string> corrupt;  // sentences: file, offset, what is wrong
  std::vector<LogDamage> damage;     // of that, what was passed over

  // No record is left, though there were some: the files with them are missing. Not so in a log of
  // which all may be released.
  bool IsBeheaded(RecordNumber next) const { return records == 0 && next > RecordNumber(1); }
  // Of a log that leaves its reader without a state. It may have no other flaw than that its first
  // files are missing.
  std::string WhyUnknown() const {
    return corrupt.empty() ? "the log begins in the middle, without a checkpoint: files of it are "
                             "missing"
                           : corrupt.back();
  }
};

using ReplayRecord =
    std::function<core::Status(RecordNumber, std::string_view header, uint64_t body_size)>;

// Told of the records that Open finds, in order of their numbers. A function that fails makes Open
// fail.
struct LogReplay {
  ReplayRecord record;
  ReplayRecord without_body = nullptr;  // frame and header hold, the body does not
  // Of first .. last nothing can be read.
  std::function<core::Status(RecordNumber first, RecordNumber last)> lost = nullptr;

  // With a reader that cannot go on without a record: corruption makes Open fail.
  bool bears_losses() const { return without_body != nullptr && lost != nullptr; }
};

// For a scrub.
struct SealedSegment {
  std::string path;  // the file may be released, and used again, at any time
  SegmentHeader header;
  std::vector<uint32_t> offsets;  // of each record
  uint64_t end = 0;
};

class SegmentLog {
 public:
  // Opens or makes the log. A torn tail is cut. A bad record anywhere else is corruption, told in
  // the report's sentences: passed over where `replay` bears losses, else kCorrupt. So is a damaged
  // file as a whole, or one that is missing between two others: always kCorrupt. That the first or
  // the last files are missing is not seen here.
  static core::Result<std::unique_ptr<SegmentLog>> Open(SegmentLogOptions options,
                                                        const LogReplay& replay,
                                                        RecoveryReport* report);
  // With a `replay` that bears no losses.
  static core::Result<std::unique_ptr<SegmentLog>> Open(SegmentLogOptions options,
                                                        const ReplayRecord& replay,
                                                        RecoveryReport* report) {
    return Open(std::move(options), LogReplay{.record = replay}, report);
  }
  virtual ~SegmentLog() = default;

  virtual RecordNumber next() const = 0;
  // True when the current segment has no room for a record of record_bytes_max: call StartSegment
  // now.
  virtual bool NeedsSegment() const = 0;
  // Begins the next segment; syncs first. kIo when there is no space: nothing changed; try again
  // later. Small records (up to 64 KiB) still fit in the reserve of the current one, entries must
  // be refused.
  //
  // When even that reserve is used up, the one spare segment is begun, for small records: ok, but
  // NeedsSegment stays true and entries must still be refused. May wait for the helper thread while
  // that is writing a segment.
  virtual core::Status StartSegment() = 0;
  // Room for a record of `bytes` (header and body) in the current segment.
  virtual bool Fits(uint64_t bytes) const = 0;
  // REQUIRES: Fits(header + body). `body_checksum` is XXH3-64 of body.
  virtual RecordNumber Append(std::string header, core::SharedBytes body,
                              uint64_t body_checksum) = 0;
  // Writes and fdatasyncs all appended. After it every record so far is durable.
  virtual void Sync() = 0;
  // Header and body of a record: from memory, or from disk with checksums verified: kCorrupt when
  // they do not hold, and from then on. REQUIRES: the record exists and is not released.
  virtual core::Status Load(RecordNumber record, std::string* header, core::SharedBytes* body) = 0;
  // Reads a record that a scrub found bad again from disk: kCorrupt when it is, and was not found
  // before; ok when it is released, too.
  virtual core::Status Recheck(RecordNumber record) = 0;
  // The first sealed segment numbered `from` or more: one that is not written to any more.
  virtual std::optional<SealedSegment> Sealed(uint64_t from) const = 0;
  // Records below `record` are not needed: their whole segments are reused, once all records
  // appended so far are on disk.
  virtual void Release(RecordNumber record) = 0;
  virtual uint64_t bytes() const = 0;  // on disk, in segments not released
};

}  // namespace homeport::quorum_queue
