#include "router/region_host.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/clock.h"
#include "core/files.h"
#include "core/format.h"
#include "core/http.h"
#include "core/log.h"
#include "core/wakeup.h"
#include "quorum_queue/queue_keeper.h"
#include "replicator/region.h"
#include "router/client_peers.h"
#include "router/front_replies.h"
#include "router/gateway.h"
#include "router/http_front.h"
#include "router/pulse.h"
#include "router/region_directory.h"
#include "router/region_fence.h"
#include "router/region_groups.h"
#include "router/region_metrics.h"
#include "router/region_queues.h"
#include "router/region_watch.h"
#include "router/sealed_identity.h"
#include "router/shard_digester.h"
#include "router/store_flusher.h"
#include "router/wire.h"

namespace homeport::router {

using core::Duration;
using core::Incarnation;
using core::Instant;
using core::Result;
using core::Status;
using core::SteadyNow;

namespace {

// What one turn takes from one socket before the others, and the disks, have their turn.
constexpr int kRequestsPerTurn = 1000;
constexpr uint64_t kReplyBytesPerTurn = 8 << 20;
// Replies that wait for one client to read them; the next are dropped, and answered when asked for
// again. Most are small; a page of a sync has up to 1 MiB.
constexpr int kRepliesQueuedMax = 1024;  // told to us by halves: 512 always fit
constexpr Duration kFrontsLookedAtEvery = std::chrono::milliseconds(1);
constexpr uint64_t kRelayLoadBytes = 1 << 20;
constexpr uint64_t kBusyWindowBytes = 4 << 20;  // of a writer's 32 MiB
constexpr Duration kStopLookedAtEvery = std::chrono::milliseconds(50);
constexpr Duration kPublishEvery = std::chrono::seconds(1);
// Other regions hear of an entry when its home's replicas know that it is committed. An append that
// comes within so long tells them; else it costs each a record more.
constexpr Duration kAnnounceAfter = std::chrono::microseconds(500);

// How the flush under way ended, left by the flusher's thread for the loop.
enum class FlushEnd : uint8_t { kNone, kOk, kFailed };

class RegionInDirectory : public RegionView {
 public:
  RegionInDirectory(const replicator::Region* region, const RegionGroups* groups,
                    const RegionQueues* queues, const RegionFence* fence)
      : region_(region), groups_(groups), queues_(queues), fence_(fence) {}
  bool ready() const override { return region_->ready(); }
  replicator::RegionStatus Status() const override { return region_->Status(); }
  router::QueueGroups QueueGroups() const override { return groups_->view(); }
  Duration SilenceOf(Incarnation region, Instant now) const override {
    return queues_->SilenceOf(region, now);
  }
  core::Status AcceptsWrites() const override { return fence_->AcceptsWrites(); }

 private:
  const replicator::Region* region_;
  const RegionGroups* groups_;
  const RegionQueues* queues_;
  const RegionFence* fence_;
};

replicator::RegionOptions OptionsOf(const core::ClusterConfig& config, Incarnation self) {
  replicator::RegionOptions options;
  options.self = self;
  options.shards = config.shards;
  for (const core::RegionConfig& region : config.regions) {
    options.regions.push_back(region.incarnation);
    options.replicas[region.incarnation] = replicator::RegionReplicas(ConfiguredGroups(region));
  }
  options.session_base = core::RandomBits() >> 1;  // sessions count up from here
  options.flush_every = std::chrono::seconds(config.flush_seconds);
  options.messaging = config.messaging;
  options.writer.announce_after = kAnnounceAfter;
  options.retention_bytes = config.retention_bytes;
  options.retention_time = std::chrono::hours(config.retention_hours);
  return options;
}

GatewayOptions GatewayOptionsOf(const core::ClusterConfig& config, const std::string& region) {
  GatewayOptions options;
  options.config = config;
  options.region = region;
  options.pid = static_cast<uint32_t>(::getpid());
  return options;
}

// Whether some shard's writer has so much under way that mending had better wait.
bool AppendsAreBusy(const replicator::RegionStatus& status) {
  return std::any_of(status.shards.begin(), status.shards.end(), [](const auto& shard) {
    return shard.writer.window_bytes > kBusyWindowBytes;
  });
}

class RegionHostImpl final : public RegionHost {
 public:
  RegionHostImpl(const RegionHostOptions& options, std::unique_ptr<core::Wakeup> wakeup,
                 RegionDirectory directory, std::unique_ptr<RegionFence> fence);
  Status Connect(core::Context& context);
  Status StartFront(core::Context& context);
  Status StartKeeper(core::Context& context);
  Status Run(const std::atomic<bool>& stop) override;
  const std::string& gateway() const override { return clients_->endpoint(); }
  const std::string& http() const override { return http_->address(); }
  std::string api() const override { return front_ ? front_->address() : ""; }

