// Bounds of a QueueSim: what is kept or in flight stays within what was asked for.
#include <fmt/format.h>

#include <algorithm>

#include "quorum_queue/batch_log.h"
#include "tests/sim/queue_sim.h"

namespace homeport::sim {

namespace {

const Note kStragglers("a writer keeps committed entries for a slow replica");

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

}  // namespace homeport::sim
