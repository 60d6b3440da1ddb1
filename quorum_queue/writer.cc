#include "quorum_queue/writer.h"

#include <algorithm>
#include <bit>
#include <deque>
#include <utility>

#include "core/check.h"
#include "quorum_queue/batch_log.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/group_choice.h"
#include "quorum_queue/planted.h"
#include "quorum_queue/replica_progress.h"
#include "quorum_queue/writer_takeover.h"

namespace homeport::quorum_queue {

using core::Instant;
using core::Result;
using core::Status;

namespace {

constexpr uint64_t kRetryAfterMs = 20;  // of a refused Submit

// Payloads that wait for a flush: a batch to be. `body` grows by the one copy a payload sees.
struct PendingBatch {
  std::string body;
  std::vector<uint32_t> sizes;
  uint64_t cost() const { return body.size() + kEntryOverheadBytes * sizes.size(); }
};

}  // namespace

struct Writer::Impl {
  Impl(WriterOptions o, Grant g)
      : options(std::move(o)),
        grant(std::move(g)),
        takeover(options, grant),
        choice(options, grant) {
    CHECK(grant.epoch > WriterEpoch(0), "epoch 0 means none");
    CHECK(options.batch_entries_max > 0 && options.batch_entries_max <= kRunEntriesMax,
          "a batch is one run", options.batch_entries_max);
    for (size_t r = 0; r < 3 * grant.groups.size(); ++r) {
      replicas.emplace_back(options, r, r / 3 == choice.current());
    }
  }

  // ---- requests
  void Send(size_t replica, ReplicaRequest request) {
    const ReplicaSlot to{static_cast<uint16_t>(replica / 3), static_cast<uint8_t>(replica % 3)};
    effects->emplace_back(SendToReplica{to, std::move(request)});
  }
  // A fence that asks for no entries: allowed at any time, logs nothing, and is answered by a
  // replica that is well.
  void SendProbe(size_t replica) { Send(replica, Fence{options.stream, grant.epoch, kSeqMax}); }
  void SendAppend(size_t replica, EntryRun run);
  void SendBatch(size_t replica, uint64_t number);
  bool MayAnnounce(size_t replica) const {
    return phase == WriterPhase::kActive ||
           (phase == WriterPhase::kOpening && replica / 3 == choice.current());
  }

  // ---- events
  void On(AnswerReceived& received);
  void On(const WriterFlush&) { flush_wanted = true; }
  void On(const WriterTick&) {}
  void On(const TrimThrough& trim) {
    if (trim.through <= committed) trimmed = std::max(trimmed, trim.through);
  }
  bool IsForUs(size_t replica, StreamId stream, WriterEpoch epoch, DiskId disk) const {
    return stream == options.stream && epoch == grant.epoch &&
           disk == grant.groups[replica / 3].disks[replica % 3];
  }
  void OnAnswer(size_t replica, FenceAnswer& answer);
  void OnAnswer(size_t replica, const Fenced& fenced);
  void OnAnswer(size_t replica, const Stored& stored);
  void OnAnswer(size_t replica, const Refused& refused);
  void OnAnswer(size_t, const ReadAnswer&) {}
  void OnAnswer(size_t, const StatusAnswer&) {}
  void OnAnswer(size_t, const HoldingsAnswer&) {}
  void OnAnswer(size_t, const RecoverAnswer&) {}
  void OnAnswer(size_t, const LifeAnswer&) {}

  // ---- what follows from events
  void Advance();
  void BeginFilling();
  void BeginOpening();
  void BeginActive();
  uint64_t FirstNotDurableIn(size_t group) const;
  std::optional<size_t> GroupWithOpen() const;
  void ChooseGroup();
  void SwitchTo(size_t group, size_t from);
  ReplicaSet Refusing() const;
  void CommitDurable();
  void SealPending();
  void SealFront();
  void SendWhatFits();
  void ServeTimers();
  void LookForNewerWriter();
  void DropNotNeeded();

  const WriterOptions options;
  const Grant grant;

  WriterPhase phase = WriterPhase::kFencing;
  Takeover takeover;
  GroupChoice choice;
  Chain chain;
  Seq base;
  Seq open;
  Seq committed;  // up to Open's commit: base
  Seq trimmed;
  Seq next = Seq(1);  // to be assigned

