#include "quorum_queue/replica.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/planted.h"
#include "quorum_queue/replica_answers.h"
#include "quorum_queue/replica_feeds.h"
#include "quorum_queue/replica_stream.h"

namespace homeport::quorum_queue {

using Effects = std::vector<ReplicaEffect>;

namespace {

// Records looked at for one HoldingsAnswer, so that it takes a millisecond or so.
constexpr size_t kHoldingsVisitsMax = 1 << 14;

const EntryRun& RunOf(const Fill& fill) {
  return fill.run;
}
const EntryRun& RunOf(const Append& append) {
  return append.run;
}
template <class Record>
const EntryRun& RunOf(const Record&) {
  static const EntryRun none;
  return none;
}

// Without entries, but with more links than this, a record is not small any more: it needs room in
// the log as entries do.
constexpr size_t kSmallChainLinksMax = 2048;

// More than the record of `append` or `fill` takes in the log, header and body.
uint64_t RecordBytes(const EntryRun& run, const Chain& chain) {
  return 512 + run.body.size() + run.count() * sizeof(uint32_t) + chain.size() * sizeof(ChainLink);
}

}  // namespace

struct Replica::Impl {
  Impl(ReplicaOptions replica_options, ReplicaStats* replica_stats)
      : options(replica_options),
        stats(*replica_stats),
        feeds(replica_options),
        recovering(replica_options.recovering),
        life(replica_options.life),
        admitted(!replica_options.needs_admission) {}

  // ---- messages
  void On(core::Instant now, RequestReceived request, Effects* effects);
  void OnFence(ReplicaPeer peer, const Fence& fence, Effects* effects);
  std::vector<RunLocation> FencePage(const ReplicaStream& stream, Seq after, Seq* through) const;
  void OnFill(ReplicaPeer peer, Fill fill, Effects* effects);
  void OnAppend(ReplicaPeer peer, Append append, Effects* effects);
  void OnTrim(const Trim& trim, Effects* effects);
  void OnHoldings(ReplicaPeer peer, const Holdings& holdings, Effects* effects);
  void OnRecover(ReplicaPeer peer, const Recover& recover, Effects* effects);

  // ---- admission
  bool MayTake(const ReplicaRequest& request) const;
  void OnAdmit(ReplicaPeer peer, const Admit& admit, Effects* effects);
  void TellLife(ReplicaPeer peer, uint64_t nonce, Effects* effects) const;

  // ---- while recovering
  void OnRestore(ReplicaPeer peer, Restore restore, Effects* effects);
  void OnRestored(ReplicaPeer peer, const Restored& restored, Effects* effects);
  void RefuseLimits(ReplicaPeer peer, StreamId stream, WriterEpoch epoch, Effects* effects);
  // A higher epoch than that of the try under way begins anew.
  void BeginRestore(WriterEpoch epoch, Effects* effects);
  void Apply(const Restored& restored, RecordNumber record);

  // ---- answers
  // Sends an answer when all that is logged so far is on disk; it reflects nothing later.
  void Answer(ReplicaPeer peer, ReplicaAnswer answer, std::vector<RunLocation> runs,
              Effects* effects);
  // True, and answered, when `epoch` is older than promised.
  bool IsFenced(ReplicaPeer peer, StreamId stream, WriterEpoch epoch, Effects* effects);
  // True, and answered, when there is no room for the record.
  bool IsRefused(ReplicaPeer peer, StreamId stream, WriterEpoch epoch, uint64_t record_bytes,
                 Effects* effects);

  // ---- log
  // Logs the record and applies it. False, and ignored, when there are too many streams.
  template <class Record>
  bool Log(StreamId stream, const Record& record, Effects* effects);
  void LogCheckpoint(Effects* effects);
  void OnRecordsLost(const RecordsLost& lost, Effects* effects);
  RecordNumber LowestNeeded() const;
  void Release(Effects* effects);

  // ---- replay
  core::Status ReplayDecoded(RecordNumber record, const LogRecord& decoded);
  core::Status ReplayChange(ReplicaStream* stream, const auto& change, RecordNumber record);
  core::Status ReplayCheckpoint(const Checkpoint& checkpoint, RecordNumber record);

  const ReplicaStream& Known(StreamId stream) const;
  bool HasRoomForLinks(StreamId stream, const Chain& chain) const;
  void Ignore() { ++stats.ignored; }

