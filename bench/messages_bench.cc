#include "bench/messages_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "core/files.h"
#include "router/client.h"

namespace homeport::bench {
namespace {

using core::Duration;
using core::Result;
using core::Status;
using core::Uin;
using router::Client;

// Members of the groups that fill a store, and their messages under way.
constexpr size_t kFillMembers = 500;
constexpr size_t kFillInFlight = 64;

// Sender: keeps `in_flight` messages under way, from all senders in turn to all receivers in turn.
class Sender {
 public:
  Sender(Client& client, const MessagesBenchOptions& options, std::vector<Uin> senders,
         std::vector<Uin> targets, uint64_t run)
      : client_(client),
        options_(options),
        senders_(std::move(senders)),
        targets_(std::move(targets)),
        run_(run),
        sent_to_(targets_.size()),
        body_(std::max(options.body_bytes, sizeof(BodyStamp)), '.') {}

  Status Run();
  int64_t measured_from_ns() const { return measured_from_ns_; }
  int64_t measured_to_ns() const { return measured_to_ns_; }
  uint64_t measured() const { return measured_; }
  Histogram& answered() { return answered_; }
  uint64_t sent_to(size_t target) const { return sent_to_[target]; }

 private:
  int64_t DueNs(int64_t started_ns) const;
  void SendNext();