 private:
  void Turn(Instant now);
  void Wait();
  void ReceiveRequests(Instant now);
  void TakeWork(Instant now);
  void ReceiveAnswers(Instant now);
  void TakeFromRelay(Instant now);
  void TakeFlushed(Instant now);
  void TakeDigests(Instant now);
  void TakeKeeperNews(Instant now);
  void TakeNeighbourNews(Instant now);
  void Take(Instant now, quorum_queue::Regrouped& news);
  void Take(Instant now, quorum_queue::OrderDone& news);
  void WaitForAll();
  void Step(Instant now, replicator::RegionEvent event);
  void CarryOut();
  void Do(replicator::SendToQueue& effect);
  void Do(replicator::RelayAppend& effect);
  void Do(replicator::LoadRelay& effect);
  void Do(replicator::FlushStore& effect);
  void Do(replicator::ReleaseRelay& effect);
  void Do(replicator::Done& effect);
  void Do(replicator::News& effect);
  void Do(replicator::MustStop& effect);
  void Do(replicator::Note& effect);
  void SendReplies();
  void Publish(Instant now);

  const core::ClusterConfig config_;
  const core::RegionConfig self_;
  const Instant started_ = SteadyNow();
  const std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  RegionMetrics metrics_;
  const std::unique_ptr<core::Wakeup> wakeup_;  // outlives the relay log's thread
  RegionDirectory directory_;
  std::atomic<FlushEnd> flush_end_ = FlushEnd::kNone;
  StoreFlusher flusher_;
  ShardDigester digester_;
  replicator::Region region_;
  RegionGroups groups_;
  const std::unique_ptr<RegionFence> fence_;
  RegionInDirectory view_;
  Gateway gateway_;
  RegionWatch watch_;
  RegionQueues queues_;
  std::atomic<bool> keeper_has_news_ = false;
  std::unique_ptr<core::RouterSocket> clients_;
  std::unique_ptr<quorum_queue::QueueKeeper> keeper_;
  const core::SnapshotKey front_key_;
  FrontReplies front_replies_;
  core::Poller poller_;
  Pulse pulse_;

