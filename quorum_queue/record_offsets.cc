#include "quorum_queue/record_offsets.h"

#include "core/check.h"

namespace homeport::quorum_queue {
namespace {

constexpr size_t kGroup = 64;

uint32_t Get(const std::vector<uint8_t>& bytes, uint32_t* at) {
  uint32_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = bytes[(*at)++];
    value |= static_cast<uint32_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
}

}  // namespace

void RecordOffsets::Add(uint32_t offset) {
  CHECK(offset % 8 == 0 && offset >= last_, "records are in order, and aligned", offset, last_);
  if (count_ % kGroup == 0) {
    anchors_.push_back({offset, static_cast<uint32_t>(distances_.size())});
  } else {
    uint32_t distance = (offset - last_) / 8;
    for (; distance >= 0x80; distance >>= 7) {
      distances_.push_back(static_cast<uint8_t>(distance | 0x80));
    }
    distances_.push_back(static_cast<uint8_t>(distance));
  }
  last_ = offset;
  ++count_;
}

uint32_t RecordOffsets::operator[](size_t i) const {
  CHECK(i < count_, "there is such a record", i, count_);
  const Anchor& anchor = anchors_[i / kGroup];
  uint32_t offset = anchor.offset;
  uint32_t at = anchor.at;
  for (size_t n = i % kGroup; n > 0; --n) offset += 8 * Get(distances_, &at);
  return offset;
}

std::vector<uint32_t> RecordOffsets::All() const {
  std::vector<uint32_t> all;
  all.reserve(count_);
  uint32_t at = 0;
  for (size_t i = 0; i < count_; ++i) {
    all.push_back(i % kGroup == 0 ? anchors_[i / kGroup].offset
                                  : all.back() + 8 * Get(distances_, &at));
  }
  return all;
}

void RecordOffsets::Seal() {
  anchors_.shrink_to_fit();
  distances_.shrink_to_fit();
}

}  // namespace homeport::quorum_queue
