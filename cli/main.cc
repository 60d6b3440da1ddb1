// homeport: the operator's and client's command. docs/cli.md.
#include <fmt/format.h>
#include <signal.h>

#include <exception>
#include <map>

#include "cli/verbs.h"
#include "core/log.h"

namespace homeport::cli {
namespace {

void AddGlobals(CommandLine& line) {
  CLI::App& app = line.app;
  Globals& globals = line.globals;
  app.description("Homeport: one messaging backend in several regions at once.");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "homeport 0.1.0");
  app.add_option("--data", globals.data, "The cluster's directory")->type_name("DIR");
  app.add_option("--config", globals.config, "The cluster's configuration (or HOMEPORT_CONFIG)")
      ->type_name("FILE");
  app.add_option("--via", globals.via, "Region to connect to first")->type_name("REGION");
  const std::map<std::string, Format> formats = {{"table", Format::kTable},
                                                 {"json", Format::kJson}};
  app.add_option("--output", globals.format, "table or json")
      ->transform(CLI::CheckedTransformer(formats))
      ->type_name("FORMAT");
  app.add_option("--timeout", globals.timeout_s, "Of one call, retries included")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
  app.add_flag("--verbose", globals.verbose, "Tell of redirects between regions");
  app.footer("Options of every command: homeport --help");  // commands inherit it
}

int Run(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  core::StartLog("warn", "", "cli");
  CommandLine line;
  AddGlobals(line);
  for (auto* add : {AddUp, AddStatus, AddUser, AddContact, AddDevice, AddGroup, AddSend, AddSync,
                    AddRecord, AddRegion, AddHistory, AddChat, AddImport, AddVerify, AddQueue,
                    AddCoordination, AddBench, AddDemo}) {
    add(line);
  }
  line.app.footer(
      "First steps: homeport up --data ./cluster; then, in another terminal,\n"
      "  homeport --data ./cluster user create alice --home sh\n"
      "Everything else: docs/cli.md, docs/operations.md.");
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return line.app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  return line.action();
}

}  // namespace

}  // namespace homeport::cli

int main(int argc, char** argv) {
  try {
    return homeport::cli::Run(argc, argv);
  } catch (const std::exception& error) {
    homeport::cli::Say(fmt::format("homeport: {}", error.what()));
    return homeport::cli::kExitFailed;
  }
}
