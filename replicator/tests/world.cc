#include "replicator/tests/world.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/check.h"
#include "core/format.h"
#include "core/messaging/entry.h"
#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/queries.h"
#include "core/messaging/row_codec.h"
#include "core/messaging/rows.h"
#include "core/messaging/sync.h"
#include "quorum_queue/codec.h"

namespace homeport::replicator {

namespace qq = quorum_queue;

namespace {

constexpr core::Duration kLocalDelayMax = std::chrono::microseconds(800);
constexpr core::Duration kSyncMax = milliseconds(3);
constexpr core::Duration kRetryAfter = milliseconds(150);

}  // namespace

World::World(WorldOptions options) : options_(std::move(options)), random_(options_.seed) {
  epochs_.resize(options_.regions);
  for (size_t i = 0; i < options_.regions; ++i) {
    Node& node = nodes_.emplace_back();
    for (uint64_t r = 0; r < 3 * options_.groups; ++r) {
      node.replicas.push_back(std::make_unique<SimReplica>(core::DiskId(100 * (i + 1) + r)));
    }
    node.replica_life.resize(node.replicas.size());
    node.sync_under_way.resize(node.replicas.size());
  }
  for (size_t i = 0; i < options_.regions; ++i) {
    std::vector<uint32_t> ids;
    const size_t groups =
        options_.groups_at_start == 0 ? options_.groups : options_.groups_at_start;
    for (uint32_t id = 1; id <= groups; ++id) ids.push_back(id);
    GrantGroups(i, ids, 0);
  }
  for (size_t i = 0; i < options_.regions; ++i) StartRegion(i);
}

// ---- time

uint64_t World::Random(uint64_t below) {
  return random_() % below;
}

void World::At(core::Duration after, std::function<void()> what) {
  events_.emplace(std::pair(now_ + after, next_event_++), std::move(what));
}

// One event or timer, if any is due by `until`.
bool World::StepOnce(Instant until) {
  std::optional<Instant> first;
  size_t due = 0;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const std::optional<Instant> deadline = nodes_[i].region->NextDeadline();
    if (!deadline.has_value()) continue;
    // A turn takes time, or a region with more to do would stop the clock.
    const Instant at = std::max(*deadline, now_ + std::chrono::microseconds(20));
    if (!first.has_value() || at < *first) {
      first = at;
      due = i;
    }
  }
  if (!events_.empty() && (!first.has_value() || events_.begin()->first.first <= *first)) {
    auto event = events_.extract(events_.begin());
    if (event.key().first > until) {
      events_.insert(std::move(event));
      return false;
    }
    now_ = event.key().first;
    event.mapped()();
    return true;
  }
  if (!first.has_value() || *first > until) return false;
  now_ = *first;
  StepRegion(due, RegionTick{});
  return true;
}

void World::RunFor(core::Duration duration) {
  const Instant until = now_ + duration;
  while (StepOnce(until)) {
  }
  now_ = until;
}

bool World::RunUntil(const std::function<bool()>& condition, core::Duration limit) {
  const Instant until = now_ + limit;
  for (uint64_t n = 0; !condition(); ++n) {
    if (!StepOnce(until)) return condition();
  }
  return true;
}

bool World::RunToRest(core::Duration limit) {
  const Instant until = now_ + limit;
  while (!AtRest()) {
    if (now_ >= until) return false;
    RunFor(milliseconds(20));
  }
  return true;
}

// ---- regions

void World::StartRegion(size_t at) {
  Node& node = nodes_[at];
  ++node.life;
  node.turn_under_way = false;
  node.relay_sync_under_way = false;
  RegionOptions options = options_.region;
  options.self = incarnation(at);
  options.shards = options_.shards;
  options.session_base = random_() >> 8;
  options.regions.clear();
  options.replicas.clear();
  for (size_t i = 0; i < options_.regions; ++i) {
    options.regions.push_back(incarnation(i));
    options.replicas[incarnation(i)] = ReplicasOf(i);
  }
  std::vector<qq::Grant> grants;
  for (uint16_t shard = 0; shard < options_.shards; ++shard) grants.push_back(NextGrant(at));
  node.region =
      std::make_unique<Region>(std::move(options), &node.store, std::move(grants), RelayEnds(node));
}

