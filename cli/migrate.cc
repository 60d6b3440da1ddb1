// homeport user migrate: one user, those of a list, or a share of a region.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <set>
#include <sstream>

#include "cli/accounts.h"
#include "cli/migrator.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "core/clock.h"
#include "core/files.h"

namespace homeport::cli {
namespace {

using core::AccountKind;
using core::Uin;
using router::AccountView;

struct Options {
  std::string name;  // one user
  std::string to;
  std::string file;  // names, one a line
  std::string from;  // region
  double fraction = 1;
  std::string rate;  // "200/s"
  bool groups = false;
};

std::atomic<bool> interrupted = false;

// "200/s" or "200".
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

// In [0, 1), and nothing to do with shards: the same users every time, and those of a smaller share
// are among those of a larger one.
double ShareOf(Uin uin) {
  uint64_t n = uin.value() + 0x9e3779b97f4a7c15;
  n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9;
  n = (n ^ (n >> 27)) * 0x94d049bb133111eb;
  n ^= n >> 31;
  return static_cast<double>(n >> 11) * 0x1p-53;
}

Result<std::vector<Uin>> OfRegion(router::Client& client, const Options& options) {
  std::vector<Uin> who;
  std::vector<AccountKind> kinds = {AccountKind::kUser};
  if (options.groups) kinds.push_back(AccountKind::kGroup);
  for (const AccountKind kind : kinds) {
    ASSIGN_OR_RETURN(const std::vector<AccountView> all, client.List(kind, options.from));
    for (const AccountView& one : all) {
      const bool there = one.home_region == options.from && one.adopted;
      if (there && ShareOf(one.uin) < options.fraction) who.push_back(one.uin);
    }
  }
  return who;
}

Result<std::vector<Uin>> OfList(router::Client& client, const std::string& file) {
  ASSIGN_OR_RETURN(const std::string text, core::ReadFile(file));
  std::vector<Uin> who;
  std::set<std::string> seen;
  std::istringstream lines(text);
  for (std::string name; std::getline(lines, name);) {
    if (name.empty() || !seen.insert(name).second) continue;
    ASSIGN_OR_RETURN(const AccountView user, FindAccount(client, AccountKind::kUser, name));
    who.push_back(user.uin);
  }
  if (who.empty()) return Status::BadRequest(fmt::format("{} names nobody", file));
  return who;
}

Result<std::vector<Uin>> OfName(router::Client& client, const Options& options) {
  ASSIGN_OR_RETURN(const AccountView user, FindAccount(client, AccountKind::kUser, options.name));
  if (!user.adopted) {
    return Status::Refused(fmt::format("{} is moving to {} already; it is served there in a moment",
                                       Printable(options.name), user.home_region));
  }
  if (user.home_region == options.to) {
    return Status::BadRequest(
        fmt::format("{} is at home in {} already", Printable(options.name), options.to));
  }
  return std::vector<Uin>{user.uin};
}

void Print(const MigratorCounts& counts, double seconds, Format format) {
  if (format == Format::kJson) {
    return PrintJson({{"moved", counts.moved},
                      {"there_already", counts.there_already},
                      {"failed", counts.failed},
                      {"seconds", seconds}});
  }
  Table table({"MOVED", "THERE ALREADY", "FAILED", "SECONDS"});
  table.Add({FormatCount(counts.moved), FormatCount(counts.there_already),
             FormatCount(counts.failed), fmt::format("{:.1f}", seconds)});
  table.Print();
}

int Migrate(const Globals& globals, const Options& options) {
  const int ways = !options.name.empty() + !options.file.empty() + !options.from.empty();
  if (ways != 1) {
    Say("user migrate: whom? One of NAME, --users FILE and --from REGION is needed");
    return kExitUsage;
  }
  constexpr const char* kVerb = "user migrate";
  const Result<double> rate = ParseRate(options.rate);
  if (!rate.ok()) return PrintError(kVerb, rate.status());
  const auto connection = ConnectCluster(globals, std::chrono::seconds(60));
  if (!connection.ok()) return PrintError(kVerb, connection.status());
  for (const std::string& region : {options.to, options.from}) {
    if (region.empty()) continue;
    const Status known = CheckRegion(connection->config, region);
    if (!known.ok()) return PrintError(kVerb, known);
  }
  if (options.from == options.to) {
    return PrintError(kVerb, Status::BadRequest("from a region to itself nobody moves"));
  }
  router::Client& client = *connection->client;
  const Result<std::vector<Uin>> who = !options.name.empty()   ? OfName(client, options)
                                       : !options.file.empty() ? OfList(client, options.file)
                                                               : OfRegion(client, options);
  if (!who.ok()) return PrintError(kVerb, who.status());

  MigratorOptions moving;
  moving.to = connection->config.FindRegion(options.to)->incarnation;
  moving.per_second = *rate;
  Migrator migrator(moving, &client, *who);
  Progress progress("migrate", who->size());
  std::signal(SIGINT, [](int) { interrupted = true; });
  const core::Instant begun = core::SteadyNow();
  migrator.Run([&] {
    progress.Show(migrator.done(), fmt::format("{} failed", migrator.counts().failed));
    return !interrupted;
  });
  const double seconds = std::chrono::duration<double>(core::SteadyNow() - begun).count();
  const MigratorCounts& counts = migrator.counts();
  Print(counts, seconds, globals.format);
  for (const std::string& failure : migrator.failures()) Say("not moved: " + failure);
  if (interrupted) Say("stopped; the same command goes on where this one ended");
  if (counts.failed > 0) {
    return PrintError(kVerb, migrator.first_failure(), "the same command tries the rest again");
  }
  return interrupted ? kExitFailed : kExitOk;
}

}  // namespace

void AddMigrate(CommandLine& line, CLI::App* noun) {
  const auto options = std::make_shared<Options>();
  CLI::App* verb =
      line.Add(noun, "migrate", "Give users another home region",
               [&globals = line.globals, options] { return Migrate(globals, *options); });
  verb->add_option("name", options->name, "One user");
  verb->add_option("--to", options->to, "Their new home")->required()->type_name("REGION");
  verb->add_option("--users", options->file, "Users by name, one a line")->type_name("FILE");
  verb->add_option("--from", options->from, "Users of a region")->type_name("REGION");
  verb->add_option("--fraction", options->fraction,
                   "Of --from: which share, always the same users first")
      ->check(CLI::Range(0.0, 1.0));
  verb->add_flag("--groups", options->groups, "Of --from: its groups, too");
  verb->add_option("--rate", options->rate, "At most so many a second, as 200/s")
      ->type_name("RATE");
}

}  // namespace homeport::cli
