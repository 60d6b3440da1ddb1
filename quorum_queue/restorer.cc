#include "quorum_queue/restorer.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/held_runs.h"
#include "quorum_queue/planted.h"

namespace homeport::quorum_queue {

using core::Instant;

namespace {

constexpr int kPatienceFactorMax = 32;
constexpr int kAskAgainFactorMax = 8;
// Sent to the recovering replica and not yet stored there, but at least one run. A page may be
// several times this; its disk may stall.
constexpr uint64_t kWindowBytes = 4 << 20;

// The part of `run` that is valid under `chain`, above `trimmed` and not above `last`. Epochs
// ascend along a chain, so it is one piece.
std::optional<EntryRun> ValidPart(const EntryRun& run, const Chain& chain, Seq trimmed, Seq last) {
  Seq first = std::max(run.first, trimmed + 1);
  Seq end = std::min(run.last(), last);
  const auto link = std::find_if(chain.begin(), chain.end(),
                                 [&](const ChainLink& one) { return one.epoch == run.epoch; });
  if (link == chain.end()) return std::nullopt;
  first = std::max(first, link->start);
  const auto next = std::next(link);
  if (next != chain.end()) end = std::min(end, next->start - 1);
  if (first > end) return std::nullopt;
  return SliceRun(run, first, end - first + 1);
}

HeldRuns HeldOf(const std::vector<EntryRun>& runs) {
  HeldRuns held;
  for (const EntryRun& run : runs) {
    held.push_back({run.first, run.count(), run.epoch, run.body.size()});
  }
  return held;
}

// Of `more`, what is not in `runs` yet, added to them in order.
void AddMissing(const std::vector<EntryRun>& more, std::vector<EntryRun>* runs) {
  const HeldRuns held = HeldOf(*runs);
  std::vector<EntryRun> missing;
  for (const EntryRun& run : more) {
    const HeldRuns one = {{run.first, run.count(), run.epoch, run.body.size()}};
    for (const RunInfo& part : Without(one, held)) {
      missing.push_back(SliceRun(run, part.first, part.count));
    }
  }
  runs->insert(runs->end(), missing.begin(), missing.end());
  std::sort(runs->begin(), runs->end(),
            [](const EntryRun& a, const EntryRun& b) { return a.first < b.first; });
}

struct Restoring {
  EntryRun run;
  bool sent = false;
};

}  // namespace

struct Restorer::Impl {
  explicit Impl(RestorerOptions o) : options(std::move(o)), patience(options.give_up_after) {}

  void On(RestorerAnswer& received);
  void On(const RestorerTick&) {}
  void On(RestorerGroups& changed);
  void On(GrantTaken& taken);
  void OnAnswer(ReplicaSlot from, const StatusAnswer& status);
  void OnAnswer(ReplicaSlot from, RecoverAnswer& answer);
  void OnAnswer(ReplicaSlot from, const Stored& stored);
  void OnAnswer(ReplicaSlot from, const Refused& refusal);

  void Watch();
  void BeginTry(WriterEpoch fresh);
  void BeginStream();
  void AskPage(Seq from);
  void EndPage();
  void NextAfterPage();
  void Finish();
  void Moved();
  void SendWaitedFor();
  void SendWindow();
  void AskAgain();
  void Look();
  void GiveUp();
  void ServeTimers();

  bool IsOurs(ReplicaSlot slot) const { return slot == replica; }
  DiskId DiskOf(ReplicaSlot slot) const { return groups[slot.group].disks[slot.slot]; }
  std::array<ReplicaSlot, 2> Others() const {
    const auto at = [&](int by) {
      return ReplicaSlot{replica.group, static_cast<uint8_t>((replica.slot + by) % 3)};
    };
    return {at(1), at(2)};
  }
  void Send(ReplicaSlot to, ReplicaRequest request) {
    effects->emplace_back(RestorerSend{to, std::move(request)});
  }