  std::vector<ReplicaProgress> replicas;  // 3 * group + slot
  BatchLog log;
  std::deque<PendingBatch> pending;
  Seq pending_first;          // of pending.front()
  bool flush_wanted = false;  // stays while windows are full
  uint64_t window_bytes = 0;

  std::optional<Instant> look_at;

  uint64_t switches = 0;
  uint64_t switches_before_open = 0;
  uint64_t returns = 0;
  uint64_t late_commits = 0;

  // The Step under way.
  Instant now{};
  std::vector<WriterEffect>* effects = nullptr;
  bool stepped = false;
};

void Writer::Impl::SendAppend(size_t replica, EntryRun run) {
  CHECK(MayAnnounce(replica), "the chain is announced only after the fill", replica);
  CHECK(phase == WriterPhase::kActive || committed == base, "nothing above base is announced yet",
        committed, base);
  replicas[replica].Told(now, committed, trimmed);
  // A long chain is not carried with every batch.
  Send(replica, Append{options.stream, grant.epoch, replicas[replica].has_chain() ? Chain() : chain,
                       std::move(run), committed, trimmed});
}

void Writer::Impl::SendBatch(size_t replica, uint64_t number) {
  const Batch& batch = log.at(number);
  replicas[replica].Sent(now, number, log);
  if (batch.kind == Batch::Kind::kFill) {
    Send(replica, Fill{options.stream, grant.epoch, batch.run});
  } else {
    SendAppend(replica, batch.run);
  }
}

// ---- events

void Writer::Impl::On(AnswerReceived& received) {
  const size_t replica = 3 * size_t{received.from.group} + received.from.slot;
  CHECK(received.from.slot < 3 && replica < replicas.size(),
        "answers come from the grant's replicas", received.from.group, +received.from.slot);
  std::visit([&](auto& answer) { OnAnswer(replica, answer); }, received.answer);
}

void Writer::Impl::OnAnswer(size_t replica, FenceAnswer& answer) {
  if (!IsForUs(replica, answer.stream, answer.epoch, answer.disk)) return;
  choice.Heard(now, replica);
  if (phase == WriterPhase::kFencing) takeover.Add(replica, std::move(answer));
}

// Whatever the disk: a higher promise means a newer writer.
void Writer::Impl::OnAnswer(size_t, const Fenced& fenced) {
  if (fenced.stream != options.stream || fenced.promised <= grant.epoch) return;
  phase = WriterPhase::kStopped;
  effects->emplace_back(StoppedEffect{fenced.promised});
}

void Writer::Impl::OnAnswer(size_t replica, const Stored& stored) {
  if (phase == WriterPhase::kFencing ||
      !IsForUs(replica, stored.stream, stored.epoch, stored.disk)) {
    return;
  }
  choice.Heard(now, replica);
  replicas[replica].OnStored(now, stored, &log);
}

void Writer::Impl::OnAnswer(size_t replica, const Refused& refused) {
  if (phase == WriterPhase::kFencing ||
      !IsForUs(replica, refused.stream, refused.epoch, refused.disk)) {
    return;
  }
  choice.Heard(now, replica);
  replicas[replica].OnRefused(now);
}

// ---- what follows

void Writer::Impl::Advance() {
  if (phase == WriterPhase::kFencing && takeover.HasQuorums()) BeginFilling();
  if (phase == WriterPhase::kFilling) BeginOpening();
  if (phase == WriterPhase::kFilling || phase == WriterPhase::kOpening) BeginActive();
  if (phase == WriterPhase::kActive) CommitDurable();
}

void Writer::Impl::BeginFilling() {
  TakeoverDecision decision = takeover.Decide();
  base = committed = decision.base;
  trimmed = decision.trimmed;
  chain = std::move(decision.chain);
  open = decision.last + 1;
  next = open;
  if (HOMEPORT_PLANTED("fill-skipped")) decision.fills.clear();
  for (Batch& fill : decision.fills) log.Add(std::move(fill));
  phase = WriterPhase::kFilling;
}

// When the fills are durable in the current group. Open may be there already: it was sent to a
// group that was left since.
void Writer::Impl::BeginOpening() {
  const uint64_t first = FirstNotDurableIn(choice.current());
  if (first < log.end() && log.at(first).kind == Batch::Kind::kFill) return;
  phase = WriterPhase::kOpening;
  if (next > open) return;
  EntryRun run;
  run.first = open;
  run.epoch = grant.epoch;
  run.sizes = {0};
  run.checksum = BodyChecksum("");
  log.Add(MakeBatch(Batch::Kind::kOpen, std::move(run)));
  next = open + 1;
  pending_first = next;
}

void Writer::Impl::BeginActive() {
  const std::optional<size_t> home = GroupWithOpen();
  if (!home) return;
  late_commits += *home != choice.current();
  while (log.first_uncommitted() < log.end()) log.Commit(*home);
  committed = open;
  phase = WriterPhase::kActive;
  effects->emplace_back(OpenedEffect{open});
  effects->emplace_back(CommittedEffect{committed});
}

uint64_t Writer::Impl::FirstNotDurableIn(size_t group) const {
  uint64_t n = log.begin();
  while (n < log.end() && HasQuorum(log.at(n).stored, group)) ++n;
  return n;
}

// Fills and Open count in one group: copies spread over groups prove nothing. Open went to a group
// only once the fills were durable there. One that was left meanwhile is as good as the current
// one.
std::optional<size_t> Writer::Impl::GroupWithOpen() const {
  if (next == open) return std::nullopt;
  const std::optional<size_t> home =
      GroupWithQuorum(log.at(log.end() - 1).stored, choice.current());
  const bool filled =
      home && (FirstNotDurableIn(*home) == log.end() || HOMEPORT_PLANTED("open-away-from-fill"));
  if (!filled) return std::nullopt;
  return home;
}

// ---- groups

ReplicaSet Writer::Impl::Refusing() const {
  ReplicaSet refusing = 0;
  for (const ReplicaProgress& replica : replicas) {
    if (replica.refused_full()) refusing |= replica.bit();
  }
  return refusing;
}

void Writer::Impl::ChooseGroup() {
  if (phase == WriterPhase::kFencing) return;
  const bool active = phase == WriterPhase::kActive;
  const uint64_t progress = active ? log.first_uncommitted() : FirstNotDurableIn(choice.current());
  // What waits for a flush may find nobody to be sent to.
  const bool outstanding = !active || progress < log.end() || (flush_wanted && !pending.empty());
  choice.Observe(now, progress, outstanding, Refusing());
  const size_t from = choice.current();
  if (const auto to = choice.Next(now)) {
    to->returns ? ++returns : ++switches;
    switches_before_open += !active;
    SwitchTo(to->group, from);
  }
  for (const size_t r : choice.ProbesDue(now)) SendProbe(r);
}

// All that is not durable goes to `group`, in order. Answers of the group that is left still count
// there.
void Writer::Impl::SwitchTo(size_t group, size_t from) {
  const bool opening = phase == WriterPhase::kOpening;
  uint64_t first = log.first_uncommitted();
  if (HOMEPORT_PLANTED("resend-the-last-only") ||
      (HOMEPORT_PLANTED("open-away-from-fill") && opening)) {
    first = std::max(first, log.end() - 1);
  }
  for (size_t slot = 0; slot < 3; ++slot) {
    replicas[3 * from + slot].StopTaking(now, log.first_uncommitted());
    replicas[3 * group + slot].StartTaking(now, first);
  }
  if (phase == WriterPhase::kActive || (HOMEPORT_PLANTED("open-away-from-fill") && opening)) return;
  // Before Open commits: the fills first, there.
  phase = WriterPhase::kFilling;
  BeginOpening();
}

void Writer::Impl::CommitDurable() {
  const Seq before = committed;
  while (log.first_uncommitted() < log.end()) {
    ReplicaSet stored = log.at(log.first_uncommitted()).stored;
    if (HOMEPORT_PLANTED("commit-past-a-gap")) stored |= log.at(log.end() - 1).stored;
    std::optional<size_t> home = GroupWithQuorum(stored, choice.current());
    if (HOMEPORT_PLANTED("copies-over-groups") && std::popcount(stored) >= 2) {
      home = choice.current();
    }
    if (!home) break;
    late_commits += *home != choice.current();
    const Batch& batch = log.Commit(*home);
    CHECK(batch.run.first == committed + 1, "commits are contiguous", batch.run.first, committed);
    committed = batch.run.last();
    CHECK(window_bytes >= batch.cost, "the window holds what is not committed", window_bytes);
    window_bytes -= batch.cost;
  }
  if (committed != before) effects->emplace_back(CommittedEffect{committed});
}

// Makes batches of what waits, as long as a replica can take one; what cannot go out grows into
// larger ones.
void Writer::Impl::SealPending() {
  while (flush_wanted) {
    if (pending.empty()) {
      flush_wanted = false;
      return;
    }
    const uint64_t cost = pending.front().cost();
    const bool any = std::any_of(replicas.begin(), replicas.end(),
                                 [&](auto& replica) { return replica.HasRoomFor(cost, log); });
    if (!any) return;
    SealFront();
    SendWhatFits();
  }
}

void Writer::Impl::SealFront() {
  PendingBatch& front = pending.front();
  EntryRun run;
  run.first = pending_first;
  run.epoch = grant.epoch;
  run.checksum = BodyChecksum(front.body);
  run.sizes = std::move(front.sizes);
  run.body = SharedBytes(std::move(front.body));
  pending_first = run.last() + 1;
  log.Add(MakeBatch(Batch::Kind::kEntries, std::move(run)));
  pending.pop_front();
}

void Writer::Impl::SendWhatFits() {
  for (size_t r = 0; r < replicas.size(); ++r) {
    while (const std::optional<uint64_t> number = replicas[r].NextToSend(MayAnnounce(r), log)) {
      SendBatch(r, *number);
    }
  }
}

void Writer::Impl::ServeTimers() {
  for (const Takeover::FenceDue& due : takeover.FencesDue(now)) {
    Send(due.replica, Fence{options.stream, grant.epoch, due.after});
  }
  if (phase == WriterPhase::kFencing) return;
  for (size_t r = 0; r < replicas.size(); ++r) {
    ReplicaProgress& replica = replicas[r];
    if (MayAnnounce(r)) replica.OfferNews(now, committed, trimmed);
    const std::optional<Instant> deadline = replica.Deadline();
    if (!deadline || *deadline > now) continue;
    const ReplicaProgress::Due due = replica.OnTimer(now, MayAnnounce(r), log);
    if (due.announce) SendAppend(r, EntryRun());
    if (due.batch) SendBatch(r, *due.batch);
  }
}

// Of any two replicas of a group that a newer writer fenced, one knows of it. All are asked, in
// every phase: what is sent again and again may all go to replicas that are dead, or were switched
// off.
void Writer::Impl::LookForNewerWriter() {
  if (look_at && *look_at > now) return;
  const bool first = !look_at;
  look_at = now + options.look_after;
  if (first) return;
  for (size_t r = 0; r < replicas.size(); ++r) SendProbe(r);
}

// Committed batches stay, within bounds, for a replica of their group that is behind.
void Writer::Impl::DropNotNeeded() {
  while (log.begin() < log.first_uncommitted()) {
    const Batch& front = log.at(log.begin());
    const auto first = replicas.begin() + static_cast<ptrdiff_t>(3 * front.home);
    const bool wanted = std::any_of(first, first + 3, [&](const ReplicaProgress& replica) {
      return replica.Wants(log.begin(), log);
    });
    if (wanted && front.run.last() > trimmed &&
        (log.committed_bytes() <= options.straggler_bytes_max ||
         HOMEPORT_PLANTED("stragglers-kept"))) {
      return;
    }
    for (ReplicaProgress& replica : replicas) replica.OnDropFront(log);
    log.DropFront();
  }
}

// ---- Writer

Writer::Writer(WriterOptions options, Grant grant)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(grant))) {}
Writer::~Writer() = default;

