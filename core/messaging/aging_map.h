// AgingMap: a hash map of two generations, for caches: what is touched is young, and what was not
// touched between two calls of Age is dropped by the second. References stay good until then.
#pragma once

#include <cstddef>
#include <unordered_map>
#include <utility>

namespace homeport::core {

template <class Key, class Value>
class AgingMap {
 public:
  // nullptr: it is not here.
  Value* Find(const Key& key) {
    if (const auto young = young_.find(key); young != young_.end()) return &young->second;
    auto old = old_.extract(key);
    return old.empty() ? nullptr : &young_.insert(std::move(old)).position->second;
  }
  // Made when it is not here.
  Value& operator[](const Key& key) {
    Value* const found = Find(key);
    return found != nullptr ? *found : young_[key];
  }
  void Erase(const Key& key) {
    young_.erase(key);
    old_.erase(key);
  }
  void Age() {
    old_ = std::move(young_);
    young_.clear();
  }
  size_t young_size() const { return young_.size(); }
  size_t size() const { return young_.size() + old_.size(); }

 private:
  std::unordered_map<Key, Value> young_;
  std::unordered_map<Key, Value> old_;
};

}  // namespace homeport::core
