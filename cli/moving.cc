#include "cli/moving.h"

#include <fmt/format.h>

#include <atomic>
#include <csignal>
#include <sstream>
#include <utility>

#include "cli/progress.h"
#include "core/clock.h"

namespace homeport::cli {
namespace {

std::atomic<bool> interrupted = false;

JournalCounts CountsOf(const MigratorCounts& counts) {
  return {{"moved", counts.moved},
          {"there_already", counts.there_already},
          {"failed", counts.failed},
          {"unarrived", counts.unarrived}};
}

MigratorCounts Sum(const MigratorCounts& a, const MigratorCounts& b) {
  return {a.asked + b.asked, a.moved + b.moved, a.there_already + b.there_already,
          a.failed + b.failed, a.unarrived + b.unarrived};
}

}  // namespace

Result<double> ParseRate(const std::string& text) {
  if (text.empty()) return 0.0;
  std::string number = text;
  if (number.ends_with("/s")) number.resize(number.size() - 2);
  double rate = 0;
  std::istringstream in(number);
  in >> rate;
  if (in.fail() || !in.eof() || rate <= 0) {
    return Status::BadRequest(
        fmt::format("a rate is a number of moves a second, as 200/s; found {}", Printable(text)));
  }
  return rate;
}

double ShareOf(core::Uin uin) {
  uint64_t n = uin.value() + 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  n ^= n >> 31;
  return static_cast<double>(n >> 11) * 0x1p-53;
}

Mover::Mover(std::string what, MigratorOptions options, router::Client* client, Journal* journal)
    : what_(std::move(what)),
      options_(options),
      client_(*client),
      journal_(*journal),
      begun_(core::SteadyNow()) {
  std::signal(SIGINT, [](int) { interrupted = true; });
}

bool Mover::Move(std::vector<core::MoveHome> moves) {
  const size_t total = moves.size();
  Migrator migrator(options_, PortOf(&client_), std::move(moves));
  {
    Progress progress(what_, total);
    migrator.Run([&] {
      const MigratorCounts& counts = migrator.counts();
      progress.Show(migrator.done(), fmt::format("{} failed", counts.failed + counts.unarrived));
      journal_.Tell(CountsOf(Sum(counts_, counts)));
      return !interrupted;
    });
  }
  counts_ = Sum(counts_, migrator.counts());
  why_stopped_ = migrator.why_stopped();
  if (first_failure_.ok()) first_failure_ = migrator.first_failure();
  // Of the last run: what failed in one before it was tried again.
  failures_ = migrator.failures();
  return !interrupted && why_stopped_.empty();
}

void Mover::AllDone() {
  failures_.clear();
  why_stopped_.clear();
  first_failure_ = {};
}

Moved Mover::End(const std::string& missing) {
  Moved moved;
  moved.counts = counts_;
  moved.seconds = std::chrono::duration<double>(core::SteadyNow() - begun_).count();
  std::vector<std::string> lines;
  for (const std::string& failure : failures_) lines.push_back("not moved: " + failure);
  if (!why_stopped_.empty()) lines.push_back("stopped: " + why_stopped_);
  if (interrupted) lines.push_back("stopped by Ctrl-C; the same command goes on where this ended");
  if (!missing.empty()) lines.push_back(missing);
  for (const std::string& line : lines) Say(line);
  moved.ok = lines.empty();
  if (!moved.ok) {
    moved.why = first_failure_;
    if (moved.why.ok()) moved.why = Status::Unavailable(lines.back());
  }
  const auto state = moved.ok      ? core::JournalState::kDone
                     : interrupted ? core::JournalState::kStopped
                                   : core::JournalState::kFailed;
  journal_.End(state, CountsOf(counts_), lines);
  moved.journal = journal_.number();
  return moved;
}

}  // namespace homeport::cli