Result<Seq> Writer::Submit(std::string payload) {
  Impl& w = *impl_;
  if (w.phase == WriterPhase::kStopped) {
    return Status::Fenced("a newer writer of this stream exists; ask it");
  }
  if (w.phase != WriterPhase::kActive) {
    return Status::Unavailable("the writer is still taking over; try again");
  }
  if (payload.size() > w.options.entry_bytes_max) {
    return Status::TooLarge(w.options.entry_bytes_max, "the entry is too large for the stream");
  }
  const uint64_t cost = payload.size() + kEntryOverheadBytes;
  if (w.window_bytes > 0 && w.window_bytes + cost > w.options.window_bytes_max &&
      !HOMEPORT_PLANTED("window-ignored")) {
    return Status::Overloaded(kRetryAfterMs,
                              "too much is submitted and not yet committed; try again");
  }
  if (w.pending.empty() || w.pending.back().sizes.size() >= w.options.batch_entries_max ||
      w.pending.back().body.size() + payload.size() > w.options.batch_bytes_max) {
    w.pending.emplace_back();
  }
  PendingBatch& batch = w.pending.back();
  batch.body += payload;
  batch.sizes.push_back(static_cast<uint32_t>(payload.size()));
  w.window_bytes += cost;
  const Seq seq = w.next;
  ++w.next;
  return seq;
}

