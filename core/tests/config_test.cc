#include "core/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <vector>

namespace homeport::core {
namespace {

constexpr const char* kFile = "/etc/homeport/cluster.toml";

std::string RegionText(const std::string& name, int incarnation, int port) {
  const auto at = [](int p) { return "127.0.0.1:" + std::to_string(p); };
  std::string text = "[[region]]\nname = \"" + name +
                     "\"\nincarnation = " + std::to_string(incarnation) + "\ngateway = \"tcp://" +
                     at(port) + "\"\nhttp = \"" + at(port + 1) + "\"\n";
  for (int i = 0; i < 3; ++i) {
    text += "[[region.replica]]\nendpoint = \"tcp://" + at(port + 10 + 2 * i) + "\"\nhttp = \"" +
            at(port + 11 + 2 * i) + "\"\nzone = \"" + std::string(1, static_cast<char>('a' + i)) +
            "\"\n";
  }
  return text;
}

// A group more, of the region that stands before it.
std::string GroupText(int group, int port) {
  const auto at = [](int p) { return "127.0.0.1:" + std::to_string(p); };
  std::string text;
  for (int i = 0; i < 3; ++i) {
    text += "[[region.replica]]\nendpoint = \"tcp://" + at(port + 2 * i) + "\"\nhttp = \"" +
            at(port + 1 + 2 * i) + "\"\nzone = \"" + std::string(1, static_cast<char>('a' + i)) +
            "\"\ngroup = " + std::to_string(group) + "\n";
  }
  return text;
}

const std::string kSecret = "secret = \"" + std::string(64, 'a') + "\"\n";
const std::string kScalars = "cluster = \"c\"\nshards = 8\n" + kSecret + "data = \"d\"\n";

std::string Good() {
  return "cluster = \"c0ffee\"\nshards = 8\n" + kSecret + "data = \"data\"\n" +
         RegionText("sh", 1, 7100) + RegionText("hk", 2, 7200);
}

// `text` with the first `from` replaced by `to`.
std::string With(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(ConfigTest, ReadsAWholeCluster) {
  const auto config = ParseClusterConfig(Good(), kFile);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->file, kFile);
  EXPECT_EQ(config->cluster, "c0ffee");
  EXPECT_EQ(config->shards, 8);
  EXPECT_EQ(config->replica_log_bytes_max, 0u);
  ASSERT_EQ(config->regions.size(), 2u);
  const RegionConfig& sh = config->regions[0];
  EXPECT_EQ(sh.name, "sh");
  EXPECT_EQ(sh.incarnation, Incarnation(1));
  EXPECT_EQ(sh.gateway, "tcp://127.0.0.1:7100");
  EXPECT_EQ(sh.http, "127.0.0.1:7101");
  EXPECT_EQ(sh.replicas[2].endpoint, "tcp://127.0.0.1:7114");
  EXPECT_EQ(sh.replicas[2].http, "127.0.0.1:7115");
  EXPECT_EQ(sh.replicas[2].zone, "c");
}

TEST(ConfigTest, AGroupIsThreeReplicasWithItsNumber) {
  const auto config = ParseClusterConfig(Good() + GroupText(2, 7300) + GroupText(5, 7400), kFile);
  ASSERT_TRUE(config.ok()) << config.status();
  const RegionConfig& hk = config->regions[1];
  ASSERT_EQ(hk.replicas.size(), 9u);
  EXPECT_EQ(hk.replicas[2].group, 1);
  EXPECT_EQ(hk.replicas[3].group, 2);
  EXPECT_EQ(hk.NumberOfReplica(2), 3);
  EXPECT_EQ(hk.NumberOfReplica(3), 4);
  EXPECT_EQ(hk.NumberOfReplica(8), 15);
  EXPECT_EQ(hk.FindReplica(15), 8u);
  EXPECT_EQ(hk.FindReplica(7), std::nullopt) << "there is no group 3";
  EXPECT_EQ(hk.FindReplica(0), std::nullopt);
  const std::string text = FormatClusterConfig(*config);
  const auto again = ParseClusterConfig(text, kFile);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->regions[1].replicas[8].group, 5);
  EXPECT_EQ(FormatClusterConfig(*again), text);
}

TEST(ConfigTest, FindsRegionsByNameAndIncarnation) {
  const auto config = ParseClusterConfig(Good(), kFile);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->FindRegion("hk"), &config->regions[1]);
  EXPECT_EQ(config->FindRegion(Incarnation(2)), &config->regions[1]);
  EXPECT_EQ(config->FindRegion("ca"), nullptr);
  EXPECT_EQ(config->FindRegion(Incarnation(3)), nullptr);
}

