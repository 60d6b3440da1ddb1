#include "core/codec.h"

#include <algorithm>

namespace homeport::core {

std::string FlatBytes(capnp::MessageBuilder& message) {
  auto segments = message.getSegmentsForOutput();
  std::string bytes(capnp::computeSerializedSizeInWords(segments) * sizeof(capnp::word), '\0');
  kj::ArrayOutputStream out(
      kj::arrayPtr(reinterpret_cast<kj::byte*>(bytes.data()), bytes.size()));
  capnp::writeMessage(out, segments);
  return bytes;
}

AlignedWords::AlignedWords(std::string_view bytes) {
  size_t count = bytes.size() / sizeof(capnp::word);
  if (reinterpret_cast<uintptr_t>(bytes.data()) % alignof(capnp::word) == 0) {
    words_ = kj::arrayPtr(reinterpret_cast<const capnp::word*>(bytes.data()), count);
    return;
  }
  copy_ = kj::heapArray<capnp::word>(count);
  std::memcpy(copy_.begin(), bytes.data(), count * sizeof(capnp::word));
  words_ = copy_;
}

Status DecodeFailed(const kj::Exception& exception) {
  return Status::BadRequest(std::string("malformed message: ") + exception.getDescription().cStr());
}

capnp::ReaderOptions DecodeLimits(size_t bytes) {
  capnp::ReaderOptions options;
  // A message may be walked a few times, but a pointer that amplifies is cut off.
  options.traversalLimitInWords = std::max<uint64_t>(1024, bytes / sizeof(capnp::word) * 8);
  options.nestingLimit = 32;
  return options;
}

}  // namespace homeport::core
