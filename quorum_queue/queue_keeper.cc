#include "quorum_queue/queue_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"

namespace homeport::quorum_queue {
namespace {

using core::Duration;
using core::Instant;
using core::Result;

constexpr Duration kLooksForOrdersEvery = std::chrono::milliseconds(50);
constexpr Duration kPublishEvery = std::chrono::seconds(1);
constexpr int kAnswersPerTurn = 100;

// "group 1 replica 2", as people count.
std::string NameOf(ReplicaSlot slot) {
  return fmt::format("group {} replica {}", slot.group + 1, slot.slot + 1);
}

class KeeperMetrics {
 public:
  KeeperMetrics(prometheus::Registry& registry, const std::string& region)
      : lacking_entries_(Gauges(registry, "under_replicated_entries",
                                "Committed entries that a replica of the group lacks.")),
        lacking_bytes_(Gauges(registry, "under_replicated_bytes",
                              "Payload bytes of the entries that a replica lacks.")),
        held_nowhere_(
            Gauges(registry, "held_nowhere", "Committed entries that no replica holds: an alarm.")
                .Add({{"region", region}})),
        mended_entries_(
            Counters(registry, "mended_entries_total", "Entries filled in by the mender.")
                .Add({{"region", region}})),
        mended_bytes_(
            Counters(registry, "mended_bytes_total", "Payload bytes filled in by the mender.")
                .Add({{"region", region}})),
        complete_(Gauges(registry, "looks_complete",
                         "1 once every stream was looked at since the groups changed last.")
                      .Add({{"region", region}})),
        recovering_(Gauges(registry, "recovering_replicas",
                           "Replicas whose disk was replaced and that have not got everything.")
                        .Add({{"region", region}})),
        restored_(Counters(registry, "restored_replicas_total",
                           "Replicas that were restored after a lost disk.")
                      .Add({{"region", region}})),
        waiting_(Gauges(registry, "waiting_replicas",
                        "Replicas that answer and are not admitted, amnesiacs among them.")
                     .Add({{"region", region}})),
        given_up_(Counters(registry, "amnesiac_replicas_total",
                           "Replicas whose directory was put back from an old copy, and given up.")
                      .Add({{"region", region}})),
        notes_(Counters(registry, "mender_notes_total", "Rare branches of the mender, by kind.")),
        region_(region) {}

  void Update(const QueueKeeperStatus& status) {
    // Until every stream was looked at, what is not known to be lacking is not known to be there.
    for (auto& [slot, gauges] : by_replica_) {
      if (!status.complete) break;
      gauges.first->Set(0);
      gauges.second->Set(0);
    }
    for (const ReplicaLack& lack : status.lacking) {
      const auto [found, is_new] = by_replica_.try_emplace(lack.replica);
      if (is_new) {
        const prometheus::Labels labels = {{"region", region_},
                                           {"group", std::to_string(lack.replica.group + 1)},
                                           {"replica", std::to_string(lack.replica.slot + 1)}};
        found->second = {&lacking_entries_.Add(labels), &lacking_bytes_.Add(labels)};
      }
      found->second.first->Set(static_cast<double>(lack.entries));
      found->second.second->Set(static_cast<double>(lack.bytes));
    }
    if (status.complete || status.held_nowhere > 0) {
      held_nowhere_.Set(static_cast<double>(status.held_nowhere));
    }
    RaiseTo(mended_entries_, status.mended_entries);
    RaiseTo(mended_bytes_, status.mended_bytes);
    complete_.Set(status.complete ? 1 : 0);
    recovering_.Set(status.restoring ? 1 : 0);
    RaiseTo(restored_, status.restored);
    const auto waits = [](const auto& one) {
      return one.second == ReplicaLife::kWaiting || one.second == ReplicaLife::kAmnesiac ||
             one.second == ReplicaLife::kStoreIsOlder;
    };
    waiting_.Set(
        static_cast<double>(std::count_if(status.lives.begin(), status.lives.end(), waits)));
    RaiseTo(given_up_, status.given_up);
  }
  void Count(std::string_view note) {
    notes_.Add({{"region", region_}, {"kind", std::string(note)}}).Increment();
  }

