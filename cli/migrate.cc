// homeport user migrate: one user, those of a list, or a share of a region.
#include <fmt/format.h>

#include <set>
#include <sstream>

#include "cli/accounts.h"
#include "cli/moving.h"
#include "cli/verbs.h"
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

void Print(const Moved& moved, Format format) {
  const MigratorCounts& counts = moved.counts;
  if (format == Format::kJson) {
    return PrintJson({{"moved", counts.moved},
                      {"there_already", counts.there_already},
                      {"failed", counts.failed},
                      {"unarrived", counts.unarrived},
                      {"seconds", moved.seconds},
                      {"journal", moved.journal}});
  }
  Table table({"MOVED", "THERE ALREADY", "FAILED", "UNARRIVED", "SECONDS", "JOURNAL"});
  table.Add({FormatCount(counts.moved), FormatCount(counts.there_already),
             FormatCount(counts.failed), FormatCount(counts.unarrived),
             fmt::format("{:.1f}", moved.seconds), std::to_string(moved.journal)});
  table.Print();
}

// The options, as the journal has them.
std::string Words(const Options& options) {
  std::string words = options.name;
  if (!options.file.empty()) words = "--users " + options.file;
  if (!options.from.empty()) {
    words = fmt::format("--from {} --fraction {}{}", options.from, options.fraction,
                        options.groups ? " --groups" : "");
  }
  return words + " --to " + options.to + (options.rate.empty() ? "" : " --rate " + options.rate);
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

  const core::Incarnation to = connection->config.FindRegion(options.to)->incarnation;
  std::vector<core::MoveHome> moves;
  for (const Uin uin : *who) moves.push_back({uin, to});
  const core::RegionConfig* from = connection->config.FindRegion(options.from);
  Journal journal(&client, "migrate", Words(options),
                  from != nullptr ? from->incarnation : core::Incarnation());
  journal.Begin();
  MigratorOptions moving;
  moving.per_second = *rate;
  Mover mover("migrate", moving, &client, &journal);
  mover.Move(std::move(moves));
  const Moved moved = mover.End();
  Print(moved, globals.format);
  if (moved.ok) return kExitOk;
  return PrintError(kVerb, moved.why, "the same command tries the rest again");
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
