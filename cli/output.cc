#include "cli/output.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace homeport::cli {
namespace {

using core::Code;

// Cells may hold UTF-8: count characters, not bytes.
size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

// What a person can do about it, where the sentence of the status does not say it.
std::string_view WhatToTry(const core::Status& why) {
  switch (why.code()) {
    case Code::kMoved:
      return "ask again: the home has just changed";
    case Code::kFenced:
      return "ask again: another process has taken over";
    case Code::kOverloaded:
      return "wait a moment and ask again, or send less at once";
    case Code::kNoQuorum:
      return "the outcome is unknown; see `homeport status` for replicas that are down, then ask "
             "again";
    case Code::kTrimmed:
      return "start from the first entry that is kept";
    case Code::kTaken:
      return "choose another name; `homeport user list` shows those there are";
    case Code::kTooLarge:
      return "split it";
    case Code::kBadRequest:
      return "see `homeport --help` and docs/cli.md";
    case Code::kUnavailable:
      return "see `homeport status`; `homeport up --data DIR` starts a local cluster";
    case Code::kCorrupt:
      return "see docs/operations.md; do not delete anything before reading it";
    case Code::kIo:
      return "check path, permissions and free space";
    case Code::kResync:
      return "start from an empty snapshot";
    case Code::kRefused:
      return "see docs/messaging.md: who may do what";
    case Code::kOk:
      break;
  }
  return "";
}

}  // namespace

void PrintJson(const Json& json) {
  const std::string line = core::ToText(json) + '\n';
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
}

void PrintLine(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void Say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

std::string Table::Format() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], Width(row[i]));
  }
  std::string text;
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) {
      text += row[i];
      if (i + 1 < row.size()) text.append(widths[i] - Width(row[i]) + 2, ' ');
    }
    text += '\n';
  }
  if (!text.empty()) text.pop_back();
  return text;
}

void Table::Print() const {
  PrintLine(Format());
}

std::string Printable(std::string_view bytes) {
  const bool utf8 = IsUtf8(bytes);
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || (byte >= 0x80 && !utf8)) {
      text += fmt::format("\\x{:02x}", byte);
    } else {
      text += c;
    }
  }
  return text;
}

std::string FormatCount(uint64_t n) {
  std::string text = std::to_string(n);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

int PrintError(std::string_view what, const core::Status& why, std::string_view hint) {
  Say(fmt::format("homeport: {} failed: {}", what, why.ToString()));
  if (hint.empty()) hint = WhatToTry(why);
  if (!hint.empty()) Say(fmt::format("  try: {}", hint));
  return core::ExitCode(why.code());
}

bool StderrIsTerminal() {
  return ::isatty(STDERR_FILENO) == 1;
}

}  // namespace homeport::cli
