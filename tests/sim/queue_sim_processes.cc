// The processes of a QueueSim: writers and readers, their clocks and timers.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {

using core::Instant;
using quorum_queue::Writer;
using quorum_queue::WriterPhase;

namespace {

const Note kTakeover("a takeover completes");
const Note kTakeoverWithFill("a takeover has entries to fill");
const Note kWriterFenced("a writer is stopped by a newer one");
const Note kWindowFull("a submission is refused: the window is full");
const Note kReaderTrimmed("a reader learns that what it wants is trimmed");

}  // namespace

// ---- writers

QueueSim::WriterProcess* QueueSim::FindWriter(ProcessId id) {
  const auto found = writers_.find(id);
  return found == writers_.end() || !found->second.machine ? nullptr : &found->second;
}

bool QueueSim::WriterProcess::active() const {
  return machine && machine->Status().phase == WriterPhase::kActive;
}

QueueSim::WriterProcess* QueueSim::StartWriter() {
  record_ = quorum_queue::NextGrant(std::move(record_));
  quorum_queue::Grant grant{quorum_queue::MakeEpoch(record_.counter, random_.Next()),
                            record_.groups};
  if (options_.bug != nullptr && options_.bug->grant != nullptr) options_.bug->grant(this, &grant);
  WriterProcess writer;
  writer.groups = PlacesOf(grant.groups);
  writer.id = next_process_++;
  writer.epoch = grant.epoch;
  writer.clock = NewClock();
  quorum_queue::WriterOptions options = writer_options_;
  options.preferred_group = static_cast<uint16_t>(random_.Below(grant.groups.size()));
  writer.machine = std::make_unique<Writer>(options, grant);
  const ProcessId id = writer.id;
  Log("writer {} starts with epoch {:x}", id, writer.epoch);
  WriterProcess* started = &(writers_[id] = std::move(writer));
  WakeWriter(id);
  return started;
}

void QueueSim::WakeWriter(ProcessId id) {
  WriterProcess* writer = FindWriter(id);
  if (writer == nullptr) return;
  const auto deadline = writer->machine->NextDeadline();
  if (!deadline) return;
  const Instant at =
      std::max({writer->clock.True(*deadline), scheduler_.now(), writer->asleep_until});
  if (writer->wake_at && *writer->wake_at <= at) return;
  writer->wake_at = at;
  scheduler_.At(at, [this, id, at] {
    WriterProcess* one = FindWriter(id);
    if (one == nullptr || one->wake_at != at) return;
    one->wake_at.reset();
    StepWriter(id, quorum_queue::WriterTick{});
    one = FindWriter(id);
    const auto next = one == nullptr ? std::nullopt : one->machine->NextDeadline();
    if (next && *next <= one->clock.Local(at) && one->asleep_until <= at) {
      checker_.Fail("progress: a writer's timer is not served");
    }
  });
}

void QueueSim::StepWriter(ProcessId id, quorum_queue::WriterEvent event) {
  WriterProcess* writer = FindWriter(id);
  if (writer == nullptr) return;
  if (writer->asleep_until > scheduler_.now()) {
    // A process that sleeps sees it all when it wakes up.
    scheduler_.At(writer->asleep_until,
                  [this, id, event = std::move(event)] { StepWriter(id, event); });
    return;
  }
  std::vector<quorum_queue::WriterEffect> effects;
  writer->machine->Step(writer->clock.Local(scheduler_.now()), std::move(event), &effects);
  if (options_.bug != nullptr && options_.bug->writer_effects != nullptr) {
    options_.bug->writer_effects(this, id, &effects);
  }
  WatchDecision(writer);
  WatchGroups(writer);
  CheckWriterMemory(*writer);
  checker_.Committed(writer->machine->Status().committed);
  for (auto& effect : effects) OnWriterEffect(writer, std::move(effect));
  WakeWriter(id);
}

void QueueSim::WatchDecision(WriterProcess* writer) {
  const quorum_queue::WriterStatus status = writer->machine->Status();
  if (writer->decided || status.phase == WriterPhase::kFencing ||
      status.phase == WriterPhase::kStopped) {
    return;
  }
  writer->decided = true;
  writer->base = status.committed;
  const bool filling = status.phase == WriterPhase::kFilling;
  if (filling) Reached(kTakeoverWithFill);
  const Seq open = filling ? status.next : status.next - 1;
  Log("writer {} has decided to open at {}", writer->id, open);
  checker_.Decided(writer->epoch, open);
}

void QueueSim::OnWriterEffect(WriterProcess* writer, quorum_queue::WriterEffect effect) {
  if (auto* send = std::get_if<quorum_queue::SendToReplica>(&effect)) {
    const size_t replica = 3 * writer->groups[send->to.group] + send->to.slot;
    WatchFill(replica, send->request);
    SendRequest(writer->id, replica, std::move(send->request));
  } else if (const auto* opened = std::get_if<quorum_queue::OpenedEffect>(&effect)) {
    Reached(kTakeover);
    Log("writer {} opens at {}", writer->id, opened->open);
    writer->opened = opened->open;
    CheckOpened(*writer, opened->open);
    checker_.Opened(writer->epoch, opened->open);
  } else if (const auto* committed = std::get_if<quorum_queue::CommittedEffect>(&effect)) {
    Log("writer {} acknowledges through {}", writer->id, committed->committed);
    checker_.Acknowledged(writer->epoch, committed->committed, AllDisks());
  } else {
    const auto& stopped = std::get<quorum_queue::StoppedEffect>(effect);
    if (stopped.by <= writer->epoch) checker_.Fail("progress: a writer stopped for an older one");
    Reached(kWriterFenced);
    Log("writer {} stops, fenced by epoch {:x}", writer->id, stopped.by);
    writer->stopped = true;
  }
}

