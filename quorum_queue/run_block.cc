// A run is told by how it differs from what is expected after the one before it: the next seq, the
// same epoch, the next record, all of that record's entries, as many and as many bytes as before.
//
//   run   := flags:u8 field*     a field for each flag, in the order of the flags
//   field := varint; differences that may be negative are zigzag coded
#include "quorum_queue/run_block.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "core/check.h"

namespace homeport::quorum_queue {
namespace {

enum Flag : uint8_t {
  kGap = 1,           // seqs between the run before and this one
  kCount = 2,         // entries, less those of the run before
  kEpoch = 4,         // less that of the run before
  kRecord = 8,        // less that expected
  kRecordFirst = 16,  // first seq, less the first of the record
  kRecordCount = 32,  // of the record, less those of the run
  kRecordBytes = 64,  // less those of the run before
};

uint64_t ZigZag(uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
uint64_t UnZigZag(uint64_t coded) {
  return (coded >> 1) ^ (0 - (coded & 1));
}

void Put(std::string* out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) out->push_back(static_cast<char>(value | 0x80));
  out->push_back(static_cast<char>(value));
}
uint64_t Get(const uint8_t** at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = *(*at)++;
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

// Expected after `before`; of the first run of a block, after RunLocation{}.
Seq NextSeq(const RunLocation& before) {
  return before.first + before.count;
}

void Encode(const RunLocation& run, const RunLocation& before, std::string* out) {
  const uint64_t fields[] = {
      run.first - NextSeq(before),
      ZigZag(run.count - before.count),
      ZigZag(run.epoch.value() - before.epoch.value()),
      ZigZag(run.record.value() - before.record.value() - 1),
      ZigZag(run.first.value() - run.record_first.value()),
      ZigZag(run.record_count - run.count),
      ZigZag(run.record_bytes - before.record_bytes),
  };
  const size_t flags_at = out->size();
  out->push_back('\0');
  uint8_t flags = 0;
  for (size_t i = 0; i < std::size(fields); ++i) {
    if (fields[i] == 0) continue;
    flags |= static_cast<uint8_t>(1 << i);
    Put(out, fields[i]);
  }
  (*out)[flags_at] = static_cast<char>(flags);
}

}  // namespace

RunBlock::RunBlock(std::span<const RunLocation> runs) : count_(static_cast<uint32_t>(runs.size())) {
  CHECK(!runs.empty(), "a block has runs");
  std::string bytes;
  RunLocation before{};
  lowest_record_ = highest_record_ = runs.front().record;
  for (const RunLocation& run : runs) {
    Encode(run, before, &bytes);
    before = run;
    entries_ += run.count;
    lowest_record_ = std::min(lowest_record_, run.record);
    highest_record_ = std::max(highest_record_, run.record);
  }
  last_ = runs.back().last();
  bytes_ = std::make_unique_for_overwrite<uint8_t[]>(bytes.size());
  std::memcpy(bytes_.get(), bytes.data(), bytes.size());
}

bool RunBlock::Cursor::Next(RunLocation* run) {
  if (left_ == 0) return false;
  --left_;
  const uint8_t flags = *at_++;
  const auto field = [&](Flag flag) { return (flags & flag) != 0 ? Get(&at_) : 0; };
  run->first = NextSeq(before_) + field(kGap);
  run->count = before_.count + UnZigZag(field(kCount));
  run->epoch = WriterEpoch(before_.epoch.value() + UnZigZag(field(kEpoch)));
  run->record = RecordNumber(before_.record.value() + 1 + UnZigZag(field(kRecord)));
  run->record_first = Seq(run->first.value() - UnZigZag(field(kRecordFirst)));
  run->record_count = run->count + UnZigZag(field(kRecordCount));
  run->record_bytes = before_.record_bytes + UnZigZag(field(kRecordBytes));
  before_ = *run;
  return true;
}

std::vector<RunLocation> RunBlock::Unpack() const {
  std::vector<RunLocation> runs(count_);
  Cursor cursor(*this);
  for (RunLocation& run : runs) cursor.Next(&run);
  return runs;
}

}  // namespace homeport::quorum_queue