qq::Grant World::NextGrant(size_t at) {
  return {qq::MakeEpoch(++epochs_[at], random_()), nodes_[at].groups};
}

void World::GrantGroups(size_t region, const std::vector<uint32_t>& ids, uint32_t draining) {
  Node& node = nodes_[region];
  node.groups.clear();
  for (const uint32_t id : ids) {
    qq::Group& group = node.groups.emplace_back();
    group.id = qq::GroupId(id);
    group.state = id == draining ? qq::GroupState::kDraining : qq::GroupState::kActive;
    for (size_t slot = 0; slot < 3; ++slot) {
      group.disks[slot] = node.replicas[3 * (id - 1) + slot]->disk();
    }
  }
}

void World::SetGroups(size_t region, const std::vector<uint32_t>& ids, uint32_t draining) {
  GrantGroups(region, ids, draining);
  for (size_t at = 0; at < nodes_.size(); ++at) {
    if (at == region) {
      StepRegion(at, Regrant{NextGrant(at)});
    } else {
      StepRegion(at, ReplicasChanged{incarnation(region), ReplicasOf(region)});
    }
  }
}

void World::StepRegion(size_t at, RegionEvent event) {
  Node& node = nodes_[at];
  std::vector<RegionEffect> effects;
  node.region->Step(now_, std::move(event), &effects);
  if (!node.turn_under_way) {
    node.turn_under_way = true;
    At(std::chrono::microseconds(Random(500)), [this, at, life = node.life] {
      if (nodes_[at].life != life) return;
      nodes_[at].turn_under_way = false;
      std::vector<RegionEffect> turn;
      nodes_[at].region->Step(
          now_, EndOfTurn{std::chrono::duration_cast<core::WallMs>(now_.time_since_epoch())},
          &turn);
      Carry(at, std::move(turn));
    });
  }
  Carry(at, std::move(effects));
}

void World::Carry(size_t at, std::vector<RegionEffect> effects) {
  for (RegionEffect& effect : effects) {
    Node& node = nodes_[at];
    if (auto* send = std::get_if<SendToQueue>(&effect)) {
      if (auto* news = std::get_if<qq::Append>(&send->request)) {
        if (options_.plant == PlantedBug::kTrimsOneTooFar && news->trimmed > Seq(0)) {
          news->trimmed = std::min(news->trimmed + 1, news->committed);
        }
        CheckTrim(at, news->stream, news->trimmed);
      }
      SendToReplica(at, std::move(*send));
    } else if (auto* append = std::get_if<RelayAppend>(&effect)) {
      CHECK(!append->run.empty(), "only entries go to the relay log", append->stream);
      NoteIntents(*append);
      NoteWrites(*append);
      node.relay_unsynced.push_back(std::move(*append));
      SyncRelaySoon(at);
    } else if (auto* load = std::get_if<LoadRelay>(&effect)) {
      At(options_.relay_load, [this, at, life = node.life, what = *load] {
        if (nodes_[at].life != life) return;
        StepRegion(at, RelayLoaded{what.stream, LoadFrom(nodes_[at], what)});
      });
    } else if (std::holds_alternative<FlushStore>(effect)) {
      FlushStoreSoon(at);
    } else if (auto* release = std::get_if<ReleaseRelay>(&effect)) {
      CheckTrim(at, release->stream, release->through);
      auto& runs = node.relay[release->stream];
      // Whole runs, as whole segments on a disk.
      while (!runs.empty() && runs.begin()->second.last() <= release->through) {
        runs.erase(runs.begin());
      }
    } else if (auto* done = std::get_if<Done>(&effect)) {
      const auto attempt = node.attempts.extract(done->ticket);
      CHECK(!attempt.empty(), "each command is answered once", done->ticket);
      attempt.mapped().on_done(done->result);
    } else if (auto* news = std::get_if<News>(&effect)) {
      node.news.push_back(std::move(*news));
    } else if (auto* stop = std::get_if<MustStop>(&effect)) {
      stops_.push_back(stop->why);
      At(milliseconds(10), [this, at, life = node.life] {
        if (nodes_[at].life == life) RestartRegion(at);
      });
    } else if (auto* note = std::get_if<Note>(&effect)) {
      notes_.insert(note->kind);
      if (given_up_.contains(at)) continue;
      if (note->kind == "needs_bootstrap" || note->kind == "held_nowhere") {
        violations_.push_back(fmt::format("region {}: {} {}", at, note->kind, note->detail));
      }
      if (note->kind == "region_away" && given_up_.empty()) {
        violations_.push_back(fmt::format("region {} gave up a live one: {}", at, note->detail));
      }
    }
  }
}

