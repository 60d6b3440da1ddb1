#include "replicator/region.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
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
// Intents that wait for own shards; past that replaying waits for the shards to consume some.
constexpr uint64_t kPendingBytesMax = 64 << 20;

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

  Impl(RegionOptions o, core::Store* store, std::vector<qq::Grant> grants,
       const std::vector<RelayEnd>& relay);

  void Start(Instant now, Outbox* out);
  void On(Instant now, QueueAnswer& event, Outbox* out);
  void On(Instant now, Execute& event, Outbox* out);
  void On(Instant now, RelayPersisted& event, Outbox* out);
  void On(Instant now, RelayLoaded& event, Outbox* out);
  void On(Instant now, EndOfTurn& event, Outbox* out);
  void On(Instant now, RegionTick& event, Outbox* out);

  Replayer* ReplayerOf(StreamId stream);
  void HandOver(Outbox* out);
  void ApplyReplayed(Instant now, Outbox* out);
  uint64_t PendingBytes() const;
  bool More() const;
};

Region::Impl::Impl(RegionOptions o, core::Store* store, std::vector<qq::Grant> grants,
                   const std::vector<RelayEnd>& relay)
    : options(std::move(o)) {
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
    shards.push_back(
        std::make_unique<ShardPrimary>(std::move(primary), store, std::move(grants[shard])));
  }
  for (const StreamId stream : streams) {
    if (stream.incarnation() == options.self) continue;
    ReplayerOptions replayer;
    replayer.stream = stream;
    replayer.context = {options.self, options.shards};
    for (const RelayEnd& end : relay) {
      if (end.stream == stream) replayer.relay_end = end.last;
    }
    const auto replicas = options.replicas.find(stream.incarnation());
    if (replicas != options.replicas.end()) replayer.replicas = replicas->second;
    replayer.reader_credit_bytes = options.reader_credit_bytes;
    replayer.session_base = options.session_base;
    followed.push_back(stream);
    replayers.push_back(std::make_unique<Replayer>(replayer, store));
  }
}

void Region::Impl::Start(Instant now, Outbox* out) {
  for (auto& shard : shards) shard->Tick(now, out);
  for (auto& replayer : replayers) replayer->Start(now, out);
}

Replayer* Region::Impl::ReplayerOf(StreamId stream) {
  const auto at = std::lower_bound(followed.begin(), followed.end(), stream);
  if (at == followed.end() || *at != stream) return nullptr;
  return replayers[static_cast<size_t>(at - followed.begin())].get();
}

// Gives the intents of what was just applied to their shards.
void Region::Impl::HandOver(Outbox* out) {
  for (core::PendingIntent& intent : out->pending()) {
    CHECK(intent.shard.value() < shards.size(), "an applied intent is for a shard there is",
          intent.shard);
    shards[intent.shard.value()]->AddPending(std::move(intent));
  }
  out->pending().clear();
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
}

uint64_t Region::Impl::PendingBytes() const {
  uint64_t bytes = 0;
  for (const auto& shard : shards) bytes += shard->pending_bytes();
  return bytes;
}

void Region::Impl::ApplyReplayed(Instant now, Outbox* out) {
  if (PendingBytes() > kPendingBytesMax) return;
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
  if (PendingBytes() > kPendingBytesMax) return false;
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
      effects->push_back(
          Done{execute->ticket, {core::Status::Unavailable("the region stops"), {}, {}, false}});
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
  return first;
}

bool Region::ready() const {
  return std::all_of(impl_->shards.begin(), impl_->shards.end(),
                     [](const auto& shard) { return shard->ready(); });
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
  return status;
}

const RegionStats& Region::stats() const {
  return impl_->stats;
}

}  // namespace homeport::replicator
