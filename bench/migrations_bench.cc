#include "bench/migrations_bench.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <vector>

#include "core/files.h"
#include "router/client.h"

namespace homeport::bench {
namespace {

using core::Result;
using core::Status;
using core::Uin;
using router::Client;

constexpr core::Duration kTurn = std::chrono::milliseconds(100);
// A watched user's writes before its move, and after it.
constexpr size_t kWritesAround = 10;

// Mover: gives users another home; a user is asked to move twice, and the second time its new home
// answers that it is there.
class Mover {
 public:
  Mover(Client& client, core::Incarnation to) : client_(client), to_(to) {}

  void Start(Uin uin) { Ask(uin, NowNs(), false); }
  uint64_t moved() const { return moved_; }
  const Status& status() const { return status_; }
  Histogram& latencies() { return latencies_; }

 private:
  void Ask(Uin uin, int64_t begun_ns, bool again) {
    client_.ChangeAsync(core::MoveHome{uin, to_},
                        [this, uin, begun_ns, again](const Result<bool>& changed) {
                          if (!changed.ok()) {
                            status_ = changed.status();
                          } else if (!again) {
                            Ask(uin, begun_ns, true);
                          } else {
                            ++moved_;
                            latencies_.Add(NowNs() - begun_ns);
                          }
                        });
  }

  Client& client_;
  const core::Incarnation to_;
  uint64_t moved_ = 0;
  Histogram latencies_;
  Status status_;
};

// One message to oneself after the other; the longest is kept.
class Writer {
 public:
  Writer(Client& client, Uin user) : client_(client), user_(user) {}

  void SendNext() {
    const int64_t sent_ns = NowNs();
    client_.SendAsync(user_, client_.NewClientMessageId(), user_, false, "x",
                      [this, sent_ns](const Result<core::MessageId>& answer) {
                        if (!answer.ok()) {
                          status_ = answer.status();
                          return;
                        }
                        longest_ns_ = std::max(longest_ns_, NowNs() - sent_ns);
                        ++answered_;
                        if (!stopped_) SendNext();
                      });
  }
  void Stop() { stopped_ = true; }
  void ForgetLongest() { longest_ns_ = 0; }
  uint64_t answered() const { return answered_; }
  int64_t longest_ns() const { return longest_ns_; }
  const Status& status() const { return status_; }

 private:
  Client& client_;
  const Uin user_;
  uint64_t answered_ = 0;
  int64_t longest_ns_ = 0;
  bool stopped_ = false;
  Status status_;
};

Status MoveAll(Client& client, const MigrationsBenchOptions& options, core::Incarnation to,
               const std::vector<Uin>& users, MigrationsBenchResult* result) {
  Mover mover(client, to);
  const int64_t begun_ns = NowNs();
  for (size_t asked = 0; mover.moved() < users.size() && mover.status().ok();) {
    while (asked < users.size() && asked - mover.moved() < options.in_flight) {
      mover.Start(users[asked++]);
    }
    client.Poll(kTurn);
  }
  result->seconds = static_cast<double>(NowNs() - begun_ns) / 1e9;
  while (client.in_flight() > 0) client.Poll(kTurn);
  RETURN_IF_ERROR(mover.status());
  result->migrations_per_s = static_cast<double>(users.size()) / result->seconds;
  result->moved = mover.latencies().Take();
  return {};
}

Status Watch(Client& client, core::Incarnation to, Uin user, Histogram* write, Histogram* pause) {
  Writer writer(client, user);
  Mover mover(client, to);
  const auto poll_until = [&](const auto& done) {
    while (!done() && writer.status().ok() && mover.status().ok()) client.Poll(kTurn);
  };
  writer.SendNext();
  poll_until([&] { return writer.answered() >= kWritesAround; });
  write->Add(writer.longest_ns());
  writer.ForgetLongest();
  mover.Start(user);
  poll_until([&] { return mover.moved() == 1; });
  const uint64_t answered = writer.answered();
  poll_until([&] { return writer.answered() >= answered + kWritesAround; });
  pause->Add(writer.longest_ns());
  writer.Stop();
  while (client.in_flight() > 0) client.Poll(kTurn);
  RETURN_IF_ERROR(writer.status());
  return mover.status();
}

}  // namespace

Result<MigrationsBenchResult> RunMigrationsBench(const MigrationsBenchOptions& options) {
  router::ClientOptions connect;
  connect.region = options.from;
  connect.timeout = std::chrono::seconds(60);
  connect.operator_secret = options.config.secret;
  for (const core::RegionConfig& each : options.config.regions) {
    connect.gateways.push_back({each.name, each.incarnation, each.gateway});
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(std::move(connect)));
  const core::Incarnation to = options.config.FindRegion(options.to)->incarnation;
  const std::string prefix = fmt::format("bench-{:x}", core::RandomBits());
  ASSIGN_OR_RETURN(std::vector<Uin> watched,
                   CreateUsers(*client, prefix + "-watched", options.from, options.watched));
  ASSIGN_OR_RETURN(const std::vector<Uin> users,
                   CreateUsers(*client, prefix, options.from, options.users));
  MigrationsBenchResult result;
  Histogram write;
  Histogram pause;
  for (const Uin user : watched) RETURN_IF_ERROR(Watch(*client, to, user, &write, &pause));
  result.write = write.Take();
  result.pause = pause.Take();
  RETURN_IF_ERROR(MoveAll(*client, options, to, users, &result));
  return result;
}

}  // namespace homeport::bench
