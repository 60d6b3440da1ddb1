#include "quorum_queue/mender.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/mend_findings.h"

namespace homeport::quorum_queue {

using core::Duration;
using core::Instant;

namespace {

// What was known to be committed, and when. Few: a sample is taken per look.
constexpr size_t kSamplesMax = 16;

// Saves a second of the rate at most. May be overdrawn, since a piece's size is known only once it
// was read.
class TokenBucket {
 public:
  void Refill(Instant now, uint64_t bytes_per_s) {
    const int64_t rate = RateOf(bytes_per_s);
    const int64_t elapsed = std::min(now - at_, kSecond).count();
    if (elapsed > 0) saved_ = std::min(saved_ + elapsed * rate, kSecond.count() * rate);
    at_ = std::max(at_, now);
  }
  bool has_any() const { return saved_ > 0; }
  void Take(uint64_t bytes) {
    saved_ -= static_cast<int64_t>(std::min(bytes, kRateMax)) * kSecond.count();
  }
  // When there will be some.
  Instant ReadyAt(uint64_t bytes_per_s) const {
    return has_any() ? at_ : at_ + Duration(-saved_ / RateOf(bytes_per_s) + 1);
  }

 private:
  static constexpr Duration kSecond = std::chrono::seconds(1);
  static constexpr uint64_t kRateMax = uint64_t{1} << 31;  // so that nothing overflows
  static int64_t RateOf(uint64_t bytes_per_s) {
    return static_cast<int64_t>(std::clamp<uint64_t>(bytes_per_s, 1, kRateMax));
  }
  Instant at_{};
  int64_t saved_ = 1;  // bytes times nanoseconds of a second
};

enum class Stage { kResting, kAsking, kMending, kReading, kFilling };

struct StreamMending {
  StreamMending(StreamId id, Instant first_look) : stream(id), due(first_look) {}

  StreamId stream;
  Stage stage = Stage::kResting;
  Instant due;  // of the next look, or the end of patience

  // All members answered, and held alike, up to here.
  Seq agreed;
  bool look_at_all = true;  // the next time
  Instant look_at_all_due{};

  // The look under way.
  bool agree = false;  // so far
  Seq agreed_before;   // highest agreed since one came back
  Seq settled;         // nothing above it is looked at
  Seq page_first;
  Seq page_last;
  std::map<ReplicaSlot, HoldingsAnswer> answers;
  std::deque<MendGap> gaps;
  bool mended = false;
  // That failed in this look: the rest of it goes on without them.
  std::set<ReplicaSlot> failed_targets;
  std::set<ReplicaSlot> failed_sources;

  // The piece under way: the rest of gaps.front() is read, and what came is filled.
  uint64_t session = 0;
  std::vector<std::pair<Seq, Seq>> filling;  // first, last; not yet stored
  Seq filled_through;
  uint64_t filling_bytes = 0;

  MendFindings findings;
  std::deque<std::pair<Instant, Seq>> samples;  // committed; both ascending
};

}  // namespace

struct Mender::Impl {
  explicit Impl(MenderOptions o) : options(std::move(o)), last_session(options.session_base) {
    for (const StreamId stream : options.streams) streams.emplace_back(stream, Instant{});
  }

  // ---- events
  void On(MenderAnswer& received);
  void On(const MenderTick&) {}
  void On(const Foreground& foreground);
  void On(GroupsChanged& changed);
  void OnAnswer(StreamMending& s, ReplicaSlot from, HoldingsAnswer& answer);
  void OnAnswer(StreamMending& s, ReplicaSlot from, ReadAnswer& answer);
  void OnAnswer(StreamMending& s, ReplicaSlot from, const Stored& stored);
  void OnAnswer(StreamMending& s, ReplicaSlot from, const Fenced& fenced);
  void OnAnswer(StreamMending& s, ReplicaSlot from, const Refused& refused);

