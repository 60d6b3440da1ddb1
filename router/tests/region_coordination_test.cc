#include "router/region_coordination.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "coordination/blocking.h"
#include "coordination/coordination_server.h"
#include "coordination/registry.h"
#include "coordination/tests/fake_http.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::router {
namespace {

using core::DiskId;
using core::Incarnation;
using quorum_queue::LocalGrantStore;

// Long for a store that answers, and never over when there is one.
constexpr core::Duration kLong = std::chrono::seconds(60);
constexpr core::Duration kShort = std::chrono::milliseconds(100);
// It would do with any of these.
constexpr core::Duration kAWhile = std::chrono::seconds(2);

class RegionCoordinationTest : public testing::Test {
 protected:
  RegionCoordinationTest() {
    config_.cluster = "c0ffee";
    config_.shards = 8;
    config_.coordination.kind = core::CoordinationKind::kEmbedded;
    config_.coordination.endpoints = {"tcp://127.0.0.1:0"};
    region_.name = "sh";
    region_.incarnation = Incarnation(1);
    EXPECT_TRUE(coordination::FormatCoordination(store_dir(), config_.cluster).ok());
    StartStore();
    EXPECT_TRUE(
        LocalGrantStore::Create(file(), Incarnation(1), {{{DiskId(1), DiskId(2), DiskId(3)}}})
            .ok());
  }
  ~RegionCoordinationTest() override { StopStore(); }

  void StartStore() {
    auto server = coordination::CoordinationServer::Open(
        context_, {.dir = store_dir(),
                   .endpoint = config_.coordination.endpoints[0],
                   .cluster = config_.cluster});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(server).value();
    config_.coordination.endpoints = {server_->endpoint()};
    stop_ = false;
    thread_ = std::thread([this] { EXPECT_TRUE(server_->Run(stop_).ok()); });
  }
  void StopStore() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    server_.reset();
  }
  std::unique_ptr<LocalGrantStore> Open() {
    auto grants = LocalGrantStore::Open(file(), Incarnation(1));
    EXPECT_TRUE(grants.ok()) << grants.status();
    return std::move(grants).value();
  }
  core::Status Join(LocalGrantStore* grants, core::Duration wait = kLong) {
    return JoinCoordination(context_, config_, region_, grants, wait);
  }
  static uint64_t Number(LocalGrantStore* grants) {
    const auto grant = grants->TakeGrant();
    EXPECT_TRUE(grant.ok()) << grant.status();
    return grant.ok() ? grant->epoch.value() >> quorum_queue::kEpochRandomBits : 0;
  }
  std::string file() const { return dir_.path() + "/GRANTS"; }
  std::string store_dir() const { return dir_.path() + "/coordination"; }

  const quorum_queue::TempDir dir_;
  core::Context context_;
  core::ClusterConfig config_;
  core::RegionConfig region_;
  std::atomic<bool> stop_ = false;
  std::unique_ptr<coordination::CoordinationServer> server_;
  std::thread thread_;
};

TEST_F(RegionCoordinationTest, EpochsComeFromABlockOfTheStore) {
  auto grants = Open();
  EXPECT_EQ(Number(grants.get()), 1u);  // before there was a store
  ASSERT_TRUE(Join(grants.get()).ok());
  EXPECT_EQ(Number(grants.get()), 2u);
  EXPECT_EQ(grants->reserved_through(), 1 + coordination::kEpochBlock);
}

// The file alone would give them again.
TEST_F(RegionCoordinationTest, AFilePutBackFromAnOldCopyGivesNoNumberAgain) {
  std::filesystem::copy(file(), file() + "-old");
  auto grants = Open();
  ASSERT_TRUE(Join(grants.get()).ok());
  uint64_t highest = 0;
  for (int i = 0; i < 20; ++i) highest = Number(grants.get());
  std::filesystem::rename(file() + "-old", file());
  auto old = Open();
  ASSERT_TRUE(Join(old.get()).ok());
  EXPECT_GT(Number(old.get()), highest);
  EXPECT_GT(Number(old.get()), grants->reserved_through());
}

