// Lost disks in a QueueSim: a replica gets an empty one, its old process may go on for a while, and
// a keeper has it restored from the two others.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using core::Instant;
using quorum_queue::Restorer;

namespace {

const Note kDiskLost("a disk is lost and replaced");
const Note kGhost("the old process of a lost disk goes on");
const Note kKeeperDies("the keeper dies while it restores a replica");
const Note kRestored("a replica is restored");
const Note kReplacedTwice("a disk is lost again before it is restored");

}  // namespace

// One of a group at a time: two would be a loss of data by definition. A recovering one may be lost
// again.
void QueueSim::LoseDisk() {
  const auto& group = record_.groups[random_.Below(record_.groups.size())];
  const size_t index = 3 * PlaceOf(group) + random_.Below(3);
  if (!OthersAreWhole(index) || !MayLose(index)) return;
  SimReplica& place = *replicas_[index];
  Reached(place.recovering() ? kReplacedTwice : kDiskLost);
  // Not of a recovering one: the keeper's one connection reaches one process at its endpoint, and
  // two that both ask to be restored would take turns for ever.
  if (place.up() && !place.recovering() && random_.Chance(400)) {
    Reached(kGhost);
    Log("fault: the old process of replica {} goes on", index);
    scheduler_.After(random_.Millis(10, 3000), [ghost = &place] { ghost->Crash(); });
    GiveNewDisk(index, next_process_ - 1);
  } else {
    place.Crash();
    GiveNewDisk(index, 0);  // kept for what still refers to it
  }
}

bool QueueSim::OthersAreWhole(size_t index) const {
  for (size_t r = index / 3 * 3; r < index / 3 * 3 + 3; ++r) {
    if (r != index && (replicas_[r]->recovering() || replicas_[r]->forgot())) return false;
  }
  return true;
}

// Where bits flip, an entry may be on the two others only: they lose nothing.
bool QueueSim::MayLose(size_t index) const {
  return options_.damage.flip == 0 || index % 3 == (options_.seed + index / 3) % 3;
}

void QueueSim::FlipBit() {
  const size_t index = random_.Below(replicas_.size());
  SimReplica& replica = *replicas_[index];
  if (MayLose(index) && !replica.retired() && !replica.gave_up()) replica.Damage();
}

// Those that may not start, or not go on, with what they have get empty directories.
void QueueSim::LookAtDisks() {
  for (size_t index = 0; index < replicas_.size(); ++index) {
    if (calm_) replicas_[index]->Scrub();
    for (const Note* note : replicas_[index]->TakeNotes()) Reached(*note);
    if (replicas_[index]->gave_up() && !replicas_[index]->retired()) GiveNewDisk(index, 0);
  }
}

// What was there goes on as a ghost, for those processes that know it.
void QueueSim::GiveNewDisk(size_t index, ProcessId known_to) {
  std::unique_ptr<SimReplica>& place = replicas_[index];
  SimReplicaOptions options = place->options();
  options.disk = core::DiskId(next_disk_++);
  options.recovering = true;
  options.clock = NewClock();
  Log("replica {} gets a new disk, {}", index, options.disk);
  ghosts_.push_back({index, known_to, std::move(place)});
  place = std::make_unique<SimReplica>(
      options, &scheduler_, &random_, &checker_, &log_,
      [this, index](quorum_queue::ReplicaPeer to, quorum_queue::ReplicaAnswer answer) {
        SendAnswer(index, to, std::move(answer));
      });
  if (calm_ || random_.Chance(700)) place->Start();
}

// Those who were connected before the disk was lost still reach the old process.
void QueueSim::DeliverToGhosts(ProcessId from, size_t replica,
                               const quorum_queue::ReplicaRequest& request) {
  for (Ghost& ghost : ghosts_) {
    if (ghost.index == replica && from <= ghost.known_to) {
      ghost.replica->Receive(quorum_queue::ReplicaPeer(from), request);
    }
  }
}

