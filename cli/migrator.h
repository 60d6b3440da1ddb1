// Migrator: moves users and groups to other homes, many at a time and no faster than is allowed,
// and counts who has arrived.
//
//   waiting --(its turn)--> asked to move --(Transfer committed)--> asked again, at its new home,
//   which answers when it serves --> arrived; if it does not answer: unarrived
//
// A run that broke off is repeated: who is there already is not moved. It stops asking when too
// many have left and are not heard of, or are refused one after the other: their new home is in
// trouble, and whoever stays is served. docs/mastership.md.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/time.h"
#include "router/client.h"

namespace homeport::cli {

struct MigratorOptions {
  double per_second = 0;        // 0: as fast as it goes
  size_t in_flight_max = 1000;  // asked, and not arrived
  uint64_t unarrived_max = 100;
  uint64_t refused_max = 20;  // in a row
};

struct MigratorCounts {
  uint64_t asked = 0;
  uint64_t moved = 0;          // and arrived
  uint64_t there_already = 0;  // or on the way by another's order
  uint64_t failed = 0;
  uint64_t unarrived = 0;  // on the way; their new home did not say in time that it serves them
};

// What it needs of a client.
struct MigratorPort {
  std::function<void(const core::MoveHome&, router::Client::ChangedCallback)> ask;
  std::function<void(core::Duration)> poll;
};
// `client` outlives it.
MigratorPort PortOf(router::Client* client);

class Migrator {
 public:
  Migrator(MigratorOptions options, MigratorPort port, std::vector<core::MoveHome> moves);

  // Works until all have arrived or failed; `on_turn` is called often, and ends it by false: then
  // who was asked is still waited for.
  void Run(const std::function<bool()>& on_turn);

  const MigratorCounts& counts() const { return counts_; }
  uint64_t done() const {
    return counts_.moved + counts_.there_already + counts_.failed + counts_.unarrived;
  }
  // Why it stopped asking before all were; empty: it did not.
  const std::string& why_stopped() const { return why_stopped_; }
  // The first few, each a sentence.
  const std::vector<std::string>& failures() const { return failures_; }
  // Of the first failure.
  const core::Status& first_failure() const { return first_failure_; }

 private:
  void Ask(const core::MoveHome& move);
  void Confirm(const core::MoveHome& move);
  void Failed(const core::MoveHome& move, const core::Status& why);
  void Unarrived(const core::MoveHome& move, const core::Status& why);
  void Note(const core::MoveHome& move, const core::Status& why);
  bool MayAsk(core::Instant now) const;

  const MigratorOptions options_;
  const MigratorPort port_;
  const std::vector<core::MoveHome> moves_;
  core::Instant begun_;
  MigratorCounts counts_;
  uint64_t refused_in_a_row_ = 0;
  std::string why_stopped_;
  std::vector<std::string> failures_;
  core::Status first_failure_;
};

}  // namespace homeport::cli
