// RelayLog: raw entries of other regions' streams, kept on this region's disk so that it can replay
// them again without the wide-area network, and live regions can complete one another (design
// section 5, rule 3).
//
// A SegmentLog of wire::LogRecord `relay` records and an EntryIndex per stream. A thread of its own
// writes, syncs and reads; nothing here waits for a disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/status.h"
#include "quorum_queue/messages.h"
#include "replicator/region.h"

namespace homeport::replicator {

// Answer to RelayLog::Load.
struct RelayLoad {
  StreamId stream;
  core::Result<quorum_queue::EntryRun> run;  // empty when there are no such entries
};

// Called from one thread.
class RelayLog {
 public:
  // Makes or opens the log. `wake` is called from the log's thread whenever TakePersisted or
  // TakeLoaded may have news. `segment_bytes`: of one file; a few of them are written ahead.
  // kCorrupt when what was on disk is damaged: the sentence says what to do and what that costs.
  static core::Result<std::unique_ptr<RelayLog>> Open(const std::string& dir,
                                                      std::function<void()> wake,
                                                      uint64_t segment_bytes = 64 << 20);
  virtual ~RelayLog() = default;

  // Of what was there when it was opened: the contiguous end of each stream.
  virtual const std::vector<RelayEnd>& ends_at_open() const = 0;
  // REQUIRES: tokens ascend. While the disk is full it waits, and so does everything after it.
  virtual void Append(uint64_t token, StreamId stream, quorum_queue::EntryRun run) = 0;
  // Highest token on disk.
  virtual uint64_t TakePersisted() = 0;
  // Reads entries from `from` on, of one epoch, at most about `bytes_max`: TakeLoaded has them
  // later. Of what was appended, what is not persisted may be missing.
  virtual void Load(StreamId stream, Seq from, uint64_t bytes_max) = 0;
  // What was loaded since, in the order it was asked for.
  virtual std::vector<RelayLoad> TakeLoaded() = 0;
  // Entries of `stream` up to `through` are not needed: whole segments of the log go as soon as
  // nothing in them is. They may be there again after a restart.
  virtual void Release(StreamId stream, Seq through) = 0;
  virtual uint64_t bytes() const = 0;  // on disk, in segments not released
};

}  // namespace homeport::replicator
