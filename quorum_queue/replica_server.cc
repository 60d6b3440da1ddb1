#include "quorum_queue/replica_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <utility>

#include "core/clock.h"
#include "core/files.h"
#include "core/format.h"
#include "core/log.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/peer_table.h"

namespace homeport::quorum_queue {
namespace {

using core::Duration;
using core::Instant;
using core::Result;
using core::Status;

constexpr uint64_t kSmallRecordBytes = 64 << 10;  // as SegmentLog's reserve
constexpr int64_t kPollUs = 50000;
constexpr Duration kTickEvery = std::chrono::seconds(1);
constexpr Duration kSpaceRetryEvery = std::chrono::milliseconds(20);
// While full, news (committed, trimmed) of a stream are logged no more often than this: the reserve
// has to last until trimming, which is such news, has freed a segment.
constexpr Duration kNewsWhileFullEvery = std::chrono::seconds(1);

class ReplicaServerOnDisk final : public ReplicaServer {
 public:
  ReplicaServerOnDisk(ReplicaServerOptions options, Identity identity,
                      std::unique_ptr<core::DirectoryLock> lock)
      : options_(std::move(options)),
        identity_(std::move(identity)),
        lock_(std::move(lock)),
        registry_(options_.registry ? options_.registry : std::make_shared<prometheus::Registry>()),
        metrics_(*registry_, identity_),
        replica_(MachineOptions()),
        peers_(options_.peers_max),
        scrubber_(options_.scrub) {}

  Status Start(core::Context& context);
  Status OpenLog();
  void Run(const std::atomic<bool>& stop) override;

  const std::string& endpoint() const override { return socket_->endpoint(); }
  const Identity& identity() const override { return identity_; }
  const RecoveryReport& recovery() const override { return recovery_; }
  const ReplicaMetrics& metrics() const override { return metrics_; }
  ReplicaPhase phase() const override { return phase_; }

 private:
  ReplicaOptions MachineOptions() const {
    ReplicaOptions machine = options_.replica;
    machine.disk = identity_.disk;
    machine.recovering = identity_.recovering;
    machine.life = identity_.life;
    machine.proposed = {identity_.life.number + 1, core::RandomBits()};
    machine.record_bytes_max = options_.log.record_bytes_max;
    return machine;
  }
  // True when something was received.
  bool Drain(Instant now);
  void Handle(Instant now, const core::PeerId& peer, const Frames& frames);
  bool MayHandle(Instant now, const ReplicaRequest& request);
  void LookForSpace(Instant now);
  void SyncAppended();
  void TellLost(Instant now);
  void OnTick(Instant now);
  void Step(Instant now, ReplicaEvent event);
  void CarryOut(ReplicaEffect effect);
  void CarryOut(LogRecordEffect effect);
  void CarryOut(AnswerEffect effect);
  void CarryOut(const EntriesLostEffect& effect);
  void CarryOut(const RememberLifeEffect& effect);
  // It is a full member, which must be known at the next start.
  Status BecomeMember();
  void LookAtPhase();
  Result<EntryRun> LoadRun(const RunLocation& location);
  // Loads the answer's runs. False when it must not be sent.
  bool LoadRuns(AnswerEffect* effect);
  void Send(ReplicaPeer peer, Frames frames);

  const ReplicaServerOptions options_;
  Identity identity_;
  const std::unique_ptr<core::DirectoryLock> lock_;
  const std::shared_ptr<prometheus::Registry> registry_;
  ReplicaMetrics metrics_;
  RecoveryReport recovery_;
  std::unique_ptr<SegmentLog> log_;
  std::unique_ptr<core::RouterSocket> socket_;
  Replica replica_;
  bool amnesiac_ = false;
  std::atomic<ReplicaPhase> phase_ = ReplicaPhase::kWaiting;
  PeerTable peers_;
  SegmentScrubber scrubber_;