void World::RestartRegion(size_t at) {
  Node& node = nodes_[at];
  node.region.reset();
  // What the disk kept of the relay log, in order; the store only has what was on that disk before.
  size_t kept = Random(node.relay_unsynced.size() + 1);
  for (; kept > 0; --kept) {
    KeepInRelay(&node, node.relay_unsynced.front());
    node.relay_unsynced.pop_front();
  }
  node.relay_unsynced.clear();
  node.store.Crash(Random(node.store.unflushed() + 1));
  auto attempts = std::move(node.attempts);
  node.attempts.clear();
  StartRegion(at);
  core::CommandResult unknown;
  unknown.status = core::Status::Unavailable("the connection broke");
  for (auto& [ticket, attempt] : attempts) attempt.on_done(unknown);
}

// ---- network

bool World::Lost(size_t a, size_t b) {
  if (cuts_.contains({std::min(a, b), std::max(a, b)})) return true;
  return chaos_ && Chance(options_.drop_per_mille);
}

core::Duration World::Delay(size_t a, size_t b) {
  const core::Duration max = a == b ? kLocalDelayMax : options_.wan_delay_max;
  return core::Duration(Random(static_cast<uint64_t>(max.count())) + 1);
}

void World::SendToReplica(size_t from, SendToQueue send) {
  const size_t to = send.region.value() - 1u;
  if (Lost(from, to)) return;
  const qq::ReplicaPeer peer(from << 32 | nodes_[from].life);
  const uint64_t life = nodes_[to].replica_life[send.replica];
  At(Delay(from, to), [this, to, peer, life, what = std::move(send)]() mutable {
    SimReplica& replica = *nodes_[to].replicas[what.replica];
    if (!replica.up() || nodes_[to].replica_life[what.replica] != life) return;
    SendAnswers(to, what.replica, replica.Receive(now_, peer, std::move(what.request)));
    SyncSoon(to, what.replica);
  });
}

void World::SendAnswers(size_t region, size_t replica, std::vector<SimReplica::Out> out) {
  for (SimReplica::Out& one : out) {
    const size_t to = one.peer.value() >> 32;
    const uint64_t life = one.peer.value() & UINT32_MAX;
    if (Lost(region, to)) continue;
    At(Delay(region, to), [this, to, life, region, replica, answer = std::move(one.answer)] {
      if (nodes_[to].life != life) return;
      StepRegion(to, QueueAnswer{incarnation(region), static_cast<uint8_t>(replica), answer});
    });
  }
}

void World::SyncSoon(size_t region, size_t replica) {
  Node& node = nodes_[region];
  if (node.sync_under_way[replica] || !node.replicas[replica]->HasUnsynced()) return;
  node.sync_under_way[replica] = true;
  At(core::Duration(Random(static_cast<uint64_t>(kSyncMax.count()))),
     [this, region, replica, life = node.replica_life[replica]] {
       Node& there = nodes_[region];
       if (there.replica_life[replica] != life || !there.replicas[replica]->up()) return;
       there.sync_under_way[replica] = false;
       SendAnswers(region, replica, there.replicas[replica]->Sync(now_));
       SyncSoon(region, replica);
     });
}

void World::CrashReplica(size_t region, size_t replica) {
  Node& node = nodes_[region];
  if (!node.replicas[replica]->up()) return;
  ++node.replica_life[replica];
  node.sync_under_way[replica] = false;
  node.replicas[replica]->Crash(Random(3));
}

void World::StartReplica(size_t region, size_t replica) {
  SimReplica& sim = *nodes_[region].replicas[replica];
  if (!sim.up()) sim.Start();
}

// ---- flushing and trimming

void World::FlushStoreSoon(size_t at) {
  const auto max = static_cast<uint64_t>(options_.store_flush_max.count());
  const uint64_t written = nodes_[at].store.written();
  At(core::Duration(Random(max) + 1), [this, at, written, life = nodes_[at].life] {
    Node& node = nodes_[at];
    if (node.life != life) return;
    const bool ok = !node.store.full;
    if (ok && options_.plant != PlantedBug::kFlushesNothing) node.store.FlushThrough(written);
    StepRegion(at, StoreFlushed{ok});
  });
}

