#include "core/memory_store.h"

#include <algorithm>

namespace homeport::core {

std::optional<std::string> MemoryStore::Get(std::string_view key) const {
  auto it = rows_.find(key);
  if (it == rows_.end()) return std::nullopt;
  return it->second;
}

void MemoryStore::Scan(
    std::string_view first, std::string_view end,
    const std::function<bool(std::string_view, std::string_view)>& visit) const {
  for (auto it = rows_.lower_bound(first); it != rows_.end(); ++it) {
    if (!end.empty() && it->first >= end) return;
    if (!visit(it->first, it->second)) return;
  }
}

std::optional<std::pair<std::string, std::string>> MemoryStore::Last(std::string_view first,
                                                                     std::string_view end) const {
  auto it = end.empty() ? rows_.end() : rows_.lower_bound(end);
  if (it == rows_.begin()) return std::nullopt;
  --it;
  if (it->first < first) return std::nullopt;
  return *it;
}

Status MemoryStore::Write(const WriteBatch& batch) {
  Apply(batch, &rows_);
  unflushed_.push_back(batch);
  return {};
}

Status MemoryStore::Flush() {
  for (const WriteBatch& batch : unflushed_) Apply(batch, &flushed_);
  unflushed_.clear();
  return {};
}

void MemoryStore::Crash(size_t kept) {
  for (size_t i = 0; i < std::min(kept, unflushed_.size()); ++i) Apply(unflushed_[i], &flushed_);
  unflushed_.clear();
  rows_ = flushed_;
}

void MemoryStore::Apply(const WriteBatch& batch,
                        std::map<std::string, std::string, std::less<>>* rows) const {
  for (const WriteBatch::Op& op : batch.ops()) {
    if (op.value) {
      (*rows)[op.key] = *op.value;
    } else {
      rows->erase(op.key);
    }
  }
}

}  // namespace homeport::core
