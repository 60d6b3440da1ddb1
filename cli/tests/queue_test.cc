#include "cli/queue.h"

#include <gtest/gtest.h>

#include "cli/queue_report.h"

namespace homeport::cli {
namespace {

using core::DiskId;
using core::Incarnation;
using core::Seq;
using core::ShardId;
using core::StreamId;
using core::WriterEpoch;
using quorum_queue::ReplicaSlot;
using quorum_queue::StatusAnswer;

ClusterConfig TwoRegions() {
  ClusterConfig config;
  config.shards = 4;
  config.regions.resize(2);
  config.regions[0].name = "sh";
  config.regions[0].incarnation = Incarnation(1);
  config.regions[1].name = "hk";
  config.regions[1].incarnation = Incarnation(5);
  return config;
}

TEST(ParseStreamTest, NamesARegionAndAShard) {
  const ClusterConfig config = TwoRegions();
  const auto stream = ParseStream(config, "hk/3");
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(stream->id, StreamId(Incarnation(5), ShardId(3)));
  EXPECT_EQ(stream->region, &config.regions[1]);
  EXPECT_EQ(stream->name, "hk/3");
}

TEST(ParseStreamTest, SaysWhatIsWrong) {
  const ClusterConfig config = TwoRegions();
  for (const char* bad : {"", "/", "sh", "sh/", "sh/x", "sh/1x", "sh/-1", "sh/70000", "sh/4"}) {
    const auto stream = ParseStream(config, bad);
    EXPECT_EQ(stream.status().code(), core::Code::kBadRequest) << bad;
  }
  EXPECT_NE(ParseStream(config, "ca/0").status().message().find("sh, hk"), std::string::npos);
}

TEST(QueueReportTest, PutsTheReplicasTogether) {
  const StreamId one(Incarnation(1), ShardId(0)), two(Incarnation(1), ShardId(1));
  StatusAnswer ahead;
  ahead.disk = DiskId(7);
  ahead.log_bytes = 100;
  ahead.disk_free_bytes = 1000;
  ahead.streams = {{one, WriterEpoch(9), WriterEpoch(9), Seq(12), Seq(2), Seq(14), 12},
                   {two, WriterEpoch(9), WriterEpoch(8), Seq(1), Seq(0), Seq(1), 1}};
  StatusAnswer behind;
  behind.disk = DiskId(8);
  behind.full = true;
  behind.streams = {{one, WriterEpoch(9), WriterEpoch(8), Seq(10), Seq(3), Seq(10), 7}};

  const ReplicaSlot first{0, 0}, second{0, 1}, third{0, 2};
  const QueueReport report =
      MakeQueueReport({first, second, third}, {{first, ahead}, {third, behind}});

  ASSERT_EQ(report.replicas.size(), 3u);
  EXPECT_TRUE(report.replicas[0].up);
  EXPECT_EQ(report.replicas[0].disk, DiskId(7));
  EXPECT_FALSE(report.replicas[1].up);
  EXPECT_TRUE(report.replicas[2].full);
  EXPECT_EQ(report.replicas[2].streams.at(one).committed, Seq(10));
  EXPECT_FALSE(report.replicas[2].streams.contains(two));

  ASSERT_EQ(report.streams.size(), 2u);
  EXPECT_EQ(report.streams[0].committed, Seq(12));
  EXPECT_EQ(report.streams[0].trimmed, Seq(3));
  EXPECT_EQ(report.streams[0].last, Seq(14));
  EXPECT_FALSE(report.streams[0].taking_over());
  EXPECT_TRUE(report.streams[1].taking_over()) << "promised to a writer that has not opened";
}

}  // namespace
}  // namespace homeport::cli
