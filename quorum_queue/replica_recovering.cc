#include <fmt/format.h>

#include "quorum_queue/codec.h"
#include "quorum_queue/replica_impl.h"

namespace homeport::quorum_queue {

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

}  // namespace homeport::quorum_queue
