#include "core/status.h"

#include <array>
#include <sstream>

namespace homeport::core {
namespace {

struct CodeRow {
  Code code;
  std::string_view name;
  int exit_code;  // of the CLI; 1 is any other failure, 2 a wrong command line
};

constexpr std::array kCodes = {
    CodeRow{Code::kOk, "OK", 0},
    CodeRow{Code::kMoved, "MOVED", 10},
    CodeRow{Code::kFenced, "FENCED", 11},
    CodeRow{Code::kOverloaded, "OVERLOADED", 12},
    CodeRow{Code::kNoQuorum, "NO_QUORUM", 13},
    CodeRow{Code::kTrimmed, "TRIMMED", 14},
    CodeRow{Code::kTaken, "TAKEN", 15},
    CodeRow{Code::kTooLarge, "TOO_LARGE", 16},
    CodeRow{Code::kBadRequest, "BAD_REQUEST", 17},
    CodeRow{Code::kUnavailable, "UNAVAILABLE", 18},
    CodeRow{Code::kCorrupt, "CORRUPT", 19},
    CodeRow{Code::kIo, "IO", 20},
};

const CodeRow* FindCode(Code code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) return &row;
  }
  return nullptr;  // a number from a newer peer
}

Status WithDetail(Code code, uint64_t detail, std::string message) {
  Status status(code, std::move(message));
  status.set_detail(detail);
  return status;
}

}  // namespace

std::string_view CodeName(Code code) {
  const CodeRow* row = FindCode(code);
  return row ? row->name : "UNKNOWN";
}

int ExitCode(Code code) {
  const CodeRow* row = FindCode(code);
  return row ? row->exit_code : 1;
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
Status Status::TooLarge(uint64_t limit, std::string message) {
  return WithDetail(Code::kTooLarge, limit, std::move(message));
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  std::ostringstream out;
  out << CodeName(code_);
  if (code_ == Code::kMoved) {
    out << "(" << home_ << ", " << epoch_.takeover << "." << epoch_.move << ")";
  } else if (detail_ != 0) {
    out << "(" << detail_ << ")";
  }
  if (!message_.empty()) out << ": " << message_;
  return out.str();
}

}  // namespace homeport::core
