#include "quorum_queue/log_verify.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <map>
#include <string>

#include "core/files.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/replica.h"
#include "quorum_queue/segment_format.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;

// A formatted directory with a log of two segments: entries 1 .. 9 of one stream, committed 6.
class VerifyLogTest : public testing::Test {
 protected:
  VerifyLogTest() : dir_(parent_.path() + "/replica") {
    Identity identity;
    identity.cluster = "c1";
    identity.region = "sh";
    identity.incarnation = core::Incarnation(3);
    identity.replica = 2;
    identity.disk = DiskId(0xd15c);
    identity.shards = 8;
    EXPECT_TRUE(FormatReplica(dir_, identity).ok());
    SegmentLogOptions options;
    options.dir = dir_;
    options.segment_bytes = 160 << 10;
    options.record_bytes_max = 8 << 10;
    RecoveryReport report;
    auto log = SegmentLog::Open(
        options, [](RecordNumber, std::string_view, uint64_t) { return core::Status(); }, &report);
    EXPECT_TRUE(log.ok()) << log.status();
    Replica replica(ReplicaOptions{.disk = identity.disk});
    replica.FinishReplay(RecordNumber(1));
    const auto step = [&](ReplicaEvent event) {
      std::vector<ReplicaEffect> effects;
      replica.Step({}, std::move(event), &effects);
      for (ReplicaEffect& effect : effects) {
        if (auto* record = std::get_if<LogRecordEffect>(&effect)) {
          (*log)->Append(std::move(record->header), std::move(record->body), record->body_checksum);
        }
      }
      (*log)->Sync();
    };
    const auto append = [&](uint64_t first, uint64_t committed) {
      step(RequestReceived{ReplicaPeer(1), Append{kTestStream, WriterEpoch(5), MakeChain({{5, 1}}),
                                                  MakeRun(first, 5, 3), Seq(committed), Seq(1)}});
    };
    step(SegmentStarted{});
    append(1, 0);
    append(4, 3);
    EXPECT_TRUE((*log)->StartSegment().ok());
    step(SegmentStarted{});
    append(7, 6);
    append(7, 7);  // news only
  }
  void Flip(uint64_t segment, size_t at) {
    const std::string path = dir_ + "/" + SegmentName(segment);
    std::string bytes = ReadBytes(path);
    bytes[at] ^= 1;
    WriteBytes(path, bytes);
  }
  size_t Find(uint64_t segment, const std::string& payload) {
    return ReadBytes(dir_ + "/" + SegmentName(segment)).find(payload);
  }
  // Verifies, and that nothing was changed by it.
  VerifiedLog Verify() {
    const auto before = Files();
    auto log = VerifyLog(dir_);
    EXPECT_TRUE(log.ok()) << log.status();
    EXPECT_EQ(Files(), before);
    return log.ok() ? *log : VerifiedLog{};
  }

  TempDir parent_;
  const std::string dir_;

 private:
  std::map<std::string, std::string> Files() {
    std::map<std::string, std::string> files;
    for (const auto& file : std::filesystem::directory_iterator(dir_)) {
      if (file.path().filename() != "LOCK") files[file.path()] = ReadBytes(file.path());
    }
    return files;
  }
};

TEST_F(VerifyLogTest, TellsSegmentsAndStreamsOfAnIntactLog) {
  const VerifiedLog log = Verify();
  EXPECT_TRUE(log.IsIntact());
  EXPECT_EQ(log.identity.replica, 2);
  ASSERT_EQ(log.segments.size(), 2u);
  EXPECT_EQ(log.segments[0].name, SegmentName(1));
  EXPECT_EQ(log.segments[0].records, 3u);
  EXPECT_EQ(log.segments[1].first_record, 4u);
  EXPECT_EQ(log.segments[1].torn_bytes, 0u);
  ASSERT_EQ(log.streams.size(), 1u);
  EXPECT_EQ(log.streams[0].promised, WriterEpoch(5));
  EXPECT_EQ(log.streams[0].committed, Seq(7));
  EXPECT_EQ(log.streams[0].trimmed, Seq(1));
  EXPECT_EQ(log.streams[0].last, Seq(9));
  EXPECT_EQ(log.streams[0].entries, 8u);
  EXPECT_EQ(log.streams[0].missing, 0u);
}

// It would not know what it was given.
TEST_F(VerifyLogTest, ARecoveringReplicaThatLostARecordWouldNotStart) {
  auto identity = ReadIdentity(dir_);
  ASSERT_TRUE(identity.ok());
  identity->recovering = true;
  ASSERT_TRUE(WriteIdentity(dir_, *identity).ok());
  EXPECT_EQ(Verify().refusal, "");
  Flip(1, Find(1, "4/5") - kFrameBytes);  // in the record's head
  EXPECT_NE(Verify().refusal, "");
}

