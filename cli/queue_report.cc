#include "cli/queue_report.h"

#include <algorithm>

namespace homeport::cli {

using quorum_queue::ReplicaSlot;
using quorum_queue::StatusAnswer;

QueueReport MakeQueueReport(const std::vector<ReplicaSlot>& asked,
                            const std::map<ReplicaSlot, StatusAnswer>& answers) {
  QueueReport report;
  std::map<core::StreamId, StreamReport> streams;
  for (const ReplicaSlot& slot : asked) {
    ReplicaReport replica;
    replica.slot = slot;
    const auto answer = answers.find(slot);
    if (answer != answers.end()) {
      replica.up = true;
      replica.disk = answer->second.disk;
      replica.full = answer->second.full;
      replica.waiting = !answer->second.admitted;
      replica.recovering = answer->second.recovering;
      replica.log_bytes = answer->second.log_bytes;
      replica.disk_free_bytes = answer->second.disk_free_bytes;
      for (const quorum_queue::StreamStatus& one : answer->second.streams) {
        replica.streams[one.stream] = {one.committed, one.trimmed, one.last, one.entries};
        StreamReport& stream = streams[one.stream];
        stream.stream = one.stream;
        stream.promised = std::max(stream.promised, one.promised);
        stream.chain_epoch = std::max(stream.chain_epoch, one.chain_epoch);
        stream.committed = std::max(stream.committed, one.committed);
        stream.trimmed = std::max(stream.trimmed, one.trimmed);
        stream.last = std::max(stream.last, one.last);
      }
    }
    report.replicas.push_back(std::move(replica));
  }
  for (const auto& [id, stream] : streams) report.streams.push_back(stream);
  return report;
}

}  // namespace homeport::cli
