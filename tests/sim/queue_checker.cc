#include "tests/sim/queue_checker.h"

#include <algorithm>
#include <utility>

namespace homeport::sim {

QueueChecker::QueueChecker(bool look_at_disks) : checkers_(StreamCheckers()) {
  if (!look_at_disks) {
    std::erase_if(checkers_, [](const auto& checker) { return checker->name() == "disk"; });
  }
  for (const auto& checker : checkers_) {
    checker->tell_ = [this, name = std::string(checker->name())](std::string what) {
      Fail(name + ": " + what);
    };
  }
}

void QueueChecker::Fail(std::string what) {
  if (!violation_) violation_ = std::move(what);
}

void QueueChecker::Submitted(WriterEpoch writer, Seq seq, std::string payload) {
  history_.writers[writer].submitted[seq] = std::move(payload);
}

void QueueChecker::Decided(WriterEpoch writer, Seq open) {
  for (const auto& checker : checkers_) checker->Decided(history_, writer, open);
  WriterLife& life = history_.writers[writer];
  life.open = open;
  life.submitted[open] = "";
}

void QueueChecker::Opened(WriterEpoch writer, Seq open) {
  WriterLife& life = history_.writers[writer];
  for (const auto& checker : checkers_) checker->Opened(history_, writer, open);
  life.opened = true;
  life.acknowledged = open - 1;
}

void QueueChecker::Acknowledged(WriterEpoch writer, Seq through, const Disks& disks) {
  WriterLife& life = history_.writers[writer];
  const Seq first = life.acknowledged + 1;
  for (const auto& checker : checkers_) {
    checker->Acknowledged(history_, writer, first, through, disks);
  }
  if (violation_) return;
  acknowledged_count_ += through - life.acknowledged;
  life.acknowledged = through;
  history_.acknowledged_end = std::max(history_.acknowledged_end, through);
}

void QueueChecker::Committed(Seq committed) {
  history_.committed = std::max(history_.committed, committed);
}

void QueueChecker::Read(std::string_view reader, Seq expected, const EntryRun& run) {
  for (const auto& checker : checkers_) checker->Read(history_, reader, expected, run);
}

void QueueChecker::End(Seq from, Seq next, Seq trimmed, const Disks& disks) {
  for (const auto& checker : checkers_) checker->End(history_, from, next, trimmed, disks);
}

}  // namespace homeport::sim
