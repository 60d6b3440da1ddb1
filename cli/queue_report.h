// QueueReport: what the replicas of one region say of themselves, put together. Pure.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "quorum_queue/messages.h"
#include "quorum_queue/writer.h"

namespace homeport::cli {

struct ReplicaStreamReport {
  core::Seq committed;
  core::Seq trimmed;
  core::Seq last;        // highest held
  uint64_t entries = 0;  // held
};
struct ReplicaReport {
  quorum_queue::ReplicaSlot slot;
  bool up = false;
  // Of one that is up.
  core::DiskId disk;
  bool full = false;
  bool waiting = false;     // until its region's daemon admits it
  bool recovering = false;  // its disk replaces a lost one and has not got everything
  uint64_t log_bytes = 0;
  uint64_t disk_free_bytes = 0;
  std::map<core::StreamId, ReplicaStreamReport> streams;
};
struct StreamReport {
  core::StreamId stream;
  core::WriterEpoch promised;     // highest of all replicas
  core::WriterEpoch chain_epoch;  // of the last writer that opened
  // Highest that any replica knows.
  core::Seq committed;
  core::Seq trimmed;
  core::Seq last;
  // A newer writer has been promised and has not opened yet (or never will).
  bool taking_over() const { return promised > chain_epoch; }
};
struct QueueReport {
  std::vector<ReplicaReport> replicas;  // all that were asked
  std::vector<StreamReport> streams;
};

QueueReport MakeQueueReport(
    const std::vector<quorum_queue::ReplicaSlot>& asked,
    const std::map<quorum_queue::ReplicaSlot, quorum_queue::StatusAnswer>& answers);

}  // namespace homeport::cli
