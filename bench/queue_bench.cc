#include "bench/queue_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <memory>

#include "bench/child_process.h"
#include "bench/tail_reader.h"
#include "core/clock.h"
#include "core/files.h"
#include "quorum_queue/identity.h"
#include "quorum_queue/queue_endpoint.h"
#include "quorum_queue/writer.h"

namespace homeport::bench {
namespace {

using core::Duration;
using core::Instant;
using core::Result;
using core::Seq;
using core::Status;
using quorum_queue::QueueClient;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaSlot;
using quorum_queue::Writer;

constexpr core::Incarnation kIncarnation(1);
constexpr Duration kTrimEvery = std::chrono::milliseconds(100);
constexpr Duration kOpenWithin = std::chrono::seconds(30);
constexpr Duration kReadWithin = std::chrono::seconds(30);
const core::StreamId kStream(kIncarnation, core::ShardId(0));

Duration Seconds(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}
double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

class QueueBench {
 public:
  explicit QueueBench(const QueueBenchOptions& options)
      : options_(options), payload_(options.entry_bytes, '\0') {
    // Not compressible, should anything try.
    uint64_t state = 88172645463325252u;
    for (char& byte : payload_) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
      byte = static_cast<char>(state);
    }
  }

  Status Start();
  Result<QueueBenchResult> Run();

 private:
  Status StartReplicas(quorum_queue::Group* group);
  Status StartWriter();
  Status Measure(double seconds);
  Status KillHalfWay();
  Status AwaitReaders();
  // Submits, flushes, receives, once. Waits when nothing was received.
  void Turn(bool submit);
  void Step(Instant now, quorum_queue::WriterEvent event);
  void OnCommitted(Seq committed);
  void Trim(Instant now);
  Status Until(Instant end, bool submit);
  Status CheckReplicas();
  double CpuSeconds() const;
  QueueBenchResult Summarize(Duration measured, double cpu, double own_cpu);

  const QueueBenchOptions options_;
  std::string payload_;
  core::Context context_;
  std::vector<std::unique_ptr<ChildProcess>> replicas_;
  std::vector<QueueClient::Endpoint> endpoints_;
  std::unique_ptr<quorum_queue::LocalGrantStore> grants_;
  std::unique_ptr<QueueClient> client_;
  std::unique_ptr<Writer> writer_;
  core::Poller poller_;
  std::vector<quorum_queue::WriterEffect> effects_;

