// homeport region drain | undrain | block | unblock: operators' orders of whole regions.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "cli/accounts.h"
#include "cli/moving.h"
#include "cli/region_orders.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

using core::AccountKind;
using core::Incarnation;
using core::RegionOrder;
using core::RegionState;
using router::AccountView;

constexpr std::chrono::seconds kMoveTimeout{60};

struct Options {
  std::string region;
  std::string to;    // "hk,ca"
  std::string rate;  // "200/s"
};

RegionState NewOrder(Incarnation region, RegionOrder order, bool on, const RegionState* before) {
  RegionState state;
  state.region = region;
  state.order = order;
  state.on = on;
  state.number = before != nullptr ? before->number + 1 : 1;
  state.by = WhoAsks();
  state.at_ms = NowMs();
  return state;
}

// ---- drain

Result<std::vector<Incarnation>> TargetsOf(const ClusterConfig& config, const Options& options) {
  std::vector<Incarnation> to;
  for (const std::string& name : SplitCommas(options.to)) {
    RETURN_IF_ERROR(CheckRegion(config, name));
    const Incarnation incarnation = config.FindRegion(name)->incarnation;
    if (name == options.region) {
      return Status::BadRequest(fmt::format("{} cannot be drained to itself", name));
    }
    if (std::find(to.begin(), to.end(), incarnation) == to.end()) to.push_back(incarnation);
  }
  if (to.empty()) return Status::BadRequest("drain to where? --to hk,ca");
  return to;
}

// Users and groups at home there, or on the way there, and where each is to go: of all of them the
// same, whenever it is asked.
Result<std::vector<core::MoveHome>> WhoLivesIn(router::Client& client, const std::string& region,
                                               const std::vector<Incarnation>& to) {
  std::vector<core::MoveHome> moves;
  for (const AccountKind kind : {AccountKind::kUser, AccountKind::kGroup}) {
    ASSIGN_OR_RETURN(const std::vector<AccountView> all, client.List(kind, region));
    for (const AccountView& one : all) {
      if (one.home_region != region) continue;
      const auto share = static_cast<size_t>(ShareOf(one.uin) * static_cast<double>(to.size()));
      moves.push_back({one.uin, to[std::min(share, to.size() - 1)]});
    }
  }
  return moves;
}

// Given, or given before by whoever.
Status BeginDrain(const Globals& globals, const ClusterConfig& config, const Options& options,
                  const std::vector<Incarnation>& to) {
  ASSIGN_OR_RETURN(const std::vector<RegionState> known, LoadOrders(globals, config));
  const Incarnation region = config.FindRegion(options.region)->incarnation;
  for (const Incarnation target : to) {
    for (const RegionOrder order : {RegionOrder::kDrain, RegionOrder::kBlock}) {
      const RegionState* state = core::FindState(known, target, order);
      if (state == nullptr || !state->on) continue;
      return Status::Refused(DescribeOrder(config, *state) + ": choose another region");
    }
  }
  const RegionState* last = core::FindState(known, region, RegionOrder::kDrain);
  if (last != nullptr && last->on) {
    if (last->to == to) {
      Say(DescribeOrder(config, *last) + "; this goes on with it");
      return {};
    }
    return Status::Refused(fmt::format("{}; `homeport region undrain {}` first",
                                       DescribeOrder(config, *last), options.region));
  }
  RegionState order = NewOrder(region, RegionOrder::kDrain, true, last);
  order.to = to;
  ASSIGN_OR_RETURN(const Connection connection, ConnectCluster(globals, kOrderTimeout));
  return connection.client->OrderRegion(options.region, order).status();
}

// Moves until nobody is left. Who was born or came while the last ones moved goes with the next
// pass.
Status DrainAll(router::Client& client, const Options& options, const std::vector<Incarnation>& to,
                Mover* mover, size_t* left) {
  while (true) {
    ASSIGN_OR_RETURN(std::vector<core::MoveHome> moves, WhoLivesIn(client, options.region, to));
    *left = moves.size();
    if (moves.empty()) {
      mover->AllDone();
      return {};
    }
    const uint64_t before = mover->counts().moved + mover->counts().there_already;
    const bool goes_on = mover->Move(std::move(moves));
    const bool came_further = mover->counts().moved + mover->counts().there_already > before;
    if (goes_on && came_further) continue;
    ASSIGN_OR_RETURN(moves, WhoLivesIn(client, options.region, to));
    *left = moves.size();
    return {};
  }
}

