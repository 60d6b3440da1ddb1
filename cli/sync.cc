// homeport sync: what a user has received, from a snapshot on.
#include <fmt/format.h>

#include "cli/accounts.h"
#include "cli/messages.h"
#include "cli/verbs.h"

namespace homeport::cli {
namespace {

using router::SyncedMessage;

struct Options {
  std::string user;
  std::string snapshot;
  uint16_t device = 0;
  bool follow = false;
};

constexpr std::chrono::seconds kFollowWait{10};

void PrintAsLines(const std::vector<SyncedMessage>& messages) {
  for (const SyncedMessage& message : messages) PrintLine(LineOf(message));
}

void PrintPage(const Globals& globals, const router::SyncResult& page) {
  if (globals.format == Format::kTable) return PrintAsLines(page.messages);
  Json json = {{"snapshot", page.snapshot}, {"messages", Json::array()}};
  for (const SyncedMessage& message : page.messages) json["messages"].push_back(ToJson(message));
  if (page.account) json["account"] = ToJson(*page.account);
  for (const router::ContactView& contact : page.contacts) {
    json["contacts"].push_back(ToJson(contact));
  }
  PrintJson(json);
}

int Sync(const Globals& globals, const Options& options) {
  const auto connection = ConnectCluster(globals, std::chrono::seconds(30));
  if (!connection.ok()) return PrintError("sync", connection.status());
  router::Client& client = *connection->client;
  const auto user = FindAccount(client, core::AccountKind::kUser, options.user);
  if (!user.ok()) return PrintError("sync", user.status());
  std::string snapshot = options.snapshot;
  bool first = true;
  do {
    const core::Duration wait = first ? core::Duration(0) : core::Duration(kFollowWait);
    const auto page =
        ReadAll(client, user->uin, core::DeviceNumber(options.device), wait, snapshot);
    if (!page.ok()) {
      // A region that is restarted comes back; who follows waits for it.
      const bool passing = !first && page.status().code() == core::Code::kUnavailable;
      if (!passing) return PrintError("sync", page.status());
      Say(page.status().ToString());
      continue;
    }
    const bool news = !page->messages.empty() || !page->contacts.empty() || page->account;
    snapshot = page->snapshot;
    if (first || news) PrintPage(globals, *page);
    first = false;
  } while (options.follow);
  if (globals.format == Format::kTable)
    Say(fmt::format("go on from here with --snapshot {}", snapshot));
  return kExitOk;
}

}  // namespace

void AddSync(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* sync = line.Add(&line.app, "sync", "What a user has received",
                            [&globals = line.globals, options] { return Sync(globals, *options); });
  sync->add_option("user", options->user)->required();
  sync->add_option("--snapshot", options->snapshot, "Go on from an earlier answer")
      ->type_name("TOKEN");
  sync->add_option("--device", options->device,
                   "A registered device: what it brings is acknowledged")
      ->type_name("NUMBER");
  sync->add_flag("--follow", options->follow, "Go on as messages arrive");
}

}  // namespace homeport::cli
