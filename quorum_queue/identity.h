// Identity: what a replica's or a region's directory belongs to, in its file IDENTITY. Checked at
// each start, so that a disk that was swapped, restored or mounted at the wrong place never votes
// for data it does not have.
#pragma once

#include <cstdint>
#include <string>

#include "core/ids.h"
#include "core/status.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

struct Identity {
  std::string cluster;
  std::string region;
  core::Incarnation incarnation;
  uint8_t replica = 0;  // counted from 1, three to a group; 0: the region's own directory
  core::DiskId disk;    // of a replica, given when the directory is made; else 0
  uint16_t shards = 0;
  // Of a replica whose disk replaces a lost one, until it has everything.
  bool recovering = false;
  // Of a replica's process that was last told to remember it (disk_life.h).
  Life life = {};
  bool operator==(const Identity&) const = default;
};

// Atomic and durable.
core::Status WriteIdentity(const std::string& dir, const Identity& identity);
// kUnavailable when there is none: the directory is not formatted, lost or a wrong path. kCorrupt
// when it cannot be read.
core::Result<Identity> ReadIdentity(const std::string& dir);
// Ok when `found`, read from `dir`, is what is expected there. An expected disk of 0 accepts any
// disk. The message names what differs first.
core::Status CheckIdentity(const std::string& dir, const Identity& expected, const Identity& found);
// Makes the directory of a new replica (or region) and writes its identity. Refuses one that is not
// empty.
core::Status FormatReplica(const std::string& dir, const Identity& identity);
// Makes the directory of a replica that replaces a lost disk: with a new disk id, and recovering.
// An empty or missing directory is formatted. One that is this replica's own is moved aside
// (<dir>.replaced-<disk>) if its disk is `give_up`, whatever state its log is in; else it is left
// as it is. Anything else is refused: a directory that a process uses, another's, one whose
// IDENTITY cannot be read. Says what was done, for the operator. `expected` has no disk.
core::Result<std::string> FormatForReplace(const std::string& dir, const Identity& expected,
                                           core::DiskId give_up);
// A fresh disk id, never 0.
core::DiskId NewDiskId();

}  // namespace homeport::quorum_queue
