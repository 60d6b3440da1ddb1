#include "replicator/intent_keeper.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/check.h"
#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"

namespace homeport::replicator {

namespace qq = quorum_queue;

namespace {

// It need not be fast, and must not take memory from those who serve.
constexpr uint64_t kCreditBytes = 1 << 20;
constexpr uint64_t kWaitingBytesMax = 2 << 20;
// Sessions of one reading; the next begins after them.
constexpr uint64_t kSessionsPerReading = uint64_t{1} << 24;
constexpr size_t kRowsPerSearch = 1024;  // looked at before the shard goes on with its work

}  // namespace

IntentKeeper::IntentKeeper(StreamId stream, uint16_t shards, uint64_t session_base,
                           std::vector<uint8_t> replicas, const core::StoreView* store,
                           std::set<Incarnation> roles)
    : stream_(stream),
      shards_(shards),
      store_(store),
      replicas_(std::move(replicas)),
      session_base_(session_base) {
  for (const Incarnation role : roles) unsettled_[role] = {};
}

// ---- events

void IntentKeeper::SetAway(Instant now, const std::vector<AwayIntents>& away, Outbox* out) {
  const bool fewer_or_more = away.size() != away_.size() ||
                             std::any_of(away.begin(), away.end(), [&](const AwayIntents& one) {
                               return !away_.contains(one.region);
                             });
  stale_.clear();
  for (auto& [role, search] : unsettled_) search.at = search.begin;
  searching_ = true;
  if (!fewer_or_more) return;
  for (const auto& [region, done] : away_) unsettled_[region] = {};
  away_.clear();
  waiting_ = RunQueue();
  reader_.reset();
  paused_ = false;
  applied_ = Seq(0);
  ++reading_;
  for (const AwayIntents& one : away) away_[one.region] = one.done;
  if (away_.empty()) return;
  Seq from = qq::kSeqMax;
  for (const AwayIntents& one : away) from = std::min(from, one.done);
  Read(now, from + 1, out);
}

void IntentKeeper::SetReplicas(Instant now, std::vector<uint8_t> replicas, Outbox* out) {
  if (replicas == replicas_) return;
  replicas_ = std::move(replicas);
  if (reader_ == nullptr) return;
  Read(now, waiting_.empty() ? reader_->Status().next : waiting_.seq(), out);
}

void IntentKeeper::Read(Instant now, Seq from, Outbox* out) {
  waiting_ = RunQueue();
  paused_ = false;
  session_base_ += kSessionsPerReading;
  qq::ReaderOptions options;
  options.stream = stream_;
  options.session_base = session_base_;
  options.from = from;
  options.replicas = static_cast<uint8_t>(replicas_.size());
  options.credit_bytes = kCreditBytes;
  reader_ = std::make_unique<qq::Reader>(options);
  Step(now, qq::ReaderTick{}, out);
}

void IntentKeeper::Answer(Instant now, uint8_t replica, qq::ReadAnswer answer, Outbox* out) {
  const std::optional<uint8_t> at = IndexIn(replicas_, replica);
  if (reader_ == nullptr || !at.has_value()) return;  // of an earlier reading
  Step(now, qq::ReadAnswerReceived{*at, std::move(answer)}, out);
}

void IntentKeeper::Tick(Instant now, Outbox* out) {
  if (reader_ != nullptr) Step(now, qq::ReaderTick{}, out);
}

void IntentKeeper::Step(Instant now, qq::ReaderEvent event, Outbox* out) {
  std::optional<Seq> begins_at;
  effects_.clear();
  reader_->Step(now, std::move(event), &effects_);
  for (qq::ReaderEffect& effect : effects_) {
    if (auto* send = std::get_if<qq::SendRead>(&effect)) {
      out->Send(stream_.incarnation(), replicas_[send->replica], std::move(send->read));
    } else if (auto* deliver = std::get_if<qq::DeliverEffect>(&effect)) {
      waiting_.Push(0, std::move(deliver->run));
    } else if (std::holds_alternative<qq::HeldNowhereEffect>(effect)) {
      // What the store has applied was read from there once: whoever replays it tells.
      out->Tell("held_nowhere", "reading for regions that are away");
    } else if (auto* trimmed = std::get_if<qq::TrimmedEffect>(&effect)) {
      begins_at = trimmed->first;
    }
  }
  // An earlier life had come further than its last report says: nothing is trimmed before.
  if (begins_at.has_value()) return Read(now, *begins_at, out);
  const bool pause = waiting_.bytes() > kWaitingBytesMax;
  if (pause == paused_) return;
  paused_ = pause;
  Step(now, qq::PauseReader{pause}, out);
}

// ---- drafting

IntentKeeper::Progress IntentKeeper::Draft(core::Evaluator* evaluator, uint64_t bytes_max) {
  if (stale_.empty() && searching_) SearchStale();
  while (!stale_.empty() && evaluator->draft_bytes() < bytes_max) {
    evaluator->DropKept(stale_.back());
    stale_.pop_back();
  }
  Progress drafted{reading_, Seq(0)};
  while (!waiting_.empty() && evaluator->draft_bytes() < bytes_max) {
    drafted.through = waiting_.seq();
    for (const core::EntryIntent& one :
         core::IntentsOfEntry(stream_, waiting_.seq(), waiting_.payload())) {
      const auto away = away_.find(one.region);
      if (away == away_.end() || one.intent.seq <= away->second) continue;
      const core::Cursor consumed =
          core::ReadCursor(*store_, one.region, stream_, one.intent.shard);
      if (core::Cursor{one.intent.seq, one.intent.index} <= consumed) continue;
      evaluator->Keep(one.region, one.intent);
    }
    waiting_.Pop();
  }
  return drafted;
}

// One portion of a round: rows of regions that are not away, as long as they may be consumed.
void IntentKeeper::SearchStale() {
  size_t looks = kRowsPerSearch;
  std::erase_if(unsettled_, [&](const auto& at) { return away_.contains(at.first); });
  for (auto at = unsettled_.begin(); at != unsettled_.end() && looks > 0;) {
    at = SearchStaleOf(at->first, &looks) ? unsettled_.erase(at) : std::next(at);
  }
  searching_ = looks == 0;
}

// True: `role` has no rows any more.
bool IntentKeeper::SearchStaleOf(Incarnation role, size_t* looks) {
  std::vector<core::Cursor> consumed;
  for (uint16_t shard = 0; shard < shards_; ++shard) {
    consumed.push_back(core::ReadCursor(*store_, role, stream_, core::ShardId(shard)));
  }
  const core::Cursor last = *std::max_element(consumed.begin(), consumed.end());
  const std::string prefix = core::KeptPrefix(stream_, role);
  Search& search = unsettled_.at(role);
  bool none = search.at == search.begin;  // so far
  bool whole = true;
  store_->Scan(std::max(search.at, prefix), core::PrefixEnd(prefix),
               [&](std::string_view key, std::string_view value) {
                 const core::IntentPlace place = core::PlaceOfKeptKey(key);
                 const core::Cursor cursor{place.seq, place.index};
                 const auto row = core::DecodeRow(value);
                 const bool gone = !row.has_value() || row->deleted;
                 if (*looks == 0 || (!gone && cursor > last)) return whole = false;
                 --*looks;
                 search.at = std::string(key) + '\0';
                 if (gone) {
                   if (none) search.begin = search.at;
                   return true;
                 }
                 none = false;
                 const auto kept = core::DecodePendingIntent(row->value);
                 if (kept.has_value() && kept->target.shard.value() < shards_ &&
                     cursor <= consumed[kept->target.shard.value()]) {
                   stale_.emplace_back(key);
                 }
                 return true;
               });
  return whole && none;
}

// ---- state

Seq IntentKeeper::through(Incarnation region) const {
  const auto at = away_.find(region);
  return at == away_.end() ? Seq(0) : std::max(at->second, applied_);
}

std::optional<Instant> IntentKeeper::NextDeadline() const {
  return reader_ == nullptr ? std::nullopt : reader_->NextDeadline();
}

}  // namespace homeport::replicator
