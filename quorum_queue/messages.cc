#include "quorum_queue/messages.h"

#include <algorithm>

namespace homeport::quorum_queue {

WriterEpoch EpochAt(const Chain& chain, Seq seq) {
  const auto after = std::upper_bound(chain.begin(), chain.end(), seq,
                                      [](Seq s, const ChainLink& link) { return s < link.start; });
  return after == chain.begin() ? WriterEpoch(0) : std::prev(after)->epoch;
}

WriterEpoch LastEpoch(const Chain& chain) {
  return chain.empty() ? WriterEpoch(0) : chain.back().epoch;
}

bool IsWellFormed(const Chain& chain) {
  ChainLink before;
  for (const ChainLink& link : chain) {
    if (link.epoch <= before.epoch || link.start <= before.start) return false;
    before = link;
  }
  return before.start <= kSeqMax;
}

uint64_t SumOfSizes(const EntryRun& run) {
  uint64_t sum = 0;
  for (const uint32_t size : run.sizes) sum += size;
  return sum;
}

}  // namespace homeport::quorum_queue
