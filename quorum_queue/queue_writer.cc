#include "quorum_queue/queue_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "core/clock.h"
#include "core/wakeup.h"

namespace homeport::quorum_queue {

using core::Instant;
using core::Result;

namespace {

constexpr core::Duration kWaitMax = std::chrono::milliseconds(50);
constexpr uint64_t kRetryAfterMs = 20;

}  // namespace

// The thread and what it shares with callers.
class QueueWriter::Driver {
 public:
  Driver(QueueWriterOptions options, Grant grant, std::unique_ptr<QueueClient> client)
      : options_(std::move(options)),
        client_(std::move(client)),
        machine_(options_.writer, std::move(grant)) {
    client_->AddTo(&poller_);
    poller_.AddFd(wakeup_.fd());
    status_ = machine_.Status();
    thread_ = std::thread([this] { Run(); });
  }
  ~Driver() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wakeup_.Wake();
    thread_.join();
  }

  core::Status WaitUntilOpen();
  void Append(std::string payload, Done done);
  void Trim(Seq through);
  WriterStatus Status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  const QueueWriterOptions& options() const { return options_; }

 private:
  struct Waiting {
    std::string payload;
    Done done;
    uint64_t cost() const { return payload.size() + sizeof(Waiting); }
  };

  // ---- the thread
  void Run();
  void TakeFromCallers();
  void SubmitWaiting();
  // True when something was received.
  bool ReceiveAnswers();
  void Step(WriterEvent event);
  void OnCommitted(Seq committed);
  void FailAll(const core::Status& why);
  // It waits no more.
  void Forget(const Waiting& waiting) {
    const std::lock_guard lock(mutex_);
    waiting_bytes_ -= waiting.cost();
  }
  void Wait();

  const QueueWriterOptions options_;
  const std::unique_ptr<QueueClient> client_;
  core::Wakeup wakeup_;
  core::Poller poller_;

  // The thread's own.
  Writer machine_;
  std::deque<Waiting> waiting_;
  std::deque<Done> in_flight_;  // of consecutive seqs
  Seq first_in_flight_;
  std::vector<WriterEffect> effects_;

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> arrived_;
  uint64_t waiting_bytes_ = 0;  // of arrived_ and waiting_
  Seq trim_;
  WriterStatus status_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

core::Status QueueWriter::Driver::WaitUntilOpen() {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, options_.open_within, [this] {
    return status_.phase == WriterPhase::kActive || status_.phase == WriterPhase::kStopped;
  });
  if (status_.phase == WriterPhase::kActive) return core::Status::Ok();
  if (status_.phase == WriterPhase::kStopped) {
    return core::Status::Fenced("a newer writer of this stream exists");
  }
  std::string missing;
  for (const ReplicaSlot& slot : status_.waiting_for) {
    missing += fmt::format(" {}/{}", slot.group, slot.slot);
  }
  return core::Status::NoQuorum(
      "taking the stream over needs 2 of 3 replicas of each group; still waiting for "
      "(group/slot):" +
      missing);
}

void QueueWriter::Driver::Append(std::string payload, Done done) {
  {
    const std::lock_guard lock(mutex_);
    Waiting waiting{std::move(payload), std::move(done)};
    if (waiting_bytes_ == 0 || waiting_bytes_ + waiting.cost() <= options_.waiting_bytes_max) {
      waiting_bytes_ += waiting.cost();
      arrived_.push_back(std::move(waiting));
      wakeup_.Wake();
      return;
    }
    done = std::move(waiting.done);
  }
  done(
      core::Status::Overloaded(kRetryAfterMs, "too many appends wait for the replicas; try again"));
}

void QueueWriter::Driver::Trim(Seq through) {
  {
    const std::lock_guard lock(mutex_);
    trim_ = std::max(trim_, through);
  }
  wakeup_.Wake();
}

// ---- the thread

void QueueWriter::Driver::Run() {
  Seq trimmed;
  while (true) {
    Seq trim;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) break;
      trim = trim_;
    }
    TakeFromCallers();
    SubmitWaiting();
    if (trim > trimmed) Step(TrimThrough{trimmed = trim});
    const bool received = ReceiveAnswers();
    const std::optional<Instant> deadline = machine_.NextDeadline();
    if (deadline && *deadline <= core::SteadyNow()) Step(WriterTick{});
    {
      const std::lock_guard lock(mutex_);
      status_ = machine_.Status();
    }
    changed_.notify_all();
    if (!received) Wait();
  }
  FailAll(core::Status::NoQuorum("the writer was closed before the entry was known as committed"));
}

