// Accounts as the CLI shows them.
#pragma once

#include "cli/output.h"
#include "router/client.h"

namespace homeport::cli {

Json ToJson(const router::AccountView& account);
// NAME, HOME, UIN, CREATED.
std::vector<std::string> RowOf(const router::AccountView& account);
extern const std::vector<std::string> kAccountColumns;

// All accounts of a kind as {"<key>": [...]} or a table.
int PrintAccounts(const std::vector<router::AccountView>& accounts, const char* key, Format format);

}  // namespace homeport::cli