  // ---- a look
  void BeginLook(StreamMending& s);
  void NoteAgreed(StreamMending& s, const MendPlan& plan) const;
  void AskPage(StreamMending& s, Seq first);
  void EndPage(StreamMending& s);
  void EndLook(StreamMending& s);
  void Rest(StreamMending& s);
  void GapFailed(StreamMending& s, std::string_view why, ReplicaSlot replica);
  void TargetFailed(StreamMending& s, std::string_view why);
  void SourceFailed(StreamMending& s, std::string_view why);
  bool MayMend(const StreamMending& s, const MendGap& gap) const;
  void TakeSample(StreamMending& s, Seq committed);
  std::optional<Seq> Settled(const StreamMending& s) const;
  bool MayFill(ReplicaSlot target) const;

  // ---- a piece
  void NextPiece(StreamMending& s);
  void BeginPiece(StreamMending& s);
  void EndPiece(StreamMending& s);

  void ServeTimers(StreamMending& s);
  std::optional<Instant> Deadline(const StreamMending& s) const;
  uint64_t Rate() const { return busy ? options.busy_bytes_per_s : options.bytes_per_s; }
  size_t PiecesUnderWay() const;
  std::optional<uint64_t> NotDrained(uint16_t group) const;
  bool IsMember(ReplicaSlot slot, DiskId disk) const {
    return slot.group < groups.size() && slot.slot < 3 &&
           groups[slot.group].disks[slot.slot] == disk;
  }
  void Send(ReplicaSlot to, ReplicaRequest request) {
    effects->emplace_back(MenderSend{to, std::move(request)});
  }
  void Note(std::string_view kind, StreamId stream, ReplicaSlot replica) {
    effects->emplace_back(MenderNote{kind, stream, replica});
  }

  const MenderOptions options;
  std::vector<Group> groups;
  std::vector<StreamMending> streams;
  std::map<ReplicaSlot, Instant> answering_since;
  TokenBucket bucket;
  bool busy = false;
  uint64_t last_session;
  uint64_t mended_entries = 0;
  uint64_t mended_bytes = 0;

  // The Step under way.
  Instant now{};
  std::vector<MenderEffect>* effects = nullptr;
};

// ---- events

void Mender::Impl::On(const Foreground& foreground) {
  busy = foreground.busy;
  for (StreamMending& s : streams) {
    if (s.stage == Stage::kMending) s.due = now;  // the rate is another
  }
}

void Mender::Impl::On(GroupsChanged& changed) {
  for (uint16_t g = 0; g < changed.groups.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      if (!IsMember({g, slot}, changed.groups[g].disks[slot])) {
        answering_since.erase({g, slot});  // another disk
      }
    }
  }
  groups = std::move(changed.groups);
  for (StreamMending& s : streams) {
    StreamMending fresh(s.stream, now);
    fresh.samples = std::move(s.samples);  // what was committed stays so
    s = std::move(fresh);
  }
}

void Mender::Impl::On(MenderAnswer& received) {
  std::visit(
      [&](auto& answer) {
        if constexpr (requires { OnAnswer(streams.front(), received.from, answer); }) {
          if (!IsMember(received.from, answer.disk)) return;
          for (StreamMending& s : streams) {
            if (s.stream == answer.stream) return OnAnswer(s, received.from, answer);
          }
        }
      },
      received.answer);
}

void Mender::Impl::OnAnswer(StreamMending& s, ReplicaSlot from, HoldingsAnswer& answer) {
  if (answering_since.try_emplace(from, now).second) {
    for (StreamMending& one : streams) one.look_at_all = true;
  }
  if (s.stage != Stage::kAsking || answer.from != s.page_first) return;
  s.answers[from] = std::move(answer);
  if (s.answers.size() == 3 * groups.size()) EndPage(s);
}

