#include "quorum_queue/replica.h"

#include "core/check.h"
#include "quorum_queue/planted.h"
#include "quorum_queue/replica_impl.h"

namespace homeport::quorum_queue {

namespace {

// Records looked at for one HoldingsAnswer, so that it takes a millisecond or so.
constexpr size_t kHoldingsVisitsMax = 1 << 14;

// Without entries, but with more links than this, a record is not small any more: it needs room in
// the log as entries do.
constexpr size_t kSmallChainLinksMax = 2048;

}  // namespace

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

ReplicaMemory Replica::Memory() const {
  return {.answers = impl_->answers.size(),
          .releases = impl_->releasable.size(),
          .subscriptions = impl_->feeds.size()};
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
