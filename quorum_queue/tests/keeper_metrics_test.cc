#include "quorum_queue/keeper_metrics.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace homeport::quorum_queue {
namespace {

class KeeperMetricsTest : public testing::Test {
 protected:
  // The value of a line that begins so; empty: there is none.
  std::string Read(const std::string& name) {
    std::ostringstream text;
    prometheus::TextSerializer().Serialize(text, registry_.Collect());
    std::istringstream lines(text.str());
    for (std::string line; std::getline(lines, line);) {
      if (line.starts_with(name + " ")) return line.substr(name.size() + 1);
    }
    return "";
  }

  prometheus::Registry registry_;
  KeeperMetrics metrics_{registry_, "sh"};
  QueueKeeperStatus status_;
};

constexpr const char* kDraining = "homeport_queue_draining_groups{region=\"sh\"}";
constexpr const char* kNotDrained = "homeport_queue_not_drained_entries{group=\"2\",region=\"sh\"}";

TEST_F(KeeperMetricsTest, TellsOfAGroupThatDrainsUntilItIsGone) {
  metrics_.Update(status_);
  EXPECT_EQ(Read(kDraining), "0");
  EXPECT_EQ(Read(kNotDrained), "");

  status_.why_not_retired[GroupId(2)] = "it was not looked at yet";
  metrics_.Update(status_);
  EXPECT_EQ(Read(kDraining), "1");
  EXPECT_EQ(Read(kNotDrained), "") << "not known";

  status_.not_drained[GroupId(2)] = 7;
  metrics_.Update(status_);
  EXPECT_EQ(Read(kNotDrained), "7");
  status_.not_drained.clear();
  metrics_.Update(status_);
  EXPECT_EQ(Read(kNotDrained), "7") << "not known of every stream: as it was";

  status_.why_not_retired.clear();
  metrics_.Update(status_);
  EXPECT_EQ(Read(kDraining), "0");
  EXPECT_EQ(Read(kNotDrained), "");
}

}  // namespace
}  // namespace homeport::quorum_queue
