// Several groups in a QueueSim: faults that hit a whole group, and what its writers do about them.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using quorum_queue::Fill;

namespace {

const Note kGroupFault("two replicas of a group fail together");
const Note kSwitch("a writer changes to another group");
const Note kSwitchBeforeOpen("a writer changes to another group before Open commits");
const Note kReturn("a writer returns to its preferred group");
const Note kLateCommit("an entry becomes durable in a group that was left");
const Note kFillFromElsewhere("a takeover fills what only another group holds");

}  // namespace

// Two replicas of one group, at least, so that it can store nothing.
void QueueSim::GroupFault() {
  const size_t group = random_.Below(replicas_.size() / 3);
  const uint64_t kind = random_.Below(4);
  const size_t spared = random_.Below(4);  // 3: none
  const core::Duration span = random_.Millis(50, 1500);
  Reached(kGroupFault);
  Log("fault: group {} fails, but for slot {}; kind {}", group, spared, kind);
  for (size_t slot = 0; slot < 3; ++slot) {
    if (slot == spared) continue;
    const size_t index = 3 * group + slot;
    SimReplica& replica = *replicas_[index];
    if (kind == 0) {
      if (replica.up()) replica.Crash();
    } else if (kind == 1) {
      network_.Isolate(index, span);
    } else if (kind == 2) {
      replica.SetSlow(true);
    } else {
      replica.SetFull(true);
    }
    scheduler_.After(span, [this, &replica] {
      if (calm_) return;
      if (!replica.up()) replica.Start();
      replica.SetSlow(false);
      replica.SetFull(false);
    });
  }
}

void QueueSim::WatchGroups(WriterProcess* writer) {
  const quorum_queue::WriterStatus now = writer->machine->Status();
  const quorum_queue::WriterStatus& seen = writer->seen;
  if (now.switches > seen.switches) Reached(kSwitch);
  if (now.switches_before_open > seen.switches_before_open) Reached(kSwitchBeforeOpen);
  if (now.returns > seen.returns) Reached(kReturn);
  if (now.late_commits > seen.late_commits) Reached(kLateCommit);
  if (now.group != seen.group) Log("writer {} goes on in group {}", writer->id, now.group);
  writer->seen = now;
}

void QueueSim::WatchFill(size_t replica, const quorum_queue::ReplicaRequest& request) {
  const auto* fill = std::get_if<Fill>(&request);
  if (fill == nullptr) return;
  const size_t first = replica / 3 * 3;
  const auto has = [&](const auto& one) {
    return one->image().Holds(fill->run.first, fill->run.epoch);
  };
  const auto group = replicas_.begin() + static_cast<ptrdiff_t>(first);
  if (std::none_of(group, group + 3, has)) Reached(kFillFromElsewhere);
}

// When Open is committed, one group has the chain it ends with on two disks, and each of (base,
// open].
void QueueSim::CheckOpened(const WriterProcess& writer, Seq open) {
  if (!options_.check_disks) return;
  for (size_t first = 0; first < replicas_.size(); first += 3) {
    const DiskImage* announced = nullptr;
    size_t know = 0;
    for (size_t r = first; r < first + 3; ++r) {
      if (LastEpoch(replicas_[r]->image().chain()) < writer.epoch) continue;
      announced = &replicas_[r]->image();
      ++know;
    }
    bool holds = know >= 2;
    for (Seq seq = writer.base + 1; holds && seq <= open; ++seq) {
      size_t copies = 0;
      for (size_t r = first; r < first + 3; ++r) {
        copies += replicas_[r]->image().Holds(seq, EpochAt(announced->chain(), seq));
      }
      holds = copies >= 2;
    }
    if (holds) return;
  }
  checker_.Fail(fmt::format("disk: {:x} opened at {}, and no group has {} .. {} on two disks",
                            writer.epoch.value(), open.value(), writer.base.value() + 1,
                            open.value()));
}

}  // namespace homeport::sim
