// SegmentScrubber: reads a log's sealed segments again and again, at a bounded rate, to find what
// the disk has lost while there are still copies elsewhere.
//
//   owner: Poll --(a sealed segment)--> thread: reads it past the page cache, checks each record
//   owner: Poll <--(suspects)--         owner: reads those again itself, if they are still there
//
// The thread reads through a file descriptor of its own and takes no part in the log, so that a
// slow disk never makes an append wait for it; a segment that was released meanwhile, and is
// written over, looks damaged to it. Therefore what it finds are suspects only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "core/time.h"
#include "quorum_queue/segment_log.h"

namespace homeport::quorum_queue {

struct SegmentScrubberOptions {
  uint64_t bytes_per_s = 8 << 20;                      // 0: never
  core::Duration pass_every = std::chrono::hours(24);  // from begin to begin
};

class SegmentScrubber {
 public:
  struct Stats {
    uint64_t bytes = 0;   // read again
    uint64_t passes = 0;  // whole ones, over all that was sealed
  };

  explicit SegmentScrubber(SegmentScrubberOptions options);
  ~SegmentScrubber();
  SegmentScrubber(const SegmentScrubber&) = delete;
  SegmentScrubber& operator=(const SegmentScrubber&) = delete;

  // Gives the thread its next segment and takes what it found. Returns records that are lost and
  // were not known to be. Cheap when there is nothing to do. By the log's thread.
  std::vector<RecordNumber> Poll(core::Instant now, SegmentLog* log);
  Stats stats() const;

 private:
  void Run();
  std::vector<uint64_t> Check(const SealedSegment& segment);
  // False: stop.
  bool Pace(uint64_t bytes);

  const SegmentScrubberOptions options_;

  // The owner's.
  uint64_t next_segment_ = 0;  // of this pass
  std::optional<core::Instant> pass_began_;
  bool pass_ended_ = true;
  uint64_t passes_ = 0;

  std::atomic<bool> idle_ = true;  // no work, no result that was not taken
  std::atomic<bool> has_result_ = false;
  std::atomic<uint64_t> bytes_ = 0;
  core::Instant next_read_;  // the thread's

  std::mutex mutex_;
  std::condition_variable wake_;
  // Guarded by mutex_:
  std::optional<SealedSegment> work_;
  std::vector<uint64_t> suspects_;
  bool stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace homeport::quorum_queue