void Mender::Impl::OnAnswer(StreamMending& s, ReplicaSlot from, ReadAnswer& answer) {
  if (s.stage != Stage::kReading || answer.session != s.session) return;
  const MendGap& gap = s.gaps.front();
  if (from != gap.source) return;
  const Seq first = s.filled_through + 1;
  if (answer.outcome != ReadOutcome::kData || answer.next != first) {
    return GapFailed(s, "mend_source_lacks", from);
  }
  for (const EntryRun& run : answer.runs) {
    if (run.first > gap.run.last()) break;
    if (run.epoch != gap.run.epoch) return GapFailed(s, "mend_source_changed", from);
    const Seq last = std::min(run.last(), gap.run.last());
    EntryRun piece = SliceRun(run, run.first, last - run.first + 1);
    s.filling.emplace_back(piece.first, last);
    s.filling_bytes += piece.body.size();
    Send(gap.target, Fill{s.stream, gap.epoch, std::move(piece)});
    s.filled_through = last;
  }
  bucket.Take(s.filling_bytes);
  s.stage = Stage::kFilling;
  s.due = now + options.answer_timeout;
}

void Mender::Impl::OnAnswer(StreamMending& s, ReplicaSlot from, const Stored& stored) {
  if (s.stage != Stage::kFilling || !stored.fill || stored.count == 0) return;
  const MendGap& gap = s.gaps.front();
  if (from != gap.target || stored.epoch != gap.epoch) return;
  const Seq last = stored.first + (stored.count - 1);
  std::erase_if(s.filling, [&](const auto& piece) {
    if (piece.first < stored.first || piece.second > last) return false;
    mended_entries += piece.second - piece.first + 1;
    return true;
  });
  if (s.filling.empty()) EndPiece(s);
}

// A newer writer, whose chain the source has not heard of yet.
void Mender::Impl::OnAnswer(StreamMending& s, ReplicaSlot from, const Fenced& fenced) {
  if (s.stage != Stage::kFilling || from != s.gaps.front().target ||
      fenced.epoch != s.gaps.front().epoch) {
    return;
  }
  TargetFailed(s, "mend_fenced");
}

void Mender::Impl::OnAnswer(StreamMending& s, ReplicaSlot from, const Refused& refused) {
  if (s.stage != Stage::kFilling || from != s.gaps.front().target ||
      refused.epoch != s.gaps.front().epoch) {
    return;
  }
  TargetFailed(s, "mend_refused");
}

// ---- a look

void Mender::Impl::BeginLook(StreamMending& s) {
  s.settled = kSeqMax;
  s.findings.Begin(groups);
  s.mended = false;
  s.failed_targets.clear();
  s.failed_sources.clear();
  s.agreed_before = std::max(s.agreed_before, s.agreed);
  if (s.look_at_all) s.agreed_before = Seq(0);
  if (s.look_at_all || s.look_at_all_due <= now) {
    // Not all streams at once, but for the first time.
    const bool is_first = s.look_at_all_due == Instant{};
    const auto turn = is_first ? &s - streams.data() + 1 : std::ssize(streams);
    s.look_at_all_due = now + options.look_at_all_every * turn / std::ssize(streams);
    s.look_at_all = false;
    s.agreed = Seq(0);
  }
  s.agree = true;
  AskPage(s, s.agreed + 1);
}

// Only as far as all know it to be committed: what its holder does not is not compared. And where a
// replica is silent, as far as it agreed before: what it lacks beyond is counted in each look.
void Mender::Impl::NoteAgreed(StreamMending& s, const MendPlan& plan) const {
  s.agree &= plan.held_nowhere.value_or(0) == 0;
  for (const auto& [replica, lacking] : plan.lacking) s.agree &= lacking.empty();
  for (const auto& [group, entries] : plan.not_drained) s.agree &= entries == 0;
  Seq through = s.page_last;
  for (const auto& [slot, answer] : s.answers) through = std::min(through, answer.committed);
  if (s.answers.size() < 3 * groups.size()) through = std::min(through, s.agreed_before);
  if (s.agree) s.agreed = std::max(s.agreed, through);
  s.agree &= through == s.page_last;
}

void Mender::Impl::AskPage(StreamMending& s, Seq first) {
  s.page_first = first;
  s.answers.clear();
  s.stage = Stage::kAsking;
  s.due = now + options.answer_timeout;
  for (uint16_t g = 0; g < groups.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) Send({g, slot}, Holdings{s.stream, first});
  }
}