void QueueSim::SubmitSome(WriterProcess* writer, uint64_t entries) {
  if (!writer->active() || writer->asleep_until > scheduler_.now()) return;
  for (uint64_t i = 0; i < entries; ++i) {
    std::string payload = fmt::format("{:x}.{}", writer->epoch.value(), ++writer->submitted);
    const uint64_t kind = random_.Below(20);
    if (kind == 0) payload.clear();
    if (kind > 15) payload.append(random_.Below(writer_options_.entry_bytes_max - 40), '.');
    const auto seq = writer->machine->Submit(payload);
    if (!seq.ok()) {
      Reached(kWindowFull);
      break;
    }
    checker_.Submitted(writer->epoch, *seq, std::move(payload));
  }
  StepWriter(writer->id, quorum_queue::WriterFlush{});
}

// ---- readers

QueueSim::ReaderProcess* QueueSim::FindReader(ProcessId id) {
  for (ReaderProcess& reader : readers_) {
    if (reader.id == id) return &reader;
  }
  return nullptr;
}

void QueueSim::StartReader(size_t index, Seq from) {
  if (index >= readers_.size()) readers_.resize(index + 1);
  ReaderProcess reader;
  reader.id = next_process_++;
  reader.name = fmt::format("reader {}", reader.id);
  reader.from = reader.next = from;
  reader.clock = NewClock();
  Log("reader {} starts at {}", reader.id, from);
  for (size_t r = 0; r < replicas_.size(); ++r) {
    if (replicas_[r]->retired()) continue;
    const uint64_t place = random_.Below(reader.order.size() + 1);
    reader.order.insert(reader.order.begin() + static_cast<ptrdiff_t>(place), r);
  }
  quorum_queue::ReaderOptions options;
  options.stream = SimStream();
  options.session_base = next_session_ += 1000000;
  options.from = from;
  options.replicas = static_cast<uint8_t>(reader.order.size());
  options.credit_bytes = random_.Between(500, 5000);
  options.compress = random_.Chance(500);
  options.renew_after = std::chrono::milliseconds(50);
  options.silent_after = std::chrono::milliseconds(200);
  reader.machine = std::make_unique<quorum_queue::Reader>(options);
  const ProcessId id = reader.id;
  readers_[index] = std::move(reader);
  WakeReader(id);
}

void QueueSim::WakeReader(ProcessId id) {
  ReaderProcess* reader = FindReader(id);
  if (reader == nullptr) return;
  const auto deadline = reader->machine->NextDeadline();
  if (!deadline) return;
  const Instant at = std::max(reader->clock.True(*deadline), scheduler_.now());
  if (reader->wake_at && *reader->wake_at <= at) return;
  reader->wake_at = at;
  scheduler_.At(at, [this, id, at] {
    ReaderProcess* one = FindReader(id);
    if (one == nullptr || one->wake_at != at) return;
    one->wake_at.reset();
    StepReader(id, quorum_queue::ReaderTick{});
    one = FindReader(id);
    const auto next = one == nullptr ? std::nullopt : one->machine->NextDeadline();
    if (next && *next <= one->clock.Local(at)) {
      checker_.Fail("progress: a reader's timer is not served");
    }
  });
}

void QueueSim::StepReader(ProcessId id, quorum_queue::ReaderEvent event) {
  ReaderProcess* reader = FindReader(id);
  if (reader == nullptr) return;
  std::vector<quorum_queue::ReaderEffect> effects;
  reader->machine->Step(reader->clock.Local(scheduler_.now()), std::move(event), &effects);
  for (auto& effect : effects) OnReaderEffect(reader, std::move(effect));
  if (reader->trimmed) {
    // Begins anew where the log begins, as a bootstrap would.
    const size_t index = static_cast<size_t>(reader - readers_.data());
    StartReader(index, reader->next);
    return;
  }
  WakeReader(id);
}

void QueueSim::OnReaderEffect(ReaderProcess* reader, quorum_queue::ReaderEffect effect) {
  if (auto* send = std::get_if<quorum_queue::SendRead>(&effect)) {
    SendRequest(reader->id, reader->order[send->replica], send->read);
  } else if (const auto* deliver = std::get_if<quorum_queue::DeliverEffect>(&effect)) {
    Log("reader {} delivers {}..{} by epoch {:x}", reader->id, deliver->run.first,
        deliver->run.last(), deliver->run.epoch);
    checker_.Read(reader->name, reader->next, deliver->run);
    reader->next = deliver->run.last() + 1;
    delivered_ += deliver->run.count();
  } else if (const auto* gone = std::get_if<quorum_queue::TrimmedEffect>(&effect)) {
    if (reader->next > trim_asked_ || gone->first > trim_asked_ + 1) {
      checker_.Fail(fmt::format("lost: {} was told that {} is trimmed; asked was {}", reader->name,
                                reader->next.value(), trim_asked_.value()));
    }
    Reached(kReaderTrimmed);
    Log("reader {} learns that all before {} is trimmed", reader->id, gone->first);
    reader->next = gone->first;
    reader->trimmed = true;
  } else {
    const Seq seq = std::get<quorum_queue::HeldNowhereEffect>(effect).seq;
    checker_.Fail(fmt::format("lost: {} finds {} nowhere", reader->name, seq.value()));
  }
}

}  // namespace homeport::sim