 private:
  static prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry,
                                                       const std::string& name,
                                                       const std::string& help) {
    return prometheus::BuildGauge().Name("homeport_queue_" + name).Help(help).Register(registry);
  }
  static prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry,
                                                           const std::string& name,
                                                           const std::string& help) {
    return prometheus::BuildCounter().Name("homeport_queue_" + name).Help(help).Register(registry);
  }
  static void RaiseTo(prometheus::Counter& counter, uint64_t value) {
    counter.Increment(static_cast<double>(value) - counter.Value());
  }

  prometheus::Family<prometheus::Gauge>& lacking_entries_;
  prometheus::Family<prometheus::Gauge>& lacking_bytes_;
  prometheus::Gauge& held_nowhere_;
  prometheus::Counter& mended_entries_;
  prometheus::Counter& mended_bytes_;
  prometheus::Gauge& complete_;
  prometheus::Gauge& recovering_;
  prometheus::Counter& restored_;
  prometheus::Gauge& waiting_;
  prometheus::Counter& given_up_;
  prometheus::Family<prometheus::Counter>& notes_;
  const std::string region_;
  std::map<ReplicaSlot, std::pair<prometheus::Gauge*, prometheus::Gauge*>> by_replica_;
};

// Stored and Refused may be for either.
bool IsForRestorer(const ReplicaAnswer& answer) {
  return std::holds_alternative<StatusAnswer>(answer) ||
         std::holds_alternative<RecoverAnswer>(answer) || std::holds_alternative<Stored>(answer) ||
         std::holds_alternative<Refused>(answer);
}

QueueKeeperStatus StatusOf(const MenderStatus& mender, Instant now) {
  QueueKeeperStatus status;
  status.complete = mender.complete;
  status.held_nowhere = mender.held_nowhere;
  status.not_drained = mender.not_drained;
  status.mended_entries = mender.mended_entries;
  status.mended_bytes = mender.mended_bytes;
  std::map<ReplicaSlot, ReplicaLack> lacking;
  for (const UnderReplicated& one : mender.lacking) {
    ReplicaLack& lack = lacking[one.replica];
    lack.replica = one.replica;
    lack.silent |= one.silent;
    ++lack.streams;
    lack.entries += one.entries;
    lack.bytes += one.bytes;
    lack.since = std::max(lack.since, now - one.since);
  }
  for (const auto& [replica, lack] : lacking) status.lacking.push_back(lack);
  return status;
}

class QueueKeeperOnThread final : public QueueKeeper {
 public:
  QueueKeeperOnThread(QueueKeeperOptions options, std::unique_ptr<QueueClient> client)
      : region_(std::move(options.region)),
        registry_(options.registry ? options.registry : std::make_shared<prometheus::Registry>()),
        metrics_(*registry_, region_),
        client_(std::move(client)),
        mender_(std::move(options.mender)),
        restorer_(std::move(options.restorer)),
        life_store_(std::move(options.lives)),
        admitter_(std::move(options.admitter)),
        take_grant_(std::move(options.take_grant)),
        first_grant_(std::move(options.grant)),
        thread_([this] { Run(); }) {}
  ~QueueKeeperOnThread() override {
    stop_ = true;
    thread_.join();
  }

