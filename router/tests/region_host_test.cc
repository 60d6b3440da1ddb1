#include "router/region_host.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "router/directory.h"
#include "router/tests/local_cluster.h"
#include "router/tests/must.h"
#include "router/wire.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using core::Code;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr auto kUser = AccountKind::kUser;
constexpr auto kGroup = AccountKind::kGroup;

// All that `user` has received, page by page; waits until there are `count`.
std::vector<std::string> Inbox(Client& client, Uin user, size_t count) {
  std::vector<std::string> bodies;
  std::string snapshot;
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  while (bodies.size() < count && std::chrono::steady_clock::now() < deadline) {
    const SyncResult page = Must(client.Sync(user, snapshot, {}, seconds(5)));
    for (const SyncedMessage& message : page.messages) bodies.push_back(message.body);
    snapshot = page.snapshot;
  }
  return bodies;
}

// Connects, sends, and answers the open connection.
int SendRaw(const std::string& address, const std::string& bytes) {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in to = {};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to), 0);
  EXPECT_EQ(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  return fd;
}

std::string HttpGet(const std::string& address, const std::string& path) {
  const int fd =
      SendRaw(address, "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  std::string answer;
  char buffer[4096];
  for (ssize_t got; (got = ::recv(fd, buffer, sizeof buffer, 0)) > 0;) {
    answer.append(buffer, static_cast<size_t>(got));
  }
  ::close(fd);
  return answer;
}

// Asks again until the answer holds `text`.
std::string HttpGetUntil(const std::string& address, const std::string& path,
                         const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + seconds(60);
  std::string answer;
  while (answer.find(text) == std::string::npos && std::chrono::steady_clock::now() < deadline) {
    answer = HttpGet(address, path);
  }
  return answer;
}

TEST(RegionHostTest, UsersSendAndSync) {
  LocalCluster cluster({"sh"});
  cluster.StartAll("sh");
  const auto client = cluster.Connect("sh");
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const AccountView bob = Must(client->Create(kUser, "bob", "sh"));
  const auto id = client->NewClientMessageId();
  const MessageId sent = Must(client->Send(alice.uin, id, bob.uin, false, "hi"));
  EXPECT_EQ(Must(client->Send(alice.uin, id, bob.uin, false, "hi")), sent);
  EXPECT_EQ(Inbox(*client, bob.uin, 1), std::vector<std::string>{"hi"});
  EXPECT_EQ(Must(client->List(kUser)).size(), 2u);
  EXPECT_EQ(client->Create(kUser, "alice", "sh").status().code(), Code::kTaken);
}

TEST(RegionHostTest, ManyInFlightAreAllAcknowledgedAndDelivered) {
  LocalCluster cluster({"sh"});
  cluster.StartAll("sh");
  const auto client = cluster.Connect("sh");
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const AccountView bob = Must(client->Create(kUser, "bob", "sh"));
  std::set<MessageId> acknowledged;
  std::vector<std::string> bodies;
  for (int i = 0; i < 3000; ++i) {
    bodies.push_back("m" + std::to_string(i));
    client->SendAsync(alice.uin, client->NewClientMessageId(), bob.uin, false, bodies.back(),
                      [&](const Result<MessageId>& result) {
                        EXPECT_TRUE(result.ok()) << result.status();
                        if (result.ok()) acknowledged.insert(*result);
                      });
  }
  while (client->in_flight() > 0) client->Poll(seconds(1));
  EXPECT_EQ(acknowledged.size(), 3000u);
  EXPECT_EQ(Inbox(*client, bob.uin, 3000), bodies);
}

TEST(RegionHostTest, ARestartKeepsAll) {
  LocalCluster cluster({"sh"});
  cluster.StartAll("sh");
  const auto client = cluster.Connect("sh");
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const AccountView bob = Must(client->Create(kUser, "bob", "sh"));
  const AccountView group = Must(client->Create(kGroup, "friends", "sh"));
  EXPECT_TRUE(Must(client->Join(group.uin, bob.uin)));
  const auto id = client->NewClientMessageId();
  const MessageId sent = Must(client->Send(alice.uin, id, group.uin, true, "before"));
  EXPECT_EQ(Must(client->AwaitSequenced(group.uin, alice.uin, id)), 1u);
  for (int life = 0; life < 3; ++life) {
    cluster.StopHost("sh");
    EXPECT_TRUE(cluster.ended("sh")->ok()) << *cluster.ended("sh");
    cluster.StartHost("sh");
    // The same client: it connects again by itself, and waits for the region to be ready.
    EXPECT_EQ(Must(client->Send(alice.uin, id, group.uin, true, "before")), sent);
    EXPECT_EQ(Inbox(*client, bob.uin, 1), std::vector<std::string>{"before"});
    EXPECT_EQ(Must(client->Members(group.uin)), std::vector<Uin>{bob.uin});
  }
}

// The store is a cache of the streams: as after a crash that lost all it had not flushed.
TEST(RegionHostTest, ALostStoreIsReplayedFromTheStreams) {
  LocalCluster cluster({"sh", "hk"});
  cluster.StartAll("sh");
  cluster.StartAll("hk");
  const auto client = cluster.Connect("sh");
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const AccountView bob = Must(client->Create(kUser, "bob", "hk"));
  Must(client->Send(alice.uin, client->NewClientMessageId(), bob.uin, false, "over there"));
  Must(client->Send(bob.uin, client->NewClientMessageId(), alice.uin, false, "and back"));
  EXPECT_EQ(Inbox(*client, bob.uin, 1), std::vector<std::string>{"over there"});
  EXPECT_EQ(Inbox(*client, alice.uin, 1), std::vector<std::string>{"and back"});

  cluster.StopHost("sh");
  std::filesystem::remove_all(cluster.RegionDir("sh") + "/store");
  // What came from hk is replayed from the relay log: hk can be reached no more.
  cluster.StopHost("hk");
  for (uint8_t i = 0; i < 3; ++i) cluster.StopReplica("hk", i);
  cluster.StartHost("sh");
  EXPECT_EQ(Inbox(*client, alice.uin, 1), std::vector<std::string>{"and back"});
  EXPECT_EQ(Must(client->Find(kUser, "bob"))->uin, bob.uin);
  Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "it works on"));
  EXPECT_EQ(Inbox(*client, alice.uin, 2).size(), 2u);
}

