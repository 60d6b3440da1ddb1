// Bugs inside the machines: where HOMEPORT_PLANTED(name) stands in quorum_queue.
#include "tests/sim/planted_bug.h"

namespace homeport::sim {

std::vector<PlantedBug> MachineBugs() {
  return {
      {.name = "fill-skipped",
       .what = "a takeover opens without filling what it found above base",
       .seen_as = "payload|lost|zombie|read|check|progress"},
      {.name = "chain-check-left-out",
       .what = "a takeover takes any entry it finds, valid under the chain or not",
       .seen_as = "payload|lost|zombie|read|check"},
      {.name = "commit-past-a-gap",
       .what = "committed follows the last durable batch, though one before it is not durable",
       .seen_as = "payload|lost|zombie|read|check"},
      {.name = "stale-entries-kept",
       .what = "a replica that adopts a newer chain keeps the entries it makes invalid",
       .seen_as = "payload|lost|zombie|read|check"},
      {.name = "window-ignored",
       .what = "a writer takes more than its window while nothing commits",
       .seen_as = "memory"},
      {.name = "credit-ignored",
       .what = "a replica sends a reader all there is, whatever it has room for",
       .seen_as = "memory"},
      {.name = "answers-kept",
       .what = "a replica's last answer of a sync waits for the next one",
       .seen_as = "memory"},
      {.name = "subscriptions-kept",
       .what = "a replica keeps the subscriptions of all readers there ever were",
       .seen_as = "memory"},
      {.name = "stragglers-kept",
       .what = "a writer keeps all that a dead replica lacks",
       .seen_as = "memory"},
  };
}

}  // namespace homeport::sim