void World::NoteIntents(const RelayAppend& append) {
  std::string_view rest = append.run.body.view();
  Seq seq = append.run.first;
  for (const uint32_t size : append.run.sizes) {
    for (const core::EntryIntent& one :
         core::IntentsOfEntry(append.stream, seq, rest.substr(0, size))) {
      intents_[append.stream][{seq, one.intent.index}] = {one.region, one.intent.shard};
      NoteForward(one.intent);
    }
    rest.remove_prefix(size);
    ++seq;
  }
}

// Each time that a message is sent on the epoch is higher.
void World::NoteForward(const core::PendingIntent& pending) {
  const auto intent = core::DecodePendingIntent(pending.bytes);
  if (!intent.has_value() || intent->intent.kind != core::IntentKind::kDeliver) return;
  const Place place{pending.source, {pending.seq, pending.index}};
  for (const core::Uin user : intent->target.users) {
    const auto [at, first] =
        sent_on_[{intent->intent.message.id, user}].try_emplace(intent->target.epoch, place);
    if (first || at->second == place) continue;
    violations_.push_back(fmt::format("a message to {} is sent in {} and in {} under epoch {}.{}",
                                      user, at->second.first, place.first,
                                      intent->target.epoch.takeover, intent->target.epoch.move));
  }
}

// Of each user and epoch only one region writes, but for the Transfer that opens the epoch.
void World::NoteWrites(const RelayAppend& append) {
  std::string_view rest = append.run.body.view();
  for (const uint32_t size : append.run.sizes) {
    const std::string_view payload = rest.substr(0, size);
    rest.remove_prefix(size);
    if (payload.empty()) continue;
    const core::Status decoded = core::Decode<core::wire::Entry>(payload, [&](auto entry) {
      for (const auto effect : entry.getEffects()) {
        if (effect.isFanout()) {
          const auto fanout = effect.getFanout();
          for (const uint64_t user : fanout.getUsers()) {
            NoteWrite(append.stream, core::Uin(user), {fanout.getTakeover(), fanout.getMove()});
          }
        } else if (effect.isPut()) {
          NotePut(append.stream, effect.getPut());
        }
      }
      return core::Status();
    });
    CHECK(decoded.ok(), "what a region wrote is an entry", decoded);
  }
}

void World::NotePut(StreamId stream, core::wire::Put::Reader put) {
  const std::string_view key(put.getKey().asChars().begin(), put.getKey().size());
  const core::Table table = core::TableOf(key);
  if (table == core::Table::kParked || table == core::Table::kKept || table == core::Table::kName) {
    return;
  }
  if (table == core::Table::kInbox) return;  // a recall writes under the item's own stamp
  if (table == core::Table::kAccount) {
    const auto value = put.getValue();
    const auto account = core::DecodeAccount({value.asChars().begin(), value.size()});
    if (account.has_value() && !account->adopted) return;
  }
  NoteWrite(stream, core::OwnerOfKey(key), core::ReadStamp(put.getStamp()).epoch);
}

void World::NoteWrite(StreamId stream, core::Uin uin, core::MastershipEpoch epoch) {
  const auto [at, first] = writers_.try_emplace({uin, epoch}, stream.incarnation());
  if (first || at->second == stream.incarnation()) return;
  violations_.push_back(fmt::format("regions {} and {} wrote for {} in epoch {}.{}", at->second,
                                    stream.incarnation(), uin, epoch.takeover, epoch.move));
}

void World::CheckTrim(size_t at, StreamId stream, Seq through) {
  Seq& checked = trim_checked_[{at, stream}];
  if (through <= checked) return;
  checked = through;
  for (size_t other = 0; other < nodes_.size(); ++other) {
    if (given_up_.contains(other)) continue;
    core::MemoryStore durable = nodes_[other].store;
    durable.Crash(0);
    const Seq applied = core::AppliedSeq(durable, stream);
    if (applied < through) {
      violations_.push_back(fmt::format("region {} trims {} to {}, region {} has only {} on disk",
                                        at, stream, through, other, applied));
    }
  }
  core::MemoryStore durable = nodes_[at].store;
  durable.Crash(0);
  for (const auto& [place, address] : intents_[stream]) {
    if (place.seq > through) break;
    if (given_up_.contains(address.region.value() - 1u)) continue;
    const core::Cursor cursor = core::ReadCursor(durable, address.region, stream, address.shard);
    if (place <= cursor) continue;
    violations_.push_back(fmt::format(
        "region {} trims {} to {}, and does not know that shard {} of region {} consumed {}", at,
        stream, through, address.shard, address.region, place.seq));
    return;
  }
}

