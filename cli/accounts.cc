#include "cli/accounts.h"

#include "cli/verbs.h"
#include "router/view_json.h"

namespace homeport::cli {

const std::vector<std::string> kAccountColumns = {"NAME", "HOME", "UIN", "CREATED"};

Json ToJson(const router::AccountView& account) {
  Json json;
  PutBytes(&json, "name", "name_base64", account.name);
  json["uin"] = std::to_string(account.uin.value());
  json["home"] = account.home_region;
  if (!account.adopted) json["moving"] = true;  // to there
  json["epoch"] = {{"takeover", account.epoch.takeover}, {"move", account.epoch.move}};
  json["created_at"] = FormatTime(account.created_at_ms);
  router::PutAccountDetails(&json, account);
  return json;
}

std::vector<std::string> RowOf(const router::AccountView& account) {
  const std::string home = account.home_region + (account.adopted ? "" : " (moving)");
  return {Printable(account.name), home, std::to_string(account.uin.value()),
          FormatTime(account.created_at_ms)};
}

Result<FoundUser> FindUser(const Globals& globals, const std::string& name) {
  ASSIGN_OR_RETURN(auto connection, ConnectCluster(globals));
  ASSIGN_OR_RETURN(auto user, FindAccount(*connection.client, core::AccountKind::kUser, name));
  return FoundUser{std::move(connection.client), std::move(user)};
}

int PrintChanged(const std::string& verb, const Result<bool>& changed, Format format,
                 const char* yes, const char* no) {
  if (!changed.ok()) return PrintError(verb, changed.status());
  if (format == Format::kJson) {
    PrintJson({{"changed", *changed}});
  } else {
    PrintLine(*changed ? yes : no);
  }
  return kExitOk;
}

int PrintAccounts(const std::vector<router::AccountView>& accounts, const char* key,
                  Format format) {
  if (format == Format::kJson) {
    Json list = Json::array();
    for (const router::AccountView& account : accounts) list.push_back(ToJson(account));
    PrintJson({{key, list}});
    return kExitOk;
  }
  Table table(kAccountColumns);
  for (const router::AccountView& account : accounts) table.Add(RowOf(account));
  table.Print();
  return kExitOk;
}

}  // namespace homeport::cli
