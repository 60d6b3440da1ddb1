#include "core/codec.h"

#include <kj/io.h>

#include <cstdint>

namespace homeport::core {
namespace {

constexpr int kNestingMax = 32;

// Appends what is written to a string.
class StringStream : public kj::OutputStream {
 public:
  explicit StringStream(std::string* bytes) : bytes_(bytes) {}
  void write(const void* data, size_t size) override {
    bytes_->append(static_cast<const char*>(data), size);
  }
  using kj::OutputStream::write;

 private:
  std::string* bytes_;
};

}  // namespace

std::string FlatBytes(capnp::MessageBuilder& message) {
  std::string bytes;
  bytes.reserve(capnp::computeSerializedSizeInWords(message) * sizeof(capnp::word));
  StringStream stream(&bytes);
  capnp::writeMessage(stream, message);
  return bytes;
}

AlignedWords::AlignedWords(std::string_view bytes) {
  CHECK(bytes.size() % sizeof(capnp::word) == 0, "whole words only", bytes.size());
  const size_t count = bytes.size() / sizeof(capnp::word);
  if (reinterpret_cast<uintptr_t>(bytes.data()) % sizeof(capnp::word) == 0) {
    words_ = kj::arrayPtr(reinterpret_cast<const capnp::word*>(bytes.data()), count);
    return;
  }
  copy_ = kj::heapArray<capnp::word>(count);
  if (count > 0) std::memcpy(copy_.begin(), bytes.data(), bytes.size());
  words_ = copy_;
}

Status DecodeFailed(const kj::Exception& exception) {
  // The description alone: what() would add a stack trace and addresses.
  std::string text = "malformed Cap'n Proto message: ";
  const kj::StringPtr description = exception.getDescription();
  text.append(description.begin(), description.size());
  return Status::BadRequest(std::move(text));
}

capnp::ReaderOptions DecodeLimits(size_t bytes) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = bytes / sizeof(capnp::word) * 8 + 1024;
  options.nestingLimit = kNestingMax;
  return options;
}

}  // namespace homeport::core