  std::vector<replicator::RegionEffect> effects_;
  GatewayOutput output_;
  uint64_t relay_persisted_ = 0;
  uint64_t acknowledged_ = 0;
  uint64_t replies_dropped_ = 0;
  Instant next_publish_;
  Status why_stop_;
  std::unique_ptr<HttpFront> front_;        // its thread counts in registry_
  std::unique_ptr<core::HttpServer> http_;  // last: its thread asks pulse_ and registry_
};

RegionHostImpl::RegionHostImpl(const RegionHostOptions& options,
                               std::unique_ptr<core::Wakeup> wakeup, RegionDirectory directory,
                               std::unique_ptr<RegionFence> fence)
    : config_(options.config),
      self_(*config_.FindRegion(options.region)),
      metrics_(registry_, config_, self_),
      wakeup_(std::move(wakeup)),
      directory_(std::move(directory)),
      flusher_(directory_.store.get(),
               [this](double seconds, bool ok) {
                 metrics_.ObserveFlush(seconds, ok);
                 flush_end_ = ok ? FlushEnd::kOk : FlushEnd::kFailed;
                 wakeup_->Wake();
               }),
      digester_(directory_.store.get(), [this] { wakeup_->Wake(); }),
      region_(OptionsOf(config_, self_.incarnation), directory_.store.get(),
              std::move(directory_.grants), directory_.relay->ends_at_open()),
      groups_(&self_),
      fence_(std::move(fence)),
      view_(&region_, &groups_, &queues_, fence_.get()),
      gateway_(GatewayOptionsOf(config_, self_.name), directory_.store.get(), &view_),
      watch_(config_, self_.incarnation, started_),
      queues_(&config_, self_.incarnation),
      front_key_(core::SnapshotKey::FromSecret(config_.secret)) {}

Status RegionHostImpl::Connect(core::Context& context) {
  ASSIGN_OR_RETURN(clients_, core::RouterSocket::Bind(context, self_.gateway, kRequestBytesMax,
                                                      kRepliesQueuedMax));
  RETURN_IF_ERROR(queues_.Connect(context, directory_.keeper_grant.groups));
  RETURN_IF_ERROR(StartFront(context));
  RETURN_IF_ERROR(groups_.Begin(directory_.keeper_grant, directory_.grant_store->last_group()));
  WaitForAll();
  RETURN_IF_ERROR(StartKeeper(context));
  ASSIGN_OR_RETURN(http_, core::HttpServer::Start(
                              self_.http, registry_, [this] { return pulse_.Healthy(); },
                              [this] { return pulse_.Ready(); }));
  core::LogInfo("region_started", {{"region", self_.name},
                                   {"cluster", config_.cluster},
                                   {"incarnation", std::to_string(self_.incarnation.value())},
                                   {"shards", std::to_string(config_.shards)},
                                   {"gateway", clients_->endpoint()},
                                   {"http", http_->address()},
                                   {"api", api()},
                                   {"dir", directory_.dir},
                                   {"relay_bytes", std::to_string(directory_.relay->bytes())}});
  return {};
}

Status RegionHostImpl::StartFront(core::Context& context) {
  if (self_.api.empty()) return {};
  HttpFrontOptions options;
  options.config = config_;
  options.region = self_.name;
  options.address = self_.api;
  options.gateway = clients_->endpoint();
  options.registry = registry_;
  ASSIGN_OR_RETURN(front_, HttpFront::Start(context, std::move(options)));
  return {};
}

void RegionHostImpl::WaitForAll() {
  poller_ = core::Poller();
  poller_.Add(clients_->raw());
  poller_.AddFd(wakeup_->fd());
  if (const auto fd = fence_->fd()) poller_.AddFd(*fd);
  queues_.AddTo(&poller_);
}

Status RegionHostImpl::StartKeeper(core::Context& context) {
  quorum_queue::QueueKeeperOptions options;
  options.region = self_.name;
  options.find_endpoints = [this](const auto& groups) { return EndpointsOf(self_, groups); };
  options.grant = directory_.keeper_grant;
  // From here on it is the keeper's alone.
  options.grants = directory_.grant_store.get();
  options.on_news = [this] {
    keeper_has_news_ = true;
    wakeup_->Wake();
  };
  for (uint16_t shard = 0; shard < config_.shards; ++shard) {
    options.streams.emplace_back(self_.incarnation, core::ShardId(shard));
  }
  options.regrouper.cluster = config_.cluster;
  options.regrouper.incarnation = self_.incarnation;
  options.registry = registry_;
  options.lives =
      std::make_shared<quorum_queue::LocalLifeStore>(directory_.dir + "/LIVES", self_.incarnation);
  ASSIGN_OR_RETURN(keeper_, quorum_queue::QueueKeeper::Start(context, std::move(options)));
  return {};
}

// ---- the loop

Status RegionHostImpl::Run(const std::atomic<bool>& stop) {
  while (!stop && why_stop_.ok()) {
    const Instant now = SteadyNow();
    Turn(now);
    const Instant end = SteadyNow();
    metrics_.ObserveTurn(end - now);
    pulse_.Turned(end);
    if (end >= next_publish_) Publish(end);
    if (why_stop_.ok()) Wait();
  }
  pulse_.Tell({false, why_stop_.ok() ? "stopping" : why_stop_.message()});
  if (!why_stop_.ok()) {
    core::LogError("region_must_stop", {{"region", self_.name}, {"why", why_stop_.message()}});
  }
  return why_stop_;
}

void RegionHostImpl::Turn(Instant now) {
  fence_->Turn();
  TakeFromRelay(now);
  TakeFlushed(now);
  TakeDigests(now);
  TakeKeeperNews(now);
  TakeNeighbourNews(now);
  if (auto grant = groups_.TakeDue(now)) Step(now, replicator::Regrant{std::move(*grant)});
  ReceiveAnswers(now);
  ReceiveRequests(now);
  if (const auto due = region_.NextDeadline(); due && *due <= now) {
    Step(now, replicator::RegionTick{});
  }
  Step(now, replicator::EndOfTurn{core::WallNow()});
  CarryOut();
  if (const auto due = gateway_.NextDeadline(); due && *due <= now) gateway_.Tick(now, &output_);
  // What was held for a user who has arrived: nobody may ask anything for a long time.
  while (!output_.commands.empty()) {
    TakeWork(now);
    Step(now, replicator::EndOfTurn{core::WallNow()});
    CarryOut();
  }
  SendReplies();
}

void RegionHostImpl::Wait() {
  const Instant now = SteadyNow();
  Instant until = std::min({now + kStopLookedAtEvery, next_publish_, queues_.NextDeadline()});
  for (const auto& due : {region_.NextDeadline(), gateway_.NextDeadline()}) {
    if (due) until = std::min(until, *due);
  }
  if (const auto wait = fence_->Wait()) until = std::min(until, now + *wait);
  if (!front_replies_.empty()) until = std::min(until, now + kFrontsLookedAtEvery);
  const auto wait = std::chrono::ceil<std::chrono::microseconds>(until - now).count();
  poller_.Wait(std::max<int64_t>(0, wait));
}

void RegionHostImpl::Step(Instant now, replicator::RegionEvent event) {
  region_.Step(now, std::move(event), &effects_);
}

void RegionHostImpl::ReceiveRequests(Instant now) {
  core::PeerId id;
  core::Frames frames;
  const uint64_t reply_bytes_max = gateway_.stats().reply_bytes + kReplyBytesPerTurn;
  for (int i = 0; i < kRequestsPerTurn && gateway_.stats().reply_bytes < reply_bytes_max &&
                  clients_->Receive(&id, &frames);
       ++i) {
    const std::optional<ClientPeer> peer = ClientPeerOf(id);
    // A request is one frame; anything else is as malformed as no bytes at all.
    const bool sane = peer && frames.size() == 1;
    gateway_.Receive(now, peer.value_or(ClientPeer()), sane ? frames[0].view() : "", &output_);
    TakeWork(now);
  }
}

// What the gateway wants done.
void RegionHostImpl::TakeWork(Instant now) {
  for (replicator::Execute& command : output_.commands) Step(now, std::move(command));
  output_.commands.clear();
  for (const GatewayOutput::Digest& wanted : output_.digests) digester_.Add(wanted);
  output_.digests.clear();
  for (auto& order : output_.orders) {
    std::visit([this](auto& one) { keeper_->Order(std::move(one)); }, order);
  }
  output_.orders.clear();
}

void RegionHostImpl::ReceiveAnswers(Instant now) {
  queues_.Receive([&](replicator::QueueAnswer answer) {
    watch_.Heard(now, answer.region, answer.replica);
    Step(now, std::move(answer));
  });
}

void RegionHostImpl::TakeFromRelay(Instant now) {
  wakeup_->Drain();
  for (replicator::RelayLoad& load : directory_.relay->TakeLoaded()) {
    if (load.run.ok()) {
      Step(now, replicator::RelayLoaded{load.stream, std::move(*load.run)});
    } else if (why_stop_.ok()) {
      why_stop_ = load.run.status();
    }
  }
  const uint64_t persisted = directory_.relay->TakePersisted();
  if (persisted == relay_persisted_) return;
  relay_persisted_ = persisted;
  Step(now, replicator::RelayPersisted{persisted});
}

void RegionHostImpl::TakeFlushed(Instant now) {
  const FlushEnd end = flush_end_.exchange(FlushEnd::kNone);
  if (end == FlushEnd::kNone) return;
  Step(now, replicator::StoreFlushed{end == FlushEnd::kOk});
}

void RegionHostImpl::TakeDigests(Instant now) {
  for (ShardDigester::Digested& digested : digester_.Take()) {
    gateway_.OnDigest(now, digested.ticket, std::move(digested.tables), &output_);
  }
}

// ---- groups of the queue

void RegionHostImpl::TakeKeeperNews(Instant now) {
  if (!keeper_has_news_.exchange(false)) return;
  for (quorum_queue::KeeperNews& news : keeper_->TakeNews()) {
    std::visit([&](auto& one) { Take(now, one); }, news);
  }
}

void RegionHostImpl::Take(Instant now, quorum_queue::Regrouped& news) {
  Status set = groups_.Changed(now, std::move(news));
  if (set.ok()) set = queues_.SetOwn(groups_.endpoints());
  WaitForAll();
  if (!set.ok() && why_stop_.ok()) why_stop_ = set;
}

void RegionHostImpl::Take(Instant now, quorum_queue::OrderDone& news) {
  gateway_.OnOrderDone(now, news, &output_);
}

void RegionHostImpl::TakeNeighbourNews(Instant now) {
  auto changed = queues_.FindChanged(now);
  if (changed.empty()) return;
  WaitForAll();
  for (replicator::ReplicasChanged& one : changed) Step(now, std::move(one));
}

// ---- effects

void RegionHostImpl::CarryOut() {
  // Some effects are answered at once, which makes more.
  while (!effects_.empty()) {
    std::vector<replicator::RegionEffect> effects = std::exchange(effects_, {});
    for (replicator::RegionEffect& effect : effects) {
      std::visit([this](auto& one) { Do(one); }, effect);
    }
  }
}

void RegionHostImpl::Do(replicator::SendToQueue& effect) {
  queues_.Send(effect);
}
void RegionHostImpl::Do(replicator::RelayAppend& effect) {
  directory_.relay->Append(effect.token, effect.stream, std::move(effect.run));
}
void RegionHostImpl::Do(replicator::LoadRelay& effect) {
  directory_.relay->Load(effect.stream, effect.from, kRelayLoadBytes);
}
void RegionHostImpl::Do(replicator::FlushStore&) {
  flusher_.Flush();
}
void RegionHostImpl::Do(replicator::ReleaseRelay& effect) {
  directory_.relay->Release(effect.stream, effect.through);
}
void RegionHostImpl::Do(replicator::Done& effect) {
  if (effect.result.status.ok()) ++acknowledged_;
  gateway_.OnDone(SteadyNow(), effect, &output_);
}
void RegionHostImpl::Do(replicator::News& effect) {
  gateway_.OnNews(SteadyNow(), effect, &output_);
}
void RegionHostImpl::Do(replicator::MustStop& effect) {
  if (why_stop_.ok()) why_stop_ = Status::Unavailable(effect.why);
}
void RegionHostImpl::Do(replicator::Note& effect) {
  metrics_.CountNote(effect.kind);
  watch_.Noted(SteadyNow(), effect);
  if (effect.kind == "store_full") flusher_.SetFull(true);
  if (effect.kind == "store_ok") flusher_.SetFull(false);
}

void RegionHostImpl::SendReplies() {
  const Instant now = SteadyNow();
  const auto send = [this](ClientPeer peer, const core::SharedBytes& bytes) {
    return clients_->Send(PeerIdOf(peer), {bytes});
  };
  replies_dropped_ += front_replies_.Flush(now, send);
  for (GatewayOutput::Reply& reply : output_.replies) {
    const core::SharedBytes bytes(std::move(reply.bytes));
    if (send(reply.peer, bytes)) continue;
    if (IsFront(front_key_, reply.peer) && front_replies_.Keep(now, reply.peer, bytes)) continue;
    ++replies_dropped_;
    gateway_.ReplyRefused(reply.peer, reply.number);
  }
  output_.replies.clear();
  for (const Duration latency : output_.command_latencies) metrics_.ObserveCommand(latency);
  output_.command_latencies.clear();
}

// ---- what others may know

void RegionHostImpl::Publish(Instant now) {
  next_publish_ = now + kPublishEvery;
  RegionFigures figures;
  figures.now = now;
  figures.started = started_;
  figures.wall = core::WallNow();
  figures.status = region_.Status();
  figures.ready = region_.ready();
  figures.accepts_writes = fence_->AcceptsWrites().ok();
  figures.lease_left = fence_->lease_left();
  figures.region = &region_.stats();
  figures.gateway = &gateway_.stats();
  figures.commands_waiting = gateway_.commands_waiting();
  figures.long_polls = gateway_.long_polls();
  figures.acknowledged = acknowledged_;
  figures.replies_dropped = replies_dropped_ + clients_->dropped();
  figures.queue_sends_dropped = queues_.sends_dropped();
  figures.queue_malformed = queues_.malformed();
  figures.relay_bytes = directory_.relay->bytes();
  if (const auto free = core::DiskFreeBytes(directory_.dir); free.ok()) {
    figures.disk_free_bytes = *free;
  }
  metrics_.Update(figures);
  keeper_->SetForeground(AppendsAreBusy(figures.status));
  watch_.Look(now, figures.status);
  groups_.Look(figures.status, keeper_->Status());
  keeper_->SetWriters(OpenWritersOf(self_.incarnation, figures.status));
  pulse_.Tell(ReadinessOf(figures.ready, figures.status));
}

}  // namespace

Result<std::unique_ptr<RegionHost>> RegionHost::Open(core::Context& context,
                                                     RegionHostOptions options) {
  const core::RegionConfig* region = options.config.FindRegion(options.region);
  if (region == nullptr) {
    std::string known;
    for (const core::RegionConfig& one : options.config.regions) {
      known += (known.empty() ? "" : ", ") + one.name;
    }
    return Status::BadRequest(fmt::format("{} has no region {}; it has {}", options.config.file,
                                          Quoted(options.region), known));
  }
  auto wakeup = std::make_unique<core::Wakeup>();
  ASSIGN_OR_RETURN(
      RegionDirectory directory,
      OpenRegionDirectory(context, options.config, *region, [raw = wakeup.get()] { raw->Wake(); }));
  ASSIGN_OR_RETURN(auto fence, RegionFence::Open(context, options.config, *region));
  auto host = std::make_unique<RegionHostImpl>(options, std::move(wakeup), std::move(directory),
                                               std::move(fence));
  RETURN_IF_ERROR(host->Connect(context));
  return Result<std::unique_ptr<RegionHost>>(std::move(host));
}

}  // namespace homeport::router
