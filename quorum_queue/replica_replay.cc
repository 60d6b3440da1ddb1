#include <fmt/format.h>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/replica_impl.h"

namespace homeport::quorum_queue {

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

}  // namespace homeport::quorum_queue
