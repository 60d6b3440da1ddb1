#include "router/renumber.h"

#include <cstring>

#include "core/check.h"

namespace homeport::router {
namespace {

constexpr uint32_t kSegmentsMax = 512;
constexpr size_t kWord = 8;
// Version and union tag are in the first word of the root's data, the number is the second.
constexpr uint64_t kNumberWord = 1;

template <class Number>
Number Little(std::string_view bytes, size_t at) {
  Number number = 0;
  for (size_t i = 0; i < sizeof number; ++i) {
    number |= static_cast<Number>(static_cast<unsigned char>(bytes[at + i])) << 8 * i;
  }
  return number;
}

// Where the number stands: after the table of segments, where the root pointer says.
// https://capnproto.org/encoding.html
std::optional<size_t> OffsetOf(std::string_view message) {
  if (message.size() < 2 * kWord) return std::nullopt;
  const uint64_t segments = uint64_t{Little<uint32_t>(message, 0)} + 1;
  if (segments > kSegmentsMax) return std::nullopt;
  const size_t table = (4 + 4 * segments + kWord - 1) / kWord * kWord;
  if (message.size() < table + kWord) return std::nullopt;
  const uint64_t words = Little<uint32_t>(message, 4);  // of the first segment
  if (words > (message.size() - table) / kWord) return std::nullopt;
  const uint64_t root = Little<uint64_t>(message, table);
  const bool is_struct = (root & 3) == 0;
  const bool is_forward = (root >> 31 & 1) == 0;
  const uint64_t data_at = 1 + (root >> 2 & 0x1fffffff);
  const uint64_t data_words = root >> 32 & 0xffff;
  if (!is_struct || !is_forward || data_words <= kNumberWord) return std::nullopt;
  if (data_at + data_words > words) return std::nullopt;
  return table + (data_at + kNumberWord) * kWord;
}

}  // namespace

std::optional<uint64_t> NumberOf(std::string_view message) {
  const auto at = OffsetOf(message);
  if (!at) return std::nullopt;
  return Little<uint64_t>(message, *at);
}

void SetNumber(std::string* message, uint64_t number) {
  const auto at = OffsetOf(*message);
  CHECK(at.has_value(), "a number is set where one is");
  for (size_t i = 0; i < sizeof number; ++i) {
    (*message)[*at + i] = static_cast<char>(number >> 8 * i);
  }
}

}  // namespace homeport::router
