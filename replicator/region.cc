#include "replicator/region.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "core/check.h"
#include "core/format.h"
#include "replicator/outbox.h"
#include "replicator/replayer.h"
#include "replicator/shard_primary.h"

namespace homeport::replicator {

namespace qq = quorum_queue;

namespace {

// Replayed per turn, over all streams: a backlog must not keep the region's own commands waiting.
constexpr uint64_t kReplayBytesPerTurn = 512 << 10;
// And at a time per stream, so that streams take turns.
constexpr uint64_t kReplayBytesPerStream = 64 << 10;

std::vector<StreamId> StreamsOf(const RegionOptions& options) {
  std::vector<StreamId> streams;
  for (const Incarnation region : options.regions) {
    for (uint16_t shard = 0; shard < options.shards; ++shard) {
      streams.push_back({region, ShardId(shard)});
    }
  }
  std::sort(streams.begin(), streams.end());
  return streams;
}

}  // namespace

struct Region::Impl {
  const RegionOptions options;
  RegionStats stats;
  std::vector<std::unique_ptr<ShardPrimary>> shards;
  std::vector<StreamId> followed;                    // ascending
  std::vector<std::unique_ptr<Replayer>> replayers;  // of followed[i]
  size_t next_replayer = 0;                          // whose turn it is
  uint64_t relay_tokens = 0;
  uint64_t relay_persisted = 0;
  bool started = false;
  bool stopped = false;
  Instant last_step{};
  Trimmer trimmer;
  std::optional<Instant> flush_at;  // while none is under way
  bool flushing = false;

  Impl(RegionOptions o, core::Store* store, std::vector<qq::Grant> grants,
       const std::vector<RelayEnd>& relay);

  void Start(Instant now, Outbox* out);
  void On(Instant now, QueueAnswer& event, Outbox* out);
  void On(Instant now, Execute& event, Outbox* out);
  void On(Instant now, Regrant& event, Outbox* out);
  void On(Instant now, ReplicasChanged& event, Outbox* out);
  void On(Instant now, RelayPersisted& event, Outbox* out);
  void On(Instant now, RelayLoaded& event, Outbox* out);
  void On(Instant now, StoreFlushed& event, Outbox* out);
  void On(Instant now, EndOfTurn& event, Outbox* out);
  void On(Instant now, RegionTick& event, Outbox* out);

