// Bugs of what is done about damaged records.
#include "tests/sim/planted_bug.h"
#include "tests/sim/sim_replica.h"

namespace homeport::sim {

namespace {

void BitsFlip(QueueSimOptions* options) {
  options->damage.flip = 40;
  options->damage.scrub = 10;
}

void BitsFlipAboveCommitted(QueueSimOptions* options) {
  options->damage.flip = 150;
  options->damage.scrub = 150;
  options->faults.new_writer = 30;
  options->faults.cut = 30;
  options->faults.crash = 20;
}

}  // namespace

std::vector<PlantedBug> DamageBugs() {
  return {
      {.name = "damage-served",
       .what = "a replica gives out what its disk has, without a look at checksums",
       .seen_as = "payload|check|read",
       .options = BitsFlip,
       .replica_options = [](size_t, SimReplicaOptions* o) { o->serve_damaged = true; }},
      {.name = "doubt-ignored",
       .what = "fences are answered though entries above committed may have been lost",
       .seen_as = "payload|lost|zombie|read|check|mend",
       .options = BitsFlipAboveCommitted},
  };
}

}  // namespace homeport::sim