TEST(ConfigTest, RelativeDataBeginsAtTheFile) {
  EXPECT_EQ(ParseClusterConfig(Good(), kFile)->data, "/etc/homeport/data");
  EXPECT_EQ(ParseClusterConfig(With(Good(), "\"data\"", "\"/srv/hp\""), kFile)->data, "/srv/hp");
  EXPECT_EQ(ParseClusterConfig(With(Good(), "\"data\"", "\"../x/./y\""), kFile)->data, "/etc/x/y");
  const std::string here = std::filesystem::current_path().string();
  EXPECT_EQ(ParseClusterConfig(Good(), "cluster.toml")->data, here + "/data");
}

TEST(ConfigTest, FormattedConfigParsesBackToTheSame) {
  auto config = ParseClusterConfig(Good(), kFile);
  ASSERT_TRUE(config.ok()) << config.status();
  config->data = "/srv/with \"quotes\"\\and\ttabs";
  config->replica_log_bytes_max = 12345678901;
  config->segment_bytes = 16 << 20;
  config->flush_seconds = 2;
  config->retention_bytes = 0;
  config->retention_hours = 5;
  config->messaging.inbox_retention = std::chrono::hours(3);
  config->messaging.device_gone_after = std::chrono::hours(48);
  config->messaging.group_retention = std::chrono::hours(72);
  config->messaging.recall_within = std::chrono::seconds(9);
  config->messaging.group_members_max = 70;
  config->api_rate = 0;
  config->connection_rate = 70;
  config->user_rate = 80;
  config->follow_writes = 3;
  config->follow_stay_seconds = 7;
  config->follow_rate = 9;
  config->api_origins = "https://a.example, https://b.example";
  config->regions[1].api = "0.0.0.0:7300";
  const std::string text = FormatClusterConfig(*config);
  const auto again = ParseClusterConfig(text, kFile);
  ASSERT_TRUE(again.ok()) << again.status() << '\n' << text;
  EXPECT_EQ(again->data, config->data);
  EXPECT_EQ(again->replica_log_bytes_max, config->replica_log_bytes_max);
  EXPECT_EQ(again->segment_bytes, config->segment_bytes);
  EXPECT_EQ(again->flush_seconds, 2u);
  EXPECT_EQ(again->retention_bytes, 0u);
  EXPECT_EQ(again->retention_hours, 5u);
  EXPECT_EQ(again->messaging.inbox_retention, std::chrono::hours(3));
  EXPECT_EQ(again->messaging.device_gone_after, std::chrono::hours(48));
  EXPECT_EQ(again->messaging.group_retention, std::chrono::hours(72));
  EXPECT_EQ(again->messaging.recall_within, std::chrono::seconds(9));
  EXPECT_EQ(again->messaging.group_members_max, 70u);
  EXPECT_EQ(again->api_rate, 0u);
  EXPECT_EQ(again->connection_rate, 70u);
  EXPECT_EQ(again->user_rate, 80u);
  EXPECT_EQ(again->follow_writes, 3u);
  EXPECT_EQ(again->follow_stay_seconds, 7u);
  EXPECT_EQ(again->follow_rate, 9u);
  EXPECT_EQ(again->api_origins, "https://a.example, https://b.example");
  EXPECT_EQ(again->regions[0].api, "");
  EXPECT_EQ(again->regions[1].api, "0.0.0.0:7300");
  EXPECT_EQ(again->regions.size(), 2u);
  EXPECT_EQ(FormatClusterConfig(*again), text);
}

std::string PathText(const std::string& from, const std::string& to, const std::string& via) {
  return "[[path]]\nfrom = \"" + from + "\"\nto = \"" + to + "\"\nvia = \"" + via + "\"\n";
}

