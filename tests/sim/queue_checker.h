// QueueChecker: what must hold for one stream, whatever fails.
//
//   (1) payload      one payload per seq, over all acknowledgements and reads
//   (2) ack          acknowledgements of a writer are contiguous from its Open on
//   (3) zombie       no acknowledgement by an older epoch at or beyond the Open of a later, decided
//   takeover (4) read         readers see 1, 2, 3 ... without gaps, and only what a writer
//   committed (5) disk         what is acknowledged is on 2 of 3 disks of a group; what an answer
//   shows is on its disk (6) lost         in the end every acknowledged, untrimmed entry is read
//   (7) progress     with faults over, all ends within a bound (told by the simulation)
//
// Remembers the first violation only; it begins with one of these words.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quorum_queue/messages.h"

namespace homeport::sim {

using core::Seq;
using core::WriterEpoch;
using quorum_queue::Chain;
using quorum_queue::EntryRun;

struct CheckedEntry {
  WriterEpoch epoch;
  std::string payload;
  bool operator==(const CheckedEntry&) const = default;
};

// What a disk would tell after a crash now: the synced records, replayed in the simplest way.
class DiskImage {
 public:
  // A record as its header says, with its body. Returns what is wrong, if something is.
  std::optional<std::string> Apply(std::string_view header, const core::SharedBytes& body);
  const std::map<Seq, CheckedEntry>& entries() const { return entries_; }
  WriterEpoch promised() const { return promised_; }
  const Chain& chain() const { return chain_; }
  Seq committed() const { return committed_; }
  Seq trimmed() const { return trimmed_; }
  // Has `seq` by `epoch`, or had it before it was trimmed.
  bool Holds(Seq seq, WriterEpoch epoch) const;

 private:
  void Put(const EntryRun& run);
  WriterEpoch promised_;
  Chain chain_;
  Seq committed_;
  Seq trimmed_;
  std::map<Seq, CheckedEntry> entries_;
};

class QueueChecker {
 public:
  void Fail(std::string what);
  const std::optional<std::string>& violation() const { return violation_; }

  // ---- writers
  void Submitted(WriterEpoch writer, Seq seq, std::string payload);
  void Decided(WriterEpoch writer, Seq open);
  void Opened(WriterEpoch writer, Seq open);
  void Acknowledged(WriterEpoch writer, Seq through, const std::vector<const DiskImage*>& disks);
  // The highest committed that any writer has told.
  void Committed(Seq committed);

  // ---- readers
  void Read(std::string_view reader, Seq expected, const EntryRun& run);

  // ---- the end
  Seq acknowledged_end() const { return acknowledged_end_; }
  uint64_t acknowledged() const { return acknowledged_count_; }
  // All acknowledged entries above `trimmed` were read by the reader that saw `from` .. `next` - 1.
  void AllRead(Seq from, Seq next, Seq trimmed);

  bool check_disks = true;

 private:
  struct WriterLife {
    std::map<Seq, std::string> submitted;
    std::optional<Seq> open;
    bool opened = false;
    Seq acknowledged;  // through
  };
  void Know(std::string_view who, Seq seq, CheckedEntry entry);
  void CheckOnDisks(WriterEpoch writer, Seq seq, const std::vector<const DiskImage*>& disks);

  std::optional<std::string> violation_;
  std::map<Seq, CheckedEntry> known_;  // given out, by acknowledgement or read
  std::map<WriterEpoch, WriterLife> writers_;
  Seq committed_;
  Seq acknowledged_end_;
  uint64_t acknowledged_count_ = 0;
};

}  // namespace homeport::sim