  Replayer* ReplayerOf(StreamId stream);
  void HandOver(Outbox* out);
  void ApplyReplayed(Instant now, Outbox* out);
  void FlushIfDue(Instant now, Outbox* out);
  void KeepForAway(Instant now, Outbox* out);
  void TellAway(const std::vector<core::AwayRegion>& before, Outbox* out);
  bool AllReady() const;
  bool TooMuchPending() const;
  bool More() const;
};

TrimmerOptions TrimmerOptionsOf(const RegionOptions& options) {
  TrimmerOptions trimmer;
  trimmer.self = options.self;
  trimmer.regions = options.regions;
  std::sort(trimmer.regions.begin(), trimmer.regions.end());
  trimmer.shards = options.shards;
  trimmer.retention_bytes = options.retention_bytes;
  trimmer.retention_time = options.retention_time;
  trimmer.bug = options.trim_bug;
  return trimmer;
}

Region::Impl::Impl(RegionOptions o, core::Store* store, std::vector<qq::Grant> grants,
                   const std::vector<RelayEnd>& relay)
    : options(std::move(o)), trimmer(TrimmerOptionsOf(options), store) {
  CHECK(options.shards > 0 && grants.size() == options.shards, "one grant per shard", grants.size(),
        options.shards);
  const std::vector<StreamId> streams = StreamsOf(options);
  for (uint16_t shard = 0; shard < options.shards; ++shard) {
    ShardPrimaryOptions primary;
    primary.self = options.self;
    primary.shard = ShardId(shard);
    primary.shards = options.shards;
    primary.streams = streams;
    primary.writer = options.writer;
    primary.writer.preferred_group = shard;  // spread over the groups
    primary.reader_credit_bytes = options.reader_credit_bytes;
    primary.session_base = options.session_base;
    primary.entry_bytes_max = options.entry_bytes_max;
    primary.commands_queued_max = options.commands_queued_max;
    primary.command_timeout = options.command_timeout;
    primary.messaging = options.messaging;
    primary.sweep = options.sweep;
    shards.push_back(
        std::make_unique<ShardPrimary>(std::move(primary), store, std::move(grants[shard])));
  }
  for (const StreamId stream : streams) {
    if (stream.incarnation() == options.self) continue;
    ReplayerOptions replayer;
    replayer.stream = stream;
    replayer.context = {options.self, options.shards, options.messaging.move_bug};
    for (const RelayEnd& end : relay) {
      if (end.stream == stream) replayer.relay_end = end.last;
    }
    const auto replicas = options.replicas.find(stream.incarnation());
    if (replicas != options.replicas.end()) {
      replayer.replicas = replicas->second.InReadingOrder(stream.shard());
    }
    replayer.reader_credit_bytes = options.reader_credit_bytes;
    replayer.session_base = options.session_base;
    followed.push_back(stream);
    replayers.push_back(std::make_unique<Replayer>(replayer, store));
  }
}

void Region::Impl::Start(Instant now, Outbox* out) {
  for (auto& shard : shards) shard->Tick(now, out);
  for (auto& replayer : replayers) replayer->Start(now, out);
  flush_at = now + options.flush_every;
}

Replayer* Region::Impl::ReplayerOf(StreamId stream) {
  const auto at = std::lower_bound(followed.begin(), followed.end(), stream);
  if (at == followed.end() || *at != stream) return nullptr;
  return replayers[static_cast<size_t>(at - followed.begin())].get();
}

// Gives the intents of what was just applied to their shards, and the trimmer its news.
void Region::Impl::HandOver(Outbox* out) {
  for (core::PendingIntent& intent : out->pending()) {
    CHECK(intent.shard.value() < shards.size(), "an applied intent is for a shard there is",
          intent.shard);
    shards[intent.shard.value()]->AddPending(std::move(intent));
  }
  out->pending().clear();
  for (const core::HomeChange& change : out->moved()) {
    for (auto& shard : shards) shard->Learned(change);
  }
  out->moved().clear();
  out->adopted_deps().clear();  // of entries that a shard applied while it serves
  for (AppliedEntry& entry : out->applied()) trimmer.Applied(std::move(entry));
  out->applied().clear();
}

// ---- events

void Region::Impl::On(Instant now, QueueAnswer& event, Outbox* out) {
  const StreamId* stream = std::visit(
      [](const auto& answer) -> const StreamId* {
        if constexpr (requires { answer.stream; }) return &answer.stream;
        return nullptr;
      },
      event.answer);
  // A replica speaks for the streams of its own region only.
  if (stream == nullptr || stream->incarnation() != event.region) return;
  if (event.region == options.self) {
    const size_t shard = stream->shard().value();
    if (shard < shards.size()) {
      shards[shard]->Answer(now, event.replica, std::move(event.answer), out);
    }
    return;
  }
  auto* read = std::get_if<qq::ReadAnswer>(&event.answer);
  Replayer* replayer = read != nullptr ? ReplayerOf(*stream) : nullptr;
  if (replayer != nullptr) replayer->Answer(now, event.replica, std::move(*read), out);
}

void Region::Impl::On(Instant now, Execute& event, Outbox* out) {
  const ShardId shard = core::ShardOfCommand(event.command, options.shards);
  shards[shard.value()]->Execute(now, event.ticket, std::move(event.command), out);
}

void Region::Impl::On(Instant, Regrant& event, Outbox*) {
  for (auto& shard : shards) shard->Regrant(event.grant);
}

void Region::Impl::On(Instant now, ReplicasChanged& event, Outbox* out) {
  for (size_t i = 0; i < followed.size(); ++i) {
    if (followed[i].incarnation() != event.region) continue;
    replayers[i]->SetReplicas(now, event.replicas.InReadingOrder(followed[i].shard()), out);
  }
}

void Region::Impl::On(Instant, RelayPersisted& event, Outbox*) {
  CHECK(event.token <= relay_tokens, "only what was appended is on disk", event.token,
        relay_tokens);
  relay_persisted = std::max(relay_persisted, event.token);
}

void Region::Impl::On(Instant now, RelayLoaded& event, Outbox* out) {
  Replayer* replayer = ReplayerOf(event.stream);
  CHECK(replayer != nullptr, "only followed streams are loaded", event.stream);
  replayer->Loaded(now, std::move(event.run), out);
}

void Region::Impl::On(Instant now, EndOfTurn& event, Outbox* out) {
  // First what came from elsewhere, so that its intents are consumed in this very turn.
  ApplyReplayed(now, out);
  for (auto& shard : shards) {
    shard->EndOfTurn(now, event.wall, out);
    HandOver(out);
  }
}

void Region::Impl::On(Instant now, RegionTick&, Outbox* out) {
  const auto due = [&](std::optional<Instant> deadline) {
    return deadline.has_value() && *deadline <= now;
  };
  for (auto& shard : shards) {
    if (due(shard->NextDeadline())) shard->Tick(now, out);
    HandOver(out);
  }
  for (auto& replayer : replayers) {
    if (due(replayer->NextDeadline())) replayer->Tick(now, relay_persisted, out);
    HandOver(out);
  }
  FlushIfDue(now, out);
}

// ---- flushing and trimming

void Region::Impl::FlushIfDue(Instant now, Outbox* out) {
  if (flushing || !trimmer.dirty() || now < *flush_at) return;
  std::optional<Trimmer::Unconsumed> unconsumed;
  if (AllReady()) {
    unconsumed.emplace();
    for (const auto& shard : shards) {
      if (options.trim_bug == PlantedTrimBug::kShardForgotten && shard == shards[0]) continue;
      shard->AddUnconsumed(&*unconsumed);
    }
  }
  for (const core::AwayRegion& one : trimmer.away()) {
    trimmer.SetKept(one.region, one.stream,
                    shards[one.stream.shard().value()]->KeptThrough(one.region));
  }
  trimmer.Mark(now, unconsumed);
  flushing = true;
  out->Flush();
}

void Region::Impl::On(Instant now, StoreFlushed& event, Outbox* out) {
  CHECK(flushing, "a flush is answered once");
  flushing = false;
  flush_at = now + options.flush_every;
  if (!event.ok) return trimmer.FlushFailed();
  const std::vector<core::AwayRegion> away_before = trimmer.away();
  for (const Trimmer::Position& position : trimmer.Flushed()) {
    if (position.stream.incarnation() != options.self) {
      out->Release(position.stream, position.through);
    } else {
      shards[position.stream.shard().value()]->Trim(position.through);
    }
  }
  TellAway(away_before, out);
  if (!AllReady()) return;
  KeepForAway(now, out);
  if (std::optional<core::Report> report = trimmer.TakeReport()) {
    shards[0]->Report(std::move(*report));
  }
}

void Region::Impl::KeepForAway(Instant now, Outbox* out) {
  std::vector<std::vector<AwayIntents>> away(shards.size());
  for (const core::AwayRegion& one : trimmer.away()) {
    const Seq done = std::max(one.kept, trimmer.ConsumedBy(one.region, one.stream));
    away[one.stream.shard().value()].push_back({one.region, done});
  }
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    shards[shard]->SetAway(now, away[shard], out);
  }
}

