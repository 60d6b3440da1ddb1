#include "router/follower.h"

#include <gtest/gtest.h>

#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::Incarnation;
using core::Uin;
using std::chrono::seconds;

const Incarnation kHere(1);
const Incarnation kThere(2);
const Incarnation kElsewhere(3);

FollowerOptions Following(uint32_t writes) {
  FollowerOptions options;
  options.self = kHere;
  options.writes = writes;
  options.stay = seconds(10);
  options.moves_per_second = 1;
  return options;
}

class FollowerTest : public testing::Test {
 protected:
  std::optional<Incarnation> Write(Incarnation from, Uin user = Uin(7)) {
    return follower_.OnWrite(now_, user, from);
  }
  Follower follower_{Following(3)};
  core::Instant now_ = At(1000);
};

TEST_F(FollowerTest, TheLastThreeWritesFromOneOtherRegionMoveAUser) {
  Write(kThere);
  now_ += seconds(11);
  EXPECT_FALSE(Write(kThere).has_value());
  EXPECT_EQ(Write(kThere), kThere);
}

TEST_F(FollowerTest, WhoWritesFromHereOrFromTwoRegionsStays) {
  Write(kHere);
  now_ += seconds(11);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(Write(kThere).has_value());
    EXPECT_FALSE(Write(kThere).has_value());
    EXPECT_FALSE(Write(i % 2 == 0 ? kHere : kElsewhere).has_value());
  }
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(Write(kHere).has_value());
}

TEST_F(FollowerTest, WhoHasJustComeStaysForAWhile) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(Write(kThere).has_value()) << i;
    now_ += std::chrono::milliseconds(999);
  }
  now_ += std::chrono::milliseconds(10);
  EXPECT_EQ(Write(kThere), kThere);
  EXPECT_FALSE(Write(kThere).has_value()) << "asked for once";
}

TEST_F(FollowerTest, AClientThatDoesNotSayWhereItIsCountsForNothing) {
  Write(kThere);
  now_ += seconds(11);
  Write(kThere);
  EXPECT_FALSE(Write(Incarnation()).has_value());
  EXPECT_EQ(Write(kThere), kThere);
}

TEST_F(FollowerTest, SoManyASecondAreMoved) {
  for (uint64_t user = 1; user <= 20; ++user) {
    for (int i = 0; i < 3; ++i) Write(kThere, Uin(user));
  }
  now_ += seconds(11);
  const auto moved = [&] {
    int count = 0;
    for (uint64_t user = 1; user <= 20; ++user) count += Write(kThere, Uin(user)).has_value();
    return count;
  };
  EXPECT_EQ(moved(), 2) << "twice that at once";
  EXPECT_EQ(moved(), 0);
  now_ += seconds(1);
  EXPECT_EQ(moved(), 1);
}

TEST(FollowerOffTest, NotesNothing) {
  Follower off(Following(0));
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(off.OnWrite(At(i * 100'000), Uin(1), kThere).has_value());
  }
  EXPECT_EQ(off.size(), 0u);
}

TEST(FollowerOffTest, NotesSoManyUsers) {
  FollowerOptions options = Following(3);
  options.users_max = 5;
  Follower follower(options);
  for (uint64_t user = 1; user <= 100; ++user) follower.OnWrite(At(0), Uin(user), kThere);
  EXPECT_EQ(follower.size(), 5u);
}

}  // namespace
}  // namespace homeport::router
