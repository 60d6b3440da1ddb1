// Migrator: moves users and groups to another home, many at a time and no faster than is allowed,
// and counts who has arrived.
//
//   waiting --(its turn)--> asked to move --(Transfer committed)--> asked again, at its new home,
//   which answers when it serves --> arrived
//
// A run that broke off is repeated: who is there already is not moved. docs/mastership.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/time.h"
#include "router/client.h"

namespace homeport::cli {

struct MigratorOptions {
  core::Incarnation to;
  double per_second = 0;        // 0: as fast as it goes
  size_t in_flight_max = 1000;  // asked, and not arrived
};

struct MigratorCounts {
  uint64_t asked = 0;
  uint64_t moved = 0;          // and arrived
  uint64_t there_already = 0;  // or on the way by another's order
  uint64_t failed = 0;
};

class Migrator {
 public:
  // `client` outlives it.
  Migrator(MigratorOptions options, router::Client* client, std::vector<core::Uin> who);

  // Works until all have arrived or failed; `on_turn` is called often, and ends it by false: then
  // who was asked is still waited for.
  void Run(const std::function<bool()>& on_turn);

  const MigratorCounts& counts() const { return counts_; }
  uint64_t done() const { return counts_.moved + counts_.there_already + counts_.failed; }
  // The first few, each a sentence.
  const std::vector<std::string>& failures() const { return failures_; }
  // Of the first failure.
  const core::Status& first_failure() const { return first_failure_; }

 private:
  void Ask(core::Uin uin);
  void Confirm(core::Uin uin);
  void Failed(core::Uin uin, const core::Status& why);
  bool MayAsk(core::Instant now) const;

  const MigratorOptions options_;
  router::Client& client_;
  const std::vector<core::Uin> who_;
  core::Instant begun_;
  MigratorCounts counts_;
  std::vector<std::string> failures_;
  core::Status first_failure_;
};

}  // namespace homeport::cli
