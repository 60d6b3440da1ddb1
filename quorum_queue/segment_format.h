// Segment files as bytes: the frame of a record and the header of a segment. The grammar stands at
// the top of segment_log.cc.
//
// Pure; thread safe.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/status.h"

namespace homeport::quorum_queue {

static_assert(std::endian::native == std::endian::little,
              "the log is written as it stands in memory");

// Files are written in whole pages, so that an append never makes the kernel read one first.
inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kSegmentHeaderBytes = kPageBytes;
inline constexpr uint32_t kSegmentVersion = 1;

struct RecordFrame {
  uint64_t checksum = 0;  // FrameChecksum of what follows, header included
  uint64_t position = 0;  // log position of this frame: segment's base + offset in its file
  uint64_t synced = 0;    // the log was on disk up to this position when the record was made
  uint64_t number = 0;
  uint32_t generation = 0;  // of the Open that wrote it
  uint32_t header_size = 0;
  uint64_t body_size = 0;
  uint64_t body_checksum = 0;  // XXH3-64
};
inline constexpr uint64_t kFrameBytes = 56;
static_assert(sizeof(RecordFrame) == kFrameBytes);

struct SegmentHeader {
  uint32_t generation = 0;  // of the Open that began it
  uint64_t log_id = 0;      // random, the same in all segments of a log; seeds the frame checksums
  uint64_t segment = 0;     // number, 1, 2, 3 ...
  uint64_t base = 0;        // log position of the file's first byte
  uint64_t first_record = 0;  // number its first record has; all before it are on disk
  uint64_t segment_bytes = 0;
};

constexpr uint64_t AlignUp(uint64_t n, uint64_t unit) {
  return (n + unit - 1) / unit * unit;
}
// What a record takes in a segment.
constexpr uint64_t RecordBytes(uint64_t header_size, uint64_t body_size) {
  return AlignUp(kFrameBytes + header_size + body_size, 8);
}

// XXH3-64 of `frame_and_header` without its first 8 bytes, seeded with the log's id, so that no
// payload can pass for a record.
uint64_t FrameChecksum(uint64_t log_id, std::string_view frame_and_header);

// Frame and header as they go to disk; fills in the checksum.
std::string EncodeFrame(uint64_t log_id, RecordFrame frame, std::string_view header);
RecordFrame FrameAt(std::string_view bytes,
                    uint64_t offset);  // REQUIRES: offset + kFrameBytes <= size
// Why the record at `offset` is not one, or nullptr. Looks at sizes, position and frame checksum,
// not the body.
const char* FrameFault(const SegmentHeader& segment, std::string_view file, uint64_t offset);

std::string EncodeSegmentHeader(const SegmentHeader& header);  // kSegmentHeaderBytes
core::Result<SegmentHeader> DecodeSegmentHeader(std::string_view bytes);

std::string SegmentName(uint64_t number);
std::string FreeName(uint64_t id);
std::string FirstName(uint64_t segment);  // of the mark: no segment below it is in the log
// Number in a name with that prefix and 16 hex digits.
std::optional<uint64_t> NumberInName(std::string_view name, std::string_view prefix);

}  // namespace homeport::quorum_queue
