#include "tests/sim/queue_sim.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "quorum_queue/codec.h"

namespace homeport::sim {

using core::Duration;
using core::Instant;
using quorum_queue::Append;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaPeer;
using quorum_queue::ReplicaRequest;
using quorum_queue::Writer;
using quorum_queue::WriterPhase;

namespace {

const core::StreamId kSimStream(core::Incarnation(1), core::ShardId(0));

}  // namespace

bool QueueSim::WriterProcess::active() const {
  return machine && machine->Status().phase == WriterPhase::kActive;
}

void QueueSim::Trace(uint64_t a, uint64_t b, uint64_t c) {
  for (const uint64_t x :
       {static_cast<uint64_t>(scheduler_.now().time_since_epoch().count()), a, b, c}) {
    result_.trace = (result_.trace ^ x) * 0x100000001B3u + (result_.trace >> 29);
  }
}

std::vector<const DiskImage*> QueueSim::Disks() const {
  std::vector<const DiskImage*> disks;
  for (const auto& replica : replicas_) disks.push_back(&replica->image());
  return disks;
}

// ---- writers

QueueSim::WriterProcess* QueueSim::FindWriter(ProcessId id) {
  const auto found = writers_.find(id);
  return found == writers_.end() || !found->second.machine ? nullptr : &found->second;
}

QueueSim::WriterProcess* QueueSim::StartWriter() {
  quorum_queue::Grant grant = grant_;
  grant.epoch = quorum_queue::MakeEpoch(++counter_, random_.Next());
  WriterProcess writer;
  writer.id = next_process_++;
  writer.epoch = grant.epoch;
  writer.machine = std::make_unique<Writer>(writer_options_, grant);
  const ProcessId id = writer.id;
  WriterProcess* started = &(writers_[id] = std::move(writer));
  WakeWriter(id);
  return started;
}

void QueueSim::WakeWriter(ProcessId id) {
  WriterProcess* writer = FindWriter(id);
  if (writer == nullptr) return;
  const auto deadline = writer->machine->NextDeadline();
  if (!deadline) return;
  const Instant at = std::max({*deadline, scheduler_.now(), writer->asleep_until});
  if (writer->wake_at && *writer->wake_at <= at) return;
  writer->wake_at = at;
  scheduler_.At(at, [this, id, at] {
    WriterProcess* one = FindWriter(id);
    if (one == nullptr || one->wake_at != at) return;
    one->wake_at.reset();
    StepWriter(id, quorum_queue::WriterTick{});
    one = FindWriter(id);
    const auto next = one == nullptr ? std::nullopt : one->machine->NextDeadline();
    if (next && *next <= at && one->asleep_until <= at)
      checker_.Fail("progress: a writer's timer is not served");
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
  writer->machine->Step(scheduler_.now(), std::move(event), &effects);
  WatchDecision(writer);
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
  const bool filling = status.phase == WriterPhase::kFilling;
  if (filling) ++result_.filled;
  checker_.Decided(writer->epoch, filling ? status.next : status.next - 1);
}

void QueueSim::OnWriterEffect(WriterProcess* writer, quorum_queue::WriterEffect effect) {
  if (auto* send = std::get_if<quorum_queue::SendToReplica>(&effect)) {
    SendRequest(writer->id, size_t{3} * send->to.group + send->to.slot, std::move(send->request));
  } else if (const auto* opened = std::get_if<quorum_queue::OpenedEffect>(&effect)) {
    ++result_.takeovers;
    Trace(1, writer->id, opened->open.value());
    checker_.Opened(writer->epoch, opened->open);
  } else if (const auto* committed = std::get_if<quorum_queue::CommittedEffect>(&effect)) {
    Trace(2, writer->id, committed->committed.value());
    checker_.Acknowledged(writer->epoch, committed->committed, Disks());
  } else {
    const auto& stopped = std::get<quorum_queue::StoppedEffect>(effect);
    if (stopped.by <= writer->epoch) checker_.Fail("progress: a writer stopped for an older one");
    ++result_.fenced;
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
    if (!seq.ok()) break;  // its window is full
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
  for (size_t r = 0; r < replicas_.size(); ++r) {
    reader.order.insert(reader.order.begin() + static_cast<ptrdiff_t>(random_.Below(r + 1)), r);
  }
  quorum_queue::ReaderOptions options;
  options.stream = kSimStream;
  options.session_base = next_session_ += 1000000;
  options.from = from;
  options.replicas = static_cast<uint8_t>(replicas_.size());
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
  const Instant at = std::max(*deadline, scheduler_.now());
  if (reader->wake_at && *reader->wake_at <= at) return;
  reader->wake_at = at;
  scheduler_.At(at, [this, id, at] {
    ReaderProcess* one = FindReader(id);
    if (one == nullptr || one->wake_at != at) return;
    one->wake_at.reset();
    StepReader(id, quorum_queue::ReaderTick{});
    one = FindReader(id);
    const auto next = one == nullptr ? std::nullopt : one->machine->NextDeadline();
    if (next && *next <= at) checker_.Fail("progress: a reader's timer is not served");
  });
}

void QueueSim::StepReader(ProcessId id, quorum_queue::ReaderEvent event) {
  ReaderProcess* reader = FindReader(id);
  if (reader == nullptr) return;
  std::vector<quorum_queue::ReaderEffect> effects;
  reader->machine->Step(scheduler_.now(), std::move(event), &effects);
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
    Trace(3, reader->id, deliver->run.last().value());
    checker_.Read(reader->name, reader->next, deliver->run);
    reader->next = deliver->run.last() + 1;
    result_.delivered += deliver->run.count();
  } else if (const auto* gone = std::get_if<quorum_queue::TrimmedEffect>(&effect)) {
    if (reader->next > trim_asked_ || gone->first > trim_asked_ + 1) {
      checker_.Fail(fmt::format("lost: {} was told that {} is trimmed; asked was {}", reader->name,
                                reader->next.value(), trim_asked_.value()));
    }
    reader->next = gone->first;
    reader->trimmed = true;
  } else {
    const Seq seq = std::get<quorum_queue::HeldNowhereEffect>(effect).seq;
    checker_.Fail(fmt::format("lost: {} finds {} nowhere", reader->name, seq.value()));
  }
}

// ---- the network

void QueueSim::Transmit(ProcessId process, size_t replica, bool to_replica,
                        std::function<void()> deliver) {
  const auto link = std::pair(process, replica);
  const uint64_t copies = !calm_ && random_.Chance(weather_.duplicates) ? 2 : 1;
  for (uint64_t i = 0; i < copies; ++i) {
    if (!calm_ && random_.Chance(weather_.loss)) continue;
    Duration delay = random_.Micros(50, 2000);
    if (!calm_ && random_.Chance(weather_.late)) delay = random_.Millis(5, 1500);
    Instant at = scheduler_.now() + delay;
    if (weather_.ordered || calm_) {
      Instant& last = (to_replica ? link_to_ : link_from_)[link];
      at = last = std::max(last, at);
    }
    scheduler_.At(at, [this, link, deliver] {
      if (!cuts_.contains(link) && !isolated_.contains(link.second)) deliver();
    });
  }
}

void QueueSim::SendRequest(ProcessId from, size_t replica, ReplicaRequest request) {
  if (PlantInRequest(from, replica, &request)) return;
  if (weather_.codec) {
    auto decoded = quorum_queue::DecodeRequest(quorum_queue::EncodeRequest(request));
    CHECK(decoded.ok(), "what we encode we decode", decoded.status());
    request = std::move(decoded).value();
  }
  Transmit(from, replica, true, [this, from, replica, request = std::move(request)] {
    Trace(4, from, replica << 8 | request.index());
    replicas_[replica]->Receive(ReplicaPeer(from), request);
  });
}

void QueueSim::SendAnswer(size_t replica, ReplicaPeer to, ReplicaAnswer answer) {
  if (PlantInAnswer(replica, to, &answer)) return;
  if (weather_.codec) {
    const auto* read = std::get_if<quorum_queue::ReadAnswer>(&answer);
    auto decoded = quorum_queue::DecodeAnswer(quorum_queue::EncodeAnswer(answer, read != nullptr));
    CHECK(decoded.ok(), "what we encode we decode", decoded.status());
    answer = std::move(decoded).value();
  }
  Transmit(to.value(), replica, false, [this, replica, to, answer = std::move(answer)] {
    Trace(5, to.value(), replica << 8 | answer.index());
    DeliverAnswer(replica, to.value(), answer);
  });
}

void QueueSim::DeliverAnswer(size_t replica, ProcessId to, ReplicaAnswer answer) {
  if (std::holds_alternative<quorum_queue::Refused>(answer)) ++result_.refused;
  if (const auto* fence = std::get_if<quorum_queue::FenceAnswer>(&answer)) {
    result_.fence_pages += !fence->is_last_page();
  }
  if (FindWriter(to) != nullptr) {
    const quorum_queue::ReplicaSlot from{static_cast<uint16_t>(replica / 3),
                                         static_cast<uint8_t>(replica % 3)};
    StepWriter(to, quorum_queue::AnswerReceived{from, std::move(answer)});
    return;
  }
  ReaderProcess* reader = FindReader(to);
  auto* read = std::get_if<quorum_queue::ReadAnswer>(&answer);
  if (reader == nullptr || read == nullptr) return;
  if (read->outcome == quorum_queue::ReadOutcome::kLacking) ++result_.lacking;
  const auto place = std::find(reader->order.begin(), reader->order.end(), replica);
  StepReader(to, quorum_queue::ReadAnswerReceived{
                     static_cast<uint8_t>(place - reader->order.begin()), std::move(*read)});
}

// ---- the whole

QueueSim::QueueSim(const QueueSimOptions& options) : options_(options), random_(options.seed) {
  ChooseWeather();
  checker_.check_disks = options.check_disks;
  const size_t groups = random_.Chance(250) ? 2 : 1;
  grant_.groups.resize(groups);
  for (size_t r = 0; r < 3 * groups; ++r) {
    SimReplicaOptions replica;
    replica.disk = core::DiskId(100 + r);
    replica.segment_records = random_.Between(20, 300);
    replica.fence_page_runs = random_.Chance(500) ? 1024 : random_.Between(1, 4);
    replica.acknowledge_unsynced = options.bug == PlantedBug::kStoredBeforeSynced;
    replica.check_disk = options.check_disks;
    grant_.groups[r / 3].disks[r % 3] = replica.disk;
    replicas_.push_back(std::make_unique<SimReplica>(
        replica, &scheduler_, &random_, &checker_,
        [this, r](ReplicaPeer to, ReplicaAnswer answer) { SendAnswer(r, to, std::move(answer)); }));
  }
  quorum_queue::WriterOptions& w = writer_options_;
  w.stream = kSimStream;
  w.batch_bytes_max = random_.Between(100, 1000);
  w.batch_entries_max = random_.Between(1, 16);
  w.entry_bytes_max = 1500;
  w.window_bytes_max = random_.Between(3000, 20000);
  w.replica_window_bytes_max = random_.Between(500, 5000);
  w.straggler_bytes_max = random_.Between(0, 10000);
  w.resend_after = random_.Millis(10, 50);
  w.resend_after_max = w.resend_after * 8;
}

QueueSimResult QueueSim::Run() {
  for (const auto& replica : replicas_) replica->Start();
  StartWriter();
  for (size_t i = 0; i < 2; ++i) StartReader(i, Seq(1));
  FaultLater();
  ClientLater();
  TickLater();
  const auto failed = [this] { return checker_.violation().has_value(); };
  const Instant end = scheduler_.now() + random_.Millis(1000, 5000);
  if (!scheduler_.RunUntil(end, failed)) {
    Calm();
    if (!Settle() && !failed()) checker_.Fail("progress: not settled");
  }
  result_.violation = checker_.violation();
  result_.events = scheduler_.events();
  result_.acknowledged = checker_.acknowledged();
  return result_;
}

QueueSimResult RunQueueSim(const QueueSimOptions& options) {
  return QueueSim(options).Run();
}

}  // namespace homeport::sim
