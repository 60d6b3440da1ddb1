#include "cli/output.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <ctime>

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
  PrintLine(json.dump(-1, ' ', false, Json::error_handler_t::replace));
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

void PutBytes(Json* json, const char* key, const char* other_key, std::string_view bytes) {
  if (IsUtf8(bytes)) {
    (*json)[key] = std::string(bytes);
  } else {
    (*json)[other_key] = Base64(bytes);
  }
}

bool IsUtf8(std::string_view bytes) {
  size_t i = 0;
  while (i < bytes.size()) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const size_t more = lead < 0x80   ? 0
                        : lead < 0xc2 ? 9
                        : lead < 0xe0 ? 1
                        : lead < 0xf0 ? 2
                        : lead < 0xf5 ? 3
                                      : 9;
    if (more == 9 || more >= bytes.size() - i) return false;
    for (size_t k = 1; k <= more; ++k) {
      const auto next = static_cast<unsigned char>(bytes[i + k]);
      // Overlong forms, surrogates and what lies above U+10FFFF show in the second byte.
      const unsigned low = k > 1 ? 0x80 : lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
      const unsigned high = k > 1 ? 0xbf : lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
      if (next < low || next > high) return false;
    }
    i += more + 1;
  }
  return true;
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

std::string Base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      text += i + k > bytes.size() ? '=' : kDigits[group >> (18 - 6 * k) & 63];
    }
  }
  return text;
}

std::string FormatTime(int64_t ms_since_1970) {
  const std::time_t seconds = ms_since_1970 / 1000;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), ms_since_1970 % 1000);
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
