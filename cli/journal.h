// Journal: a command's record of what it does, kept by the cluster (docs/mastership.md, "Journal").
//
// The record is written when the command begins, now and then while it works, and when it ends. If
// no region takes it that is said, and the command goes on.
#pragma once

#include <string>
#include <vector>

#include "cli/cluster.h"
#include "core/messaging/operations.h"
#include "core/time.h"

namespace homeport::cli {

using JournalCounts = std::vector<core::JournalCount>;

class Journal {
 public:
  // `client` outlives it. `region`: which it is about; 0: none.
  Journal(router::Client* client, std::string kind, std::string what,
          core::Incarnation region = {});
  // Writes the record for the first time. `lines`: what there is to know from the beginning on.
  void Begin(std::vector<std::string> lines = {});
  // At most every few seconds.
  void Tell(const JournalCounts& counts);
  void End(core::JournalState state, const JournalCounts& counts,
           const std::vector<std::string>& lines = {});
  // What people call it; 0: no region took it.
  uint64_t number() const { return record_.number; }

 private:
  void Write();

  router::Client& client_;
  core::JournalRecord record_;
  std::string at_;  // the region that took it
  core::Instant tell_at_;
};

// "ann@ops1": who runs this command, and where.
std::string WhoAsks();

}  // namespace homeport::cli
