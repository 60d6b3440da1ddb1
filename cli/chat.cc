// homeport chat: a small example of a client: sends the lines it is given, shows what arrives.
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "cli/messages.h"
#include "cli/verbs.h"
#include "core/messaging/commands.h"

namespace homeport::cli {
namespace {

using core::AccountKind;
using core::Uin;

struct Options {
  std::string user;
  std::string to;
  std::string group;
};

constexpr std::chrono::minutes kNewsWait{5};
constexpr std::chrono::milliseconds kStdinLookedAtEvery{20};
constexpr size_t kInFlightMax = 64;  // then stdin waits

// The lines of stdin, as they come.
class StdinLines {
 public:
  // What has come; without waiting. A last line may lack its LF. One line has at most a body's
  // bytes: what is longer is cut there.
  std::optional<std::string> Next() {
    while (true) {
      const size_t end = std::min(read_.find('\n'), core::kBodyBytesMax);
      if (end < read_.size() || (ended_ && !read_.empty())) {
        std::string line = read_.substr(0, end);
        const bool has_lf = end < read_.size() && read_[end] == '\n';
        read_.erase(0, line.size() + (has_lf ? 1 : 0));
        return line;
      }
      if (ended_ || !Read()) return std::nullopt;
    }
  }
  bool ended() const { return ended_ && read_.empty(); }

 private:
  bool Read() {
    pollfd in{STDIN_FILENO, POLLIN, 0};
    if (::poll(&in, 1, 0) <= 0) return false;
    char buffer[4096];
    const ssize_t got = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (got > 0) {
      read_.append(buffer, static_cast<size_t>(got));
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
      ended_ = true;
    }
    return true;
  }

  std::string read_;
  bool ended_ = false;
};

class Chat {
 public:
  Chat(const Globals& globals, router::Client* client, Uin self, Uin to, bool to_group)
      : globals_(globals), client_(client), self_(self), to_(to), to_group_(to_group) {}

  Status Run() {
    RETURN_IF_ERROR(ShowNew());
    while (true) {
      if (!waits_) AwaitNews();
      while (sending_ < kInFlightMax) {
        std::optional<std::string> line = stdin_.Next();
        if (!line) break;
        if (!line->empty()) Send(std::move(*line));
      }
      if (stdin_.ended() && sending_ == 0) break;
      client_->Poll(kStdinLookedAtEvery);
      if (std::exchange(has_news_, false)) RETURN_IF_ERROR(ShowNew());
    }
    return ShowNew();
  }
  bool failed() const { return failed_; }

 private:
  Status ShowNew() {
    const auto page = ReadAll(*client_, self_, {}, core::Duration(0), snapshot_);
    // A region that is restarted comes back.
    if (!page.ok()) return core::IsNotNow(page.status().code()) ? Status() : page.status();
    snapshot_ = page->snapshot;
    for (const router::SyncedMessage& message : page->messages) {
      if (globals_.format == Format::kJson) {
        PrintJson(ToJson(message));
      } else {
        PrintLine(LineOf(message));
      }
    }
    return {};
  }
  // What fails is asked again at the next turn, after the client's own time-out.
  void AwaitNews() {
    waits_ = true;
    client_->AwaitNews(self_, {}, snapshot_, kNewsWait, [this](const auto& answer) {
      waits_ = false;
      // What a sync would be refused for is told by that sync.
      has_news_ = answer.ok() ? answer->news : !core::IsNotNow(answer.status().code());
    });
  }
  void Send(std::string line) { SendAs(client_->NewClientMessageId(), std::move(line)); }
  void SendAs(core::ClientMessageId id, std::string line) {
    ++sending_;
    client_->SendAsync(self_, id, to_, to_group_, line, [this, id, line](const auto& sent) {
      --sending_;
      if (sent.ok()) return;
      if (core::IsNotNow(sent.status().code())) return SendAs(id, line);
      failed_ = true;
      Say(fmt::format("not sent: {}: {}", Printable(line), sent.status().ToString()));
    });
  }

  const Globals& globals_;
  router::Client* const client_;
  const Uin self_;
  const Uin to_;
  const bool to_group_;
  StdinLines stdin_;
  std::string snapshot_;
  size_t sending_ = 0;
  bool waits_ = false;
  bool has_news_ = false;
  bool failed_ = false;
};

int RunChat(const Globals& globals, const Options& options) {
  if (options.to.empty() == options.group.empty()) {
    return PrintError("chat",
                      Status::BadRequest("with whom? Name one of --to USER and --group GROUP"));
  }
  const auto connection = ConnectCluster(globals);
  if (!connection.ok()) return PrintError("chat", connection.status());
  router::Client& client = *connection->client;
  const auto self = FindAccount(client, AccountKind::kUser, options.user);
  if (!self.ok()) return PrintError("chat", self.status());
  const bool to_group = options.to.empty();
  const auto to = FindAccount(client, to_group ? AccountKind::kGroup : AccountKind::kUser,
                              to_group ? options.group : options.to);
  if (!to.ok()) return PrintError("chat", to.status());
  Chat chat(globals, &client, self->uin, to->uin, to_group);
  const Status status = chat.Run();
  if (!status.ok()) return PrintError("chat", status);
  return chat.failed() ? kExitFailed : kExitOk;
}

}  // namespace

void AddChat(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* chat =
      line.Add(&line.app, "chat", "Send lines as a user, and see what arrives",
               [&globals = line.globals, options] { return RunChat(globals, *options); });
  chat->add_option("user", options->user)->required();
  chat->add_option("--to", options->to)->type_name("USER");
  chat->add_option("--group", options->group)->type_name("GROUP");
}

}  // namespace homeport::cli