uint64_t World::EntriesInRelay(size_t region) const {
  uint64_t entries = 0;
  for (const auto& [stream, runs] : nodes_[region].relay) {
    for (const auto& [first, run] : runs) entries += run.count();
  }
  return entries;
}

uint64_t World::EntriesInLog(size_t region) const {
  uint64_t most = 0;
  for (const auto& replica : nodes_[region].replicas) most = std::max(most, replica->entries());
  return most;
}

std::string World::MissingIntents(size_t region, size_t to) const {
  const Node& node = nodes_[region];
  for (const auto& [stream, intents] : intents_) {
    Seq trimmed(0);
    for (const StreamLag& lag : node.region->Status().streams) {
      if (lag.stream == stream) trimmed = lag.trimmed;
    }
    for (const auto& [place, address] : intents) {
      if (address.region != incarnation(to) || place.seq > trimmed) continue;
      if (place <= core::ReadCursor(node.store, address.region, stream, address.shard)) continue;
      const auto key = core::KeptKey(address.region, stream, place.seq, place.index);
      if (core::ReadLive(node.store, key).has_value()) continue;
      return fmt::format("intent {} of entry {} of {}", place.index, place.seq, stream);
    }
  }
  return "";
}

std::string World::LogText(size_t region) const {
  std::string text;
  for (size_t r = 0; r < nodes_[region].replicas.size(); ++r) {
    for (const auto& stream : nodes_[region].replicas[r]->Status().streams) {
      text +=
          fmt::format("replica {}, {}: {} entries to {}, committed {}, trimmed {}\n", r,
                      stream.stream, stream.entries, stream.last, stream.committed, stream.trimmed);
    }
  }
  return text;
}

// ---- relay log

void World::KeepInRelay(Node* node, const RelayAppend& append) {
  node->relay[append.stream].insert_or_assign(append.run.first, append.run);
}

void World::FlushRelay(size_t at) {
  Node& node = nodes_[at];
  if (node.relay_unsynced.empty()) return;
  for (const RelayAppend& append : node.relay_unsynced) KeepInRelay(&node, append);
  const uint64_t token = node.relay_unsynced.back().token;
  node.relay_unsynced.clear();
  StepRegion(at, RelayPersisted{token});
}

void World::SyncRelaySoon(size_t at) {
  Node& node = nodes_[at];
  if (node.relay_sync_under_way) return;
  node.relay_sync_under_way = true;
  At(core::Duration(Random(static_cast<uint64_t>(kSyncMax.count()))), [this, at, life = node.life] {
    if (nodes_[at].life != life) return;
    nodes_[at].relay_sync_under_way = false;
    FlushRelay(at);
  });
}

std::vector<RelayEnd> World::RelayEnds(const Node& node) const {
  std::vector<RelayEnd> ends;
  for (const auto& [stream, runs] : node.relay) {
    Seq end(0);
    for (const auto& [first, run] : runs) {
      if (end != Seq(0) && first > end + 1) break;
      end = std::max(end, run.last());
    }
    ends.push_back({stream, end});
  }
  return ends;
}

qq::EntryRun World::LoadFrom(const Node& node, const LoadRelay& load) const {
  const auto stream = node.relay.find(load.stream);
  if (stream == node.relay.end()) return {};
  for (const auto& [first, run] : stream->second) {
    if (load.from >= first && load.from <= run.last()) {
      return qq::SliceRun(run, load.from, run.last() - load.from + 1);
    }
  }
  return {};
}

// ---- commands

void World::Try(size_t at, core::Command command, OnDone on_done) {
  const Ticket ticket(++next_ticket_);
  nodes_[at].attempts[ticket] = {std::move(on_done)};
  StepRegion(at, Execute{ticket, std::move(command)});
}

