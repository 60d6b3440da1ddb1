// Several groups in a QueueSim: faults that hit a whole group, and what its writers do about them.
#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/codec.h"
#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using quorum_queue::Fill;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaPeer;

namespace {

constexpr ProcessId kCopier = 0;       // a process that is neither writer nor reader
constexpr size_t kGroupsBuiltMax = 5;  // in one world
constexpr uint64_t kCopiesMax = 40;    // at a time

const Note kAdded("a group is added");
const Note kDrained("a group begins to drain");
const Note kRetired("a group is retired");
const Note kNotYet("a group cannot be retired yet");
const Note kCopied("an entry is copied out of a group that drains");
const Note kChangedMeanwhile("the groups change between the look and the removal");
const Note kOldGrant("a writer opens without knowing of the latest change of groups");
const Note kGroupFault("two replicas of a group fail together");
const Note kSwitch("a writer changes to another group");
const Note kSwitchBeforeOpen("a writer changes to another group before Open commits");
const Note kReturn("a writer returns to its preferred group");
const Note kLateCommit("an entry becomes durable in a group that was left");
const Note kFillFromElsewhere("a takeover fills what only another group holds");

}  // namespace

quorum_queue::Group QueueSim::BuildGroup() {
  quorum_queue::Group group;
  for (core::DiskId& disk : group.disks) {
    const size_t r = replicas_.size();
    SimReplicaOptions replica;
    replica.index = r;
    replica.disk = disk = core::DiskId(100 + r);
    replica.segment_records = random_.Between(20, options_.segment_records);
    replica.fence_page_runs = options_.fence_page_runs;
    replica.subscriptions_max = options_.subscriptions_max;
    replica.check_disk = options_.check_disks;
    replica.needs_admission = options_.amnesia.on;
    replica.clock = NewClock();
    replica.bug = options_.bug;
    if (options_.bug != nullptr && options_.bug->replica_options != nullptr) {
      options_.bug->replica_options(r, &replica);
    }
    replicas_.push_back(std::make_unique<SimReplica>(
        replica, &scheduler_, &random_, &checker_, &log_,
        [this, r](ReplicaPeer to, ReplicaAnswer answer) { SendAnswer(r, to, std::move(answer)); }));
  }
  return group;
}

std::vector<size_t> QueueSim::PlacesOf(const std::vector<quorum_queue::Group>& groups) {
  std::vector<size_t> places;
  for (const quorum_queue::Group& group : groups) places.push_back(PlaceOf(group));
  return places;
}

std::optional<quorum_queue::ReplicaSlot> QueueSim::SlotOf(const std::vector<size_t>& groups,
                                                          size_t replica) {
  const auto group = std::find(groups.begin(), groups.end(), replica / 3);
  if (group == groups.end()) return std::nullopt;
  return quorum_queue::ReplicaSlot{static_cast<uint16_t>(group - groups.begin()),
                                   static_cast<uint8_t>(replica % 3)};
}

void QueueSim::TellMenderTheGroups() {
  if (!mender_.machine) return;
  mender_.groups = PlacesOf(record_.groups);
  StepMender(quorum_queue::GroupsChanged{record_.groups});
}

// ---- the record

void QueueSim::ChangeGroups() {
  const auto active =
      std::count_if(record_.groups.begin(), record_.groups.end(),
                    [](const auto& g) { return g.state == quorum_queue::GroupState::kActive; });
  const bool may_add = replicas_.size() < 3 * kGroupsBuiltMax;
  if (may_add && (active == 1 || random_.Chance(400))) {
    AddGroup();
  } else if (active > 1) {
    DrainGroup();
  } else {
    return;
  }
  // Mostly the operator has the writers know it at once.
  if (random_.Chance(700)) ReplaceWriter();
}

void QueueSim::AddGroup() {
  quorum_queue::Group group = BuildGroup();
  for (size_t r = replicas_.size() - 3; r < replicas_.size(); ++r) replicas_[r]->Start();
  // Readers know the replicas before anything can be committed there.
  for (size_t i = 0; i < readers_.size(); ++i) StartReader(i, readers_[i].next);
  record_ = quorum_queue::WithGroup(std::move(record_), std::move(group)).value();
  TellKeeperTheGroups();
  TellMenderTheGroups();
  Reached(kAdded);
  Log("group {} is added, number {}", record_.last_group.value(), record_.counter);
}

void QueueSim::DrainGroup() {
  const auto& group = record_.groups[random_.Below(record_.groups.size())];
  if (group.state == quorum_queue::GroupState::kDraining) return;
  const quorum_queue::GroupId id = group.id;
  record_ = quorum_queue::WithDraining(std::move(record_), id).value();
  TellKeeperTheGroups();
  TellMenderTheGroups();
  Reached(kDrained);
  Log("group {} begins to drain, number {}", id.value(), record_.counter);
  RetireLater(id);
}

void QueueSim::RetireLater(quorum_queue::GroupId group) {
  scheduler_.After(random_.Millis(1, 60), [this, group] {
    if (calm_) return;
    TryToRetire(group);
  });
}