  const ReplicaOptions options;
  ReplicaStats& stats;
  ReplicaStreams streams;
  AnswerQueue answers;
  ReadFeeds feeds;

  bool recovering;
  Life life;  // on disk
  bool admitted;
  bool amnesiac = false;
  WriterEpoch restoring;       // epoch of the try under way, or 0
  RecordNumber restore_begin;  // its first record
  RecordNumber restored;       // the record that ends it; 0: none yet
  bool try_damaged = false;    // records of it were lost, its first one perhaps
  bool ready = false;          // FinishReplay was called
  bool full = false;           // no room for entries
  RecordNumber logged;         // last record
  RecordNumber persisted;      // last record on disk
  RecordNumber checkpoint;     // last one; 0: none

  // During replay: all scalars are known. Not so when the log's first records were released, or
  // some were lost, until the next checkpoint.
  bool anchored = false;
  bool gap = false;  // why not: records were lost
  // Records were lost and no checkpoint was logged since: until then nothing is released, because
  // the records that are left say what is in doubt.
  bool checkpoint_due = false;

  // Once `after` is on disk, no record below `bound` is needed. Not before: what is on disk must be
  // able to stand alone after a crash. By then the answers that show entries dropped since have
  // left, too: each waits for a record before the one that dropped them.
  struct Releasable {
    RecordNumber after;
    RecordNumber bound;
  };
  std::deque<Releasable> releasable;  // both ascending
  RecordNumber releasing{1};          // highest bound in `releasable` or told; 1: none
  bool release_due = false;           // something was dropped since
};

// ---- messages

void Replica::Impl::On(core::Instant now, RequestReceived request, Effects* effects) {
  const ReplicaPeer peer = request.peer;
  if (const auto* ask = std::get_if<AskLife>(&request.request)) {
    return TellLife(peer, ask->nonce, effects);
  }
  if (const auto* admit = std::get_if<Admit>(&request.request)) {
    return OnAdmit(peer, *admit, effects);
  }
  if (!MayTake(request.request)) return;
  if (recovering) {
    if (auto* restore = std::get_if<Restore>(&request.request)) {
      return OnRestore(peer, std::move(*restore), effects);
    }
    if (const auto* all = std::get_if<Restored>(&request.request)) {
      return OnRestored(peer, *all, effects);
    }
    if (!HOMEPORT_PLANTED("recovering-votes")) return;
  }
  if (auto* append = std::get_if<Append>(&request.request)) {
    OnAppend(peer, std::move(*append), effects);
  } else if (auto* fill = std::get_if<Fill>(&request.request)) {
    OnFill(peer, std::move(*fill), effects);
  } else if (const auto* fence = std::get_if<Fence>(&request.request)) {
    OnFence(peer, *fence, effects);
  } else if (const auto* trim = std::get_if<Trim>(&request.request)) {
    OnTrim(*trim, effects);
  } else if (const auto* read = std::get_if<Read>(&request.request)) {
    if (read->from == Seq(0)) return Ignore();
    feeds.OnRead(now, peer, *read, streams, effects);
  } else if (const auto* holdings = std::get_if<Holdings>(&request.request)) {
    OnHoldings(peer, *holdings, effects);
  } else if (const auto* recover = std::get_if<Recover>(&request.request)) {
    OnRecover(peer, *recover, effects);
  }
}

// Committed entries stay what they are, however old this copy is; all else waits until it is known
// not to be old.
bool Replica::Impl::MayTake(const ReplicaRequest& request) const {
  if (amnesiac) return false;
  return admitted || std::holds_alternative<Read>(request) ||
         std::holds_alternative<Holdings>(request) || HOMEPORT_PLANTED("amnesiac-votes");
}

// Not queued behind what is not on disk yet: it tells of what is.
void Replica::Impl::TellLife(ReplicaPeer peer, uint64_t nonce, Effects* effects) const {
  const LifeAnswer answer{.disk = options.disk,
                          .nonce = nonce,
                          .life = life,
                          .proposed = options.proposed,
                          .admitted = admitted,
                          .recovering = recovering,
                          .record = persisted};
  effects->emplace_back(AnswerEffect{peer, answer, {}, false});
}

void Replica::Impl::OnAdmit(ReplicaPeer peer, const Admit& admit, Effects* effects) {
  if (!options.needs_admission || admit.disk != options.disk || admit.life != options.proposed) {
    return Ignore();
  }
  if (admit.admission == Admission::kAmnesiac) {
    if (!amnesiac) effects->emplace_back(AmnesiacEffect{});
    amnesiac = true;
    admitted = false;
  } else if (life != options.proposed) {
    if (admit.admission == Admission::kAdmitted) return Ignore();
    life = options.proposed;
    effects->emplace_back(RememberLifeEffect{life});
  } else if (admit.admission == Admission::kAdmitted && !amnesiac) {
    admitted = true;
  }
  TellLife(peer, admit.nonce, effects);
}

void Replica::Impl::OnFence(ReplicaPeer peer, const Fence& fence, Effects* effects) {
  if (fence.epoch == WriterEpoch(0)) return Ignore();
  if (IsFenced(peer, fence.stream, fence.epoch, effects)) return;
  if (fence.epoch > Known(fence.stream).promised && !Log(fence.stream, fence, effects)) return;
  const ReplicaStream& stream = Known(fence.stream);
  if (stream.IsDoubtful() && !HOMEPORT_PLANTED("doubt-ignored")) {
    ++stats.fences_withheld;
    return;
  }
  // The runs are located now, not when the answer leaves: it shows the state after this message.
  FenceAnswer answer{.stream = fence.stream,
                     .epoch = fence.epoch,
                     .disk = options.disk,
                     .chain = stream.chain,
                     .committed = stream.committed,
                     .trimmed = stream.trimmed,
                     .runs = {},
                     .after = fence.after};
  std::vector<RunLocation> runs = FencePage(stream, fence.after, &answer.through);
  Answer(peer, std::move(answer), std::move(runs), effects);
}

// The first runs above committed and `after` that fit a page. `through` is set when more follow.
std::vector<RunLocation> Replica::Impl::FencePage(const ReplicaStream& stream, Seq after,
                                                  Seq* through) const {
  std::vector<RunLocation> runs = stream.index.RunsAfter(std::max(stream.committed, after));
  uint64_t bytes = 0;
  uint64_t entries = 0;
  size_t fit = 0;
  for (; fit < runs.size() && fit < options.fence_page_runs_max; ++fit) {
    // Of the whole record: a part of it may have nearly all the bytes.
    bytes += runs[fit].record_bytes;
    entries += runs[fit].count;
    if (fit > 0 &&
        (bytes > options.fence_page_bytes_max || entries > options.fence_page_entries_max)) {
      break;
    }
  }
  if (fit < runs.size()) {
    *through = runs[fit - 1].last();
    runs.resize(fit);
  }
  return runs;
}

void Replica::Impl::OnFill(ReplicaPeer peer, Fill fill, Effects* effects) {
  if (fill.epoch == WriterEpoch(0)) return Ignore();
  if (IsFenced(peer, fill.stream, fill.epoch, effects)) return;
  const ReplicaStream& stream = Known(fill.stream);
  if (!stream.IsSensible(fill)) return Ignore();
  Stored answer{fill.stream, fill.epoch, options.disk, true, fill.run.first, fill.run.count(), {}};
  const bool changes = stream.Reduce(&fill);
  if (!fill.run.empty()) {
    if (IsRefused(peer, fill.stream, fill.epoch, RecordBytes(fill.run, {}), effects)) return;
    if (!Log(fill.stream, fill, effects)) return;
    stats.entries_stored += fill.run.count();
    stats.bytes_stored += fill.run.body.size();
  } else if (changes && !Log(fill.stream, Fence{fill.stream, fill.epoch}, effects)) {
    return;
  }
  answer.committed = Known(fill.stream).committed;
  Answer(peer, answer, {}, effects);
}

void Replica::Impl::OnAppend(ReplicaPeer peer, Append append, Effects* effects) {
  if (append.epoch == WriterEpoch(0) || !IsWellFormed(append.chain) ||
      append.chain.size() > kChainLinksMax) {
    return Ignore();
  }
  const StreamId id = append.stream;
  if (IsFenced(peer, id, append.epoch, effects)) return;
  const ReplicaStream& stream = Known(id);
  if (!stream.IsSensible(append)) return Ignore();
  Stored answer{id, append.epoch, options.disk, false, append.run.first, append.run.count(), {}};
  const bool changes = stream.Reduce(&append);
  if (!append.chain.empty() && !HasRoomForLinks(id, append.chain)) return Ignore();
  if (!append.run.empty() || append.chain.size() > kSmallChainLinksMax) {
    const uint64_t bytes = RecordBytes(append.run, append.chain);
    if (IsRefused(peer, id, append.epoch, bytes, effects)) return;
  }
  if (changes && !Log(id, append, effects)) return;
  stats.entries_stored += append.run.count();
  stats.bytes_stored += append.run.body.size();
  answer.committed = Known(id).committed;
  Answer(peer, answer, {}, effects);
}

void Replica::Impl::OnTrim(const Trim& trim, Effects* effects) {
  if (trim.through > Known(trim.stream).trimmed) Log(trim.stream, trim, effects);
}

void Replica::Impl::OnHoldings(ReplicaPeer peer, const Holdings& holdings, Effects* effects) {
  if (holdings.from == Seq(0)) return Ignore();
  const ReplicaStream& stream = Known(holdings.stream);
  HoldingsAnswer answer{.stream = holdings.stream,
                        .disk = options.disk,
                        .promised = stream.promised,
                        .chain_epoch = LastEpoch(stream.chain),
                        .committed = stream.committed,
                        .trimmed = stream.trimmed,
                        .from = holdings.from,
                        .through = kSeqMax,
                        .runs = {}};
  answer.runs =
      stream.index.Held(holdings.from, kHoldingsRunsMax, kHoldingsVisitsMax, &answer.through);
  Answer(peer, std::move(answer), {}, effects);
}

void Replica::Impl::OnRecover(ReplicaPeer peer, const Recover& recover, Effects* effects) {
  if (recover.epoch == WriterEpoch(0) || recover.from == Seq(0)) return Ignore();
  const bool promises = recover.epoch > Known(recover.stream).promised &&
                        !HOMEPORT_PLANTED("recover-without-promise");
  if (promises && !Log(recover.stream, Fence{recover.stream, recover.epoch}, effects)) return;
  const ReplicaStream& stream = Known(recover.stream);
  if (stream.IsDoubtful()) {
    ++stats.fences_withheld;
    return;
  }
  RecoverAnswer answer{.stream = recover.stream,
                       .epoch = recover.epoch,
                       .disk = options.disk,
                       .promised = std::max(stream.promised, recover.epoch),
                       .chain = stream.chain,
                       .committed = stream.committed,
                       .trimmed = stream.trimmed,
                       .from = recover.from,
                       .through = kSeqMax,
                       .runs = {}};
  std::vector<RunLocation> runs =
      stream.index.Page(recover.from, options.fence_page_runs_max, options.fence_page_entries_max,
                        options.fence_page_bytes_max, &answer.through);
  Answer(peer, std::move(answer), std::move(runs), effects);
}

// ---- while recovering

void Replica::Impl::BeginRestore(WriterEpoch epoch, Effects* effects) {
  if (epoch == restoring) return;
  const RestoreBegin begin{epoch};
  ++logged;
  effects->emplace_back(LogRecordEffect{logged, EncodeLogRecord(begin), {}, BodyChecksum({})});
  streams.clear();
  restoring = epoch;
  restore_begin = logged;
  release_due = true;
}

void Replica::Impl::OnRestore(ReplicaPeer peer, Restore restore, Effects* effects) {
  if (restore.disk != options.disk || restore.run.empty() || restored > RecordNumber(0)) {
    return Ignore();
  }
  if (restore.epoch < restoring) {
    return Answer(peer, Fenced{restore.stream, restore.epoch, options.disk, restoring}, {},
                  effects);
  }
  const StreamId id = restore.stream;
  if (IsRefused(peer, id, restore.epoch, RecordBytes(restore.run, {}), effects)) return;
  BeginRestore(restore.epoch, effects);
  const ReplicaStream& stream = Known(id);
  Stored answer{id, restore.epoch, options.disk, true, restore.run.first, restore.run.count(), {}};
  // Entries of later writers come too; promised only rises.
  Fill fill{id, std::max({restore.epoch, restore.run.epoch, stream.promised}),
            std::move(restore.run)};
  if (stream.Reduce(&fill) && !Log(id, fill, effects)) {
    return RefuseLimits(peer, id, restore.epoch, effects);
  }
  stats.entries_stored += fill.run.count();
  stats.bytes_stored += fill.run.body.size();
  Answer(peer, answer, {}, effects);
}

// Here, and only here, somebody waits for this replica alone.
void Replica::Impl::RefuseLimits(ReplicaPeer peer, StreamId stream, WriterEpoch epoch,
                                 Effects* effects) {
  Answer(peer,
         Refused{stream, epoch, options.disk,
                 fmt::format("more than {} streams, or {} links of their chains",
                             options.streams_max, options.chain_links_max)},
         {}, effects);
}

void Replica::Impl::OnRestored(ReplicaPeer peer, const Restored& all, Effects* effects) {
  if (all.disk != options.disk || all.epoch < restoring || all.epoch == WriterEpoch(0) ||
      restored > RecordNumber(0)) {
    return Ignore();
  }
  uint64_t links = 0;
  for (const StreamCheckpoint& stream : all.streams) links += stream.chain.size();
  if (all.streams.size() > options.streams_max || links > options.chain_links_max) {
    return RefuseLimits(peer, StreamId(), all.epoch, effects);
  }
  const uint64_t bytes = 512 + all.streams.size() * 128 + links * sizeof(ChainLink);
  if (IsRefused(peer, StreamId(), all.epoch, bytes, effects)) return;
  BeginRestore(all.epoch, effects);
  ++logged;
  effects->emplace_back(LogRecordEffect{logged, EncodeLogRecord(all), {}, BodyChecksum({})});
  Apply(all, logged);
  // It leaves once this is on disk; by then it is true.
  StatusAnswer answer{.disk = options.disk, .streams = {}, .full = full, .recovering = false};
  Answer(peer, std::move(answer), {}, effects);
}

void Replica::Impl::Apply(const Restored& all, RecordNumber record) {
  std::erase_if(streams, [&](const auto& item) {
    return std::none_of(all.streams.begin(), all.streams.end(),
                        [&](const StreamCheckpoint& one) { return one.stream == item.first; });
  });
  for (const StreamCheckpoint& one : all.streams) streams[one.stream].Apply(one, record);
  restored = record;
  release_due = true;
}

// ---- answers

void Replica::Impl::Answer(ReplicaPeer peer, ReplicaAnswer answer, std::vector<RunLocation> runs,
                           Effects* effects) {
  AnswerEffect effect{peer, std::move(answer), std::move(runs), false};
  if (logged <= persisted) {
    effects->emplace_back(std::move(effect));
  } else {
    answers.Add(logged, std::move(effect));
  }
}

bool Replica::Impl::IsFenced(ReplicaPeer peer, StreamId stream, WriterEpoch epoch,
                             Effects* effects) {
  const WriterEpoch promised = Known(stream).promised;
  if (epoch >= promised) return false;
  ++stats.fenced;
  Answer(peer, Fenced{stream, epoch, options.disk, promised}, {}, effects);
  return true;
}

bool Replica::Impl::IsRefused(ReplicaPeer peer, StreamId stream, WriterEpoch epoch,
                              uint64_t record_bytes, Effects* effects) {
  std::string reason;
  if (record_bytes > options.record_bytes_max) {
    reason = fmt::format("{} bytes do not fit one log record of at most {}; send smaller batches",
                         record_bytes, options.record_bytes_max);
    Ignore();
  } else if (full) {
    reason = "disk full, or the log has reached its limit; free space or raise the limit";
    ++stats.refused_full;
  } else {
    return false;
  }
  Answer(peer, Refused{stream, epoch, options.disk, std::move(reason)}, {}, effects);
  return true;
}

// ---- log

template <class Record>
bool Replica::Impl::Log(StreamId id, const Record& record, Effects* effects) {
  auto found = streams.find(id);
  if (found == streams.end()) {
    if (streams.size() >= options.streams_max) {
      Ignore();
      return false;
    }
    found = streams.try_emplace(id).first;
  }
  ReplicaStream& stream = found->second;
  const WriterEpoch promised_before = stream.promised;
  const WriterEpoch chain_before = LastEpoch(stream.chain);
  const Seq committed_before = stream.committed;
  const Seq trimmed_before = stream.trimmed;

  ++logged;
  const EntryRun& run = RunOf(record);
  const uint64_t checksum = run.empty() ? BodyChecksum({}) : run.checksum;
  effects->emplace_back(LogRecordEffect{logged, EncodeLogRecord(record), run.body, checksum});
  stream.Apply(record, logged);
  feeds.Changed(id);
  release_due |= stream.trimmed > trimmed_before || LastEpoch(stream.chain) > chain_before;

  CHECK(stream.promised >= promised_before && LastEpoch(stream.chain) >= chain_before &&
            stream.committed >= committed_before && stream.trimmed >= trimmed_before,
        "a replica's promises, chain, committed and trimmed never decrease", id, logged);
  CHECK(stream.IsConsistent(false), "a stream's state is consistent", id, logged);
  EXPENSIVE_CHECK(stream.IsConsistent(true), "a stream's entries are consistent", id, logged);
  return true;
}

void Replica::Impl::LogCheckpoint(Effects* effects) {
  CHECK(admitted, "nothing is logged before it is known that the directory is not an old copy");
  Checkpoint all;
  for (const auto& [id, stream] : streams) all.streams.push_back(stream.ToCheckpoint(id));
  ++logged;
  checkpoint = logged;
  checkpoint_due = false;
  effects->emplace_back(LogRecordEffect{logged, EncodeLogRecord(all), {}, BodyChecksum({})});
  release_due = true;
}

void Replica::Impl::OnRecordsLost(const RecordsLost& lost, Effects* effects) {
  for (const RecordNumber record : lost.records) {
    ++stats.records_lost;
    for (auto& [id, stream] : streams) {
      for (const RunLocation& run : stream.Lose(record)) {
        stats.entries_lost += run.count;
        effects->emplace_back(
            EntriesLostEffect{record, id, run.first, run.last(), run.last() > stream.committed});
      }
    }
  }
  LogCheckpoint(effects);
}

// Lowest record that the present state needs: entries by their records, all else by the last
// checkpoint and what follows it.
RecordNumber Replica::Impl::LowestNeeded() const {
  RecordNumber lowest = checkpoint;
  // Says which try its entries are of.
  if (recovering && restoring > WriterEpoch(0)) lowest = std::min(lowest, restore_begin);
  for (const auto& [id, stream] : streams) {
    if (const auto record = stream.index.LowestRecord()) lowest = std::min(lowest, *record);
  }
  return lowest;
}

void Replica::Impl::Release(Effects* effects) {
  if (release_due && !checkpoint_due) {
    release_due = false;
    const RecordNumber bound = LowestNeeded();
    if (bound > releasing) {
      releasing = bound;
      releasable.push_back({logged, bound});
    }
  }
  std::optional<RecordNumber> bound;
  for (; !releasable.empty() && releasable.front().after <= persisted; releasable.pop_front()) {
    bound = releasable.front().bound;
  }
  if (bound) effects->emplace_back(ReleaseEffect{*bound});
}

// ---- replay

core::Status Replica::Impl::ReplayChange(ReplicaStream* stream, const auto& change,
                                         RecordNumber record) {
  using Change = std::decay_t<decltype(change)>;
  // Before the first checkpoint too little is known to judge.
  if (anchored) {
    bool follows = true;
    if constexpr (!std::is_same_v<Change, Trim>) follows = change.epoch >= stream->promised;
    if constexpr (std::is_same_v<Change, Fill>) follows &= stream->IsSensible(change);
    if constexpr (std::is_same_v<Change, Append>) {
      follows &= stream->IsSensible(change) &&
                 (change.chain.empty() || LastEpoch(change.chain) > LastEpoch(stream->chain));
    }
    if (!follows) {
      return core::Status::Corrupt(
          fmt::format("log record {} does not follow from the records before it", record.value()));
    }
  }
  stream->Apply(change, record);
  return core::Status::Ok();
}

core::Status Replica::Impl::ReplayCheckpoint(const Checkpoint& all, RecordNumber record) {
  size_t matched = 0;
  for (const StreamCheckpoint& one : all.streams) {
    ReplicaStream& stream = streams[one.stream];
    if (anchored) {
      stream.doubtful = std::max(stream.doubtful, one.doubtful);
      if (one.doubtful > Seq(0)) stream.doubtful_epoch = one.promised;
    } else {
      stream.Restore(one, gap);
    }
    if (stream.Matches(one) && stream.IsConsistent(!anchored)) ++matched;
  }
  if (matched != all.streams.size() || matched != streams.size()) {
    return core::Status::Corrupt(fmt::format(
        "log record {}, a checkpoint, contradicts the records before it", record.value()));
  }
  anchored = true;
  gap = false;
  checkpoint = record;
  return core::Status::Ok();
}

// ---- all else

const ReplicaStream& Replica::Impl::Known(StreamId stream) const {
  static const ReplicaStream unknown;
  const auto found = streams.find(stream);
  return found == streams.end() ? unknown : found->second;
}

bool Replica::Impl::HasRoomForLinks(StreamId adopting, const Chain& chain) const {
  uint64_t links = chain.size();
  for (const auto& [id, stream] : streams) links += id == adopting ? 0 : stream.chain.size();
  return links <= options.chain_links_max;
}

Replica::Replica(ReplicaOptions options) : impl_(std::make_unique<Impl>(options, &stats_)) {}
Replica::~Replica() = default;

core::Status Replica::Replay(RecordNumber record, std::string_view header, uint64_t body_size) {
  Impl& impl = *impl_;
  CHECK(!impl.ready, "replay comes before the first step", record);
  if (impl.logged == RecordNumber(0)) {
    impl.anchored = record == RecordNumber(1);
  } else if (record != impl.logged + 1) {
    return core::Status::Corrupt(
        fmt::format("log record {} follows {}", record.value(), impl.logged.value()));
  }
  impl.logged = record;
  ASSIGN_OR_RETURN(const LogRecord decoded, DecodeLogRecord(header, body_size));
  return impl.ReplayDecoded(record, decoded);
}

core::Status Replica::Impl::ReplayDecoded(RecordNumber record, const LogRecord& decoded) {
  return std::visit(
      [&](const auto& one) {
        using One = std::decay_t<decltype(one)>;
        if constexpr (std::is_same_v<One, Checkpoint>) {
          return ReplayCheckpoint(one, record);
        } else if constexpr (std::is_same_v<One, RestoreBegin>) {
          streams.clear();
          restoring = one.epoch;
          restore_begin = record;
          try_damaged = false;
          anchored = true;  // nothing before it matters
          gap = false;
          return core::Status::Ok();
        } else if constexpr (std::is_same_v<One, Restored>) {
          Apply(one, record);
          recovering = false;
          return core::Status::Ok();
        } else if constexpr (std::is_same_v<One, Relay>) {
          return core::Status::Corrupt("a relay record in the log of a replica");
        } else {
          return ReplayChange(&streams[one.stream], one, record);
        }
      },
      decoded);
}

core::Status Replica::ReplayWithoutBody(RecordNumber record, std::string_view header,
                                        uint64_t body_size) {
  RETURN_IF_ERROR(Replay(record, header, body_size));
  ++stats_.records_lost;
  impl_->checkpoint_due = true;
  // At once: what later records fill again counts.
  for (auto& [id, stream] : impl_->streams) {
    for (const RunLocation& run : stream.Lose(record)) stats_.entries_lost += run.count;
  }
  return core::Status::Ok();
}

core::Status Replica::ReplayLost(RecordNumber first, RecordNumber last) {
  Impl& impl = *impl_;
  CHECK(!impl.ready, "replay comes before the first step", first);
  CHECK(first > RecordNumber(0) && first <= last, "a gap has records", first, last);
  CHECK(impl.logged == RecordNumber(0) || first == impl.logged + 1, "records come in order", first,
        impl.logged);
  impl.logged = last;
  impl.anchored = false;
  impl.gap = true;
  impl.try_damaged = true;
  impl.checkpoint_due = true;
  stats_.records_lost += last - first + 1;
  return core::Status::Ok();
}

bool Replica::knows_promises() const {
  // What the keeper was told to be stored may be gone, and which try it was of: the keeper would go
  // on, and this replica would take its end for one that had nothing to give.
  if (impl_->recovering && impl_->try_damaged) return false;
  return impl_->anchored || impl_->logged == RecordNumber(0);
}

void Replica::FinishReplay(RecordNumber next) {
  Impl& impl = *impl_;
  CHECK(!impl.ready, "replay is finished once");
  CHECK(next > RecordNumber(0), "records are numbered from 1");
  CHECK(impl.logged == RecordNumber(0) || next == impl.logged + 1, "no record is skipped", next,
        impl.logged);
  CHECK(impl.logged == RecordNumber(0) || impl.anchored,
        "a log never loses its last checkpoint: nothing from it on is released", next);
  impl.logged = impl.persisted = next - 1;
  impl.ready = true;
  impl.release_due = true;
  CheckInvariants();
}

void Replica::Step(core::Instant now, ReplicaEvent event, std::vector<ReplicaEffect>* effects) {
  Impl& impl = *impl_;
  CHECK(impl.ready, "FinishReplay comes before the first step");
  if (auto* request = std::get_if<RequestReceived>(&event)) {
    if (const auto* status = std::get_if<StatusRequest>(&request->request)) {
      StatusAnswer answer = Status();
      answer.nonce = status->nonce;
      impl.Answer(request->peer, std::move(answer), {}, effects);
    } else {
      impl.On(now, std::move(*request), effects);
    }
  } else if (const auto* on_disk = std::get_if<Persisted>(&event)) {
    CHECK(on_disk->record >= impl.persisted && on_disk->record <= impl.logged,
          "only what was logged is on disk", on_disk->record, impl.persisted, impl.logged);
    impl.persisted = on_disk->record;
    if (impl.recovering && impl.restored > RecordNumber(0) && impl.restored <= impl.persisted) {
      impl.recovering = false;
      effects->emplace_back(RecoveredEffect{});
    }
    impl.answers.Take(impl.persisted, effects);
    impl.feeds.PushChanged(impl.streams, effects);
    impl.Release(effects);
  } else if (const auto* space = std::get_if<SpaceChanged>(&event)) {
    impl.full = space->full;
  } else if (std::holds_alternative<SegmentStarted>(event)) {
    impl.LogCheckpoint(effects);
  } else if (const auto* lost = std::get_if<RecordsLost>(&event)) {
    impl.OnRecordsLost(*lost, effects);
  } else {
    impl.feeds.Expire(now);
    impl.feeds.PushChanged(impl.streams, effects);
    impl.release_due = true;
    impl.Release(effects);
  }
}

StatusAnswer Replica::Status() const {
  StatusAnswer answer{.disk = impl_->options.disk,
                      .streams = {},
                      .full = impl_->full,
                      .recovering = impl_->recovering,
                      .admitted = impl_->admitted};
  for (const auto& [id, stream] : impl_->streams) {
    answer.streams.push_back({.stream = id,
                              .promised = stream.promised,
                              .chain_epoch = LastEpoch(stream.chain),
                              .committed = stream.committed,
                              .trimmed = stream.trimmed,
                              .last = stream.index.last(),
                              .entries = stream.index.entries()});
  }
  return answer;
}

bool Replica::admitted() const {
  return impl_->admitted;
}

bool Replica::recovering() const {
  return impl_->recovering;
}

uint64_t Replica::doubtful_streams() const {
  return static_cast<uint64_t>(
      std::count_if(impl_->streams.begin(), impl_->streams.end(),
                    [](const auto& item) { return item.second.IsDoubtful(); }));
}

void Replica::ForEachStream(
    const std::function<void(StreamId, const ReplicaStream&)>& visit) const {
  for (const auto& [id, stream] : impl_->streams) visit(id, stream);
}

uint64_t Replica::CheckpointBytes() const {
  uint64_t bytes = 256;
  for (const auto& [id, stream] : impl_->streams) {
    bytes += 128 + stream.chain.size() * sizeof(ChainLink);
  }
  return bytes;
}

void Replica::CheckInvariants() const {
  const Impl& impl = *impl_;
  CHECK(impl.persisted <= impl.logged, "what is on disk was logged", impl.persisted, impl.logged);
  CHECK(impl.checkpoint <= impl.logged, "the checkpoint was logged", impl.checkpoint, impl.logged);
  CHECK(impl.releasing <= std::max(impl.checkpoint, RecordNumber(1)), "the last checkpoint stays",
        impl.releasing, impl.checkpoint);
  for (const auto& [id, stream] : impl.streams) {
    CHECK(stream.IsConsistent(true), "a stream's state is consistent", id);
  }
}

}  // namespace homeport::quorum_queue
