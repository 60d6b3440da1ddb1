#include "quorum_queue/batch_log.h"

#include <algorithm>

#include "core/check.h"

namespace homeport::quorum_queue {

Batch MakeBatch(Batch::Kind kind, EntryRun run, ReplicaSet stored) {
  CHECK(!run.empty(), "a batch has entries");
  Batch batch;
  batch.kind = kind;
  batch.cost = run.body.size() + kEntryOverheadBytes * run.count();
  batch.run = std::move(run);
  batch.stored = stored;
  return batch;
}

const Batch& BatchLog::at(uint64_t number) const {
  CHECK(number >= begin_ && number < end(), "the batch is in the log", number, begin_, end());
  return batches_[number - begin_];
}

uint64_t BatchLog::FirstFrom(Seq seq) const {
  const auto found =
      std::lower_bound(batches_.begin(), batches_.end(), seq,
                       [](const Batch& batch, Seq s) { return batch.run.first < s; });
  return begin_ + static_cast<uint64_t>(found - batches_.begin());
}

void BatchLog::Add(Batch batch) {
  CHECK(batches_.empty() || batch.run.first == batches_.back().run.last() + 1,
        "batches are contiguous", batch.run.first);
  batches_.push_back(std::move(batch));
}

void BatchLog::MarkStored(uint64_t number, ReplicaSet by) {
  CHECK(number >= begin_ && number < end(), "the batch is in the log", number, begin_, end());
  batches_[number - begin_].stored |= by;
}

const Batch& BatchLog::Commit(size_t home) {
  at(first_uncommitted_);
  Batch& batch = batches_[first_uncommitted_ - begin_];
  batch.home = home;
  committed_bytes_ += batch.cost;
  ++first_uncommitted_;
  return batch;
}

void BatchLog::DropFront() {
  CHECK(begin_ < first_uncommitted_, "only what is committed is dropped", begin_);
  committed_bytes_ -= batches_.front().cost;
  batches_.pop_front();
  ++begin_;
}

}  // namespace homeport::quorum_queue
