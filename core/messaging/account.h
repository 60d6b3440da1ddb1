// AccountInfo: a user or a group, and where it is homed.
#pragma once

#include <cstdint>
#include <string>

#include "core/ids.h"
#include "core/messaging/commands.h"

namespace homeport::core {

struct AccountInfo {
  Uin uin;
  AccountKind kind = AccountKind::kUser;
  std::string name;
  Incarnation home;
  MastershipEpoch epoch;
  int64_t created_at_ms = 0;
};

// Where `uin` lives as far as this region knows: its record, else its birth incarnation with epoch
// 0.
struct HomeOf {
  Incarnation home;
  MastershipEpoch epoch;
  bool known = false;
};

}  // namespace homeport::core
