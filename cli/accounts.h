// Accounts as the CLI shows them.
#pragma once

#include "cli/cluster.h"
#include "cli/output.h"
#include "router/client.h"

namespace homeport::cli {

Json ToJson(const router::AccountView& account);
Json ToJson(const router::ContactView& contact);
// NAME, HOME, UIN, CREATED.
std::vector<std::string> RowOf(const router::AccountView& account);
extern const std::vector<std::string> kAccountColumns;

struct FoundUser {
  std::unique_ptr<router::Client> client;
  router::AccountView user;
};
// A client, and the user of that name.
Result<FoundUser> FindUser(const Globals& globals, const std::string& name);

// Whether a change changed anything: {"changed"}, or one of two words.
int PrintChanged(const std::string& verb, const Result<bool>& changed, Format format,
                 const char* yes, const char* no);

// All accounts of a kind as {"<key>": [...]} or a table.
int PrintAccounts(const std::vector<router::AccountView>& accounts, const char* key, Format format);

}  // namespace homeport::cli
