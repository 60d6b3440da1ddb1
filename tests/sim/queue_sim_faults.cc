// What goes wrong in a QueueSim, what is made wrong on purpose, and how it ends.
#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/codec.h"
#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using core::Instant;
using quorum_queue::Append;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaPeer;
using quorum_queue::ReplicaRequest;
using quorum_queue::WriterPhase;

namespace {

constexpr core::Duration kSettleMax = std::chrono::seconds(20);

}  // namespace

void QueueSim::ChooseWeather() {
  const auto one_of = [this](std::initializer_list<uint64_t> values) {
    return *(values.begin() + random_.Below(values.size()));
  };
  weather_.loss = one_of({0, 0, 10, 100});
  weather_.duplicates = one_of({0, 0, 20, 200});
  weather_.late = one_of({0, 0, 5, 50});
  weather_.ordered = random_.Chance(600);
  weather_.codec = random_.Chance(250);
  weather_.crash = one_of({0, 5, 20});
  weather_.restart = one_of({20, 60});
  weather_.cut = one_of({0, 10, 30});
  weather_.new_writer = one_of({2, 10, 30});
  weather_.sleep = one_of({0, 5, 20});
  weather_.full = one_of({0, 0, 5});
  weather_.slow = one_of({0, 5});
  weather_.reader = one_of({0, 5, 10});
  weather_.trim = one_of({0, 5, 10});
  weather_.power = one_of({0, 0, 4});
}

void QueueSim::FaultLater() {
  scheduler_.After(random_.Millis(1, 60), [this] {
    if (calm_) return;
    Fault();
    FaultLater();
  });
}

void QueueSim::Fault() {
  const Weather& w = weather_;
  const std::pair<uint64_t, std::function<void()>> faults[] = {
      {w.crash, [this] { CrashReplica(); }},
      {w.restart,
       [this] {
         SimReplica& replica = *replicas_[random_.Below(replicas_.size())];
         if (!replica.up()) replica.Start();
       }},
      {w.cut, [this] { CutLinks(); }},
      {w.new_writer, [this] { ReplaceWriter(); }},
      {w.sleep,
       [this] {
         auto one = writers_.begin();
         std::advance(one, random_.Below(writers_.size()));
         one->second.asleep_until = scheduler_.now() + random_.Millis(10, 1500);
       }},
      {w.full,
       [this] { replicas_[random_.Below(replicas_.size())]->SetFull(random_.Chance(300)); }},
      {w.slow,
       [this] { replicas_[random_.Below(replicas_.size())]->SetSlow(random_.Chance(300)); }},
      {w.reader, [this] { DisturbReader(); }},
      {w.trim, [this] { Trim(); }},
      {w.power, [this] { PowerCut(); }},
  };
  uint64_t sum = 0;
  for (const auto& fault : faults) sum += fault.first;
  uint64_t chosen = random_.Below(sum);
  for (const auto& [weight, make] : faults) {
    if (chosen < weight) {
      make();
      return;
    }
    chosen -= weight;
  }
}

void QueueSim::CrashReplica() {
  SimReplica& replica = *replicas_[random_.Below(replicas_.size())];
  if (!replica.up()) return;
  ++result_.crashes;
  replica.Crash();
  if (random_.Chance(500)) {
    scheduler_.After(random_.Millis(1, 300), [this, &replica] {
      if (!replica.up() && !calm_) replica.Start();
    });
  }
}

// All replicas at once.
void QueueSim::PowerCut() {
  for (const auto& replica : replicas_) {
    result_.crashes += replica->up();
    replica->Crash();
  }
  scheduler_.After(random_.Millis(1, 100), [this] {
    for (const auto& replica : replicas_) {
      if (!replica->up() && !calm_) replica->Start();
    }
  });
}

void QueueSim::CutLinks() {
  const size_t replica = random_.Below(replicas_.size());
  const core::Duration span = random_.Millis(5, 800);
  if (random_.Chance(300)) {
    isolated_.insert(replica);
    scheduler_.After(span, [this, replica] { isolated_.erase(replica); });
    return;
  }
  auto one = writers_.begin();
  std::advance(one, random_.Below(writers_.size()));
  const ProcessId process =
      random_.Chance(700) ? one->first : readers_[random_.Below(readers_.size())].id;
  const auto link = std::pair(process, replica);
  cuts_.insert(link);
  scheduler_.After(span, [this, link] { cuts_.erase(link); });
}

// The old writer dies, sleeps through it, or goes on and learns it the hard way.
void QueueSim::ReplaceWriter() {
  WriterProcess& old = writers_.rbegin()->second;
  const uint64_t fate = random_.Below(3);
  if (fate == 0) {
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
  ++result_.trims;
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
    TickLater();
  });
}

// ---- the end

