// VerifyLog: what is in a replica's directory, and what of it is damaged, without a replica. For
// operators; `homeport queue verify`.
//
// Reads everything and changes nothing. Takes the directory's lock, so no replica uses it
// meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/status.h"
#include "quorum_queue/identity.h"
#include "quorum_queue/messages.h"
#include "quorum_queue/segment_log.h"

namespace homeport::quorum_queue {

struct VerifiedDamage {
  LogDamage where;
  // Of a record whose frame and header hold: what was in it. Else count is 0.
  StreamId stream;
  Seq first;
  uint64_t count = 0;
};

struct VerifiedSegment {
  std::string name;
  uint64_t first_record = 0;
  uint64_t records = 0;     // lost ones included
  uint64_t bytes = 0;       // used
  uint64_t torn_bytes = 0;  // at the end of the last: never acknowledged, a start cuts it
  std::vector<VerifiedDamage> damage;
};

// As a start would find it.
struct VerifiedStream {
  StreamId stream;
  WriterEpoch promised;
  Chain chain;
  Seq committed;
  Seq trimmed;
  Seq last;
  uint64_t entries = 0;
  uint64_t missing = 0;   // from trimmed + 1 to committed, or to the last one if that is higher
  bool doubtful = false;  // a start would answer no fence of it for now
};

struct VerifiedLog {
  Identity identity;
  std::vector<VerifiedSegment> segments;  // as far as read
  std::vector<VerifiedStream> streams;    // empty when the replica would not start
  std::string refusal;                    // why the replica would not start, or nothing

  bool IsIntact() const;
};

// kUnavailable: there is no replica's directory, or a process uses it. kIo: it cannot be read.
core::Result<VerifiedLog> VerifyLog(const std::string& dir);

}  // namespace homeport::quorum_queue
