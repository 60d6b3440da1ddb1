// homeport bench queue | messages | sync. What is measured is in bench/.
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>

#include "bench/bench_replica.h"
#include "bench/messages_bench.h"
#include "bench/migrations_bench.h"
#include "bench/queue_bench.h"
#include "bench/queue_limits.h"
#include "bench/sync_bench.h"
#include "cli/local_cluster.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

struct QueueOptions {
  std::string dir;
  uint64_t size = 1024;
  uint64_t in_flight = 1024;
  double seconds = 10;
  double warmup = 1;
  size_t readers = 0;
  uint64_t entries = 0;
  bool keep_all = false;
  bool limits = false;
  std::string kill;
};
struct MessagesOptions {
  size_t size = 100;
  size_t in_flight = 64;
  size_t senders = 64;
  size_t receivers = 4;
  double seconds = 5;
  double rate = 0;
  size_t group = 0;
  uint64_t stored = 0;
  bool notified = false;
  bool wan = false;
  std::string from;
  std::string to;
};
struct SyncOptions {
  uint64_t messages = 100'000;
  size_t readers = 1;
  size_t size = 100;
  std::string region;
};

struct MigrationsOptions {
  size_t users = 20'000;
  size_t in_flight = 1'000;
  size_t watched = 50;
  std::string from;
  std::string to;
};

std::string Rounded(double value) {
  return fmt::format("{:.0f}", value);
}

bench::QueueBenchOptions ToBench(const QueueOptions& options, const std::string& dir) {
  using Kill = bench::QueueBenchOptions::Kill;
  bench::QueueBenchOptions queue;
  queue.dir = dir + "/queue";
  queue.replica_argv = {"/proc/self/exe", "bench", "replica"};
  queue.entry_bytes = options.size;
  queue.in_flight = options.in_flight;
  queue.seconds = options.seconds;
  queue.warmup_seconds = options.warmup;
  queue.readers = options.readers;
  queue.entries_max = options.entries;
  queue.keep_all = options.keep_all;
  if (options.kill == "replica") queue.kill = Kill::kReplica;
  if (options.kill == "writer") queue.kill = Kill::kWriter;
  return queue;
}

Json ToJson(const QueueOptions& options, const bench::QueueBenchResult& result) {
  Json json = {{"size", options.size},
               {"inflight", options.in_flight},
               {"seconds", result.seconds},
               {"entries", result.entries},
               {"entries_per_s", result.entries_per_s},
               {"mb_per_s", result.mb_per_s},
               {"p50_us", result.p50_us},
               {"p99_us", result.p99_us},
               {"p999_us", result.p999_us},
               {"max_us", result.max_us},
               {"cpu_s_per_million", result.cpu_s_per_million},
               {"writer_cpu_share", result.writer_cpu_share},
               {"longest_wait_ms", result.longest_wait_ms},
               {"replica_rss_mb", result.replica_rss_mb}};
  if (options.kill == "writer") json["reopen_ms"] = result.reopen_ms;
  if (options.readers > 0) {
    json["read_entries_per_s"] = result.read_entries_per_s;
    json["read_catch_up_ms"] = result.read_catch_up_ms;
  }
  return json;
}

void AddLimits(const bench::QueueLimits& limits, Json* json) {
  Json& to = (*json)["limits"];
  to["zmq_entries_per_s"] = limits.zmq_entries_per_s;
  to["zmq_p50_us"] = limits.zmq_p50_us;
  to["fio_syncs_per_s"] = limits.fio_syncs_per_s ? Json(*limits.fio_syncs_per_s) : Json();
  to["fio_sync_p50_us"] = limits.fio_sync_p50_us ? Json(*limits.fio_sync_p50_us) : Json();
}

