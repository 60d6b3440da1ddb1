#include "quorum_queue/mend_findings.h"

#include <utility>

namespace homeport::quorum_queue {

void MendFindings::Begin(const std::vector<Group>& groups) {
  look_ = Look();
  for (uint16_t g = 0; g < groups.size(); ++g) {
    if (groups[g].state == GroupState::kDraining) look_.not_drained[g] = 0;
  }
}

void MendFindings::AddPage(const std::vector<Group>& groups,
                           const std::map<ReplicaSlot, HoldingsAnswer>& answers, MendPlan plan) {
  look_.held_nowhere += plan.held_nowhere;
  for (auto group = look_.not_drained.begin(); group != look_.not_drained.end();) {
    const auto page = plan.not_drained.find(group->first);
    if (page == plan.not_drained.end()) {
      group = look_.not_drained.erase(group);
    } else {
      (group++)->second += page->second;
    }
  }
  for (uint16_t g = 0; g < groups.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      const ReplicaSlot replica{g, slot};
      const bool answered = answers.contains(replica);
      if (!answered) look_.silent.insert(replica);
      if (groups[g].state == GroupState::kDraining) continue;
      const HeldRuns lacking =
          answered ? plan.lacking[replica]
                   : Within(plan.wanted[g], lacking_[replica].known_through + 1, kSeqMax);
      Lack& lack = look_.lacking[replica];
      lack.entries += CountOf(lacking);
      lack.bytes += BytesOf(lacking);
    }
  }
}

bool MendFindings::End(core::Instant now, Seq settled) {
  for (auto& [replica, lack] : look_.lacking) {
    const Lack& before = lacking_[replica];
    lack.silent = look_.silent.contains(replica);
    lack.known_through = lack.silent ? before.known_through : settled;
    lack.known_entries = lack.silent ? before.known_entries : lack.entries;
    lack.known_bytes = lack.silent ? before.known_bytes : lack.bytes;
    if (lack.silent) {
      lack.entries += lack.known_entries;
      lack.bytes += lack.known_bytes;
    }
    if (lack.entries > 0) lack.since = before.since.value_or(now);
  }
  const bool is_alarm = look_.held_nowhere > 0 && held_nowhere_ == 0;
  lacking_ = std::exchange(look_.lacking, {});
  held_nowhere_ = look_.held_nowhere;
  not_drained_ = std::exchange(look_.not_drained, {});
  looked_ = true;
  return is_alarm;
}

}  // namespace homeport::quorum_queue