void Mender::Impl::TakeSample(StreamMending& s, Seq committed) {
  if (!s.samples.empty() && now - s.samples.back().first < options.grace / 4) return;
  s.samples.emplace_back(now, committed);
  if (s.samples.size() > kSamplesMax) s.samples.pop_front();
}

// What has been committed for `grace`, as far as is known; none while no answer is that old.
std::optional<Seq> Mender::Impl::Settled(const StreamMending& s) const {
  std::optional<Seq> settled;
  for (const auto& [at, seq] : s.samples) {
    if (now - at >= options.grace) settled = std::max(settled.value_or(seq), seq);
  }
  return settled;
}

bool Mender::Impl::MayFill(ReplicaSlot target) const {
  const auto since = answering_since.find(target);
  return since != answering_since.end() && now - since->second >= options.grace;
}

bool Mender::Impl::MayMend(const StreamMending& s, const MendGap& gap) const {
  return MayFill(gap.target) && !s.failed_targets.contains(gap.target) &&
         !s.failed_sources.contains(gap.source);
}

void Mender::Impl::EndPage(StreamMending& s) {
  Seq committed;
  s.page_last = kSeqMax;
  for (const auto& [slot, answer] : s.answers) {
    committed = std::max(committed, answer.committed);
    s.page_last = std::min(s.page_last, answer.through);
  }
  for (uint16_t g = 0; g < groups.size(); ++g) {
    for (uint8_t slot = 0; slot < 3; ++slot) {
      if (!s.answers.contains({g, slot})) answering_since.erase({g, slot});
    }
  }
  if (s.settled == kSeqMax) {
    if (!s.answers.empty()) TakeSample(s, committed);
    const auto settled = Settled(s);
    if (!settled) return Rest(s);  // there is nothing yet that a look could tell
    s.settled = *settled;
  }
  s.page_last = std::min(s.page_last, s.settled);

  MendPlan plan = PlanMend(groups, s.answers, s.page_first, s.page_last);
  s.findings.AddPage(groups, s.answers, plan);
  NoteAgreed(s, plan);
  std::erase_if(plan.gaps, [&](const MendGap& gap) { return !MayMend(s, gap); });
  s.gaps.assign(plan.gaps.begin(), plan.gaps.end());
  s.answers.clear();
  NextPiece(s);
}

void Mender::Impl::EndLook(StreamMending& s) {
  if (s.findings.End(now, s.settled)) Note("held_nowhere", s.stream, {});
  Rest(s);
}

// After mending it looks again soon: to see that all is whole.
void Mender::Impl::Rest(StreamMending& s) {
  s.stage = Stage::kResting;
  s.due = now + (s.mended ? options.ask_every / 8 : options.ask_every);
}

// What else this look is to mend does not wait for it.
void Mender::Impl::GapFailed(StreamMending& s, std::string_view why, ReplicaSlot replica) {
  Note(why, s.stream, replica);
  s.filling.clear();
  s.filling_bytes = 0;
  s.gaps.pop_front();
  std::erase_if(s.gaps, [&](const MendGap& gap) { return !MayMend(s, gap); });
  NextPiece(s);
}

void Mender::Impl::TargetFailed(StreamMending& s, std::string_view why) {
  const ReplicaSlot target = s.gaps.front().target;
  s.failed_targets.insert(target);
  GapFailed(s, why, target);
}

void Mender::Impl::SourceFailed(StreamMending& s, std::string_view why) {
  const ReplicaSlot source = s.gaps.front().source;
  s.failed_sources.insert(source);
  GapFailed(s, why, source);
}

// ---- a piece

size_t Mender::Impl::PiecesUnderWay() const {
  return static_cast<size_t>(std::count_if(streams.begin(), streams.end(), [](const auto& s) {
    return s.stage == Stage::kReading || s.stage == Stage::kFilling;
  }));
}

// The next gap of this page, the next page, or the end of the look.
void Mender::Impl::NextPiece(StreamMending& s) {
  if (!s.gaps.empty()) {
    s.filled_through = s.gaps.front().run.first - 1;
    s.stage = Stage::kMending;
    BeginPiece(s);
  } else if (s.page_last < s.settled) {
    AskPage(s, s.page_last + 1);
  } else {
    EndLook(s);
  }
}

