// DiskImage: what a replica's disk would tell after a crash now: the synced records of one stream,
// replayed in the simplest way. The dumb twin of Replica's replay.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

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

class DiskImage {
 public:
  // A record as its header says, with its body. Returns what is wrong, if something is.
  std::optional<std::string> Apply(quorum_queue::RecordNumber number, std::string_view header,
                                   const core::SharedBytes& body);
  // The record cannot be read any more: its entries are gone.
  void Lose(quorum_queue::RecordNumber number);
  const std::map<Seq, CheckedEntry>& entries() const { return entries_; }
  WriterEpoch promised() const { return promised_; }
  const Chain& chain() const { return chain_; }
  Seq committed() const { return committed_; }
  Seq trimmed() const { return trimmed_; }
  // The mender was told that these are here. From now on each stays, until it is trimmed.
  void NoteMended(Seq first, uint64_t count);
  // Replaces a lost disk and has not got everything yet.
  void BeginRecovery() { recovering_ = true; }
  bool recovering() const { return recovering_; }
  // Has `seq` by `epoch`, or had it before it was trimmed.
  bool Holds(Seq seq, WriterEpoch epoch) const;
  // The same, or lost it to damage since.
  bool Held(Seq seq, WriterEpoch epoch) const;

 private:
  // `missing_only`: what is held with the same epoch stays where it is.
  void Put(const EntryRun& run, bool missing_only);
  std::optional<std::string> ApplyRecord(std::string_view header, const core::SharedBytes& body);
  WriterEpoch promised_;
  Chain chain_;
  Seq committed_;
  Seq trimmed_;
  std::map<Seq, CheckedEntry> entries_;
  quorum_queue::RecordNumber applying_;
  std::map<Seq, quorum_queue::RecordNumber> records_;  // that the entries are in
  std::set<std::pair<Seq, WriterEpoch>> damaged_;
  std::map<Seq, WriterEpoch> mended_;
  bool recovering_ = false;
};

}  // namespace homeport::sim
