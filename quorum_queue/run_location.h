// RunLocation: where a run of entries stands in a log. Pure; thread safe.
#pragma once

#include <cstdint>

#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

// Entries first .. first+count-1, all of one epoch, in record `record`, whose run begins at
// `record_first`.
struct RunLocation {
  Seq first;
  uint64_t count = 0;
  WriterEpoch epoch;
  RecordNumber record;
  Seq record_first;
  // Of the record's whole run; 0 where nobody asks for bytes().
  uint64_t record_count = 0;
  uint64_t record_bytes = 0;

  bool operator==(const RunLocation&) const = default;
  Seq last() const { return first + (count - 1); }
  // Payload bytes: exact for the whole run, in proportion for a part. Adjacent parts add up
  // exactly.
  uint64_t bytes() const;
};
// The part of `run` within first .. last. REQUIRES: they overlap.
RunLocation Clip(const RunLocation& run, Seq first, Seq last);

}  // namespace homeport::quorum_queue
