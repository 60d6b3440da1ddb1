#include "tests/wan/wan_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "tests/wan/wan_map.h"

namespace homeport::wan {
namespace {

using core::Result;
using core::Status;
using std::chrono::milliseconds;
using Verb = WanCommand::Verb;

constexpr std::string_view kUsage =
    "expected status | set LINES [delay_ms=N] [jitter_ms=N] [mbit_per_s=N] | cut LINES | "
    "stall LINES MS | heal LINES | reset LINES; LINES as sh>hk, sh<>hk or sh<>*";

struct VerbName {
  std::string_view name;
  Verb verb;
};
constexpr VerbName kVerbs[] = {{"status", Verb::kStatus}, {"set", Verb::kSet},
                               {"cut", Verb::kCut},       {"stall", Verb::kStall},
                               {"heal", Verb::kHeal},     {"reset", Verb::kReset}};

Status Bad(std::string_view what) {
  return Status::BadRequest(fmt::format("{}: {}", what, kUsage));
}

std::vector<std::string_view> Words(std::string_view line) {
  std::vector<std::string_view> words;
  while (true) {
    const size_t begin = line.find_first_not_of(" \t\r");
    if (begin == std::string_view::npos) return words;
    line.remove_prefix(begin);
    const size_t end = std::min(line.find_first_of(" \t\r"), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

Result<int64_t> Number(std::string_view text, int64_t max) {
  int64_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number < 0 || number > max) {
    return Bad(fmt::format("\"{}\" is no number up to {}", text, max));
  }
  return number;
}

Result<LineSelector> Selector(std::string_view text) {
  const size_t end = text.find('>');
  if (end == std::string_view::npos) return Bad(fmt::format("\"{}\" names no lines", text));
  const bool both = end > 0 && text[end - 1] == '<';
  const std::string_view from = text.substr(0, both ? end - 1 : end);
  const std::string_view to = text.substr(end + 1);
  if (from.empty() || to.empty() || to.find_first_of("<>") != std::string_view::npos ||
      from.find('<') != std::string_view::npos) {
    return Bad(fmt::format("\"{}\" names no lines", text));
  }
  return LineSelector{std::string(from), std::string(to), both};
}

Status ReadSetting(std::string_view word, WanCommand* command) {
  const size_t equals = word.find('=');
  const std::string_view key = word.substr(0, equals);
  const bool is_rate = key == "mbit_per_s";
  if (equals == std::string_view::npos || (!is_rate && key != "delay_ms" && key != "jitter_ms")) {
    return Bad(fmt::format("\"{}\" is no setting", word));
  }
  ASSIGN_OR_RETURN(const int64_t number,
                   Number(word.substr(equals + 1), is_rate ? kMbitPerSMax : kDelayMsMax));
  if (is_rate) {
    command->bits_per_s = 1'000'000 * static_cast<uint64_t>(number);
  } else {
    (key == "delay_ms" ? command->delay : command->jitter) = milliseconds(number);
  }
  return {};
}

bool IsOrAny(std::string_view pattern, std::string_view name) {
  return pattern == "*" || pattern == name;
}

}  // namespace

bool LineSelector::Matches(std::string_view line_from, std::string_view line_to) const {
  return (IsOrAny(from, line_from) && IsOrAny(to, line_to)) ||
         (both && IsOrAny(from, line_to) && IsOrAny(to, line_from));
}

Result<WanCommand> ParseWanCommand(std::string_view line) {
  const std::vector<std::string_view> words = Words(line);
  if (words.empty()) return Bad("nothing");
  WanCommand command;
  const VerbName* known = nullptr;
  for (const VerbName& each : kVerbs) {
    if (each.name == words[0]) known = &each;
  }
  if (known == nullptr) return Bad(fmt::format("\"{}\" is no command", words[0]));
  command.verb = known->verb;
  size_t used = 1;
  if (command.verb != Verb::kStatus) {
    if (words.size() < 2) return Bad(fmt::format("{}: which lines", words[0]));
    ASSIGN_OR_RETURN(command.lines, Selector(words[used++]));
  }
  if (command.verb == Verb::kStall) {
    if (words.size() < 3) return Bad("stall: how long");
    ASSIGN_OR_RETURN(const int64_t ms, Number(words[used++], 3'600'000));
    command.stall = milliseconds(ms);
  }
  if (command.verb == Verb::kSet) {
    if (words.size() < 3) return Bad("set: what");
    while (used < words.size()) RETURN_IF_ERROR(ReadSetting(words[used++], &command));
  }
  if (used < words.size()) return Bad(fmt::format("\"{}\" is too much", words[used]));
  return command;
}

}  // namespace homeport::wan
