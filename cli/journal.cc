#include "cli/journal.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/clock.h"
#include "core/files.h"
#include "core/version.h"

namespace homeport::cli {
namespace {

constexpr core::Duration kTellEvery = std::chrono::seconds(5);
// A region that does not take it must not hold up the command.
constexpr core::Duration kTellAgainAfter = std::chrono::minutes(2);

// So that the record is taken whatever an error says.
std::string Cut(std::string text) {
  if (text.size() > core::kJournalWhatMax) text.resize(core::kJournalWhatMax);
  return text;
}

}  // namespace

std::string WhoAsks() {
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  const passwd* user = ::getpwuid(::geteuid());
  std::string who = fmt::format("{}@{}", user != nullptr ? user->pw_name : "?", host.data());
  if (who.size() > core::kLabelBytesMax) who.resize(core::kLabelBytesMax);
  return who;
}

Journal::Journal(router::Client* client, std::string kind, std::string what,
                 core::Incarnation region)
    : client_(*client) {
  record_.id = core::RandomBits() | 1;
  record_.kind = std::move(kind);
  record_.what = Cut(std::move(what));
  record_.by = WhoAsks();
  record_.program = fmt::format("homeport {}", core::kVersion);
  record_.region = region;
}

void Journal::Begin(std::vector<std::string> lines) {
  record_.lines = std::move(lines);
  Write();
}

void Journal::Tell(const JournalCounts& counts) {
  if (at_.empty() || core::SteadyNow() < tell_at_) return;
  record_.counts = counts;
  Write();
}

void Journal::End(core::JournalState state, const JournalCounts& counts,
                  const std::vector<std::string>& lines) {
  record_.state = state;
  record_.counts = counts;
  for (const std::string& line : lines) {
    if (record_.lines.size() < core::kJournalLinesMax) record_.lines.push_back(Cut(line));
  }
  Write();
}

// Where it was written first, for elsewhere it would be another record.
void Journal::Write() {
  Status failed;
  for (const router::GatewayAddress& region : client_.regions()) {
    if (!at_.empty() && region.region != at_) continue;
    const Result<uint64_t> number = client_.WriteJournal(region.region, record_);
    if (number.ok()) {
      at_ = region.region;
      record_.number = *number;
      tell_at_ = core::SteadyNow() + kTellEvery;
      return;
    }
    failed = number.status();
  }
  tell_at_ = core::SteadyNow() + kTellAgainAfter;
  Say("the journal was not written: " + failed.ToString());
}

}  // namespace homeport::cli
