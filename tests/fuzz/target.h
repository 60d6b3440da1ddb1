// FuzzTarget: something that takes bytes from a disk, a network or a person, and must bear any.
//
// A target fails by a CHECK or a sanitizer. What it accepts it also encodes again: what comes back
// must be the same.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace homeport::fuzz {

struct FuzzTarget {
  std::string_view name;  // also of its folder in tests/fuzz/corpus
  void (*run)(std::string_view bytes);
  // Inputs to begin with, made by our own encoders.
  std::vector<std::string> (*seeds)();
};

const std::vector<FuzzTarget>& AllTargets();
const FuzzTarget* FindTarget(std::string_view name);

// The tables.
std::vector<FuzzTarget> QueueTargets();         // queue_targets.cc
std::vector<FuzzTarget> LogTargets();           // log_targets.cc
std::vector<FuzzTarget> ClientTargets();        // client_targets.cc
std::vector<FuzzTarget> ApiTargets();           // api_targets.cc
std::vector<FuzzTarget> MessagingTargets();     // messaging_targets.cc
std::vector<FuzzTarget> CoordinationTargets();  // coordination_targets.cc

}  // namespace homeport::fuzz
