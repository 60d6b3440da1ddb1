// Recovery: reads a log's directory at start, tells a torn tail from corruption, and cuts the tail.
//
// Used by segment_log.cc only.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "quorum_queue/record_offsets.h"
#include "quorum_queue/segment_format.h"
#include "quorum_queue/segment_log.h"

namespace homeport::quorum_queue {

struct RecoveredSegment {
  std::string path;
  SegmentHeader header;
  RecordOffsets offsets;       // of each record; of lost ones, where they must have begun
  std::vector<uint64_t> lost;  // numbers of records that cannot be read, ascending
  uint64_t end = 0;            // behind the last record
};

struct RecoveredLog {
  std::vector<RecoveredSegment> segments;  // ascending; empty: a new log
  std::vector<std::string> free_names;
  uint32_t generation = 0;  // highest seen
  uint64_t next_record = 1;
  // Nothing may be appended to the last segment: a torn record in it is the only one that says of
  // a lost one that it was on disk, and stays until the next segment's head says so.
  bool sealed = false;
  std::string tail_page;  // what stands between the last page boundary and the last segment's end
};

// Replays all records and changes nothing.
core::Result<RecoveredLog> ReadLog(const std::string& dir, const LogReplay& replay,
                                   RecoveryReport* report);
// Replays all records, cuts and syncs the tail. The log is as if only these were ever written.
core::Result<RecoveredLog> RecoverLog(const std::string& dir, uint64_t segment_bytes,
                                      const LogReplay& replay, RecoveryReport* report);

}  // namespace homeport::quorum_queue
