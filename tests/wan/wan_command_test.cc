#include "tests/wan/wan_command.h"

#include <gtest/gtest.h>

namespace homeport::wan {
namespace {

using std::chrono::milliseconds;
using Verb = WanCommand::Verb;

TEST(WanCommandTest, ReadsEveryCommand) {
  EXPECT_EQ(ParseWanCommand("status")->verb, Verb::kStatus);
  EXPECT_EQ(ParseWanCommand("cut sh>hk")->verb, Verb::kCut);
  EXPECT_EQ(ParseWanCommand(" heal  sh<>hk \r")->verb, Verb::kHeal);
  EXPECT_EQ(ParseWanCommand("reset *>*")->verb, Verb::kReset);
  const auto stall = ParseWanCommand("stall sh>hk 250");
  EXPECT_EQ(stall->verb, Verb::kStall);
  EXPECT_EQ(stall->stall, milliseconds(250));
  const auto set = ParseWanCommand("set sh>hk delay_ms=15 mbit_per_s=1");
  EXPECT_EQ(set->verb, Verb::kSet);
  EXPECT_EQ(set->delay, milliseconds(15));
  EXPECT_EQ(set->jitter, std::nullopt);
  EXPECT_EQ(set->bits_per_s, 1'000'000u);
}

TEST(WanCommandTest, ASelectorNamesOneDirectionOrBoth) {
  const LineSelector one = ParseWanCommand("cut sh>hk")->lines;
  EXPECT_TRUE(one.Matches("sh", "hk"));
  EXPECT_FALSE(one.Matches("hk", "sh"));
  const LineSelector both = ParseWanCommand("cut sh<>hk")->lines;
  EXPECT_TRUE(both.Matches("sh", "hk"));
  EXPECT_TRUE(both.Matches("hk", "sh"));
  EXPECT_FALSE(both.Matches("hk", "ca"));
  const LineSelector all_of_one = ParseWanCommand("cut a-b<>*")->lines;
  EXPECT_TRUE(all_of_one.Matches("a-b", "x"));
  EXPECT_TRUE(all_of_one.Matches("x", "a-b"));
  EXPECT_FALSE(all_of_one.Matches("x", "y"));
}

TEST(WanCommandTest, RefusesWhatItDoesNotKnow) {
  for (const char* line :
       {"", "help", "cut", "cut sh", "cut sh>", "cut >hk", "cut <>hk", "cut sh>hk>ca",
        "cut sh<hk>ca", "cut sh>hk now", "stall sh>hk", "stall sh>hk -1", "stall sh>hk 1s",
        "set sh>hk", "set sh>hk delay_ms", "set sh>hk delay_ms=", "set sh>hk delay_ms=60001",
        "set sh>hk colour=1", "status all"}) {
    const auto command = ParseWanCommand(line);
    ASSERT_FALSE(command.ok()) << line;
    EXPECT_NE(command.status().message().find("expected status"), std::string::npos) << line;
  }
}

}  // namespace
}  // namespace homeport::wan
