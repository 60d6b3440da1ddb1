// Amnesiacs in a QueueSim: a replica's directory is put back from an old copy of itself, and the
// keeper finds out before it takes part.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using core::Instant;
using quorum_queue::AdmissionNote;
using quorum_queue::DiskLife;

namespace {

constexpr size_t kCopiesMax = 10;  // that are kept, of all replicas

const Note kAdmitted("a replica is admitted");
const Note kOldLife("a directory is put back from before its process started last");
const Note kOldRecords("a directory is put back from after its process started last");
const Note kGivesUp("an amnesiac gives up its directory");
const Note kWaits("an amnesiac waits for another replica to take part");
const Note kStoreFails("a region cannot store the lives of its replicas");

}  // namespace

void QueueSim::CopyDirectory() {
  size_t index = random_.Below(replicas_.size());
  // Mostly of one that is down, as backups are made.
  for (size_t r = 0; r < replicas_.size(); ++r) {
    if (!replicas_[r]->up() && random_.Chance(500)) index = r;
  }
  const SimReplica& replica = *replicas_[index];
  if (replica.retired() || replica.forgot()) return;
  Log("fault: the directory of replica {} is copied, through record {}", index, replica.synced());
  if (copies_.size() < kCopiesMax) {
    copies_.emplace_back(index, replica.CopyDirectory());
  } else {
    copies_[random_.Below(copies_.size())] = {index, replica.CopyDirectory()};
  }
}

// Only what the protocol promises to recognise: a copy from before the last life that took part, or
// one of that life with less than the keeper has marked.
void QueueSim::PutBackDirectory() {
  if (copies_.empty()) return;
  const auto& [index, copy] = copies_[random_.Below(copies_.size())];
  SimReplica& replica = *replicas_[index];
  if (copy.disk != replica.disk() || replica.forgot() || replica.retired() ||
      !OthersAreWhole(index) || !MayLose(index)) {
    return;
  }
  const bool old_life = copy.life != replica.life();
  const auto known = std::find_if(lives_.begin(), lives_.end(),
                                  [&](const DiskLife& life) { return life.disk == copy.disk; });
  const bool below_mark =
      known != lives_.end() && known->admitted == copy.life && copy.synced < known->mark;
  if (old_life ? !replica.took_part() : !below_mark) return;
  Reached(old_life ? kOldLife : kOldRecords);
  replica.Crash();
  Log("fault: the directory of replica {} is put back: life {}, record {}", index, copy.life.number,
      copy.synced);
  replica.PutBack(copy);
  if (random_.Chance(700)) replica.Start();
}

// ---- the keeper's part

void QueueSim::StepAdmitter(quorum_queue::AdmitterEvent event) {
  if (!keeper_.admitter) return;
  std::vector<quorum_queue::AdmitterEffect> effects;
  keeper_.admitter->Step(keeper_.clock.Local(scheduler_.now()), std::move(event), &effects);
  bool recognised = false;
  std::optional<quorum_queue::StoreLives> store;
  for (auto& effect : effects) {
    if (auto* send = std::get_if<quorum_queue::AdmitterSend>(&effect)) {
      SendRequest(keeper_.id, 3 * keeper_.groups[send->to.group] + send->to.slot,
                  std::move(send->request));
    } else if (auto* lives = std::get_if<quorum_queue::StoreLives>(&effect)) {
      store = std::move(*lives);
    } else {
      const auto& note = std::get<quorum_queue::AdmitterNote>(effect);
      Log("keeper: group {} slot {}: admission note {}", note.replica.group, note.replica.slot,
          note.note);
      if (note.note == AdmissionNote::kAdmitted) Reached(kAdmitted);
      if (note.note == AdmissionNote::kGivesUp) Reached(kGivesUp);
      if (note.note == AdmissionNote::kGivesUp) recognised = false;
      if (note.note == AdmissionNote::kAmnesiac) recognised = true;
      if (note.note == AdmissionNote::kStoreIsOlder) {
        checker_.Fail("progress: a replica is ahead of what the region remembers of it");
      }
    }
  }
  if (recognised) Reached(kWaits);
  WakeAdmitter();
  if (store) StoreLives(std::move(store->lives));
}

void QueueSim::StoreLives(std::vector<DiskLife> lives) {
  const bool fails = !calm_ && random_.Chance(50);
  if (fails) Reached(kStoreFails);
  if (!fails || random_.Chance(500)) lives_ = std::move(lives);
  StepAdmitter(quorum_queue::LivesStored{!fails});
}

void QueueSim::WakeAdmitter() {
  const auto deadline = keeper_.admitter->NextDeadline();
  if (!deadline) return;
  const Instant at = std::max(keeper_.clock.True(*deadline), scheduler_.now());
  if (keeper_.admitter_wakes_at && *keeper_.admitter_wakes_at <= at) return;
  keeper_.admitter_wakes_at = at;
  scheduler_.At(at, [this, id = keeper_.id, at] {
    if (keeper_.id != id || keeper_.admitter_wakes_at != at) return;
    keeper_.admitter_wakes_at.reset();
    StepAdmitter(quorum_queue::AdmitterTick{});
    const auto next = keeper_.admitter->NextDeadline();
    if (keeper_.id == id && next && *next <= keeper_.clock.Local(at)) {
      checker_.Fail("progress: the admitter's timer is not served");
    }
  });
}

}  // namespace homeport::sim
