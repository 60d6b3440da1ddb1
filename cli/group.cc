// homeport group create | join | leave | show | list.
#include <fmt/format.h>

#include <functional>
#include <map>

#include "cli/accounts.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

using core::AccountKind;
using router::AccountView;

struct Options {
  std::string group;
  std::string user;
  std::string home;
  std::string owner;
  std::string title;
};

int Create(const Globals& globals, const Options& options) {
  const auto connection = ConnectCluster(globals);
  if (!connection.ok()) return PrintError("group create", connection.status());
  const Status known = CheckRegion(connection->config, options.home);
  if (!known.ok()) return PrintError("group create", known);
  router::Client& client = *connection->client;
  Result<AccountView> owner = AccountView();
  if (!options.owner.empty()) owner = FindAccount(client, AccountKind::kUser, options.owner);
  if (!owner.ok()) return PrintError("group create", owner.status());
  const auto group =
      options.owner.empty()
          ? client.Create(AccountKind::kGroup, options.group, options.home)
          : client.CreateGroup(options.group, options.home, owner->uin, options.title);
  if (!group.ok()) return PrintError("group create", group.status());
  if (globals.format == Format::kJson) {
    PrintJson(ToJson(*group));
  } else {
    Table table(kAccountColumns);
    table.Add(RowOf(*group));
    table.Print();
  }
  return kExitOk;
}

Result<bool> Change(const Globals& globals, const Options& options, bool join) {
  ASSIGN_OR_RETURN(const auto connection, ConnectCluster(globals));
  router::Client& client = *connection.client;
  ASSIGN_OR_RETURN(const AccountView group,
                   FindAccount(client, AccountKind::kGroup, options.group));
  ASSIGN_OR_RETURN(const AccountView user, FindAccount(client, AccountKind::kUser, options.user));
  return join ? client.Join(group.uin, user.uin) : client.Leave(group.uin, user.uin);
}

int JoinOrLeave(const Globals& globals, const Options& options, bool join) {
  const auto changed = Change(globals, options, join);
  if (!changed.ok()) return PrintError(join ? "group join" : "group leave", changed.status());
  if (globals.format == Format::kJson) {
    PrintJson({{"changed", *changed}});
    return kExitOk;
  }
  const char* told =
      join ? (*changed ? "joined" : "was a member already") : (*changed ? "left" : "was no member");
  PrintLine(fmt::format("{} {}", Printable(options.user), told));
  return kExitOk;
}

// What its owner does with a group; `who` is empty where the change is about nobody.
using MakeChange = std::function<core::ChangeCommand(core::Uin group, core::Uin by, core::Uin who)>;

int Manage(const Globals& globals, const Options& options, const std::string& verb,
           const MakeChange& make) {
  const std::string what = "group " + verb;
  const auto by = FindUser(globals, options.owner);
  if (!by.ok()) return PrintError(what, by.status());
  const auto group = FindAccount(*by->client, AccountKind::kGroup, options.group);
  if (!group.ok()) return PrintError(what, group.status());
  Result<AccountView> who = AccountView();
  if (!options.user.empty()) who = FindAccount(*by->client, AccountKind::kUser, options.user);
  if (!who.ok()) return PrintError(what, who.status());
  const auto changed = by->client->Change(make(group->uin, by->user.uin, who->uin));
  return PrintChanged(what, changed, globals.format, "done", "it was so already");
}

void AddManagement(CommandLine& line, CLI::App* noun, const std::shared_ptr<Options>& options) {
  const auto add = [&](const std::string& verb, const char* help, MakeChange make) {
    CLI::App* change = line.Add(noun, verb, help, [&globals = line.globals, options, verb, make] {
      return Manage(globals, *options, verb, make);
    });
    change->add_option("name", options->group)->required();
    change->add_option("--by", options->owner, "Its owner")->required()->type_name("USER");
    return change;
  };
  const auto with_user = [&](CLI::App* change) {
    change->add_option("--user", options->user)->required()->type_name("USER");
  };
  using core::ChangeCommand;
  using core::Uin;
  add("rename", "Give it another title",
      [options](Uin group, Uin by, Uin) -> ChangeCommand {
        return core::RenameGroup{group, by, options->title};
      })
      ->add_option("--title", options->title)
      ->required();
  for (const bool closed : {true, false}) {
    add(closed ? "close" : "open", closed ? "Let nobody join by himself" : "Let anybody join",
        [closed](Uin group, Uin by, Uin) -> ChangeCommand {
          return core::CloseGroup{group, by, closed};
        });
  }
  with_user(add("add", "Make a user a member", [](Uin group, Uin by, Uin who) -> ChangeCommand {
    return core::AddMember{group, by, who};
  }));
  with_user(add("remove", "End a membership", [](Uin group, Uin by, Uin who) -> ChangeCommand {
    return core::RemoveMember{group, by, who};
  }));
  with_user(
      add("transfer", "Make a member the owner", [](Uin group, Uin by, Uin who) -> ChangeCommand {
        return core::TransferGroup{group, by, who};
      }));
}

