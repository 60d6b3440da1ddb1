#include "cli/verify.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <thread>

#include "cli/verbs.h"

namespace homeport::cli {
namespace {

using router::RegionReport;
using Clock = std::chrono::steady_clock;
// stream -> position
using Positions = std::map<core::StreamId, uint64_t>;

constexpr std::chrono::milliseconds kLookEvery{100};

struct Look {
  Positions committed;    // the highest any region tells of
  std::string waits_for;  // empty: all is applied everywhere, nothing is on its way
};

Result<std::vector<RegionReport>> AskAll(router::Client& client, const ClusterConfig& config) {
  std::vector<RegionReport> reports;
  for (const core::RegionConfig& region : config.regions) {
    ASSIGN_OR_RETURN(reports.emplace_back(), client.ReportOf(region.name));
  }
  return reports;
}

std::string WhatIsMissing(const ClusterConfig& config, const RegionReport& report,
                          const Positions& committed) {
  if (!report.ready) return fmt::format("{} is not ready", report.region);
  Positions applied;
  for (const auto& stream : report.streams) applied[stream.stream] = stream.applied;
  for (const auto& [stream, position] : committed) {
    const uint64_t here = applied.contains(stream) ? applied[stream] : 0;
    if (here >= position) continue;
    const auto* home = config.FindRegion(stream.incarnation());
    return fmt::format("{} has applied {} of {} entries of {}'s shard {}", report.region,
                       FormatCount(here), FormatCount(position), home != nullptr ? home->name : "?",
                       stream.shard().value());
  }
  for (const auto& shard : report.shards) {
    if (shard.intents_pending + shard.commands_queued == 0) continue;
    return fmt::format("{}'s shard {} has {} intents pending and {} commands queued", report.region,
                       shard.shard.value(), shard.intents_pending, shard.commands_queued);
  }
  return "";
}

Look LookAt(const ClusterConfig& config, const std::vector<RegionReport>& reports) {
  Look look;
  for (const RegionReport& report : reports) {
    for (const auto& stream : report.streams) {
      uint64_t& highest = look.committed[stream.stream];
      highest = std::max({highest, stream.committed, stream.applied});
    }
  }
  for (const RegionReport& report : reports) {
    look.waits_for = WhatIsMissing(config, report, look.committed);
    if (!look.waits_for.empty()) break;
  }
  return look;
}

// Two looks in a row that find all at rest at the same positions: what one region sent after it was
// asked and another had not received when it was asked shows in the second.
Result<Positions> AwaitRest(router::Client& client, const ClusterConfig& config,
                            const VerifyOptions& options, Clock::time_point deadline) {
  Positions before;
  bool rested_before = false;
  std::string waits_for;
  while (true) {
    const auto reports = AskAll(client, config);
    Look look = reports.ok() ? LookAt(config, *reports) : Look{{}, reports.status().message()};
    const bool rests = look.waits_for.empty();
    if (rests && rested_before && before == look.committed) return before;
    rested_before = rests;
    before = std::move(look.committed);
    if (!rests) waits_for = look.waits_for;
    if (Clock::now() > deadline) {
      return Status::Unavailable(
          fmt::format("not at rest within {} s: {}", options.timeout.count(),
                      waits_for.empty() ? "entries are still written" : waits_for));
    }
    if (options.on_wait && !rests) options.on_wait(look.waits_for);
    std::this_thread::sleep_for(kLookEvery);
  }
}

void Compare(core::ShardId shard,
             const std::vector<std::pair<std::string, std::vector<core::TableDigest>>>& copies,
             VerifyReport* report) {
  std::map<std::string, Difference> tables;
  for (const auto& [region, digests] : copies) {
    for (const core::TableDigest& digest : digests) {
      Difference& table = tables[digest.table];
      table.shard = shard;
      table.table = digest.table;
      table.copies.push_back({region, digest.rows, digest.digest});
    }
  }
  for (auto& [name, table] : tables) {
    ++report->tables;
    report->rows += table.copies[0].rows;
    bool equal =
        table.copies.size() == copies.size();  // a table that one region does not have differs
    for (const Difference::Copy& copy : table.copies) {
      equal = equal && copy.rows == table.copies[0].rows && copy.digest == table.copies[0].digest;
    }
    if (!equal) report->differences.push_back(std::move(table));
  }
}

Status CompareAll(router::Client& client, const ClusterConfig& config, VerifyReport* report) {
  for (uint16_t shard = 0; shard < config.shards; ++shard) {
    std::vector<std::pair<std::string, std::vector<core::TableDigest>>> copies;
    for (const core::RegionConfig& region : config.regions) {
      ASSIGN_OR_RETURN(auto digests, client.DigestOf(region.name, core::ShardId(shard)));
      copies.emplace_back(region.name, std::move(digests));
    }
    Compare(core::ShardId(shard), copies, report);
  }
  return {};
}

}  // namespace

Result<VerifyReport> Verify(router::Client& client, const ClusterConfig& config,
                            const VerifyOptions& options) {
  const auto begun = Clock::now();
  const auto deadline = begun + options.timeout;
  while (true) {
    ASSIGN_OR_RETURN(const Positions before, AwaitRest(client, config, options, deadline));
    VerifyReport report;
    report.waited_s = std::chrono::duration<double>(Clock::now() - begun).count();
    for (const auto& [stream, position] : before) report.entries += position;
    const Status compared = CompareAll(client, config, &report);
    if (!compared.ok() && Clock::now() > deadline) return compared;
    ASSIGN_OR_RETURN(const Positions after, AwaitRest(client, config, options, deadline));
    // What was written while the digests were taken makes them incomparable.
    if (compared.ok() && before == after) return report;
  }
}

namespace {

int Report(const VerifyReport& report, const ClusterConfig& config, Format format) {
  const bool equal = report.differences.empty();
  if (format == Format::kJson) {
    Json differences = Json::array();
    for (const Difference& difference : report.differences) {
      Json copies = Json::array();
      for (const auto& copy : difference.copies) {
        copies.push_back({{"region", copy.region},
                          {"rows", copy.rows},
                          {"digest", fmt::format("{:016x}", copy.digest)}});
      }
      differences.push_back(
          {{"shard", difference.shard.value()}, {"table", difference.table}, {"copies", copies}});
    }
    PrintJson({{"equal", equal},
               {"regions", config.regions.size()},
               {"shards", config.shards},
               {"entries", report.entries},
               {"rows", report.rows},
               {"tables", report.tables},
               {"waited_s", report.waited_s},
               {"differences", differences}});
    return equal ? kExitOk : kExitFailed;
  }
  for (const Difference& difference : report.differences) {
    Table table({"SHARD", "TABLE", "REGION", "ROWS", "DIGEST"});
    for (const auto& copy : difference.copies) {
      table.Add({std::to_string(difference.shard.value()), difference.table, copy.region,
                 FormatCount(copy.rows), fmt::format("{:016x}", copy.digest)});
    }
    table.Print();
  }
  if (equal) {
    PrintLine(fmt::format(
        "equal: {} regions hold the same {} rows, in {} tables of {} shards, after {} entries",
        config.regions.size(), FormatCount(report.rows), report.tables, config.shards,
        FormatCount(report.entries)));
    return kExitOk;
  }
  Say(fmt::format(
      "homeport: verify failed: {} tables differ between regions\n"
      "  try: run it again; if they still differ, keep all data and see docs/operations.md",
      report.differences.size()));
  return kExitFailed;
}

int VerifyCluster(const Globals& globals, int wait_s) {
  const std::chrono::seconds call_timeout{std::clamp(wait_s, 1, 15)};
  const auto connection = ConnectCluster(globals, call_timeout);
  if (!connection.ok()) return PrintError("verify", connection.status());
  VerifyOptions options;
  options.timeout = std::chrono::seconds(wait_s);
  if (globals.verbose) options.on_wait = [](const std::string& what) { Say("waiting: " + what); };
  const auto report = Verify(*connection->client, connection->config, options);
  if (!report.ok()) return PrintError("verify", report.status());
  return Report(*report, connection->config, globals.format);
}

}  // namespace

void AddVerify(CommandLine& line) {
  const auto wait_s = std::make_shared<int>(300);
  CLI::App* verify =
      line.Add(&line.app, "verify", "Compare what the regions hold",
               [&globals = line.globals, wait_s] { return VerifyCluster(globals, *wait_s); });
  verify->add_option("--wait", *wait_s, "For all to be replayed")
      ->type_name("SECONDS")
      ->capture_default_str();
}

}  // namespace homeport::cli
