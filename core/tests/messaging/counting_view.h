// CountingView: counts what is asked of a store.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/store.h"

namespace homeport::core {

class CountingView : public StoreView {
 public:
  explicit CountingView(const StoreView* store) : store_(store) {}
  std::optional<std::string> Get(std::string_view key) const override {
    ++reads;
    return store_->Get(key);
  }
  void Scan(std::string_view first, std::string_view end,
            const std::function<bool(std::string_view, std::string_view)>& visit) const override {
    ++reads;
    store_->Scan(first, end, visit);
  }
  std::optional<std::pair<std::string, std::string>> Last(std::string_view first,
                                                          std::string_view end) const override {
    ++reads;
    return store_->Last(first, end);
  }
  mutable int reads = 0;

 private:
  const StoreView* store_;
};

}  // namespace homeport::core