  uint64_t unsynced_records_ = 0;
  uint64_t unsynced_bytes_ = 0;
  bool full_ = false;
  Instant next_space_try_{};
  Instant next_tick_{};
  uint64_t disk_free_bytes_ = 0;
  std::map<StreamId, Instant> news_logged_;  // while full
  std::vector<ReplicaEffect> effects_;       // of the Step in hand
  // Records lost that the machine has not been told of yet; told even when none is named here.
  std::set<RecordNumber> lost_;
  bool tell_lost_ = false;
};

Status ReplicaServerOnDisk::OpenLog() {
  SegmentLogOptions log = options_.log;
  log.dir = options_.dir;
  LogReplay replay;
  replay.record = [this](RecordNumber record, std::string_view header, uint64_t body_size) {
    return replica_.Replay(record, header, body_size);
  };
  replay.without_body = [this](RecordNumber record, std::string_view header, uint64_t body_size) {
    return replica_.ReplayWithoutBody(record, header, body_size);
  };
  replay.lost = [this](RecordNumber first, RecordNumber last) {
    return replica_.ReplayLost(first, last);
  };
  Result<std::unique_ptr<SegmentLog>> opened = SegmentLog::Open(log, replay, &recovery_);
  for (const std::string& sentence : recovery_.corrupt) {
    core::LogError("log_corrupt", {{"what", sentence}});
  }
  if (!opened.ok()) return opened.status();
  log_ = std::move(opened).value();
  if (!replica_.knows_promises() || recovery_.IsBeheaded(log_->next())) {
    return Status::Corrupt(fmt::format(
        "{}; this replica may have forgotten a promise, and must not serve from this directory. "
        "Keep it for the evidence, and start the replica on a new one with --replace: it is "
        "restored from the other two",
        recovery_.WhyUnknown()));
  }
  replica_.FinishReplay(log_->next());
  // It ended after it had everything and before it could say so.
  if (identity_.recovering && !replica_.recovering()) RETURN_IF_ERROR(BecomeMember());
  metrics_.recovering.Set(identity_.recovering ? 1 : 0);
  tell_lost_ = !recovery_.corrupt.empty();
  return Status::Ok();
}

Status ReplicaServerOnDisk::Start(core::Context& context) {
  RETURN_IF_ERROR(OpenLog());
  ASSIGN_OR_RETURN(socket_, core::RouterSocket::Bind(context, options_.endpoint, kFrameBytesMax));
  OnTick(core::SteadyNow());
  core::LogInfo("replica_started", {{"region", identity_.region},
                                    {"replica", std::to_string(identity_.replica)},
                                    {"disk", fmt::format("{:016x}", identity_.disk.value())},
                                    {"dir", options_.dir},
                                    {"endpoint", socket_->endpoint()},
                                    {"recovering", identity_.recovering ? "yes" : "no"},
                                    {"life", std::to_string(identity_.life.number + 1)},
                                    {"records", std::to_string(recovery_.records)},
                                    {"torn_bytes", std::to_string(recovery_.torn_bytes)}});
  return Status::Ok();
}

void ReplicaServerOnDisk::Run(const std::atomic<bool>& stop) {
  core::Poller poller;
  poller.Add(socket_->raw());
  while (!stop.load(std::memory_order_relaxed) && !amnesiac_) {
    const Instant now = core::SteadyNow();
    if (now >= next_tick_) OnTick(now);
    const bool received = Drain(now);
    SyncAppended();
    for (const RecordNumber record : scrubber_.Poll(now, log_.get())) lost_.insert(record);
    TellLost(now);
    if (!received) poller.Wait(kPollUs);
  }
}

bool ReplicaServerOnDisk::Drain(Instant now) {
  core::PeerId peer;
  Frames frames;
  uint64_t messages = 0;
  while (messages < options_.batch_messages_max && unsynced_bytes_ < options_.batch_bytes_max &&
         socket_->Receive(&peer, &frames)) {
    messages++;
    Handle(now, peer, frames);
  }
  return messages > 0;
}

void ReplicaServerOnDisk::Handle(Instant now, const core::PeerId& peer, const Frames& frames) {
  Result<ReplicaRequest> request = DecodeRequest(frames);
  if (!request.ok()) {
    metrics_.malformed.Increment();
    if (IsOfUnknownVersion(frames)) Send(peers_.NumberOf(peer), EncodeUnsupported());
    return;
  }
  LookForSpace(now);
  if (!MayHandle(now, *request)) {
    metrics_.dropped_full.Increment();
    return;
  }
  Step(now, RequestReceived{peers_.NumberOf(peer), std::move(request).value()});
}

bool ReplicaServerOnDisk::MayHandle(Instant now, const ReplicaRequest& request) {
  if (!full_) return true;
  if (std::holds_alternative<Read>(request) || std::holds_alternative<StatusRequest>(request) ||
      std::holds_alternative<Holdings>(request)) {
    return true;
  }
  if (!log_->Fits(kSmallRecordBytes)) return false;
  std::optional<StreamId> news;
  if (const auto* trim = std::get_if<Trim>(&request)) news = trim->stream;
  if (const auto* append = std::get_if<Append>(&request); append && append->run.empty()) {
    news = append->stream;
  }
  if (!news) return true;
  const auto [logged, is_new] = news_logged_.try_emplace(*news, now);
  if (!is_new && now - logged->second < kNewsWhileFullEvery) return false;
  logged->second = now;
  return true;
}

// Before each message, so that one that is let through always fits.
void ReplicaServerOnDisk::LookForSpace(Instant now) {
  if (!replica_.admitted()) return;  // until then it logs nothing
  if (log_->NeedsSegment() && now >= next_space_try_) {
    Status started = log_->StartSegment();
    if (started.ok()) {
      Step(now, SegmentStarted{});
    } else {
      if (!full_) core::LogWarn("replica_full", {{"reason", started.message()}});
      next_space_try_ = now + kSpaceRetryEvery;
    }
  }
  const bool full = log_->NeedsSegment();
  if (full == full_) return;
  full_ = full;
  metrics_.full.Set(full ? 1 : 0);
  if (!full) {
    core::LogInfo("replica_has_space_again", {{"dir", options_.dir}});
    news_logged_.clear();
  }
  Step(now, SpaceChanged{full});
}

void ReplicaServerOnDisk::SyncAppended() {
  if (unsynced_records_ == 0) return;
  const Instant start = core::SteadyNow();
  log_->Sync();
  const Instant end = core::SteadyNow();
  metrics_.sync_seconds.Observe(std::chrono::duration<double>(end - start).count());
  metrics_.sync_records.Observe(static_cast<double>(unsynced_records_));
  metrics_.records.Increment(static_cast<double>(unsynced_records_));
  metrics_.Update(replica_.stats());
  unsynced_records_ = 0;
  unsynced_bytes_ = 0;
  Step(end, Persisted{log_->next() - 1});
}

// Not where the loss is found, in the middle of a Step; and only where the checkpoint fits.
void ReplicaServerOnDisk::TellLost(Instant now) {
  if ((lost_.empty() && !tell_lost_) || !replica_.admitted()) return;
  LookForSpace(now);
  if (!log_->Fits(replica_.CheckpointBytes())) return;
  tell_lost_ = false;
  const std::set<RecordNumber> lost = std::exchange(lost_, {});
  Step(now, RecordsLost{{lost.begin(), lost.end()}});
  SyncAppended();
}

void ReplicaServerOnDisk::OnTick(Instant now) {
  next_tick_ = now + kTickEvery;
  if (Result<uint64_t> free = core::DiskFreeBytes(options_.dir); free.ok()) {
    disk_free_bytes_ = *free;
  }
  metrics_.disk_free_bytes.Set(static_cast<double>(disk_free_bytes_));
  metrics_.log_bytes.Set(static_cast<double>(log_->bytes()));
  metrics_.Update(replica_.stats());
  metrics_.Update(scrubber_.stats());
  metrics_.doubtful_streams.Set(static_cast<double>(replica_.doubtful_streams()));
  LookForSpace(now);
  Step(now, Tick{});
}

void ReplicaServerOnDisk::Step(Instant now, ReplicaEvent event) {
  effects_.clear();
  replica_.Step(now, std::move(event), &effects_);
  for (ReplicaEffect& effect : effects_) CarryOut(std::move(effect));
  LookAtPhase();
}

void ReplicaServerOnDisk::LookAtPhase() {
  const ReplicaPhase before = phase_;
  if (amnesiac_) {
    phase_ = ReplicaPhase::kAmnesiac;
  } else if (!replica_.admitted()) {
    phase_ = ReplicaPhase::kWaiting;
  } else {
    phase_ = identity_.recovering ? ReplicaPhase::kRecovering : ReplicaPhase::kServing;
  }
  if (phase_ == before) return;
  metrics_.admitted.Set(replica_.admitted() ? 1 : 0);
  if (before == ReplicaPhase::kWaiting && !amnesiac_ && options_.replica.needs_admission) {
    core::LogInfo("replica_admitted", {{"region", identity_.region},
                                       {"replica", std::to_string(identity_.replica)},
                                       {"life", std::to_string(identity_.life.number)}});
  }
}

void ReplicaServerOnDisk::CarryOut(ReplicaEffect effect) {
  if (auto* record = std::get_if<LogRecordEffect>(&effect)) {
    CarryOut(std::move(*record));
  } else if (auto* answer = std::get_if<AnswerEffect>(&effect)) {
    CarryOut(std::move(*answer));
  } else if (const auto* release = std::get_if<ReleaseEffect>(&effect)) {
    log_->Release(release->record);
  } else if (std::holds_alternative<RecoveredEffect>(effect)) {
    if (const Status known = BecomeMember(); !known.ok()) {
      // At the next start the log says that it is restored.
      core::LogError("identity_not_written", {{"why", known.message()}});
      std::abort();
    }
  } else if (const auto* lost = std::get_if<EntriesLostEffect>(&effect)) {
    CarryOut(*lost);
  } else if (const auto* life = std::get_if<RememberLifeEffect>(&effect)) {
    CarryOut(*life);
  } else if (std::holds_alternative<AmnesiacEffect>(effect)) {
    amnesiac_ = true;
    core::LogError("replica_is_amnesiac",
                   {{"region", identity_.region},
                    {"replica", std::to_string(identity_.replica)},
                    {"disk", fmt::format("{:016x}", identity_.disk.value())},
                    {"dir", options_.dir},
                    {"why",
                     "its directory was put back from an old copy, and lacks what it had "
                     "promised and stored since"}});
  }
}

void ReplicaServerOnDisk::CarryOut(LogRecordEffect effect) {
  unsynced_records_++;
  unsynced_bytes_ += effect.header.size() + effect.body.size();
  const RecordNumber record =
      log_->Append(std::move(effect.header), std::move(effect.body), effect.body_checksum);
  CHECK(record == effect.record, "machine and log count records alike", record, effect.record);
}

void ReplicaServerOnDisk::CarryOut(AnswerEffect effect) {
  if (!LoadRuns(&effect)) return;
  if (auto* status = std::get_if<StatusAnswer>(&effect.answer)) {
    status->log_bytes = log_->bytes();
    status->disk_free_bytes = disk_free_bytes_;
    status->cluster = identity_.cluster;
    status->incarnation = identity_.incarnation;
    status->replica = identity_.replica;
  }
  Send(effect.peer, EncodeAnswer(effect.answer, effect.compress));
}

Status ReplicaServerOnDisk::BecomeMember() {
  identity_.recovering = false;
  metrics_.recovering.Set(0);
  RETURN_IF_ERROR(WriteIdentity(options_.dir, identity_));
  core::LogInfo("replica_restored", {{"region", identity_.region},
                                     {"replica", std::to_string(identity_.replica)},
                                     {"disk", fmt::format("{:016x}", identity_.disk.value())}});
  return {};
}

void ReplicaServerOnDisk::CarryOut(const RememberLifeEffect& effect) {
  identity_.life = effect.life;
  if (const Status known = WriteIdentity(options_.dir, identity_); !known.ok()) {
    // The region must not hear that it is remembered.
    core::LogError("identity_not_written", {{"why", known.message()}});
    std::abort();
  }
}

void ReplicaServerOnDisk::CarryOut(const EntriesLostEffect& lost) {
  core::LogError("entries_lost",
                 {{"stream", fmt::format("{}", lost.stream)},
                  {"first", std::to_string(lost.first.value())},
                  {"last", std::to_string(lost.last.value())},
                  {"record", std::to_string(lost.record.value())},
                  {"fences", lost.doubtful ? "withheld until they are committed" : "answered"}});
}

Result<EntryRun> ReplicaServerOnDisk::LoadRun(const RunLocation& location) {
  std::string header;
  core::SharedBytes body;
  RETURN_IF_ERROR(log_->Load(location.record, &header, &body));
  ASSIGN_OR_RETURN(EntryRun run, RunOfRecord(header, std::move(body)));
  CHECK(run.first == location.record_first && run.epoch == location.epoch &&
            run.last() >= location.last(),
        "a record holds the run that the index says", location.record, run.first, run.epoch);
  return SliceRun(run, location.first, location.count);
}

bool ReplicaServerOnDisk::LoadRuns(AnswerEffect* effect) {
  std::vector<EntryRun> runs;
  runs.reserve(effect->runs.size());
  for (const RunLocation& location : effect->runs) {
    Result<EntryRun> run = LoadRun(location);
    if (run.ok()) {
      runs.push_back(std::move(run).value());
      continue;
    }
    metrics_.corrupt_loads.Increment();
    core::LogError("record_corrupt", {{"what", run.status().message()},
                                      {"record", std::to_string(location.record.value())},
                                      {"found_by", "read"}});
    lost_.insert(location.record);
    // The reader asks another replica. A fence must not be answered without what was stored here:
    // the takeover would take it for never written.
    auto* read = std::get_if<ReadAnswer>(&effect->answer);
    if (read == nullptr) return false;
    read->outcome = ReadOutcome::kLacking;
    read->runs.clear();
    return true;
  }
  if (auto* read = std::get_if<ReadAnswer>(&effect->answer)) read->runs = std::move(runs);
  if (auto* fence = std::get_if<FenceAnswer>(&effect->answer)) fence->runs = std::move(runs);
  if (auto* all = std::get_if<RecoverAnswer>(&effect->answer)) all->runs = std::move(runs);
  return true;
}

void ReplicaServerOnDisk::Send(ReplicaPeer peer, Frames frames) {
  const core::PeerId* id = peers_.Find(peer);
  if (id == nullptr || !socket_->Send(*id, std::move(frames))) metrics_.answers_dropped.Increment();
}

}  // namespace

Result<std::unique_ptr<ReplicaServer>> ReplicaServer::Open(core::Context& context,
                                                           ReplicaServerOptions options) {
  // Identity first: a directory that is not there must not be made by the lock.
  ASSIGN_OR_RETURN(Identity identity, ReadIdentity(options.dir));
  RETURN_IF_ERROR(CheckIdentity(options.dir, options.expected, identity));
  ASSIGN_OR_RETURN(auto lock, core::DirectoryLock::Take(options.dir));
  auto server = std::make_unique<ReplicaServerOnDisk>(std::move(options), std::move(identity),
                                                      std::move(lock));
  RETURN_IF_ERROR(server->Start(context));
  return std::unique_ptr<ReplicaServer>(std::move(server));
}

}  // namespace homeport::quorum_queue
