#include "tests/fuzz/target.h"

namespace homeport::fuzz {

const std::vector<FuzzTarget>& AllTargets() {
  static const std::vector<FuzzTarget> all = [] {
    std::vector<FuzzTarget> targets;
    for (const auto& table : {QueueTargets(), LogTargets(), ClientTargets(), ApiTargets(),
                              MessagingTargets(), CoordinationTargets()}) {
      targets.insert(targets.end(), table.begin(), table.end());
    }
    return targets;
  }();
  return all;
}

const FuzzTarget* FindTarget(std::string_view name) {
  for (const FuzzTarget& target : AllTargets()) {
    if (target.name == name) return &target;
  }
  return nullptr;
}

}  // namespace homeport::fuzz
