#include "bench/message_traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace homeport::bench {

using core::Result;
using core::Status;
using core::Uin;
using router::Client;
using Clock = std::chrono::steady_clock;

namespace {

constexpr std::chrono::seconds kNewsWait{1};
constexpr std::chrono::seconds kLastArrival{60};
constexpr core::SyncLimits kPage{.items_max = 5000, .bytes_max = 4 << 20};

}  // namespace

int64_t NowNs() {
  return Clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

Latencies Histogram::Take() {
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

// ---- Receiver

Receiver::Receiver(std::unique_ptr<Client> client, Uin user, uint64_t run, bool notified)
    : client_(std::move(client)), user_(user), run_(run), notified_(notified) {}

void Receiver::Run() {
  Clock::time_point deadline = Clock::time_point::max();
  while (status_.ok() && (expected_ < 0 || std::ssize(arrivals_) < expected_)) {
    if (expected_ >= 0 && deadline == Clock::time_point::max())
      deadline = Clock::now() + kLastArrival;
    if (Clock::now() > deadline) return;  // Join tells what is missing
    status_ = notified_ ? AwaitNews() : SyncOnce(0);
  }
}

Status Receiver::AwaitNews() {
  Status status;
  bool called = false;
  client_->AwaitNews(user_, {}, snapshot_, kNewsWait, [&](const Result<router::NewsAnswer>& news) {
    called = true;
    status = news.status();
  });
  while (!called) client_->Poll(kNewsWait);
  return status.ok() ? SyncOnce(NowNs()) : status;
}

// `told_ns`: when there was news; 0: nobody tells.
Status Receiver::SyncOnce(int64_t told_ns) {
  ASSIGN_OR_RETURN(auto page, client_->Sync(user_, snapshot_, kPage,
                                            told_ns == 0 ? kNewsWait : std::chrono::seconds(0)));
  snapshot_ = page.snapshot;
  const int64_t now = NowNs();
  for (const router::SyncedMessage& message : page.messages) {
    Arrival arrival{{}, told_ns == 0 ? now : told_ns, now};
    if (message.body.size() < sizeof arrival.stamp) continue;
    std::memcpy(&arrival.stamp, message.body.data(), sizeof arrival.stamp);
    if (arrival.stamp.run == run_) arrivals_.push_back(arrival);
  }
  return {};
}

Status Receiver::Join(int64_t from_ns, int64_t to_ns, Histogram* synced, Histogram* notified,
                      uint64_t* arrived) {
  if (thread_.joinable()) thread_.join();
  RETURN_IF_ERROR(status_);
  std::set<uint64_t> numbers;
  for (const Arrival& arrival : arrivals_) {
    if (!numbers.insert(arrival.stamp.number).second) {
      return Status::Unavailable(fmt::format("message {} arrived twice", arrival.stamp.number));
    }
    if (arrival.at_ns >= from_ns && arrival.at_ns < to_ns) ++*arrived;
    if (arrival.stamp.sent_ns < from_ns || arrival.stamp.sent_ns >= to_ns) continue;
    synced->Add(arrival.at_ns - arrival.stamp.sent_ns);
    // Of a message that came while the news of an earlier one was on its way nobody is told.
    if (arrival.told_ns > arrival.stamp.sent_ns) {
      notified->Add(arrival.told_ns - arrival.stamp.sent_ns);
    }
  }
  if (static_cast<int64_t>(numbers.size()) != expected_) {
    return Status::Unavailable(
        fmt::format("{} messages were answered, {} arrived", expected_.load(), numbers.size()));
  }
  return {};
}

}  // namespace homeport::bench
