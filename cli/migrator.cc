#include "cli/migrator.h"

#include <fmt/format.h>

#include <utility>

#include "core/clock.h"

namespace homeport::cli {
namespace {

constexpr core::Duration kTurn = std::chrono::milliseconds(20);
constexpr size_t kFailuresKept = 5;

}  // namespace

Migrator::Migrator(MigratorOptions options, router::Client* client, std::vector<core::Uin> who)
    : options_(options), client_(*client), who_(std::move(who)), begun_(core::SteadyNow()) {}

bool Migrator::MayAsk(core::Instant now) const {
  if (counts_.asked >= who_.size() || counts_.asked - done() >= options_.in_flight_max) {
    return false;
  }
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  return options_.per_second <= 0 ||
         static_cast<double>(counts_.asked) < seconds * options_.per_second + 1;
}

void Migrator::Run(const std::function<bool()>& on_turn) {
  begun_ = core::SteadyNow();
  bool goes_on = true;
  while (done() < (goes_on ? who_.size() : counts_.asked)) {
    while (goes_on && MayAsk(core::SteadyNow())) Ask(who_[counts_.asked++]);
    client_.Poll(kTurn);
    goes_on = on_turn() && goes_on;
  }
}

void Migrator::Ask(core::Uin uin) {
  client_.ChangeAsync(core::MoveHome{uin, options_.to},
                      [this, uin](const core::Result<bool>& changed) {
                        if (!changed.ok()) return Failed(uin, changed.status());
                        if (*changed) return Confirm(uin);
                        ++counts_.there_already;
                      });
}

// Its new home answers once it serves: there is nothing left to do.
void Migrator::Confirm(core::Uin uin) {
  client_.ChangeAsync(core::MoveHome{uin, options_.to},
                      [this, uin](const core::Result<bool>& changed) {
                        if (!changed.ok()) return Failed(uin, changed.status());
                        ++counts_.moved;
                      });
}

void Migrator::Failed(core::Uin uin, const core::Status& why) {
  if (++counts_.failed == 1) first_failure_ = why;
  if (failures_.size() < kFailuresKept) {
    failures_.push_back(fmt::format("{}: {}", uin.value(), why.ToString()));
  }
}

}  // namespace homeport::cli
