#include "quorum_queue/retire.h"

#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {
namespace {

using Members = std::vector<const HeldStream*>;  // of one group, those that answered

// The members of each group that stays.
std::vector<Members> Remaining(const std::vector<Group>& groups, GroupId retire,
                               const StreamEvidence& stream) {
  std::vector<Members> remaining;
  for (const Group& group : groups) {
    if (group.id == retire) continue;
    Members& members = remaining.emplace_back();
    for (const DiskId disk : group.disks) {
      const auto found = stream.held.find(disk);
      if (found != stream.held.end()) members.push_back(&found->second);
    }
  }
  return remaining;
}

// Two members of one group know on disk that the writer's Open is committed.
bool OpenIsKnown(const std::vector<Members>& remaining, const StreamEvidence& stream) {
  return std::any_of(remaining.begin(), remaining.end(), [&](const Members& members) {
    return std::count_if(members.begin(), members.end(), [&](const HeldStream* member) {
             return member->chain_epoch >= stream.writer && member->committed >= stream.open;
           }) >= 2;
  });
}

// The end of the run of `member` that has `seq`, as far as it is known to be committed and so
// valid; 0 when it has it not.
Seq HeldThrough(const HeldStream& member, Seq seq) {
  for (const RunInfo& run : member.runs) {
    const Seq known = HOMEPORT_PLANTED("retire-without-committed") ? kSeqMax : member.committed;
    if (run.first <= seq && seq - run.first < run.count && seq <= known) {
      return std::min(run.first + (run.count - 1), known);
    }
  }
  return Seq(0);
}

// The end of the entries from `seq` on that two members of one group hold.
Seq HeldTwice(const std::vector<Members>& remaining, Seq seq) {
  Seq best(0);
  for (const Members& members : remaining) {
    std::vector<Seq> ends;
    for (const HeldStream* member : members) ends.push_back(HeldThrough(*member, seq));
    std::sort(ends.rbegin(), ends.rend());
    if (ends.size() >= 2) best = std::max(best, ends[1]);
  }
  return best;
}

// What two members of one group know to be trimmed. Not what one knows, nor the group that goes:
// who looks for an entry must still be told that it is trimmed, or it is missed.
Seq TrimmedTwice(const std::vector<Members>& remaining) {
  Seq best(0);
  for (const Members& members : remaining) {
    std::vector<Seq> trimmed;
    for (const HeldStream* member : members) trimmed.push_back(member->trimmed);
    std::sort(trimmed.rbegin(), trimmed.rend());
    if (trimmed.size() >= 2) best = std::max(best, trimmed[1]);
  }
  return best;
}

std::optional<std::string> WhyNot(const std::vector<Group>& groups, const Group& group,
                                  const StreamEvidence& stream) {
  // The grant that the change itself answered with shows it already.
  if (stream.writer.value() >> kEpochRandomBits < group.drained_at &&
      !HOMEPORT_PLANTED("retire-without-new-writer")) {
    return "its writer may not know yet that the group is draining";
  }
  const std::vector<Members> remaining = Remaining(groups, group.id, stream);
  if (!OpenIsKnown(remaining, stream) && !HOMEPORT_PLANTED("retire-without-committed")) {
    return fmt::format("no other group has two replicas that know that {} is committed",
                       stream.open.value());
  }
  Seq trimmed = TrimmedTwice(remaining);
  if (HOMEPORT_PLANTED("retire-without-committed")) {
    for (const auto& [disk, held] : stream.held) trimmed = std::max(trimmed, held.trimmed);
  }
  for (Seq seq = trimmed + 1; seq <= stream.open && !HOMEPORT_PLANTED("retire-without-copies");) {
    const Seq through = HeldTwice(remaining, seq);
    if (through == Seq(0)) {
      return fmt::format("no other group has seq {} on two disks", seq.value());
    }
    seq = through + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> WhyNotRetire(const std::vector<Group>& groups, GroupId retire,
                                        const std::vector<StreamEvidence>& streams) {
  const auto group = std::find_if(groups.begin(), groups.end(),
                                  [&](const Group& one) { return one.id == retire; });
  if (group == groups.end()) return fmt::format("there is no group {}", retire.value());
  if (group->state != GroupState::kDraining) {
    return fmt::format("group {} is not draining", retire.value());
  }
  for (const StreamEvidence& stream : streams) {
    if (stream.writer == WriterEpoch(0)) {
      return fmt::format("stream {:#x} has no open writer", stream.stream.value());
    }
    if (const auto why = WhyNot(groups, *group, stream)) {
      return fmt::format("stream {:#x}: {}", stream.stream.value(), *why);
    }
  }
  return std::nullopt;
}

}  // namespace homeport::quorum_queue
