// How a QueueSim ends: faults stop, everything heals, and within a bound all must be well.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using core::Instant;

namespace {

constexpr core::Duration kSettleMax = std::chrono::seconds(20);
constexpr int kShutOutMax = 10;  // writers, one after the other, once faults are over

const Note kDownForGood("a replica stays dead when faults are over");

}  // namespace

// Heals everything, but for one replica per group perhaps, for ever. Zombies stay.
void QueueSim::Calm() {
  calm_ = true;
  Log("calm: faults are over");
  network_.Calm();
  for (auto& [id, writer] : writers_) {
    writer.asleep_until = std::min(writer.asleep_until, scheduler_.now());
    WakeWriter(id);
  }
  // Else a reader could stay with one for ever: it answers, and knows of nothing new.
  for (Ghost& ghost : ghosts_) ghost.replica->Crash();
  if (mender_.machine) StepMender(quorum_queue::Foreground{false});
  for (const auto& replica : replicas_) {
    replica->SetFull(false);
    replica->SetSlow(false);
    replica->FailNextSync(false);
    if (!replica->up()) replica->Start();
  }
  for (const quorum_queue::Group& group : record_.groups) {
    if (!random_.Chance(500)) continue;
    const size_t first = 3 * PlaceOf(group);
    // One that has lost its memory needs both others.
    if (!OthersAreWhole(first) || !OthersAreWhole(first + 1)) continue;
    const size_t replica = first + random_.Below(3);
    if (!MayLose(replica)) continue;
    replicas_[replica]->Crash();
    Reached(kDownForGood);
  }
  if (random_.Chance(500) || writers_.rbegin()->second.stopped ||
      !writers_.rbegin()->second.machine || !LastWriterKnowsTheGroups()) {
    StartWriter();
  }
}

// The last writer committed all, every replica that is up knows, and the readers have it.
bool QueueSim::IsQuiet() {
  const WriterProcess& last = writers_.rbegin()->second;
  if (!last.active()) return false;
  const quorum_queue::WriterStatus status = last.machine->Status();
  if (status.committed + 1 != status.next) return false;
  for (const auto& replica : replicas_) {
    if (replica->up() && replica->committed() < status.committed) return false;
  }
  return std::all_of(readers_.begin(), readers_.end(),
                     [&](const ReaderProcess& reader) { return reader.next == status.next; });
}

bool QueueSim::TellWhoIsLate(std::string_view what) {
  const auto status = writers_.rbegin()->second.machine->Status();
  std::string text =
      fmt::format("progress: {}; the last writer: phase {}, committed {}, next {}", what,
                  static_cast<int>(status.phase), status.committed.value(), status.next.value());
  for (const auto& replica : replicas_) {
    text += fmt::format("; a replica: up {}, committed {}, trimmed {}", replica->up(),
                        replica->committed().value(), replica->image().trimmed().value());
  }
  for (const ReaderProcess& reader : readers_) {
    const auto at = reader.machine->Status();
    text += fmt::format("; a reader: next {}, at replica {}", at.next.value(),
                        reader.order[at.replica]);
  }
  checker_.Fail(std::move(text));
  return false;
}

bool QueueSim::Settle() {
  const auto failed = [this] { return checker_.violation().has_value(); };
  const auto within = [&](const std::function<bool()>& done) {
    const Instant end = scheduler_.now() + kSettleMax;
    return scheduler_.RunUntil(end, [&] { return failed() || done(); }) && !failed();
  };
  if (!within([this] { return AllAreWhole(); })) return TellWhoIsLate("not restored");
  WriterProcess* last = &writers_.rbegin()->second;
  // A writer may have been fenced by one that is dead, or by a keeper whose messages are late: then
  // the next one must do.
  const auto takes_over = [&] {
    for (int i = 0; i < kShutOutMax; ++i) {
      if (!within([&] { return last->active() || last->stopped; })) return false;
      if (!last->stopped) return true;
      last = StartWriter();
    }
    return false;
  };
  if (!takes_over()) return TellWhoIsLate("no takeover");
  for (int i = 0; i < 5; ++i) {
    SubmitSome(last, 4);
    const auto done = [&] { return last->stopped || last->machine->Status().window_bytes == 0; };
    if (!within(done)) return TellWhoIsLate("no commit");
    if (!last->stopped) continue;
    // It was idle and did not know that a keeper had shut it out.
    if (!takes_over()) return TellWhoIsLate("no takeover");
  }
  for (const ReaderProcess& reader : readers_) {
    StepReader(reader.id, quorum_queue::PauseReader{false});
  }
  // A writer that a keeper had shut out may learn of it only now.
  const auto is_quiet = [this] {
    if (writers_.rbegin()->second.stopped) StartWriter();
    return IsQuiet();
  };
  if (!within(is_quiet)) return TellWhoIsLate("not all is known and read");
  // A fresh reader finds all that was acknowledged.
  const Seq from = trim_asked_ + 1;
  StartReader(0, from);
  if (!within(is_quiet)) return TellWhoIsLate("a fresh reader does not come to the end");
  // One that was replaced learns of it, though nobody asks it to write, unless those it would ask
  // were switched off with their group.
  const auto all_know = [&] {
    return std::all_of(writers_.begin(), writers_.end(), [&](const auto& item) {
      const WriterProcess& one = item.second;
      if (&one == &writers_.rbegin()->second || !one.machine || one.stopped) return true;
      return std::all_of(one.groups.begin(), one.groups.end(),
                         [&](size_t group) { return replicas_[3 * group]->retired(); });
    });
  };
  if (!within(all_know)) return TellWhoIsLate("an old writer does not learn of the new one");
  if (mender_.machine && !within([this] { return WhoLacks().empty(); })) {
    checker_.Fail("mend: the members of a group do not become equal: " + WhoLacks());
  }
  checker_.End(from, readers_[0].next, trim_asked_, AllDisks());
  return true;
}

}  // namespace homeport::sim