  void SetForeground(bool busy) override { busy_ = busy; }
  void SetGroups(std::vector<Group> groups) override {
    std::lock_guard lock(mutex_);
    new_groups_ = std::move(groups);
  }
  QueueKeeperStatus Status() const override {
    std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  void Run();
  void TakeOrders(Instant now);
  void Step(Instant now, MenderEvent event);
  void Step(Instant now, RestorerEvent event);
  void Step(Instant now, AdmitterEvent event);
  void Tell(const AdmitterNote& note);
  void CarryOut(Instant now, const NeedGrant& need);
  Instant NextDeadline(Instant otherwise) const;
  void Publish(Instant now);
  void Tell(const QueueKeeperStatus& status);
  void TellWaiting(const RestorerStatus& restoring);

  const std::string region_;
  const std::shared_ptr<prometheus::Registry> registry_;
  KeeperMetrics metrics_;
  const std::unique_ptr<QueueClient> client_;
  Mender mender_;
  Restorer restorer_;
  const std::shared_ptr<LifeStore> life_store_;  // null: no replica is admitted
  Admitter admitter_;
  uint64_t given_up_ = 0;
  bool store_fails_ = false;
  const TakeGrant take_grant_;
  const Grant first_grant_;
  std::vector<Group> groups_;
  uint64_t restored_ = 0;
  std::vector<ReplicaSlot> told_waiting_;  // for these a restoration waits
  std::string told_refused_;               // what the recovering replica says to it
  bool was_busy_ = false;
  Instant next_publish_{};
  std::map<ReplicaSlot, uint64_t> told_;  // replicas that were said to lack entries, and how many
  bool told_nowhere_ = false;

  std::atomic<bool> stop_ = false;
  std::atomic<bool> busy_ = false;
  mutable std::mutex mutex_;
  std::optional<std::vector<Group>> new_groups_;
  QueueKeeperStatus status_;
  std::thread thread_;  // last: it uses all of the above
};

void QueueKeeperOnThread::Run() {
  core::Poller poller;
  client_->AddTo(&poller);
  groups_ = first_grant_.groups;
  Step(core::SteadyNow(), MenderEvent(GroupsChanged{groups_}));
  Step(core::SteadyNow(), RestorerEvent(GrantTaken{first_grant_}));
  Step(core::SteadyNow(), AdmitterEvent(AdmitterGroups{groups_}));
  ReplicaSlot from;
  ReplicaAnswer answer;
  while (!stop_) {
    Instant now = core::SteadyNow();
    TakeOrders(now);
    for (int i = 0; i < kAnswersPerTurn && client_->Receive(&from, &answer); ++i) {
      if (auto* life = std::get_if<LifeAnswer>(&answer)) {
        Step(now, AdmitterEvent(LifeAnswered{from, *life}));
        continue;
      }
      if (IsForRestorer(answer)) Step(now, RestorerEvent(RestorerAnswer{from, answer}));
      Step(now, MenderEvent(MenderAnswer{from, std::move(answer)}));
    }
    if (const auto due = mender_.NextDeadline(); due && *due <= now) {
      Step(now, MenderEvent(MenderTick{}));
    }
    if (const auto due = restorer_.NextDeadline(); due && *due <= now) {
      Step(now, RestorerEvent(RestorerTick{}));
    }
    if (const auto due = admitter_.NextDeadline(); due && *due <= now) {
      Step(now, AdmitterEvent(AdmitterTick{}));
    }
    if (now >= next_publish_) Publish(now);
    now = core::SteadyNow();
    const Instant until = NextDeadline(now + kLooksForOrdersEvery);
    poller.Wait(
        std::max<int64_t>(0, std::chrono::ceil<std::chrono::microseconds>(until - now).count()));
  }
}

void QueueKeeperOnThread::TakeOrders(Instant now) {
  std::optional<std::vector<Group>> groups;
  {
    std::lock_guard lock(mutex_);
    groups = std::exchange(new_groups_, std::nullopt);
  }
  if (groups) {
    groups_ = *groups;
    Step(now, RestorerEvent(RestorerGroups{*groups}));
    Step(now, AdmitterEvent(AdmitterGroups{*groups}));
    Step(now, MenderEvent(GroupsChanged{std::move(*groups)}));
  }
  if (const bool busy = busy_; busy != was_busy_) {
    was_busy_ = busy;
    Step(now, MenderEvent(Foreground{busy}));
  }
}

void QueueKeeperOnThread::Step(Instant now, MenderEvent event) {
  std::vector<MenderEffect> effects;
  mender_.Step(now, std::move(event), &effects);
  for (MenderEffect& effect : effects) {
    if (auto* send = std::get_if<MenderSend>(&effect)) {
      client_->Send(send->to, send->request);  // a lost one is asked for again
    } else {
      metrics_.Count(std::get<MenderNote>(effect).kind);
    }
  }
}

void QueueKeeperOnThread::Step(Instant now, RestorerEvent event) {
  std::vector<RestorerEffect> effects;
  restorer_.Step(now, std::move(event), &effects);
  for (RestorerEffect& effect : effects) {
    if (auto* send = std::get_if<RestorerSend>(&effect)) {
      client_->Send(send->to, send->request);  // a lost one is asked for again
    } else if (const auto* need = std::get_if<NeedGrant>(&effect)) {
      CarryOut(now, *need);
    } else {
      const auto& done = std::get<ReplicaRestored>(effect);
      ++restored_;
      core::LogInfo("replica_restored", {{"region", region_},
                                         {"replica", NameOf(done.replica)},
                                         {"entries", std::to_string(done.entries)},
                                         {"bytes", std::to_string(done.bytes)}});
    }
  }
}

void QueueKeeperOnThread::Step(Instant now, AdmitterEvent event) {
  if (life_store_ == nullptr) return;
  std::vector<AdmitterEffect> effects;
  admitter_.Step(now, std::move(event), &effects);
  for (AdmitterEffect& effect : effects) {
    if (auto* send = std::get_if<AdmitterSend>(&effect)) {
      client_->Send(send->to, send->request);  // a lost one is asked for again
    } else if (const auto* note = std::get_if<AdmitterNote>(&effect)) {
      Tell(*note);
    } else {
      const core::Status stored = life_store_->Write(std::get<StoreLives>(effect).lives);
      if (!stored.ok() && !store_fails_) {
        core::LogError("lives_not_stored", {{"region", region_}, {"why", stored.message()}});
      }
      store_fails_ = !stored.ok();
      Step(now, AdmitterEvent(LivesStored{stored.ok()}));
    }
  }
}

void QueueKeeperOnThread::Tell(const AdmitterNote& note) {
  const std::string replica = NameOf(note.replica);
  const std::string disk = fmt::format("{:016x}", note.disk.value());
  switch (note.note) {
    case AdmissionNote::kAdmitted:
      core::LogInfo("replica_takes_part",
                    {{"region", region_}, {"replica", replica}, {"disk", disk}});
      break;
    case AdmissionNote::kAmnesiac:
      core::LogError("replica_is_amnesiac",
                     {{"region", region_},
                      {"replica", replica},
                      {"disk", disk},
                      {"why", "its directory was put back from an old copy"},
                      {"what_next",
                       "once the two others of its group take part it gives the "
                       "directory up, and is restored from them"}});
      break;
    case AdmissionNote::kGivesUp:
      ++given_up_;
      core::LogWarn("replica_gives_up_its_directory",
                    {{"region", region_}, {"replica", replica}, {"disk", disk}});
      break;
    case AdmissionNote::kStoreIsOlder:
      core::LogError("lives_are_older",
                     {{"region", region_},
                      {"replica", replica},
                      {"disk", disk},
                      {"why",
                       "the replica is ahead of what this region's directory remembers of "
                       "it: that one was put back from an old copy"},
                      {"what_to_do",
                       "restore the region's directory as it was last; until then "
                       "the replica is not admitted"}});
      break;
  }
}

void QueueKeeperOnThread::CarryOut(Instant now, const NeedGrant& need) {
  CHECK(need.replica.group < groups_.size(), "a replica of the grant's groups", need.replica.group);
  std::optional<DiskReplacement> replacement;
  if (need.replace) {
    replacement = DiskReplacement{groups_[need.replica.group].id, need.replica.slot, need.disk};
  }
  core::LogInfo("replica_is_recovering", {{"region", region_},
                                          {"replica", NameOf(need.replica)},
                                          {"disk", fmt::format("{:016x}", need.disk.value())},
                                          {"disk_is_new", need.replace ? "yes" : "no"}});
  Result<Grant> grant = take_grant_(replacement);
  if (!grant.ok()) {
    core::LogError("grant_refused", {{"region", region_}, {"why", grant.status().message()}});
    return;
  }
  groups_ = grant->groups;
  Step(now, MenderEvent(GroupsChanged{groups_}));
  Step(now, AdmitterEvent(AdmitterGroups{groups_}));
  Step(now, RestorerEvent(GrantTaken{std::move(*grant)}));
}

Instant QueueKeeperOnThread::NextDeadline(Instant otherwise) const {
  return std::min({mender_.NextDeadline().value_or(otherwise),
                   admitter_.NextDeadline().value_or(otherwise),
                   restorer_.NextDeadline().value_or(otherwise), otherwise});
}

void QueueKeeperOnThread::Publish(Instant now) {
  next_publish_ = now + kPublishEvery;
  QueueKeeperStatus status = StatusOf(mender_.Status(), now);
  const RestorerStatus restoring = restorer_.Status();
  if (restoring.phase != RestorePhase::kWatching) status.restoring = restoring;
  status.restored = restored_;
  status.given_up = given_up_;
  for (uint16_t g = 0; life_store_ != nullptr && g < groups_.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      status.lives[{g, slot}] = admitter_.StateOf({g, slot});
    }
  }
  metrics_.Update(status);
  Tell(status);
  TellWaiting(restoring);
  std::lock_guard lock(mutex_);
  status_ = std::move(status);
}