  const RestorerOptions options;
  std::vector<Group> groups;
  RestorePhase phase = RestorePhase::kWatching;
  uint64_t look = 0;                  // nonce of the last status requests
  std::optional<WriterEpoch> unused;  // of a grant that no try has used
  Instant due{};                      // of the next look, or of asking again
  Instant next_look{};                // while busy: whether the recovering disk is still the same
  core::Duration patience;
  std::optional<ReplicaSlot> passed_over;  // given up: others first, until the look after the next
  bool looked_without = false;
  uint64_t given_up = 0;

  // The try under way.
  ReplicaSlot replica;
  DiskId disk;
  WriterEpoch epoch;
  size_t at_stream = 0;
  std::vector<StreamCheckpoint> states;  // of the streams so far; the last one is under way
  Seq page_first;
  Seq page_last;
  std::map<ReplicaSlot, RecoverAnswer> pages;
  std::vector<Restoring> restoring;  // of the page, not yet stored; those sent come first
  uint64_t entries = 0;
  uint64_t bytes = 0;
  Instant moved{};             // when something did last
  core::Duration ask_again{};  // after which; doubled each time, until something moves
  std::string refused;         // why the recovering replica did not take what it was sent last
  bool another_waits = false;  // that is recovering too

  // The Step under way.
  Instant now{};
  std::vector<RestorerEffect>* effects = nullptr;
};

// ---- events

void Restorer::Impl::On(RestorerGroups& changed) {
  groups = std::move(changed.groups);
  unused.reset();  // it may be older than a disk in them
  Watch();
}

void Restorer::Impl::On(GrantTaken& taken) {
  groups = taken.grant.groups;
  if (phase == RestorePhase::kWaitingForGrant && replica.group < groups.size() &&
      DiskOf(replica) == disk) {
    BeginTry(taken.grant.epoch);
  } else {
    unused = taken.grant.epoch;
    Watch();
  }
}

void Restorer::Impl::BeginTry(WriterEpoch fresh) {
  epoch = fresh;
  unused.reset();
  phase = RestorePhase::kCopying;
  at_stream = 0;
  states.clear();
  entries = bytes = 0;
  another_waits = false;
  Moved();
  BeginStream();
}

void Restorer::Impl::On(RestorerAnswer& received) {
  if (received.from.slot >= 3 || received.from.group >= groups.size()) return;
  std::visit(
      [&](auto& answer) {
        if constexpr (requires { OnAnswer(received.from, answer); }) {
          OnAnswer(received.from, answer);
        }
      },
      received.answer);
}

void Restorer::Impl::OnAnswer(ReplicaSlot from, const StatusAnswer& status) {
  // Only what was sent after the last look: an answer of a disk that was replaced since, and
  // restored, would take it out of the store again.
  const bool is_end = phase == RestorePhase::kFinishing && !status.recovering;
  if (status.nonce != look && !is_end) return;
  if (phase == RestorePhase::kWatching) {
    if (!status.recovering || from == passed_over) return;
    replica = from;
    disk = status.disk;
    next_look = now + options.look_every;
    if (unused && DiskOf(from) == disk) return BeginTry(*unused);
    phase = RestorePhase::kWaitingForGrant;
    due = now + options.look_every;  // then from the start
    effects->emplace_back(NeedGrant{from, disk, DiskOf(from) != disk});
    return;
  }
  if (!IsOurs(from)) {
    another_waits |= status.recovering;
    return;
  }
  if (status.disk != disk) {
    // It was replaced again; or the old process of the lost disk lives, and says nothing of ours.
    if (status.recovering) Watch();
    return;
  }
  if (status.recovering) return;
  if (phase == RestorePhase::kFinishing) {
    effects->emplace_back(ReplicaRestored{replica, entries, bytes});
    patience = options.give_up_after;
  }
  Watch();
}

void Restorer::Impl::OnAnswer(ReplicaSlot from, RecoverAnswer& answer) {
  if (phase != RestorePhase::kCopying || !restoring.empty() || answer.epoch != epoch ||
      answer.stream != states.back().stream || answer.from != page_first || IsOurs(from) ||
      from.group != replica.group || answer.disk != DiskOf(from)) {
    return;
  }
  pages[from] = std::move(answer);
  if (pages.size() == 2 || HOMEPORT_PLANTED("restore-from-one")) EndPage();
}

void Restorer::Impl::OnAnswer(ReplicaSlot from, const Stored& stored) {
  if (phase != RestorePhase::kCopying || !IsOurs(from) || stored.disk != disk ||
      stored.epoch != epoch || stored.stream != states.back().stream || stored.count == 0) {
    return;
  }
  const Seq last = stored.first + (stored.count - 1);
  const bool waited = !restoring.empty();
  std::erase_if(restoring, [&](const Restoring& one) {
    return one.sent && one.run.first >= stored.first && one.run.last() <= last;
  });
  Moved();
  if (!waited) return;
  if (restoring.empty()) {
    NextAfterPage();
  } else {
    SendWindow();
  }
}

void Restorer::Impl::OnAnswer(ReplicaSlot from, const Refused& refusal) {
  const bool busy = phase == RestorePhase::kCopying || phase == RestorePhase::kFinishing;
  if (!busy || !IsOurs(from) || refusal.disk != disk || refusal.epoch != epoch) return;
  refused = refusal.reason;
}

// ---- a try

void Restorer::Impl::Watch() {
  phase = RestorePhase::kWatching;
  due = now + options.look_every;
  ++look;  // what is still under way may tell of a replica as it was before
  pages.clear();
  restoring.clear();
  states.clear();
}

void Restorer::Impl::BeginStream() {
  if (at_stream == options.streams.size()) return Finish();
  StreamCheckpoint state;
  state.stream = options.streams[at_stream];
  state.promised = epoch;
  states.push_back(std::move(state));
  AskPage(Seq(1));
}

void Restorer::Impl::AskPage(Seq from) {
  page_first = from;
  pages.clear();
  SendWaitedFor();
}

void Restorer::Impl::EndPage() {
  Moved();
  StreamCheckpoint& state = states.back();
  page_last = kSeqMax;
  for (auto& [slot, page] : pages) {
    state.promised = std::max(state.promised, page.promised);
    const bool higher = HOMEPORT_PLANTED("restored-lower-chain") && !state.chain.empty()
                            ? LastEpoch(page.chain) < LastEpoch(state.chain)
                            : LastEpoch(page.chain) > LastEpoch(state.chain);
    if (higher) state.chain = page.chain;
    state.committed = std::max(state.committed, page.committed);
    state.trimmed = std::max(state.trimmed, page.trimmed);
    page_last = std::min(page_last, page.through);
  }
  std::vector<EntryRun> runs;
  for (auto& [slot, page] : pages) {
    std::vector<EntryRun> valid;
    for (const EntryRun& run : page.runs) {
      if (auto part = ValidPart(run, state.chain, state.trimmed, page_last)) {
        valid.push_back(std::move(*part));
      }
    }
    AddMissing(valid, &runs);
  }
  for (EntryRun& run : runs) {
    entries += run.count();
    bytes += run.body.size();
    restoring.push_back({std::move(run)});
  }
  pages.clear();
  if (restoring.empty()) {
    NextAfterPage();
  } else {
    SendWaitedFor();
  }
}

void Restorer::Impl::NextAfterPage() {
  if (page_last < kSeqMax && !HOMEPORT_PLANTED("restored-too-early")) {
    AskPage(page_last + 1);
  } else {
    ++at_stream;
    BeginStream();
  }
}

void Restorer::Impl::Finish() {
  Moved();
  phase = RestorePhase::kFinishing;
  std::sort(states.begin(), states.end(),
            [](const auto& a, const auto& b) { return a.stream < b.stream; });
  SendWaitedFor();
}

void Restorer::Impl::Moved() {
  moved = now;
  ask_again = options.ask_again_after;
  refused.clear();
}

// Sends that of which the answer is waited for.
void Restorer::Impl::SendWaitedFor() {
  due = now + ask_again;
  if (phase == RestorePhase::kFinishing) {
    Send(replica, Restored{epoch, disk, states});
    return;
  }
  if (!restoring.empty()) return SendWindow();
  for (const ReplicaSlot other : Others()) {
    if (!pages.contains(other)) Send(other, Recover{states.back().stream, epoch, page_first});
  }
}

// What fits.
void Restorer::Impl::SendWindow() {
  due = now + ask_again;
  uint64_t sent = 0;
  for (Restoring& one : restoring) {
    const uint64_t size = one.run.body.size();
    if (!one.sent && sent > 0 && sent + size > kWindowBytes) break;
    if (!one.sent) Send(replica, Restore{states.back().stream, epoch, disk, one.run});
    one.sent = true;
    sent += size;
  }
}

// Less and less often: what was sent may stand in the queue of a replica whose disk stalls.
void Restorer::Impl::AskAgain() {
  ask_again = std::min<core::Duration>(2 * ask_again, kAskAgainFactorMax * options.ask_again_after);
  for (Restoring& one : restoring) one.sent = false;
  SendWaitedFor();
}

// Asks all replicas how they are.
void Restorer::Impl::Look() {
  ++look;
  for (uint16_t g = 0; g < groups.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) Send({g, slot}, StatusRequest{look});
  }
}

