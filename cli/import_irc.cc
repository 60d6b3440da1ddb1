// homeport import irc: plays IRC logs through the same client path as any client. The reading is in
// irc.h.
#include <fmt/format.h>

#include <map>
#include <set>

#include "cli/irc.h"
#include "cli/progress.h"
#include "cli/verbs.h"
#include "core/config.h"
#include "core/files.h"

namespace homeport::cli {
namespace {

using core::AccountKind;
using core::ClientMessageId;
using core::Uin;
using router::AccountView;

// Through it, each call waits for killed processes to come back.
constexpr std::chrono::seconds kCallTimeout{120};

struct Options {
  std::vector<std::string> files;
  std::string group;
  std::string homes;
  uint64_t run = 0;
};

// Importer: carries out what IrcImport asks for, one line after the other.
//
// The group sees messages in the order of the log: a message is sent only when the one before it
// has its place in the group, or comes from the same stream (sender's home and shard), which keeps
// the order by itself. A join or leave waits for all messages before it.
class Importer {
 public:
  Importer(router::Client& client, const ClusterConfig& config, std::vector<std::string> homes,
           AccountView group, IrcImport import, uint64_t run)
      : client_(client),
        config_(config),
        homes_(std::move(homes)),
        group_(std::move(group)),
        import_(std::move(import)),
        run_(run) {}

  Status Line(std::string_view line);
  // Waits for the last message's place.
  Status Finish() { return AwaitPlaced(); }
  const IrcCounts& counts() const { return import_.counts(); }

 private:
  struct Sent {
    Uin sender;
    ClientMessageId id;
  };
  Status Do(const IrcAction& action);
  Status CreateUser(size_t user);
  Status Post(const AccountView& sender, std::string_view text);
  Status AwaitPlaced();
  bool SameStream(Uin a, Uin b) const;

