#include "bench/messages_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <deque>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "core/files.h"
#include "router/client.h"

namespace homeport::bench {
namespace {

using core::Result;
using core::Status;
using core::Uin;
using router::Client;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kSyncWait{1};
constexpr std::chrono::seconds kLastArrival{60};
constexpr core::SyncLimits kPage{.items_max = 5000, .bytes_max = 4 << 20};

// What a body begins with.
struct Stamp {
  uint64_t run = 0;
  uint64_t number = 0;
  int64_t sent_ns = 0;
};

int64_t NowNs() {
  return Clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

class Histogram {
 public:
  void Add(int64_t ns) { samples_.push_back(ns); }
  Latencies Take() {
    Latencies latencies;
    if (samples_.empty()) return latencies;
    std::sort(samples_.begin(), samples_.end());
    const auto at = [&](double share) {
      const auto index = static_cast<size_t>(share * static_cast<double>(samples_.size()));
      return static_cast<double>(samples_[std::min(index, samples_.size() - 1)]) / 1000;
    };
    latencies.p50 = at(0.5);
    latencies.p99 = at(0.99);
    latencies.p999 = at(0.999);
    latencies.max = static_cast<double>(samples_.back()) / 1000;
    return latencies;
  }

 private:
  std::vector<int64_t> samples_;
};

Result<std::unique_ptr<Client>> ConnectTo(const core::ClusterConfig& config,
                                          const std::string& region) {
  router::ClientOptions options;
  options.region = region;
  options.timeout = std::chrono::seconds(30);
  for (const core::RegionConfig& each : config.regions) {
    options.gateways.push_back({each.name, each.incarnation, each.gateway});
  }
  return Client::Connect(std::move(options));
}

Result<std::vector<Uin>> CreateUsers(Client& client, const std::string& prefix,
                                     const std::string& home, size_t count) {
  std::vector<Uin> users;
  for (size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const auto user, client.Create(core::AccountKind::kUser,
                                                    fmt::format("{}-{}", prefix, i), home));
    users.push_back(user.uin);
  }
  return users;
}

// Receiver: syncs one user until it has all that the senders say was sent to it.
class Receiver {
 public:
  Receiver(std::unique_ptr<Client> client, Uin user, uint64_t run)
      : client_(std::move(client)), user_(user), run_(run) {}
  void Start() {
    thread_ = std::thread([this] { Run(); });
  }
  // After the last message to it was answered: `sent` were.
  void Expect(uint64_t sent) { expected_ = static_cast<int64_t>(sent); }
  Status Join(int64_t measured_from_ns, int64_t measured_to_ns, Histogram* synced);
  Uin user() const { return user_; }

 private:
  struct Arrival {
    Stamp stamp;
    int64_t at_ns;
  };
  void Run();
  void Note(const std::vector<router::SyncedMessage>& messages);

  std::unique_ptr<Client> client_;
  const Uin user_;
  const uint64_t run_;
  std::atomic<int64_t> expected_{-1};
  std::vector<Arrival> arrivals_;
  Status status_;
  std::thread thread_;
};

void Receiver::Run() {
  std::string snapshot;
  Clock::time_point deadline = Clock::time_point::max();
  while (expected_ < 0 || static_cast<int64_t>(arrivals_.size()) < expected_) {
    if (expected_ >= 0 && deadline == Clock::time_point::max())
      deadline = Clock::now() + kLastArrival;
    if (Clock::now() > deadline) return;  // Join tells what is missing
    auto page = client_->Sync(user_, snapshot, kPage, kSyncWait);
    if (!page.ok()) {
      status_ = page.status();
      return;
    }
    snapshot = page->snapshot;
    Note(page->messages);
  }
}

void Receiver::Note(const std::vector<router::SyncedMessage>& messages) {
  const int64_t now = NowNs();
  for (const router::SyncedMessage& message : messages) {
    Arrival arrival{{}, now};
    if (message.body.size() < sizeof arrival.stamp) continue;
    std::memcpy(&arrival.stamp, message.body.data(), sizeof arrival.stamp);
    if (arrival.stamp.run == run_) arrivals_.push_back(arrival);
  }
}

Status Receiver::Join(int64_t measured_from_ns, int64_t measured_to_ns, Histogram* synced) {
  if (thread_.joinable()) thread_.join();
  RETURN_IF_ERROR(status_);
  std::set<uint64_t> numbers;
  for (const Arrival& arrival : arrivals_) {
    if (!numbers.insert(arrival.stamp.number).second) {
      return Status::Unavailable(fmt::format("message {} arrived twice", arrival.stamp.number));
    }
    const bool measured =
        arrival.stamp.sent_ns >= measured_from_ns && arrival.stamp.sent_ns < measured_to_ns;
    if (measured) synced->Add(arrival.at_ns - arrival.stamp.sent_ns);
  }
  if (static_cast<int64_t>(numbers.size()) != expected_) {
    return Status::Unavailable(
        fmt::format("{} messages were answered, {} arrived", expected_.load(), numbers.size()));
  }
  return {};
}

// Sender: keeps `in_flight` messages under way, from all senders in turn to all receivers in turn.
class Sender {
 public:
  Sender(Client& client, const MessagesBenchOptions& options, std::vector<Uin> senders,
         const std::vector<std::unique_ptr<Receiver>>& receivers, uint64_t run)
      : client_(client),
        options_(options),
        senders_(std::move(senders)),
        receivers_(receivers),
        run_(run),
        sent_to_(receivers.size()),
        body_(std::max(options.body_bytes, sizeof(Stamp)), '.') {}