void PrintDrained(const Options& options, const Moved& moved, size_t left, Format format) {
  if (format == Format::kJson) {
    return PrintJson({{"region", options.region},
                      {"moved", moved.counts.moved},
                      {"failed", moved.counts.failed},
                      {"unarrived", moved.counts.unarrived},
                      {"left", left},
                      {"seconds", moved.seconds},
                      {"journal", moved.journal}});
  }
  Table table({"REGION", "MOVED", "FAILED", "UNARRIVED", "LEFT", "SECONDS", "JOURNAL"});
  table.Add({options.region, FormatCount(moved.counts.moved), FormatCount(moved.counts.failed),
             FormatCount(moved.counts.unarrived), FormatCount(left),
             fmt::format("{:.1f}", moved.seconds), std::to_string(moved.journal)});
  table.Print();
}

int Drain(const Globals& globals, const Options& options) {
  constexpr const char* kVerb = "region drain";
  const Result<double> rate = ParseRate(options.rate);
  if (!rate.ok()) return PrintError(kVerb, rate.status());
  const auto connection = ConnectCluster(globals, kMoveTimeout);
  if (!connection.ok()) return PrintError(kVerb, connection.status());
  const ClusterConfig& config = connection->config;
  if (Status bad = CheckRegion(config, options.region); !bad.ok()) return PrintError(kVerb, bad);
  const auto to = TargetsOf(config, options);
  if (!to.ok()) return PrintError(kVerb, to.status());
  if (Status begun = BeginDrain(globals, config, options, *to); !begun.ok()) {
    return PrintError(kVerb, begun);
  }
  router::Client& client = *connection->client;
  Journal journal(&client, "drain", fmt::format("{} --to {}", options.region, options.to),
                  config.FindRegion(options.region)->incarnation);
  journal.Begin(CommittedLines(client, options.region));
  MigratorOptions moving;
  moving.per_second = *rate;
  Mover mover("drain", moving, &client, &journal);
  size_t left = 0;
  const Status listed = DrainAll(client, options, *to, &mover, &left);
  std::string missing;
  if (!listed.ok()) missing = "who is left is not known: " + listed.ToString();
  if (listed.ok() && left > 0) {
    missing = fmt::format("{} are left in {}; the same command goes on", left, options.region);
  }
  if (missing.empty() && mover.counts().unarrived > 0) {
    missing =
        fmt::format("{} have left, and their new home did not say in time that it serves them",
                    mover.counts().unarrived);
  }
  const Moved moved = mover.End(missing);
  PrintDrained(options, moved, left, globals.format);
  if (!moved.ok) return PrintError(kVerb, moved.why, "the same command goes on with the rest");
  Say(
      fmt::format("{0} is drained; names that are kept by {0} stay with it. `homeport region "
                  "undrain {0}` lets users in again",
                  options.region));
  return kExitOk;
}

// ---- the others

