#include "replicator/relay_log.h"

#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <mutex>

#include "quorum_queue/codec.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::replicator {
namespace {

namespace qq = quorum_queue;
using core::Code;

const StreamId kOne(Incarnation(2), ShardId(0));
const StreamId kTwo(Incarnation(3), ShardId(1));
constexpr uint64_t kSegmentBytes = 8 << 20;

class RelayLogTest : public testing::Test {
 protected:
  void Open() {
    log_.reset();
    auto opened = TryOpen();
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_ = std::move(opened).value();
  }
  core::Result<std::unique_ptr<RelayLog>> TryOpen() {
    return RelayLog::Open(
        dir_.path(),
        [this] {
          // Under the lock: a wake between a waiter's look and its sleep is not lost.
          std::lock_guard lock(mutex_);
          woken_.notify_all();
        },
        kSegmentBytes);
  }
  void Append(StreamId stream, qq::EntryRun run) { log_->Append(++token_, stream, std::move(run)); }
  bool WaitForAll() {
    std::unique_lock lock(mutex_);
    return woken_.wait_for(lock, std::chrono::seconds(30),
                           [this] { return log_->TakePersisted() >= token_; });
  }
  core::Result<qq::EntryRun> Load(StreamId stream, Seq from, uint64_t bytes_max) {
    log_->Load(stream, from, bytes_max);
    std::vector<RelayLoad> loaded;
    std::unique_lock lock(mutex_);
    const bool woken = woken_.wait_for(lock, std::chrono::seconds(30), [&] {
      loaded = log_->TakeLoaded();
      return !loaded.empty();
    });
    if (!woken || loaded.size() != 1 || loaded[0].stream != stream) {
      return core::Status::Unavailable("one load is answered once");
    }
    return std::move(loaded[0].run);
  }
  // After Open: of what was there.
  Seq EndOf(StreamId stream) {
    for (const RelayEnd& end : log_->ends_at_open()) {
      if (end.stream == stream) return end.last;
    }
    return Seq(0);
  }
  std::vector<std::string> LoadAll(StreamId stream, uint64_t from, uint64_t bytes_max = 1 << 20) {
    std::vector<std::string> payloads;
    Seq next(from);
    while (true) {
      const auto run = Load(stream, next, bytes_max);
      EXPECT_TRUE(run.ok()) << run.status();
      if (!run.ok() || run->empty()) return payloads;
      EXPECT_EQ(run->first, next);
      EXPECT_EQ(run->checksum, qq::BodyChecksum(run->body.view()));
      for (const std::string_view payload : qq::Payloads(*run)) payloads.emplace_back(payload);
      next = run->last() + 1;
    }
  }
  // The first segment's file.
  std::string FirstSegment() {
    std::string first;
    for (const auto& file : std::filesystem::directory_iterator(dir_.path())) {
      const std::string name = file.path().filename();
      if (name.starts_with("segment-") && (first.empty() || file.path().string() < first)) {
        first = file.path();
      }
    }
    return first;
  }

  qq::TempDir dir_;
  std::mutex mutex_;
  std::condition_variable woken_;
  std::unique_ptr<RelayLog> log_;
  uint64_t token_ = 0;
};

TEST_F(RelayLogTest, KeepsEntriesAcrossARestart) {
  Open();
  EXPECT_TRUE(log_->ends_at_open().empty());
  EXPECT_EQ(log_->TakePersisted(), 0u);
  Append(kOne, qq::MakeRun(1, 7, uint64_t{3}));
  Append(kTwo, qq::MakeRun(1, 9, uint64_t{2}));
  Append(kOne, qq::MakeRun(4, 7, uint64_t{2}));
  ASSERT_TRUE(WaitForAll());
  const std::vector<std::string> one = LoadAll(kOne, 1);
  EXPECT_EQ(one, (std::vector<std::string>{"1/7", "2/7", "3/7", "4/7", "5/7"}));
  Open();
  EXPECT_EQ(EndOf(kOne), Seq(5));
  EXPECT_EQ(EndOf(kTwo), Seq(2));
  EXPECT_EQ(LoadAll(kOne, 1), one);
  EXPECT_EQ(LoadAll(kTwo, 2), std::vector<std::string>{"2/9"});
}

TEST_F(RelayLogTest, LoadsFromTheMiddleOfARunAndNothingPastTheEnd) {
  Open();
  Append(kOne, qq::MakeRun(1, 7, uint64_t{5}));
  ASSERT_TRUE(WaitForAll());
  EXPECT_EQ(LoadAll(kOne, 4), (std::vector<std::string>{"4/7", "5/7"}));
  EXPECT_TRUE(LoadAll(kOne, 6).empty());
  EXPECT_TRUE(LoadAll(kTwo, 1).empty());
}

TEST_F(RelayLogTest, ReleasesWholeSegmentsOnceNoStreamNeedsThem) {
  Open();
  const std::string payload(1 << 20, 'x');
  Append(kTwo, qq::MakeRun(1, 9, {"first of all"}));
  for (uint64_t n = 1; n <= 40; ++n) Append(kOne, qq::MakeRun(n, 7, {payload}));
  ASSERT_TRUE(WaitForAll());
  const uint64_t full = log_->bytes();
  EXPECT_GE(full, 5 * kSegmentBytes);
  log_->Release(kOne, Seq(39));
  Append(kOne, qq::MakeRun(41, 7, {"small"}));
  ASSERT_TRUE(WaitForAll());
  EXPECT_EQ(log_->bytes(), full) << "the other stream still has an entry in the first segment";
  log_->Release(kTwo, Seq(1));
  Append(kOne, qq::MakeRun(42, 7, {"small"}));
  ASSERT_TRUE(WaitForAll());
  EXPECT_LE(log_->bytes(), 2 * kSegmentBytes);
  EXPECT_EQ(LoadAll(kOne, 41).size(), 2u);
  Open();
  EXPECT_EQ(EndOf(kOne), Seq(42)) << "what is left is contiguous";
  EXPECT_EQ(LoadAll(kOne, 40).size(), 3u);
  EXPECT_LE(log_->bytes(), 2 * kSegmentBytes);
}

TEST_F(RelayLogTest, GivesAtMostAboutWhatWasAskedFor) {
  Open();
  for (uint64_t n = 0; n < 10; ++n) {
    Append(kOne, qq::MakeRun(1 + n, 7, {std::string(1000, 'x')}));
  }
  ASSERT_TRUE(WaitForAll());
  const auto run = Load(kOne, Seq(1), 2500);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->count(), 3u);
  EXPECT_EQ(LoadAll(kOne, 1, 2500).size(), 10u);
  EXPECT_EQ(LoadAll(kOne, 1, 1).size(), 10u) << "one record is always allowed";
}

