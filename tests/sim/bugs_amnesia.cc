// Bugs of recognising a directory that was put back from an old copy.
#include "tests/sim/planted_bug.h"

namespace homeport::sim {

namespace {

constexpr std::string_view kDataLoss = "payload|lost|zombie|read|check|disk";

void DirectoriesArePutBack(QueueSimOptions* options) {
  options->amnesia.on = true;
  options->amnesia.copy = 20;
  options->amnesia.put_back = 20;
  options->amnesia.look_every = std::chrono::milliseconds(50);
  options->amnesia.look_again = std::chrono::milliseconds(20);
  options->mend.on = false;  // it would mend what is forgotten
}

// Marks come late: what is forgotten is mostly younger than they are.
void LateMarks(QueueSimOptions* options) {
  DirectoriesArePutBack(options);
  options->amnesia.look_every = std::chrono::seconds(5);
  options->amnesia.copy = 60;
  options->amnesia.put_back = 60;
  options->faults.crash = 30;
  options->faults.cut = 60;
  options->faults.power = 0;
  options->faults_for = std::chrono::seconds(10);
  options->faults.restart = 60;
  options->faults.new_writer = 30;
  options->groups = {.at_first = 1,
                     .append_timeout = options->groups.append_timeout,
                     .return_after = options->groups.return_after};
}

}  // namespace

std::vector<PlantedBug> AmnesiaBugs() {
  return {
      {.name = "amnesiac-votes",
       .what = "a replica takes part before it is known whether its directory is an old copy",
       .seen_as = kDataLoss,
       .options = DirectoriesArePutBack},
      {.name = "lives-not-compared",
       .what = "a directory from before its process's last start is taken for the present one",
       .seen_as = kDataLoss,
       .options = LateMarks},
      {.name = "marks-not-compared",
       .what = "a directory without records that were on it in the same life is taken for whole",
       .seen_as = kDataLoss,
       .options = DirectoriesArePutBack},
      {.name = "admitted-before-stored",
       .what = "a replica is told to take part before its life is on the region's disk",
       .seen_as = "progress",
       .options = DirectoriesArePutBack},
  };
}

}  // namespace homeport::sim
