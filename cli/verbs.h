// Verbs: each adds its commands to the command line and, when one is named, sets what is to be
// done.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "cli/cluster.h"

namespace homeport::cli {

struct CommandLine {
  CLI::App app;
  Globals globals;
  std::function<int()> action;  // of the named command; answers the exit code

  // A command of one `parent`, with `action` called after the whole line is read.
  CLI::App* Add(CLI::App* parent, const std::string& name, const std::string& help,
                std::function<int()> act);
  // A noun that needs a verb after it.
  CLI::App* AddNoun(const std::string& name, const std::string& help);
};

inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // a failure without a code; `verify`: regions differ
inline constexpr int kExitUsage = 2;   // the command line

void AddUp(CommandLine& line);  // init, up, down
void AddStatus(CommandLine& line);
void AddUser(CommandLine& line);
void AddMigrate(CommandLine& line, CLI::App* noun);
void AddContact(CommandLine& line);
void AddDevice(CommandLine& line);
void AddGroup(CommandLine& line);
void AddSend(CommandLine& line);  // and recall
void AddSync(CommandLine& line);  // and read
void AddRegion(CommandLine& line);
void AddHistory(CommandLine& line);
void AddRecord(CommandLine& line);
void AddChat(CommandLine& line);
void AddImport(CommandLine& line);
void AddVerify(CommandLine& line);
void AddCoordination(CommandLine& line);  // status, list
void AddQueue(CommandLine& line);
void AddQueueVerify(CommandLine& line, CLI::App* noun);
void AddBench(CommandLine& line);
void AddDemo(CommandLine& line);

}  // namespace homeport::cli