void Writer::Step(Instant now, WriterEvent event, std::vector<WriterEffect>* effects) {
  Impl& w = *impl_;
  if (w.phase == WriterPhase::kStopped) return;
  w.now = now;
  w.effects = effects;
  w.stepped = true;
  std::visit([&](auto& one) { w.On(one); }, event);
  if (w.phase == WriterPhase::kStopped) return;
  w.Advance();
  w.ChooseGroup();
  w.SendWhatFits();
  w.SealPending();
  w.ServeTimers();
  w.LookForNewerWriter();
  w.DropNotNeeded();
  w.effects = nullptr;
  CheckInvariants();
}

std::optional<Instant> Writer::NextDeadline() const {
  const Impl& w = *impl_;
  if (w.phase == WriterPhase::kStopped) return std::nullopt;
  if (!w.stepped) return Instant{};
  std::optional<Instant> first = w.takeover.Deadline();
  const std::optional<Instant> choice = w.choice.Deadline();
  if (choice && (!first || *choice < *first)) first = choice;
  if (w.look_at && (!first || *w.look_at < *first)) first = w.look_at;
  for (const ReplicaProgress& replica : w.replicas) {
    const std::optional<Instant> deadline = replica.Deadline();
    if (deadline && (!first || *deadline < *first)) first = deadline;
  }
  return first;
}

