#include "tests/sim/queue_sim.h"

#include <algorithm>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/planted.h"
#include "tests/sim/log_messages.h"

namespace homeport::sim {

using core::Instant;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaPeer;
using quorum_queue::ReplicaRequest;

namespace {

const Note kRefused("entries are refused: the disk is full");
const Note kFencePages("a fence answer takes more than one page");
const Note kLacking("a replica lacks what a reader wants");

QueueSimOptions WithBug(QueueSimOptions options) {
  if (options.bug != nullptr && options.bug->options != nullptr) options.bug->options(&options);
  return options;
}

// A failed CHECK, on its way out of a machine.
struct CheckFailure {
  std::string what;
};
[[noreturn]] void ThrowCheck(const std::string& what) {
  throw CheckFailure{what};
}

}  // namespace

SimClock QueueSim::NewClock() {
  const int64_t most = static_cast<int64_t>(options_.drift_ppm_max);
  const int64_t drift = most == 0 ? 0 : static_cast<int64_t>(random_.Below(2 * most + 1)) - most;
  return {scheduler_.now(), random_.Millis(0, 1000000), drift};
}

Disks QueueSim::AllDisks() const {
  Disks disks;
  for (const auto& replica : replicas_) disks.push_back(&replica->image());
  return disks;
}

// ---- the network

void QueueSim::SendRequest(ProcessId from, size_t replica, ReplicaRequest request) {
  if (options_.bug != nullptr && options_.bug->request != nullptr &&
      options_.bug->request(this, from, replica, &request)) {
    return;
  }
  SendRequestUnplanted(from, replica, std::move(request));
}

void QueueSim::SendRequestUnplanted(ProcessId from, size_t replica, ReplicaRequest request) {
  if (options_.network.codec) {
    auto decoded = quorum_queue::DecodeRequest(quorum_queue::EncodeRequest(request));
    CHECK(decoded.ok(), "what we encode we decode", decoded.status());
    request = std::move(decoded).value();
  }
  network_.Send({from, replica, true}, [this, from, replica, request = std::move(request)] {
    LogRequest(&log_, scheduler_.now(), from, replica, request);
    replicas_[replica]->Receive(ReplicaPeer(from), request);
    DeliverToGhosts(from, replica, request);
  });
}

void QueueSim::SendAnswer(size_t replica, ReplicaPeer to, ReplicaAnswer answer) {
  if (options_.bug != nullptr && options_.bug->answer != nullptr &&
      options_.bug->answer(this, replica, to, &answer)) {
    return;
  }
  SendAnswerUnplanted(replica, to, std::move(answer));
}

void QueueSim::SendAnswerUnplanted(size_t replica, ReplicaPeer to, ReplicaAnswer answer) {
  if (options_.network.codec) {
    const auto* read = std::get_if<quorum_queue::ReadAnswer>(&answer);
    auto decoded = quorum_queue::DecodeAnswer(quorum_queue::EncodeAnswer(answer, read != nullptr));
    CHECK(decoded.ok(), "what we encode we decode", decoded.status());
    answer = std::move(decoded).value();
  }
  network_.Send({to.value(), replica, false}, [this, replica, to, answer = std::move(answer)] {
    LogAnswer(&log_, scheduler_.now(), replica, to.value(), answer);
    DeliverAnswer(replica, to.value(), answer);
  });
}

void QueueSim::DeliverAnswer(size_t replica, ProcessId to, ReplicaAnswer answer) {
  if (std::holds_alternative<quorum_queue::Refused>(answer)) Reached(kRefused);
  if (const auto* fence = std::get_if<quorum_queue::FenceAnswer>(&answer)) {
    if (!fence->is_last_page()) Reached(kFencePages);
  }
  if (const WriterProcess* writer = FindWriter(to)) {
    const auto from = SlotOf(writer->groups, replica);
    CHECK(from, "a writer hears from its own groups only", replica);
    StepWriter(to, quorum_queue::AnswerReceived{*from, std::move(answer)});
    return;
  }
  if (keeper_.machine && to == keeper_.id) {
    const auto from = SlotOf(keeper_.groups, replica);
    if (!from) return;
    if (const auto* life = std::get_if<quorum_queue::LifeAnswer>(&answer)) {
      return StepAdmitter(quorum_queue::LifeAnswered{*from, *life});
    }
    StepKeeper(quorum_queue::RestorerAnswer{*from, std::move(answer)});
    return;
  }
  if (mender_.machine && to == mender_.id) {
    const auto from = SlotOf(mender_.groups, replica);
    if (!from) return;  // of a group that is gone
    WatchMended(replica, answer);
    StepMender(quorum_queue::MenderAnswer{*from, std::move(answer)});
    return;
  }
  ReaderProcess* reader = FindReader(to);
  auto* read = std::get_if<quorum_queue::ReadAnswer>(&answer);
  if (reader == nullptr || read == nullptr) return;
  if (read->outcome == quorum_queue::ReadOutcome::kLacking) Reached(kLacking);
  const auto place = std::find(reader->order.begin(), reader->order.end(), replica);
  StepReader(to, quorum_queue::ReadAnswerReceived{
                     static_cast<uint8_t>(place - reader->order.begin()), std::move(*read)});
}

// ---- the whole

QueueSim::QueueSim(const QueueSimOptions& options)
    : options_(WithBug(options)),
      random_(options.seed),
      log_(options.events_kept, options.trace ? stdout : nullptr),
      checker_(options.check_disks),
      network_(options_.network, &scheduler_, &random_, &log_) {
  for (uint64_t i = 0; i < options_.groups.at_first; ++i) {
    record_ = quorum_queue::WithGroup(std::move(record_), BuildGroup()).value();
  }
  quorum_queue::WriterOptions& w = writer_options_;
  w.stream = SimStream();
  w.batch_bytes_max = options_.writer.batch_bytes_max;
  w.batch_entries_max = options_.writer.batch_entries_max;
  w.entry_bytes_max = 1500;
  w.window_bytes_max = options_.writer.window_bytes_max;
  w.replica_window_bytes_max = options_.writer.replica_window_bytes_max;
  w.straggler_bytes_max = options_.writer.straggler_bytes_max;
  w.resend_after = options_.writer.resend_after;
  w.resend_after_max = w.resend_after * 8;
  w.look_after = options_.writer.look_after;
  w.append_timeout = options_.groups.append_timeout;
  w.return_after = options_.groups.return_after;
  w.return_after_max = w.return_after * 8;
  AddFaults();
}

QueueSimResult QueueSim::Run() {
  for (const auto& replica : replicas_) replica->Start();
  StartWriter();
  for (size_t i = 0; i < 2; ++i) StartReader(i, Seq(1));
  StartMender();
  StartKeeper();
  FaultLater();
  ClientLater();
  TickLater();
  const auto failed = [this] { return checker_.violation().has_value(); };
  const Instant end = scheduler_.now() + options_.faults_for;
  if (!scheduler_.RunUntil(end, failed)) {
    Calm();
    if (!Settle() && !failed()) checker_.Fail("progress: not settled");
  }
  return Result();
}

QueueSimResult QueueSim::Result() {
  QueueSimResult result;
  result.violation = checker_.violation();
  if (result.violation) result.last_events = log_.Lines();
  result.fingerprint = log_.fingerprint();
  result.notes = notes_;
  result.events = scheduler_.events();
  result.acknowledged = checker_.acknowledged();
  result.delivered = delivered_;
  result.simulated = scheduler_.now() - Scheduler::kBeginning;
  return result;
}

QueueSimResult RunQueueSim(const QueueSimOptions& options) {
  const core::CheckHandler former = core::SetCheckHandler(&ThrowCheck);
  quorum_queue::planted_id =
      options.bug == nullptr ? 0 : quorum_queue::PlantedId(options.bug->name);
  QueueSim sim(options);
  QueueSimResult result;
  try {
    result = sim.Run();
  } catch (const CheckFailure& failure) {
    sim.checker().Fail("check: " + failure.what);
    result = sim.Result();
  }
  quorum_queue::planted_id = 0;
  core::SetCheckHandler(former);
  return result;
}

}  // namespace homeport::sim
