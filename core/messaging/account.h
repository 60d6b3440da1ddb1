// AccountInfo: a user or a group, and where it is homed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/ids.h"
#include "core/messaging/commands.h"

namespace homeport::core {

// How far a store had one stream.
struct Position {
  StreamId stream;
  Seq seq;
  bool operator==(const Position&) const = default;
};

struct AccountInfo {
  Uin uin;
  AccountKind kind = AccountKind::kUser;
  std::string name;
  Incarnation home;
  MastershipEpoch epoch;
  int64_t created_at_ms = 0;
  std::vector<ProfileField> fields = {};  // of a user
  Uin owner = {};                         // of a group; 0: nobody, an open room
  std::string title = {};                 // of a group
  bool closed = false;                    // a group: only its owner adds members
  // False from a move's Transfer to its Adopt: the home is to serve it once it has replayed `deps`.
  bool adopted = true;
  std::vector<Position> deps = {};  // of the shard, at the last Transfer or Adopt; none: born here
};

// Where `uin` lives as far as this region knows: its record, else its birth incarnation with epoch
// 0.
struct HomeOf {
  Incarnation home;
  MastershipEpoch epoch;
  bool known = false;
  bool adopted = true;  // false: a move to `home` is under way
};

}  // namespace homeport::core