void QueueWriter::Driver::TakeFromCallers() {
  const std::lock_guard lock(mutex_);
  std::move(arrived_.begin(), arrived_.end(), std::back_inserter(waiting_));
  arrived_.clear();
}

void QueueWriter::Driver::SubmitWaiting() {
  bool any = false;
  while (!waiting_.empty()) {
    Result<Seq> seq = machine_.Submit(waiting_.front().payload);
    if (!seq.ok() && seq.status().code() == core::Code::kOverloaded) break;  // once there is room
    Forget(waiting_.front());
    Done done = std::move(waiting_.front().done);
    waiting_.pop_front();
    if (!seq.ok()) {
      done(seq.status());
      continue;
    }
    if (in_flight_.empty()) first_in_flight_ = *seq;
    in_flight_.push_back(std::move(done));
    any = true;
  }
  if (any) Step(WriterFlush{});
}

bool QueueWriter::Driver::ReceiveAnswers() {
  ReplicaSlot from;
  ReplicaAnswer answer;
  bool any = false;
  while (client_->Receive(&from, &answer)) {
    any = true;
    Step(AnswerReceived{from, std::move(answer)});
  }
  return any;
}

void QueueWriter::Driver::Step(WriterEvent event) {
  effects_.clear();
  machine_.Step(core::SteadyNow(), std::move(event), &effects_);
  for (const WriterEffect& effect : effects_) {
    if (const auto* send = std::get_if<SendToReplica>(&effect)) {
      client_->Send(send->to, send->request);
    } else if (const auto* committed = std::get_if<CommittedEffect>(&effect)) {
      OnCommitted(committed->committed);
    } else if (std::holds_alternative<StoppedEffect>(effect)) {
      FailAll(
          core::Status::Fenced("a newer writer of this stream exists; what became of the entry "
                               "only the stream tells"));
    }
  }
}

void QueueWriter::Driver::OnCommitted(Seq committed) {
  while (!in_flight_.empty() && first_in_flight_ <= committed) {
    const Done done = std::move(in_flight_.front());
    in_flight_.pop_front();
    done(first_in_flight_);
    ++first_in_flight_;
  }
}

void QueueWriter::Driver::FailAll(const core::Status& why) {
  for (const Done& done : std::exchange(in_flight_, {})) done(why);
  // Each may append once more.
  for (TakeFromCallers(); !waiting_.empty(); TakeFromCallers()) {
    for (const Waiting& waiting : std::exchange(waiting_, {})) {
      Forget(waiting);
      waiting.done(why);
    }
  }
}

void QueueWriter::Driver::Wait() {
  core::Duration wait = kWaitMax;
  if (const std::optional<Instant> deadline = machine_.NextDeadline()) {
    wait = std::clamp(*deadline - core::SteadyNow(), core::Duration(0), kWaitMax);
  }
  poller_.Wait(std::chrono::ceil<std::chrono::microseconds>(wait).count());
  wakeup_.Drain();
}

// ---- QueueWriter

QueueWriter::QueueWriter(std::unique_ptr<Driver> driver) : driver_(std::move(driver)) {}
QueueWriter::~QueueWriter() = default;

Result<std::unique_ptr<QueueWriter>> QueueWriter::Open(core::Context& context,
                                                       QueueWriterOptions options,
                                                       GrantStore* grants) {
  ASSIGN_OR_RETURN(auto client, QueueClient::Connect(context, options.replicas));
  ASSIGN_OR_RETURN(Grant grant, grants->TakeGrant());
  auto driver = std::make_unique<Driver>(std::move(options), std::move(grant), std::move(client));
  RETURN_IF_ERROR(driver->WaitUntilOpen());
  return std::unique_ptr<QueueWriter>(new QueueWriter(std::move(driver)));
}

Result<Seq> QueueWriter::Append(std::string payload) {
  // Shared: the answer may come after the wait is over.
  const auto answer = std::make_shared<std::promise<Result<Seq>>>();
  std::future<Result<Seq>> future = answer->get_future();
  driver_->Append(std::move(payload),
                  [answer](Result<Seq> seq) { answer->set_value(std::move(seq)); });
  if (future.wait_for(driver_->options().append_within) != std::future_status::ready) {
    return core::Status::NoQuorum(
        "no 2 of 3 replicas have answered in time; the entry may still be committed");
  }
  return future.get();
}

void QueueWriter::Append(std::string payload, Done done) {
  driver_->Append(std::move(payload), std::move(done));
}

void QueueWriter::Trim(Seq through) {
  driver_->Trim(through);
}

WriterStatus QueueWriter::Status() const {
  return driver_->Status();
}

}  // namespace homeport::quorum_queue
