// Format of a record's header: a flat Cap'n Proto message, root LogRecord (queue.capnp), version 1.
//
//   record     = header body?                     what replay does
//   fence      = stream epoch                     promised at least epoch
//   fill       = stream epoch run                 promised; each entry that is not there with
//                                                 run.epoch is stored; body: its payloads
//   append     = stream epoch chain? run?         in this order: promised; trimmed; chain, and
//                committed trimmed                entries not valid under it dropped; run stored,
//                                                 replacing; committed. body: payloads of run, if
//                                                 any
//   trim       = stream through                   trimmed and committed at least through
//   checkpoint = (stream promised chain           all of each stream but its entries; after lost
//                 committed trimmed last          records, what cannot be right is dropped
//                 doubtful)*
//   relay      = stream run                       nothing at a replica; body: payloads
//   restore_begin = epoch                         everything before it is forgotten
//   restored   = epoch disk (as checkpoint)       each stream takes these; entries not valid go
//
// An absent chain (an empty list) leaves the chain. Entries at or below trimmed are never stored.
#include "quorum_queue/log_record.h"

#include <fmt/format.h>

#include "core/codec.h"
#include "quorum_queue/wire_parts.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

constexpr uint16_t kLogVersion = 1;

template <class Fill>
std::string EncodeRecord(Fill&& fill) {
  return core::Encode<wire::LogRecord>([&](wire::LogRecord::Builder root) {
    root.setVersion(kLogVersion);
    fill(root);
  });
}

