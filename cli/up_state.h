// UpState: what `homeport up` writes about itself into DIR/up.json, replaced atomically at each
// change.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/output.h"
#include "core/status.h"

namespace homeport::cli {

struct UpProcess {
  std::string
      role;  // "all": a whole region; "region"; "replica"; "coordinator"; "wan": the WAN box
  std::string region;   // empty: of none
  uint8_t replica = 0;  // counted from 1; 0: not a replica
  pid_t pid = 0;        // 0: dead, about to be started again
  uint64_t restarts = 0;
};
struct UpState {
  pid_t supervisor = 0;
  bool ready = false;  // all were ready once
  std::vector<UpProcess> processes;
};

Json ToJson(const std::vector<UpProcess>& processes);
core::Status WriteUpState(const std::string& data, const UpState& state);
// nullopt when there is none.
core::Result<std::optional<UpState>> ReadUpState(const std::string& data);
void RemoveUpState(const std::string& data);
// True while a supervisor holds the directory.
bool IsUp(const std::string& data);

}  // namespace homeport::cli
