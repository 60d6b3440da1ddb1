#include "quorum_queue/log_verify.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "core/files.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/replica.h"
#include "quorum_queue/replica_stream.h"
#include "quorum_queue/segment_recovery.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

struct Contents {
  StreamId stream;
  Seq first;
  uint64_t count = 0;
};

Contents ContentsOf(std::string_view header, uint64_t body_size) {
  const auto record = DecodeLogRecord(header, body_size);
  if (!record.ok()) return {};
  if (const auto* fill = std::get_if<Fill>(&*record)) {
    return {fill->stream, fill->run.first, fill->run.count()};
  }
  if (const auto* append = std::get_if<Append>(&*record)) {
    return {append->stream, append->run.first, append->run.count()};
  }
  return {};
}

uint64_t MissingOf(const ReplicaStream& stream) {
  const Seq end = std::max(stream.committed, stream.index.last());
  return end - stream.trimmed - stream.index.entries();
}

std::vector<VerifiedStream> StreamsOf(const Replica& replica) {
  std::vector<VerifiedStream> streams;
  replica.ForEachStream([&](StreamId id, const ReplicaStream& stream) {
    streams.push_back({id, stream.promised, stream.chain, stream.committed, stream.trimmed,
                       stream.index.last(), stream.index.entries(), MissingOf(stream),
                       stream.IsDoubtful()});
  });
  return streams;
}

}  // namespace

bool VerifiedLog::IsIntact() const {
  return refusal.empty() && std::all_of(segments.begin(), segments.end(),
                                        [](const auto& segment) { return segment.damage.empty(); });
}

Result<VerifiedLog> VerifyLog(const std::string& dir) {
  VerifiedLog log;
  ASSIGN_OR_RETURN(log.identity, ReadIdentity(dir));
  if (log.identity.replica == 0) {
    return Status::BadRequest(dir + " is a region's directory; name that of one of its replicas");
  }
  ASSIGN_OR_RETURN(const auto lock, core::DirectoryLock::Take(dir));

  Replica replica(ReplicaOptions{.disk = log.identity.disk, .recovering = log.identity.recovering});
  std::map<RecordNumber, Contents> contents;
  RecoveryReport report;
  LogReplay replay;
  replay.record = [&](RecordNumber record, std::string_view header, uint64_t body_size) {
    return replica.Replay(record, header, body_size);
  };
  replay.without_body = [&](RecordNumber record, std::string_view header, uint64_t body_size) {
    contents[record] = ContentsOf(header, body_size);
    return replica.ReplayWithoutBody(record, header, body_size);
  };
  replay.lost = [&](RecordNumber first, RecordNumber last) {
    return replica.ReplayLost(first, last);
  };
  const Result<RecoveredLog> read = ReadLog(dir, replay, &report);
  if (!read.ok() && read.status().code() != core::Code::kCorrupt) return read.status();
  if (read.ok()) {
    for (const RecoveredSegment& segment : read->segments) {
      log.segments.push_back({std::filesystem::path(segment.path).filename(),
                              segment.header.first_record,
                              segment.offsets.size(),
                              segment.end,
                              0,
                              {}});
    }
    if (!log.segments.empty()) log.segments.back().torn_bytes = report.torn_bytes;
  }
  for (const LogDamage& damage : report.damage) {
    const std::string name = std::filesystem::path(damage.path).filename();
    auto segment = std::find_if(log.segments.begin(), log.segments.end(),
                                [&](const VerifiedSegment& one) { return one.name == name; });
    if (segment == log.segments.end()) {
      segment = log.segments.insert(segment, VerifiedSegment{.name = name, .damage = {}});
    }
    const Contents& held = contents[damage.first];
    segment->damage.push_back({damage, held.stream, held.first, held.count});
  }
  if (!read.ok()) {
    log.refusal = read.status().message();
  } else if (!replica.knows_promises() || report.IsBeheaded(RecordNumber(read->next_record))) {
    log.refusal = report.WhyUnknown() + "; it may have held a promise";
  } else {
    replica.FinishReplay(RecordNumber(read->next_record));
    log.streams = StreamsOf(replica);
  }
  return log;
}

}  // namespace homeport::quorum_queue
