// homeport send: one message to a user or a group.
#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "cli/accounts.h"
#include "cli/verbs.h"
#include "core/messaging/commands.h"

namespace homeport::cli {
namespace {

using core::AccountKind;

struct Options {
  std::string from;
  std::string to;
  std::string group;
  std::optional<std::string> text;
  uint64_t id = 0;
};

// All of stdin, but no more than is needed to see that it is too large.
std::string ReadStdin() {
  std::string body;
  char buffer[1 << 14];
  while (body.size() <= core::kBodyBytesMax) {
    const size_t got = std::fread(buffer, 1, sizeof buffer, stdin);
    if (got == 0) break;
    body.append(buffer, got);
  }
  return body;
}

struct Sent {
  core::MessageId message;
  core::ClientMessageId id;
};

Result<Sent> SendOne(const Globals& globals, const Options& options) {
  if (options.to.empty() == options.group.empty()) {
    return Status::BadRequest("to whom? Name one of --to USER and --group GROUP");
  }
  ASSIGN_OR_RETURN(const auto connection, ConnectCluster(globals));
  router::Client& client = *connection.client;
  ASSIGN_OR_RETURN(const auto from, FindAccount(client, AccountKind::kUser, options.from));
  const bool to_group = options.to.empty();
  ASSIGN_OR_RETURN(const auto to,
                   FindAccount(client, to_group ? AccountKind::kGroup : AccountKind::kUser,
                               to_group ? options.group : options.to));
  const std::string body = options.text ? *options.text : ReadStdin();
  Sent sent;
  sent.id = options.id != 0 ? core::ClientMessageId(options.id) : client.NewClientMessageId();
  auto message = client.Send(from.uin, sent.id, to.uin, to_group, body);
  if (!message.ok()) {
    const core::Code code = message.status().code();
    if (code == core::Code::kNoQuorum || code == core::Code::kUnavailable) {
      Say(fmt::format(
          "whether it was sent is unknown; to ask again without sending it twice: --id {}",
          sent.id.value()));
    }
    return message.status();
  }
  sent.message = *message;
  return sent;
}

int Send(const Globals& globals, const Options& options) {
  const auto sent = SendOne(globals, options);
  if (!sent.ok()) return PrintError("send", sent.status());
  if (globals.format == Format::kJson) {
    PrintJson({{"id", std::to_string(sent->message.value())},
               {"client_message_id", std::to_string(sent->id.value())}});
  } else {
    PrintLine(fmt::format("sent {}", sent->message.value()));
  }
  return kExitOk;
}

int Recall(const Globals& globals, const Options& options) {
  const auto found = FindUser(globals, options.from);
  if (!found.ok()) return PrintError("recall", found.status());
  const auto changed = found->client->Change(
      core::RecallMessage{found->user.uin, core::ClientMessageId(options.id)});
  return PrintChanged("recall", changed, globals.format, "recalled", "it was recalled already");
}

}  // namespace

void AddSend(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* send = line.Add(&line.app, "send", "Send a message",
                            [&globals = line.globals, options] { return Send(globals, *options); });
  send->add_option("--from", options->from)->required()->type_name("USER");
  send->add_option("--to", options->to)->type_name("USER");
  send->add_option("--group", options->group)->type_name("GROUP");
  send->add_option("--id", options->id, "Client message id, of a retry")->type_name("NUMBER");
  send->add_option("text", options->text, "The body; without it, all of stdin, any bytes");
  CLI::App* recall =
      line.Add(&line.app, "recall", "Take a message back",
               [&globals = line.globals, options] { return Recall(globals, *options); });
  recall->add_option("--from", options->from)->required()->type_name("USER");
  recall->add_option("--id", options->id, "The client message id that it was sent under")
      ->required()
      ->type_name("NUMBER");
}

}  // namespace homeport::cli