TEST(ConfigTest, APathSaysWhereOneRegionSeesAnother) {
  const std::string hk_gateway = "tcp://127.0.0.1:7200";
  const std::string hk_replica = "tcp://127.0.0.1:7212";
  const auto config = ParseClusterConfig(Good() + PathText("sh", hk_gateway, "tcp://wan:9000") +
                                             PathText("sh", hk_replica, "tcp://wan:9001"),
                                         kFile);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->SeenFrom("sh", hk_gateway), "tcp://wan:9000");
  EXPECT_EQ(config->SeenFrom("sh", hk_replica), "tcp://wan:9001");
  EXPECT_EQ(config->SeenFrom("hk", hk_gateway), hk_gateway) << "its own";
  EXPECT_EQ(config->SeenFrom("sh", "tcp://127.0.0.1:7210"), "tcp://127.0.0.1:7210") << "no path";
  const std::string text = FormatClusterConfig(*config);
  const auto again = ParseClusterConfig(text, kFile);
  ASSERT_TRUE(again.ok()) << again.status() << '\n' << text;
  ASSERT_EQ(again->paths.size(), 2u);
  EXPECT_EQ(FormatClusterConfig(*again), text);
}

TEST(ConfigTest, ErrorsNameFileKeyAndWhatWasExpected) {
  struct Case {
    std::string text;
    std::string message;  // after "<file>"
  };
  const std::string endpoint = "a string like \"tcp://127.0.0.1:7101\"";
  const std::string http = "a string like \"127.0.0.1:7102\"";
  const std::string gateway = "\"tcp://127.0.0.1:7100\"";
  const std::vector<Case> cases = {
      {With(Good(), gateway, "7100"),
       ": key region.sh.gateway: expected " + endpoint + ", found an integer"},
      {With(Good(), gateway, "\"127.0.0.1:7100\""),
       ": key region.sh.gateway: expected " + endpoint + ", found \"127.0.0.1:7100\""},
      {With(Good(), gateway, "\"tcp://127.0.0.1:0\""), ": key region.sh.gateway: expected "},
      {With(Good(), gateway, "\"tcp://127.0.0.1:65536\""), ": key region.sh.gateway: expected "},
      {With(Good(), gateway, "\"tcp://127.0.0.1:71 00\""), ": key region.sh.gateway: expected "},
      {With(Good(), gateway, "\"tcp://:7100\""), ": key region.sh.gateway: expected "},
      {With(Good(), gateway, "\"tcp://127.0.0.1\""), ": key region.sh.gateway: expected "},
      {With(Good(), "gateway = " + gateway, ""),
       ": key region.sh.gateway: expected " + endpoint + ", found nothing"},
      {With(Good(), "http = \"127.0.0.1:7101\"", "http = \"tcp://127.0.0.1:7101\""),
       ": key region.sh.http: expected " + http},
      {With(Good(), "cluster = \"c0ffee\"\n", ""), ": key cluster: expected "},
      {With(Good(), "\"c0ffee\"", "\"C0FFEE\""), ": key cluster: expected "},
      {With(Good(), "shards = 8", "shards = 0"),
       ": key shards: expected an integer from 1 to 1024, found 0"},
      {With(Good(), "shards = 8", "shards = 1025"), ": key shards: expected "},
      {With(Good(), "shards = 8", "shards = \"8\""),
       ": key shards: expected an integer from 1 to 1024, found a string"},
      {With(Good(), "shards = 8", "shards = 8.0"), ": key shards: expected "},
      {With(Good(), "shards = 8", "shards = true"), ": key shards: expected "},
      {With(Good(), "secret = ", "# "), ": key secret: expected 64 hex digits, found nothing"},
      {With(Good(), "\"aaa", "\"aa"), ": key secret: expected 64 hex digits, found "},
      {With(Good(), "\"aaa", "\"aaA"), ": key secret: expected 64 hex digits, found "},
      {With(Good(), "data = \"data\"", "data = \"\""), ": key data: expected a directory"},
      {With(Good(), "shards = 8", "shards = 8\nshard = 9"),
       ": key shard: unknown; the keys here are cluster, data, region, "},
      {With(Good(), "shards = 8", "shards = 8\nreplica_log_bytes_max = -1"),
       ": key replica_log_bytes_max: expected a number of bytes"},
      {With(Good(), "shards = 8", "shards = 8\nsegment_bytes = 16777217"),
       ": key segment_bytes: expected a multiple of 4096 from 16777216 to 1073741824"},
      {With(Good(), "shards = 8", "shards = 8\nflush_seconds = 0"),
       ": key flush_seconds: expected a number of seconds from 1 to 3600, found 0"},
      {With(Good(), "shards = 8", "shards = 8\nretention_bytes = -1"),
       ": key retention_bytes: expected"},
      {With(Good(), "shards = 8", "shards = 8\ndevice_gone_after_days = 0"),
       ": key device_gone_after_days: expected a number of days from 1 to 366, found 0"},
      {With(Good(), "shards = 8", "shards = 8\nretention_hours = 100000"),
       ": key retention_hours: expected"},
      {With(Good(), "shards = 8", "shards = 8\nuser_rate = -1"),
       ": key user_rate: expected a number per second"},
      {With(Good(), "http = \"127.0.0.1:7101\"",
            "http = \"127.0.0.1:7101\"\napi = \"127.0.0.1:7101\""),
       ": key region.sh.api: expected its own host and port"},
      {With(Good(), "http = \"127.0.0.1:7101\"", "http = \"127.0.0.1:7101\"\napi = \"here\""),
       ": key region.sh.api: expected a string like"},
      {With(Good(), "shards = 8", "shards = 8\nsegment_bytes = 4096"),
       ": key segment_bytes: expected"},
      {With(Good(), "name = \"sh\"", "name = \"SH\""), ": key region[1].name: expected "},
      {With(Good(), "name = \"sh\"", "name = \"abcdefghijklmnopq\""),
       ": key region[1].name: expected "},
      {With(Good(), "name = \"hk\"", "name = \"\""), ": key region[2].name: expected "},
      {With(Good(), "name = \"hk\"", "name = \"../x\""), ": key region[2].name: expected "},
      {With(Good(), "name = \"hk\"", "name = \"sh\""),
       ": key region[2].name: expected its own name, found sh, which is region[1].name"},
      {With(Good(), "incarnation = 1", "incarnation = 0"),
       ": key region.sh.incarnation: expected an integer from 1 to 65535, found 0"},
      {With(Good(), "incarnation = 1", "incarnation = 65536"), ": key region.sh.incarnation: "},
      {With(Good(), "incarnation = 2", "incarnation = 1"),
       ": key region.hk.incarnation: expected its own incarnation, found 1, which is "
       "region.sh.incarnation"},
      {With(Good(), "incarnation = 1", "incarnation = 1\ncolour = 3"),
       ": key region.sh.colour: unknown; "},
      {With(Good(), "tcp://127.0.0.1:7110", "tcp://127.0.0.1:7201"),
       ": key region.hk.http: expected its own host and port, found 127.0.0.1:7201, which is "
       "region.sh.replica[1].endpoint"},
      {With(Good(), "zone = \"b\"", "zone = \"a\""),
       ": key region.sh.replica[2].zone: expected its own zone, found a, which is "
       "region.sh.replica[1].zone"},
      {With(Good(), "zone = \"b\"", "zone = 2"), ": key region.sh.replica[2].zone: expected "},
      {With(Good(), "zone = \"b\"", "zone = \"b\"\nport = 2"),
       ": key region.sh.replica[2].port: unknown; "},
      {With(Good(), "[[region.replica]]", "[[region.replicas]]"), ": key region.sh.replica"},
      {Good() + "[[region.replica]]\n",
       ": key region.hk.replica: expected three tables [[region.replica]] per group, at most 21 "
       "groups, found 4"},
      {With(Good(), "zone = \"a\"", "zone = \"a\"\ngroup = 0"),
       ": key region.sh.replica[1].group: expected an integer from 1 to 85, found 0"},
      {With(Good(), "zone = \"b\"", "zone = \"b\"\ngroup = 2"),
       ": key region.sh.replica[2].group: expected three replicas of each group, groups ascending, "
       "found one of 2 after one of 1"},
      {Good() + GroupText(1, 7300),
       ": key region.hk.replica[4].group: expected three replicas of each group, groups ascending, "
       "found one of 1 after one of 1"},
      {Good() + PathText("ca", "tcp://127.0.0.1:7200", "tcp://wan:1"),
       ": key path[1].from: expected a region of this file, found \"ca\""},
      {Good() + PathText("sh", "tcp://127.0.0.1:7100", "tcp://wan:1"),
       ": key path[1].to: expected the gateway or a replica's endpoint of another region, found "
       "\"tcp://127.0.0.1:7100\""},
      {Good() + PathText("sh", "tcp://127.0.0.1:7200", "wan:1"),
       ": key path[1].via: expected " + endpoint},
      {Good() + PathText("sh", "tcp://127.0.0.1:7200", "tcp://wan:1") +
           PathText("sh", "tcp://127.0.0.1:7200", "tcp://wan:2"),
       ": key path[2].to: expected its own from and to, found sh tcp://127.0.0.1:7200, which is "
       "path[1].to"},
      {kScalars, ": key region: expected 1 to 16 tables [[region]], found nothing"},
      {kScalars + "region = []\n", ": key region: expected "},
      {kScalars + "region = [1]\n",
       ": key region: expected 1 to 16 tables [[region]], found an integer"},
      {kScalars + "[region]\nname = \"sh\"\n",
       ": key region: expected 1 to 16 tables [[region]], found a table"},
      {"cluster = \"c\"\nshards = = 8\n", ":2:"},
      {"", ": key cluster: expected "},
  };
  for (const Case& c : cases) {
    const auto config = ParseClusterConfig(c.text, kFile);
    ASSERT_FALSE(config.ok()) << c.message;
    EXPECT_EQ(config.status().code(), Code::kBadRequest);
    const std::string& message = config.status().message();
    EXPECT_EQ(message.rfind(kFile + c.message, 0), 0u) << message << "\nnot\n" << c.message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(ConfigTest, TooManyRegionsAreRefused) {
  std::string text = kScalars;
  for (int i = 1; i <= 16; ++i) text += RegionText("r" + std::to_string(i), i, 7000 + 100 * i);
  EXPECT_TRUE(ParseClusterConfig(text, kFile).ok());
  text += RegionText("r17", 17, 9000);
  EXPECT_NE(ParseClusterConfig(text, kFile).status().message().find("found 17"), std::string::npos);
}

TEST(ConfigTest, LoadReadsTheFileAndNamesAMissingOne) {
  const std::string file =
      testing::TempDir() + "homeport-config-" + std::to_string(getpid()) + ".toml";
  const auto missing = LoadClusterConfig(file);
  EXPECT_EQ(missing.status().code(), Code::kIo);
  EXPECT_NE(missing.status().message().find(file), std::string::npos) << missing.status();
  std::ofstream(file) << Good();
  const auto config = LoadClusterConfig(file);
  EXPECT_TRUE(config.ok()) << config.status();
  std::filesystem::remove(file);
}

// A shard that moves loses its users: these numbers may never change.
TEST(ShardTest, ShardIsFixedForEver) {
  EXPECT_EQ(ShardOf(Uin(0), 1024), ShardId(217));
  EXPECT_EQ(ShardOf(Uin(1), 1024), ShardId(302));
  EXPECT_EQ(ShardOf(Uin(MakeId(Incarnation(1), 1)), 1024), ShardId(385));
  EXPECT_EQ(ShardOf(Uin(MakeId(Incarnation(65535), 123456789)), 8), ShardId(2));
  EXPECT_EQ(ShardOfName("alice", 1024), ShardId(688));
  EXPECT_EQ(ShardOfName("", 1024), ShardId(0x2d06800538d394c2 % 1024)) << "XXH3's published value";
  EXPECT_EQ(ShardOfName("bob", 1), ShardId(0));
}

TEST(ShardTest, SpreadsNeighboursEvenly) {
  constexpr uint16_t kShards = 8;
  constexpr int kUins = 8000;
  std::vector<int> counts(kShards);
  for (int i = 1; i <= kUins; ++i) {
    const ShardId shard = ShardOf(Uin(MakeId(Incarnation(1), i)), kShards);
    ASSERT_LT(shard.value(), kShards);
    ++counts[shard.value()];
  }
  for (const int count : counts) EXPECT_NEAR(count, kUins / kShards, 150);
}

// ---- the coordination store

const std::string kEmbedded =
    "[coordination]\nkind = \"embedded\"\nendpoints = [\"tcp://127.0.0.1:7001\"]\n"
    "http = \"127.0.0.1:7002\"\n";
const std::string kEtcd =
    "[coordination]\nkind = \"etcd\"\n"
    "endpoints = [\"http://127.0.0.1:2379\", \"https://etcd-2.example:2379\"]\n";

TEST(ConfigTest, AClusterMadeBeforeHasNoCoordinationStore) {
  const auto config = ParseClusterConfig(Good(), kFile);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->coordination.kind, CoordinationKind::kNone);
  EXPECT_EQ(FormatClusterConfig(*config).find("[coordination]"), std::string::npos);
}

TEST(ConfigTest, ReadsWhereTheCoordinationStoreIs) {
  const auto embedded = ParseClusterConfig(Good() + kEmbedded, kFile);
  ASSERT_TRUE(embedded.ok()) << embedded.status();
  EXPECT_EQ(embedded->coordination, (CoordinationConfig{CoordinationKind::kEmbedded,
                                                        {"tcp://127.0.0.1:7001"},
                                                        "127.0.0.1:7002",
                                                        Fence::kOperator,
                                                        10}));
  const auto etcd = ParseClusterConfig(Good() + kEtcd, kFile);
  ASSERT_TRUE(etcd.ok()) << etcd.status();
  EXPECT_EQ(etcd->coordination.kind, CoordinationKind::kEtcd);
  EXPECT_EQ(etcd->coordination.endpoints.size(), 2u);
  const auto leased =
      ParseClusterConfig(Good() + kEtcd + "fence = \"lease\"\nlease_seconds = 30\n", kFile);
  ASSERT_TRUE(leased.ok()) << leased.status();
  EXPECT_EQ(leased->coordination.fence, Fence::kLease);
  EXPECT_EQ(leased->coordination.lease_seconds, 30u);
  for (const auto* config : {&*embedded, &*etcd, &*leased}) {
    const auto again = ParseClusterConfig(FormatClusterConfig(*config), kFile);
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->coordination, config->coordination);
    EXPECT_EQ(again->regions.size(), 2u);
  }
}