  Status Run();
  int64_t measured_from_ns() const { return measured_from_ns_; }
  int64_t measured_to_ns() const { return measured_to_ns_; }
  uint64_t measured() const { return measured_; }
  Histogram& answered() { return answered_; }
  uint64_t sent_to(size_t receiver) const { return sent_to_[receiver]; }

 private:
  void SendNext();

  Client& client_;
  const MessagesBenchOptions& options_;
  const std::vector<Uin> senders_;
  const std::vector<std::unique_ptr<Receiver>>& receivers_;
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

void Sender::SendNext() {
  const uint64_t number = next_++;
  const size_t receiver = number % receivers_.size();
  const Stamp stamp{run_, number, NowNs()};
  std::memcpy(body_.data(), &stamp, sizeof stamp);
  ++sent_to_[receiver];
  client_.SendAsync(senders_[number % senders_.size()], client_.NewClientMessageId(),
                    receivers_[receiver]->user(), false, body_,
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
  while (status_.ok() && NowNs() < measured_to_ns_) {
    while (client_.in_flight() < options_.in_flight) SendNext();
    client_.Poll(std::chrono::milliseconds(100));
  }
  while (status_.ok() && client_.in_flight() > 0) client_.Poll(std::chrono::milliseconds(100));
  return status_;
}

}  // namespace

Result<MessagesBenchResult> RunMessagesBench(const MessagesBenchOptions& options) {
  const uint64_t run = core::RandomBits();
  ASSIGN_OR_RETURN(const auto client, ConnectTo(options.config, options.from));
  ASSIGN_OR_RETURN(const auto senders, CreateUsers(*client, fmt::format("bench-{:x}-from", run),
                                                   options.from, options.senders));
  ASSIGN_OR_RETURN(const auto users, CreateUsers(*client, fmt::format("bench-{:x}-to", run),
                                                 options.to, options.receivers));
  std::vector<std::unique_ptr<Receiver>> receivers;
  for (const Uin user : users) {
    ASSIGN_OR_RETURN(auto receiving, ConnectTo(options.config, options.to));
    receivers.push_back(std::make_unique<Receiver>(std::move(receiving), user, run));
  }
  for (const auto& receiver : receivers) receiver->Start();
  Sender sender(*client, options, senders, receivers, run);
  Status status = sender.Run();
  Histogram synced;
  for (size_t i = 0; i < receivers.size(); ++i) {
    receivers[i]->Expect(status.ok() ? sender.sent_to(i) : 0);
  }
  for (const auto& receiver : receivers) {
    const Status joined =
        receiver->Join(sender.measured_from_ns(), sender.measured_to_ns(), &synced);
    if (status.ok()) status = joined;
  }
  RETURN_IF_ERROR(status);
  MessagesBenchResult result;
  result.seconds = options.seconds;
  result.messages = sender.measured();
  result.messages_per_s = static_cast<double>(result.messages) / options.seconds;
  result.mb_per_s = result.messages_per_s * static_cast<double>(options.body_bytes) / 1e6;
  result.answered = sender.answered().Take();
  result.synced = synced.Take();
  return result;
}

}  // namespace homeport::bench
