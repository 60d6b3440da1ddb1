// A real etcd of three members on loopback. A disturbance kills one of them or stops it, in turn a
// follower and the leader, and brings back the one before.
#include <fmt/format.h>

#include <array>
#include <optional>

#include "coordination/etcd_client.h"
#include "coordination/tests/asker.h"
#include "coordination/tests/child_process.h"
#include "coordination/tests/real_backend.h"

namespace homeport::coordination {
namespace {

constexpr const char* kCluster = "c0ffee";
constexpr size_t kMembers = 3;

std::string FindEtcd() {
  for (const char* path : {"/usr/bin/etcd", "/usr/local/bin/etcd"}) {
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

class EtcdBackend final : public RealBackend {
 public:
  explicit EtcdBackend(std::string program) : program_(std::move(program)) {
    for (size_t i = 0; i < kMembers; ++i) {
      endpoints_.push_back(fmt::format("http://127.0.0.1:{}", FreePort()));
      peers_[i] = fmt::format("http://127.0.0.1:{}", FreePort());
      initial_ += fmt::format("{}m{}={}", i == 0 ? "" : ",", i, peers_[i]);
    }
    Start();
    (void)Asker(this).AskFor<Rows>(Get{"ready"});
  }
  std::unique_ptr<CoordinationStore> NewClient() override {
    auto client = OpenEtcd(kCluster, endpoints_);
    CHECK(client.ok(), "it connects in the background", client.status());
    return std::move(client).value();
  }
  void Disturb() override {
    const StoreStatus status = Asker(this).AskFor<StoreStatus>(AskStatus{});
    if (away_ && members_[*away_]) members_[*away_]->Resume();
    if (away_ && !members_[*away_]) StartMember(*away_);
    const bool leader = turn_ % 2 == 1;
    const bool dies = turn_ % 4 < 2;
    ++turn_;
    for (size_t i = 0; i < status.members.size(); ++i) {
      if (!status.members[i].up || status.members[i].leads != leader) continue;
      if (dies) {
        members_[i].reset();
      } else {
        members_[i]->Pause();
      }
      away_ = i;
      break;
    }
  }
  void Stop() override {
    for (auto& member : members_) member.reset();
  }
  void Start() override {
    for (size_t i = 0; i < kMembers; ++i) StartMember(i);
  }

 private:
  void StartMember(size_t i) {
    const std::string name = fmt::format("m{}", i);
    members_[i].emplace(
        std::vector<std::string>{
            program_, "--name", name, "--data-dir", root() + '/' + name, "--listen-client-urls",
            endpoints_[i], "--advertise-client-urls", endpoints_[i], "--listen-peer-urls",
            peers_[i], "--initial-advertise-peer-urls", peers_[i], "--initial-cluster", initial_,
            "--heartbeat-interval", "50", "--election-timeout", "500"},
        root() + '/' + name + ".log");
  }

  const std::string program_;
  std::vector<std::string> endpoints_;
  std::array<std::string, kMembers> peers_;
  std::string initial_;
  std::array<std::optional<ChildProcess>, kMembers> members_;
  std::optional<size_t> away_;  // killed or stopped
  int turn_ = 0;
};

}  // namespace

std::unique_ptr<Backend> MakeEtcdBackend(std::string* why) {
  std::string program = FindEtcd();
  if (program.empty()) {
    *why = "no etcd here: apt-get install etcd-server";
    return nullptr;
  }
  return std::make_unique<EtcdBackend>(std::move(program));
}

}  // namespace homeport::coordination