  bool open_ = false;
  bool stopped_ = false;
  Seq first_waiting_;  // seq of submitted_at_.front()
  std::deque<Instant> submitted_at_;
  bool measuring_ = false;
  std::vector<uint32_t> latencies_;  // tenths of a microsecond
  Instant last_commit_{};            // or when there began to be something to wait for
  Duration longest_wait_{};
  Duration reopen_{};
  Duration catch_up_{};
  std::vector<std::unique_ptr<TailReader>> readers_;
  std::vector<uint64_t> read_before_;  // entries, when measuring began
  Seq trim_next_;
  Instant trim_at_{};
  std::vector<quorum_queue::StatusAnswer> statuses_;
};

Status QueueBench::Start() {
  quorum_queue::Group group;
  RETURN_IF_ERROR(StartReplicas(&group));
  const std::string grants = options_.dir + "/GRANTS";
  RETURN_IF_ERROR(quorum_queue::LocalGrantStore::Create(grants, kIncarnation, {group}));
  ASSIGN_OR_RETURN(grants_, quorum_queue::LocalGrantStore::Open(grants, kIncarnation));
  RETURN_IF_ERROR(StartWriter());
  for (size_t i = 0; i < options_.readers; ++i) {
    ASSIGN_OR_RETURN(auto reader, TailReader::Start(context_, endpoints_, kStream,
                                                    writer_->Status().committed + 1));
    readers_.push_back(std::move(reader));
  }
  return Status::Ok();
}

// With a grant and connections of its own, as a process would that has just started.
Status QueueBench::StartWriter() {
  ASSIGN_OR_RETURN(quorum_queue::Grant grant, grants_->TakeGrant());
  ASSIGN_OR_RETURN(client_, QueueClient::Connect(context_, endpoints_));
  poller_ = core::Poller();
  client_->AddTo(&poller_);
  quorum_queue::WriterOptions writer;
  writer.stream = kStream;
  writer.window_bytes_max = std::max<uint64_t>(
      writer.window_bytes_max, 2 * options_.in_flight * (options_.entry_bytes + 64));
  writer_ = std::make_unique<Writer>(writer, std::move(grant));
  submitted_at_.clear();
  open_ = false;
  const Instant give_up = core::SteadyNow() + kOpenWithin;
  while (!open_) {
    if (core::SteadyNow() > give_up) return Status::NoQuorum("the replicas do not answer");
    Turn(false);
  }
  return Status::Ok();
}

Status QueueBench::StartReplicas(quorum_queue::Group* group) {
  RETURN_IF_ERROR(core::MakeDirectories(options_.dir));
  for (uint8_t i = 0; i < 3; i++) {
    quorum_queue::Identity identity;
    identity.cluster = "bench";
    identity.region = "bench";
    identity.incarnation = kIncarnation;
    identity.replica = static_cast<uint8_t>(i + 1);
    identity.disk = group->disks[i] = quorum_queue::NewDiskId();
    identity.shards = 1;
    const std::string dir = fmt::format("{}/replica-{}", options_.dir, identity.replica);
    RETURN_IF_ERROR(quorum_queue::FormatReplica(dir, identity));
    ASSIGN_OR_RETURN(const int port, FreePort());
    const std::string endpoint = fmt::format("tcp://127.0.0.1:{}", port);
    std::vector<std::string> argv = options_.replica_argv;
    argv.push_back(dir);
    argv.push_back(endpoint);
    ASSIGN_OR_RETURN(auto child, ChildProcess::Start(argv));
    replicas_.push_back(std::move(child));
    endpoints_.push_back({ReplicaSlot{0, i}, endpoint});
  }
  return Status::Ok();
}

void QueueBench::Turn(bool submit) {
  Instant now = core::SteadyNow();
  bool received = false;
  ReplicaSlot from;
  ReplicaAnswer answer;
  while (client_->Receive(&from, &answer)) {
    received = true;
    if (auto* status = std::get_if<quorum_queue::StatusAnswer>(&answer)) {
      statuses_.push_back(std::move(*status));
      continue;
    }
    now = core::SteadyNow();
    Step(now, quorum_queue::AnswerReceived{from, std::move(answer)});
  }
  if (submit && submitted_at_.size() < options_.in_flight) {
    while (submitted_at_.size() < options_.in_flight) {
      Result<Seq> seq = writer_->Submit(payload_);
      if (!seq.ok()) break;
      if (submitted_at_.empty()) {
        first_waiting_ = *seq;
        last_commit_ = now;
      }
      submitted_at_.push_back(now);
    }
    Step(now, quorum_queue::WriterFlush{});
  }
  Trim(now);
  const auto deadline = writer_->NextDeadline();
  if (deadline && *deadline <= now) Step(now, quorum_queue::WriterTick{});
  if (received) return;
  Duration wait = std::chrono::milliseconds(50);
  if (deadline) wait = std::clamp(*deadline - now, Duration(0), wait);
  poller_.Wait(std::chrono::ceil<std::chrono::microseconds>(wait).count());
}

void QueueBench::Step(Instant now, quorum_queue::WriterEvent event) {
  effects_.clear();
  writer_->Step(now, std::move(event), &effects_);
  for (const quorum_queue::WriterEffect& effect : effects_) {
    if (const auto* send = std::get_if<quorum_queue::SendToReplica>(&effect)) {
      client_->Send(send->to, send->request);
    } else if (const auto* committed = std::get_if<quorum_queue::CommittedEffect>(&effect)) {
      OnCommitted(committed->committed);
    } else if (std::holds_alternative<quorum_queue::OpenedEffect>(effect)) {
      open_ = true;
    } else if (std::holds_alternative<quorum_queue::StoppedEffect>(effect)) {
      stopped_ = true;
    }
  }
}

void QueueBench::OnCommitted(Seq committed) {
  const Instant now = core::SteadyNow();
  if (measuring_ && !submitted_at_.empty()) {
    longest_wait_ = std::max(longest_wait_, now - last_commit_);
  }
  last_commit_ = now;
  while (!submitted_at_.empty() && first_waiting_ <= committed) {
    if (measuring_) {
      latencies_.push_back(static_cast<uint32_t>((now - submitted_at_.front()).count() / 100));
    }
    submitted_at_.pop_front();
    ++first_waiting_;
  }
}

// Entries of the last interval but one go, as if consumers followed closely.
void QueueBench::Trim(Instant now) {
  if (options_.keep_all || now < trim_at_) return;
  trim_at_ = now + kTrimEvery;
  if (trim_next_ > Seq(0)) Step(now, quorum_queue::TrimThrough{trim_next_});
  trim_next_ = writer_->Status().committed;
  for (const auto& reader : readers_) trim_next_ = std::min(trim_next_, reader->next() - 1);
}

Status QueueBench::Until(Instant end, bool submit) {
  while (core::SteadyNow() < end &&
         (options_.entries_max == 0 || latencies_.size() < options_.entries_max)) {
    Turn(submit);
    if (stopped_) return Status::Fenced("another writer took over the benchmark's stream");
  }
  return Status::Ok();
}

double QueueBench::CpuSeconds() const {
  double cpu = OwnCpuSeconds();
  for (const auto& replica : replicas_) cpu += replica->CpuSeconds();
  return cpu;
}

Status QueueBench::Measure(double seconds) {
  measuring_ = true;
  for (const auto& reader : readers_) read_before_.push_back(reader->entries());
  if (options_.kill == QueueBenchOptions::Kill::kNothing) {
    RETURN_IF_ERROR(Until(core::SteadyNow() + Seconds(seconds), true));
  } else {
    RETURN_IF_ERROR(Until(core::SteadyNow() + Seconds(seconds / 2), true));
    RETURN_IF_ERROR(KillHalfWay());
    RETURN_IF_ERROR(Until(core::SteadyNow() + Seconds(seconds / 2), true));
  }
  measuring_ = false;
  return Status::Ok();
}

Status QueueBench::KillHalfWay() {
  if (options_.kill == QueueBenchOptions::Kill::kReplica) {
    replicas_.front()->Kill();
    return Status::Ok();
  }
  // The writer's memory is all there is of it: what it knew is gone.
  const Instant start = core::SteadyNow();
  writer_.reset();
  trim_next_ = Seq(0);
  RETURN_IF_ERROR(StartWriter());
  reopen_ = core::SteadyNow() - start;
  return Status::Ok();
}

Status QueueBench::AwaitReaders() {
  const Seq committed = writer_->Status().committed;
  const Instant start = core::SteadyNow();
  for (const auto& reader : readers_) {
    while (reader->next() <= committed) {
      if (reader->failed() || core::SteadyNow() > start + kReadWithin) {
        return Status::Unavailable(fmt::format("a reader stands at {}, and {} is committed",
                                               reader->next().value(), committed.value()));
      }
      Turn(false);
    }
  }
  catch_up_ = core::SteadyNow() - start;
  return Status::Ok();
}

Result<QueueBenchResult> QueueBench::Run() {
  RETURN_IF_ERROR(Until(core::SteadyNow() + Seconds(options_.warmup_seconds), true));
  const double cpu_before = CpuSeconds();
  const double own_before = OwnCpuSeconds();
  const Instant start = core::SteadyNow();
  RETURN_IF_ERROR(Measure(options_.seconds));
  const Duration measured = core::SteadyNow() - start;
  const double cpu = CpuSeconds() - cpu_before;
  const double own_cpu = OwnCpuSeconds() - own_before;
  RETURN_IF_ERROR(AwaitReaders());
  RETURN_IF_ERROR(CheckReplicas());
  return Summarize(measured, cpu, own_cpu);
}

// Asks the replicas themselves: two must hold every entry that was counted.
Status QueueBench::CheckReplicas() {
  const Seq committed = writer_->Status().committed;
  for (uint8_t i = 0; i < 3; i++) client_->Send(ReplicaSlot{0, i}, quorum_queue::StatusRequest{});
  const Instant give_up = core::SteadyNow() + kOpenWithin;
  const size_t running = static_cast<size_t>(std::count_if(
      replicas_.begin(), replicas_.end(), [](const auto& one) { return one->IsRunning(); }));
  while (statuses_.size() < running && core::SteadyNow() < give_up) Turn(false);
  int holding = 0;
  for (const auto& status : statuses_) {
    if (status.streams.size() == 1 &&
        std::max(status.streams[0].last, status.streams[0].trimmed) >= committed) {
      holding++;
    }
  }
  if (holding >= 2) return Status::Ok();
  return Status::Corrupt(
      fmt::format("only {} of the replicas hold entry {}, which counted as committed", holding,
                  committed.value()));
}

QueueBenchResult QueueBench::Summarize(Duration measured, double cpu, double own_cpu) {
  QueueBenchResult result;
  result.seconds = std::chrono::duration<double>(measured).count();
  result.entries = latencies_.size();
  const auto entries = static_cast<double>(result.entries);
  result.entries_per_s = entries / result.seconds;
  result.mb_per_s = result.entries_per_s * static_cast<double>(options_.entry_bytes) / 1e6;
  if (latencies_.empty()) return result;
  std::sort(latencies_.begin(), latencies_.end());
  const auto at = [&](double quantile) {
    const auto i = static_cast<size_t>(std::ceil(quantile * entries)) - 1;
    return latencies_[std::min(i, latencies_.size() - 1)] / 10.0;
  };
  result.p50_us = at(0.5);
  result.p99_us = at(0.99);
  result.p999_us = at(0.999);
  result.max_us = latencies_.back() / 10.0;
  result.cpu_s_per_million = cpu / entries * 1e6;
  result.writer_cpu_share = cpu > 0 ? own_cpu / cpu : 0;
  result.longest_wait_ms = Milliseconds(longest_wait_);
  result.reopen_ms = Milliseconds(reopen_);
  result.read_catch_up_ms = Milliseconds(catch_up_);
  for (size_t i = 0; i < readers_.size(); ++i) {
    const double rate =
        static_cast<double>(readers_[i]->entries() - read_before_[i]) / result.seconds;
    if (result.read_entries_per_s == 0 || rate < result.read_entries_per_s) {
      result.read_entries_per_s = rate;
    }
  }
  for (const auto& replica : replicas_) {
    result.replica_rss_mb =
        std::max(result.replica_rss_mb, static_cast<double>(replica->ResidentBytes()) / 1e6);
  }
  return result;
}

}  // namespace

Result<QueueBenchResult> RunQueueBench(const QueueBenchOptions& options) {
  if (options.replica_argv.empty() || options.in_flight == 0 || options.seconds <= 0) {
    return Status::BadRequest(
        "the queue benchmark needs a replica program, entries in flight and time");
  }
  QueueBench bench(options);
  RETURN_IF_ERROR(bench.Start());
  return bench.Run();
}

}  // namespace homeport::bench
