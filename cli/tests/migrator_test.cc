#include "cli/migrator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

namespace homeport::cli {
namespace {

using core::Code;
using core::Incarnation;
using core::MoveHome;
using core::Result;
using core::Status;
using core::Uin;

// Two homes: `leave` answers the old one's requests, `arrive` the new one's.
struct Homes {
  using Answer = std::function<Result<bool>(const MoveHome&)>;
  Answer leave = [](const MoveHome&) { return Result<bool>(true); };
  Answer arrive = [](const MoveHome&) { return Result<bool>(false); };
  std::set<Uin> left;
  std::deque<std::pair<MoveHome, router::Client::ChangedCallback>> asked;
  size_t most_asked = 0;

  MigratorPort port() {
    return {[this](const MoveHome& move, router::Client::ChangedCallback callback) {
              asked.emplace_back(move, std::move(callback));
              most_asked = std::max(most_asked, asked.size());
            },
            [this](core::Duration) {
              if (asked.empty()) return;
              auto [move, callback] = std::move(asked.front());
              asked.pop_front();
              const bool has_left = left.contains(move.subject);
              const Result<bool> answer = has_left ? arrive(move) : leave(move);
              if (answer.ok() && *answer) left.insert(move.subject);
              callback(answer);
            }};
  }
};

std::vector<MoveHome> Many(uint64_t users) {
  std::vector<MoveHome> moves;
  for (uint64_t n = 1; n <= users; ++n) moves.push_back({Uin(n), Incarnation(2 + n % 2)});
  return moves;
}
bool GoOn() {
  return true;
}

TEST(MigratorTest, MovesAllAndCountsWhoArrived) {
  Homes homes;
  homes.leave = [](const MoveHome& move) { return Result<bool>(move.subject != Uin(3)); };
  Migrator migrator({}, homes.port(), Many(10));
  migrator.Run(GoOn);
  EXPECT_EQ(migrator.counts().moved, 9u);
  EXPECT_EQ(migrator.counts().there_already, 1u);
  EXPECT_EQ(migrator.done(), 10u);
  EXPECT_EQ(migrator.why_stopped(), "");
}

TEST(MigratorTest, WhoDoesNotArriveKeepsItsPlaceAndSoManyEndIt) {
  Homes homes;
  homes.arrive = [](const MoveHome&) { return Result<bool>(Status::Unavailable("silence")); };
  MigratorOptions options;
  options.in_flight_max = 30;
  options.unarrived_max = 20;
  Migrator migrator(options, homes.port(), Many(1000));
  migrator.Run(GoOn);
  EXPECT_GE(migrator.counts().unarrived, 20u);
  EXPECT_LE(migrator.counts().asked, 30u) << "no more than were under way have left";
  EXPECT_EQ(migrator.counts().failed, 0u);
  EXPECT_NE(migrator.why_stopped().find("have left"), std::string::npos);
  EXPECT_EQ(migrator.first_failure().code(), Code::kUnavailable);
}

TEST(MigratorTest, ARegionThatTakesNobodyEndsIt) {
  Homes homes;
  homes.leave = [](const MoveHome&) { return Result<bool>(Status::Refused("not heard of")); };
  MigratorOptions options;
  options.in_flight_max = 5;
  options.refused_max = 10;
  Migrator migrator(options, homes.port(), Many(1000));
  migrator.Run(GoOn);
  EXPECT_GE(migrator.counts().failed, 10u);
  EXPECT_LE(migrator.counts().asked, 15u);
  EXPECT_NE(migrator.why_stopped().find("refused"), std::string::npos);
  EXPECT_EQ(migrator.failures().size(), 5u);
}

TEST(MigratorTest, OneRefusedNowAndThenDoesNot) {
  Homes homes;
  homes.leave = [](const MoveHome& move) {
    return move.subject.value() % 2 == 0 ? Result<bool>(Status::Refused("no")) : Result<bool>(true);
  };
  MigratorOptions options;
  options.refused_max = 3;
  Migrator migrator(options, homes.port(), Many(100));
  migrator.Run(GoOn);
  EXPECT_EQ(migrator.counts().moved, 50u);
  EXPECT_EQ(migrator.counts().failed, 50u);
}

TEST(MigratorTest, WhoWasAskedIsWaitedForWhenItIsEnded) {
  Homes homes;
  MigratorOptions options;
  options.in_flight_max = 10;
  Migrator migrator(options, homes.port(), Many(1000));
  migrator.Run([&] { return migrator.counts().moved < 7; });
  EXPECT_EQ(migrator.done(), migrator.counts().asked);
  EXPECT_LT(migrator.counts().asked, 30u);
  EXPECT_LE(homes.most_asked, 10u);
}

}  // namespace
}  // namespace homeport::cli
