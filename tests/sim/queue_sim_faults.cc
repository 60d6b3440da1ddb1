// What goes wrong in a QueueSim, and what its clients do meanwhile.
#include <algorithm>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {

namespace {

const Note kPowerCut("every replica loses power at once");
const Note kOneWay("a link is cut one way only");
const Note kClogged("a link is clogged");
const Note kTrim("entries are trimmed");

}  // namespace

void QueueSim::FaultLater() {
  scheduler_.After(random_.Millis(1, 60), [this] {
    if (calm_) return;
    Fault();
    FaultLater();
  });
}

void QueueSim::AddFaults() {
  const FaultOptions& w = options_.faults;
  AddFault(w.crash, [this] { CrashReplica(); });
  AddFault(w.restart, [this] { RestartReplica(); });
  AddFault(w.cut, [this] { DisturbLinks(false); });
  AddFault(w.clog, [this] { DisturbLinks(true); });
  AddFault(w.new_writer, [this] { ReplaceWriter(); });
  AddFault(w.sleep, [this] { PutWriterToSleep(); });
  AddFault(w.full, [this] { AnyReplica().SetFull(random_.Chance(300)); });
  AddFault(w.slow, [this] { AnyReplica().SetSlow(random_.Chance(300)); });
  AddFault(w.bad_sync, [this] { AnyReplica().FailNextSync(true); });
  AddFault(w.reader, [this] { DisturbReader(); });
  AddFault(w.trim, [this] { Trim(); });
  AddFault(w.power, [this] { PowerCut(); });
  AddFault(options_.groups.group_fault, [this] { GroupFault(); });
  AddFault(options_.mend.disturb, [this] { DisturbMender(); });
  AddFault(options_.groups.change, [this] { ChangeGroups(); });
  AddFault(options_.restore.lose, [this] { LoseDisk(); });
  AddFault(options_.restore.kill_keeper, [this] { KillKeeper(); });
  AddFault(options_.damage.flip, [this] { FlipBit(); });
  AddFault(options_.damage.scrub, [this] { AnyReplica().Scrub(); });
  AddFault(options_.amnesia.copy, [this] { CopyDirectory(); });
  AddFault(options_.amnesia.put_back, [this] { PutBackDirectory(); });
}

void QueueSim::AddFault(uint64_t weight, std::function<void()> make) {
  fault_weights_ += weight;
  faults_.emplace_back(weight, std::move(make));
}

void QueueSim::Fault() {
  uint64_t chosen = random_.Below(fault_weights_);
  for (const auto& [weight, make] : faults_) {
    if (chosen < weight) return make();
    chosen -= weight;
  }
}

SimReplica& QueueSim::AnyReplica() {
  return *replicas_[random_.Below(replicas_.size())];
}

void QueueSim::CrashReplica() {
  SimReplica& replica = AnyReplica();
  if (!replica.up()) return;
  replica.Crash();
  if (random_.Chance(500)) {
    scheduler_.After(random_.Millis(1, 300), [this, &replica] {
      if (!replica.up() && !calm_) replica.Start();
    });
  }
}

// All replicas at once.
void QueueSim::PowerCut() {
  Log("fault: power cut");
  Reached(kPowerCut);
  for (const auto& replica : replicas_) replica->Crash();
  scheduler_.After(random_.Millis(1, 100), [this] {
    for (const auto& replica : replicas_) {
      if (!replica->up() && !calm_) replica->Start();
    }
  });
}

void QueueSim::RestartReplica() {
  SimReplica& replica = AnyReplica();
  if (!replica.up()) replica.Start();
}

void QueueSim::DisturbLinks(bool clog) {
  const size_t replica = random_.Below(replicas_.size());
  const core::Duration span = random_.Millis(5, 800);
  if (!clog && random_.Chance(300)) {
    Log("fault: replica {} is alone", replica);
    network_.Isolate(replica, span);
    return;
  }
  auto one = writers_.begin();
  std::advance(one, random_.Below(writers_.size()));
  const ProcessId process =
      random_.Chance(700) ? one->first : readers_[random_.Below(readers_.size())].id;
  const uint64_t ways = random_.Below(3);  // there, back, or both
  if (ways < 2 && !clog) Reached(kOneWay);
  for (const bool to_replica : {false, true}) {
    if (ways == (to_replica ? 1 : 0)) continue;
    const Link link{process, replica, to_replica};
    if (clog) {
      Reached(kClogged);
      Log("fault: process {} and replica {}: clogged, to the replica: {}", process, replica,
          to_replica);
      network_.Clog(link, span);
    } else {
      Log("fault: process {} and replica {}: cut, to the replica: {}", process, replica,
          to_replica);
      network_.Cut(link, span);
    }
  }
}

void QueueSim::PutWriterToSleep() {
  auto one = writers_.begin();
  std::advance(one, random_.Below(writers_.size()));
  Log("fault: writer {} stands still", one->first);
  one->second.asleep_until = scheduler_.now() + random_.Millis(10, 1500);
}

// The old writer dies, sleeps through it, or goes on and learns it the hard way.
void QueueSim::ReplaceWriter() {
  WriterProcess& old = writers_.rbegin()->second;
  const uint64_t fate = random_.Below(3);
  if (fate == 0) {
    Log("fault: writer {} dies", old.id);
    old.machine.reset();
  } else if (fate == 1) {
    old.asleep_until = scheduler_.now() + random_.Millis(10, 2000);
  }
  StartWriter();
}

void QueueSim::DisturbReader() {
  const size_t index = random_.Below(readers_.size());
  ReaderProcess& reader = readers_[index];
  switch (random_.Below(4)) {
    case 0:
      StartReader(index, Seq(1));
      break;
    case 1:
      StartReader(index, reader.next);
      break;
    case 2:
      StepReader(reader.id, quorum_queue::PauseReader{true});
      break;
    default:
      StepReader(reader.id, quorum_queue::PauseReader{false});
  }
}

void QueueSim::Trim() {
  WriterProcess& writer = writers_.rbegin()->second;
  if (!writer.active()) return;
  Seq through = writer.machine->Status().committed;
  // Mostly what the readers have; now and then more, so that one is too late.
  if (random_.Chance(900)) {
    for (const ReaderProcess& reader : readers_) through = std::min(through, reader.next - 1);
  }
  if (through <= trim_asked_) return;
  through = trim_asked_ + random_.Between(1, through - trim_asked_);
  Reached(kTrim);
  Log("fault: trim through {}", through);
  trim_asked_ = through;
  StepWriter(writer.id, quorum_queue::TrimThrough{through});
}

void QueueSim::ClientLater() {
  scheduler_.After(random_.Micros(200, 20000), [this] {
    if (calm_) return;
    for (auto& [id, writer] : writers_) {
      if (writer.machine && random_.Chance(700)) SubmitSome(&writer, random_.Between(1, 12));
    }
    ClientLater();
  });
}

void QueueSim::TickLater() {
  scheduler_.After(std::chrono::milliseconds(200), [this] {
    for (const auto& replica : replicas_) replica->Tick();
    LookAtDisks();
    TickLater();
  });
}

}  // namespace homeport::sim