TEST(RegionHostTest, TwoRegionsExchangeMessagesAndGroups) {
  LocalCluster cluster({"sh", "hk"});
  cluster.StartAll("sh");
  cluster.StartAll("hk");
  const auto client = cluster.Connect("hk");
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  const AccountView bob = Must(client->Create(kUser, "bob", "hk"));
  const AccountView group = Must(client->Create(kGroup, "friends", "hk"));
  EXPECT_TRUE(Must(client->Join(group.uin, alice.uin)));
  EXPECT_TRUE(Must(client->Join(group.uin, bob.uin)));
  const auto id = client->NewClientMessageId();
  Must(client->Send(alice.uin, id, group.uin, true, "to all"));
  EXPECT_EQ(Must(client->AwaitSequenced(group.uin, alice.uin, id)), 1u);
  EXPECT_TRUE(Must(client->Sync(alice.uin, "", {}, seconds(0))).messages.empty());  // her own
  Must(client->Send(bob.uin, client->NewClientMessageId(), group.uin, true, "and back"));
  EXPECT_EQ(Inbox(*client, alice.uin, 1), std::vector<std::string>{"and back"});
  const SyncResult page = Must(client->Sync(bob.uin, "", {}, seconds(30)));
  ASSERT_EQ(page.messages.size(), 1u);
  EXPECT_EQ(page.messages[0].sender_name, "alice");
  EXPECT_EQ(page.messages[0].group_name, "friends");
}

TEST(RegionHostTest, WorksOnWithOneReplicaDown) {
  LocalCluster cluster({"sh"});
  cluster.StartAll("sh");
  const auto client = cluster.Connect("sh");
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  for (uint8_t down = 0; down < 3; ++down) {
    cluster.StopReplica("sh", down);
    Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "x"));
    cluster.StopHost("sh");  // a takeover, too, needs two only
    cluster.StartHost("sh");
    Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "y"));
    cluster.StartReplica("sh", down);
    Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "z"));
  }
  EXPECT_EQ(Inbox(*client, alice.uin, 9).size(), 9u);
}

