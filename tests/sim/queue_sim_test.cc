#include "tests/sim/queue_sim.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ostream>
#include <string>

namespace homeport::sim {
namespace {

uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

TEST(QueueSimTest, KeepsItsPromises) {
  const uint64_t first = FromEnvironment("HOMEPORT_SEED", 0);
  const uint64_t count = FromEnvironment("HOMEPORT_SEEDS", first != 0 ? 1 : 300);
  QueueSimResult sum;
  for (uint64_t i = 0; i < count; ++i) {
    QueueSimOptions options;
    options.seed = (first != 0 ? first : 1) + i;
    const QueueSimResult result = RunQueueSim(options);
    ASSERT_FALSE(result.violation.has_value())
        << *result.violation << "\nagain with HOMEPORT_SEED=" << options.seed;
    sum.events += result.events;
    sum.acknowledged += result.acknowledged;
    sum.delivered += result.delivered;
    sum.takeovers += result.takeovers;
    sum.fenced += result.fenced;
    sum.crashes += result.crashes;
    sum.filled += result.filled;
    sum.lacking += result.lacking;
    sum.refused += result.refused;
    sum.trims += result.trims;
    sum.fence_pages += result.fence_pages;
  }
  std::printf(
      "%lu seeds: %lu events, %lu acknowledged, %lu delivered, %lu takeovers (%lu with a fill), "
      "%lu fenced, %lu crashes, %lu lacking, %lu refused, %lu trims, %lu fence pages\n",
      count, sum.events, sum.acknowledged, sum.delivered, sum.takeovers, sum.filled, sum.fenced,
      sum.crashes, sum.lacking, sum.refused, sum.trims, sum.fence_pages);
  if (count < 100) return;
  // What never happens is not tested.
  EXPECT_GT(sum.acknowledged, 10 * count);
  EXPECT_GT(sum.delivered, sum.acknowledged);
  EXPECT_GT(sum.filled, count / 10);
  EXPECT_GT(sum.fenced, count / 10);
  EXPECT_GT(sum.crashes, count / 10);
  EXPECT_GT(sum.lacking, 0u);
  EXPECT_GT(sum.refused, 0u);
  EXPECT_GT(sum.trims, 0u);
  EXPECT_GT(sum.fence_pages, count / 10);
}

TEST(QueueSimTest, OneSeedIsOneHistory) {
  for (const uint64_t seed : {3, 4, 5}) {
    const QueueSimResult once = RunQueueSim({.seed = seed});
    const QueueSimResult again = RunQueueSim({.seed = seed});
    EXPECT_EQ(once.trace, again.trace);
    EXPECT_EQ(once.events, again.events);
    EXPECT_NE(once.trace, RunQueueSim({.seed = seed + 100}).trace);
  }
}

// ---- a checker is worth what it catches

struct Planted {
  const char* name;
  PlantedBug bug;
  const char* seen_as;  // the first word of the violation, or words with |
};

// Its name stands in the test's.
void PrintTo(const Planted& planted, std::ostream* out) {
  *out << planted.name;
}

class PlantedBugTest : public testing::TestWithParam<Planted> {};

TEST_P(PlantedBugTest, IsSeen) {
  constexpr uint64_t kSeedsMax = 300;
  for (uint64_t seed = 1; seed <= kSeedsMax; ++seed) {
    // Without a look at the disks: what follows from the bug must be seen too, not only the bug.
    const QueueSimResult result =
        RunQueueSim({.seed = seed, .bug = GetParam().bug, .check_disks = false});
    if (!result.violation) continue;
    std::printf("seed %lu: %s\n", seed, result.violation->c_str());
    const std::string word = result.violation->substr(0, result.violation->find(':'));
    EXPECT_NE(std::string(GetParam().seen_as).find(word), std::string::npos) << *result.violation;
    return;
  }
  FAIL() << "not seen in " << kSeedsMax << " seeds";
}

INSTANTIATE_TEST_SUITE_P(
    All, PlantedBugTest,
    testing::Values(
        Planted{"StoredBeforeSynced", PlantedBug::kStoredBeforeSynced, "payload|lost|zombie|read"},
        Planted{"QuorumOfOne", PlantedBug::kQuorumOfOne, "payload|lost|zombie|read"},
        Planted{"ForgetfulFence", PlantedBug::kForgetfulFence, "payload|lost|zombie|read"},
        Planted{"UnkeptPromise", PlantedBug::kUnkeptPromise, "payload|lost|zombie"},
        Planted{"CommittedTooEarly", PlantedBug::kCommittedTooEarly, "payload|read|lost"},
        Planted{"PayloadChanged", PlantedBug::kPayloadChanged, "payload"},
        Planted{"PageForWhole", PlantedBug::kPageForWhole, "payload|lost|zombie|read"},
        Planted{"DeafInTheEnd", PlantedBug::kDeafInTheEnd, "progress"}),
    [](const auto& test) { return test.param.name; });

TEST(QueueSimTest, TheDiskCheckerSeesALyingDiskAtOnce) {
  const QueueSimResult result =
      RunQueueSim({.seed = 1, .bug = PlantedBug::kStoredBeforeSynced, .check_disks = true});
  ASSERT_TRUE(result.violation.has_value());
  EXPECT_EQ(result.violation->substr(0, 5), "disk:");
}

}  // namespace
}  // namespace homeport::sim
