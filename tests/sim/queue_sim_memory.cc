// Bounds of a QueueSim: what is kept or in flight stays within what was asked for.
#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/batch_log.h"
#include "tests/sim/queue_sim.h"

namespace homeport::sim {

namespace {

const Note kStragglers("a writer keeps committed entries for a slow replica");
const Note kCreditUsed("a reader's credit is used up");

// A replica sends while there is credit left, a whole answer at a time (SimReplica: 1,000 bytes, or
// one record).
constexpr uint64_t kOneAnswer = 1000 + 2000;

}  // namespace

void QueueSim::CheckWriterMemory(const WriterProcess& writer) {
  const quorum_queue::WriterStatus status = writer.machine->Status();
  // One entry may always wait, however large.
  const uint64_t window_max =
      std::max(writer_options_.window_bytes_max,
               writer_options_.entry_bytes_max + quorum_queue::kEntryOverheadBytes);
  if (status.window_bytes > window_max) {
    checker_.Fail(
        fmt::format("memory: a writer holds {} bytes that are not committed; its window "
                    "is {}",
                    status.window_bytes, window_max));
  }
  if (status.straggler_bytes > writer_options_.straggler_bytes_max) {
    checker_.Fail(fmt::format("memory: a writer keeps {} bytes for a slow replica; the bound is {}",
                              status.straggler_bytes, writer_options_.straggler_bytes_max));
  }
  if (status.straggler_bytes > 0) Reached(kStragglers);
}

void QueueSim::CheckCredit(size_t replica, ProcessId to, const quorum_queue::ReadAnswer& answer) {
  const auto asked = reads_.find({to, replica});
  if (asked == reads_.end() || asked->second.session != answer.session) return;
  const quorum_queue::Read& read = asked->second;
  const uint64_t unanswered = answer.sent_bytes - std::min(answer.sent_bytes, read.received_bytes);
  if (unanswered >= read.credit_bytes && read.credit_bytes > 0) Reached(kCreditUsed);
  // Not the credit of the last Read: a reader that pauses gives none, and what it gave before is
  // still under way.
  const ReaderProcess* reader = FindReader(to);
  if (reader != nullptr && unanswered > reader->credit_bytes + kOneAnswer) {
    checker_.Fail(
        fmt::format("memory: {} bytes are on their way to a reader that gave credit for "
                    "{}",
                    unanswered, reader->credit_bytes));
  }
}

}  // namespace homeport::sim