void World::Do(size_t at, core::Command command, OnDone on_done) {
  Try(at, command, [this, at, command, on_done](const core::CommandResult& result) {
    const core::Code code = result.status.code();
    if (code == core::Code::kMoved) {
      const size_t home = result.status.home().value() - 1u;
      At(Delay(at, home), [this, home, command, on_done] { Do(home, command, on_done); });
      return;
    }
    if (code != core::Code::kNoQuorum && code != core::Code::kUnavailable &&
        code != core::Code::kOverloaded) {
      on_done(result);
      return;
    }
    At(kRetryAfter, [this, at, command, on_done] { Do(at, command, on_done); });
  });
}

core::CommandResult World::Must(size_t at, core::Command command) {
  std::optional<core::CommandResult> result;
  Do(at, std::move(command), [&](const core::CommandResult& r) { result = r; });
  CHECK(RunUntil([&] { return result.has_value(); }, seconds(120)), "a command is answered");
  return *result;
}

core::Uin World::MustCreate(size_t at, core::AccountKind kind, const std::string& name) {
  const core::Uin uin = Must(at, core::NewUin{}).uin;
  const core::CommandResult created = Must(at, core::CreateAccount{uin, kind, name});
  CHECK(created.status.ok(), "a fresh account is created", created.status);
  return uin;
}

// ---- faults

void World::SetCut(size_t a, size_t b, bool cut) {
  const std::pair link(std::min(a, b), std::max(a, b));
  if (cut) {
    cuts_.insert(link);
  } else {
    cuts_.erase(link);
  }
}

void World::StopChaos() {
  chaos_ = false;
  cuts_.clear();
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[i].store.full = false;
    for (size_t r = 0; r < nodes_[i].replicas.size(); ++r) StartReplica(i, r);
  }
}

// ---- state

std::vector<size_t> World::ServingRegions(core::Uin uin) const {
  std::vector<size_t> serving;
  for (size_t at = 0; at < nodes_.size(); ++at) {
    if (!nodes_[at].region->ready()) continue;
    const core::HomeOf home = core::FindHome(nodes_[at].store, options_.shards, uin);
    if (home.known && home.adopted && home.home == incarnation(at)) serving.push_back(at);
  }
  return serving;
}

bool World::AllReady() const {
  return std::all_of(nodes_.begin(), nodes_.end(),
                     [](const Node& node) { return node.region->ready(); });
}

bool World::AtRest() const {
  std::map<StreamId, Seq> ends;
  for (size_t home = 0; home < nodes_.size(); ++home) {
    for (const ShardStatus& shard : nodes_[home].region->Status().shards) {
      if (!shard.ready || shard.commands_queued > 0 || shard.intents_pending > 0) return false;
      if (shard.writer.next != shard.applied + 1) return false;
      ends[{incarnation(home), shard.shard}] = shard.applied;
    }
  }
  for (const Node& node : nodes_) {
    for (const StreamLag& lag : node.region->Status().streams) {
      if (lag.applied != ends[lag.stream]) return false;
    }
  }
  return true;
}

std::vector<core::SyncMessage> Inbox(World& world, size_t region, core::Uin user) {
  std::vector<core::SyncMessage> messages;
  std::string snapshot;
  for (bool more = true; more;) {
    const auto page =
        core::ReadSync(world.store(region), {world.shards(), {}}, user, {}, snapshot, {});
    CHECK(page.ok(), "an inbox can be read", page.status());
    messages.insert(messages.end(), page->messages.begin(), page->messages.end());
    snapshot = page->snapshot;
    more = page->more;
  }
  return messages;
}

std::string DigestDifference(World& world) {
  for (uint16_t shard = 0; shard < world.shards(); ++shard) {
    const auto first = core::DigestShard(world.store(0), ShardId(shard));
    for (size_t region = 1; region < world.regions(); ++region) {
      const auto other = core::DigestShard(world.store(region), ShardId(shard));
      for (size_t i = 0; i < first.size(); ++i) {
        if (first[i].rows == other[i].rows && first[i].digest == other[i].digest) continue;
        return "table " + first[i].table + " of shard " + std::to_string(shard) + ": " +
               std::to_string(first[i].rows) + " rows in region 0, " +
               std::to_string(other[i].rows) + " in region " + std::to_string(region);
      }
    }
  }
  return "";
}

}  // namespace homeport::replicator
