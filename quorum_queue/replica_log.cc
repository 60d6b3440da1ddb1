#include <fmt/format.h>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/replica_impl.h"

namespace homeport::quorum_queue {

namespace {

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

}  // namespace

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

uint64_t Replica::Impl::RecordBytes(const EntryRun& run, const Chain& chain) {
  return 512 + run.body.size() + run.count() * sizeof(uint32_t) + chain.size() * sizeof(ChainLink);
}

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

template bool Replica::Impl::Log(StreamId, const Fence&, Effects*);
template bool Replica::Impl::Log(StreamId, const Fill&, Effects*);
template bool Replica::Impl::Log(StreamId, const Append&, Effects*);
template bool Replica::Impl::Log(StreamId, const Trim&, Effects*);

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

}  // namespace homeport::quorum_queue
