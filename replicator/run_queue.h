// RunQueue: runs of consecutive entries of one stream that wait to be applied one by one. No
// copies.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "quorum_queue/messages.h"

namespace homeport::replicator {

class RunQueue {
 public:
  // `token`: whatever the owner must know of the run when it comes to the front. REQUIRES: the run
  // follows the last one and is not empty.
  void Push(uint64_t token, quorum_queue::EntryRun run) {
    CHECK(!run.empty(), "an empty run is no run", run.first);
    CHECK(runs_.empty() || run.first == runs_.back().run.last() + 1,
          "runs follow one another without a gap", run.first);
    bytes_ += Cost(run);
    runs_.push_back({token, std::move(run)});
  }
  bool empty() const { return runs_.empty(); }
  // What the waiting runs take in memory, about.
  uint64_t bytes() const { return bytes_; }
  // The front entry. REQUIRES: not empty.
  uint64_t token() const { return runs_.front().token; }
  quorum_queue::Seq seq() const { return runs_.front().run.first + index_; }
  std::string_view payload() const {
    const quorum_queue::EntryRun& run = runs_.front().run;
    return run.body.view().substr(offset_, run.sizes[index_]);
  }
  void Pop() {
    const quorum_queue::EntryRun& run = runs_.front().run;
    offset_ += run.sizes[index_];
    if (++index_ < run.count()) return;
    bytes_ -= Cost(run);
    runs_.pop_front();
    index_ = 0;
    offset_ = 0;
  }

 private:
  struct Waiting {
    uint64_t token;
    quorum_queue::EntryRun run;
  };
  static uint64_t Cost(const quorum_queue::EntryRun& run) {
    return run.body.size() + run.count() * sizeof(uint32_t) + sizeof(Waiting);
  }
  std::deque<Waiting> runs_;
  // Place in the front run.
  uint64_t index_ = 0;
  uint64_t offset_ = 0;
  uint64_t bytes_ = 0;
};

}  // namespace homeport::replicator
