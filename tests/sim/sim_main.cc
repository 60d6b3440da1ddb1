// homeport-sim: worlds of the quorum queue, one per seed, until one is wrong or all are done.
//
// Exit code 0: all held. 1: a promise was broken; seed, options, what was wrong, the last events
// and the command to see it again are printed. 2: bad arguments. docs/simulation.md.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/sim/queue_sim.h"

namespace homeport::sim {
namespace {

struct Arguments {
  uint64_t seeds = 1000;
  uint64_t start = 1;
  double seconds = 0;  // 0: no limit
  uint64_t twice_every = 50;
  uint64_t events = 50;
  std::string bug;
  bool trace = false;
  bool list_bugs = false;
  bool blind = false;
  std::string output = "table";
};

struct Sum {
  uint64_t worlds = 0;
  uint64_t twice = 0;
  uint64_t events = 0;
  uint64_t acknowledged = 0;
  uint64_t delivered = 0;
  core::Duration simulated{};
  uint64_t fingerprint = 0;  // of all worlds
  NoteCounts notes;
};

QueueSimOptions OptionsOf(const Arguments& arguments, uint64_t seed) {
  QueueSimOptions options = DrawOptions(seed);
  options.bug = FindBug(arguments.bug);
  options.check_disks = !arguments.blind;
  options.events_kept = arguments.events;
  options.trace = arguments.trace;
  return options;
}

std::string CommandFor(const Arguments& arguments, uint64_t seed) {
  std::string command = fmt::format("homeport-sim --seeds 1 --start {}", seed);
  if (!arguments.bug.empty()) command += " --bug " + arguments.bug;
  if (arguments.blind) command += " --blind";
  return command + " --trace";
}

nlohmann::json NotesJson(const NoteCounts& notes) {
  nlohmann::json json = nlohmann::json::object();
  for (size_t i = 0; i < Note::All().size(); ++i) {
    json[std::string(Note::All()[i])] = notes.of(i);
  }
  return json;
}

void TellFailure(const Arguments& arguments, uint64_t seed, const QueueSimResult& result) {
  const std::string options = Describe(OptionsOf(arguments, seed));
  if (arguments.output == "json") {
    const nlohmann::json json = {
        {"seed", seed},
        {"options", options},
        {"violation", *result.violation},
        {"fingerprint", fmt::format("{:016x}", result.fingerprint)},
        {"events", result.last_events},
        {"again", CommandFor(arguments, seed)},
    };
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("seed {} breaks a promise\n\n  {}\n\noptions: {}\n", seed, *result.violation, options);
  if (!arguments.trace) {
    fmt::print("\nthe last {} events (seconds, what):\n", result.last_events.size());
    for (const std::string& line : result.last_events) fmt::print("{}\n", line);
  }
  fmt::print("\nagain: {}\n", CommandFor(arguments, seed));
}

void TellSum(const Arguments& arguments, const Sum& sum, double seconds) {
  const double simulated = std::chrono::duration<double>(sum.simulated).count();
  if (arguments.output == "json") {
    const nlohmann::json json = {
        {"worlds", sum.worlds},
        {"seconds", seconds},
        {"simulated_seconds", simulated},
        {"events", sum.events},
        {"acknowledged", sum.acknowledged},
        {"delivered", sum.delivered},
        {"run_twice", sum.twice},
        {"fingerprint", fmt::format("{:016x}", sum.fingerprint)},
        {"notes", NotesJson(sum.notes)},
    };
    fmt::print("{}\n", json.dump(2));
    return;
  }
  for (size_t i = 0; i < Note::All().size(); ++i) {
    fmt::print("{:>10}  {}\n", sum.notes.of(i), Note::All()[i]);
  }
  fmt::print(
      "{} worlds hold: {} events, {:.0f} simulated seconds, {} entries acknowledged, {} delivered; "
      "{} run twice alike; {:.1f} s, {:.0f} worlds a minute; fingerprint {:016x}\n",
      sum.worlds, sum.events, simulated, sum.acknowledged, sum.delivered, sum.twice, seconds,
      60.0 * static_cast<double>(sum.worlds) / seconds, sum.fingerprint);
}

void ListBugs(const Arguments& arguments) {
  nlohmann::json json = nlohmann::json::array();
  for (const PlantedBug& bug : AllBugs()) {
    if (arguments.output == "json") {
      json.push_back({{"name", bug.name}, {"what", bug.what}, {"seen_as", bug.seen_as}});
    } else {
      fmt::print("{:28} {}\n{:28} seen as {}\n", bug.name, bug.what, "", bug.seen_as);
    }
  }
  if (arguments.output == "json") fmt::print("{}\n", json.dump(2));
}

int RunSeeds(const Arguments& arguments) {
  const auto started = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  };
  Sum sum;
  for (uint64_t seed = arguments.start; seed - arguments.start < arguments.seeds; ++seed) {
    if (arguments.seconds > 0 && passed() >= arguments.seconds) break;
    QueueSimResult result = RunQueueSim(OptionsOf(arguments, seed));
    ++sum.worlds;
    if (!result.violation && !arguments.trace && sum.worlds % arguments.twice_every == 0) {
      ++sum.twice;
      if (RunQueueSim(OptionsOf(arguments, seed)).fingerprint != result.fingerprint) {
        result.violation = "fingerprint: the same seed gave two different runs";
      }
    }
    if (result.violation) {
      TellFailure(arguments, seed, result);
      return 1;
    }
    sum.events += result.events;
    sum.acknowledged += result.acknowledged;
    sum.delivered += result.delivered;
    sum.simulated += result.simulated;
    sum.fingerprint = sum.fingerprint * 0x100000001b3u ^ result.fingerprint;
    sum.notes.Add(result.notes);
  }
  TellSum(arguments, sum, passed());
  return 0;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("Runs simulated worlds of the quorum queue, one per seed, and checks its promises");
  app.add_option("--seeds", arguments.seeds, "How many seeds")->capture_default_str();
  app.add_option("--start", arguments.start, "The first seed")->capture_default_str();
  app.add_option("--seconds", arguments.seconds, "Stop after so many seconds; 0: no limit")
      ->capture_default_str();
  app.add_option("--bug", arguments.bug, "Plant this bug (see --list-bugs)");
  app.add_flag("--list-bugs", arguments.list_bugs, "List the bugs that can be planted");
  app.add_flag("--blind", arguments.blind, "Do not look at disks: only at what follows");
  app.add_flag("--trace", arguments.trace, "Print every event");
  app.add_option("--events", arguments.events, "How many last events a failure shows")
      ->capture_default_str();
  app.add_option("--twice-every", arguments.twice_every, "Run every so-many-th seed twice")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--output", arguments.output, "table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (arguments.list_bugs) {
    ListBugs(arguments);
    return 0;
  }
  if (!arguments.bug.empty() && FindBug(arguments.bug) == nullptr) {
    fmt::print(stderr, "there is no bug named '{}'; --list-bugs lists them\n", arguments.bug);
    return 2;
  }
  return RunSeeds(arguments);
}

}  // namespace
}  // namespace homeport::sim

int main(int argc, char** argv) {
  return homeport::sim::Main(argc, argv);
}
