// WanCommand: what a WAN box is told at its control socket, one line each. README.md has the list.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/status.h"
#include "tests/wan/delay_line.h"

namespace homeport::wan {

// "sh>hk": one direction; "sh<>hk": both; "*" in place of a name: any region.
struct LineSelector {
  std::string from;
  std::string to;
  bool both = false;
  bool Matches(std::string_view line_from, std::string_view line_to) const;
};

struct WanCommand {
  enum class Verb : uint8_t {
    kStatus,
    kSet,
    kCut,    // the lines stand still until they are healed
    kStall,  // for so long
    kHeal,
    kReset,  // every connection over these lines is lost; new ones are taken
  };
  Verb verb = Verb::kStatus;
  LineSelector lines;
  Duration stall{};
  // Of kSet: what is to change.
  std::optional<Duration> delay;
  std::optional<Duration> jitter;
  std::optional<uint64_t> bits_per_s;
};

// kBadRequest, with what was expected.
core::Result<WanCommand> ParseWanCommand(std::string_view line);

}  // namespace homeport::wan
