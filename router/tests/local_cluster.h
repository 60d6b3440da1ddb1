// LocalCluster: whole regions in this process, for tests: three ReplicaServers each on threads, and
// RegionHosts, with real files, sockets and time. Parts can be stopped and started again.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/files.h"
#include "core/socket.h"
#include "quorum_queue/identity.h"
#include "quorum_queue/replica_server.h"
#include "quorum_queue/tests/temp_dir.h"
#include "router/client.h"
#include "router/region_host.h"

namespace homeport::router {

// Runs something on a thread until it is stopped.
class Runner {
 public:
  template <class Run>
  explicit Runner(Run run) : thread_([this, run] { run(stop_); }) {}
  ~Runner() {
    stop_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class LocalCluster {
 public:
  explicit LocalCluster(const std::vector<std::string>& names, uint16_t shards = 2) {
    config.file = "cluster.toml";
    config.cluster = "feed";
    config.shards = shards;
    config.data = dir_.path();
    config.segment_bytes = 8 << 20;
    for (const std::string& name : names) {
      core::RegionConfig region;
      region.name = name;
      region.incarnation = core::Incarnation(static_cast<uint16_t>(config.regions.size() + 1));
      region.gateway = FreeEndpoint();
      region.http = "127.0.0.1:0";
      for (auto& replica : region.replicas) replica.endpoint = FreeEndpoint();
      config.regions.push_back(region);
    }
    for (const std::string& name : names) Format(name);
  }

  void StartReplica(const std::string& region, uint8_t index) {
    quorum_queue::ReplicaServerOptions options;
    options.dir = ReplicaDir(region, index);
    options.endpoint = config.FindRegion(region)->replicas[index].endpoint;
    options.expected = IdentityOf(region, static_cast<uint8_t>(index + 1));
    options.log.segment_bytes = config.segment_bytes;
    auto server = Listening([&] { return quorum_queue::ReplicaServer::Open(context_, options); });
    ASSERT_TRUE(server.ok()) << server.status();
    std::shared_ptr<quorum_queue::ReplicaServer> shared = std::move(server).value();
    replicas_[{region, index}] =
        std::make_unique<Runner>([shared](const std::atomic<bool>& stop) { shared->Run(stop); });
  }
  void StopReplica(const std::string& region, uint8_t index) { replicas_.erase({region, index}); }

  void StartHost(const std::string& region) {
    auto host = Listening([&] { return RegionHost::Open(context_, {config, region}); });
    ASSERT_TRUE(host.ok()) << host.status();
    std::shared_ptr<RegionHost> shared = std::move(host).value();
    http[region] = shared->http();
    hosts_[region] =
        std::make_unique<Runner>([this, region, shared](const std::atomic<bool>& stop) {
          core::Status status = shared->Run(stop);
          std::lock_guard lock(mutex_);
          ended_[region] = std::move(status);
        });
  }
  void StopHost(const std::string& region) { hosts_.erase(region); }
  void StartAll(const std::string& region) {
    for (uint8_t i = 0; i < 3; ++i) StartReplica(region, i);
    StartHost(region);
  }
  // How Run ended, once it has.
  std::optional<core::Status> ended(const std::string& region) {
    std::lock_guard lock(mutex_);
    const auto at = ended_.find(region);
    return at != ended_.end() ? std::optional(at->second) : std::nullopt;
  }

  // `timeout`: of each call. Connecting may take longer: the machine may be busy.
  std::unique_ptr<Client> Connect(const std::string& region,
                                  core::Duration timeout = std::chrono::seconds(60)) {
    ClientOptions options;
    options.gateways = {{region, {}, config.FindRegion(region)->gateway}};
    options.timeout = timeout;
    auto client = Client::Connect(options);
    for (int i = 0; i < 100 && !client.ok(); ++i) client = Client::Connect(options);
    CHECK(client.ok(), "a region that runs is connected to", client.status());
    return std::move(client).value();
  }

  std::string RegionDir(const std::string& region) const { return config.data + '/' + region; }
  std::string ReplicaDir(const std::string& region, uint8_t index) const {
    return RegionDir(region) + "/replica-" + std::to_string(index + 1);
  }
  core::Context& context() { return context_; }

  core::ClusterConfig config;
  std::map<std::string, std::string> http;  // addresses

 private:
  // A port is free again only a moment after its socket was closed.
  template <class Open>
  static std::invoke_result_t<Open> Listening(const Open& open) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    auto opened = open();
    while (!opened.ok() && opened.status().code() == core::Code::kIo &&
           std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
      opened = open();
    }
    return opened;
  }
  // Below the ports that the system gives to outgoing connections: one of those could take the
  // place of a server that is stopped for a moment, even one that tries to connect to it.
  std::string FreeEndpoint() {
    while (true) {
      const std::string endpoint = "tcp://127.0.0.1:" + std::to_string(next_port_++);
      auto socket = core::RouterSocket::Bind(reserve_, endpoint, 1000);
      if (socket.ok()) return endpoint;
    }
  }
  quorum_queue::Identity IdentityOf(const std::string& region, uint8_t replica) const {
    quorum_queue::Identity identity;
    identity.cluster = config.cluster;
    identity.region = region;
    identity.incarnation = config.FindRegion(region)->incarnation;
    identity.replica = replica;
    identity.shards = config.shards;
    return identity;
  }
  void Format(const std::string& region) {
    std::vector<core::DiskId> disks;
    for (int i = 0; i < 3; ++i) disks.push_back(quorum_queue::NewDiskId());
    const core::Status formatted = FormatRegion(config, region, disks);
    ASSERT_TRUE(formatted.ok()) << formatted;
    for (uint8_t i = 0; i < 3; ++i) {
      quorum_queue::Identity identity = IdentityOf(region, static_cast<uint8_t>(i + 1));
      identity.disk = disks[i];
      const core::Status replica = quorum_queue::FormatReplica(ReplicaDir(region, i), identity);
      ASSERT_TRUE(replica.ok()) << replica;
    }
  }

  quorum_queue::TempDir dir_;
  core::Context reserve_;
  int next_port_ = 12000 + static_cast<int>(core::RandomBits() % 18000);
  core::Context context_;
  std::mutex mutex_;
  std::map<std::string, core::Status> ended_;
  std::map<std::pair<std::string, uint8_t>, std::unique_ptr<Runner>> replicas_;
  std::map<std::string, std::unique_ptr<Runner>> hosts_;  // stopped first
};

}  // namespace homeport::router