void QueueSim::TryToRetire(quorum_queue::GroupId group) {
  const quorum_queue::StreamEvidence evidence = GatherEvidence();
  if (const auto why = quorum_queue::WhyNotRetire(record_.groups, group, {evidence})) {
    Reached(kNotYet);
    if (!mender_.machine) CopyForRetirement(evidence);
    RetireLater(group);
    return;
  }
  // What was seen is some time ago when the record is changed.
  scheduler_.After(random_.Millis(0, 40), [this, group, seen = record_.groups] {
    if (!calm_) RemoveGroup(group, seen);
  });
}

void QueueSim::RemoveGroup(quorum_queue::GroupId group,
                           const std::vector<quorum_queue::Group>& seen) {
  auto removed = quorum_queue::WithoutGroup(record_, group, seen);
  if (!removed.ok()) {
    Reached(kChangedMeanwhile);
    RetireLater(group);
    return;
  }
  record_ = std::move(removed).value();
  TellKeeperTheGroups();
  TellMenderTheGroups();
  Reached(kRetired);
  Log("group {} is retired, number {}", group.value(), record_.counter);
  const size_t first = 3 * (group.value() - 1);
  for (size_t r = first; r < first + 3; ++r) replicas_[r]->Retire();
}

quorum_queue::StreamEvidence QueueSim::GatherEvidence() const {
  quorum_queue::StreamEvidence evidence;
  evidence.stream = SimStream();
  for (const auto& [id, writer] : writers_) {
    if (!writer.opened) continue;
    evidence.writer = writer.epoch;
    evidence.open = *writer.opened;
  }
  for (const auto& replica : replicas_) {
    if (!replica->up() || replica->recovering()) continue;
    const DiskImage& image = replica->image();
    quorum_queue::HeldStream& held = evidence.held[replica->disk()];
    held = {LastEpoch(image.chain()), image.committed(), image.trimmed(), {}};
    for (const auto& [seq, entry] : image.entries()) held.runs.push_back({seq, 1, entry.epoch});
  }
  return evidence;
}

// In place of a mender: fills what stands in a draining group into an active one.
void QueueSim::CopyForRetirement(const quorum_queue::StreamEvidence& evidence) {
  const auto target = std::find_if(record_.groups.begin(), record_.groups.end(), [](const auto& g) {
    return g.state == quorum_queue::GroupState::kActive;
  });
  uint64_t copies = 0;
  for (const quorum_queue::Group& group : record_.groups) {
    if (group.state == quorum_queue::GroupState::kActive) continue;
    for (size_t r = 3 * PlaceOf(group); r < 3 * PlaceOf(group) + 3; ++r) {
      const DiskImage& image = replicas_[r]->image();
      for (const auto& [seq, entry] : image.entries()) {
        if (seq > image.committed() || copies >= kCopiesMax) break;
        for (size_t to = 3 * PlaceOf(*target); to < 3 * PlaceOf(*target) + 3; ++to) {
          if (replicas_[to]->image().Holds(seq, entry.epoch)) continue;
          EntryRun run;
          run.first = seq;
          run.epoch = entry.epoch;
          run.sizes = {static_cast<uint32_t>(entry.payload.size())};
          run.checksum = quorum_queue::BodyChecksum(entry.payload);
          run.body = core::SharedBytes(entry.payload);
          SendRequest(kCopier, to, Fill{evidence.stream, LastEpoch(image.chain()), std::move(run)});
          Reached(kCopied);
          ++copies;
        }
      }
    }
  }
}

// A writer that still wants a group that is gone to answer would wait for ever, and a reader that
// follows a replica of a group that no writer knows yet learns nothing.
bool QueueSim::LastWriterKnowsTheGroups() const {
  return PlacesOf(record_.groups) == writers_.rbegin()->second.groups;
}

// ---- faults

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
  if (now.phase == quorum_queue::WriterPhase::kActive && seen.phase != now.phase &&
      !LastWriterKnowsTheGroups()) {
    Reached(kOldGrant);
  }
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
// open]. A disk that replaces a lost one, and has not got everything yet, may be one of the two.
void QueueSim::CheckOpened(const WriterProcess& writer, Seq open) {
  if (!options_.check_disks) return;
  for (size_t first = 0; first < replicas_.size(); first += 3) {
    const DiskImage* announced = nullptr;
    size_t know = 0;
    for (size_t r = first; r < first + 3; ++r) {
      know += replicas_[r]->image().recovering();
      if (LastEpoch(replicas_[r]->image().chain()) < writer.epoch) continue;
      announced = &replicas_[r]->image();
      ++know;
    }
    bool holds = know >= 2 && announced != nullptr;
    for (Seq seq = writer.base + 1; holds && seq <= open; ++seq) {
      size_t copies = 0;
      for (size_t r = first; r < first + 3; ++r) {
        const DiskImage& image = replicas_[r]->image();
        copies += image.recovering() || image.Held(seq, EpochAt(announced->chain(), seq));
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
