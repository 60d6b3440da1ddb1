// DiskLife: what a region remembers of a replica's disk, so that a directory that was put back from
// an old copy of itself is recognised when a process starts on it.
//
// Pure. docs/quorum_queue.md, "Amnesiacs".
#pragma once

#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

struct DiskLife {
  DiskId disk;
  Life admitted;      // the last one that may have taken part
  Life offered;       // the next one, if its process remembered it; none: both numbers are 0
  RecordNumber mark;  // was on the disk in the life `admitted`
  bool operator==(const DiskLife&) const = default;
};

enum class LifeVerdict {
  kKnown,         // has all that is known to have been on it
  kAmnesiac,      // was put back from an old copy, or is a second copy
  kStoreIsOlder,  // is ahead of what the region remembers: the region's own directory is old
};

// Of a disk that says it is in `life` and has records up to `record`.
LifeVerdict JudgeLife(const DiskLife& known, const Life& life, RecordNumber record);

}  // namespace homeport::quorum_queue
