// Encode and decode Cap'n Proto messages to and from bytes. The only place that catches its
// exceptions.
//
//   std::string bytes = Encode<wire::Request>([&](auto root) { root.setFoo(1); });
//   auto status = Decode<wire::Request>(bytes, [&](auto root) -> Status { ...read root...; return
//   {}; });
//
// Bytes from the network may be anything: Decode never crashes and answers kBadRequest.
#pragma once

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <cstring>
#include <string>
#include <string_view>

#include "core/status.h"

namespace homeport::core {

// The flat form (segment table and segments) of a built message.
std::string FlatBytes(capnp::MessageBuilder& message);

template <class Root, class Fill>
std::string Encode(Fill&& fill) {
  // Scratch space saves an allocation for small messages.
  capnp::word scratch[128];
  std::memset(scratch, 0, sizeof scratch);
  capnp::MallocMessageBuilder message(kj::arrayPtr(scratch, 128));
  fill(message.initRoot<Root>());
  return FlatBytes(message);
}

// AlignedWords: a view of bytes as capnp words, copied only if they are not aligned.
class AlignedWords {
 public:
  explicit AlignedWords(std::string_view bytes);
  kj::ArrayPtr<const capnp::word> words() const { return words_; }
  AlignedWords(const AlignedWords&) = delete;
  AlignedWords& operator=(const AlignedWords&) = delete;

 private:
  kj::Array<capnp::word> copy_;
  kj::ArrayPtr<const capnp::word> words_;
};

Status DecodeFailed(const kj::Exception& exception);
// How much of a message of so many bytes may be read: enough to read every field a few times, too
// little for a small message whose pointers overlap to cost much.
capnp::ReaderOptions DecodeLimits(size_t bytes);

// Calls read(root reader) and returns its Status. `read` may touch any field: what is malformed
// ends the call with kBadRequest.
template <class Root, class Read>
Status Decode(std::string_view bytes, Read&& read) {
  if (bytes.size() % sizeof(capnp::word) != 0 || bytes.empty()) {
    return Status::BadRequest("not a Cap'n Proto message: length is no multiple of 8");
  }
  try {
    AlignedWords words(bytes);
    capnp::FlatArrayMessageReader message(words.words(), DecodeLimits(bytes.size()));
    return read(message.getRoot<Root>());
  } catch (const kj::Exception& exception) {
    return DecodeFailed(exception);
  }
}

// Cap'n Proto Data <-> bytes.
inline std::string_view View(capnp::Data::Reader data) {
  return {reinterpret_cast<const char*>(data.begin()), data.size()};
}
inline std::string_view View(capnp::Text::Reader text) {
  return {text.begin(), text.size()};
}
inline capnp::Data::Reader Data(std::string_view bytes) {
  return {reinterpret_cast<const kj::byte*>(bytes.data()), bytes.size()};
}

}  // namespace homeport::core