// A line when a replica begins to lack entries, and one when it is whole.
void QueueKeeperOnThread::Tell(const QueueKeeperStatus& status) {
  if (!status.complete) return;
  std::map<ReplicaSlot, uint64_t> lacking;
  for (const ReplicaLack& lack : status.lacking) {
    lacking[lack.replica] = lack.entries;
    if (told_.contains(lack.replica)) continue;
    core::LogWarn("replica_lacks_entries", {{"region", region_},
                                            {"replica", NameOf(lack.replica)},
                                            {"entries", std::to_string(lack.entries)},
                                            {"bytes", std::to_string(lack.bytes)},
                                            {"answers", lack.silent ? "no" : "yes"}});
  }
  for (const auto& [replica, entries] : told_) {
    if (lacking.contains(replica)) continue;
    core::LogInfo("replica_is_whole",
                  {{"region", region_},
                   {"replica", NameOf(replica)},
                   {"mended_entries_so_far", std::to_string(status.mended_entries)}});
  }
  told_ = std::move(lacking);
  const bool nowhere = status.held_nowhere > 0;
  if (nowhere && !told_nowhere_) {
    core::LogError("entries_held_nowhere",
                   {{"region", region_},
                    {"entries", std::to_string(status.held_nowhere)},
                    {"what_to_do",
                     "committed entries are on no replica: stop nothing, keep every directory and "
                     "backup of this region's replicas"}});
  }
  told_nowhere_ = nowhere;
}

