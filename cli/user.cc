// homeport user create | show | list.
#include <fmt/format.h>

#include "cli/accounts.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

using core::AccountKind;

int Print(const router::AccountView& user, Format format) {
  if (format == Format::kJson) {
    PrintJson(ToJson(user));
  } else {
    Table table(kAccountColumns);
    table.Add(RowOf(user));
    table.Print();
  }
  return kExitOk;
}

int Create(const Globals& globals, const std::string& name, const std::string& home) {
  const auto connection = ConnectCluster(globals);
  if (!connection.ok()) return PrintError("user create", connection.status());
  const Status known = CheckRegion(connection->config, home);
  if (!known.ok()) return PrintError("user create", known);
  const auto user = connection->client->Create(AccountKind::kUser, name, home);
  if (!user.ok()) return PrintError("user create", user.status());
  return Print(*user, globals.format);
}

int Show(const Globals& globals, const std::string& name) {
  const auto connection = ConnectCluster(globals);
  if (!connection.ok()) return PrintError("user show", connection.status());
  const auto user = FindAccount(*connection->client, AccountKind::kUser, name);
  if (!user.ok()) return PrintError("user show", user.status());
  return Print(*user, globals.format);
}

int Set(const Globals& globals, const std::string& name, const std::vector<std::string>& fields) {
  const auto found = FindUser(globals, name);
  if (!found.ok()) return PrintError("user set", found.status());
  core::SetProfile profile{found->user.uin, {}};
  for (const std::string& field : fields) {
    const size_t equals = field.find('=');
    if (equals == std::string::npos) {
      Say(fmt::format("user set: expected NAME=VALUE, found {}", Printable(field)));
      return kExitUsage;
    }
    profile.fields.push_back({field.substr(0, equals), field.substr(equals + 1)});
  }
  return PrintChanged("user set", found->client->Change(profile), globals.format, "done",
                      "it was so already");
}

int List(const Globals& globals) {
  const auto connection = ConnectCluster(globals);
  if (!connection.ok()) return PrintError("user list", connection.status());
  const auto users = connection->client->List(AccountKind::kUser);
  if (!users.ok()) return PrintError("user list", users.status());
  return PrintAccounts(*users, "users", globals.format);
}

}  // namespace

void AddUser(CommandLine& line) {
  const Globals& globals = line.globals;
  const auto name = std::make_shared<std::string>();
  const auto home = std::make_shared<std::string>();
  CLI::App* noun = line.AddNoun("user", "Users");
  CLI::App* create = line.Add(noun, "create", "Create a user at its home region",
                              [&globals, name, home] { return Create(globals, *name, *home); });
  create->add_option("name", *name)->required();
  create->add_option("--home", *home, "Region that masters the user")
      ->required()
      ->type_name("REGION");
  CLI::App* show = line.Add(noun, "show", "Where a user is at home",
                            [&globals, name] { return Show(globals, *name); });
  show->add_option("name", *name)->required();
  const auto fields = std::make_shared<std::vector<std::string>>();
  CLI::App* set = line.Add(noun, "set", "Set fields of a user's profile; an empty one is removed",
                           [&globals, name, fields] { return Set(globals, *name, *fields); });
  set->add_option("name", *name)->required();
  set->add_option("fields", *fields)->required()->type_name("NAME=VALUE");
  AddMigrate(line, noun);
  line.Add(noun, "list", "All users", [&globals] { return List(globals); });
}

}  // namespace homeport::cli
