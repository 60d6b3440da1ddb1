#include "quorum_queue/queue_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "core/check.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/log.h"
#include "quorum_queue/keeper_metrics.h"

namespace homeport::quorum_queue {
namespace {

using core::Duration;
using core::Instant;
using core::Result;

constexpr Duration kLooksForOrdersEvery = std::chrono::milliseconds(50);
constexpr Duration kPublishEvery = std::chrono::seconds(1);
constexpr int kAnswersPerTurn = 100;

// "group 1 replica 2", as people count. A place: its group is the group's id.
std::string NameOf(ReplicaSlot place) {
  return fmt::format("group {} replica {}", place.group,
                     NumberOf(GroupId(place.group), place.slot) + 1);
}

// Machines count the groups of the record; connections, and people, know them by their ids.
ReplicaSlot PlaceOf(const std::vector<Group>& groups, ReplicaSlot slot) {
  return {static_cast<uint16_t>(groups.at(slot.group).id.value()), slot.slot};
}
std::optional<ReplicaSlot> SlotOf(const std::vector<Group>& groups, ReplicaSlot place) {
  for (uint16_t at = 0; at < groups.size(); ++at) {
    if (groups[at].id.value() == place.group) return ReplicaSlot{at, place.slot};
  }
  return std::nullopt;
}

// What an answer may be for; for the mender all may be.
bool IsForRestorer(const ReplicaAnswer& answer) {
  return std::holds_alternative<StatusAnswer>(answer) ||
         std::holds_alternative<RecoverAnswer>(answer) || std::holds_alternative<Stored>(answer) ||
         std::holds_alternative<Refused>(answer);
}

bool IsForRegrouper(const ReplicaAnswer& answer) {
  return std::holds_alternative<StatusAnswer>(answer) ||
         std::holds_alternative<HoldingsAnswer>(answer);
}

QueueKeeperStatus StatusOf(const MenderStatus& mender, const std::vector<Group>& groups,
                           Instant now) {
  QueueKeeperStatus status;
  status.complete = mender.complete;
  status.held_nowhere = mender.held_nowhere;
  for (const auto& [at, entries] : mender.not_drained) {
    status.not_drained[groups.at(at).id] = entries;
  }
  status.mended_entries = mender.mended_entries;
  status.mended_bytes = mender.mended_bytes;
  std::map<ReplicaSlot, ReplicaLack> lacking;
  for (const UnderReplicated& one : mender.lacking) {
    ReplicaLack& lack = lacking[one.replica];
    lack.replica = PlaceOf(groups, one.replica);
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
        regrouper_(std::move(options.regrouper)),
        find_endpoints_(std::move(options.find_endpoints)),
        grants_(options.grants),
        on_news_(std::move(options.on_news)),
        first_grant_(std::move(options.grant)),
        thread_([this] { Run(); }) {}
  ~QueueKeeperOnThread() override {
    stop_ = true;
    thread_.join();
  }

  void SetForeground(bool busy) override { busy_ = busy; }
  void Order(AddGroupOrder order) override { Tell(RegrouperEvent(std::move(order))); }
  void Order(DrainGroupOrder order) override { Tell(RegrouperEvent(order)); }
  void SetWriters(std::vector<OpenWriter> writers) override {
    Tell(RegrouperEvent(OpenWriters{std::move(writers)}));
  }
  std::vector<KeeperNews> TakeNews() override {
    std::lock_guard lock(mutex_);
    return std::exchange(news_, {});
  }
  QueueKeeperStatus Status() const override {
    std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  void Run();
  void Tell(RegrouperEvent event) {
    std::lock_guard lock(mutex_);
    told_regrouper_.push_back(std::move(event));
  }
  void News(KeeperNews news);
  void TakeOrders(Instant now);
  void Step(Instant now, MenderEvent event);
  void Step(Instant now, RestorerEvent event);
  void Step(Instant now, AdmitterEvent event);
  void Tell(const AdmitterNote& note);
  void Step(Instant now, RegrouperEvent event);
  void CarryOut(Instant now, const NeedGrant& need);
  void CarryOut(Instant now, const ChangeRecord& change);
  void SetGroups(Instant now, std::vector<Group> groups);
  void TellRegrouper(Instant now);
  void Connect(const std::vector<Group>& groups);
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
  Regrouper regrouper_;
  const FindEndpoints find_endpoints_;
  GrantStore* const grants_;
  const std::function<void()> on_news_;
  const Grant first_grant_;
  std::vector<Group> groups_;
  std::optional<Endpoints> newcomers_;  // replicas of an order
  core::Poller poller_;
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
  std::vector<RegrouperEvent> told_regrouper_;
  std::vector<KeeperNews> news_;
  QueueKeeperStatus status_;
  std::thread thread_;  // last: it uses all of the above
};

void QueueKeeperOnThread::Run() {
  SetGroups(core::SteadyNow(), first_grant_.groups);
  Step(core::SteadyNow(), RestorerEvent(GrantTaken{first_grant_}));
  ReplicaSlot from;
  ReplicaAnswer answer;
  while (!stop_) {
    Instant now = core::SteadyNow();
    TakeOrders(now);
    for (int i = 0; i < kAnswersPerTurn && client_->Receive(&from, &answer); ++i) {
      if (IsForRegrouper(answer)) Step(now, RegrouperEvent(RegrouperAnswer{from, answer}));
      const std::optional<ReplicaSlot> slot = SlotOf(groups_, from);
      if (!slot) continue;
      if (auto* life = std::get_if<LifeAnswer>(&answer)) {
        Step(now, AdmitterEvent(LifeAnswered{*slot, *life}));
        continue;
      }
      if (IsForRestorer(answer)) Step(now, RestorerEvent(RestorerAnswer{*slot, answer}));
      Step(now, MenderEvent(MenderAnswer{*slot, std::move(answer)}));
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
    if (const auto due = regrouper_.NextDeadline(); due && *due <= now) {
      Step(now, RegrouperEvent(RegrouperTick{}));
    }
    if (now >= next_publish_) Publish(now);
    now = core::SteadyNow();
    const Instant until = NextDeadline(now + kLooksForOrdersEvery);
    poller_.Wait(
        std::max<int64_t>(0, std::chrono::ceil<std::chrono::microseconds>(until - now).count()));
  }
}

void QueueKeeperOnThread::TakeOrders(Instant now) {
  std::vector<RegrouperEvent> told;
  {
    std::lock_guard lock(mutex_);
    told = std::exchange(told_regrouper_, {});
  }
  for (RegrouperEvent& event : told) Step(now, std::move(event));
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
      client_->Send(PlaceOf(groups_, send->to), send->request);  // a lost one is asked for again
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
      client_->Send(PlaceOf(groups_, send->to), send->request);  // a lost one is asked for again
    } else if (const auto* need = std::get_if<NeedGrant>(&effect)) {
      CarryOut(now, *need);
    } else {
      const auto& done = std::get<ReplicaRestored>(effect);
      ++restored_;
      core::LogInfo("replica_restored", {{"region", region_},
                                         {"replica", NameOf(PlaceOf(groups_, done.replica))},
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
      client_->Send(PlaceOf(groups_, send->to), send->request);  // a lost one is asked for again
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

void QueueKeeperOnThread::Step(Instant now, RegrouperEvent event) {
  std::vector<RegrouperEffect> effects;
  regrouper_.Step(now, std::move(event), &effects);
  for (RegrouperEffect& effect : effects) {
    if (auto* send = std::get_if<RegrouperSend>(&effect)) {
      client_->Send(send->to, send->request);  // a lost one is asked for again
    } else if (auto* connect = std::get_if<ConnectNewcomers>(&effect)) {
      newcomers_ = std::move(connect->endpoints);
      Connect(groups_);
    } else if (const auto* change = std::get_if<ChangeRecord>(&effect)) {
      CarryOut(now, *change);
    } else {
      News(std::get<OrderDone>(std::move(effect)));
    }
  }
}

void QueueKeeperOnThread::Tell(const AdmitterNote& note) {
  const std::string replica = NameOf(PlaceOf(groups_, note.replica));
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

void QueueKeeperOnThread::News(KeeperNews news) {
  {
    std::lock_guard lock(mutex_);
    news_.push_back(std::move(news));
  }
  if (on_news_) on_news_();
}

void QueueKeeperOnThread::CarryOut(Instant now, const NeedGrant& need) {
  CHECK(need.replica.group < groups_.size(), "a replica of the grant's groups", need.replica.group);
  const GroupId group = groups_[need.replica.group].id;
  core::LogInfo("replica_is_recovering", {{"region", region_},
                                          {"replica", NameOf(PlaceOf(groups_, need.replica))},
                                          {"disk", fmt::format("{:016x}", need.disk.value())},
                                          {"disk_is_new", need.replace ? "yes" : "no"}});
  Result<Grant> grant = need.replace ? grants_->ReplaceDisk(group, need.replica.slot, need.disk)
                                     : grants_->TakeGrant();
  if (!grant.ok()) {
    core::LogError("grant_refused", {{"region", region_}, {"why", grant.status().message()}});
    return;
  }
  groups_ = grant->groups;
  Step(now, MenderEvent(GroupsChanged{groups_}));
  Step(now, AdmitterEvent(AdmitterGroups{groups_}));
  TellRegrouper(now);
  Step(now, RestorerEvent(GrantTaken{std::move(*grant)}));
}

void QueueKeeperOnThread::CarryOut(Instant now, const ChangeRecord& change) {
  Result<Grant> grant = change.add     ? grants_->AddGroup(*change.add)
                        : change.drain ? grants_->DrainGroup(*change.drain)
                                       : grants_->RemoveGroup(*change.remove, change.seen);
  const char* what = change.add ? "group_added" : change.drain ? "group_drains" : "group_retired";
  if (grant.ok()) {
    const GroupId group = change.add ? grant->groups.back().id : change.drain.value_or(GroupId(0));
    core::LogInfo(what, {{"region", region_},
                         {"group", fmt::to_string(change.remove.value_or(group).value())},
                         {"grant", fmt::to_string(grant->epoch.value() >> kEpochRandomBits)}});
    SetGroups(now, grant->groups);
    News(Regrouped{*grant, change.add.has_value()});
  } else {
    core::LogError("groups_not_changed",
                   {{"region", region_}, {"wanted", what}, {"why", grant.status().message()}});
    TellRegrouper(now);  // a number may be spent
  }
  Step(now, RegrouperEvent(RecordChanged{grant.status()}));
}

void QueueKeeperOnThread::SetGroups(Instant now, std::vector<Group> groups) {
  groups_ = std::move(groups);
  Connect(groups_);
  Step(now, RestorerEvent(RestorerGroups{groups_}));
  Step(now, AdmitterEvent(AdmitterGroups{groups_}));
  Step(now, MenderEvent(GroupsChanged{groups_}));
  TellRegrouper(now);
}

void QueueKeeperOnThread::TellRegrouper(Instant now) {
  RegrouperGroups changed;
  changed.groups = groups_;
  changed.endpoints.resize(groups_.size());
  if (const auto found = find_endpoints_(groups_); found.ok()) {
    for (const QueueClient::Endpoint& one : *found) {
      const auto slot = SlotOf(groups_, one.slot);
      CHECK(slot, "endpoints are of the groups that were asked for", one.slot.group);
      changed.endpoints[slot->group][slot->slot] = one.endpoint;
    }
  }
  const auto last = grants_->LastGroup();
  if (last.ok()) changed.last_group = *last;
  Step(now, RegrouperEvent(std::move(changed)));
}

void QueueKeeperOnThread::Connect(const std::vector<Group>& groups) {
  auto endpoints = find_endpoints_(groups);
  if (endpoints.ok() && newcomers_) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      endpoints->push_back({{kNewcomers, slot}, (*newcomers_)[slot]});
    }
  }
  const core::Status set = endpoints.ok() ? client_->Set(*endpoints) : endpoints.status();
  if (!set.ok()) {
    core::LogError("replicas_not_connected", {{"region", region_}, {"why", set.message()}});
  }
  poller_ = core::Poller();
  client_->AddTo(&poller_);
}

Instant QueueKeeperOnThread::NextDeadline(Instant otherwise) const {
  return std::min({mender_.NextDeadline().value_or(otherwise),
                   admitter_.NextDeadline().value_or(otherwise),
                   restorer_.NextDeadline().value_or(otherwise),
                   regrouper_.NextDeadline().value_or(otherwise), otherwise});
}

void QueueKeeperOnThread::Publish(Instant now) {
  next_publish_ = now + kPublishEvery;
  QueueKeeperStatus status = StatusOf(mender_.Status(), groups_, now);
  const RestorerStatus restoring = restorer_.Status();
  if (restoring.phase != RestorePhase::kWatching) status.restoring = restoring;
  status.restored = restored_;
  status.given_up = given_up_;
  for (uint16_t g = 0; life_store_ != nullptr && g < groups_.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      status.lives[PlaceOf(groups_, {g, slot})] = admitter_.StateOf({g, slot});
    }
  }
  status.why_not_retired = regrouper_.WhyNotRetired();
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
    core::LogWarn("restoration_refused", {{"region", region_},
                                          {"replica", NameOf(PlaceOf(groups_, restoring.replica))},
                                          {"why", restoring.refused}});
  }
  told_refused_ = restoring.refused;
  if (restoring.waiting_for == told_waiting_) return;
  told_waiting_ = restoring.waiting_for;
  for (const ReplicaSlot slot : told_waiting_) {
    core::LogWarn("restoration_waits", {{"region", region_},
                                        {"replica", NameOf(PlaceOf(groups_, restoring.replica))},
                                        {"waits_for", NameOf(PlaceOf(groups_, slot))},
                                        {"why", "both others of the group must answer"}});
  }
}

}  // namespace

Result<std::unique_ptr<QueueKeeper>> QueueKeeper::Start(core::Context& context,
                                                        QueueKeeperOptions options) {
  ASSIGN_OR_RETURN(const auto endpoints, options.find_endpoints(options.grant.groups));
  ASSIGN_OR_RETURN(auto client, QueueClient::Connect(context, endpoints));
  options.mender.session_base = core::RandomBits() >> 1;
  options.regrouper.first_nonce = core::RandomBits() >> 1;
  options.mender.streams = options.restorer.streams = options.regrouper.streams = options.streams;
  if (options.lives != nullptr) {
    ASSIGN_OR_RETURN(options.admitter.lives, options.lives->Read());
  }
  return std::unique_ptr<QueueKeeper>(
      std::make_unique<QueueKeeperOnThread>(std::move(options), std::move(client)));
}

}  // namespace homeport::quorum_queue
