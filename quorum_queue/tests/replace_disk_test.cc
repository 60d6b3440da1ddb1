// A lost disk, with real replicas, sockets and directories: formatted anew, restored by the keeper.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "core/files.h"
#include "quorum_queue/identity.h"
#include "quorum_queue/queue_keeper.h"
#include "quorum_queue/replica_server.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::quorum_queue {
namespace {

constexpr WriterEpoch kEpoch = MakeEpoch(1, 7);

Identity IdentityOf(uint8_t replica) {
  Identity identity;
  identity.cluster = "c1";
  identity.region = "sh";
  identity.incarnation = core::Incarnation(1);
  identity.replica = replica;
  identity.shards = 8;
  return identity;
}

// ---- FormatForReplace

TEST(FormatForReplaceTest, GivesANewDirectoryANewRecoveringDisk) {
  const TempDir root;
  const std::string dir = root.path() + "/replica-1";
  const auto done = FormatForReplace(dir, IdentityOf(1), DiskId());
  ASSERT_TRUE(done.ok()) << done.status();
  const auto identity = ReadIdentity(dir);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE(identity->recovering);
  EXPECT_NE(identity->disk, DiskId());
  // Again, as a supervisor would: nothing changes.
  ASSERT_TRUE(FormatForReplace(dir, IdentityOf(1), DiskId()).ok());
  EXPECT_EQ(ReadIdentity(dir)->disk, identity->disk);
}

TEST(FormatForReplaceTest, MovesItsOwnDirectoryAwayOnlyWhenItsDiskIsNamed) {
  const TempDir root;
  const std::string dir = root.path() + "/replica-1";
  Identity old = IdentityOf(1);
  old.disk = DiskId(0xabc);
  ASSERT_TRUE(FormatReplica(dir, old).ok());
  ASSERT_TRUE(FormatForReplace(dir, IdentityOf(1), DiskId(0xdef)).ok());
  EXPECT_EQ(ReadIdentity(dir)->disk, old.disk);
  ASSERT_TRUE(FormatForReplace(dir, IdentityOf(1), old.disk).ok());
  EXPECT_TRUE(ReadIdentity(dir)->recovering);
  EXPECT_EQ(ReadIdentity(dir + ".replaced-0000000000000abc")->disk, old.disk);
}

TEST(FormatForReplaceTest, TouchesNothingThatIsNotItsOwn) {
  const TempDir root;
  const std::string other = root.path() + "/replica-2";
  Identity old = IdentityOf(2);
  old.disk = DiskId(5);
  ASSERT_TRUE(FormatReplica(other, old).ok());
  EXPECT_FALSE(FormatForReplace(other, IdentityOf(1), old.disk).ok());
  EXPECT_EQ(ReadIdentity(other)->disk, old.disk);
  const std::string full = root.path() + "/full";
  ASSERT_TRUE(core::MakeDirectories(full + "/photos").ok());
  EXPECT_FALSE(FormatForReplace(full, IdentityOf(1), DiskId()).ok());
  EXPECT_TRUE(core::Exists(full + "/photos"));
}

TEST(FormatForReplaceTest, ADirectoryInUseStaysWhereItIs) {
  const TempDir root;
  const std::string dir = root.path() + "/replica-1";
  Identity old = IdentityOf(1);
  old.disk = DiskId(0xabc);
  ASSERT_TRUE(FormatReplica(dir, old).ok());
  auto running = core::DirectoryLock::Take(dir);
  ASSERT_TRUE(running.ok());
  const auto refused = FormatForReplace(dir, IdentityOf(1), old.disk);
  EXPECT_EQ(refused.status().code(), core::Code::kUnavailable);
  EXPECT_EQ(ReadIdentity(dir)->disk, old.disk);
  running->reset();
  EXPECT_TRUE(FormatForReplace(dir, IdentityOf(1), old.disk).ok());
  EXPECT_TRUE(ReadIdentity(dir)->recovering);
}

TEST(FormatForReplaceTest, SaysWhatToDoAboutAnIdentityThatCannotBeRead) {
  const TempDir root;
  const std::string dir = root.path() + "/replica-1";
  ASSERT_TRUE(core::MakeDirectories(dir).ok());
  ASSERT_TRUE(core::WriteFileAtomically(dir + "/IDENTITY", "torn").ok());
  const auto refused = FormatForReplace(dir, IdentityOf(1), DiskId(5));
  EXPECT_EQ(refused.status().code(), core::Code::kCorrupt);
  EXPECT_NE(refused.status().message().find("move it away by hand"), std::string::npos);
}

TEST(FormatForReplaceTest, AFormatThatWasCutShortIsDoneAgain) {
  const TempDir root;
  const std::string dir = root.path() + "/replica-1";
  ASSERT_TRUE(core::MakeDirectories(dir).ok());
  ASSERT_TRUE(core::WriteFileAtomically(dir + "/IDENTITY.tmp", "half").ok());
  EXPECT_TRUE(FormatForReplace(dir, IdentityOf(1), DiskId()).ok());
  EXPECT_TRUE(ReadIdentity(dir)->recovering);
}

// ---- the whole

class Server {
 public:
  Server(core::Context& context, const std::string& dir, uint8_t replica, bool waits = false) {
    ReplicaServerOptions options;
    options.replica.needs_admission = waits;
    options.dir = dir;
    options.endpoint = "tcp://127.0.0.1:0";
    options.expected = IdentityOf(replica);
    options.log.segment_bytes = 512 << 10;
    options.log.record_bytes_max = 128 << 10;
    options.log.prepared_segments = 1;
    auto opened = ReplicaServer::Open(context, std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.status();
    server_ = std::move(opened).value();
    thread_ = std::thread([this] { server_->Run(stop_); });
  }
  ~Server() {
    stop_ = true;
    thread_.join();
  }
  const std::string& endpoint() const { return server_->endpoint(); }
  ReplicaPhase phase() const { return server_->phase(); }

 private:
  std::unique_ptr<ReplicaServer> server_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

// Waits, with a deadline.
template <class Condition>
bool Within(std::chrono::seconds limit, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return true;
}

template <class Answer>
Answer Ask(QueueClient* client, ReplicaSlot slot, const ReplicaRequest& request) {
  ReplicaSlot from;
  ReplicaAnswer answer;
  Answer wanted{};
  const bool came = Within(std::chrono::seconds(20), [&] {
    client->Send(slot, request);
    core::Poller poller;
    client->AddTo(&poller);
    poller.Wait(100000);
    while (client->Receive(&from, &answer)) {
      if (from == slot && std::holds_alternative<Answer>(answer)) {
        wanted = std::get<Answer>(answer);
        return true;
      }
    }
    return false;
  });
  EXPECT_TRUE(came);
  return wanted;
}

TEST(ReplaceDiskTest, AReplicaWithANewDiskBecomesAFullMemberAndStaysOne) {
  const TempDir root;
  core::Context context;
  Group group;
  group.id = GroupId(1);
  std::vector<std::unique_ptr<Server>> servers;
  std::vector<QueueClient::Endpoint> endpoints;
  const auto dir_of = [&](uint8_t replica) {
    return root.path() + "/replica-" + std::to_string(replica);
  };
  for (uint8_t r = 1; r <= 2; ++r) {
    Identity identity = IdentityOf(r);
    identity.disk = group.disks[r - 1] = DiskId(r);
    ASSERT_TRUE(FormatReplica(dir_of(r), identity).ok());
  }
  group.disks[2] = DiskId(3);  // was lost
  ASSERT_TRUE(FormatForReplace(dir_of(3), IdentityOf(3), DiskId()).ok());
  const DiskId fresh = ReadIdentity(dir_of(3))->disk;
  for (uint8_t r = 1; r <= 3; ++r) {
    servers.push_back(std::make_unique<Server>(context, dir_of(r), r));
    endpoints.push_back({{1, static_cast<uint8_t>(r - 1)}, servers.back()->endpoint()});
  }
  auto client = QueueClient::Connect(context, endpoints, core::WhenDown::kQueue).value();
  // 1 .. 5 at the first, 1 .. 3 at the second; committed 2.
  for (const uint8_t slot : {0, 1}) {
    Append append{kTestStream, kEpoch, {{kEpoch, Seq(1)}}, {}, Seq(2), Seq(0)};
    append.run = MakeRun(1, kEpoch.value(), slot == 0 ? 5 : 3);
    Ask<Stored>(client.get(), {1, slot}, append);
  }

  const std::string file = root.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, core::Incarnation(1), {group}).ok());
  const auto grants = LocalGrantStore::Open(file, core::Incarnation(1)).value();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(grants->TakeGrant().ok());
  QueueKeeperOptions options;
  options.region = "sh";
  options.find_endpoints = [&](const auto&) { return core::Result(endpoints); };
  options.grant = grants->TakeGrant().value();
  options.grants = grants.get();
  options.streams = {kTestStream};
  options.restorer.look_every = std::chrono::milliseconds(50);
  auto keeper = QueueKeeper::Start(context, std::move(options));
  ASSERT_TRUE(keeper.ok()) << keeper.status();
  EXPECT_TRUE(Within(std::chrono::seconds(30), [&] { return (*keeper)->Status().restored == 1; }));
  EXPECT_FALSE(ReadIdentity(dir_of(3))->recovering);

