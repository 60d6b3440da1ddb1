// Bytes and who owns them. Owned: std::string. Borrowed: std::string_view. Shared: SharedBytes.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace homeport::core {

// SharedBytes: an immutable view and a share in whatever keeps it alive. Copying copies no bytes.
// Safe to hand to another thread.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string bytes) {
    auto owner = std::make_shared<const std::string>(std::move(bytes));
    view_ = *owner;
    owner_ = std::move(owner);
  }
  SharedBytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  bool empty() const { return view_.empty(); }
  // REQUIRES: offset + length <= size().
  SharedBytes Slice(size_t offset, size_t length) const {
    return SharedBytes(owner_, view_.substr(offset, length));
  }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace homeport::core