TEST_F(RegionCoordinationTest, ARegionStartsWithTheStoreAwayFromWhatWasReserved) {
  auto grants = Open();
  ASSERT_TRUE(Join(grants.get()).ok());
  const uint64_t number = Number(grants.get());
  StopStore();
  grants = Open();
  ASSERT_TRUE(Join(grants.get(), kShort).ok());
  EXPECT_EQ(Number(grants.get()), number + 1);
  // The block is nearly used up: then it needs the store.
  ASSERT_TRUE(
      grants->Reserve(grants->reserved_through() + 1, grants->reserved_through() + 10).ok());
  EXPECT_EQ(Join(grants.get(), kShort).code(), core::Code::kUnavailable);
  StartStore();
  EXPECT_TRUE(Join(grants.get()).ok());
}

// Full, or no etcd at all, or rows that nobody can read: none of it may keep a region from
// starting.
TEST_F(RegionCoordinationTest, AStoreThatRefusesKeepsNoRegionFromStarting) {
  auto grants = Open();
  ASSERT_TRUE(Join(grants.get()).ok());
  const uint64_t number = Number(grants.get());
  const std::string garbage =  // under the key homeport/c0ffee/incarnation-counter
      R"({"header":{"revision":"3"},"kvs":[{"key":"aG9tZXBvcnQvYzBmZmVlL2luY2FybmF0aW9uLWNvdW50ZXI=",)"
      R"("mod_revision":"2","value":"AAAAAAAAAAF4eHg="}]})";
  const std::vector<coordination::FakeAnswer> answers = {
      {429, R"({"code":8,"message":"database space exceeded"})"},
      {404, "Not Found"},
      {200, "<html>"},
      {200, garbage},
  };
  std::atomic<size_t> which = 0;
  coordination::FakeHttp store([&](const std::string& path, const std::string&) {
    const coordination::FakeAnswer& answer = answers[which];
    // A full store shows its rows; there are none yet.
    if (path != "/v3/kv/range" || answer.code != 429) return answer;
    return coordination::FakeAnswer{200, R"({"header":{"revision":"3"}})"};
  });
  config_.coordination.kind = core::CoordinationKind::kEtcd;
  config_.coordination.endpoints = {store.url()};
  for (; which < answers.size(); ++which) {
    grants = Open();
    ASSERT_TRUE(Join(grants.get(), kAWhile).ok()) << answers[which].body;
    EXPECT_EQ(Number(grants.get()), number + 1 + which);
  }
}

TEST_F(RegionCoordinationTest, AClusterWithoutAStoreGoesOnAsItWas) {
  config_.coordination = {};
  auto grants = Open();
  ASSERT_TRUE(Join(grants.get()).ok());
  EXPECT_EQ(grants->reserved_through(), 0u);
  EXPECT_EQ(Number(grants.get()), 1u);
}

TEST_F(RegionCoordinationTest, AnIncarnationOfAnotherRegionIsRefused) {
  auto grants = Open();
  ASSERT_TRUE(Join(grants.get()).ok());
  region_.name = "hk";
  EXPECT_EQ(Join(grants.get()).code(), core::Code::kBadRequest);
}

TEST_F(RegionCoordinationTest, AnIncarnationThatIsOverDoesNotStart) {
  auto grants = Open();
  ASSERT_TRUE(Join(grants.get()).ok());
  auto client = coordination::OpenCoordination(context_, config_);
  ASSERT_TRUE(client.ok());
  coordination::BlockingStore store(std::move(client).value());
  const auto rows = store.AskFor<coordination::Rows>(
      coordination::Get{coordination::IncarnationKey(Incarnation(1))}, kLong);
  ASSERT_TRUE(rows.ok() && rows->rows.size() == 1);
  const auto dead = coordination::MarkTerms(rows->rows[0], coordination::IncarnationState::kDead,
                                            core::WallMs(1));
  ASSERT_TRUE(dead.ok());
  ASSERT_TRUE(store
                  .AskFor<coordination::Compared>(
                      coordination::CompareAndSet{coordination::Token(1), *dead}, kLong)
                  .ok());
  EXPECT_EQ(Join(grants.get()).code(), core::Code::kFenced);
}

}  // namespace
}  // namespace homeport::router
