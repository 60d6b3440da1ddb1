// Bugs with several groups.
#include "tests/sim/planted_bug.h"

namespace homeport::sim {
namespace {

void TwoGroupsThatFail(QueueSimOptions* o) {
  o->groups.at_first = 2;
  o->groups.group_fault = 30;
}

}  // namespace

std::vector<PlantedBug> GroupBugs() {
  return {
      {.name = "copies-over-groups",
       .what = "one copy in each of two groups counts as two",
       .seen_as = "payload|lost|zombie|read|check|progress",
       .options = TwoGroupsThatFail},
      {.name = "open-away-from-fill",
       .what = "a writer that changes group while opening sends Open there without Fill",
       .seen_as = "disk",
       .options = TwoGroupsThatFail},
      {.name = "resend-the-last-only",
       .what = "a writer that changes group resends only the last batch",
       .seen_as = "progress",
       .options = TwoGroupsThatFail},
  };
}

}  // namespace homeport::sim
