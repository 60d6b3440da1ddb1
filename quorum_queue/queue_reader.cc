#include "quorum_queue/queue_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>
#include <utility>

#include "core/clock.h"

namespace homeport::quorum_queue {

using core::Duration;
using core::Instant;
using core::Result;

class QueueReader::Driver {
 public:
  Driver(QueueReaderOptions options, std::unique_ptr<QueueClient> client)
      : client_(std::move(client)), machine_(std::move(options.reader)) {
    for (const QueueClient::Endpoint& replica : options.replicas) slots_.push_back(replica.slot);
    client_->AddTo(&poller_);
  }

  Result<std::vector<Entry>> Next(Duration within);
  ReaderStatus Status() const { return machine_.Status(); }

 private:
  bool ReceiveAnswers();
  void Step(ReaderEvent event);
  void Take(const EntryRun& run);

  const std::unique_ptr<QueueClient> client_;
  std::vector<ReplicaSlot> slots_;  // as the machine numbers them
  core::Poller poller_;
  Reader machine_;
  std::vector<ReaderEffect> effects_;

  std::vector<Entry> entries_;  // not yet given out
  std::optional<Seq> trimmed_;  // the first that is left
  std::optional<Seq> nowhere_;
};

Result<std::vector<Entry>> QueueReader::Driver::Next(Duration within) {
  const Instant end = core::SteadyNow() + within;
  while (true) {
    const bool received = ReceiveAnswers();
    const std::optional<Instant> deadline = machine_.NextDeadline();
    const Instant now = core::SteadyNow();
    if (deadline && *deadline <= now) Step(ReaderTick{});
    if (!entries_.empty()) return std::exchange(entries_, {});
    if (trimmed_) {
      return core::Status::Trimmed(
          *trimmed_,
          fmt::format("entries below {} are trimmed; read from there", trimmed_->value()));
    }
    if (nowhere_) {
      const Seq seq = *std::exchange(nowhere_, std::nullopt);
      return core::Status::Corrupt(
          fmt::format("entry {} is committed and no replica that answers holds it", seq.value()));
    }
    if (now >= end) return std::vector<Entry>();
    if (received) continue;
    const Instant wake = deadline ? std::min(end, *deadline) : end;
    const Duration wait = std::max(wake - now, Duration(0));
    poller_.Wait(std::chrono::ceil<std::chrono::microseconds>(wait).count());
  }
}

bool QueueReader::Driver::ReceiveAnswers() {
  ReplicaSlot from;
  ReplicaAnswer answer;
  bool any = false;
  // As much as one answer: what the caller does not take soon is better left with the replica.
  while (entries_.empty() && client_->Receive(&from, &answer)) {
    any = true;
    auto* read = std::get_if<ReadAnswer>(&answer);
    const auto slot = std::find(slots_.begin(), slots_.end(), from);
    if (read == nullptr || slot == slots_.end()) continue;
    Step(ReadAnswerReceived{static_cast<uint8_t>(slot - slots_.begin()), std::move(*read)});
  }
  return any;
}

void QueueReader::Driver::Step(ReaderEvent event) {
  effects_.clear();
  machine_.Step(core::SteadyNow(), std::move(event), &effects_);
  for (const ReaderEffect& effect : effects_) {
    if (const auto* send = std::get_if<SendRead>(&effect)) {
      client_->Send(slots_[send->replica], send->read);
    } else if (const auto* deliver = std::get_if<DeliverEffect>(&effect)) {
      Take(deliver->run);
    } else if (const auto* trimmed = std::get_if<TrimmedEffect>(&effect)) {
      trimmed_ = trimmed->first;
    } else if (const auto* nowhere = std::get_if<HeldNowhereEffect>(&effect)) {
      nowhere_ = nowhere->seq;
    }
  }
}

void QueueReader::Driver::Take(const EntryRun& run) {
  uint64_t offset = 0;
  for (uint64_t i = 0; i < run.count(); ++i) {
    entries_.push_back({run.first + i, run.epoch, run.body.Slice(offset, run.sizes[i])});
    offset += run.sizes[i];
  }
}

// ---- QueueReader

QueueReader::QueueReader(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}
QueueReader::~QueueReader() = default;

Result<std::unique_ptr<QueueReader>> QueueReader::Open(core::Context& context,
                                                       QueueReaderOptions options) {
  if (options.replicas.empty() || options.replicas.size() > 63) {
    return core::Status::BadRequest("a reader needs 1 .. 63 replicas");
  }
  options.reader.replicas = static_cast<uint8_t>(options.replicas.size());
  if (options.reader.session_base <= 1) {
    // Sessions of two processes must not meet.
    std::random_device random;
    options.reader.session_base = (uint64_t{random()} << 31 | 1) + random();
  }
  // Queued while connecting: a reader's first question need not wait for its time-out.
  ASSIGN_OR_RETURN(auto client,
                   QueueClient::Connect(context, options.replicas, core::WhenDown::kQueue));
  return std::unique_ptr<QueueReader>(
      new QueueReader(std::make_unique<Driver>(std::move(options), std::move(client))));
}

Result<std::vector<Entry>> QueueReader::Next(Duration within) {
  return driver_->Next(within);
}

ReaderStatus QueueReader::Status() const {
  return driver_->Status();
}

}  // namespace homeport::quorum_queue
