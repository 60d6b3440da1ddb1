// homeport demo: plays what Homeport does on a cluster of its own, tells it, and checks that it is
// so.
#include <fmt/format.h>
#include <signal.h>

#include <chrono>
#include <thread>

#include "cli/local_cluster.h"
#include "cli/up_state.h"
#include "cli/verbs.h"
#include "cli/verify.h"

namespace homeport::cli {
namespace {

using core::AccountKind;
using router::AccountView;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{30};
constexpr int kFloodMessages = 400;
constexpr int kKillAfter = 100;

std::string Ms(Clock::duration duration) {
  return fmt::format("{:.1f} ms", std::chrono::duration<double, std::milli>(duration).count());
}

Status NotAsTold(const std::string& what) {
  return Status::Unavailable("not as told: " + what);
}

class Demo {
 public:
  Status Play();

 private:
  struct Receiver {
    AccountView user;
    std::string snapshot;
  };
  // ---- the chapters, in order
  Status StartCluster();
  Status CreateUsers();
  Status InsideARegion();
  Status AcrossRegions();
  Status WrongRegion();
  Status OneGroup();
  Status KillAReplica();
  Status AllTheSame();

  void Chapter(const std::string& title);
  void Tell(const std::string& text) { PrintLine("   " + text); }
  Result<Receiver> Create(const std::string& name, const std::string& home);
  // Sends; `accepted` is how long the answer took.
  Status Send(const AccountView& from, const AccountView& to, const std::string& body,
              Clock::duration* accepted);
  // The receiver's next `count` messages.
  Result<std::vector<router::SyncedMessage>> Receive(Receiver* receiver, size_t count);
  // One message and how long it took from sending to the receiver's sync.
  Status SendAndReceive(Receiver& from, Receiver* to, const std::string& body);
  Result<pid_t> PidOfReplica(const std::string& region, int replica);
  Status AwaitReplicaBack(const std::string& region, int replica, pid_t old);

