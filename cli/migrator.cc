#include "cli/migrator.h"

#include <fmt/format.h>

#include <utility>

#include "core/clock.h"

namespace homeport::cli {
namespace {

constexpr core::Duration kTurn = std::chrono::milliseconds(20);
constexpr size_t kFailuresKept = 5;

}  // namespace

MigratorPort PortOf(router::Client* client) {
  return {[client](const core::MoveHome& move, router::Client::ChangedCallback callback) {
            client->ChangeAsync(move, std::move(callback));
          },
          [client](core::Duration wait) { client->Poll(wait); }};
}

Migrator::Migrator(MigratorOptions options, MigratorPort port, std::vector<core::MoveHome> moves)
    : options_(options),
      port_(std::move(port)),
      moves_(std::move(moves)),
      begun_(core::SteadyNow()) {}

bool Migrator::MayAsk(core::Instant now) const {
  if (!why_stopped_.empty() || counts_.asked >= moves_.size()) return false;
  // Who has left and is not heard of keeps his place.
  if (counts_.asked - done() + counts_.unarrived >= options_.in_flight_max) return false;
  const double seconds = std::chrono::duration<double>(now - begun_).count();
  return options_.per_second <= 0 ||
         static_cast<double>(counts_.asked) < seconds * options_.per_second + 1;
}

void Migrator::Run(const std::function<bool()>& on_turn) {
  begun_ = core::SteadyNow();
  bool goes_on = true;
  while (done() < (goes_on ? moves_.size() : counts_.asked)) {
    while (goes_on && MayAsk(core::SteadyNow())) Ask(moves_[counts_.asked++]);
    port_.poll(kTurn);
    goes_on = on_turn() && goes_on && why_stopped_.empty();
  }
}

void Migrator::Ask(const core::MoveHome& move) {
  port_.ask(move, [this, move](const core::Result<bool>& changed) {
    if (!changed.ok()) return Failed(move, changed.status());
    refused_in_a_row_ = 0;
    if (*changed) return Confirm(move);
    ++counts_.there_already;
  });
}

// Its new home answers once it serves: there is nothing left to do.
void Migrator::Confirm(const core::MoveHome& move) {
  port_.ask(move, [this, move](const core::Result<bool>& changed) {
    if (!changed.ok()) return Unarrived(move, changed.status());
    ++counts_.moved;
  });
}

void Migrator::Failed(const core::MoveHome& move, const core::Status& why) {
  ++counts_.failed;
  Note(move, why);
  if (why.code() != core::Code::kRefused) return;
  if (++refused_in_a_row_ >= options_.refused_max) {
    why_stopped_ = fmt::format("{} were refused one after the other", refused_in_a_row_);
  }
}

void Migrator::Unarrived(const core::MoveHome& move, const core::Status& why) {
  ++counts_.unarrived;
  Note(move, why);
  if (counts_.unarrived >= options_.unarrived_max) {
    why_stopped_ = fmt::format(
        "{} have left their home, and their new one does not say that it serves them; they are "
        "served when it does",
        counts_.unarrived);
  }
}

void Migrator::Note(const core::MoveHome& move, const core::Status& why) {
  if (first_failure_.ok()) first_failure_ = why;
  if (failures_.size() < kFailuresKept) {
    failures_.push_back(fmt::format("{}: {}", move.subject.value(), why.ToString()));
  }
}

}  // namespace homeport::cli
