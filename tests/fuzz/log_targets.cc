// The segment log: records' headers, segments as bytes, and recovery of a whole directory.
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <variant>

#include "core/check.h"
#include "core/codec.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/segment_format.h"
#include "quorum_queue/segment_recovery.h"
#include "tests/fuzz/target.h"

namespace homeport::fuzz {

using namespace quorum_queue;  // NOLINT: every record

namespace {

namespace fs = std::filesystem;

const core::StreamId kStream(core::Incarnation(1), core::ShardId(3));
const WriterEpoch kEpoch(uint64_t{5} << 24 | 77);

// ---- the header of a record; the body's size is the first four bytes

void RunLogRecord(std::string_view bytes) {
  if (bytes.size() < 4) return;
  uint64_t body_size = 0;
  for (int i = 0; i < 4; ++i) body_size |= uint64_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  const auto record = DecodeLogRecord(bytes.substr(4), body_size);
  if (!record.ok()) return;
  const std::string encoded = std::visit([](const auto& r) { return EncodeLogRecord(r); }, *record);
  const auto again = DecodeLogRecord(encoded, body_size);
  CHECK(again.ok(), "what we encode we decode", again.status());
  const std::string twice = std::visit([](const auto& r) { return EncodeLogRecord(r); }, *again);
  CHECK(twice == encoded, "a record comes back as it was");
}

std::string WithBodySize(uint32_t size, const std::string& header) {
  std::string bytes;
  for (int shift : {0, 8, 16, 24}) bytes.push_back(static_cast<char>(size >> shift));
  return bytes + header;
}

EntryRun SampleRun() {
  EntryRun run;
  run.first = Seq(8);
  run.epoch = kEpoch;
  run.sizes = {1, 0, 2};
  run.body = core::SharedBytes("abc");
  run.checksum = BodyChecksum("abc");
  return run;
}

std::vector<std::string> LogRecordSeeds() {
  const Chain chain = {{WriterEpoch(9), Seq(1)}, {kEpoch, Seq(8)}};
  return {
      WithBodySize(0, EncodeLogRecord(Fence{kStream, kEpoch})),
      WithBodySize(3, EncodeLogRecord(Fill{kStream, kEpoch, SampleRun()})),
      WithBodySize(3, EncodeLogRecord(Append{kStream, kEpoch, chain, SampleRun(), Seq(7), Seq(2)})),
      WithBodySize(0, EncodeLogRecord(Append{kStream, kEpoch, {}, {}, Seq(9), Seq(2)})),
      WithBodySize(0, EncodeLogRecord(Trim{kStream, Seq(4)})),
      WithBodySize(0, EncodeLogRecord(Checkpoint{{{kStream, kEpoch, chain, Seq(9), Seq(2)}}})),
      WithBodySize(3, EncodeLogRecord(Relay{kStream, SampleRun()}))};
}

// ---- a log's directory. Its one segment is well made, then spoiled as the input says: three bytes
// per change (offset, what to XOR with), after one that says how many records there are and one
// that says where the file ends.

constexpr uint64_t kSegmentBytes = 4 * kPageBytes;

std::string BodyOf(uint64_t record) {
  return std::string(record * 37 % 600, static_cast<char>('a' + record));
}

std::string MakeSegment(uint64_t records) {
  SegmentHeader header;
  header.generation = 1;
  header.log_id = 42;
  header.segment = 1;
  header.base = kPageBytes;
  header.first_record = 1;
  header.segment_bytes = kSegmentBytes;
  std::string file = EncodeSegmentHeader(header);
  const std::string record_header = EncodeLogRecord(Trim{kStream, Seq(0)});
  for (uint64_t number = 1; number <= records; ++number) {
    const std::string body = BodyOf(number);
    RecordFrame frame;
    frame.position = header.base + file.size();
    frame.synced = frame.position;  // all before it
    frame.number = number;
    frame.generation = 1;
    frame.header_size = static_cast<uint32_t>(record_header.size());
    frame.body_size = body.size();
    frame.body_checksum = BodyChecksum(body);
    if (file.size() + RecordBytes(frame.header_size, frame.body_size) > kSegmentBytes) break;
    file += EncodeFrame(header.log_id, frame, record_header) + body;
    file.resize(AlignUp(file.size(), 8));
  }
  file.resize(kSegmentBytes);
  return file;
}

std::string SpoiledSegment(std::string_view bytes) {
  std::string file = MakeSegment(bytes.empty() ? 0 : static_cast<uint8_t>(bytes[0]) % 32);
  for (size_t i = 2; i + 3 <= bytes.size(); i += 3) {
    const size_t at = static_cast<uint8_t>(bytes[i]) | static_cast<uint8_t>(bytes[i + 1]) << 8;
    file[at % file.size()] ^= bytes[i + 2];
  }
  if (bytes.size() > 1) file.resize(file.size() - static_cast<uint8_t>(bytes[1]) * 16);
  return file;
}

using Records = std::map<RecordNumber, std::pair<std::string, uint64_t>>;

core::Result<RecoveredLog> Recover(const std::string& dir, Records* records) {
  LogReplay replay;
  replay.record = [&](RecordNumber number, std::string_view header, uint64_t body_size) {
    CHECK(records->empty() || records->rbegin()->first < number, "records ascend", number);
    (*records)[number] = {std::string(header), body_size};
    return core::Status::Ok();
  };
  replay.without_body = [](RecordNumber, std::string_view, uint64_t) { return core::Status::Ok(); };
  replay.lost = [](RecordNumber first, RecordNumber last) {
    CHECK(first <= last, "what is lost is a range", first, last);
    return core::Status::Ok();
  };
  RecoveryReport report;
  return RecoverLog(dir, kSegmentBytes, replay, &report);
}

void RunRecovery(std::string_view bytes) {
  static const std::string dir = [] {
    std::string pattern = fs::temp_directory_path() / "homeport-fuzz-XXXXXX";
    CHECK(::mkdtemp(pattern.data()) != nullptr, "a place to write to");
    static const std::string made = pattern;
    std::atexit([] { fs::remove_all(made); });
    return pattern;
  }();
  for (const auto& file : fs::directory_iterator(dir)) fs::remove(file);
  std::ofstream(dir + "/" + SegmentName(1), std::ios::binary) << SpoiledSegment(bytes);
  Records first;
  const auto recovered = Recover(dir, &first);
  if (!recovered.ok()) return;
  const std::string header = EncodeLogRecord(Trim{kStream, Seq(0)});
  for (const auto& [number, record] : first) {
    CHECK(record.first == header && record.second == BodyOf(number.value()).size(),
          "what is replayed was written", number);
  }
  Records second;
  const auto again = Recover(dir, &second);
  CHECK(again.ok(), "what was recovered once is recovered again", again.status());
  CHECK(second == first, "recovery ends where it ended before", first.size(), second.size());
  CHECK(again->next_record == recovered->next_record, "the next record stays", again->next_record,
        recovered->next_record);
}

std::vector<std::string> RecoverySeeds() {
  return {std::string("\x05\x00", 2), std::string("\x08\x00\x10\x11\x01", 5),
          std::string("\x1f\x40", 2), std::string("\x08\x00\x08\x00\xff", 5)};
}

// ---- segments as bytes

void RunSegment(std::string_view bytes) {
  const auto header = DecodeSegmentHeader(bytes);
  SegmentHeader segment;
  if (header.ok()) {
    segment = *header;
    const std::string encoded = EncodeSegmentHeader(*header);
    const auto again = DecodeSegmentHeader(encoded);
    CHECK(again.ok() && EncodeSegmentHeader(*again) == encoded,
          "a segment's header comes back as it was");
  }
  for (uint64_t offset = 0; offset + 8 <= bytes.size() && offset < 16 * kPageBytes; offset += 8) {
    if (FrameFault(segment, bytes, offset) != nullptr) continue;
    const RecordFrame frame = FrameAt(bytes, offset);
    CHECK(offset + kFrameBytes + frame.header_size <= bytes.size(), "a record lies in its file");
    (void)DecodeLogRecord(bytes.substr(offset + kFrameBytes, frame.header_size), frame.body_size);
  }
}

std::vector<std::string> SegmentSeeds() {
  return {MakeSegment(3).substr(0, kPageBytes + 1024), MakeSegment(0).substr(0, kPageBytes)};
}

}  // namespace

std::vector<FuzzTarget> LogTargets() {
  return {{"log_record", RunLogRecord, LogRecordSeeds},
          {"log_recovery", RunRecovery, RecoverySeeds},
          {"segment", RunSegment, SegmentSeeds}};
}

}  // namespace homeport::fuzz
