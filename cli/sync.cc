// homeport sync: what a user has received, from a snapshot on. homeport read: how far it has read.
#include <fmt/format.h>

#include "cli/accounts.h"
#include "cli/messages.h"
#include "cli/verbs.h"
#include "router/view_json.h"

namespace homeport::cli {
namespace {

using router::SyncedMessage;

struct Options {
  std::string user;
  std::string snapshot;
  uint16_t device = 0;
  bool follow = false;
  std::string with;
  std::string group;
  std::string through;
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
  for (const router::ConversationView& conversation : page.conversations) {
    json["conversations"].push_back(router::ConversationJson(conversation));
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
    const bool news = !page->messages.empty() || !page->contacts.empty() ||
                      !page->conversations.empty() || page->account;
    snapshot = page->snapshot;
    if (first || news) PrintPage(globals, *page);
    first = false;
  } while (options.follow);
  if (globals.format == Format::kTable)
    Say(fmt::format("go on from here with --snapshot {}", snapshot));
  return kExitOk;
}

// Where the last message of the conversation lies.
core::Result<core::Stamp> LastOf(router::Client& client, core::Uin user, core::Uin with) {
  ASSIGN_OR_RETURN(const auto all, ReadAll(client, user, {}, core::Duration(0), ""));
  for (auto at = all.messages.rbegin(); at != all.messages.rend(); ++at) {
    const core::Uin of = at->group == core::Uin() ? at->sender : at->group;
    // A recall says nothing of what came before it.
    if (of == with && !at->is_recall) return core::Stamp{at->epoch, core::Version(at->version)};
  }
  return core::Status::BadRequest("nothing of this conversation is in the inbox");
}

core::Result<bool> MarkRead(const Globals& globals, const Options& options) {
  ASSIGN_OR_RETURN(const auto found, FindUser(globals, options.user));
  const bool in_group = !options.group.empty();
  ASSIGN_OR_RETURN(
      const auto with,
      FindAccount(*found.client, in_group ? core::AccountKind::kGroup : core::AccountKind::kUser,
                  in_group ? options.group : options.with));
  std::optional<core::Stamp> through = core::ParsePlace(options.through);
  if (!options.through.empty() && !through) {
    return core::Status::BadRequest("--through is no place of a message, as 0.0.17");
  }
  if (!through) {
    ASSIGN_OR_RETURN(through, LastOf(*found.client, found.user.uin, with.uin));
  }
  return found.client->Change(core::MarkRead{found.user.uin, with.uin, *through});
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
  CLI::App* read = line.Add(&line.app, "read", "Mark a conversation as read",
                            [&globals = line.globals, options] {
                              return PrintChanged("read", MarkRead(globals, *options),
                                                  globals.format, "read", "it was read already");
                            });
  read->add_option("user", options->user)->required();
  CLI::Option_group* whom = read->add_option_group("conversation");
  whom->add_option("--with", options->with, "The conversation with this user")->type_name("USER");
  whom->add_option("--group", options->group, "In this group")->type_name("GROUP");
  whom->require_option(1);
  read->add_option("--through", options->through,
                   "The place of a message, as sync tells it; without it, of the last one")
      ->type_name("PLACE");
}

}  // namespace homeport::cli