// At most one line a second, and only when it is for others than before.
void QueueKeeperOnThread::TellWaiting(const RestorerStatus& restoring) {
  if (restoring.refused != told_refused_ && !restoring.refused.empty()) {
    core::LogWarn(
        "restoration_refused",
        {{"region", region_}, {"replica", NameOf(restoring.replica)}, {"why", restoring.refused}});
  }
  told_refused_ = restoring.refused;
  if (restoring.waiting_for == told_waiting_) return;
  told_waiting_ = restoring.waiting_for;
  for (const ReplicaSlot slot : told_waiting_) {
    core::LogWarn("restoration_waits", {{"region", region_},
                                        {"replica", NameOf(restoring.replica)},
                                        {"waits_for", NameOf(slot)},
                                        {"why", "both others of the group must answer"}});
  }
}

}  // namespace

Result<std::unique_ptr<QueueKeeper>> QueueKeeper::Start(core::Context& context,
                                                        QueueKeeperOptions options) {
  ASSIGN_OR_RETURN(auto client, QueueClient::Connect(context, options.endpoints));
  options.mender.session_base = core::RandomBits() >> 1;
  options.mender.streams = options.restorer.streams = options.streams;
  if (options.lives != nullptr) {
    ASSIGN_OR_RETURN(options.admitter.lives, options.lives->Read());
  }
  return std::unique_ptr<QueueKeeper>(
      std::make_unique<QueueKeeperOnThread>(std::move(options), std::move(client)));
}

}  // namespace homeport::quorum_queue