TEST_F(VerifyLogTest, NamesTheEntriesOfABodyThatDoesNotHold) {
  const size_t at = Find(1, "4/5");
  Flip(1, at);
  const VerifiedLog log = Verify();
  EXPECT_FALSE(log.IsIntact());
  EXPECT_EQ(log.refusal, "");
  ASSERT_EQ(log.segments[0].damage.size(), 1u);
  const VerifiedDamage& damage = log.segments[0].damage[0];
  EXPECT_LT(damage.where.offset, at);
  EXPECT_TRUE(damage.where.body_only);
  EXPECT_EQ(damage.where.first, RecordNumber(3));
  EXPECT_EQ(damage.stream, kTestStream);
  EXPECT_EQ(damage.first, Seq(4));
  EXPECT_EQ(damage.count, 3u);
  EXPECT_EQ(log.streams[0].missing, 3u);
  EXPECT_FALSE(log.streams[0].doubtful) << "all three are committed";
}

TEST_F(VerifyLogTest, TellsWhenTheReplicaWouldNotStart) {
  Flip(2, kSegmentHeaderBytes + 20);  // the checkpoint; nothing behind it tells what it said
  const VerifiedLog log = Verify();
  EXPECT_FALSE(log.IsIntact());
  EXPECT_NE(log.refusal.find(SegmentName(2) + " at offset 4096"), std::string::npos) << log.refusal;
  EXPECT_EQ(log.segments[1].damage.size(), 1u);
  EXPECT_TRUE(log.streams.empty());
}

// The machine was cut off right after it began a segment, and then the others got lost.
TEST_F(VerifyLogTest, ALogOfWhichOnlyAnEmptySegmentIsLeftIsNotAnEmptyLog) {
  SegmentLogOptions options;
  options.dir = dir_;
  options.segment_bytes = 160 << 10;
  options.record_bytes_max = 8 << 10;
  RecoveryReport report;
  {
    auto log = SegmentLog::Open(
        options, [](RecordNumber, std::string_view, uint64_t) { return core::Status(); }, &report);
    ASSERT_TRUE(log.ok()) << log.status();
    ASSERT_TRUE((*log)->StartSegment().ok());
  }
  EXPECT_TRUE(Verify().refusal.empty());
  for (const uint64_t segment : {1, 2}) {
    ASSERT_EQ(::unlink((dir_ + "/" + SegmentName(segment)).c_str()), 0);
  }
  EXPECT_NE(Verify().refusal.find(SegmentName(1) + " is missing"), std::string::npos);
  // As in a log of before there were marks.
  ASSERT_EQ(::unlink((dir_ + "/" + FirstName(1)).c_str()), 0);
  EXPECT_NE(Verify().refusal.find("begins in the middle"), std::string::npos);
}

TEST_F(VerifyLogTest, GoesOnBehindADamagedHeadWhereTheReplicaWould) {
  Flip(1, 20);
  VerifiedLog log = Verify();
  EXPECT_FALSE(log.IsIntact());
  EXPECT_EQ(log.refusal, "");
  EXPECT_EQ(log.segments[0].damage.at(0).where.first, RecordNumber(0));
  EXPECT_EQ(log.streams[0].entries, 8u);
  Flip(1, 20);
  Flip(2, 20);  // of the last one
  log = Verify();
  EXPECT_NE(log.refusal.find(SegmentName(2)), std::string::npos);
}

TEST_F(VerifyLogTest, ATornTailIsNoDamage) {
  const std::string path = dir_ + "/" + SegmentName(2);
  const std::string bytes = ReadBytes(path);
  const VerifiedLog whole = Verify();
  Flip(2, whole.segments[1].bytes - 10);  // the last record, of which nothing says it was on disk
  const VerifiedLog log = Verify();
  EXPECT_TRUE(log.IsIntact());
  EXPECT_GT(log.segments[1].torn_bytes, 0u);
  EXPECT_EQ(log.segments[1].records, whole.segments[1].records - 1);
  EXPECT_EQ(log.streams[0].committed, Seq(6));
}

TEST_F(VerifyLogTest, RefusesADirectoryInUseOrOfNoReplica) {
  const auto lock = core::DirectoryLock::Take(dir_);
  ASSERT_TRUE(lock.ok());
  EXPECT_EQ(VerifyLog(dir_).status().code(), Code::kUnavailable);
  EXPECT_EQ(VerifyLog(parent_.path()).status().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace homeport::quorum_queue