void PrintQueue(const QueueOptions& options, const bench::QueueBenchResult& result) {
  Table table(
      {"BYTES", "IN FLIGHT", "ENTRIES/S", "MB/S", "P50 US", "P99 US", "P99.9 US", "CPU S/MILLION"});
  table.Add({FormatCount(options.size), FormatCount(options.in_flight),
             FormatCount(static_cast<uint64_t>(result.entries_per_s)),
             fmt::format("{:.1f}", result.mb_per_s), Rounded(result.p50_us), Rounded(result.p99_us),
             Rounded(result.p999_us), fmt::format("{:.2f}", result.cpu_s_per_million)});
  table.Print();
  if (!options.kill.empty()) {
    fmt::print("a {} was killed: at most {:.1f} ms without an acknowledgement\n", options.kill,
               result.longest_wait_ms);
  }
  if (options.kill == "writer") {
    fmt::print("the next writer accepted after {:.1f} ms\n", result.reopen_ms);
  }
  if (options.readers > 0) {
    fmt::print("the slowest of {} readers: {} entries/s, {:.1f} ms behind at the end\n",
               options.readers, FormatCount(static_cast<uint64_t>(result.read_entries_per_s)),
               result.read_catch_up_ms);
  }
  if (options.keep_all) {
    fmt::print("{} entries kept: the largest replica has {:.0f} MB in memory\n",
               FormatCount(result.entries), result.replica_rss_mb);
  }
}

void PrintLimits(const bench::QueueLimits& limits) {
  fmt::print("bare ZeroMQ, nothing stored: {} entries/s, p50 of a batch {:.0f} us\n",
             FormatCount(static_cast<uint64_t>(limits.zmq_entries_per_s)), limits.zmq_p50_us);
  if (!limits.fio_syncs_per_s) {
    fmt::print("fio is not installed: no figure of the disk alone\n");
    return;
  }
  fmt::print(
      "the disk alone (fio, three jobs, fdatasync after each append): {} syncs/s, p50 {:.0f} us\n",
      FormatCount(static_cast<uint64_t>(*limits.fio_syncs_per_s)), *limits.fio_sync_p50_us);
}

core::Result<bench::QueueLimits> MeasureLimits(const QueueOptions& options,
                                               const std::string& dir) {
  bench::QueueLimitsOptions limits;
  limits.dir = dir;
  limits.echo_argv = {"/proc/self/exe", "bench", "echo"};
  limits.entry_bytes = options.size;
  limits.in_flight = options.in_flight;
  limits.seconds = options.seconds;
  return bench::MeasureQueueLimits(limits);
}

// In `dir`, which the caller removes.
int BenchQueueIn(const std::string& dir, const Globals& globals, const QueueOptions& options) {
  const auto result = bench::RunQueueBench(ToBench(options, dir));
  if (!result.ok()) return PrintError("bench queue", result.status());
  const bool as_json = globals.format == Format::kJson;
  Json json = ToJson(options, *result);
  if (!as_json) PrintQueue(options, *result);
  if (options.limits) {
    const auto limits = MeasureLimits(options, dir);
    if (!limits.ok()) return PrintError("bench queue --limits", limits.status());
    AddLimits(*limits, &json);
    if (!as_json) PrintLimits(*limits);
  }
  if (as_json) PrintJson(json);
  return kExitOk;
}

int BenchQueue(const Globals& globals, const QueueOptions& options) {
  std::string dir =
      (options.dir.empty() ? std::filesystem::temp_directory_path().string() : options.dir) +
      "/homeport-bench-XXXXXX";
  if (::mkdtemp(dir.data()) == nullptr) {
    return PrintError("bench queue", Status::Io("cannot make a directory like " + dir));
  }
  const int code = BenchQueueIn(dir, globals, options);
  std::error_code ignored;
  std::filesystem::remove_all(dir, ignored);
  return code;
}

struct MessagesRun {
  std::string from;
  std::string to;
  bench::MessagesBenchResult result;
};

// Inside a region and to another one, unless the command names the two.
std::vector<MessagesRun> RunsFor(const ClusterConfig& config, const MessagesOptions& options) {
  const std::string from = options.from.empty() ? config.regions[0].name : options.from;
  if (!options.to.empty()) return {{from, options.to, {}}};
  std::vector<MessagesRun> runs = {{from, from, {}}};
  for (const core::RegionConfig& region : config.regions) {
    if (region.name == from) continue;
    runs.push_back({from, region.name, {}});
    break;
  }
  return runs;
}