TEST(ConfigTest, RefusesAWrongCoordinationStoreWithTheKey) {
  const auto refused = [](const std::string& text) {
    const auto config = ParseClusterConfig(text, kFile);
    EXPECT_FALSE(config.ok());
    return config.ok() ? "" : config.status().message();
  };
  EXPECT_NE(refused(With(Good() + kEtcd, "\"etcd\"", "\"zookeeper\""))
                .find("coordination.kind: expected \"embedded\" or \"etcd\", found \"zookeeper\""),
            std::string::npos);
  EXPECT_NE(refused(With(Good() + kEtcd, "http://127", "tcp://127")).find("coordination.endpoints"),
            std::string::npos);
  EXPECT_NE(refused(With(Good() + kEmbedded, "[\"tcp://127.0.0.1:7001\"]", "[]"))
                .find("coordination.endpoints"),
            std::string::npos);
  EXPECT_NE(refused(With(Good() + kEmbedded, "[\"tcp://127.0.0.1:7001\"]", "\"tcp://a:1\""))
                .find("found a string"),
            std::string::npos);
  EXPECT_NE(refused(With(Good() + kEmbedded, "http = \"127.0.0.1:7002\"\n", ""))
                .find("coordination.http"),
            std::string::npos);
  EXPECT_NE(refused(Good() + kEtcd + "http = \"127.0.0.1:7002\"\n").find("unknown"),
            std::string::npos);
  // It is what others connect to.
  EXPECT_NE(refused(With(Good() + kEmbedded, "tcp://127.0.0.1:7001", "tcp://*:7001"))
                .find("coordination.endpoints"),
            std::string::npos);
  EXPECT_NE(refused(With(Good() + kEtcd, "http://127.0.0.1:2379", "http://*:2379"))
                .find("coordination.endpoints"),
            std::string::npos);
  EXPECT_NE(refused(With(Good() + kEtcd, "https://etcd-2.example:2379", "http://127.0.0.1:2379"))
                .find("its own host and port"),
            std::string::npos);
  EXPECT_NE(refused(Good() + kEtcd + "fence = \"none\"\n")
                .find("coordination.fence: expected \"operator\" or \"lease\""),
            std::string::npos);
  EXPECT_NE(
      refused(Good() + kEtcd + "fence = \"lease\"\nlease_seconds = 1\n").find("from 3 to 3600"),
      std::string::npos);
  // Who changes lease to operator in an emergency need change no second line.
  EXPECT_TRUE(ParseClusterConfig(Good() + kEtcd + "lease_seconds = 10\n", kFile).ok());
  // A port that a region has.
  EXPECT_NE(refused(With(Good() + kEmbedded, "127.0.0.1:7001", "127.0.0.1:7100"))
                .find("its own host and port"),
            std::string::npos);
  EXPECT_NE(refused("coordination = 3\n" + Good()).find("a table [coordination]"),
            std::string::npos);
}

}  // namespace
}  // namespace homeport::core
