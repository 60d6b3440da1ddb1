// QueueChecker: all checkers of one stream's world (checker.h), and the first thing that was wrong.
//
// A violation begins with the name of the checker that saw it: payload, ack, lost, zombie, read,
// disk; or with "progress" (with faults over, all ends within a bound: told by the simulation),
// "memory" (a bound was passed) or "check" (a CHECK of a machine failed).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/checker.h"

namespace homeport::sim {

class QueueChecker {
 public:
  // Without a look at disks what follows from a bug must be seen, and not only the bug.
  explicit QueueChecker(bool look_at_disks);

  // Remembers the first only.
  void Fail(std::string what);
  const std::optional<std::string>& violation() const { return violation_; }

  // ---- writers
  void Submitted(WriterEpoch writer, Seq seq, std::string payload);
  void Decided(WriterEpoch writer, Seq open);
  void Opened(WriterEpoch writer, Seq open);
  void Acknowledged(WriterEpoch writer, Seq through, const Disks& disks);
  // The highest committed that any writer has told.
  void Committed(Seq committed);

  // ---- readers
  void Read(std::string_view reader, Seq expected, const EntryRun& run);

  // ---- the end: a reader saw `from` .. `next` - 1
  void End(Seq from, Seq next, Seq trimmed, const Disks& disks);

  const History& history() const { return history_; }
  uint64_t acknowledged() const { return acknowledged_count_; }

 private:
  std::vector<std::unique_ptr<Checker>> checkers_;
  History history_;
  std::optional<std::string> violation_;
  uint64_t acknowledged_count_ = 0;
};

}  // namespace homeport::sim
