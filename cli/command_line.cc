#include "cli/verbs.h"

namespace homeport::cli {

CLI::App* CommandLine::Add(CLI::App* parent, const std::string& name, const std::string& help,
                           std::function<int()> act) {
  CLI::App* command = parent->add_subcommand(name, help);
  command->fallthrough();
  command->callback([this, act = std::move(act)] { action = act; });
  return command;
}

CLI::App* CommandLine::AddNoun(const std::string& name, const std::string& help) {
  CLI::App* noun = app.add_subcommand(name, help);
  noun->require_subcommand(1);
  noun->fallthrough();
  return noun;
}

}  // namespace homeport::cli