TEST(RegionHostTest, WithoutAQuorumItIsNotReadyAndSaysWhy) {
  LocalCluster cluster({"sh"});
  cluster.StartReplica("sh", 1);
  cluster.StartHost("sh");
  const auto client = cluster.Connect("sh", milliseconds(700));
  const auto refused = client->Create(kUser, "alice", "sh");
  EXPECT_EQ(refused.status().code(), Code::kUnavailable);
  EXPECT_NE(refused.status().message().find("replica"), std::string::npos) << refused.status();
  const RegionReport report = Must(client->ReportOf("sh"));
  EXPECT_FALSE(report.ready);
  EXPECT_FALSE(report.shards.at(0).why_not.empty());
  EXPECT_EQ(HttpGet(cluster.http["sh"], "/readyz").rfind("HTTP/1.1 503", 0), 0u);
  EXPECT_EQ(HttpGet(cluster.http["sh"], "/healthz").rfind("HTTP/1.1 200", 0), 0u);

  cluster.StartReplica("sh", 2);
  Must(cluster.Connect("sh")->Create(kUser, "alice", "sh"));
}

TEST(RegionHostTest, TellsHealthReadinessAndMetrics) {
  LocalCluster cluster({"sh", "hk"});  // hk is never started
  cluster.StartAll("sh");
  const auto client = cluster.Connect("sh");
  std::string name = "alice";
  while (NamePartitionHome(name, cluster.config) != core::Incarnation(1)) name += 'x';
  Must(client->Create(kUser, name, "sh"));
  const std::string address = cluster.http["sh"];
  EXPECT_EQ(HttpGetUntil(address, "/readyz", " 200 ").rfind("HTTP/1.1 200", 0), 0u);
  const std::string metrics =
      HttpGetUntil(address, "/metrics", "homeport_region_acknowledged_total{region=\"sh\"} 3");
  for (const char* metric :
       {"homeport_region_acknowledged_total{region=\"sh\"} 3",
        "homeport_region_ready{region=\"sh\"} 1", "homeport_region_stream_applied{",
        "homeport_region_stream_committed{", "homeport_region_lag_entries{from=\"hk\"",
        "homeport_region_lag_seconds{from=\"hk\"", "homeport_region_command_seconds_bucket{",
        "homeport_region_disk_free_bytes{", "homeport_region_notes_total{kind=\"shard_ready\"",
        "homeport_region_commands_queued{", "homeport_region_requests_total{",
        "homeport_build_info{"}) {
    EXPECT_NE(metrics.find(metric), std::string::npos) << metric;
  }
}

// ---- what the network may bring

TEST(RegionHostTest, MalformedFramesDoNoHarm) {
  LocalCluster cluster({"sh"});
  cluster.StartAll("sh");
  const std::string endpoint = cluster.config.regions[0].gateway;
  auto socket = Must(core::DealerSocket::Connect(cluster.context(), endpoint, kResponseBytesMax));
  const std::string good = EncodeRequest(7, HelloRequest{});
  std::vector<core::Frames> messages;
  const auto add = [&](std::vector<std::string> frames) {
    core::Frames message;
    for (std::string& frame : frames) message.emplace_back(std::move(frame));
    messages.push_back(std::move(message));
  };
  add({""});
  add({"x"});
  add({std::string(8, '\0')});
  add({std::string(4096, '\xff')});
  add({"", good});
  add({good, good});
  add(std::vector<std::string>(64, "frame"));
  add({std::string(200000, '\x01')});
  for (size_t size = 0; size < good.size(); ++size) add({good.substr(0, size)});
  for (size_t i = 0; i < good.size(); ++i) {
    std::string flipped = good;
    flipped[i] = static_cast<char>(~flipped[i]);
    add({flipped});
  }
  for (const core::Frames& message : messages) EXPECT_TRUE(socket->Send(message));
  // A frame over the limit ends that connection; a new one is made.
  socket->Send({core::SharedBytes(std::string(kRequestBytesMax + 8, 'x'))});
  const int not_zeromq = SendRaw(endpoint, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  ::close(not_zeromq);

  const auto client = cluster.Connect("sh");
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));
  Must(client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "still here"));
  HttpGetUntil(cluster.http["sh"], "/metrics",
               "homeport_region_acknowledged_total{region=\"sh\"} 4");
  // What came by another connection may be read later.
  const std::string key = "homeport_region_malformed_requests_total{region=\"sh\"} ";
  uint64_t malformed = 0;
  for (int i = 0; i < 20'000 && malformed <= good.size(); ++i) {
    const std::string metrics = HttpGetUntil(cluster.http["sh"], "/metrics", key);
    const size_t at = metrics.find(key);
    ASSERT_NE(at, std::string::npos);
    malformed = std::stoul(metrics.substr(at + key.size()));
  }
  EXPECT_GT(malformed, good.size());
}

