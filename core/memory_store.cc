#include "core/memory_store.h"

#include <algorithm>
#include <iterator>

namespace homeport::core {

std::optional<std::string> MemoryStore::Get(std::string_view key) const {
  const auto row = rows_.find(key);
  if (row == rows_.end()) return std::nullopt;
  return row->second;
}

void MemoryStore::Scan(std::string_view first, std::string_view end,
                       const std::function<bool(std::string_view, std::string_view)>& visit) const {
  for (auto row = rows_.lower_bound(first); row != rows_.end(); ++row) {
    if (!end.empty() && row->first >= end) return;
    if (!visit(row->first, row->second)) return;
  }
}

std::optional<std::pair<std::string, std::string>> MemoryStore::Last(std::string_view first,
                                                                     std::string_view end) const {
  const auto after = end.empty() ? rows_.end() : rows_.lower_bound(end);
  if (after == rows_.begin()) return std::nullopt;
  const auto last = std::prev(after);
  if (last->first < first) return std::nullopt;
  return std::make_pair(last->first, last->second);
}

Status MemoryStore::Write(const WriteBatch& batch) {
  if (batch.empty()) return {};
  Apply(batch, &rows_);
  unflushed_.push_back(batch);
  ++written_;
  return {};
}

Status MemoryStore::Flush() {
  for (const WriteBatch& batch : unflushed_) Apply(batch, &flushed_);
  unflushed_.clear();
  return {};
}

void MemoryStore::FlushThrough(uint64_t written) {
  for (; !unflushed_.empty() && written_ - unflushed_.size() < written; unflushed_.pop_front()) {
    Apply(unflushed_.front(), &flushed_);
  }
}

void MemoryStore::Crash(size_t kept) {
  kept = std::min(kept, unflushed_.size());
  for (size_t i = 0; i < kept; ++i) Apply(unflushed_[i], &flushed_);
  unflushed_.clear();
  rows_ = flushed_;
}

void MemoryStore::Apply(const WriteBatch& batch, Rows* rows) {
  for (const WriteBatch::Op& op : batch.ops()) {
    if (op.value) {
      rows->insert_or_assign(op.key, *op.value);
    } else {
      rows->erase(op.key);
    }
  }
}

}  // namespace homeport::core
