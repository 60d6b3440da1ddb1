// LogRecord: what a replica (or a region's relay log) writes for each change, and its replay.
//
// A record is the message that made the change, with only what changed (format: log_record.cc):
//   Fence       the promise
//   Fill        the promise, and the run
//   Append      the promise; chain: empty unless it was adopted; run: empty unless it was stored;
//               committed and trimmed as the message said (a lower one changes nothing)
//   Trim        trimmed
//   Checkpoint  every stream's state without its entries, first in each segment, and when records
//               were found lost
//   Relay       entries of another region's stream, in a relay log only
//   RestoreBegin, Restored   of a recovering replica; in between its entries, as Fills
// The header has all but the payloads, so replay reads no bodies. Pure, thread safe.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/status.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

struct Checkpoint {
  std::vector<StreamCheckpoint> streams;
};
struct Relay {
  StreamId stream;
  EntryRun run;
};
// A recovering replica begins: what it has is of an earlier try and goes.
struct RestoreBegin {
  WriterEpoch epoch;
};
using LogRecord =
    std::variant<Fence, Fill, Append, Trim, Checkpoint, Relay, RestoreBegin, Restored>;

// The header of a record. Its body is run.body, which is not looked at.
std::string EncodeLogRecord(const Fence& fence);
std::string EncodeLogRecord(const Fill& fill);
std::string EncodeLogRecord(const Append& append);
std::string EncodeLogRecord(const Trim& trim);
std::string EncodeLogRecord(const Checkpoint& checkpoint);
std::string EncodeLogRecord(const Relay& relay);
std::string EncodeLogRecord(const RestoreBegin& begin);
std::string EncodeLogRecord(const Restored& restored);

// The record of a header; its run has sizes and checksum, but no body. kCorrupt when it is none, or
// when `body_size` is not what the header says.
core::Result<LogRecord> DecodeLogRecord(std::string_view header, uint64_t body_size);
// The run of a loaded record, with its body (whose checksum the log has verified). kCorrupt when
// there is none.
core::Result<EntryRun> RunOfRecord(std::string_view header, SharedBytes body);

}  // namespace homeport::quorum_queue
