// What the region's log says of replicas.
#include "router/region_watch.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "core/files.h"
#include "core/log.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::router {
namespace {

using core::Instant;
using std::chrono::seconds;

constexpr core::Incarnation kSh(1);

class RegionWatchTest : public testing::Test {
 protected:
  RegionWatchTest() {
    core::StartLog("info", file(), "test");
    config_.regions.push_back({});
    config_.regions.back().name = "sh";
    config_.regions.back().incarnation = kSh;
    watch_ = std::make_unique<RegionWatch>(config_, kSh, Instant());
    // Some entry waits for each of the three, as always under load.
    status_.shards.emplace_back();
    for (uint8_t replica = 0; replica < 3; ++replica) {
      status_.shards.back().waiting_for.push_back(replica);
    }
  }
  ~RegionWatchTest() override { core::StartLog("warn", "", "test"); }
  std::string file() const { return dir_.path() + "/log"; }
  // Whether the line about replica `number` (from 1) is there.
  bool Says(const std::string& event, int number) {
    const std::string log = core::ReadFile(file()).value();
    return log.find("event=" + event + " replica=" + std::to_string(number)) != std::string::npos;
  }

  quorum_queue::TempDir dir_;
  core::ClusterConfig config_;
  std::unique_ptr<RegionWatch> watch_;
  replicator::RegionStatus status_;
};

TEST_F(RegionWatchTest, AReplicaThatAnswersIsNotSilentThoughEntriesWaitForIt) {
  Instant now;
  for (int second = 1; second <= 20; ++second) {
    now += seconds(1);
    for (const uint8_t replica : {0, 1}) watch_->Heard(now, kSh, replica);
    watch_->Look(now, status_);
  }
  EXPECT_FALSE(Says("replica_does_not_answer", 1));
  EXPECT_FALSE(Says("replica_does_not_answer", 2));
  EXPECT_TRUE(Says("replica_does_not_answer", 3));
  EXPECT_FALSE(Says("replica_answers_again", 3));
  watch_->Heard(now, kSh, 2);
  watch_->Look(now, status_);
  EXPECT_TRUE(Says("replica_answers_again", 3));
}

}  // namespace
}  // namespace homeport::router