// ---- directories

TEST(RegionHostTest, RefusesWhatIsNotItsOwn) {
  LocalCluster cluster({"sh"});
  const auto open = [&](const core::ClusterConfig& config, const std::string& region) {
    return RegionHost::Open(cluster.context(), {config, region}).status();
  };
  core::ClusterConfig config = cluster.config;
  EXPECT_EQ(open(config, "xx").code(), Code::kBadRequest);
  config.cluster = "other";
  EXPECT_EQ(open(config, "sh").code(), Code::kBadRequest);
  config = cluster.config;
  config.shards = 4;
  EXPECT_EQ(open(config, "sh").code(), Code::kBadRequest);
  config = cluster.config;
  config.regions[0].incarnation = core::Incarnation(9);
  EXPECT_EQ(open(config, "sh").code(), Code::kBadRequest);
  config = cluster.config;
  config.data += "/nowhere";
  const core::Status missing = open(config, "sh");
  EXPECT_EQ(missing.code(), Code::kUnavailable);
  EXPECT_NE(missing.message().find("/nowhere/sh"), std::string::npos) << missing;

  cluster.StartHost("sh");
  const core::Status locked = open(cluster.config, "sh");
  EXPECT_FALSE(locked.ok());
  EXPECT_NE(locked.message().find(std::to_string(::getpid())), std::string::npos) << locked;
}

TEST(RegionHostTest, FormatRefusesToFormatTwice) {
  LocalCluster cluster({"sh"});
  const std::vector<core::DiskId> disks = {core::DiskId(1), core::DiskId(2), core::DiskId(3)};
  EXPECT_EQ(FormatRegion(cluster.config, "sh", disks).code(), Code::kBadRequest);
  EXPECT_EQ(FormatRegion(cluster.config, "xx", disks).code(), Code::kBadRequest);
  EXPECT_EQ(FormatRegion(cluster.config, "sh", {core::DiskId(1)}).code(), Code::kBadRequest);
}

// A copy of the directory, started by mistake: whoever comes later fences the other.
TEST(RegionHostTest, StopsWhenAnotherProcessTakesItsStreams) {
  LocalCluster cluster({"sh"});
  cluster.StartAll("sh");
  const auto client = cluster.Connect("sh", seconds(4));
  const AccountView alice = Must(client->Create(kUser, "alice", "sh"));

  quorum_queue::TempDir elsewhere;
  core::ClusterConfig copy = cluster.config;
  copy.data = elsewhere.path();
  copy.regions[0].gateway = "tcp://127.0.0.1:0";
  std::filesystem::create_directory(copy.data + "/sh");
  for (const char* file : {"/sh/IDENTITY", "/sh/GRANTS"}) {
    std::filesystem::copy_file(cluster.config.data + file, copy.data + file);
  }
  auto other = RegionHost::Open(cluster.context(), {copy, "sh"});
  ASSERT_TRUE(other.ok()) << other.status();
  const std::string endpoint = (*other)->gateway();
  std::shared_ptr<RegionHost> shared = std::move(other).value();
  const Runner running([shared](const std::atomic<bool>& stop) {
    const core::Status status = shared->Run(stop);
    EXPECT_TRUE(status.ok()) << status;
  });
  ClientOptions options;
  options.gateways = {{"sh", {}, endpoint}};
  const auto second = Must(Client::Connect(options));
  Must(second->Send(alice.uin, second->NewClientMessageId(), alice.uin, false, "hi"));
  // The first learns it with its next write, which therefore is not acknowledged by it.
  const auto refused = client->Send(alice.uin, client->NewClientMessageId(), alice.uin, false, "x");
  EXPECT_FALSE(refused.ok());
  ASSERT_TRUE(cluster.ended("sh"));
  EXPECT_EQ(cluster.ended("sh")->code(), Code::kUnavailable);
}

}  // namespace
}  // namespace homeport::router