Result<LogRecord> ReadFence(wire::Fence::Reader from) {
  Fence fence;
  ASSIGN_OR_RETURN(fence.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(fence.epoch, ReadEpoch(from.getEpoch()));
  return LogRecord(fence);
}

Result<LogRecord> ReadFill(wire::Fill::Reader from) {
  Fill fill;
  ASSIGN_OR_RETURN(fill.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(fill.epoch, ReadEpoch(from.getEpoch()));
  ASSIGN_OR_RETURN(fill.run, ReadRun(from.getRun()));
  return LogRecord(std::move(fill));
}

Result<LogRecord> ReadAppend(wire::Append::Reader from) {
  Append append;
  ASSIGN_OR_RETURN(append.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(append.epoch, ReadEpoch(from.getEpoch()));
  ASSIGN_OR_RETURN(append.chain, ReadChain(from.getChain()));
  if (from.hasRun()) {
    ASSIGN_OR_RETURN(append.run, ReadRun(from.getRun()));
  }
  ASSIGN_OR_RETURN(append.committed, ReadSeq(from.getCommitted()));
  ASSIGN_OR_RETURN(append.trimmed, ReadSeq(from.getTrimmed()));
  return LogRecord(std::move(append));
}

Result<LogRecord> ReadTrim(wire::Trim::Reader from) {
  Trim trim;
  ASSIGN_OR_RETURN(trim.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(trim.through, ReadSeq(from.getThrough()));
  return LogRecord(trim);
}

Result<LogRecord> ReadCheckpoint(WireStates::Reader from) {
  Checkpoint checkpoint;
  ASSIGN_OR_RETURN(checkpoint.streams, ReadStates(from));
  return LogRecord(std::move(checkpoint));
}

Result<LogRecord> ReadRestored(wire::Restored::Reader from) {
  Restored restored;
  ASSIGN_OR_RETURN(restored.epoch, ReadEpoch(from.getEpoch()));
  restored.disk = DiskId(from.getDisk());
  ASSIGN_OR_RETURN(restored.streams, ReadStates(from.getStreams()));
  return LogRecord(std::move(restored));
}

Result<LogRecord> ReadRelay(wire::Relay::Reader from) {
  Relay relay;
  ASSIGN_OR_RETURN(relay.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(relay.run, ReadRun(from.getRun()));
  return LogRecord(std::move(relay));
}

Result<LogRecord> ReadRecord(wire::LogRecord::Reader root) {
  if (root.getVersion() != kLogVersion) {
    return Status::Corrupt(fmt::format("log record of version {}, this program writes and reads {}",
                                       root.getVersion(), kLogVersion));
  }
  switch (root.which()) {
    case wire::LogRecord::FENCE:
      return ReadFence(root.getFence());
    case wire::LogRecord::FILL:
      return ReadFill(root.getFill());
    case wire::LogRecord::APPEND:
      return ReadAppend(root.getAppend());
    case wire::LogRecord::TRIM:
      return ReadTrim(root.getTrim());
    case wire::LogRecord::CHECKPOINT:
      return ReadCheckpoint(root.getCheckpoint());
    case wire::LogRecord::RELAY:
      return ReadRelay(root.getRelay());
    case wire::LogRecord::RESTORE_BEGIN: {
      ASSIGN_OR_RETURN(const WriterEpoch epoch, ReadEpoch(root.getRestoreBegin()));
      return LogRecord(RestoreBegin{epoch});
    }
    case wire::LogRecord::RESTORED:
      return ReadRestored(root.getRestored());
  }
  return Status::Corrupt(
      fmt::format("log record of unknown kind {}", static_cast<int>(root.which())));
}

// The run of the kinds that have one.
EntryRun* RunOf(LogRecord& record) {
  if (auto* fill = std::get_if<Fill>(&record)) return &fill->run;
  if (auto* append = std::get_if<Append>(&record)) return &append->run;
  if (auto* relay = std::get_if<Relay>(&record)) return &relay->run;
  return nullptr;
}

}  // namespace

std::string EncodeLogRecord(const Fence& fence) {
  return EncodeRecord([&](wire::LogRecord::Builder root) {
    auto to = root.initFence();
    to.setStream(fence.stream.value());
    to.setEpoch(fence.epoch.value());
  });
}

std::string EncodeLogRecord(const Fill& fill) {
  return EncodeRecord([&](wire::LogRecord::Builder root) {
    auto to = root.initFill();
    to.setStream(fill.stream.value());
    to.setEpoch(fill.epoch.value());
    WriteRun(fill.run, to.initRun());
  });
}

std::string EncodeLogRecord(const Append& append) {
  return EncodeRecord([&](wire::LogRecord::Builder root) {
    auto to = root.initAppend();
    to.setStream(append.stream.value());
    to.setEpoch(append.epoch.value());
    if (!append.chain.empty()) {
      WriteChain(append.chain, to.initChain(static_cast<uint32_t>(append.chain.size())));
    }
    if (!append.run.empty()) WriteRun(append.run, to.initRun());
    to.setCommitted(append.committed.value());
    to.setTrimmed(append.trimmed.value());
  });
}

std::string EncodeLogRecord(const Trim& trim) {
  return EncodeRecord([&](wire::LogRecord::Builder root) {
    auto to = root.initTrim();
    to.setStream(trim.stream.value());
    to.setThrough(trim.through.value());
  });
}

std::string EncodeLogRecord(const Checkpoint& checkpoint) {
  return EncodeRecord([&](wire::LogRecord::Builder root) {
    const auto streams = static_cast<uint32_t>(checkpoint.streams.size());
    WriteStates(checkpoint.streams, root.initCheckpoint(streams));
  });
}

std::string EncodeLogRecord(const RestoreBegin& begin) {
  return EncodeRecord(
      [&](wire::LogRecord::Builder root) { root.setRestoreBegin(begin.epoch.value()); });
}

std::string EncodeLogRecord(const Restored& restored) {
  return EncodeRecord([&](wire::LogRecord::Builder root) {
    auto to = root.initRestored();
    to.setEpoch(restored.epoch.value());
    to.setDisk(restored.disk.value());
    WriteStates(restored.streams, to.initStreams(static_cast<uint32_t>(restored.streams.size())));
  });
}

std::string EncodeLogRecord(const Relay& relay) {
  return EncodeRecord([&](wire::LogRecord::Builder root) {
    auto to = root.initRelay();
    to.setStream(relay.stream.value());
    WriteRun(relay.run, to.initRun());
  });
}

Result<LogRecord> DecodeLogRecord(std::string_view header, uint64_t body_size) {
  Result<LogRecord> record = Status::Corrupt("not read");
  const Status status = core::Decode<wire::LogRecord>(header, [&](wire::LogRecord::Reader root) {
    record = ReadRecord(root);
    return record.status();
  });
  // Whatever is wrong with bytes of our own disk is corruption.
  if (!status.ok()) return Status::Corrupt("log record: " + status.message());
  const EntryRun* run = RunOf(*record);
  const uint64_t expected = run == nullptr ? 0 : SumOfSizes(*run);
  if (expected != body_size) {
    return Status::Corrupt(fmt::format("log record with {} bytes of payloads, its header says {}",
                                       body_size, expected));
  }
  return record;
}

Result<EntryRun> RunOfRecord(std::string_view header, SharedBytes body) {
  ASSIGN_OR_RETURN(LogRecord record, DecodeLogRecord(header, body.size()));
  EntryRun* run = RunOf(record);
  if (run == nullptr || run->empty()) return Status::Corrupt("log record without entries");
  run->body = std::move(body);
  return std::move(*run);
}

}  // namespace homeport::quorum_queue
