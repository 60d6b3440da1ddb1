#include "quorum_queue/entry_index.h"

#include <algorithm>

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

void EntryIndex::Insert(const RunLocation& run) {
  runs_.emplace_hint(runs_.end(), run.first, run);
  ++records_[run.record];
  entries_ += run.count;
}

void EntryIndex::Erase(Seq first, Seq last) {
  auto it = runs_.upper_bound(first);
  if (it != runs_.begin() && std::prev(it)->second.last() >= first) --it;
  while (it != runs_.end() && it->first <= last) {
    const RunLocation run = it->second;
    it = runs_.erase(it);
    entries_ -= run.count;
    if (run.first < first) Insert(Clip(run, run.first, first - 1));
    if (run.last() > last) Insert(Clip(run, last + 1, run.last()));
    // After the inserts, so that a record still referred to never leaves the map.
    const auto references = records_.find(run.record);
    if (--references->second == 0) records_.erase(references);
  }
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
  auto it = runs_.upper_bound(run.first);
  if (it != runs_.begin()) --it;
  for (; it != runs_.end() && it->first <= run.last(); ++it) {
    const RunLocation& held = it->second;
    if (held.epoch != run.epoch || held.last() < at) continue;
    if (held.first > at) missing.push_back(Clip(run, at, held.first - 1));
    at = held.last() + 1;
  }
  if (at <= run.last()) missing.push_back(Clip(run, at, run.last()));
  for (const RunLocation& part : missing) Put(part);
}

void EntryIndex::DropInvalid(const Chain& chain, Seq after) {
  std::vector<std::pair<Seq, Seq>> invalid;
  for (const RunLocation& run : RunsAfter(after)) {
    const auto valid = ValidRange(chain, run.epoch);
    if (!valid || valid->first > run.last() || valid->second < run.first) {
      invalid.emplace_back(run.first, run.last());
      continue;
    }
    if (run.first < valid->first) invalid.emplace_back(run.first, valid->first - 1);
    if (run.last() > valid->second) invalid.emplace_back(valid->second + 1, run.last());
  }
  for (const auto& [first, last] : invalid) Erase(first, last);
}

bool EntryIndex::HoldsInvalid(const Chain& chain, Seq through) const {
  for (const auto& [first, run] : runs_) {
    if (first > through) break;
    // Epochs ascend along a chain: the same one at both ends is the same one between.
    if (EpochAt(chain, first) != run.epoch) return true;
    if (EpochAt(chain, std::min(run.last(), through)) != run.epoch) return true;
  }
  return false;
}

void EntryIndex::DropThrough(Seq seq) {
  if (!runs_.empty() && first() <= seq) Erase(first(), seq);
}

void EntryIndex::DropAfter(Seq seq) {
  if (last() > seq) Erase(seq + 1, last());
}

std::vector<RunLocation> EntryIndex::DropRecord(RecordNumber record) {
  std::vector<RunLocation> dropped;
  if (!records_.contains(record)) return dropped;
  for (const auto& [first, run] : runs_) {
    if (run.record == record) dropped.push_back(run);
  }
  for (const RunLocation& run : dropped) Erase(run.first, run.last());
  return dropped;
}

std::vector<RunLocation> EntryIndex::Contiguous(Seq from, Seq through, uint64_t entries_max,
                                                size_t runs_max, uint64_t bytes_max) const {
  std::vector<RunLocation> runs;
  uint64_t bytes = 0;
  auto it = runs_.upper_bound(from);
  if (it == runs_.begin() || entries_max == 0) return runs;
  --it;
  while (it != runs_.end() && runs.size() < runs_max && entries_max > 0 && from <= through) {
    if (it->first > from || it->second.last() < from) break;  // a hole
    RunLocation part = Clip(it->second, from, through);
    part.count = std::min(part.count, entries_max);
    bytes += part.bytes();
    if (bytes > bytes_max && !runs.empty()) break;
    entries_max -= part.count;
    from = part.last() + 1;
    runs.push_back(part);
    ++it;
  }
  return runs;
}

std::vector<RunLocation> EntryIndex::RunsAfter(Seq after) const {
  std::vector<RunLocation> runs;
  auto it = runs_.upper_bound(after);
  if (it != runs_.begin() && std::prev(it)->second.last() > after) --it;
  for (; it != runs_.end(); ++it) runs.push_back(Clip(it->second, after + 1, it->second.last()));
  return runs;
}

std::vector<RunInfo> EntryIndex::Held(Seq from, size_t runs_max, size_t visits_max,
                                      Seq* through) const {
  std::vector<RunInfo> held;
  *through = kSeqMax;
  auto it = runs_.upper_bound(from);
  if (it != runs_.begin() && std::prev(it)->second.last() >= from) --it;
  for (size_t visits = 0; it != runs_.end(); ++it, ++visits) {
    const RunLocation part = Clip(it->second, from, it->second.last());
    const bool joins =
        !held.empty() && held.back().epoch == part.epoch && held.back().last() + 1 == part.first;
    if (!held.empty() && (visits >= visits_max || (!joins && held.size() >= runs_max))) {
      *through = held.back().last();
      return held;
    }
    if (!joins) held.push_back({part.first, 0, part.epoch, 0});
    held.back().count += part.count;
    held.back().bytes += part.bytes();
  }
  return held;
}

std::optional<RunLocation> EntryIndex::Find(Seq seq) const {
  auto it = runs_.upper_bound(seq);
  if (it == runs_.begin() || std::prev(it)->second.last() < seq) return std::nullopt;
  --it;
  return Clip(it->second, seq, it->second.last());
}

bool EntryIndex::Holds(Seq first, Seq last, WriterEpoch epoch) const {
  auto it = runs_.upper_bound(first);
  if (it == runs_.begin()) return false;
  for (--it; it != runs_.end(); ++it) {
    const RunLocation& run = it->second;
    if (run.first > first || run.last() < first || run.epoch != epoch) return false;
    if (run.last() >= last) return true;
    first = run.last() + 1;
  }
  return false;
}

Seq EntryIndex::first() const {
  return runs_.empty() ? Seq(0) : runs_.begin()->first;
}

Seq EntryIndex::last() const {
  return runs_.empty() ? Seq(0) : runs_.rbegin()->second.last();
}

std::optional<RecordNumber> EntryIndex::LowestRecord() const {
  if (records_.empty()) return std::nullopt;
  return records_.begin()->first;
}

bool EntryIndex::IsConsistent() const {
  std::map<RecordNumber, uint32_t> records;
  uint64_t entries = 0;
  Seq end;  // last seq of the runs so far
  for (const auto& [first, run] : runs_) {
    if (run.first != first || run.count == 0 || first <= end || run.record_first > first)
      return false;
    end = run.last();
    entries += run.count;
    ++records[run.record];
  }
  return records == records_ && entries == entries_;
}

}  // namespace homeport::quorum_queue
