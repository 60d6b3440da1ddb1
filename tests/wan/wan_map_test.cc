#include "tests/wan/wan_map.h"

#include <gtest/gtest.h>

namespace homeport::wan {
namespace {

using std::chrono::milliseconds;

constexpr const char* kFile = "wan.toml";
constexpr const char* kLink = "[[link]]\na = \"sh\"\nb = \"hk\"\n";
constexpr const char* kDoor =
    "[[door]]\nfrom = \"sh\"\nto = \"hk\"\nlisten = \"127.0.0.1:9001\"\n"
    "target = \"127.0.0.1:7101\"\n";

TEST(WanMapTest, ReadsLinksAndDoors) {
  const auto map = ParseWanMap(std::string("control = \"127.0.0.1:9000\"\n") + kLink +
                                   "delay_ms = 3\njitter_ms = 2\nmbit_per_s = 10\n" + kDoor,
                               kFile);
  ASSERT_TRUE(map.ok()) << map.status();
  EXPECT_EQ(map->control, "127.0.0.1:9000");
  ASSERT_EQ(map->links.size(), 1u);
  EXPECT_EQ(map->links[0].line.delay, milliseconds(3));
  EXPECT_EQ(map->links[0].line.jitter, milliseconds(2));
  EXPECT_EQ(map->links[0].line.bits_per_s, 10'000'000u);
  ASSERT_EQ(map->doors.size(), 1u);
  EXPECT_EQ(map->doors[0].listen, "127.0.0.1:9001");
  EXPECT_EQ(map->doors[0].target, "127.0.0.1:7101");
  EXPECT_EQ(map->FindLink("hk", "sh"), &map->links[0]) << "a link has two directions";
}

TEST(WanMapTest, APairWithoutALinkGetsTheUsualOne) {
  WanMap map;
  for (const auto& [from, to] :
       {std::pair{"hk", "sh"}, {"sh", "hk"}, {"ca", "sh"}, {"hk", "ca"}, {"sh", "mars"}}) {
    map.doors.push_back({from, to, "127.0.0.1:1", "127.0.0.1:2"});
  }
  map.links.push_back({"ca", "hk", {milliseconds(7), {}, 0}});
  AddUsualLinks(&map);
  ASSERT_EQ(map.links.size(), 4u);
  EXPECT_EQ(map.FindLink("sh", "hk")->line.delay, milliseconds(15));
  EXPECT_EQ(map.FindLink("sh", "hk")->line.bits_per_s, 100'000'000u);
  EXPECT_EQ(map.FindLink("sh", "ca")->line.delay, milliseconds(100));
  EXPECT_EQ(map.FindLink("hk", "ca")->line.delay, milliseconds(7)) << "it was given";
  EXPECT_EQ(map.FindLink("sh", "mars")->line.delay, milliseconds(50));
}

TEST(WanMapTest, EveryPathOfAClusterIsADoor) {
  core::ClusterConfig config;
  config.regions.resize(2);
  config.regions[0].name = "sh";
  config.regions[0].gateway = "tcp://127.0.0.1:7100";
  config.regions[1].name = "hk";
  config.regions[1].gateway = "tcp://10.0.0.2:7200";
  config.regions[1].replicas[2].endpoint = "tcp://10.0.0.2:7214";
  config.paths = {{"sh", "tcp://10.0.0.2:7200", "tcp://wan:9001"},
                  {"sh", "tcp://10.0.0.2:7214", "tcp://wan:9002"}};
  WanMap map;
  ASSERT_TRUE(AddDoors(config, "", &map).ok());
  ASSERT_EQ(map.doors.size(), 2u);
  EXPECT_EQ(map.doors[1].from, "sh");
  EXPECT_EQ(map.doors[1].to, "hk");
  EXPECT_EQ(map.doors[1].listen, "wan:9002");
  EXPECT_EQ(map.doors[1].target, "10.0.0.2:7214");
  WanMap bound;
  ASSERT_TRUE(AddDoors(config, "0.0.0.0", &bound).ok());
  EXPECT_EQ(bound.doors[0].listen, "0.0.0.0:9001");
  config.paths[0].to = "tcp://10.0.0.2:7299";
  EXPECT_FALSE(AddDoors(config, "", &map).ok()) << "nobody listens there";
}

TEST(WanMapTest, ErrorsNameTheKey) {
  const std::string link = kLink;
  const std::string door = kDoor;
  for (const auto& [text, message] :
       {std::pair<std::string, std::string>{link + "delay_ms = -1\n",
                                            "wan.toml: key link[1].delay_ms: expected"},
        {link + "colour = 1\n", "wan.toml: key link[1].colour: unknown"},
        {link + link, "wan.toml: key link[2]: expected one link between sh and hk"},
        {"[[link]]\na = \"sh\"\nb = \"sh\"\n", "wan.toml: key link[1].b: expected another region"},
        {"[[link]]\na = \"s>h\"\nb = \"hk\"\n", "wan.toml: key link[1].a: expected the name"},
        {"[[door]]\nfrom = \"sh\"\nto = \"hk\"\nlisten = \"9001\"\n",
         "wan.toml: key door[1].listen: expected"},
        {"control = 9000\n", "wan.toml: key control: expected"},
        {"= 3\n", "wan.toml:1:1: not TOML"}}) {
    const auto map = ParseWanMap(text, kFile);
    ASSERT_FALSE(map.ok()) << text;
    EXPECT_EQ(map.status().message().rfind(message, 0), 0u) << map.status();
  }
}

}  // namespace
}  // namespace homeport::wan