// What an operator must know of the regions that own streams go on without.
void Region::Impl::TellAway(const std::vector<core::AwayRegion>& before, Outbox* out) {
  const auto same = [](const core::AwayRegion& a, const core::AwayRegion& b) {
    return a.region == b.region && a.stream == b.stream;
  };
  const auto missing_from = [&](const std::vector<core::AwayRegion>& all,
                                const core::AwayRegion& one) {
    return std::none_of(all.begin(), all.end(),
                        [&](const core::AwayRegion& other) { return same(one, other); });
  };
  for (const core::AwayRegion& one : trimmer.away()) {
    if (!missing_from(before, one)) continue;
    out->Tell("region_away",
              fmt::format("region={} stream={} since={}", one.region, one.stream, one.since));
  }
  for (const core::AwayRegion& one : before) {
    if (!missing_from(trimmer.away(), one)) continue;
    out->Tell("region_back", fmt::format("region={} stream={}", one.region, one.stream));
  }
}

bool Region::Impl::AllReady() const {
  return std::all_of(shards.begin(), shards.end(),
                     [](const auto& shard) { return shard->ready(); });
}

// Then replaying waits for the shards to consume some. A shard that waits for a stream to be
// replayed must get it: what it wants was replayed before, so it is bounded, too.
bool Region::Impl::TooMuchPending() const {
  uint64_t bytes = 0;
  for (const auto& shard : shards) {
    if (shard->awaits()) return false;
    bytes += shard->pending_bytes();
  }
  return bytes > options.pending_bytes_max;
}