  const auto held = Ask<HoldingsAnswer>(client.get(), {1, 2}, Holdings{kTestStream, Seq(1)});
  EXPECT_EQ(held.disk, fresh);
  EXPECT_EQ(held.committed, Seq(2));
  ASSERT_EQ(held.runs.size(), 1u);
  EXPECT_EQ(held.runs[0].count, 5u);
  EXPECT_GE(held.promised, MakeEpoch(101, 0));

  // It is a member after a restart too.
  keeper->reset();
  EXPECT_EQ(grants->groups()[0].disks[2], fresh);
  servers.pop_back();
  servers.push_back(std::make_unique<Server>(context, dir_of(3), 3));
  auto again =
      QueueClient::Connect(context, {{{0, 2}, servers.back()->endpoint()}}, core::WhenDown::kQueue)
          .value();
  const auto fence = Ask<FenceAnswer>(again.get(), {0, 2}, Fence{kTestStream, held.promised});
  ASSERT_EQ(fence.runs.size(), 1u);
  EXPECT_EQ(fence.runs[0].first, Seq(3));
  EXPECT_EQ(fence.runs[0].count(), 3u);
}

// A directory is copied while its replica is stopped, the replica goes on, and the copy is put
// back.
TEST(AmnesiacTest, APutBackDirectoryIsGivenUpBeforeItTakesPart) {
  const TempDir root;
  core::Context context;
  Group group;
  group.id = GroupId(1);
  const auto dir_of = [&](uint8_t replica) {
    return root.path() + "/replica-" + std::to_string(replica);
  };
  std::vector<std::unique_ptr<Server>> servers;
  for (uint8_t r = 1; r <= 3; ++r) {
    Identity identity = IdentityOf(r);
    identity.disk = group.disks[r - 1] = DiskId(r);
    ASSERT_TRUE(FormatReplica(dir_of(r), identity).ok());
    servers.push_back(std::make_unique<Server>(context, dir_of(r), r, true));
  }
  const std::string file = root.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, core::Incarnation(1), {group}).ok());
  const auto grants = LocalGrantStore::Open(file, core::Incarnation(1)).value();
  const auto lives = std::make_shared<LocalLifeStore>(root.path() + "/LIVES", core::Incarnation(1));
  const auto start_keeper = [&] {
    QueueKeeperOptions again;
    again.region = "sh";
    std::vector<QueueClient::Endpoint> endpoints;
    for (uint8_t slot = 0; slot < 3; ++slot) {
      endpoints.push_back({{1, slot}, servers[slot]->endpoint()});
    }
    again.find_endpoints = [endpoints](const auto&) { return core::Result(endpoints); };
    again.grant = grants->TakeGrant().value();
    again.grants = grants.get();
    again.streams = {kTestStream};
    again.lives = lives;
    again.admitter.look_every = std::chrono::milliseconds(100);
    again.restorer.look_every = std::chrono::milliseconds(50);
    return std::move(QueueKeeper::Start(context, std::move(again))).value();
  };
  const auto all_are = [&](ReplicaPhase phase) {
    return Within(std::chrono::seconds(30), [&] {
      return std::all_of(servers.begin(), servers.end(),
                         [&](const auto& one) { return one->phase() == phase; });
    });
  };
  EXPECT_TRUE(all_are(ReplicaPhase::kWaiting)) << "there is no keeper yet";
  auto keeper = start_keeper();
  ASSERT_TRUE(all_are(ReplicaPhase::kServing));

  const auto append = [&](uint8_t slot, uint64_t first, uint64_t committed) {
    Append request{kTestStream, kEpoch, {{kEpoch, Seq(1)}}, {}, Seq(committed), Seq(0)};
    request.run = MakeRun(first, kEpoch.value(), 3);
    auto client = QueueClient::Connect(context, {{{0, slot}, servers[slot]->endpoint()}},
                                       core::WhenDown::kQueue)
                      .value();
    Ask<Stored>(client.get(), {0, slot}, request);
  };
  // Stops keeper and third replica, does that, and starts them.
  const auto restart_after = [&](const std::function<void()>& change) {
    keeper.reset();
    servers.pop_back();
    change();
    servers.push_back(std::make_unique<Server>(context, dir_of(3), 3, true));
    keeper = start_keeper();
  };
  for (const uint8_t slot : {0, 2}) append(slot, 1, 0);
  const std::string backup = root.path() + "/backup";
  restart_after(
      [&] { std::filesystem::copy(dir_of(3), backup, std::filesystem::copy_options::recursive); });
  ASSERT_TRUE(all_are(ReplicaPhase::kServing)) << "a restart is no amnesia";
  for (const uint8_t slot : {0, 2}) append(slot, 4, 3);

  restart_after([&] {
    std::filesystem::remove_all(dir_of(3));
    std::filesystem::rename(backup, dir_of(3));
  });
  ASSERT_TRUE(Within(std::chrono::seconds(30),
                     [&] { return servers[2]->phase() == ReplicaPhase::kAmnesiac; }));
  EXPECT_EQ(keeper->Status().restored, 0u);
  // As homeportd does then.
  restart_after([&] { ASSERT_TRUE(FormatForReplace(dir_of(3), IdentityOf(3), DiskId(3)).ok()); });
  ASSERT_TRUE(all_are(ReplicaPhase::kServing));
  EXPECT_EQ(grants->groups()[0].disks[2], ReadIdentity(dir_of(3))->disk);
  EXPECT_NE(grants->groups()[0].disks[2], DiskId(3));
  auto client =
      QueueClient::Connect(context, {{{0, 2}, servers[2]->endpoint()}}, core::WhenDown::kQueue)
          .value();
  const auto held = Ask<HoldingsAnswer>(client.get(), {0, 2}, Holdings{kTestStream, Seq(1)});
  ASSERT_EQ(held.runs.size(), 1u);
  EXPECT_EQ(held.runs[0].count, 6u);
}

}  // namespace
}  // namespace homeport::quorum_queue