struct Shown {
  AccountView group;
  std::vector<AccountView> members;
};

Result<Shown> Look(const Globals& globals, const Options& options) {
  ASSIGN_OR_RETURN(const auto connection, ConnectCluster(globals));
  Shown shown;
  ASSIGN_OR_RETURN(shown.group,
                   FindAccount(*connection.client, AccountKind::kGroup, options.group));
  ASSIGN_OR_RETURN(const auto uins, connection.client->Members(shown.group.uin));
  // Names from one list instead of a question per member.
  ASSIGN_OR_RETURN(const auto users, connection.client->List(AccountKind::kUser));
  std::map<core::Uin, const AccountView*> by_uin;
  for (const AccountView& user : users) by_uin[user.uin] = &user;
  for (const core::Uin uin : uins) {
    const auto user = by_uin.find(uin);
    AccountView member;
    member.uin = uin;
    shown.members.push_back(user != by_uin.end() ? *user->second : member);
  }
  return shown;
}

int Show(const Globals& globals, const Options& options) {
  const auto shown = Look(globals, options);
  if (!shown.ok()) return PrintError("group show", shown.status());
  if (globals.format == Format::kJson) {
    Json json = ToJson(shown->group);
    json["members"] = Json::array();
    for (const AccountView& member : shown->members) json["members"].push_back(ToJson(member));
    PrintJson(json);
    return kExitOk;
  }
  Table table({"GROUP", "HOME", "UIN", "CREATED", "MEMBERS"});
  std::vector<std::string> row = RowOf(shown->group);
  row.push_back(FormatCount(shown->members.size()));
  table.Add(row);
  table.Print();
  PrintLine("");
  Table members(kAccountColumns);
  for (const AccountView& member : shown->members) members.Add(RowOf(member));
  members.Print();
  return kExitOk;
}

int List(const Globals& globals) {
  const auto connection = ConnectCluster(globals);
  if (!connection.ok()) return PrintError("group list", connection.status());
  const auto groups = connection->client->List(AccountKind::kGroup);
  if (!groups.ok()) return PrintError("group list", groups.status());
  return PrintAccounts(*groups, "groups", globals.format);
}

}  // namespace

void AddGroup(CommandLine& line) {
  const Globals& globals = line.globals;
  const auto options = std::make_shared<Options>();
  CLI::App* noun = line.AddNoun("group", "Groups");
  CLI::App* create = line.Add(noun, "create", "Create a group at its home region",
                              [&globals, options] { return Create(globals, *options); });
  create->add_option("name", options->group)->required();
  create->add_option("--home", options->home, "Region that masters the group")
      ->required()
      ->type_name("REGION");
  create->add_option("--owner", options->owner, "Else nobody owns it: an open room")
      ->type_name("USER");
  create->add_option("--title", options->title);
  AddManagement(line, noun, options);
  for (const bool join : {true, false}) {
    CLI::App* change =
        line.Add(noun, join ? "join" : "leave", join ? "Make a user a member" : "End a membership",
                 [&globals, options, join] { return JoinOrLeave(globals, *options, join); });
    change->add_option("name", options->group)->required();
    change->add_option("--user", options->user)->required()->type_name("USER");
  }
  CLI::App* show = line.Add(noun, "show", "A group and its members",
                            [&globals, options] { return Show(globals, *options); });
  show->add_option("name", options->group)->required();
  line.Add(noun, "list", "All groups", [&globals] { return List(globals); });
}

}  // namespace homeport::cli