WriterStatus Writer::Status() const {
  const Impl& w = *impl_;
  WriterStatus status;
  status.phase = w.phase;
  status.epoch = w.grant.epoch;
  status.committed = w.committed;
  status.next = w.next;
  status.window_bytes = w.window_bytes;
  status.straggler_bytes = w.log.committed_bytes();
  const auto slot = [](size_t r) {
    return ReplicaSlot{static_cast<uint16_t>(r / 3), static_cast<uint8_t>(r % 3)};
  };
  if (w.phase == WriterPhase::kFencing) {
    for (const size_t r : w.takeover.WaitingFor()) status.waiting_for.push_back(slot(r));
  } else if (w.log.first_uncommitted() < w.log.end()) {
    const ReplicaSet stored = w.log.at(w.log.first_uncommitted()).stored;
    for (const ReplicaProgress& replica : w.replicas) {
      const size_t r = static_cast<size_t>(&replica - w.replicas.data());
      if (replica.takes_entries() && !(stored & replica.bit()))
        status.waiting_for.push_back(slot(r));
    }
  }
  status.refused_full = w.Refusing() != 0;
  status.group = static_cast<uint16_t>(w.choice.current());
  status.switches = w.switches;
  status.switches_before_open = w.switches_before_open;
  status.returns = w.returns;
  status.late_commits = w.late_commits;
  return status;
}

void Writer::CheckInvariants() const {
  const Impl& w = *impl_;
  CHECK(w.committed < w.next, "committed is below the next seq", w.committed, w.next);
  CHECK(w.base <= w.committed, "committed never decreases", w.base, w.committed);
  CHECK(w.trimmed <= w.committed, "only what is committed is trimmed", w.trimmed, w.committed);
  const bool open = w.phase == WriterPhase::kActive;
  CHECK(open || w.phase == WriterPhase::kStopped || w.committed == w.base,
        "nothing above base is committed before Open is", w.committed, w.base);
  CHECK(open || w.window_bytes == 0 || w.phase == WriterPhase::kStopped,
        "callers are accepted after Open only", w.window_bytes);
  CHECK(!w.log.empty() || w.log.first_uncommitted() == w.log.begin(),
        "an empty log has no commits");
  for (const ReplicaProgress& replica : w.replicas) replica.CheckInvariants(w.log);
}

}  // namespace homeport::quorum_queue
