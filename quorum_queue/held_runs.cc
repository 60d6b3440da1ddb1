#include "quorum_queue/held_runs.h"

#include <algorithm>

namespace homeport::quorum_queue {
namespace {

// REQUIRES: first .. last lies within the run.
RunInfo Part(const RunInfo& run, Seq first, Seq last) {
  const auto bytes_below = [&](uint64_t entries) {
    return static_cast<uint64_t>(static_cast<unsigned __int128>(run.bytes) * entries / run.count);
  };
  const uint64_t begin = first - run.first;
  const uint64_t end = last - run.first + 1;
  return {first, end - begin, run.epoch, bytes_below(end) - bytes_below(begin)};
}

// Adds at the end, joined with the last run where it goes on.
void Push(HeldRuns* runs, const RunInfo& run) {
  if (!runs->empty() && runs->back().epoch == run.epoch && runs->back().last() + 1 == run.first) {
    runs->back().count += run.count;
    runs->back().bytes += run.bytes;
  } else {
    runs->push_back(run);
  }
}

// The parts of `a` at whose seqs `b` has nothing (of the same epoch, if `same_epoch`).
HeldRuns Minus(const HeldRuns& a, const HeldRuns& b, bool same_epoch) {
  HeldRuns rest;
  auto other = b.begin();
  for (const RunInfo& run : a) {
    Seq at = run.first;  // all of the run below it is dealt with
    while (other != b.end() && other->last() < at) ++other;
    for (auto it = other; it != b.end() && it->first <= run.last(); ++it) {
      if (same_epoch && it->epoch != run.epoch) continue;
      if (it->first > at) Push(&rest, Part(run, at, it->first - 1));
      at = std::max(at, it->last() + 1);
      if (at > run.last()) break;
    }
    if (at <= run.last()) Push(&rest, Part(run, at, run.last()));
  }
  return rest;
}

}  // namespace

HeldRuns Within(const HeldRuns& runs, Seq first, Seq last) {
  HeldRuns within;
  if (first > last) return within;
  for (const RunInfo& run : runs) {
    if (run.last() < first) continue;
    if (run.first > last) break;
    within.push_back(Part(run, std::max(run.first, first), std::min(run.last(), last)));
  }
  return within;
}

HeldRuns Union(const HeldRuns& a, const HeldRuns& b) {
  const HeldRuns more = Minus(b, a, false);
  HeldRuns sorted;
  sorted.reserve(a.size() + more.size());
  std::merge(a.begin(), a.end(), more.begin(), more.end(), std::back_inserter(sorted),
             [](const RunInfo& x, const RunInfo& y) { return x.first < y.first; });
  HeldRuns all;
  for (const RunInfo& run : sorted) Push(&all, run);
  return all;
}

HeldRuns Without(const HeldRuns& a, const HeldRuns& b) {
  return Minus(a, b, true);
}

HeldRuns Common(const HeldRuns& a, const HeldRuns& b) {
  return Without(a, Without(a, b));
}

uint64_t CountOf(const HeldRuns& runs) {
  uint64_t count = 0;
  for (const RunInfo& run : runs) count += run.count;
  return count;
}

uint64_t BytesOf(const HeldRuns& runs) {
  uint64_t bytes = 0;
  for (const RunInfo& run : runs) bytes += run.bytes;
  return bytes;
}

uint64_t CountMissing(const HeldRuns& runs, Seq first, Seq last) {
  if (first > last) return 0;
  return last - first + 1 - CountOf(Within(runs, first, last));
}

}  // namespace homeport::quorum_queue