// It, or one of those that have its data, may be dead for long: another one must not wait for that.
void Restorer::Impl::GiveUp() {
  ++given_up;
  passed_over = replica;
  looked_without = false;
  patience = std::min<core::Duration>(2 * patience, kPatienceFactorMax * options.give_up_after);
  Watch();
}

void Restorer::Impl::ServeTimers() {
  if (groups.empty()) return;
  const bool busy = phase == RestorePhase::kCopying || phase == RestorePhase::kFinishing;
  if (busy && another_waits && now - moved >= patience) GiveUp();
  if (phase != RestorePhase::kWatching && next_look <= now) {
    next_look = now + options.look_every;
    Look();
  }
  if (due > now) return;
  switch (phase) {
    case RestorePhase::kWaitingForGrant:
      phase = RestorePhase::kWatching;
      [[fallthrough]];
    case RestorePhase::kWatching:
      due = now + options.look_every;
      // One look without it.
      if (looked_without) passed_over.reset();
      looked_without = passed_over.has_value();
      Look();
      break;
    case RestorePhase::kCopying:
    case RestorePhase::kFinishing:
      AskAgain();
      break;
  }
}

// ---- Restorer

Restorer::Restorer(RestorerOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Restorer::~Restorer() = default;

void Restorer::Step(Instant now, RestorerEvent event, std::vector<RestorerEffect>* effects) {
  Impl& r = *impl_;
  r.now = now;
  r.effects = effects;
  std::visit([&](auto& one) { r.On(one); }, event);
  r.ServeTimers();
  r.effects = nullptr;
}

std::optional<Instant> Restorer::NextDeadline() const {
  const Impl& r = *impl_;
  if (r.groups.empty()) return std::nullopt;
  return r.phase == RestorePhase::kWatching ? r.due : std::min(r.due, r.next_look);
}

RestorerStatus Restorer::Status() const {
  const Impl& r = *impl_;
  RestorerStatus status;
  status.phase = r.phase;
  status.given_up = r.given_up;
  if (r.phase == RestorePhase::kWatching) return status;
  status.replica = r.replica;
  status.streams_done =
      r.phase == RestorePhase::kFinishing ? r.options.streams.size() : r.at_stream;
  status.entries = r.entries;
  status.bytes = r.bytes;
  status.refused = r.refused;
  if (r.phase == RestorePhase::kCopying && r.restoring.empty()) {
    for (const ReplicaSlot other : r.Others()) {
      if (!r.pages.contains(other)) status.waiting_for.push_back(other);
    }
  }
  return status;
}

}  // namespace homeport::quorum_queue
