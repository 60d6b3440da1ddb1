// The mender of a QueueSim: one process for all groups, that may die at any moment and knows
// nothing then.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using core::Instant;
using quorum_queue::Mender;

namespace {

const Note kMended("the mender fills in what a replica lacked");
const Note kMendFenced("the mender is fenced");
const Note kMendGivesUp("the mender gives up, for now");

}  // namespace

void QueueSim::StartMender() {
  const MendDraw& draw = options_.mend;
  if (!draw.on) return;
  mender_ = MenderProcess();
  mender_.id = next_process_++;
  mender_.clock = NewClock();
  quorum_queue::MenderOptions options;
  options.streams = {SimStream()};
  options.session_base = next_session_ += 1000000;
  options.ask_every = draw.ask_every;
  options.answer_timeout = draw.answer_timeout;
  options.grace = draw.grace;
  options.look_at_all_every = 5 * draw.ask_every;
  options.bytes_per_s = draw.bytes_per_s;
  options.busy_bytes_per_s = draw.bytes_per_s / 10;
  mender_.machine = std::make_unique<Mender>(options);
  Log("mender {} starts", mender_.id);
  TellMenderTheGroups();
}

void QueueSim::StepMender(quorum_queue::MenderEvent event) {
  if (!mender_.machine) return;
  std::vector<quorum_queue::MenderEffect> effects;
  mender_.machine->Step(mender_.clock.Local(scheduler_.now()), std::move(event), &effects);
  for (auto& effect : effects) {
    if (auto* send = std::get_if<quorum_queue::MenderSend>(&effect)) {
      SendRequest(mender_.id, 3 * mender_.groups[send->to.group] + send->to.slot,
                  std::move(send->request));
    } else {
      const auto& note = std::get<quorum_queue::MenderNote>(effect);
      if (note.kind == "mend_fenced") Reached(kMendFenced);
      if (note.kind.substr(0, 5) == "mend_") Reached(kMendGivesUp);
    }
  }
  const uint64_t mended = mender_.machine->Status().mended_entries;
  if (mended > mender_.mended) Reached(kMended);
  mender_.mended = mended;
  WakeMender();
}

void QueueSim::WakeMender() {
  const auto deadline = mender_.machine->NextDeadline();
  if (!deadline) return;
  const Instant at = std::max(mender_.clock.True(*deadline), scheduler_.now());
  if (mender_.wake_at && *mender_.wake_at <= at) return;
  mender_.wake_at = at;
  scheduler_.At(at, [this, id = mender_.id, at] {
    if (mender_.id != id || mender_.wake_at != at) return;
    mender_.wake_at.reset();
    StepMender(quorum_queue::MenderTick{});
    const auto next = mender_.machine->NextDeadline();
    if (next && *next <= mender_.clock.Local(at)) {
      checker_.Fail("progress: the mender's timer is not served");
    }
  });
}

// Kills it and starts the next, or says that appends are, or are no longer, more important.
void QueueSim::DisturbMender() {
  if (!mender_.machine) return;
  if (random_.Chance(500)) {
    StartMender();
  } else {
    StepMender(quorum_queue::Foreground{random_.Chance(500)});
  }
}

// What the mender is told to be stored is on the disk, and stays there: see DiskImage.
void QueueSim::WatchMended(size_t replica, const quorum_queue::ReplicaAnswer& answer) {
  const auto* stored = std::get_if<quorum_queue::Stored>(&answer);
  if (stored == nullptr || stored->count == 0) return;
  if (stored->disk != replicas_[replica]->disk()) return;  // of a ghost
  replicas_[replica]->NoteMended(stored->first, stored->count);
}

// Every replica that is up, of a group that stays, has what the others of its group have, as far as
// it is committed. What any replica of the world knows to be trimmed is not mended.
std::string QueueSim::WhoLacks() const {
  Seq trimmed;
  for (const auto& replica : replicas_) {
    if (replica->up()) trimmed = std::max(trimmed, replica->image().trimmed());
  }
  for (const quorum_queue::Group& one : record_.groups) {
    if (one.state == quorum_queue::GroupState::kDraining) continue;
    const size_t group = PlaceOf(one);
    std::map<Seq, WriterEpoch> all;
    for (size_t r = 3 * group; r < 3 * group + 3; ++r) {
      const DiskImage& image = replicas_[r]->image();
      if (!replicas_[r]->up()) continue;
      for (const auto& [seq, entry] : image.entries()) {
        if (seq <= image.committed()) all[seq] = entry.epoch;
      }
    }
    for (size_t r = 3 * group; r < 3 * group + 3; ++r) {
      if (!replicas_[r]->up()) continue;
      for (const auto& [seq, epoch] : all) {
        if (seq <= trimmed || replicas_[r]->image().Holds(seq, epoch)) continue;
        return fmt::format("replica {} lacks {} of epoch {:x}", r, seq.value(), epoch.value());
      }
    }
  }
  return "";
}

}  // namespace homeport::sim