void Region::Impl::ApplyReplayed(Instant now, Outbox* out) {
  if (TooMuchPending()) return;
  uint64_t bytes = 0;
  size_t idle = 0;  // streams in a row that had nothing
  while (idle < replayers.size() && bytes < kReplayBytesPerTurn) {
    Replayer& replayer = *replayers[next_replayer];
    next_replayer = (next_replayer + 1) % replayers.size();
    const uint64_t done = replayer.ApplySome(now, relay_persisted, kReplayBytesPerStream, out);
    idle = done == 0 ? idle + 1 : 0;
    bytes += done;
    HandOver(out);
  }
}

// Whether an EndOfTurn has something to do that no event will come for.
bool Region::Impl::More() const {
  for (const auto& shard : shards) {
    if (shard->more()) return true;
  }
  if (TooMuchPending()) return false;
  return std::any_of(replayers.begin(), replayers.end(),
                     [&](const auto& replayer) { return replayer->more(relay_persisted); });
}

// ---- Region

Region::Region(RegionOptions options, core::Store* store, std::vector<qq::Grant> grants,
               std::vector<RelayEnd> relay)
    : impl_(std::make_unique<Impl>(std::move(options), store, std::move(grants), relay)) {}

Region::~Region() = default;

void Region::Step(Instant now, RegionEvent event, std::vector<RegionEffect>* effects) {
  if (impl_->stopped) {
    if (auto* execute = std::get_if<Execute>(&event)) {
      effects->push_back(Done{execute->ticket,
                              {core::Status::Unavailable("the region stops"), {}, {}, false, {}}});
    }
    return;
  }
  impl_->last_step = now;
  Outbox out(effects, &impl_->stats, &impl_->relay_tokens);
  if (!impl_->started) {
    impl_->started = true;
    impl_->Start(now, &out);
    impl_->HandOver(&out);
  }
  std::visit([&](auto& e) { impl_->On(now, e, &out); }, event);
  impl_->HandOver(&out);
  if (!out.why_stop().has_value()) return;
  impl_->stopped = true;
  for (auto& shard : impl_->shards) shard->Stop(*out.why_stop(), &out);
}

std::optional<Instant> Region::NextDeadline() const {
  if (impl_->stopped) return std::nullopt;
  if (!impl_->started || impl_->More()) return impl_->last_step;
  std::optional<Instant> first;
  const auto add = [&](std::optional<Instant> deadline) {
    if (deadline.has_value() && (!first.has_value() || *deadline < *first)) first = deadline;
  };
  for (const auto& shard : impl_->shards) add(shard->NextDeadline());
  for (const auto& replayer : impl_->replayers) add(replayer->NextDeadline());
  if (!impl_->flushing && impl_->trimmer.dirty()) add(impl_->flush_at);
  return first;
}

bool Region::ready() const {
  return impl_->AllReady() && std::none_of(impl_->replayers.begin(), impl_->replayers.end(),
                                           [](const auto& r) { return r->needs_bootstrap(); });
}

RegionStatus Region::Status() const {
  RegionStatus status;
  for (const auto& shard : impl_->shards) {
    status.shards.push_back(shard->Status());
    status.streams.push_back(shard->Lag());
  }
  for (const auto& replayer : impl_->replayers) status.streams.push_back(replayer->Lag());
  std::sort(status.streams.begin(), status.streams.end(),
            [](const StreamLag& a, const StreamLag& b) { return a.stream < b.stream; });
  for (StreamLag& lag : status.streams) lag.trimmed = impl_->trimmer.trimmed(lag.stream);
  for (const core::AwayRegion& one : impl_->trimmer.away()) {
    status.away.push_back({one.region, one.stream, impl_->trimmer.Lost(one)});
  }
  return status;
}

const RegionStats& Region::stats() const {
  return impl_->stats;
}

}  // namespace homeport::replicator
