// RecordOffsets: where the records of a segment begin, in one to three bytes each: the distance to
// the one before, and every so often the offset itself.
//
// Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace homeport::quorum_queue {

class RecordOffsets {
 public:
  // REQUIRES: a multiple of 8, not below the one before.
  void Add(uint32_t offset);
  uint32_t operator[](size_t i) const;  // REQUIRES: i < size()
  size_t size() const { return count_; }
  bool empty() const { return count_ == 0; }
  std::vector<uint32_t> All() const;
  // Nothing will be added: gives back what was taken for more.
  void Seal();

 private:
  struct Anchor {
    uint32_t offset;  // of the first record of its group
    uint32_t at;      // in distances_, of the second
  };
  std::vector<Anchor> anchors_;
  std::vector<uint8_t> distances_;  // varints, in units of 8 bytes
  size_t count_ = 0;
  uint32_t last_ = 0;
};

}  // namespace homeport::quorum_queue
