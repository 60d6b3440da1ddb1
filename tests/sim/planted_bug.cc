#include "tests/sim/planted_bug.h"

#include <algorithm>

#include "core/check.h"

namespace homeport::sim {

const std::vector<PlantedBug>& AllBugs() {
  static const std::vector<PlantedBug> bugs = [] {
    std::vector<PlantedBug> all;
    for (const auto& table : {MessageBugs(), MachineBugs(), GroupBugs(), MendBugs(), RestoreBugs(),
                              AmnesiaBugs(), DamageBugs()}) {
      all.insert(all.end(), table.begin(), table.end());
    }
    std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    for (size_t i = 1; i < all.size(); ++i) {
      CHECK(all[i - 1].name != all[i].name, "a bug has a name of its own", all[i].name);
    }
    return all;
  }();
  return bugs;
}

const PlantedBug* FindBug(std::string_view name) {
  for (const PlantedBug& bug : AllBugs()) {
    if (bug.name == name) return &bug;
  }
  return nullptr;
}

}  // namespace homeport::sim
