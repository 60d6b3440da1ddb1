// Moving: what the commands that move users share: rates, shares, and a Mover that shows progress,
// heeds Ctrl-C and keeps the journal.
#pragma once

#include <string>
#include <vector>

#include "cli/journal.h"
#include "cli/migrator.h"

namespace homeport::cli {

// "200/s" or "200"; "": 0, as fast as it goes.
Result<double> ParseRate(const std::string& text);
// In [0, 1), and nothing to do with shards: the same users every time, and those of a smaller share
// are among those of a larger one.
double ShareOf(core::Uin uin);

// What came of it.
struct Moved {
  MigratorCounts counts;
  double seconds = 0;
  uint64_t journal = 0;  // number of its record
  bool ok = false;
  Status why;  // else
};

class Mover {
 public:
  // `client` and `journal` outlive it. Begins to count the time.
  Mover(std::string what, MigratorOptions options, router::Client* client, Journal* journal);

  // False: it was interrupted, or had to stop; nothing more is to be moved.
  bool Move(std::vector<core::MoveHome> moves);
  // Whatever failed has gone well since.
  void AllDone();
  // Says what went wrong, and ends the record. `missing`: why not all was done, although nothing
  // failed.
  Moved End(const std::string& missing = "");
  const MigratorCounts& counts() const { return counts_; }

 private:
  const std::string what_;
  const MigratorOptions options_;
  router::Client& client_;
  Journal& journal_;
  const core::Instant begun_;
  MigratorCounts counts_;  // of all runs
  std::vector<std::string> failures_;
  std::string why_stopped_;
  Status first_failure_;
};

}  // namespace homeport::cli