// Gives it to all of `at` that can be reached, the first one deciding.
int Give(const Globals& globals, const char* verb, const Connection& connection,
         const RegionState& order, const std::vector<std::string>& at, bool is_new) {
  router::Client& client = *connection.client;
  const std::string name = connection.config.FindRegion(order.region)->name;
  std::vector<std::string> told;
  std::vector<std::pair<std::string, std::string>> not_told;
  Status failed;
  for (const std::string& region : at) {
    const Result<bool> taken = client.OrderRegion(region, order);
    if (taken.ok()) {
      told.push_back(region);
      continue;
    }
    failed = taken.status();
    not_told.emplace_back(region, failed.ToString());
    // Somebody else was first, or it must not be.
    const auto code = failed.code();
    if (code == core::Code::kRefused || code == core::Code::kBadRequest) break;
  }
  const bool refused =
      failed.code() == core::Code::kRefused || failed.code() == core::Code::kBadRequest;
  if (told.empty() || refused) return PrintError(verb, failed);
  if (is_new) {
    Journal journal(&client, std::string(verb).substr(std::string("region ").size()), name,
                    order.region);
    JournalCounts counts = {{"told", told.size()}, {"not_told", not_told.size()}};
    std::vector<std::string> lines;
    for (const auto& [region, why] : not_told) lines.push_back(region + ": " + why);
    journal.End(core::JournalState::kDone, counts, lines);
  }
  for (const auto& [region, why] : not_told) {
    Say(fmt::format("{} was not told, and learns of it when it hears of the others: {}", region,
                    why));
  }
  if (globals.format == Format::kJson) {
    Json json = {
        {"region", name}, {"changed", is_new}, {"told", told}, {"not_told", Json::array()}};
    for (const auto& [region, why] : not_told) json["not_told"].push_back(region);
    PrintJson(json);
  } else {
    PrintLine(fmt::format("{}; told: {}", DescribeOrder(connection.config, order),
                          fmt::join(told, ", ")));
  }
  return kExitOk;
}

// The regions in the order in which they are told: the one that it is about last, for it may be out
// of reach.
std::vector<std::string> OthersFirst(const ClusterConfig& config, const std::string& region) {
  std::vector<std::string> names;
  for (const core::RegionConfig& one : config.regions) {
    if (one.name != region) names.push_back(one.name);
  }
  names.push_back(region);
  return names;
}

int Switch(const Globals& globals, const Options& options, const char* verb, RegionOrder order,
           bool on) {
  const auto connection = ConnectCluster(globals, kOrderTimeout);
  if (!connection.ok()) return PrintError(verb, connection.status());
  const ClusterConfig& config = connection->config;
  if (Status bad = CheckRegion(config, options.region); !bad.ok()) return PrintError(verb, bad);
  const auto known = LoadOrders(globals, config);
  if (!known.ok()) return PrintError(verb, known.status());
  const Incarnation region = config.FindRegion(options.region)->incarnation;
  const RegionState* last = core::FindState(*known, region, order);
  const bool is_so = last != nullptr ? last->on == on : !on;
  if (is_so && last == nullptr) {
    Say(fmt::format("{} was never {}", options.region,
                    order == RegionOrder::kBlock ? "blocked" : "drained"));
    if (globals.format == Format::kJson)
      PrintJson({{"region", options.region}, {"changed", false}});
    return kExitOk;
  }
  // Given again for those who have not heard of it.
  const RegionState given = is_so ? *last : NewOrder(region, order, on, last);
  return Give(globals, verb, *connection, given, OthersFirst(config, options.region), !is_so);
}

}  // namespace

void AddRegion(CommandLine& line) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  CLI::App* noun = line.AddNoun("region", "Orders of whole regions");
  const auto add = [&](const char* verb, const char* help, std::function<int()> act) {
    CLI::App* app = line.Add(noun, verb, help, std::move(act));
    app->add_option("region", options->region)->required()->type_name("REGION");
    return app;
  };
  CLI::App* drain = add("drain", "Move all its users and groups away, and take no new ones",
                        [&globals, options] { return Drain(globals, *options); });
  drain->add_option("--to", options->to, "Their new homes, with commas between")
      ->required()
      ->type_name("REGIONS");
  drain->add_option("--rate", options->rate, "At most so many a second, as 200/s")
      ->type_name("RATE");
  add("undrain", "Take new users again", [&globals, options] {
    return Switch(globals, *options, "region undrain", RegionOrder::kDrain, false);
  });
  add("block", "Send no clients there, and serve none there", [&globals, options] {
    return Switch(globals, *options, "region block", RegionOrder::kBlock, true);
  });
  add("unblock", "Serve its users there again", [&globals, options] {
    return Switch(globals, *options, "region unblock", RegionOrder::kBlock, false);
  });
}

}  // namespace homeport::cli
