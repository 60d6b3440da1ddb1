// homeport sync: what a user has received, from a snapshot on.
#include <fmt/format.h>

#include "cli/accounts.h"
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

constexpr core::SyncLimits kPage{.items_max = 5000, .bytes_max = 4 << 20};
constexpr std::chrono::seconds kFollowWait{10};

const char* EventName(core::GroupEventKind kind) {
  constexpr const char* kNames[] = {"",      "created", "renamed",     "joined", "left",
                                    "added", "removed", "transferred", "closed", "opened"};
  return kNames[static_cast<size_t>(kind)];
}

// What a person reads of it.
std::string LineOf(const SyncedMessage& message) {
  if (message.is_recall) return fmt::format("recalls message {}", message.id.value());
  if (message.recalled) return "(recalled)";
  if (message.event.kind == core::GroupEventKind::kNone) return Printable(message.body);
  return fmt::format("* {} {}{}", EventName(message.event.kind), Printable(message.subject_name),
                     Printable(message.event.text));
}

Json JsonOf(const SyncedMessage& message) {
  Json json;
  json["id"] = std::to_string(message.id.value());
  PutBytes(&json, "from", "from_base64", message.sender_name);
  if (message.group == core::Uin()) {
    json["group"] = nullptr;
    json["seq"] = message.version;
  } else {
    PutBytes(&json, "group", "group_base64", message.group_name);
    json["seq"] = message.group_seq;
  }
  json["sent_at"] = FormatTime(message.sent_at_ms);
  PutBytes(&json, "text", "base64", message.body);
  if (message.event.kind != core::GroupEventKind::kNone) {
    json["event"] = EventName(message.event.kind);
    PutBytes(&json, "subject", "subject_base64", message.subject_name);
    PutBytes(&json, "title", "title_base64", message.event.text);
  }
  if (message.recalled) json["recalled"] = true;
  if (message.is_recall) json["recall"] = true;
  return json;
}

void PrintAsLines(const std::vector<SyncedMessage>& messages) {
  for (const SyncedMessage& message : messages) {
    const std::string place =
        message.group == core::Uin()
            ? ""
            : fmt::format(" {}#{}", Printable(message.group_name), message.group_seq);
    PrintLine(fmt::format("{}{} <{}> {}", FormatTime(message.sent_at_ms), place,
                          Printable(message.sender_name), LineOf(message)));
  }
}

void PrintPage(const Globals& globals, const router::SyncResult& page) {
  if (globals.format == Format::kTable) return PrintAsLines(page.messages);
  Json json = {{"snapshot", page.snapshot}, {"messages", Json::array()}};
  for (const SyncedMessage& message : page.messages) json["messages"].push_back(JsonOf(message));
  if (page.account) json["account"] = ToJson(*page.account);
  for (const router::ContactView& contact : page.contacts) {
    json["contacts"].push_back(ToJson(contact));
  }
  PrintJson(json);
}

// All there is after `snapshot`, page after page.
Result<router::SyncResult> ReadAll(router::Client& client, core::Uin user,
                                   core::DeviceNumber device, core::Duration wait,
                                   const std::string& snapshot) {
  router::SyncResult all;
  all.snapshot = snapshot;
  for (all.more = true; all.more;) {
    ASSIGN_OR_RETURN(auto page, client.Sync(user, all.snapshot, kPage, wait, device));
    all.snapshot = page.snapshot;
    all.more = page.more;
    if (page.account) all.account = std::move(page.account);
    std::move(page.contacts.begin(), page.contacts.end(), std::back_inserter(all.contacts));
    std::move(page.messages.begin(), page.messages.end(), std::back_inserter(all.messages));
  }
  return all;
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
