// Status and Result: what went wrong that is not our bug, told so that a person can act on it.
//
// One table (status.cc) has every code with its number, name and exit code of the CLI. A code
// exists only if a caller acts on it.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "core/check.h"
#include "core/ids.h"

namespace homeport::core {

// Numbers go over the wire: never renumber. A new one also goes to kLastCode.
enum class Code : uint16_t {
  kOk = 0,
  kMoved = 1,        // the user's home is elsewhere: `home`, `epoch`
  kFenced = 2,       // a newer writer exists: this one is out for good
  kOverloaded = 3,   // try again after `retry_after_ms`
  kNoQuorum = 4,     // not (yet) on 2 of 3 replicas; the outcome is unknown until a retry tells
  kTrimmed = 5,      // gone from the log; `first` is the first seq kept
  kTaken = 6,        // the name belongs to `owner`
  kTooLarge = 7,     // over `limit` bytes
  kBadRequest = 8,   // the request can never succeed as it is
  kUnavailable = 9,  // not now: peer unreachable, starting, stopping
  kCorrupt = 10,     // a checksum or format does not hold
  kIo = 11,          // the operating system refused: file, socket, disk
  kResync = 12,      // the snapshot is below what is kept: begin again without one
  kRefused = 13,     // well formed, but not allowed: blocked, no member, not the owner, too late
};

inline constexpr Code kLastCode = Code::kRefused;

std::string_view CodeName(Code code);  // "MOVED"; "UNKNOWN" for a number without a row
int ExitCode(Code code);               // of the CLI: 0, or 10 + number
// Whether the same may go well a little later: it waits for something, or is too much for now.
inline bool IsNotNow(Code code) {
  return code == Code::kUnavailable || code == Code::kNoQuorum || code == Code::kOverloaded;
}
// The code of a number from the wire, if it is one.
std::optional<Code> CodeFromNumber(uint16_t number);

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  static Status Ok() { return {}; }
  static Status Moved(Incarnation home, MastershipEpoch epoch, std::string message);
  static Status Overloaded(uint64_t retry_after_ms, std::string message);
  static Status Trimmed(Seq first, std::string message);
  static Status Taken(Uin owner, std::string message);
  static Status TooLarge(uint64_t limit, std::string message);
  static Status Resync(uint64_t from, std::string message);
  static Status Refused(std::string message) { return {Code::kRefused, std::move(message)}; }
  static Status Fenced(std::string message) { return {Code::kFenced, std::move(message)}; }
  static Status NoQuorum(std::string message) { return {Code::kNoQuorum, std::move(message)}; }
  static Status BadRequest(std::string message) { return {Code::kBadRequest, std::move(message)}; }
  static Status Unavailable(std::string message) {
    return {Code::kUnavailable, std::move(message)};
  }
  static Status Corrupt(std::string message) { return {Code::kCorrupt, std::move(message)}; }
  static Status Io(std::string message) { return {Code::kIo, std::move(message)}; }

  bool ok() const { return code_ == Code::kOk; }
  Code code() const { return code_; }
  // What happened and what to do, one or two sentences.
  const std::string& message() const { return message_; }
  // What the code carries: retry_after_ms, first seq, owner uin, limit, or the version after which
  // messages are kept, by the code; else 0.
  uint64_t detail() const { return detail_; }
  void set_detail(uint64_t detail) { detail_ = detail; }
  // For kMoved.
  Incarnation home() const { return home_; }
  MastershipEpoch epoch() const { return epoch_; }
  void set_home(Incarnation home, MastershipEpoch epoch) {
    home_ = home;
    epoch_ = epoch;
  }
  std::string ToString() const;  // "TAKEN: alice belongs to ..."

 private:
  Code code_ = Code::kOk;
  std::string message_;
  uint64_t detail_ = 0;
  Incarnation home_;
  MastershipEpoch epoch_;
};

inline std::ostream& operator<<(std::ostream& out, const Status& s) {
  return out << s.ToString();
}

// Result<T>: a T, or why there is none.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}         // NOLINT
  Result(Status status) : status_(std::move(status)) {  // NOLINT
    CHECK(!status_.ok(), "a Result without a value needs a reason");
  }
  bool ok() const { return value_.has_value(); }
  const Status& status() const { return status_; }
  T& value() & {
    CHECK(ok(), "value() of a failed Result", status_);
    return *value_;
  }
  const T& value() const& {
    CHECK(ok(), "value() of a failed Result", status_);
    return *value_;
  }
  T&& value() && {
    CHECK(ok(), "value() of a failed Result", status_);
    return std::move(*value_);
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

 private:
  std::optional<T> value_;
  Status status_;
};

}  // namespace homeport::core

// RETURN_IF_ERROR(Status expression);  ASSIGN_OR_RETURN(auto x, Result expression);
#define RETURN_IF_ERROR(expr)                        \
  do {                                               \
    ::homeport::core::Status status_macro_ = (expr); \
    if (!status_macro_.ok()) return status_macro_;   \
  } while (false)
#define HOMEPORT_CONCAT_(a, b) a##b
#define HOMEPORT_CONCAT(a, b) HOMEPORT_CONCAT_(a, b)
#define ASSIGN_OR_RETURN(lhs, expr) \
  ASSIGN_OR_RETURN_(HOMEPORT_CONCAT(result_macro_, __LINE__), lhs, expr)
#define ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                      \
  if (!tmp.ok()) return tmp.status();     \
  lhs = std::move(tmp).value()
