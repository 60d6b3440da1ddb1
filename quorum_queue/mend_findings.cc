#include "quorum_queue/mend_findings.h"

#include <utility>

namespace homeport::quorum_queue {

namespace {

void Add(const HeldRuns& runs, uint64_t* entries, uint64_t* bytes) {
  *entries += CountOf(runs);
  *bytes += BytesOf(runs);
}

}  // namespace

void MendFindings::Begin(const std::vector<Group>& groups) {
  look_ = Look();
  for (uint16_t g = 0; g < groups.size(); ++g) {
    if (groups[g].state == GroupState::kDraining) look_.not_drained[g] = 0;
  }
}

void MendFindings::AddPage(const std::vector<Group>& groups,
                           const std::map<ReplicaSlot, HoldingsAnswer>& answers, MendPlan plan) {
  if (!plan.held_nowhere) look_.held_nowhere.reset();
  if (look_.held_nowhere) *look_.held_nowhere += *plan.held_nowhere;
  for (auto group = look_.not_drained.begin(); group != look_.not_drained.end();) {
    const auto page = plan.not_drained.find(group->first);
    if (page == plan.not_drained.end()) {
      group = look_.not_drained.erase(group);
    } else {
      (group++)->second += page->second;
    }
  }
  for (uint16_t g = 0; g < groups.size(); ++g) {
    int answered = 0;
    for (uint8_t slot = 0; slot < 3; ++slot) answered += answers.contains({g, slot}) ? 1 : 0;
    for (uint8_t slot = 0; slot < 3; ++slot) {
      const ReplicaSlot replica{g, slot};
      const bool is_silent = !answers.contains(replica);
      if (is_silent) look_.silent.insert(replica);
      look_.has_all_groups &= answered >= 2;
      if (is_silent || answered < 2) look_.unjudged.insert(replica);
      if (groups[g].state == GroupState::kDraining) continue;
      Lack& lack = look_.lacking[replica];
      Add(plan.lacking[replica], &lack.known_entries, &lack.known_bytes);
      Add(Within(is_silent ? plan.wanted[g] : plan.lacking[replica],
                 lacking_[replica].known_through + 1, kSeqMax),
          &lack.entries, &lack.bytes);
    }
  }
}

bool MendFindings::End(core::Instant now, Seq settled) {
  for (auto& [replica, lack] : look_.lacking) {
    const Lack& before = lacking_[replica];
    lack.silent = look_.silent.contains(replica);
    if (look_.unjudged.contains(replica)) {
      lack.known_through = before.known_through;
      lack.known_entries = before.known_entries;
      lack.known_bytes = before.known_bytes;
      lack.entries += lack.known_entries;
      lack.bytes += lack.known_bytes;
    } else {
      lack.known_through = settled;
      lack.entries = lack.known_entries;
      lack.bytes = lack.known_bytes;
    }
    if (lack.entries > 0) lack.since = before.since.value_or(now);
  }
  const uint64_t nowhere = look_.held_nowhere.value_or(held_nowhere_);
  const bool is_alarm = nowhere > 0 && held_nowhere_ == 0;
  lacking_ = std::exchange(look_.lacking, {});
  held_nowhere_ = nowhere;
  not_drained_ = std::exchange(look_.not_drained, {});
  looked_ |= look_.has_all_groups;
  return is_alarm;
}

}  // namespace homeport::quorum_queue
