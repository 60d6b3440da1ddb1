// Bugs of the replacing of a lost disk, all of them inside the machines.
#include "tests/sim/planted_bug.h"

namespace homeport::sim {

namespace {

constexpr std::string_view kDataLoss = "payload|lost|zombie|read|check|progress";

void DisksAreLost(QueueSimOptions* options) {
  options->restore.lose = 15;
  options->mend.on = false;  // it would mend what the bug leaves out
  options->amnesia = {};
  options->damage = {};
}

// Old writers go on while a disk is replaced.
void DisksAreLostUnderManyWriters(QueueSimOptions* options) {
  DisksAreLost(options);
  options->restore.lose = 30;
  options->faults.new_writer = 40;
  options->faults.cut = 40;
  options->faults_for = std::chrono::seconds(6);
}

}  // namespace

std::vector<PlantedBug> RestoreBugs() {
  return {
      {.name = "restore-from-one",
       .what = "a replaced disk gets what one of the two others holds",
       .seen_as = kDataLoss,
       .options = DisksAreLost},
      {.name = "recover-without-promise",
       .what = "the others show what they hold for a recovery, and promise nothing",
       .seen_as = kDataLoss,
       .options = DisksAreLostUnderManyWriters},
      {.name = "recovering-votes",
       .what = "a recovering replica takes part as if it were a full member",
       .seen_as = kDataLoss,
       .options = DisksAreLost},
      {.name = "restored-lower-chain",
       .what = "a restored replica gets the lower of the others' chains",
       .seen_as = kDataLoss,
       .options = DisksAreLost},
      {.name = "restored-too-early",
       .what = "a recovering replica is told that it has all after the first page",
       .seen_as = kDataLoss,
       .options = DisksAreLost},
  };
}

}  // namespace homeport::sim
