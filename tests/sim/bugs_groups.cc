// Bugs with several groups.
#include "tests/sim/planted_bug.h"
#include "tests/sim/queue_sim.h"

namespace homeport::sim {
namespace {

void TwoGroupsThatFail(QueueSimOptions* o) {
  o->groups.at_first = 2;
  o->groups.group_fault = 30;
}

void GroupsThatChange(QueueSimOptions* o) {
  o->groups.at_first = 2;
  o->groups.change = 40;
  o->groups.group_fault = 10;
}

// The group list of a grant is read before a group was added, and its number taken after.
void StaleGrant(QueueSim*, quorum_queue::Grant* grant) {
  if (grant->groups.size() < 2 || grant->epoch.value() % 2 == 0) return;
  if (grant->groups.back().state == quorum_queue::GroupState::kActive &&
      grant->groups.front().state == quorum_queue::GroupState::kActive) {
    grant->groups.pop_back();
  }
}

void OneGroupThatChanges(QueueSimOptions* o) {
  o->groups.at_first = 1;
  o->groups.change = 40;
  o->faults.trim = 20;
  o->mend.on = false;  // a mender's copies rest on trimmed coming with the chain
}

// Groups that were added hear of committed and trimmed only when faults are over, not even with
// Open: the check for retirement must not rest on news.
bool LateNews(QueueSim* sim, ProcessId, size_t replica, quorum_queue::ReplicaRequest* request) {
  auto* append = std::get_if<quorum_queue::Append>(request);
  if (append != nullptr && replica >= 3 && !sim->calm()) {
    append->committed = append->trimmed = core::Seq(0);
  }
  return false;
}

// A writer does not look at what is draining.
void DrainingUnseen(QueueSim*, quorum_queue::Grant* grant) {
  for (quorum_queue::Group& group : grant->groups) {
    group.state = quorum_queue::GroupState::kActive;
  }
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
      {.name = "grant-without-the-added-group",
       .what = "a grant has a newer number than an added group, and does not show it",
       .seen_as = "payload|lost|zombie|read|check|progress",
       .options = GroupsThatChange,
       .grant = StaleGrant},
      {.name = "append-in-a-draining-group",
       .what = "writers use a group though their grant says that it is draining",
       .seen_as = "payload|lost|zombie|read|check|progress",
       .options = GroupsThatChange,
       .grant = DrainingUnseen},
      {.name = "retire-without-new-writer",
       .what = "a group is retired though a writer that appends to it goes on",
       .seen_as = "payload|lost|zombie|read|check|progress",
       .options = GroupsThatChange},
      {.name = "retire-without-committed",
       .what = "a group is retired though it alone knows what is committed and trimmed",
       .seen_as = "payload|lost|zombie|read|check|progress",
       .options = OneGroupThatChanges,
       .request = LateNews},
      {.name = "retire-without-copies",
       .what = "a group is retired before its entries are elsewhere",
       .seen_as = "payload|lost|zombie|read|check|progress",
       .options = GroupsThatChange},
      {.name = "resend-the-last-only",
       .what = "a writer that changes group resends only the last batch",
       .seen_as = "progress",
       .options = TwoGroupsThatFail},
  };
}

}  // namespace homeport::sim