// Heals everything, but for one replica per group perhaps, for ever. Zombies stay.
void QueueSim::Calm() {
  calm_ = true;
  cuts_.clear();
  isolated_.clear();
  for (auto& [id, writer] : writers_) {
    writer.asleep_until = std::min(writer.asleep_until, scheduler_.now());
    WakeWriter(id);
  }
  for (const auto& replica : replicas_) {
    replica->SetFull(false);
    replica->SetSlow(false);
    if (!replica->up()) replica->Start();
  }
  for (size_t group = 0; group < grant_.groups.size(); ++group) {
    if (!random_.Chance(500)) continue;
    const size_t replica = 3 * group + random_.Below(3);
    replicas_[replica]->Crash();
    down_for_good_.insert(replica);
  }
  if (random_.Chance(500) || writers_.rbegin()->second.stopped ||
      !writers_.rbegin()->second.machine) {
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

bool QueueSim::Settle() {
  const auto failed = [this] { return checker_.violation().has_value(); };
  const auto within = [&](const std::function<bool()>& done) {
    const Instant end = scheduler_.now() + kSettleMax;
    return scheduler_.RunUntil(end, [&] { return failed() || done(); }) && !failed();
  };
  const auto late = [&](std::string_view what) {
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
  };
  WriterProcess* last = &writers_.rbegin()->second;
  if (!within([&] { return last->active() || last->stopped; })) return late("no takeover");
  // A writer may have been fenced already by one that is dead: then the next one must do.
  if (last->stopped) last = StartWriter();
  if (!within([&] { return last->active(); })) return late("no takeover");
  for (int i = 0; i < 5; ++i) {
    SubmitSome(last, 4);
    if (!within([&] { return last->machine->Status().window_bytes == 0; }))
      return late("no commit");
  }
  for (const ReaderProcess& reader : readers_) {
    StepReader(reader.id, quorum_queue::PauseReader{false});
  }
  if (!within([this] { return IsQuiet(); })) return late("not all is known and read");
  // A fresh reader finds all that was acknowledged.
  const Seq from = trim_asked_ + 1;
  StartReader(0, from);
  if (!within([this] { return IsQuiet(); })) return late("a fresh reader does not come to the end");
  checker_.AllRead(from, readers_[0].next, trim_asked_);
  return true;
}

// ---- planted bugs

bool QueueSim::PlantInRequest(ProcessId from, size_t replica, ReplicaRequest* request) {
  if (options_.bug == PlantedBug::kCommittedTooEarly) {
    if (auto* append = std::get_if<Append>(request)) {
      if (!append->run.empty()) append->committed = append->run.last();
    }
  }
  if (options_.bug == PlantedBug::kUnkeptPromise && replica == 0 && replicas_[0]->up()) {
    if (const auto* fence = std::get_if<quorum_queue::Fence>(request)) {
      const DiskImage& image = replicas_[0]->image();
      quorum_queue::FenceAnswer answer{fence->stream,
                                       fence->epoch,
                                       replicas_[0]->disk(),
                                       image.chain(),
                                       image.committed(),
                                       image.trimmed(),
                                       {}};
      for (const auto& [seq, entry] : image.entries()) {
        if (seq <= image.committed()) continue;
        EntryRun run;
        run.first = seq;
        run.epoch = entry.epoch;
        run.sizes = {static_cast<uint32_t>(entry.payload.size())};
        run.checksum = quorum_queue::BodyChecksum(entry.payload);
        run.body = core::SharedBytes(entry.payload);
        answer.runs.push_back(std::move(run));
      }
      SendAnswer(0, ReplicaPeer(from), std::move(answer));
      return true;
    }
  }
  return false;
}

bool QueueSim::PlantInAnswer(size_t replica, ReplicaPeer to, ReplicaAnswer* answer) {
  auto* stored = std::get_if<quorum_queue::Stored>(answer);
  auto* fence = std::get_if<quorum_queue::FenceAnswer>(answer);
  auto* read = std::get_if<quorum_queue::ReadAnswer>(answer);
  if (options_.bug == PlantedBug::kQuorumOfOne && stored != nullptr && replica == 0) {
    quorum_queue::Stored forged = *stored;
    forged.disk = replicas_[1]->disk();
    Transmit(to.value(), 1, false, [this, to, forged] { DeliverAnswer(1, to.value(), forged); });
  }
  if (options_.bug == PlantedBug::kForgetfulFence && fence != nullptr && replica == 0) {
    fence->chain.clear();
    fence->committed = fence->trimmed = Seq(0);
    fence->runs.clear();
  }
  if (options_.bug == PlantedBug::kPageForWhole && fence != nullptr) fence->through = Seq(0);
  if (options_.bug == PlantedBug::kPayloadChanged && read != nullptr && replica == 1) {
    for (EntryRun& run : read->runs) {
      if (run.body.empty()) continue;
      std::string body(run.body.view());
      body.back() ^= 1;
      run.checksum = quorum_queue::BodyChecksum(body);
      run.body = core::SharedBytes(std::move(body));
    }
  }
  return options_.bug == PlantedBug::kDeafInTheEnd && calm_ && stored != nullptr;
}

}  // namespace homeport::sim
