#include "quorum_queue/entry_index.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "core/check.h"

namespace homeport::quorum_queue {
namespace {

// First and last seq at which an entry of `epoch` is valid under the chain; nullopt: nowhere.
std::optional<std::pair<Seq, Seq>> ValidRange(const Chain& chain, WriterEpoch epoch) {
  const auto link = std::lower_bound(chain.begin(), chain.end(), epoch,
                                     [](const ChainLink& l, WriterEpoch e) { return l.epoch < e; });
  if (link == chain.end() || link->epoch != epoch) return std::nullopt;
  const auto next = std::next(link);
  return std::pair(link->start, next == chain.end() ? Seq(UINT64_MAX) : next->start - 1);
}

// The runs without what of them stands in first .. last.
std::vector<RunLocation> Without(const std::vector<RunLocation>& runs, Seq first, Seq last) {
  std::vector<RunLocation> kept;
  kept.reserve(runs.size() + 1);
  for (const RunLocation& run : runs) {
    if (run.last() < first || run.first > last) {
      kept.push_back(run);
      continue;
    }
    if (run.first < first) kept.push_back(Clip(run, run.first, first - 1));
    if (run.last() > last) kept.push_back(Clip(run, last + 1, run.last()));
  }
  return kept;
}

uint64_t SumOfCounts(const std::vector<RunLocation>& runs) {
  uint64_t sum = 0;
  for (const RunLocation& run : runs) sum += run.count;
  return sum;
}

}  // namespace

uint64_t RunLocation::bytes() const {
  if (record_count == 0) return 0;
  const uint64_t begin = first - record_first;
  return record_bytes * (begin + count) / record_count - record_bytes * begin / record_count;
}

RunLocation Clip(const RunLocation& run, Seq first, Seq last) {
  RunLocation part = run;
  part.first = std::max(run.first, first);
  const Seq end = std::min(run.last(), last);
  CHECK(part.first <= end, "clipped to nothing", run.first, run.count, first, last);
  part.count = end - part.first + 1;
  return part;
}

template <class Visit>
void EntryIndex::Walk(Seq from, Visit visit) const {
  const auto walk_open = [&] {
    const auto first =
        std::lower_bound(open_.begin(), open_.end(), from,
                         [](const RunLocation& run, Seq seq) { return run.last() < seq; });
    return std::all_of(first, open_.end(), visit);
  };
  const auto after_open = open_.empty() ? blocks_.end() : blocks_.upper_bound(open_.front().first);
  auto block = blocks_.upper_bound(from);
  if (block != blocks_.begin() && std::prev(block)->second.last() >= from) --block;
  for (bool is_open_walked = open_.empty();; ++block) {
    if (!is_open_walked &&
        (block == after_open || block == blocks_.end() || block->first > open_.front().first)) {
      is_open_walked = true;
      if (open_.back().last() >= from && !walk_open()) return;
    }
    if (block == blocks_.end()) return;
    RunBlock::Cursor cursor(block->second);
    for (RunLocation run; cursor.Next(&run);) {
      if (run.last() >= from && !visit(run)) return;
    }
  }
}

uint64_t EntryIndex::Add(std::span<const RunLocation> runs) {
  RunBlock block(runs);
  const uint64_t entries = block.entries();
  ++lowest_records_[block.lowest_record()];
  blocks_.emplace(runs.front().first, std::move(block));
  return entries;
}

void EntryIndex::Pack(size_t runs) {
  Add(std::span(open_).first(runs));
  open_.erase(open_.begin(), open_.begin() + static_cast<ptrdiff_t>(runs));
}

void EntryIndex::Remove(Blocks::iterator block) {
  const auto lowest = lowest_records_.find(block->second.lowest_record());
  if (--lowest->second == 0) lowest_records_.erase(lowest);
  blocks_.erase(block);
}

void EntryIndex::Unpack(Blocks::iterator block) {
  if (!open_.empty()) Pack(open_.size());
  open_ = block->second.Unpack();
  Remove(block);
}

void EntryIndex::OpenAt(Seq seq) {
  if (blocks_.empty()) return;
  auto block = blocks_.upper_bound(seq);  // the first one above
  if (open_.empty()) {
    Unpack(block == blocks_.begin() ? block : std::prev(block));
  } else if (seq >= open_.front().first) {
    if (block == blocks_.begin()) return;
    if (--block; block->first > open_.front().first) Unpack(block);
  } else if (block != blocks_.begin()) {
    Unpack(std::prev(block));
  } else if (block->first < open_.front().first) {
    Unpack(block);
  }
}

// REQUIRES: nothing stands at its seqs.
void EntryIndex::Insert(const RunLocation& run) {
  OpenAt(run.first);
  const auto after =
      std::upper_bound(open_.begin(), open_.end(), run.first,
                       [](Seq seq, const RunLocation& other) { return seq < other.first; });
  open_.insert(after, run);
  entries_ += run.count;
  if (open_.size() >= 2 * block_runs_) Pack(block_runs_);
}

void EntryIndex::Erase(Seq first, Seq last) {
  auto block = blocks_.upper_bound(first);
  if (block != blocks_.begin() && std::prev(block)->second.last() >= first) --block;
  while (block != blocks_.end() && block->first <= last) {
    const auto next = std::next(block);
    std::vector<RunLocation> kept;
    if (block->first < first || block->second.last() > last) {
      kept = Without(block->second.Unpack(), first, last);
    }
    entries_ -= block->second.entries();
    Remove(block);
    if (!kept.empty()) entries_ += Add(kept);
    block = next;
  }
  if (open_.empty() || open_.front().first > last || open_.back().last() < first) return;
  entries_ -= SumOfCounts(open_);
  open_ = Without(open_, first, last);
  entries_ += SumOfCounts(open_);
}

void EntryIndex::Put(const RunLocation& run) {
  CHECK(run.count > 0 && run.first > Seq(0), "a run has entries, from seq 1 on", run.first,
        run.count);
  if (run.first <= last()) Erase(run.first, run.last());
  Insert(run);
}

void EntryIndex::PutMissing(const RunLocation& run) {
  CHECK(run.count > 0 && run.first > Seq(0), "a run has entries, from seq 1 on", run.first,
        run.count);
  std::vector<RunLocation> missing;
  Seq at = run.first;  // all of the run below it is there or in `missing`
  Walk(run.first, [&](const RunLocation& held) {
    if (held.first > run.last()) return false;
    if (held.epoch != run.epoch) return true;
    if (held.first > at) missing.push_back(Clip(run, at, held.first - 1));
    at = held.last() + 1;
    return true;
  });
  if (at <= run.last()) missing.push_back(Clip(run, at, run.last()));
  for (const RunLocation& part : missing) Put(part);
}

void EntryIndex::DropInvalid(const Chain& chain, Seq after) {
  std::vector<std::pair<Seq, Seq>> invalid;
  Walk(after + 1, [&](const RunLocation& whole) {
    const RunLocation run = Clip(whole, after + 1, whole.last());
    const auto valid = ValidRange(chain, run.epoch);
    if (!valid || valid->first > run.last() || valid->second < run.first) {
      invalid.emplace_back(run.first, run.last());
      return true;
    }
    if (run.first < valid->first) invalid.emplace_back(run.first, valid->first - 1);
    if (run.last() > valid->second) invalid.emplace_back(valid->second + 1, run.last());
    return true;
  });
  for (const auto& [first, last] : invalid) Erase(first, last);
}

bool EntryIndex::HoldsInvalid(const Chain& chain, Seq through) const {
  bool invalid = false;
  Walk(Seq(1), [&](const RunLocation& run) {
    if (run.first > through) return false;
    // Epochs ascend along a chain: the same one at both ends is the same one between.
    invalid = EpochAt(chain, run.first) != run.epoch ||
              EpochAt(chain, std::min(run.last(), through)) != run.epoch;
    return !invalid;
  });
  return invalid;
}

void EntryIndex::DropThrough(Seq seq) {
  if (entries_ > 0 && first() <= seq) Erase(first(), seq);
}

void EntryIndex::DropAfter(Seq seq) {
  if (last() > seq) Erase(seq + 1, last());
}

std::vector<RunLocation> EntryIndex::DropRecord(RecordNumber record) {
  std::vector<RunLocation> dropped;
  const auto look = [&](const RunLocation& run) {
    if (run.record == record) dropped.push_back(run);
  };
  for (const auto& [first, block] : blocks_) {
    if (record < block.lowest_record() || record > block.highest_record()) continue;
    const std::vector<RunLocation> runs = block.Unpack();
    std::for_each(runs.begin(), runs.end(), look);
  }
  std::for_each(open_.begin(), open_.end(), look);
  std::sort(dropped.begin(), dropped.end(),
            [](const RunLocation& a, const RunLocation& b) { return a.first < b.first; });
  for (const RunLocation& run : dropped) Erase(run.first, run.last());
  return dropped;
}

std::vector<RunLocation> EntryIndex::Contiguous(Seq from, Seq through, uint64_t entries_max,
                                                size_t runs_max, uint64_t bytes_max) const {
  std::vector<RunLocation> runs;
  uint64_t bytes = 0;
  Walk(from, [&](const RunLocation& run) {
    if (runs.size() >= runs_max || entries_max == 0 || from > through) return false;
    if (run.first > from) return false;  // a hole
    RunLocation part = Clip(run, from, through);
    part.count = std::min(part.count, entries_max);
    bytes += part.bytes();
    if (bytes > bytes_max && !runs.empty()) return false;
    entries_max -= part.count;
    from = part.last() + 1;
    runs.push_back(part);
    return true;
  });
  return runs;
}

std::vector<RunLocation> EntryIndex::RunsAfter(Seq after) const {
  std::vector<RunLocation> runs;
  Walk(after + 1, [&](const RunLocation& run) {
    runs.push_back(Clip(run, after + 1, run.last()));
    return true;
  });
  return runs;
}

std::vector<RunLocation> EntryIndex::Page(Seq from, size_t runs_max, uint64_t entries_max,
                                          uint64_t bytes_max, Seq* through) const {
  std::vector<RunLocation> page;
  *through = kSeqMax;
  uint64_t bytes = 0;
  uint64_t entries = 0;
  Walk(from, [&](const RunLocation& run) {
    const RunLocation part = Clip(run, from, run.last());
    // Of the whole record: a part of it may have nearly all the bytes.
    bytes += part.record_bytes;
    entries += part.count;
    if (!page.empty() && (page.size() >= runs_max || bytes > bytes_max || entries > entries_max)) {
      *through = page.back().last();
      return false;
    }
    page.push_back(part);
    return true;
  });
  return page;
}

std::vector<RunInfo> EntryIndex::Held(Seq from, size_t runs_max, size_t visits_max,
                                      Seq* through) const {
  std::vector<RunInfo> held;
  *through = kSeqMax;
  size_t visits = 0;
  Walk(from, [&](const RunLocation& run) {
    const RunLocation part = Clip(run, from, run.last());
    const bool joins =
        !held.empty() && held.back().epoch == part.epoch && held.back().last() + 1 == part.first;
    if (!held.empty() && (visits >= visits_max || (!joins && held.size() >= runs_max))) {
      *through = held.back().last();
      return false;
    }
    if (!joins) held.push_back({part.first, 0, part.epoch, 0});
    held.back().count += part.count;
    held.back().bytes += part.bytes();
    ++visits;
    return true;
  });
  return held;
}

std::optional<RunLocation> EntryIndex::Find(Seq seq) const {
  std::optional<RunLocation> found;
  Walk(seq, [&](const RunLocation& run) {
    if (run.first <= seq) found = Clip(run, seq, run.last());
    return false;
  });
  return found;
}

bool EntryIndex::Holds(Seq first, Seq last, WriterEpoch epoch) const {
  bool holds = false;
  Walk(first, [&](const RunLocation& run) {
    if (run.first > first || run.epoch != epoch) return false;
    holds = run.last() >= last;
    first = run.last() + 1;
    return !holds;
  });
  return holds;
}

Seq EntryIndex::first() const {
  if (blocks_.empty()) return open_.empty() ? Seq(0) : open_.front().first;
  const Seq packed = blocks_.begin()->first;
  return open_.empty() ? packed : std::min(packed, open_.front().first);
}

Seq EntryIndex::last() const {
  const Seq packed = blocks_.empty() ? Seq(0) : blocks_.rbegin()->second.last();
  return open_.empty() ? packed : std::max(packed, open_.back().last());
}

std::optional<RecordNumber> EntryIndex::LowestRecord() const {
  std::optional<RecordNumber> lowest;
  if (!lowest_records_.empty()) lowest = lowest_records_.begin()->first;
  for (const RunLocation& run : open_) {
    if (!lowest || run.record < *lowest) lowest = run.record;
  }
  return lowest;
}

bool EntryIndex::IsConsistent() const {
  std::map<RecordNumber, uint32_t> lowest;
  for (const auto& [first, block] : blocks_) {
    const std::vector<RunLocation> runs = block.Unpack();
    RecordNumber least = runs.front().record;
    for (const RunLocation& run : runs) least = std::min(least, run.record);
    ++lowest[least];
    if (first != runs.front().first || block.last() != runs.back().last() ||
        block.entries() != SumOfCounts(runs)) {
      return false;
    }
    if (!open_.empty() && first < open_.back().first && block.last() > open_.front().first) {
      return false;
    }
  }
  uint64_t entries = 0;
  Seq end;  // last seq of the runs so far
  bool ascend = true;
  Walk(Seq(1), [&](const RunLocation& run) {
    ascend = run.count > 0 && run.first > end && run.record_first <= run.first;
    end = run.last();
    entries += run.count;
    return ascend;
  });
  return ascend && entries == entries_ && lowest == lowest_records_ &&
         open_.size() <= 2 * block_runs_ + 1;
}

}  // namespace homeport::quorum_queue