  Client& client_;
  const MessagesBenchOptions& options_;
  const std::vector<Uin> senders_;
  const std::vector<Uin> targets_;
  const uint64_t run_;
  std::vector<uint64_t> sent_to_;
  std::string body_;
  uint64_t next_ = 0;
  uint64_t measured_ = 0;
  int64_t measured_from_ns_ = 0;
  int64_t measured_to_ns_ = 0;
  Histogram answered_;
  Status status_;
};

// When the next message is to leave.
int64_t Sender::DueNs(int64_t started_ns) const {
  if (options_.rate <= 0) return started_ns;
  return started_ns + static_cast<int64_t>(static_cast<double>(next_) / options_.rate * 1e9);
}

void Sender::SendNext() {
  const uint64_t number = next_++;
  const size_t target = number % targets_.size();
  const BodyStamp stamp{run_, number, NowNs()};
  std::memcpy(body_.data(), &stamp, sizeof stamp);
  ++sent_to_[target];
  client_.SendAsync(senders_[number % senders_.size()], client_.NewClientMessageId(),
                    targets_[target], options_.group > 0, body_,
                    [this, sent_ns = stamp.sent_ns](const Result<core::MessageId>& answer) {
                      const int64_t now = NowNs();
                      if (!answer.ok()) {
                        status_ = answer.status();
                      } else if (now >= measured_from_ns_ && now < measured_to_ns_) {
                        ++measured_;
                        answered_.Add(now - sent_ns);
                      }
                    });
}

Status Sender::Run() {
  const auto ns = [](double seconds) { return static_cast<int64_t>(seconds * 1e9); };
  measured_from_ns_ = NowNs() + ns(options_.warmup_seconds);
  measured_to_ns_ = measured_from_ns_ + ns(options_.seconds);
  const int64_t started_ns = NowNs();
  while (status_.ok() && NowNs() < measured_to_ns_) {
    while (client_.in_flight() < options_.in_flight && NowNs() >= DueNs(started_ns)) SendNext();
    const int64_t until_due = std::max<int64_t>(0, DueNs(started_ns) - NowNs());
    const bool full = client_.in_flight() >= options_.in_flight;
    client_.Poll(full ? Duration(std::chrono::milliseconds(100)) : Duration(until_due));
  }
  while (status_.ok() && client_.in_flight() > 0) client_.Poll(std::chrono::milliseconds(100));
  return status_;
}

// A group in `region` with `members`, and what they are to post as.
Result<Uin> MakeGroup(Client& client, const std::string& name, const std::string& region,
                      const std::vector<Uin>& members) {
  ASSIGN_OR_RETURN(const auto group, client.Create(core::AccountKind::kGroup, name, region));
  for (const Uin member : members) RETURN_IF_ERROR(client.Join(group.uin, member).status());
  return group.uin;
}

// Puts `items` into inboxes of `region`, by messages to a group. Answers how many a second.
Result<double> Fill(Client& client, const MessagesBenchOptions& options, uint64_t run) {
  ASSIGN_OR_RETURN(const auto members, CreateUsers(client, fmt::format("bench-{:x}-fill", run),
                                                   options.to, kFillMembers));
  ASSIGN_OR_RETURN(const Uin group,
                   MakeGroup(client, fmt::format("bench-{:x}-filled", run), options.to, members));
  const int64_t started_ns = NowNs();
  const uint64_t messages = options.stored / (kFillMembers - 1) + 1;
  const std::string body(options.body_bytes, 'f');
  Status status;
  for (uint64_t sent = 0; sent < messages && status.ok();) {
    for (; sent < messages && client.in_flight() < kFillInFlight; ++sent) {
      client.SendAsync(members[sent % members.size()], client.NewClientMessageId(), group, true,
                       body, [&status](const Result<core::MessageId>& answer) {
                         if (!answer.ok()) status = answer.status();
                       });
    }
    client.Poll(std::chrono::milliseconds(100));
  }
  const auto last = client.NewClientMessageId();
  while (client.in_flight() > 0) client.Poll(std::chrono::milliseconds(100));
  RETURN_IF_ERROR(status);
  RETURN_IF_ERROR(client.Send(members[0], last, group, true, body).status());
  RETURN_IF_ERROR(client.AwaitSequenced(group, members[0], last).status());
  // The last one's copies come behind all others: one member has them when it has that one.
  std::string snapshot;
  for (uint64_t seen = 0; seen < messages - messages / kFillMembers - 1;) {
    ASSIGN_OR_RETURN(const auto page,
                     client.Sync(members[1], snapshot, {}, std::chrono::seconds(1)));
    seen += page.messages.size();
    snapshot = page.snapshot;
  }
  return static_cast<double>(messages * (kFillMembers - 1)) /
         (static_cast<double>(NowNs() - started_ns) / 1e9);
}

}  // namespace

Result<MessagesBenchResult> RunMessagesBench(const MessagesBenchOptions& options) {
  const uint64_t run = core::RandomBits();
  MessagesBenchResult result;
  ASSIGN_OR_RETURN(const auto client, ConnectTo(options.config, options.from));
  if (options.stored > 0) {
    ASSIGN_OR_RETURN(result.stored_per_s, Fill(*client, options, run));
  }
  ASSIGN_OR_RETURN(auto senders, CreateUsers(*client, fmt::format("bench-{:x}-from", run),
                                             options.from, options.senders));
  ASSIGN_OR_RETURN(const auto users, CreateUsers(*client, fmt::format("bench-{:x}-to", run),
                                                 options.to, options.receivers));
  std::vector<Uin> targets = users;
  if (options.group > 0) {
    std::vector<Uin> members = users;
    members.insert(members.end(), senders.begin(), senders.end());
    const size_t more = options.group - std::min(options.group, members.size());
    ASSIGN_OR_RETURN(const auto others,
                     CreateUsers(*client, fmt::format("bench-{:x}-in", run), options.to, more));
    members.insert(members.end(), others.begin(), others.end());
    ASSIGN_OR_RETURN(const Uin group,
                     MakeGroup(*client, fmt::format("bench-{:x}-group", run), options.to, members));
    targets = {group};
  }
  std::vector<std::unique_ptr<Receiver>> receivers;
  for (const Uin user : users) {
    ASSIGN_OR_RETURN(auto receiving, ConnectTo(options.config, options.to));
    receivers.push_back(
        std::make_unique<Receiver>(std::move(receiving), user, run, options.notified));
  }
  for (const auto& receiver : receivers) receiver->Start();
  Sender sender(*client, options, std::move(senders), targets, run);
  Status status = sender.Run();
  for (size_t i = 0; i < receivers.size(); ++i) {
    receivers[i]->Expect(status.ok() ? sender.sent_to(i % targets.size()) : 0);
  }
  Histogram synced;
  Histogram notified;
  uint64_t arrived = 0;
  for (const auto& receiver : receivers) {
    const Status joined = receiver->Join(sender.measured_from_ns(), sender.measured_to_ns(),
                                         &synced, &notified, &arrived);
    if (status.ok()) status = joined;
  }
  RETURN_IF_ERROR(status);
  const double copies = options.group > 0 ? static_cast<double>(options.group - 1) /
                                                static_cast<double>(options.receivers)
                                          : 1;
  result.seconds = options.seconds;
  result.messages = sender.measured();
  result.messages_per_s = static_cast<double>(result.messages) / options.seconds;
  result.mb_per_s = result.messages_per_s * static_cast<double>(options.body_bytes) / 1e6;
  result.inserts_per_s = static_cast<double>(arrived) * copies / options.seconds;
  result.answered = sender.answered().Take();
  result.notified = notified.Take();
  result.synced = synced.Take();
  return result;
}

}  // namespace homeport::bench
