#include "tests/sim/sim_replica.h"

#include <fmt/format.h>

#include <iterator>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"

namespace homeport::sim {

using quorum_queue::AnswerEffect;
using quorum_queue::RecordNumber;
using quorum_queue::Replica;
using quorum_queue::ReplicaAnswer;
using quorum_queue::ReplicaEvent;
using quorum_queue::RunLocation;

namespace {

constexpr size_t kVouchersMin = 3;  // records at the log's end that stay whole

const Note kBodyFlips("a bit flips in the entries of a record");
const Note kRecordFlips("a bit flips such that nothing of a record can be read");
const Note kFoundByRead("damage is found when a record is read for somebody");
const Note kFoundByScrub("damage is found by the scrubber");
const Note kFoundAtStart("damage is found at a start");
const Note kDoesNotStart("a replica does not start: it may have forgotten a promise");

}  // namespace

SimReplica::SimReplica(SimReplicaOptions options, Scheduler* scheduler, Random* random,
                       QueueChecker* checker, EventLog* log, SendAnswer send)
    : options_(options),
      scheduler_(scheduler),
      random_(random),
      checker_(checker),
      log_(log),
      send_(std::move(send)),
      recovering_(options.recovering) {
  if (recovering_) image_.BeginRecovery();
}

void SimReplica::Start() {
  if (retired_ || gave_up_) return;
  CHECK(!up(), "a replica is started once");
  quorum_queue::ReplicaOptions options;
  options.disk = options_.disk;
  options.recovering = recovering_;
  options.needs_admission = options_.needs_admission;
  options.life = life_;
  if (options_.needs_admission) options.proposed = {life_.number + 1, random_->Next()};
  options.read_answer_bytes_max = 1000;
  options.fence_page_runs_max = options_.fence_page_runs;
  options.subscription_lifetime = std::chrono::seconds(2);
  options.subscriptions_max = options_.subscriptions_max;
  machine_ = std::make_unique<Replica>(options);
  credits_.clear();
  ++starts_;
  log_->Add(scheduler_->now(), "replica {} starts", options_.index);
  syncing_ = sync_fails_ = false;
  if (!Replay()) return;
  machine_->FinishReplay(written_ + 1);
  recovering_ = machine_->recovering();
  SetFull(full_);
}

bool SimReplica::Replay() {
  lost_.clear();
  told_.clear();
  tell_lost_ = false;
  for (const auto& [number, record] : records_) {
    core::Status status;
    if (record.unreadable) {
      status = machine_->ReplayLost(number, number);
    } else if (IsDamaged(record)) {
      status = machine_->ReplayWithoutBody(number, record.header, record.body.size());
    } else {
      status = machine_->Replay(number, record.header, record.body.size());
    }
    tell_lost_ |= IsDamaged(record);
    if (!status.ok()) {
      checker_->Fail(
          fmt::format("disk: record {} cannot be replayed: {}", number.value(), status.message()));
      machine_.reset();
      return false;
    }
  }
  if (tell_lost_) notes_.push_back(&kFoundAtStart);
  if (machine_->knows_promises()) return true;
  notes_.push_back(&kDoesNotStart);
  log_->Add(scheduler_->now(), "replica {} does not start: it may have forgotten a promise",
            options_.index);
  machine_.reset();
  image_.BeginRecovery();  // it counts as lost
  forgot_ = gave_up_ = true;
  return false;
}

void SimReplica::Retire() {
  Crash();
  retired_ = true;
  image_ = DiskImage();
}

void SimReplica::Crash() {
  if (!up()) return;
  machine_.reset();
  const RecordNumber before = synced_;
  const uint64_t unsynced = written_ - synced_;
  if (unsynced > 0) MarkSynced(synced_ + random_->Below(unsynced + 1));
  records_.erase(records_.upper_bound(synced_), records_.end());
  while (!segments_.empty() && segments_.back() > synced_) segments_.pop_back();
  written_ = synced_;
  log_->Add(scheduler_->now(), "replica {} crashes; {} records were not synced, {} of them survive",
            options_.index, unsynced, synced_ - before);
}

SimReplica::Copy SimReplica::CopyDirectory() const {
  Copy copy{options_.disk, recovering_, life_, records_, segments_, synced_, image_};
  copy.records.erase(copy.records.upper_bound(synced_), copy.records.end());
  while (!copy.segments.empty() && copy.segments.back() > synced_) copy.segments.pop_back();
  return copy;
}

void SimReplica::PutBack(const Copy& copy) {
  CHECK(!up() && copy.disk == options_.disk, "a copy of this directory, and no process on it");
  recovering_ = copy.recovering;
  life_ = copy.life;
  records_ = copy.records;
  segments_ = copy.segments;
  written_ = synced_ = copy.synced;
  image_ = copy.image;
  image_.BeginRecovery();  // it counts as lost
  forgot_ = true;
}

void SimReplica::Receive(quorum_queue::ReplicaPeer peer, quorum_queue::ReplicaRequest request) {
  if (!up()) return;
  // Nothing is logged before it is admitted.
  if (segments_.empty() && machine_->admitted()) {
    segments_.push_back(written_ + 1);
    Step(quorum_queue::SegmentStarted{});
  }
  if (const auto* read = std::get_if<quorum_queue::Read>(&request)) {
    Credit& credit = credits_[{peer, read->stream}];
    if (credit.session != read->session) credit = {read->session, 0, 0};
    credit.received_bytes = std::max(credit.received_bytes, read->received_bytes);
    credit.credit_bytes = read->credit_bytes;
  }
  Step(quorum_queue::RequestReceived{peer, std::move(request)});
}

void SimReplica::Tick() {
  if (!up()) return;
  Step(quorum_queue::Tick{});
  TellLost();
}

void SimReplica::Damage() {
  if (recovering_ || records_.size() < kVouchersMin) return;
  // The last ones stay whole, and vouch for what is before.
  auto voucher = records_.upper_bound(synced_);
  for (size_t i = 0; i < kVouchersMin; ++i) {
    if (voucher == records_.begin()) return;
    --voucher;
  }
  const auto end = records_.upper_bound(voucher->second.vouches);
  const auto count = static_cast<uint64_t>(std::distance(records_.begin(), end));
  if (count == 0) return;
  const auto chosen = std::next(records_.begin(), static_cast<ptrdiff_t>(random_->Below(count)));
  auto& [number, record] = *chosen;
  if (IsDamaged(record)) return;
  if (!record.body.empty() && random_->Chance(600)) {
    std::string body(record.body.view());
    body[random_->Below(body.size())] ^= static_cast<char>(1 << random_->Below(8));
    record.body = core::SharedBytes(std::move(body));
    notes_.push_back(&kBodyFlips);
  } else {
    record.unreadable = true;
    notes_.push_back(&kRecordFlips);
  }
  log_->Add(scheduler_->now(), "replica {}: record {} is damaged; nothing of it can be read: {}",
            options_.index, number, record.unreadable);
  image_.Lose(number);
}

bool SimReplica::IsDamaged(const Record& record) const {
  if (record.unreadable) return true;
  if (record.body.empty()) return false;
  const auto run = quorum_queue::RunOfRecord(record.header, record.body);
  return !run.ok() || run->checksum != quorum_queue::BodyChecksum(record.body.view());
}

void SimReplica::Scrub() {
  if (!up()) return;
  for (const auto& [number, record] : records_) {
    if (number > synced_ || told_.contains(number) || !IsDamaged(record)) continue;
    notes_.push_back(&kFoundByScrub);
    lost_.insert(number);
  }
  TellLost();
}

// Not in the middle of a Step, and only once it may log the checkpoint.
void SimReplica::TellLost() {
  if ((lost_.empty() && !tell_lost_) || !machine_->admitted() || segments_.empty()) return;
  tell_lost_ = false;
  const std::set<RecordNumber> lost = std::exchange(lost_, {});
  told_.insert(lost.begin(), lost.end());
  Step(quorum_queue::RecordsLost{{lost.begin(), lost.end()}});
}

void SimReplica::SetFull(bool full) {
  if (full != full_) log_->Add(scheduler_->now(), "replica {}: full: {}", options_.index, full);
  full_ = full;
  if (up()) Step(quorum_queue::SpaceChanged{full});
}

Seq SimReplica::committed() const {
  if (!up() || recovering_) return Seq(0);
  const auto status = machine_->Status();
  return status.streams.empty() ? Seq(0) : status.streams.front().committed;
}

void SimReplica::Step(ReplicaEvent event) {
  std::vector<quorum_queue::ReplicaEffect> effects;
  machine_->Step(options_.clock.Local(scheduler_->now()), std::move(event), &effects);
  machine_->CheckInvariants();
  for (auto& effect : effects) {
    if (auto* log = std::get_if<quorum_queue::LogRecordEffect>(&effect)) {
      CHECK(log->record == written_ + 1, "records are consecutive", log->record, written_);
      written_ = log->record;
      if (options_.bug != nullptr && options_.bug->record != nullptr) {
        options_.bug->record(options_.index, log);
      }
      records_[written_] = {std::move(log->header), std::move(log->body), synced_, false};
    } else if (auto* answer = std::get_if<AnswerEffect>(&effect)) {
      Answer(std::move(*answer));
    } else if (const auto* release = std::get_if<quorum_queue::ReleaseEffect>(&effect)) {
      Release(release->record);
    } else if (std::holds_alternative<quorum_queue::RecoveredEffect>(effect)) {
      recovering_ = false;
    } else if (const auto* life = std::get_if<quorum_queue::RememberLifeEffect>(&effect)) {
      life_ = life->life;
      took_part_ = false;
    } else if (std::holds_alternative<quorum_queue::AmnesiacEffect>(effect)) {
      gave_up_ = true;
    }
  }
  if (gave_up_) {
    // Not now: who called this still looks at the machine.
    scheduler_->After(core::Duration(0), [this] { Crash(); });
    return;
  }
  CheckMemory();
  took_part_ |= machine_->admitted();
  if (forgot_ && machine_->admitted() && options_.check_disk) {
    checker_->Fail("disk: a replica takes part with an old copy of its directory");
  }
  if (written_ > synced_) StartSync();
}

void SimReplica::Answer(AnswerEffect effect) {
  std::vector<EntryRun> runs;
  auto* read = std::get_if<quorum_queue::ReadAnswer>(&effect.answer);
  if (read != nullptr) {
    uint64_t bytes = 0;
    for (const RunLocation& run : effect.runs) bytes += run.bytes();
    CheckCredit(effect.peer, *read, bytes);
  }
  if (!Load(effect.runs, &runs)) {
    if (read == nullptr) return;
    read->outcome = quorum_queue::ReadOutcome::kLacking;
    runs.clear();
  }
  if (read != nullptr) {
    read->runs = std::move(runs);
  } else if (auto* fence = std::get_if<quorum_queue::FenceAnswer>(&effect.answer)) {
    fence->runs = std::move(runs);
  } else if (auto* all = std::get_if<quorum_queue::RecoverAnswer>(&effect.answer)) {
    all->runs = std::move(runs);
  }
  if (options_.check_disk) CheckAnswer(effect.answer);
  send_(effect.peer, std::move(effect.answer));
}

bool SimReplica::Load(const std::vector<RunLocation>& locations, std::vector<EntryRun>* runs) {
  for (const RunLocation& location : locations) {
    const auto record = records_.find(location.record);
    if (record == records_.end()) {
      checker_->Fail(
          fmt::format("disk: record {} is needed and was released", location.record.value()));
      return false;
    }
    if (IsDamaged(record->second) && !options_.serve_damaged) {
      notes_.push_back(&kFoundByRead);
      lost_.insert(location.record);
      return false;
    }
    auto run = quorum_queue::RunOfRecord(record->second.header, record->second.body);
    if (!run.ok()) {
      checker_->Fail("disk: " + run.status().message());
      return false;
    }
    runs->push_back(quorum_queue::SliceRun(*run, location.first, location.count));
  }
  return true;
}

void SimReplica::CheckAnswer(const ReplicaAnswer& answer) {
  if (const auto* fence = std::get_if<quorum_queue::FenceAnswer>(&answer)) {
    if (image_.promised() < fence->epoch) checker_->Fail("disk: a promise was told too early");
  } else if (const auto* stored = std::get_if<quorum_queue::Stored>(&answer)) {
    // A newer writer may have replaced them since.
    if (stored->fill || image_.promised() > stored->epoch) return;
    for (uint64_t i = 0; i < stored->count; ++i) {
      if (!image_.Held(stored->first + i, stored->epoch)) {
        checker_->Fail(
            fmt::format("disk: {} was said to be stored too early", (stored->first + i).value()));
        return;
      }
    }
    if (image_.committed() < stored->committed) {
      checker_->Fail("disk: committed was told too early");
    }
  }
}

void SimReplica::CheckMemory() const {
  const quorum_queue::ReplicaMemory memory = machine_->Memory();
  const uint64_t unsynced = written_ - synced_;
  if (unsynced == 0 && memory.answers > 0) {
    checker_->Fail(
        fmt::format("memory: a replica keeps {} answers, though all is on disk", memory.answers));
  }
  if (memory.releases > unsynced) {
    checker_->Fail(fmt::format("memory: a replica keeps {} releases; {} records are not on disk",
                               memory.releases, unsynced));
  }
  if (memory.subscriptions > options_.subscriptions_max) {
    checker_->Fail(fmt::format("memory: a replica keeps {} subscriptions; the bound is {}",
                               memory.subscriptions, options_.subscriptions_max));
  }
}

// What is on its way to a reader is less than its credit, and one answer.
void SimReplica::CheckCredit(quorum_queue::ReplicaPeer peer, const quorum_queue::ReadAnswer& answer,
                             uint64_t bytes) {
  const auto credit = credits_.find({peer, answer.stream});
  if (bytes == 0 || credit == credits_.end() || credit->second.session != answer.session) return;
  const auto& [session, received, allowed] = credit->second;
  const uint64_t before = answer.sent_bytes - bytes;
  if (before > received && before - received >= allowed) {
    checker_->Fail(
        fmt::format("memory: a reader has room for {} bytes; {} are on their way to it, "
                    "and {} more are sent",
                    allowed, before - received, bytes));
  }
}

// ---- the disk

void SimReplica::StartSync() {
  if (syncing_) return;
  syncing_ = true;
  const RecordNumber through = written_;
  if (options_.acknowledge_unsynced) {
    // After this Step, as a real disk would.
    scheduler_->After(core::Duration(0), [this, start = starts_, through] {
      if (up() && start == starts_) Step(quorum_queue::Persisted{through});
    });
  }
  const core::Duration delay = slow_ ? random_->Millis(50, 500) : random_->Micros(50, 3000);
  scheduler_->After(delay, [this, start = starts_, through] { FinishSync(start, through); });
}

void SimReplica::FinishSync(uint64_t start, RecordNumber through) {
  if (!up() || start != starts_) return;
  syncing_ = false;
  if (sync_fails_) {
    log_->Add(scheduler_->now(), "replica {}: fdatasync fails", options_.index);
    Crash();
    return;
  }
  MarkSynced(through);
  if (!segments_.empty() && machine_->admitted() &&
      written_ - segments_.back() >= options_.segment_records) {
    // A segment begins with everything before it synced.
    MarkSynced(written_);
    Step(quorum_queue::Persisted{written_});
    segments_.push_back(written_ + 1);
    Step(quorum_queue::SegmentStarted{});
  } else if (!options_.acknowledge_unsynced) {
    Step(quorum_queue::Persisted{through});
  } else if (written_ > synced_) {
    StartSync();
  }
}

void SimReplica::MarkSynced(RecordNumber through) {
  while (synced_ < through) {
    ++synced_;
    const Record& record = records_.at(synced_);
    if (auto wrong = image_.Apply(synced_, record.header, record.body))
      checker_->Fail(std::move(*wrong));
  }
}

void SimReplica::Release(RecordNumber below) {
  while (segments_.size() > 1 && segments_[1] <= below) {
    segments_.pop_front();
    records_.erase(records_.begin(), records_.lower_bound(segments_.front()));
  }
}

}  // namespace homeport::sim
