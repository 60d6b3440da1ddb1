// Executed: what a user or group remembers of its last commands, so that one that comes again after
// it was answered is not executed again: in between somebody else may have changed the same.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"

namespace homeport::core {

struct ExecutedCommand {
  ClientMessageId once;
  DeviceNumber device;  // what was answered
  bool changed = false;
  bool operator==(const ExecutedCommand&) const = default;
};
// In their order, the oldest first.
using Executed = std::vector<ExecutedCommand>;

std::string EncodeExecuted(const Executed& commands);
// nullopt for bytes that are none.
std::optional<Executed> DecodeExecuted(std::string_view bytes);

}  // namespace homeport::core
