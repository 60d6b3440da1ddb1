// homeport sync: what a user has received, from a snapshot on.
#include <fmt/format.h>

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

Json ToJson(const SyncedMessage& message) {
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
  return json;
}

void PrintAsLines(const std::vector<SyncedMessage>& messages) {
  for (const SyncedMessage& message : messages) {
    const std::string place =
        message.group == core::Uin()
            ? ""
            : fmt::format(" {}#{}", Printable(message.group_name), message.group_seq);
    PrintLine(fmt::format("{}{} <{}> {}", FormatTime(message.sent_at_ms), place,
                          Printable(message.sender_name), Printable(message.body)));
  }
}

void PrintMessages(const Globals& globals, const std::vector<SyncedMessage>& messages,
                   const std::string& snapshot) {
  if (globals.format == Format::kTable) return PrintAsLines(messages);
  Json list = Json::array();
  for (const SyncedMessage& message : messages) list.push_back(ToJson(message));
  PrintJson({{"snapshot", snapshot}, {"messages", std::move(list)}});
}

// All there is now, page after page; moves `snapshot` on.
Result<std::vector<SyncedMessage>> ReadAll(router::Client& client, core::Uin user,
                                           core::DeviceNumber device, core::Duration wait,
                                           std::string* snapshot) {
  std::vector<SyncedMessage> messages;
  while (true) {
    ASSIGN_OR_RETURN(auto page, client.Sync(user, *snapshot, kPage, wait, device));
    *snapshot = page.snapshot;
    std::move(page.messages.begin(), page.messages.end(), std::back_inserter(messages));
    if (!page.more) return messages;
  }
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
    const auto messages =
        ReadAll(client, user->uin, core::DeviceNumber(options.device), wait, &snapshot);
    if (!messages.ok()) {
      // A region that is restarted comes back; who follows waits for it.
      const bool passing = !first && messages.status().code() == core::Code::kUnavailable;
      if (!passing) return PrintError("sync", messages.status());
      Say(messages.status().ToString());
      continue;
    }
    if (first || !messages->empty()) PrintMessages(globals, *messages, snapshot);
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
