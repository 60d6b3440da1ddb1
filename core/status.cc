#include "core/status.h"

#include <array>

namespace homeport::core {
namespace {

// The one table of codes. Exit codes of the CLI are 10 + number, for ever; 0 is success, 1 a
// failure without a code, 2 a wrong command line.
struct Row {
  Code code;
  uint16_t number;
  std::string_view name;
  int exit_code;
};
constexpr std::array<Row, 14> kCodes = {{
    {Code::kOk, 0, "OK", 0},
    {Code::kMoved, 1, "MOVED", 11},
    {Code::kFenced, 2, "FENCED", 12},
    {Code::kOverloaded, 3, "OVERLOADED", 13},
    {Code::kNoQuorum, 4, "NO_QUORUM", 14},
    {Code::kTrimmed, 5, "TRIMMED", 15},
    {Code::kTaken, 6, "TAKEN", 16},
    {Code::kTooLarge, 7, "TOO_LARGE", 17},
    {Code::kBadRequest, 8, "BAD_REQUEST", 18},
    {Code::kUnavailable, 9, "UNAVAILABLE", 19},
    {Code::kCorrupt, 10, "CORRUPT", 20},
    {Code::kIo, 11, "IO", 21},
    {Code::kResync, 12, "RESYNC", 22},
    {Code::kRefused, 13, "REFUSED", 23},
}};

constexpr bool InOrder() {
  for (size_t i = 0; i < kCodes.size(); ++i) {
    if (kCodes[i].number != i || static_cast<size_t>(kCodes[i].code) != i) return false;
  }
  return true;
}
static_assert(InOrder(), "a code is found by its number");
static_assert(kCodes.back().code == kLastCode);

Status WithDetail(Code code, uint64_t detail, std::string message) {
  Status status(code, std::move(message));
  status.set_detail(detail);
  return status;
}

}  // namespace

std::string_view CodeName(Code code) {
  const auto number = static_cast<size_t>(code);
  return number < kCodes.size() ? kCodes[number].name : "UNKNOWN";
}

int ExitCode(Code code) {
  const auto number = static_cast<size_t>(code);
  return number < kCodes.size() ? kCodes[number].exit_code : 1;
}

std::optional<Code> CodeFromNumber(uint16_t number) {
  if (number >= kCodes.size()) return std::nullopt;
  return kCodes[number].code;
}

Status Status::Moved(Incarnation home, MastershipEpoch epoch, std::string message) {
  Status status(Code::kMoved, std::move(message));
  status.set_home(home, epoch);
  return status;
}

Status Status::Overloaded(uint64_t retry_after_ms, std::string message) {
  return WithDetail(Code::kOverloaded, retry_after_ms, std::move(message));
}

Status Status::Trimmed(Seq first, std::string message) {
  return WithDetail(Code::kTrimmed, first.value(), std::move(message));
}

Status Status::Taken(Uin owner, std::string message) {
  return WithDetail(Code::kTaken, owner.value(), std::move(message));
}

Status Status::Resync(uint64_t from, std::string message) {
  return WithDetail(Code::kResync, from, std::move(message));
}

Status Status::TooLarge(uint64_t limit, std::string message) {
  return WithDetail(Code::kTooLarge, limit, std::move(message));
}

std::string Status::ToString() const {
  std::string text(CodeName(code_));
  if (!message_.empty()) text.append(": ").append(message_);
  return text;
}

}  // namespace homeport::core