// Waits, in kMending, until there is room and rate for one.
void Mender::Impl::BeginPiece(StreamMending& s) {
  bucket.Refill(now, Rate());
  s.due = bucket.ReadyAt(Rate());
  if (!bucket.has_any() || PiecesUnderWay() >= options.pieces_max) return;
  s.stage = Stage::kReading;
  s.session = ++last_session;
  s.due = now + options.answer_timeout;
  // With a credit of one byte there is exactly one answer.
  Send(s.gaps.front().source, Read{s.stream, s.session, s.filled_through + 1, 0, 1, false});
}

void Mender::Impl::EndPiece(StreamMending& s) {
  mended_bytes += s.filling_bytes;
  s.filling_bytes = 0;
  s.mended = true;
  if (s.filled_through < s.gaps.front().run.last()) {
    s.stage = Stage::kMending;
    BeginPiece(s);
    return;
  }
  s.gaps.pop_front();
  NextPiece(s);
}

// ---- timers

void Mender::Impl::ServeTimers(StreamMending& s) {
  if (s.due > now) return;
  switch (s.stage) {
    case Stage::kResting:
      BeginLook(s);
      break;
    case Stage::kAsking:
      EndPage(s);
      break;
    case Stage::kMending:
      BeginPiece(s);
      break;
    case Stage::kReading:
      SourceFailed(s, "mend_source_silent");
      break;
    case Stage::kFilling:
      TargetFailed(s, "mend_target_silent");
      break;
  }
}

std::optional<Instant> Mender::Impl::Deadline(const StreamMending& s) const {
  // One that waits for room goes on when another ends.
  if (s.stage == Stage::kMending && PiecesUnderWay() >= options.pieces_max) return std::nullopt;
  return s.due;
}

// ---- Mender

// Of a draining group: over all streams, if all of them know.
std::optional<uint64_t> Mender::Impl::NotDrained(uint16_t group) const {
  if (groups[group].state != GroupState::kDraining) return std::nullopt;
  uint64_t sum = 0;
  for (const StreamMending& s : streams) {
    const auto entries = s.findings.not_drained().find(group);
    if (entries == s.findings.not_drained().end()) return std::nullopt;
    sum += entries->second;
  }
  return sum;
}

Mender::Mender(MenderOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Mender::~Mender() = default;

void Mender::Step(Instant now, MenderEvent event, std::vector<MenderEffect>* effects) {
  Impl& m = *impl_;
  m.now = now;
  m.effects = effects;
  std::visit([&](auto& one) { m.On(one); }, event);
  if (!m.groups.empty()) {
    for (StreamMending& s : m.streams) m.ServeTimers(s);
    // Those that waited for one that has just given up.
    for (StreamMending& s : m.streams) {
      if (s.stage == Stage::kMending) m.ServeTimers(s);
    }
  }
  m.effects = nullptr;
}

std::optional<Instant> Mender::NextDeadline() const {
  const Impl& m = *impl_;
  if (m.groups.empty()) return std::nullopt;
  std::optional<Instant> first;
  for (const StreamMending& s : m.streams) {
    const auto due = m.Deadline(s);
    if (due && (!first || *due < *first)) first = due;
  }
  return first;
}

MenderStatus Mender::Status() const {
  const Impl& m = *impl_;
  MenderStatus status;
  status.complete = !m.groups.empty();
  status.mended_entries = m.mended_entries;
  status.mended_bytes = m.mended_bytes;
  for (const StreamMending& s : m.streams) {
    status.complete &= s.findings.looked();
    status.held_nowhere += s.findings.held_nowhere();
    for (const auto& [replica, lack] : s.findings.lacking()) {
      if (lack.entries == 0) continue;
      status.lacking.push_back(
          {s.stream, replica, lack.silent, lack.entries, lack.bytes, *lack.since});
    }
  }
  for (uint16_t g = 0; g < m.groups.size(); ++g) {
    if (const auto entries = m.NotDrained(g)) status.not_drained[g] = *entries;
  }
  return status;
}

}  // namespace homeport::quorum_queue