  std::unique_ptr<TemporaryCluster> cluster_;
  std::unique_ptr<router::Client> client_;
  Receiver alice_, bob_, carol_, dave_;
  int chapters_ = 0;
};

Status Demo::Play() {
  PrintLine(
      "Homeport lets one messaging backend live in several datacenters, called regions. Every user "
      "has one");
  PrintLine(
      "home region; what is accepted there is on 2 of 3 disks, and all other regions replay it in "
      "order.");
  Status status = StartCluster();
  for (auto chapter :
       {&Demo::CreateUsers, &Demo::InsideARegion, &Demo::AcrossRegions, &Demo::WrongRegion,
        &Demo::OneGroup, &Demo::KillAReplica, &Demo::AllTheSame}) {
    if (status.ok()) status = (this->*chapter)();
  }
  if (!status.ok() && cluster_ != nullptr) {
    cluster_->Keep();
    Say(fmt::format("data and logs are kept in {}", cluster_->config().data));
  }
  if (!status.ok() || cluster_ == nullptr) return status;
  client_.reset();
  RETURN_IF_ERROR(cluster_->Stop());
  PrintLine("");
  PrintLine("All of it was so, and all of it is stopped and removed. A cluster that stays:");
  PrintLine("");
  PrintLine("   build/bin/homeport up --data ./cluster --processes --detach");
  PrintLine("   export HOMEPORT_CONFIG=$PWD/cluster/cluster.toml");
  PrintLine("   build/bin/homeport user create alice --home sh");
  PrintLine("   build/bin/homeport status");
  PrintLine("   build/bin/homeport down");
  return {};
}

void Demo::Chapter(const std::string& title) {
  PrintLine("");
  PrintLine(fmt::format("{}. {}", ++chapters_, title));
}

Status Demo::StartCluster() {
  Chapter("Three regions start on this machine: sh, hk, ca");
  const auto begun = Clock::now();
  UpOptions up;
  up.processes = true;
  ASSIGN_OR_RETURN(cluster_, TemporaryCluster::Start(up));
  router::ClientOptions options;
  options.timeout = kPatience;
  ASSIGN_OR_RETURN(client_, ConnectTo(cluster_->config(), std::move(options)));
  Tell(
      fmt::format("Each has a daemon and three replicas with a disk directory each: 12 processes, "
                  "ready after {}.",
                  Ms(Clock::now() - begun)));
  return {};
}

Result<Demo::Receiver> Demo::Create(const std::string& name, const std::string& home) {
  const auto begun = Clock::now();
  ASSIGN_OR_RETURN(auto user, client_->Create(AccountKind::kUser, name, home));
  Tell(fmt::format("{:<6} at home in {}   user number {}, created in {}", name, user.home_region,
                   user.uin.value(), Ms(Clock::now() - begun)));
  if (user.home_region != home) return NotAsTold(name + " has another home");
  return Receiver{user, ""};
}

Status Demo::CreateUsers() {
  Chapter("Users, each with a home: only there its data is written");
  ASSIGN_OR_RETURN(alice_, Create("alice", "sh"));
  ASSIGN_OR_RETURN(bob_, Create("bob", "sh"));
  ASSIGN_OR_RETURN(carol_, Create("carol", "hk"));
  ASSIGN_OR_RETURN(dave_, Create("dave", "ca"));
  return {};
}

Status Demo::Send(const AccountView& from, const AccountView& to, const std::string& body,
                  Clock::duration* accepted) {
  const auto begun = Clock::now();
  const bool to_group = to.kind == AccountKind::kGroup;
  RETURN_IF_ERROR(
      client_->Send(from.uin, client_->NewClientMessageId(), to.uin, to_group, body).status());
  *accepted = Clock::now() - begun;
  return {};
}

Result<std::vector<router::SyncedMessage>> Demo::Receive(Receiver* receiver, size_t count) {
  std::vector<router::SyncedMessage> messages;
  const auto deadline = Clock::now() + kPatience;
  while (messages.size() < count) {
    if (Clock::now() > deadline) {
      return NotAsTold(
          fmt::format("{} has {} of {} messages", receiver->user.name, messages.size(), count));
    }
    ASSIGN_OR_RETURN(auto page, client_->Sync(receiver->user.uin, receiver->snapshot, {},
                                              std::chrono::seconds(1)));
    receiver->snapshot = page.snapshot;
    for (auto& message : page.messages) messages.push_back(std::move(message));
  }
  if (messages.size() > count)
    return NotAsTold(receiver->user.name + " has more messages than were sent");
  return messages;
}

Status Demo::SendAndReceive(Receiver& from, Receiver* to, const std::string& body) {
  const auto begun = Clock::now();
  Clock::duration accepted{};
  RETURN_IF_ERROR(Send(from.user, to->user, body, &accepted));
  ASSIGN_OR_RETURN(const auto messages, Receive(to, 1));
  if (messages[0].body != body || messages[0].sender_name != from.user.name) {
    return NotAsTold("another message arrived");
  }
  Tell(fmt::format("{} -> {}: \"{}\"", from.user.name, to->user.name, body));
  Tell(fmt::format("{} accepted it after {}: on 2 of 3 disks. {} had it in {} after {}.",
                   from.user.home_region, Ms(accepted), to->user.name, to->user.home_region,
                   Ms(Clock::now() - begun)));
  return {};
}

Status Demo::InsideARegion() {
  Chapter("A message inside a region");
  return SendAndReceive(alice_, &bob_, "hello bob");
}

Status Demo::AcrossRegions() {
  Chapter("A message across regions: sh does not wait for hk, which replays sh's stream");
  return SendAndReceive(alice_, &carol_, "hello Hong Kong");
}

Status Demo::WrongRegion() {
  Chapter("A client of alice connects in the wrong region, ca");
  std::vector<std::string> moves;
  router::ClientOptions options;
  options.timeout = kPatience;
  options.region = "ca";
  options.homes_from_ids = false;
  options.on_moved = [&](const std::string& from, const std::string& to, core::Uin) {
    moves.push_back(fmt::format(
        "{} answered MOVED: alice is at home in {}; the client went there by itself.", from, to));
  };
  ASSIGN_OR_RETURN(const auto wrong, ConnectTo(cluster_->config(), std::move(options)));
  for (const char* body : {"sent by way of ca", "sent straight home"}) {
    const size_t before = moves.size();
    RETURN_IF_ERROR(
        wrong->Send(alice_.user.uin, wrong->NewClientMessageId(), bob_.user.uin, false, body)
            .status());
    Tell(fmt::format("alice -> bob: \"{}\"", body));
    Tell(moves.size() > before ? moves.back() : "No one had to tell it again: it remembers.");
  }
  if (moves.size() != 1)
    return NotAsTold(fmt::format("the client was sent home {} times, not once", moves.size()));
  return Receive(&bob_, 2).status();
}

Status Demo::OneGroup() {
  Chapter("A group with a member in every region: a message crosses to each region once");
  ASSIGN_OR_RETURN(const AccountView group, client_->Create(AccountKind::kGroup, "harbour", "hk"));
  for (const Receiver* member : {&alice_, &bob_, &carol_, &dave_}) {
    RETURN_IF_ERROR(client_->Join(group.uin, member->user.uin).status());
  }
  const auto begun = Clock::now();
  Clock::duration accepted{};
  RETURN_IF_ERROR(Send(alice_.user, group, "ship ahoy", &accepted));
  Tell("alice -> group harbour (at home in hk): \"ship ahoy\"");
  for (Receiver* member : {&bob_, &carol_, &dave_}) {
    ASSIGN_OR_RETURN(const auto messages, Receive(member, 1));
    if (messages[0].body != "ship ahoy" || messages[0].group != group.uin)
      return NotAsTold("another message arrived");
    Tell(fmt::format("{:<6} had it in {} after {}, as number {} of the group", member->user.name,
                     member->user.home_region, Ms(Clock::now() - begun), messages[0].group_seq));
  }
  return {};
}

Result<pid_t> Demo::PidOfReplica(const std::string& region, int replica) {
  ASSIGN_OR_RETURN(const auto state, ReadUpState(cluster_->config().data));
  if (state.has_value()) {
    for (const UpProcess& process : state->processes) {
      if (process.role == "replica" && process.region == region && process.replica == replica)
        return process.pid;
    }
  }
  return NotAsTold(fmt::format("no replica {} of {} in up.json", replica, region));
}

Status Demo::AwaitReplicaBack(const std::string& region, int replica, pid_t old) {
  const auto deadline = Clock::now() + kPatience;
  while (Clock::now() < deadline) {
    ASSIGN_OR_RETURN(const pid_t pid, PidOfReplica(region, replica));
    if (pid != 0 && pid != old) {
      Tell(fmt::format("The supervisor has started it again as process {}, with its data.", pid));
      return {};
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return NotAsTold("the killed replica was not started again");
}

Status Demo::KillAReplica() {
  Chapter("A replica dies while messages flow: kill -9");
  ASSIGN_OR_RETURN(const pid_t victim, PidOfReplica("sh", 2));
  Clock::duration slowest{}, accepted{};
  const auto begun = Clock::now();
  for (int i = 0; i < kFloodMessages; ++i) {
    if (i == kKillAfter) {
      if (::kill(victim, SIGKILL) != 0) return NotAsTold("replica 2 of sh could not be killed");
      Tell(fmt::format("After {} messages from alice to carol: kill -9 {}, replica 2 of sh.", i,
                       victim));
    }
    RETURN_IF_ERROR(Send(alice_.user, carol_.user, fmt::format("message {}", i), &accepted));
    slowest = std::max(slowest, accepted);
  }
  const auto took = Clock::now() - begun;
  ASSIGN_OR_RETURN(const auto messages, Receive(&carol_, kFloodMessages));
  for (int i = 0; i < kFloodMessages; ++i) {
    if (messages[i].body != fmt::format("message {}", i))
      return NotAsTold(fmt::format("message {} is not in its place", i));
  }
  Tell(fmt::format("All {} were accepted, one after the other, in {}; the slowest took {}.",
                   kFloodMessages, Ms(took), Ms(slowest)));
  Tell("carol has every one in hk, once, in order: two of three disks are enough.");
  return AwaitReplicaBack("sh", 2, victim);
}

Status Demo::AllTheSame() {
  Chapter("Do all regions hold the same?");
  VerifyOptions options;
  options.timeout = kPatience;
  ASSIGN_OR_RETURN(const VerifyReport report, Verify(*client_, cluster_->config(), options));
  if (!report.differences.empty())
    return NotAsTold(fmt::format("{} tables differ", report.differences.size()));
  if (report.rows == 0) return NotAsTold("the regions hold nothing");
  Tell(
      fmt::format("Yes: {} entries are replayed everywhere, and a digest of each of {} tables is "
                  "the same in sh, hk",
                  FormatCount(report.entries), report.tables));
  Tell(fmt::format("and ca ({} rows each). `homeport verify` asks this of any cluster.",
                   FormatCount(report.rows)));
  return {};
}

int PlayDemo() {
  Demo demo;
  const Status status = demo.Play();
  return status.ok() ? kExitOk : PrintError("demo", status);
}

}  // namespace

void AddDemo(CommandLine& line) {
  line.Add(&line.app, "demo", "What Homeport does, played and told on a cluster of its own",
           PlayDemo);
}

}  // namespace homeport::cli