TEST_F(RelayLogTest, KeepsEntriesOfSeveralEpochsApart) {
  Open();
  Append(kOne, qq::MakeRun(1, 7, uint64_t{2}));
  Append(kOne, qq::MakeRun(3, 8, uint64_t{2}));
  ASSERT_TRUE(WaitForAll());
  const auto run = Load(kOne, Seq(1), 1 << 20);
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->epoch, qq::WriterEpoch(7));
  EXPECT_EQ(run->count(), 2u);
  EXPECT_EQ(LoadAll(kOne, 1), (std::vector<std::string>{"1/7", "2/7", "3/8", "4/8"}));
}

TEST_F(RelayLogTest, WritesARunThatIsLargerThanARecordInParts) {
  Open();
  std::vector<std::string> payloads;
  for (char c = 'a'; c < 'a' + 9; ++c) payloads.emplace_back(900 << 10, c);
  Append(kOne, qq::MakeRun(1, 7, payloads));
  ASSERT_TRUE(WaitForAll());
  EXPECT_EQ(LoadAll(kOne, 1), payloads);
  Open();
  EXPECT_EQ(EndOf(kOne), Seq(9));
  EXPECT_EQ(LoadAll(kOne, 1), payloads);
}

TEST_F(RelayLogTest, FillsOneSegmentAfterTheOther) {
  Open();
  const uint64_t before = log_->bytes();
  for (uint64_t n = 0; n < 30; ++n) {
    Append(kOne, qq::MakeRun(1 + n, 7, {std::string(1 << 20, static_cast<char>('a' + n % 26))}));
  }
  ASSERT_TRUE(WaitForAll());
  EXPECT_GT(log_->bytes(), before);
  Open();
  EXPECT_EQ(EndOf(kOne), Seq(30));
  EXPECT_EQ(LoadAll(kOne, 1).size(), 30u);
}

TEST_F(RelayLogTest, EndsBeforeTheFirstGap) {
  Open();
  Append(kOne, qq::MakeRun(5, 7, uint64_t{2}));
  Append(kOne, qq::MakeRun(9, 7, uint64_t{2}));
  ASSERT_TRUE(WaitForAll());
  Open();
  EXPECT_EQ(EndOf(kOne), Seq(6));
  EXPECT_EQ(LoadAll(kOne, 5).size(), 2u);
}

TEST_F(RelayLogTest, ATornTailIsAShorterLog) {
  Open();
  Append(kOne, qq::MakeRun(1, 7, uint64_t{2}));
  ASSERT_TRUE(WaitForAll());
  Append(kOne, qq::MakeRun(3, 7, {"the last record of all"}));
  ASSERT_TRUE(WaitForAll());
  log_.reset();
  std::string bytes = qq::ReadBytes(FirstSegment());
  const size_t at = bytes.find("the last record of all");
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  qq::WriteBytes(FirstSegment(), bytes);
  Open();
  EXPECT_EQ(EndOf(kOne), Seq(2));
}

TEST_F(RelayLogTest, DamageIsToldWithWhatToDoAndWhatItCosts) {
  Open();
  Append(kOne, qq::MakeRun(1, 7, {"the first record of all"}));
  ASSERT_TRUE(WaitForAll());
  for (uint64_t n = 2; n < 5; ++n) {
    Append(kOne, qq::MakeRun(n, 7, uint64_t{1}));
    ASSERT_TRUE(WaitForAll());
  }
  log_.reset();
  std::string bytes = qq::ReadBytes(FirstSegment());
  const size_t at = bytes.find("the first record of all");
  ASSERT_NE(at, std::string::npos);
  bytes[at] ^= 1;
  qq::WriteBytes(FirstSegment(), bytes);
  const auto opened = TryOpen();
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.status().code(), Code::kCorrupt);
  EXPECT_NE(opened.status().message().find("remove " + dir_.path()), std::string::npos)
      << opened.status();
}

TEST_F(RelayLogTest, TokensArePersistedInOrderWhileOthersArrive) {
  Open();
  uint64_t seen = 0;
  for (uint64_t n = 1; n <= 500; ++n) {
    Append(kOne, qq::MakeRun(n, 7, uint64_t{1}));
    const uint64_t persisted = log_->TakePersisted();
    EXPECT_GE(persisted, seen);
    EXPECT_LE(persisted, token_);
    seen = persisted;
  }
  ASSERT_TRUE(WaitForAll());
  Open();
  EXPECT_EQ(EndOf(kOne), Seq(500));
}

}  // namespace
}  // namespace homeport::replicator
