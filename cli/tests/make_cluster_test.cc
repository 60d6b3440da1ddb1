#include "cli/make_cluster.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "cli/cluster.h"
#include "coordination/coordination_server.h"
#include "core/config.h"
#include "core/files.h"
#include "quorum_queue/grants.h"
#include "quorum_queue/identity.h"

namespace homeport::cli {
namespace {

namespace fs = std::filesystem;

class MakeClusterTest : public testing::Test {
 protected:
  MakeClusterTest() {
    std::string pattern = fs::temp_directory_path() / "make-cluster-XXXXXX";
    root_ = ::mkdtemp(pattern.data());
    options_.data = root_ + "/data";
  }
  ~MakeClusterTest() override { fs::remove_all(root_); }

  // The sentence it is refused with; nothing may have been made.
  std::string Refused() {
    const size_t before = core::ListDirectory(root_)->size();
    const auto made = MakeCluster(options_);
    EXPECT_FALSE(made.ok());
    EXPECT_EQ(core::ListDirectory(root_)->size(), before);
    return made.ok() ? "" : made.status().message();
  }

  std::string root_;
  MakeClusterOptions options_;
};

TEST_F(MakeClusterTest, WritesAConfigurationThatReadsBack) {
  const auto made = MakeCluster(options_);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto read = core::LoadClusterConfig(options_.data + "/cluster.toml");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->cluster, made->cluster);
  EXPECT_EQ(read->data, options_.data);
  EXPECT_EQ(read->shards, 8);
  ASSERT_EQ(read->regions.size(), 3u);
  EXPECT_EQ(read->regions[2].name, "ca");
  EXPECT_EQ(core::FormatClusterConfig(*read), core::FormatClusterConfig(*made));
}

TEST_F(MakeClusterTest, FormatsEveryReplicaWithADiskOfItsOwn) {
  const auto made = MakeCluster(options_);
  ASSERT_TRUE(made.ok()) << made.status();
  std::set<core::DiskId> disks;
  for (const char* region : {"sh", "hk", "ca"}) {
    for (int replica = 1; replica <= 3; ++replica) {
      const auto identity = quorum_queue::ReadIdentity(options_.data + '/' + region + "/replica-" +
                                                       std::to_string(replica));
      ASSERT_TRUE(identity.ok()) << identity.status();
      EXPECT_EQ(identity->cluster, made->cluster);
      EXPECT_EQ(identity->region, region);
      EXPECT_EQ(identity->replica, replica);
      disks.insert(identity->disk);
    }
  }
  EXPECT_EQ(disks.size(), 9u);
}

TEST_F(MakeClusterTest, ThroughAWanBoxEveryRegionSeesAllOfTheOthersAtDoorsOfItsOwn) {
  options_.wan = true;
  options_.groups = 2;
  const auto made = MakeCluster(options_);
  ASSERT_TRUE(made.ok()) << made.status();
  const auto read = core::LoadClusterConfig(options_.data + "/cluster.toml");
  ASSERT_TRUE(read.ok()) << read.status();
  std::set<std::string> seen;
  size_t pairs = 0;
  for (const core::RegionConfig& from : read->regions) {
    for (const core::RegionConfig& to : read->regions) {
      std::vector<std::string> endpoints = {to.gateway};
      for (const core::ReplicaConfig& replica : to.replicas) endpoints.push_back(replica.endpoint);
      for (const std::string& endpoint : endpoints) {
        const std::string as_seen = read->SeenFrom(from.name, endpoint);
        EXPECT_EQ(as_seen == endpoint, from.name == to.name) << endpoint;
        seen.insert(as_seen);
        ++pairs;
      }
    }
  }
  EXPECT_EQ(seen.size(), pairs);
  EXPECT_EQ(pairs, 3u * 3 * 7);
  const auto wan = core::ReadFile(options_.data + "/wan.toml");
  ASSERT_TRUE(wan.ok()) << wan.status();
  EXPECT_NE(wan->find("control = \"127.0.0.1:"), std::string::npos);
}

TEST_F(MakeClusterTest, WithoutAWanBoxThereIsNone) {
  const auto made = MakeCluster(options_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_TRUE(made->paths.empty());
  EXPECT_FALSE(core::Exists(options_.data + "/wan.toml"));
}

TEST_F(MakeClusterTest, LeavesOnlyTheClusterBehind) {
  ASSERT_TRUE(MakeCluster(options_).ok());
  EXPECT_EQ(*core::ListDirectory(root_), std::vector<std::string>{"data"});
}

TEST_F(MakeClusterTest, TakesAnEmptyDirectory) {
  fs::create_directory(options_.data);
  EXPECT_TRUE(MakeCluster(options_).ok());
}

TEST_F(MakeClusterTest, RefusesAClusterThatIsThere) {
  ASSERT_TRUE(MakeCluster(options_).ok());
  EXPECT_NE(Refused().find("is a cluster already"), std::string::npos);
}

TEST_F(MakeClusterTest, RefusesADirectoryOfSomethingElse) {
  fs::create_directory(options_.data);
  std::ofstream(options_.data + "/thesis.tex") << "text";
  EXPECT_NE(Refused().find("thesis.tex"), std::string::npos);
}

TEST_F(MakeClusterTest, RefusesRegionsThatAreNoNames) {
  for (const std::vector<std::string>& regions : {std::vector<std::string>{},
                                                  {"SH"},
                                                  {""},
                                                  {"sh", "../hk"},
                                                  {"abcdefghijklmnopq"},
                                                  {"sh", "hk", "sh"},
                                                  {"sh", "coordination"}}) {
    options_.regions = regions;
    EXPECT_NE(Refused().find("--regions"), std::string::npos);
  }
}

TEST_F(MakeClusterTest, RefusesNumbersOutOfRange) {
  options_.shards = 0;
  EXPECT_NE(Refused().find("--shards"), std::string::npos);
  options_.shards = 8;
  options_.groups = 0;
  EXPECT_NE(Refused().find("--groups"), std::string::npos);
  options_.groups = 22;
  EXPECT_NE(Refused().find("--groups"), std::string::npos);
  options_.groups = 1;
  options_.base_port = 65530;
  EXPECT_NE(Refused().find("--base-port"), std::string::npos);
}

TEST_F(MakeClusterTest, UsesThePortsFromTheBaseOn) {
  options_.base_port = 7000;
  const auto made = MakeCluster(options_);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->regions[0].gateway, "tcp://127.0.0.1:7000");
  EXPECT_EQ(made->regions[0].api, "127.0.0.1:7002");
  EXPECT_EQ(made->regions[0].replicas[2].http, "127.0.0.1:7008");
  EXPECT_EQ(made->regions[2].replicas[2].http, "127.0.0.1:7026");
  EXPECT_EQ(made->coordination.endpoints, std::vector<std::string>{"tcp://127.0.0.1:7027"});
  EXPECT_EQ(made->coordination.http, "127.0.0.1:7028");
}

TEST_F(MakeClusterTest, MakesTheCoordinationStoreOfTheCluster) {
  const auto made = MakeCluster(options_);
  ASSERT_TRUE(made.ok()) << made.status();
  core::Context context;
  const std::string dir = options_.data + "/coordination";
  const auto open = [&](const std::string& cluster) {
    return coordination::CoordinationServer::Open(
               context, {.dir = dir, .endpoint = "tcp://127.0.0.1:0", .cluster = cluster})
        .status();
  };
  EXPECT_TRUE(open(made->cluster).ok()) << open(made->cluster);
  EXPECT_EQ(open("another").code(), core::Code::kBadRequest);
  EXPECT_EQ(coordination::FormatCoordination(dir, made->cluster).code(), core::Code::kBadRequest);
}

TEST_F(MakeClusterTest, GivesEveryRegionItsGroups) {
  options_.groups = 2;
  options_.base_port = 7000;
  const auto made = MakeCluster(options_);
  ASSERT_TRUE(made.ok()) << made.status();
  const core::RegionConfig& hk = made->regions[1];
  EXPECT_EQ(hk.gateway, "tcp://127.0.0.1:7015");
  ASSERT_EQ(hk.replicas.size(), 6u);
  EXPECT_EQ(hk.replicas[3].group, 2);
  EXPECT_EQ(hk.replicas[3].zone, "a");
  std::set<core::DiskId> disks;
  for (int replica = 1; replica <= 6; ++replica) {
    const auto identity =
        quorum_queue::ReadIdentity(options_.data + "/hk/replica-" + std::to_string(replica));
    ASSERT_TRUE(identity.ok()) << identity.status();
    EXPECT_EQ(identity->replica, replica);
    disks.insert(identity->disk);
  }
  EXPECT_EQ(disks.size(), 6u);
  const auto grants =
      quorum_queue::LocalGrantStore::Open(options_.data + "/hk/GRANTS", hk.incarnation);
  ASSERT_TRUE(grants.ok()) << grants.status();
  ASSERT_EQ((*grants)->groups().size(), 2u);
  EXPECT_EQ((*grants)->groups()[1].id, quorum_queue::GroupId(2));
}

TEST(FindFreePortsTest, StaysBelowTheOutgoingOnes) {
  for (int i = 0; i < 20; ++i) {
    const auto base = FindFreePorts(24);
    ASSERT_TRUE(base.ok()) << base.status();
    std::ifstream range("/proc/sys/net/ipv4/ip_local_port_range");
    int first = 32768;
    range >> first;
    EXPECT_LE(*base + 24, first);
    EXPECT_GE(*base, 1024);
  }
}

TEST(SplitCommasTest, DropsEmptyParts) {
  EXPECT_EQ(SplitCommas("sh,hk,ca"), (std::vector<std::string>{"sh", "hk", "ca"}));
  EXPECT_EQ(SplitCommas(",sh,,"), (std::vector<std::string>{"sh"}));
  EXPECT_TRUE(SplitCommas("").empty());
}

TEST(AbsolutePathTest, HasNoTrailingSlashOrDots) {
  EXPECT_EQ(AbsolutePath("/a/./b/../c/"), "/a/c");
  EXPECT_EQ(AbsolutePath("/"), "/");
  EXPECT_EQ(AbsolutePath("x"), fs::current_path().string() + "/x");
}

}  // namespace
}  // namespace homeport::cli
