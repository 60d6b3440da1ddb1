// SegmentPool: segment files ready to be written, made ahead by a helper thread.
//
// A file is ready when its blocks are really written (zeros, or what an earlier use left) and
// synced: from then on an append overwrites, and fdatasync need not touch the file system's
// journal.
//
//   preparing --(zeros, fdatasync)--> free-N, ready --(Take)--> in use --(Release)--> free-N, ready
//
// Invariants:
//  (1) what waits in `ready` has a durable name free-N
//  (2) the last ready file is given out only to callers that may take the spare
//  (3) files never outnumber files_max (when set)
//
// One owner thread, one helper thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/status.h"

namespace homeport::quorum_queue {

struct SegmentPoolOptions {
  std::string dir;
  uint64_t segment_bytes = 0;
  uint64_t files_max = 0;                       // used, ready and being made; 0: no limit
  uint64_t ready_target = 3;                    // the spare included
  std::chrono::milliseconds retry_after{1000};  // after a failure to make a file
};

// FirstMark: the empty file first-M in a log's directory, which says that the segments below M were
// released and M was not. A segment that is missing at a start, and was not released, is noticed by
// it (segment_recovery.cc). A rename needs no space, so the mark moves on a full disk too.
class FirstMark {
 public:
  // Makes the mark where there is none (a new log, or one of before there were marks).
  static core::Result<FirstMark> Open(std::string dir, uint64_t first);
  // Durable when it returns.
  core::Status MoveTo(uint64_t segment);

 private:
  FirstMark(std::string dir, uint64_t first) : dir_(std::move(dir)), first_(first) {}
  std::string dir_;
  uint64_t first_;
};

struct SegmentFile {
  std::string path;
  int fd = -1;
};

// A segment that is not needed any more.
struct ReleasedSegment {
  SegmentFile file;
  uint64_t segment = 0;  // its number
  bool reused = true;    // else the file is removed
};

class SegmentPool {
 public:
  // `free_names`: free files found in dir. `used`: number of segments in use.
  SegmentPool(SegmentPoolOptions options, FirstMark mark,
              const std::vector<std::string>& free_names, uint64_t used);
  ~SegmentPool();
  SegmentPool(const SegmentPool&) = delete;
  SegmentPool& operator=(const SegmentPool&) = delete;

  // A ready file, which leaves the pool. Waits while the helper is making one; kIo when there is
  // none and none can be made now.
  core::Result<SegmentFile> Take(bool may_take_spare);
  // A used segment comes back; the helper renames or removes it. REQUIRES: ascending numbers.
  void Release(ReleasedSegment released);
  bool HasReady();

 private:
  void Run();
  void Recycle(ReleasedSegment released);
  core::Result<SegmentFile> MakeFile();
  core::Status WriteZeros(int fd);
  bool MayMake() const { return options_.files_max == 0 || files_ < options_.files_max; }

  const SegmentPoolOptions options_;
  FirstMark mark_;  // of the helper
  std::mutex mutex_;
  std::condition_variable wake_helper_;
  std::condition_variable wake_owner_;
  // Guarded by mutex_:
  std::deque<SegmentFile> ready_;
  std::deque<ReleasedSegment> released_;
  uint64_t files_ = 0;
  uint64_t next_free_id_ = 1;
  bool busy_ = false;    // the helper is making or renaming a file
  bool urgent_ = false;  // the owner waits
  bool stop_ = false;
  std::string failure_;  // why the last attempt to make a file failed
  std::thread helper_;   // last: it uses all of the above
};

}  // namespace homeport::quorum_queue