Json ToJson(const MessagesRun& run) {
  const auto& [from, to, result] = run;
  return {{"from", from},
          {"to", to},
          {"seconds", result.seconds},
          {"messages", result.messages},
          {"messages_per_s", result.messages_per_s},
          {"mb_per_s", result.mb_per_s},
          {"inserts_per_s", result.inserts_per_s},
          {"stored_per_s", result.stored_per_s},
          {"notified_p50_us", result.notified.p50},
          {"notified_p99_us", result.notified.p99},
          {"p50_us", result.synced.p50},
          {"p99_us", result.synced.p99},
          {"p999_us", result.synced.p999},
          {"answered_p50_us", result.answered.p50},
          {"answered_p99_us", result.answered.p99},
          {"answered_p999_us", result.answered.p999}};
}

void PrintRuns(const std::vector<MessagesRun>& runs, Format format) {
  if (format == Format::kJson) {
    Json list = Json::array();
    for (const MessagesRun& run : runs) list.push_back(ToJson(run));
    return PrintJson({{"runs", list}});
  }
  Table table({"FROM", "TO", "MESSAGES/S", "INSERTS/S", "ANSWERED P50 US", "P99", "NOTIFIED P50 US",
               "P99", "SYNCED P50 US", "P99", "P99.9"});
  for (const MessagesRun& run : runs) {
    table.Add({run.from, run.to, FormatCount(static_cast<uint64_t>(run.result.messages_per_s)),
               FormatCount(static_cast<uint64_t>(run.result.inserts_per_s)),
               Rounded(run.result.answered.p50), Rounded(run.result.answered.p99),
               Rounded(run.result.notified.p50), Rounded(run.result.notified.p99),
               Rounded(run.result.synced.p50), Rounded(run.result.synced.p99),
               Rounded(run.result.synced.p999)});
  }
  table.Print();
}

// The cluster that the command line names; a temporary one when it names none.
Result<ClusterConfig> ClusterToMeasure(const Globals& globals, bool wan,
                                       std::unique_ptr<TemporaryCluster>* temporary) {
  if (!globals.data.empty() || !globals.config.empty()) return LoadCluster(globals);
  Say(fmt::format("no --data or --config: on a temporary cluster of two regions{}",
                  wan ? " with a WAN box between them" : ""));
  UpOptions up;
  up.make.wan = wan;
  up.make.regions = {"sh", "hk"};
  up.processes = true;
  ASSIGN_OR_RETURN(*temporary, TemporaryCluster::Start(up));
  return (*temporary)->config();
}

int BenchMessages(const Globals& globals, const MessagesOptions& options) {
  std::unique_ptr<TemporaryCluster> temporary;
  auto measured = ClusterToMeasure(globals, options.wan, &temporary);
  if (!measured.ok()) return PrintError("bench messages", measured.status());
  const ClusterConfig config = std::move(measured).value();
  std::vector<MessagesRun> runs = RunsFor(config, options);
  for (MessagesRun& run : runs) {
    for (const std::string& region : {run.from, run.to}) {
      const Status known = CheckRegion(config, region);
      if (!known.ok()) return PrintError("bench messages", known);
    }
    bench::MessagesBenchOptions messages;
    messages.config = config;
    messages.from = run.from;
    messages.to = run.to;
    messages.senders = options.senders;
    messages.receivers = options.receivers;
    messages.in_flight = options.in_flight;
    messages.body_bytes = options.size;
    messages.seconds = options.seconds;
    messages.rate = options.rate;
    messages.group = options.group;
    messages.stored = options.stored;
    messages.notified = options.notified;
    auto result = bench::RunMessagesBench(messages);
    if (!result.ok()) return PrintError("bench messages", result.status());
    run.result = *result;
  }
  PrintRuns(runs, globals.format);
  return kExitOk;
}

