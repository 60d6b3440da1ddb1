// RunBlock: up to a few hundred runs of an EntryIndex, packed: about five bytes a run where batches
// follow one another, instead of the 56 of a RunLocation. Read from the front only.
//
// Pure; not thread safe.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "quorum_queue/run_location.h"

namespace homeport::quorum_queue {

class RunBlock {
 public:
  // REQUIRES: there are runs, ascending, not overlapping.
  explicit RunBlock(std::span<const RunLocation> runs);

  // Gives out the runs one by one.
  class Cursor {
   public:
    explicit Cursor(const RunBlock& block) : at_(block.bytes_.get()), left_(block.count_) {}
    // False at the end.
    bool Next(RunLocation* run);

   private:
    const uint8_t* at_;
    uint32_t left_;
    RunLocation before_{};
  };

  std::vector<RunLocation> Unpack() const;
  uint32_t count() const { return count_; }
  Seq last() const { return last_; }
  uint64_t entries() const { return entries_; }
  RecordNumber lowest_record() const { return lowest_record_; }
  RecordNumber highest_record() const { return highest_record_; }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  uint32_t count_ = 0;
  Seq last_;
  uint64_t entries_ = 0;
  RecordNumber lowest_record_;
  RecordNumber highest_record_;
};

}  // namespace homeport::quorum_queue
