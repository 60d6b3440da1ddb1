// AnswerQueue: answers that wait until the records they reflect are on disk.
//
// Pure; not thread safe. Of a replica; design section 3, "An answer ... leaves once all that it
// reflects is on disk".
#pragma once

#include <deque>
#include <vector>

#include "quorum_queue/replica.h"

namespace homeport::quorum_queue {

class AnswerQueue {
 public:
  // REQUIRES: `awaits` >= that of the answers before.
  void Add(RecordNumber awaits, AnswerEffect answer);
  // Gives out, in order, the answers that await no record above `persisted`. What says the same
  // about adjacent entries becomes one Stored; of the answers to one Fence, sent again and again
  // for the same page, the last goes.
  void Take(RecordNumber persisted, std::vector<ReplicaEffect>* effects);
  size_t size() const { return waiting_.size(); }

 private:
  struct Waiting {
    RecordNumber awaits;
    AnswerEffect answer;
  };
  std::deque<Waiting> waiting_;  // `awaits` ascending
};

}  // namespace homeport::quorum_queue