void QueueSim::StartKeeper() {
  if (options_.restore.lose == 0 && !options_.amnesia.on && options_.damage.flip == 0) return;
  keeper_ = KeeperProcess();
  keeper_.id = next_process_++;
  keeper_.clock = NewClock();
  quorum_queue::RestorerOptions options;
  options.streams = {SimStream()};
  options.look_every = options_.restore.look_every;
  options.give_up_after = 4 * options_.restore.look_every;
  options.ask_again_after = options_.restore.ask_again_after;
  keeper_.machine = std::make_unique<Restorer>(options);
  quorum_queue::AdmitterOptions admission;
  admission.lives = lives_;
  admission.look_every = options_.amnesia.look_every;
  admission.look_again = options_.amnesia.look_again;
  if (options_.amnesia.on) {
    keeper_.admitter = std::make_unique<quorum_queue::Admitter>(admission);
  }
  Log("keeper {} starts", keeper_.id);
  TellKeeperTheGroups();
  if (random_.Chance(300)) StepKeeper(TakeKeepersGrant());
}

quorum_queue::GrantTaken QueueSim::TakeKeepersGrant() {
  record_ = quorum_queue::NextGrant(std::move(record_));
  return {{quorum_queue::MakeEpoch(record_.counter, random_.Next()), record_.groups}};
}

void QueueSim::TellKeeperTheGroups() {
  if (!keeper_.machine) return;
  keeper_.groups = PlacesOf(record_.groups);
  StepKeeper(quorum_queue::RestorerGroups{record_.groups});
  StepAdmitter(quorum_queue::AdmitterGroups{record_.groups});
}

void QueueSim::StepKeeper(quorum_queue::RestorerEvent event) {
  if (!keeper_.machine) return;
  std::vector<quorum_queue::RestorerEffect> effects;
  keeper_.machine->Step(keeper_.clock.Local(scheduler_.now()), std::move(event), &effects);
  std::optional<quorum_queue::NeedGrant> need;
  for (auto& effect : effects) {
    if (auto* send = std::get_if<quorum_queue::RestorerSend>(&effect)) {
      SendRequest(keeper_.id, 3 * keeper_.groups[send->to.group] + send->to.slot,
                  std::move(send->request));
    } else if (const auto* grant = std::get_if<quorum_queue::NeedGrant>(&effect)) {
      need = *grant;
    } else {
      const auto& restored = std::get<quorum_queue::ReplicaRestored>(effect);
      Log("keeper: replica {} is restored, with {} entries", restored.replica.slot,
          restored.entries);
      Reached(kRestored);
    }
  }
  WakeKeeper();
  if (!need) return;
  if (need->replace) {
    const auto id =
        quorum_queue::GroupId(static_cast<uint32_t>(keeper_.groups[need->replica.group] + 1));
    auto changed = quorum_queue::WithDisk(record_, id, need->replica.slot, need->disk);
    if (!changed.ok()) return;  // the group is gone
    record_ = std::move(changed).value();
    TellMenderTheGroups();
    StepAdmitter(quorum_queue::AdmitterGroups{record_.groups});
  }
  StepKeeper(TakeKeepersGrant());
}

void QueueSim::WakeKeeper() {
  const auto deadline = keeper_.machine->NextDeadline();
  if (!deadline) return;
  const Instant at = std::max(keeper_.clock.True(*deadline), scheduler_.now());
  if (keeper_.wake_at && *keeper_.wake_at <= at) return;
  keeper_.wake_at = at;
  scheduler_.At(at, [this, id = keeper_.id, at] {
    if (keeper_.id != id || keeper_.wake_at != at) return;
    keeper_.wake_at.reset();
    StepKeeper(quorum_queue::RestorerTick{});
    const auto next = keeper_.machine->NextDeadline();
    if (keeper_.id == id && next && *next <= keeper_.clock.Local(at)) {
      checker_.Fail("progress: the keeper's timer is not served");
    }
  });
}

void QueueSim::KillKeeper() {
  if (!keeper_.machine) return;
  if (keeper_.machine->Status().phase != quorum_queue::RestorePhase::kWatching) {
    Reached(kKeeperDies);
  }
  StartKeeper();
}

bool QueueSim::AllAreWhole() const {
  return std::all_of(replicas_.begin(), replicas_.end(), [](const auto& replica) {
    if (replica->retired()) return true;
    return !replica->recovering() && (replica->up() ? replica->admitted() : !replica->forgot());
  });
}

}  // namespace homeport::sim