int BenchSync(const Globals& globals, const SyncOptions& options) {
  std::unique_ptr<TemporaryCluster> temporary;
  auto measured = ClusterToMeasure(globals, false, &temporary);
  if (!measured.ok()) return PrintError("bench sync", measured.status());
  bench::SyncBenchOptions sync;
  sync.config = std::move(measured).value();
  sync.region = options.region.empty() ? sync.config.regions[0].name : options.region;
  sync.messages = options.messages;
  sync.readers = options.readers;
  sync.body_bytes = options.size;
  if (const Status known = CheckRegion(sync.config, sync.region); !known.ok()) {
    return PrintError("bench sync", known);
  }
  const auto result = bench::RunSyncBench(sync);
  if (!result.ok()) return PrintError("bench sync", result.status());
  if (globals.format == Format::kJson) {
    PrintJson({{"messages", sync.messages},
               {"readers", sync.readers},
               {"sent_per_s", result->sent_per_s},
               {"seconds", result->seconds},
               {"messages_per_s", result->messages_per_s},
               {"mb_per_s", result->mb_per_s},
               {"pages", result->pages},
               {"client_bytes", result->client_bytes},
               {"daemon_bytes", result->daemon_bytes}});
    return kExitOk;
  }
  Table table(
      {"MESSAGES", "READERS", "SYNCED/S", "MB/S", "PAGES", "CLIENT GREW MB", "DAEMON GREW MB"});
  table.Add({FormatCount(sync.messages), FormatCount(sync.readers),
             FormatCount(static_cast<uint64_t>(result->messages_per_s)), Rounded(result->mb_per_s),
             FormatCount(result->pages), Rounded(static_cast<double>(result->client_bytes) / 1e6),
             Rounded(static_cast<double>(result->daemon_bytes) / 1e6)});
  table.Print();
  return kExitOk;
}

int BenchMigrations(const Globals& globals, const MigrationsOptions& options) {
  constexpr const char* kVerb = "bench migrations";
  std::unique_ptr<TemporaryCluster> temporary;
  auto measured = ClusterToMeasure(globals, false, &temporary);
  if (!measured.ok()) return PrintError(kVerb, measured.status());
  bench::MigrationsBenchOptions moves;
  moves.config = std::move(measured).value();
  const std::vector<core::RegionConfig>& regions = moves.config.regions;
  moves.from = options.from.empty() ? regions.front().name : options.from;
  moves.to = options.to.empty() ? regions[1 % regions.size()].name : options.to;
  moves.users = options.users;
  moves.in_flight = options.in_flight;
  moves.watched = options.watched;
  for (const std::string& region : {moves.from, moves.to}) {
    const Status known = CheckRegion(moves.config, region);
    if (!known.ok()) return PrintError(kVerb, known);
  }
  const auto result = bench::RunMigrationsBench(moves);
  if (!result.ok()) return PrintError(kVerb, result.status());
  if (globals.format == Format::kJson) {
    PrintJson({{"users", moves.users},
               {"seconds", result->seconds},
               {"migrations_per_s", result->migrations_per_s},
               {"moved_p50_us", result->moved.p50},
               {"moved_p99_us", result->moved.p99},
               {"write_p50_us", result->write.p50},
               {"pause_p50_us", result->pause.p50},
               {"pause_p99_us", result->pause.p99},
               {"pause_max_us", result->pause.max}});
    return kExitOk;
  }
  Table table({"USERS", "MOVED/S", "MOVED P50 MS", "WRITE P50 MS", "PAUSE P50 MS", "PAUSE P99 MS"});
  const auto ms = [](double us) { return fmt::format("{:.1f}", us / 1000); };
  table.Add({FormatCount(moves.users), FormatCount(static_cast<uint64_t>(result->migrations_per_s)),
             ms(result->moved.p50), ms(result->write.p50), ms(result->pause.p50),
             ms(result->pause.p99)});
  table.Print();
  return kExitOk;
}

void AddMigrationsBench(CommandLine& line, CLI::App* noun) {
  const auto options = std::make_shared<MigrationsOptions>();
  CLI::App* moves = line.Add(
      noun, "migrations", "Users from one region to another, and the pause of one's writes",
      [&globals = line.globals, options] { return BenchMigrations(globals, *options); });
  moves->add_option("--users", options->users, "Moved as fast as it goes")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  moves->add_option("--inflight", options->in_flight, "Moves in flight")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  moves->add_option("--watched", options->watched, "Moved one by one, writing")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  moves->add_option("--from", options->from)->type_name("REGION");
  moves->add_option("--to", options->to)->type_name("REGION");
}

