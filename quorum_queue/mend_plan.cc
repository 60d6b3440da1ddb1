#include "quorum_queue/mend_plan.h"

#include <algorithm>
#include <optional>

#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {
namespace {

class Planner {
 public:
  Planner(const std::vector<Group>& groups, const std::map<ReplicaSlot, HoldingsAnswer>& answers,
          Seq first, Seq last)
      : groups_(groups), answers_(answers), first_(first), last_(last) {
    for (const auto& [slot, answer] : answers_) {
      first_ = std::max(first_, answer.trimmed + 1);
      committed_ = std::max(committed_, answer.committed);
    }
    plan_.wanted.resize(groups.size());
  }

  MendPlan Plan() {
    for (const auto& [slot, answer] : answers_) held_[slot] = Within(answer.runs, first_, last_);
    for (uint16_t g = 0; g < groups_.size(); ++g) {
      for (const ReplicaSlot member : Answered(g)) Want(g, member, Known(member));
    }
    MoveDraining();
    for (const auto& [slot, held] : held_) {
      if (IsDraining(slot.group)) continue;
      plan_.lacking[slot] = Without(plan_.wanted[slot.group], held);
    }
    FindHeldNowhere();
    return std::move(plan_);
  }

 private:
  bool IsDraining(uint16_t group) const { return groups_[group].state == GroupState::kDraining; }
  std::vector<ReplicaSlot> Answered(uint16_t group) const {
    std::vector<ReplicaSlot> answered;
    for (uint8_t slot = 0; slot < 3; ++slot) {
      if (answers_.contains({group, slot})) answered.push_back({group, slot});
    }
    return answered;
  }

  // What `member` holds and knows to be committed.
  HeldRuns Known(ReplicaSlot member) const {
    return Within(held_.at(member), first_, answers_.at(member).committed);
  }

  // The committed entries of a group, whether the holder knows them to be or not. Of two members
  // one has each; what one alone does not have says nothing.
  std::optional<HeldRuns> Held(uint16_t group) const {
    const std::vector<ReplicaSlot> members = Answered(group);
    if (members.size() < 2) return std::nullopt;
    HeldRuns held;
    for (const ReplicaSlot member : members) held = Union(held, held_.at(member));
    return Within(held, first_, committed_);
  }

  // `group` should have `runs`, which `source` holds.
  void Want(uint16_t group, ReplicaSlot source, const HeldRuns& runs) {
    const HeldRuns more = Without(runs, plan_.wanted[group]);
    if (more.empty()) return;
    plan_.wanted[group] = Union(plan_.wanted[group], more);
    if (HOMEPORT_PLANTED("mender-asleep") || IsDraining(group))
      return;  // a copy more in it is of no use
    for (const ReplicaSlot target : Answered(group)) {
      for (const RunInfo& run : Without(more, held_.at(target))) {
        plan_.gaps.push_back({target, source, answers_.at(source).chain_epoch, run});
      }
    }
  }

  // Entries at 2 of 3 of a group.
  HeldRuns Durable(uint16_t group) const {
    HeldRuns durable;
    const std::vector<ReplicaSlot> members = Answered(group);
    for (size_t a = 0; a < members.size(); ++a) {
      for (size_t b = a + 1; b < members.size(); ++b) {
        durable = Union(durable, Common(held_.at(members[a]), held_.at(members[b])));
      }
    }
    return durable;
  }

  void MoveDraining() {
    std::optional<uint16_t> heir;
    HeldRuns durable;
    for (uint16_t g = 0; g < groups_.size(); ++g) {
      if (IsDraining(g)) continue;
      // Without two answers a group's entries cannot be known to be safe there.
      if (Answered(g).size() < 2) return;
      if (!heir) heir = g;
      durable = Union(durable, Durable(g));
    }
    if (!heir) return;
    for (uint16_t g = 0; g < groups_.size(); ++g) {
      if (!IsDraining(g)) continue;
      if (const auto held = Held(g)) {
        plan_.not_drained[g] = CountOf(Without(*held, durable));
      }
      for (const ReplicaSlot member : Answered(g)) {
        Want(*heir, member, Without(Known(member), durable));
      }
    }
  }

  void FindHeldNowhere() {
    if (answers_.size() < 3 * groups_.size()) return;
    HeldRuns any;
    for (const auto& [slot, held] : held_) any = Union(any, held);
    plan_.held_nowhere = CountMissing(any, first_, std::min(last_, committed_));
  }

  const std::vector<Group>& groups_;
  const std::map<ReplicaSlot, HoldingsAnswer>& answers_;
  Seq first_;
  const Seq last_;
  Seq committed_;
  std::map<ReplicaSlot, HeldRuns> held_;
  MendPlan plan_;
};

}  // namespace

MendPlan PlanMend(const std::vector<Group>& groups,
                  const std::map<ReplicaSlot, HoldingsAnswer>& answers, Seq first, Seq last) {
  return Planner(groups, answers, first, last).Plan();
}

}  // namespace homeport::quorum_queue
