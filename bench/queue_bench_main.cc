// queue_bench: the queue's benchmark as a program. `queue_bench replica DIR ENDPOINT` is what it
// starts.
#include <fmt/format.h>
#include <stdlib.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>

#include "bench/bench_replica.h"
#include "bench/queue_bench.h"

int main(int argc, char** argv) {
  using homeport::bench::QueueBenchOptions;
  if (argc == 4 && std::string_view(argv[1]) == "replica") {
    return homeport::bench::RunBenchReplica(argv[2], argv[3]);
  }
  QueueBenchOptions options;
  bool keep = false;
  CLI::App app("Commits entries to three replicas on this machine and measures");
  app.add_option("--dir", options.dir, "new or empty directory for the replicas")->required();
  app.add_option("--size", options.entry_bytes, "bytes of an entry")->capture_default_str();
  app.add_option("--in-flight", options.in_flight, "entries in flight")->capture_default_str();
  app.add_option("--seconds", options.seconds, "measured time")->capture_default_str();
  app.add_option("--warmup", options.warmup_seconds, "seconds before it")->capture_default_str();
  app.add_flag("--keep", keep, "leave the directory");
  CLI11_PARSE(app, argc, argv);
  options.replica_argv = {"/proc/self/exe", "replica"};
  const auto result = homeport::bench::RunQueueBench(options);
  if (!keep) {
    std::error_code ignored;
    std::filesystem::remove_all(options.dir, ignored);
  }
  if (!result.ok()) {
    fmt::print(stderr, "queue_bench: {}\n", result.status().ToString());
    return 1;
  }
  fmt::print(
      "{} B, {} in flight, {:.1f} s: {:.0f} entries/s, {:.1f} MB/s, p50 {:.0f} us, p99 {:.0f} us, "
      "p99.9 {:.0f} us, max {:.0f} us, {:.2f} CPU s per million entries (writer {:.0f} %)\n",
      options.entry_bytes, options.in_flight, result->seconds, result->entries_per_s,
      result->mb_per_s, result->p50_us, result->p99_us, result->p999_us, result->max_us,
      result->cpu_s_per_million, 100 * result->writer_cpu_share);
  return 0;
}