void AddQueueBench(CommandLine& line, CLI::App* noun) {
  const auto options = std::make_shared<QueueOptions>();
  CLI::App* queue =
      line.Add(noun, "queue", "Entries committed to three replica processes",
               [&globals = line.globals, options] { return BenchQueue(globals, *options); });
  queue->add_option("--size", options->size, "Bytes of an entry")->capture_default_str();
  queue->add_option("--inflight", options->in_flight, "Entries in flight")->capture_default_str();
  queue->add_option("--seconds", options->seconds, "Measured")->capture_default_str();
  queue->add_option("--warmup", options->warmup, "Seconds before it")->capture_default_str();
  queue->add_option("--readers", options->readers, "Readers that follow the stream meanwhile")
      ->capture_default_str();
  queue->add_option("--kill", options->kill, "What is killed half way through")
      ->check(CLI::IsMember({"replica", "writer"}));
  queue->add_option("--entries", options->entries, "Stop once so many are committed");
  queue->add_flag("--keep-all", options->keep_all, "Trim nothing: what a long log costs");
  queue->add_flag("--limits", options->limits,
                  "Then what disk (fio) and network (ZeroMQ) do alone, for comparison");
  queue->add_option("--dir", options->dir, "On whose disk; default: the temporary directory")
      ->type_name("DIR");
}

void AddMessagesBench(CommandLine& line, CLI::App* noun) {
  const auto options = std::make_shared<MessagesOptions>();
  CLI::App* messages =
      line.Add(noun, "messages", "User to user, in a region and across two",
               [&globals = line.globals, options] { return BenchMessages(globals, *options); });
  messages->add_option("--size", options->size, "Bytes of a body")->capture_default_str();
  messages->add_option("--inflight", options->in_flight, "Messages in flight")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  messages->add_option("--senders", options->senders)
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  messages->add_option("--receivers", options->receivers)
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  messages->add_option("--seconds", options->seconds, "Measured")->capture_default_str();
  messages->add_option("--rate", options->rate,
                       "Messages/s; default: as fast as they are answered");
  messages->add_option("--group", options->group, "All to one group of so many members");
  messages->add_option("--stored", options->stored,
                       "Inbox items of others that the receivers' region gets first");
  messages->add_flag("--notified", options->notified,
                     "Receivers wait for notifications, and sync then");
  messages->add_flag("--wan", options->wan,
                     "Of the temporary cluster: its regions, sh and hk, see one another through a "
                     "WAN box, 15 ms one way");
  messages->add_option("--from", options->from, "Home of the senders")->type_name("REGION");
  messages->add_option("--to", options->to, "Home of the receivers")->type_name("REGION");
}

void AddSyncBench(CommandLine& line, CLI::App* noun) {
  const auto options = std::make_shared<SyncOptions>();
  CLI::App* sync =
      line.Add(noun, "sync", "All that waits for a client that has nothing",
               [&globals = line.globals, options] { return BenchSync(globals, *options); });
  sync->add_option("--messages", options->messages, "That wait, over all readers")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  sync->add_option("--readers", options->readers, "Users that sync at the same time")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  sync->add_option("--size", options->size, "Bytes of a body")->capture_default_str();
  sync->add_option("--region", options->region)->type_name("REGION");
}

// What `bench queue` starts three of.
void AddBenchReplica(CommandLine& line, CLI::App* noun) {
  const auto dir = std::make_shared<std::string>();
  const auto endpoint = std::make_shared<std::string>();
  CLI::App* replica = line.Add(noun, "replica", "",
                               [dir, endpoint] { return bench::RunBenchReplica(*dir, *endpoint); });
  replica->group("");  // not shown
  replica->add_option("dir", *dir)->required();
  replica->add_option("endpoint", *endpoint)->required();
}

// What `bench queue --limits` starts three of.
void AddBenchEcho(CommandLine& line, CLI::App* noun) {
  const auto endpoint = std::make_shared<std::string>();
  CLI::App* echo =
      line.Add(noun, "echo", "", [endpoint] { return bench::RunEchoServer(*endpoint); });
  echo->group("");  // not shown
  echo->add_option("endpoint", *endpoint)->required();
}

}  // namespace

void AddBench(CommandLine& line) {
  CLI::App* noun = line.AddNoun("bench", "Measure; bench/README.md");
  AddQueueBench(line, noun);
  AddMessagesBench(line, noun);
  AddSyncBench(line, noun);
  AddMigrationsBench(line, noun);
  AddBenchReplica(line, noun);
  AddBenchEcho(line, noun);
}

}  // namespace homeport::cli