  router::Client& client_;
  const ClusterConfig& config_;
  const std::vector<std::string> homes_;
  const AccountView group_;
  IrcImport import_;
  const uint64_t run_;
  std::vector<AccountView> users_;
  std::vector<IrcAction> actions_;
  std::optional<Sent> unplaced_;  // the last message, while it is not known to have its place
};

Status Importer::Line(std::string_view line) {
  actions_.clear();
  import_.Line(line, &actions_);
  for (const IrcAction& action : actions_) RETURN_IF_ERROR(Do(action));
  return {};
}

Status Importer::Do(const IrcAction& action) {
  if (action.kind == IrcAction::Kind::kCreateUser) return CreateUser(action.user);
  const AccountView& user = users_[action.user];
  if (action.kind == IrcAction::Kind::kPost) return Post(user, action.text);
  RETURN_IF_ERROR(AwaitPlaced());
  return action.kind == IrcAction::Kind::kJoin ? client_.Join(group_.uin, user.uin).status()
                                               : client_.Leave(group_.uin, user.uin).status();
}

Status Importer::CreateUser(size_t user) {
  CHECK(user == users_.size(), "users come in order", user, users_.size());
  const std::string& name = import_.name(user);
  const std::string& home = homes_[HomeOfNick(name, homes_.size())];
  ASSIGN_OR_RETURN(AccountView made, FindOrCreate(client_, AccountKind::kUser, name, home));
  users_.push_back(std::move(made));
  return {};
}

Status Importer::Post(const AccountView& sender, std::string_view text) {
  if (unplaced_ && !SameStream(unplaced_->sender, sender.uin)) RETURN_IF_ERROR(AwaitPlaced());
  // The same run gives the same line the same id: a run that broke off is repeated without sending
  // anything twice.
  const ClientMessageId id(run_ + counts().lines);
  RETURN_IF_ERROR(client_.Send(sender.uin, id, group_.uin, true, text).status());
  unplaced_ = Sent{sender.uin, id};
  return {};
}

Status Importer::AwaitPlaced() {
  if (!unplaced_) return {};
  RETURN_IF_ERROR(client_.AwaitSequenced(group_.uin, unplaced_->sender, unplaced_->id).status());
  unplaced_.reset();
  return {};
}

bool Importer::SameStream(Uin a, Uin b) const {
  if (a == b) return true;
  return core::BirthIncarnation(a) == core::BirthIncarnation(b) &&
         core::ShardOf(a, config_.shards) == core::ShardOf(b, config_.shards);
}

// Names of the group's members before the import.
Result<std::set<std::string, std::less<>>> MemberNames(router::Client& client, Uin group) {
  std::set<std::string, std::less<>> names;
  ASSIGN_OR_RETURN(const auto members, client.Members(group));
  if (members.empty()) return names;
  const std::set<Uin> uins(members.begin(), members.end());
  ASSIGN_OR_RETURN(const auto users, client.List(AccountKind::kUser));
  for (const AccountView& user : users) {
    if (uins.contains(user.uin)) names.insert(user.name);
  }
  return names;
}

Result<std::vector<std::string>> ReadLogs(const std::vector<std::string>& files) {
  std::vector<std::string> logs;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(logs.emplace_back(), core::ReadFile(file));
  }
  return logs;
}

Status PlayAll(const std::vector<std::string>& logs, Importer* importer) {
  uint64_t total = 0;
  for (const std::string& log : logs) ForEachIrcLine(log, [&](std::string_view) { ++total; });
  Progress progress("import", total);
  Status status;
  for (const std::string& log : logs) {
    ForEachIrcLine(log, [&](std::string_view line) {
      if (!status.ok()) return;
      status = importer->Line(line);
      progress.Show(importer->counts().lines,
                    fmt::format("{} messages", FormatCount(importer->counts().messages)));
    });
  }
  return status.ok() ? importer->Finish() : status;
}

void Print(const IrcCounts& counts, Format format) {
  const std::vector<std::pair<const char*, uint64_t>> rows = {
      {"lines", counts.lines},     {"messages", counts.messages},    {"users", counts.users},
      {"joins", counts.joins},     {"leaves", counts.leaves},        {"renames", counts.renames},
      {"skipped", counts.skipped}, {"deliveries", counts.deliveries}};
  if (format == Format::kJson) {
    Json json;
    for (const auto& [name, count] : rows) json[name] = count;
    return PrintJson(json);
  }
  Table table({"WHAT", "HOW MANY"});
  for (const auto& [name, count] : rows) table.Add({name, FormatCount(count)});
  table.Print();
}

Result<IrcCounts> Import(const Globals& globals, const Options& options, uint64_t run) {
  ASSIGN_OR_RETURN(const auto logs, ReadLogs(options.files));
  ASSIGN_OR_RETURN(const auto connection, ConnectCluster(globals, kCallTimeout));
  router::Client& client = *connection.client;
  std::vector<std::string> homes = SplitCommas(options.homes);
  if (homes.empty()) {
    for (const core::RegionConfig& region : connection.config.regions) homes.push_back(region.name);
  }
  for (const std::string& home : homes) RETURN_IF_ERROR(CheckRegion(connection.config, home));
  bool created = false;
  ASSIGN_OR_RETURN(const AccountView group,
                   FindOrCreate(client, AccountKind::kGroup, options.group, homes[0], &created));
  // A run that is repeated cannot tell who was a member before it: its `deliveries` leave them out.
  std::set<std::string, std::less<>> members;
  if (!created && options.run == 0) {
    ASSIGN_OR_RETURN(members, MemberNames(client, group.uin));
  }
  Importer importer(client, connection.config, homes, group, IrcImport(std::move(members)), run);
  const Status played = PlayAll(logs, &importer);
  if (!played.ok()) {
    return Status(played.code(), fmt::format("{} (in line {} of all logs)", played.message(),
                                             importer.counts().lines));
  }
  return importer.counts();
}

int ImportIrc(const Globals& globals, const Options& options) {
  const uint64_t run =
      options.run != 0 ? options.run : core::RandomBits() >> 1 | 1;  // room to count up
  const std::string again = fmt::format(
      "the same command with --run {} goes on where this one breaks off, and sends nothing twice",
      run);
  Say(again);
  const auto counts = Import(globals, options, run);
  if (!counts.ok()) return PrintError("import irc", counts.status(), again);
  Print(*counts, globals.format);
  return kExitOk;
}

}  // namespace

void AddImport(CommandLine& line) {
  const auto options = std::make_shared<Options>();
  CLI::App* noun = line.AddNoun("import", "Play recorded chat into a cluster");
  CLI::App* irc =
      line.Add(noun, "irc", "IRC logs, through the same path as any client",
               [&globals = line.globals, options] { return ImportIrc(globals, *options); });
  irc->add_option("files", options->files, "Logs, in order")->required()->type_name("FILE");
  irc->add_option("--group", options->group, "Made at the first home if it is not there")
      ->required()
      ->type_name("GROUP");
  irc->add_option("--homes", options->homes,
                  "Homes of new users, by a hash of the nick; default: all regions")
      ->type_name("REGIONS");
  irc->add_option("--run", options->run, "Repeat a run that broke off")->type_name("NUMBER");
}

}  // namespace homeport::cli
