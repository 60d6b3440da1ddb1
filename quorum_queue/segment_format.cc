#include "quorum_queue/segment_format.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <charconv>
#include <cstring>

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

constexpr char kMagic[8] = {'H', 'P', 'S', 'E', 'G', '0', '0', '1'};

struct RawSegmentHeader {
  char magic[8];
  uint32_t version;
  uint32_t generation;
  uint64_t log_id;
  uint64_t segment;
  uint64_t base;
  uint64_t first_record;
  uint64_t segment_bytes;
  uint64_t checksum;  // XXH3-64 of all above
};
static_assert(sizeof(RawSegmentHeader) == 64);

uint64_t ChecksumOf(const RawSegmentHeader& raw) {
  return XXH3_64bits(&raw, offsetof(RawSegmentHeader, checksum));
}

}  // namespace

uint64_t FrameChecksum(uint64_t log_id, std::string_view frame_and_header) {
  return XXH3_64bits_withSeed(frame_and_header.data() + 8, frame_and_header.size() - 8, log_id);
}

std::string EncodeFrame(uint64_t log_id, RecordFrame frame, std::string_view header) {
  std::string out;
  out.reserve(kFrameBytes + header.size());
  out.append(reinterpret_cast<const char*>(&frame), kFrameBytes);
  out.append(header);
  uint64_t checksum = FrameChecksum(log_id, out);
  std::memcpy(out.data(), &checksum, sizeof checksum);
  return out;
}

RecordFrame FrameAt(std::string_view bytes, uint64_t offset) {
  CHECK(offset + kFrameBytes <= bytes.size(), "a frame lies within its file", offset, bytes.size());
  RecordFrame frame;
  std::memcpy(&frame, bytes.data() + offset, kFrameBytes);
  return frame;
}

const char* FrameFault(const SegmentHeader& segment, std::string_view file, uint64_t offset) {
  if (offset + kFrameBytes > file.size()) return "the segment ends there";
  RecordFrame frame = FrameAt(file, offset);
  if (frame.position != segment.base + offset) return "no record stands there";
  uint64_t room = file.size() - offset - kFrameBytes;
  if (frame.header_size > room || frame.body_size > room - frame.header_size) {
    return "the record's size does not fit the segment";
  }
  std::string_view bytes = file.substr(offset, kFrameBytes + frame.header_size);
  if (FrameChecksum(segment.log_id, bytes) != frame.checksum) {
    return "the checksum of the record's frame and header does not hold";
  }
  return nullptr;
}

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  RawSegmentHeader raw{};
  std::memcpy(raw.magic, kMagic, sizeof kMagic);
  raw.version = kSegmentVersion;
  raw.generation = header.generation;
  raw.log_id = header.log_id;
  raw.segment = header.segment;
  raw.base = header.base;
  raw.first_record = header.first_record;
  raw.segment_bytes = header.segment_bytes;
  raw.checksum = ChecksumOf(raw);
  std::string out(kSegmentHeaderBytes, '\0');
  std::memcpy(out.data(), &raw, sizeof raw);
  return out;
}

Result<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return Status::Corrupt("it is too short for its header");
  RawSegmentHeader raw;
  std::memcpy(&raw, bytes.data(), sizeof raw);
  if (std::memcmp(raw.magic, kMagic, sizeof kMagic) != 0) {
    return Status::Corrupt("it does not begin with HPSEG001");
  }
  if (raw.checksum != ChecksumOf(raw)) {
    return Status::Corrupt("the checksum of its header does not hold");
  }
  if (raw.version != kSegmentVersion) {
    return Status::Corrupt(fmt::format("it has format {}; this program reads format {}",
                                       raw.version, kSegmentVersion));
  }
  SegmentHeader header;
  header.generation = raw.generation;
  header.log_id = raw.log_id;
  header.segment = raw.segment;
  header.base = raw.base;
  header.first_record = raw.first_record;
  header.segment_bytes = raw.segment_bytes;
  return header;
}

std::string SegmentName(uint64_t number) {
  return fmt::format("segment-{:016x}", number);
}
std::string FirstName(uint64_t segment) {
  return fmt::format("first-{:016x}", segment);
}

std::string FreeName(uint64_t id) {
  return fmt::format("free-{:016x}", id);
}

std::optional<uint64_t> NumberInName(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix) || name.size() != prefix.size() + 16) return std::nullopt;
  uint64_t number = 0;
  const char* end = name.data() + name.size();
  auto parsed = std::from_chars(name.data() + prefix.size(), end, number, 16);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

}  // namespace homeport::quorum_queue
