#include "quorum_queue/segment_log.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xxhash.h>

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "quorum_queue/record_offsets.h"
#include "quorum_queue/segment_format.h"
#include "quorum_queue/tests/temp_dir.h"

// In the place of the C library's: a disk that fails on demand, on the thread of the test.
namespace {
thread_local bool fail_syncs = false;
int syncs_failed = 0;
}  // namespace
extern "C" int fdatasync(int fd) {
  if (!fail_syncs) return static_cast<int>(::syscall(SYS_fdatasync, fd));
  ++syncs_failed;
  errno = EIO;
  return -1;
}

// Reads of this page of any file fail, by any thread.
namespace {
constexpr off_t kNoPage = -1;
std::atomic<off_t> bad_page = kNoPage;
}  // namespace
extern "C" ssize_t pread(int fd, void* buffer, size_t size, off_t offset) {
  const off_t bad = bad_page;
  if (bad != kNoPage && offset < bad + 4096 && bad < offset + static_cast<off_t>(size)) {
    errno = EIO;
    return -1;
  }
  return static_cast<ssize_t>(::syscall(SYS_pread64, fd, buffer, size, offset));
}

namespace homeport::quorum_queue {
namespace {

using core::Code;
using core::SharedBytes;
using core::Status;

struct Seen {
  uint64_t number;
  std::string header;
  uint64_t body_size;
  bool operator==(const Seen&) const = default;
};

// A log with small segments, and what its last Open replayed.
struct TestLog {
  explicit TestLog(std::string dir) {
    options.dir = std::move(dir);
    options.segment_bytes = 256 << 10;
    options.record_bytes_max = 16 << 10;
    options.prepared_segments = 1;
    options.retry_after = std::chrono::milliseconds(5);
  }
  Status Open() {
    log.reset();
    seen.clear();
    report = {};
    auto opened = SegmentLog::Open(
        options,
        [this](RecordNumber number, std::string_view header, uint64_t body_size) {
          seen.push_back({number.value(), std::string(header), body_size});
          return Status::Ok();
        },
        &report);
    if (!opened.ok()) return opened.status();
    log = std::move(*opened);
    return Status::Ok();
  }
  RecordNumber Append(const std::string& header, const std::string& body) {
    if (log->NeedsSegment()) {
      Status started = log->StartSegment();
      EXPECT_TRUE(started.ok()) << started;
    }
    return AppendHere(header, body);
  }
  RecordNumber AppendHere(const std::string& header, const std::string& body) {
    return log->Append(header, SharedBytes(body), XXH3_64bits(body.data(), body.size()));
  }
  std::vector<std::string> Headers() const {
    std::vector<std::string> headers;
    for (const Seen& record : seen) headers.push_back(record.header);
    return headers;
  }

  SegmentLogOptions options;
  std::vector<Seen> seen;
  RecoveryReport report;
  std::unique_ptr<SegmentLog> log;
};

std::string First(const std::string& dir) {
  return dir + "/" + SegmentName(1);
}

// A new directory with this one segment in it.
struct OneSegment {
  explicit OneSegment(const std::string& bytes) : log(dir.path()) {
    WriteBytes(First(dir.path()), bytes);
  }
  TempDir dir;
  TestLog log;
};

// A log with records "a" and "b" synced one by one, then "torn-1" to "torn-3" in one batch.
struct TornBatch {
  explicit TornBatch(uint64_t body_size = 30)
      : body_bytes(body_size), record_bytes(RecordBytes(6, body_size)) {
    TempDir dir;
    TestLog log(dir.path());
    EXPECT_TRUE(log.Open().ok());
    for (const char* header : {"a", "b"}) {
      log.Append(header, "body of " + std::string(header));
      log.log->Sync();
    }
    before = ReadBytes(First(dir.path()));
    start = kSegmentHeaderBytes + 2 * RecordBytes(1, 9);
    for (const char* header : {"torn-1", "torn-2", "torn-3"}) {
      log.Append(header, std::string(body_bytes, header[5]));
    }
    log.log->Sync();
    after = ReadBytes(First(dir.path()));
    end = start + 3 * record_bytes;
  }
  uint64_t body_bytes;
  uint64_t record_bytes;
  std::string before;
  std::string after;
  uint64_t start;
  uint64_t end;
};

const std::vector<std::string> kIntact = {"a", "b", "torn-1", "torn-2", "torn-3"};

TEST(SegmentLogTest, KeepsSyncedRecordsAcrossSegmentsAndRestarts) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  std::vector<Seen> expected;
  for (uint64_t i = 1; i <= 300; i++) {
    std::string header = "header " + std::to_string(i) + std::string(i % 17, 'h');
    std::string body(i * 37 % 9000, static_cast<char>('a' + i % 26));
    EXPECT_EQ(log.Append(header, body).value(), i);
    expected.push_back({i, header, body.size()});
    if (i % 7 == 0) log.log->Sync();
    if (i % 90 == 0) {
      log.log->Sync();
      ASSERT_TRUE(log.Open().ok());
      EXPECT_EQ(log.seen, expected);
      EXPECT_EQ(log.report.torn_bytes, 0u);
    }
  }
  log.log->Sync();
  EXPECT_GT(log.log->bytes(), 5 * log.options.segment_bytes);
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.seen, expected);
  EXPECT_EQ(log.log->next().value(), 301u);
  EXPECT_EQ(log.report.records, 300u);
}

TEST(SegmentLogTest, ForgetsRecordsThatWereNeverSynced) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  log.Append("kept", "x");
  log.log->Sync();
  log.Append("lost", "y");
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.Headers(), std::vector<std::string>{"kept"});
  EXPECT_EQ(log.log->next().value(), 2u);
}

TEST(SegmentLogTest, LoadsTheSameFromMemoryAndFromDisk) {
  for (uint64_t cache_bytes : {uint64_t{0}, uint64_t{1000}, uint64_t{1} << 30}) {
    TempDir dir;
    TestLog log(dir.path());
    log.options.cache_bytes = cache_bytes;
    ASSERT_TRUE(log.Open().ok());
    for (int i = 1; i <= 120; i++) {
      log.Append("header " + std::to_string(i), std::string(i * 50, static_cast<char>(i)));
      if (i % 5 == 0) log.log->Sync();
    }
    log.Append("header 121", "not synced");
    for (int i = 1; i <= 121; i++) {
      std::string header;
      SharedBytes body;
      ASSERT_TRUE(log.log->Load(RecordNumber(i), &header, &body).ok());
      EXPECT_EQ(header, "header " + std::to_string(i));
      EXPECT_EQ(body.view(), i == 121 ? "not synced" : std::string(i * 50, static_cast<char>(i)));
    }
  }
}

TEST(SegmentLogTest, LoadFindsAFlippedBitInAnyByteOfARecord) {
  TempDir dir;
  TestLog log(dir.path());
  log.options.cache_bytes = 0;
  ASSERT_TRUE(log.Open().ok());
  log.Append("header!!", "a body with 32 bytes, no padding");
  log.log->Sync();
  const std::string good = ReadBytes(First(dir.path()));
  for (uint64_t i = 0; i < RecordBytes(8, 32); i++) {
    std::string bad = good;
    bad[kSegmentHeaderBytes + i] ^= 4;
    WriteBytes(First(dir.path()), bad);
    std::string header;
    SharedBytes body;
    Status loaded = log.log->Load(RecordNumber(1), &header, &body);
    ASSERT_EQ(loaded.code(), Code::kCorrupt) << i;
    EXPECT_NE(loaded.message().find(First(dir.path()) + " at offset 4096"), std::string::npos);
  }
}

// ---- the torn tail

TEST(SegmentLogTest, CutsATailTornAtAnyByte) {
  const TornBatch batch;
  for (uint64_t torn_at = batch.start; torn_at < batch.end; torn_at++) {
    SCOPED_TRACE(torn_at - batch.start);
    // Records end in padding, which may miss without harm.
    uint64_t whole = 0;
    while (torn_at >= batch.start + whole * batch.record_bytes + kFrameBytes + 6 + 30) whole++;
    OneSegment disk(batch.after.substr(0, torn_at) + batch.before.substr(torn_at));
    ASSERT_TRUE(disk.log.Open().ok());
    std::vector<std::string> expected(kIntact.begin(), kIntact.begin() + 2 + whole);
    EXPECT_EQ(disk.log.Headers(), expected);
    disk.log.Append("new", "");
    disk.log.log->Sync();
    expected.push_back("new");
    ASSERT_TRUE(disk.log.Open().ok());
    EXPECT_EQ(disk.log.Headers(), expected);
    EXPECT_EQ(disk.log.report.torn_bytes, 0u);
  }
}

TEST(SegmentLogTest, CutsATailWithAnyByteGarbled) {
  const TornBatch batch;
  for (uint64_t garbled_at = batch.start; garbled_at < batch.end; garbled_at++) {
    SCOPED_TRACE(garbled_at - batch.start);
    const uint64_t in_record = (garbled_at - batch.start) % batch.record_bytes;
    if (in_record >= kFrameBytes + 6 + 30) continue;  // padding
    const uint64_t whole = (garbled_at - batch.start) / batch.record_bytes;
    std::string bytes = batch.after;
    bytes[garbled_at] ^= 0x10;
    OneSegment disk(bytes);
    ASSERT_TRUE(disk.log.Open().ok());
    EXPECT_EQ(disk.log.Headers(),
              std::vector<std::string>(kIntact.begin(), kIntact.begin() + 2 + whole));
    // The last record with its position garbled looks like nothing at all.
    const bool position = in_record >= 8 && in_record < 16;
    if (!position || whole < 2) {
      EXPECT_GT(disk.log.report.torn_bytes, 0u);
    }
  }
}

// A write fills its last page with zeros, so a stale record is in danger of coming back only where
// the one before it ends with its page: these bodies make the batch's first record end so.
constexpr uint64_t kToPageEnd = kPageBytes - 2 * RecordBytes(1, 9) - kFrameBytes - 6;

// The disk wrote the batch's later records and not its first. A new record just as long as the
// first must not make them good again.
TEST(SegmentLogTest, CutRecordsStayCutWhenOneOfEqualSizeIsWrittenBeforeThem) {
  const TornBatch batch(kToPageEnd);
  std::string bytes = batch.after;
  bytes.replace(batch.start, batch.record_bytes,
                batch.before.substr(batch.start, batch.record_bytes));
  OneSegment disk(bytes);
  ASSERT_TRUE(disk.log.Open().ok());
  EXPECT_EQ(disk.log.Headers(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(disk.log.report.torn_bytes, 3 * batch.record_bytes);
  disk.log.Append("new--1", std::string(kToPageEnd, 'n'));
  disk.log.log->Sync();
  ASSERT_TRUE(disk.log.Open().ok());
  EXPECT_EQ(disk.log.Headers(), (std::vector<std::string>{"a", "b", "new--1"}));
}

// As above, and the machine dies again and again before the new record is on disk: generations
// alone would be the same each time.
TEST(SegmentLogTest, CutRecordsStayCutOverRepeatedCrashes) {
  const TornBatch batch(kToPageEnd);
  TempDir dir;
  TestLog log(dir.path());
  std::string lost_first = batch.after;
  lost_first.replace(batch.start, batch.record_bytes,
                     batch.before.substr(batch.start, batch.record_bytes));
  WriteBytes(First(dir.path()), lost_first);
  for (int crash = 0; crash < 3; crash++) {
    ASSERT_TRUE(log.Open().ok());
    ASSERT_EQ(log.Headers(), (std::vector<std::string>{"a", "b"}));
    const std::string cut = ReadBytes(First(dir.path()));
    log.Append("crash1", std::string(kToPageEnd, static_cast<char>(crash)));
    log.Append("crash2", std::string(kToPageEnd, static_cast<char>(crash)));
    log.log->Sync();
    std::string bytes = ReadBytes(First(dir.path()));
    bytes.replace(batch.start, batch.record_bytes, cut.substr(batch.start, batch.record_bytes));
    log.log.reset();
    WriteBytes(First(dir.path()), bytes);
  }
  ASSERT_TRUE(log.Open().ok());
  log.Append("new--1", std::string(kToPageEnd, 'n'));
  log.log->Sync();
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.Headers(), (std::vector<std::string>{"a", "b", "new--1"}));
}

// ---- corruption

TEST(SegmentLogTest, FlippedBitInASyncedRecordIsCorruption) {
  const TornBatch batch;
  const uint64_t size = kFrameBytes + 1 + 9;
  for (uint64_t i = 0; i < size; i++) {
    SCOPED_TRACE(i);
    std::string bytes = batch.after;
    bytes[kSegmentHeaderBytes + i] ^= 1;
    OneSegment disk(bytes);
    Status opened = disk.log.Open();
    ASSERT_EQ(opened.code(), Code::kCorrupt);
    ASSERT_EQ(disk.log.report.corrupt.size(), 1u);
    EXPECT_NE(opened.message().find(First(disk.dir.path()) + " at offset 4096"), std::string::npos)
        << opened;
    EXPECT_EQ(ReadBytes(First(disk.dir.path())), bytes) << "evidence was changed";
  }
}

// What a log tells a reader that bears losses: "a", "b without its body", "3 to 4 lost".
std::vector<std::string> OpenBearingLosses(SegmentLogOptions options,
                                           std::unique_ptr<SegmentLog>* log) {
  std::vector<std::string> told;
  LogReplay replay;
  replay.record = [&](RecordNumber, std::string_view header, uint64_t) {
    told.emplace_back(header);
    return Status::Ok();
  };
  replay.without_body = [&](RecordNumber, std::string_view header, uint64_t) {
    told.push_back(std::string(header) + " without its body");
    return Status::Ok();
  };
  replay.lost = [&](RecordNumber first, RecordNumber last) {
    told.push_back(std::to_string(first.value()) + " to " + std::to_string(last.value()) + " lost");
    return Status::Ok();
  };
  RecoveryReport report;
  log->reset();
  auto opened = SegmentLog::Open(std::move(options), replay, &report);
  EXPECT_TRUE(opened.ok()) << opened.status();
  if (opened.ok()) *log = std::move(*opened);
  return told;
}

// "b" is known as synced only by "c", and "c" is torn: were it cut, the next start would take "b"
// for a torn tail too, and the replica would answer as if it had never stored it.
TEST(SegmentLogTest, ALossIsNotForgottenWithTheTornRecordThatTellsOfIt) {
  for (const uint64_t spoiled_of_b : {kFrameBytes + 1, uint64_t{0}}) {  // its body, its frame
    TempDir dir;
    TestLog made(dir.path());
    ASSERT_TRUE(made.Open().ok());
    for (const char* header : {"a", "b", "c"}) {
      made.Append(header, "body of " + std::string(header));
      made.log->Sync();
    }
    made.log.reset();
    const uint64_t record = RecordBytes(1, 9);
    std::string bytes = ReadBytes(First(dir.path()));
    bytes[kSegmentHeaderBytes + record + spoiled_of_b] ^= 1;
    bytes[kSegmentHeaderBytes + 2 * record + kFrameBytes + 1] ^= 1;
    WriteBytes(First(dir.path()), bytes);

    const std::vector<std::string> expected = {
        "a", spoiled_of_b == 0 ? "2 to 2 lost" : "b without its body"};
    std::unique_ptr<SegmentLog> log;
    for (int start = 0; start < 3; ++start) {
      EXPECT_EQ(OpenBearingLosses(made.options, &log), expected) << "start " << start;
      EXPECT_EQ(log->next().value(), 3u);
      EXPECT_TRUE(log->NeedsSegment()) << "nothing may follow in this segment";
    }
    ASSERT_TRUE(log->StartSegment().ok());
    EXPECT_FALSE(log->NeedsSegment());
    EXPECT_EQ(log->Append("new", SharedBytes(), XXH3_64bits("", 0)).value(), 3u);
    log->Sync();
    std::vector<std::string> later = expected;
    later.push_back("new");
    EXPECT_EQ(OpenBearingLosses(made.options, &log), later);
  }
}

TEST(SegmentLogTest, NextSegmentProvesThatTheLastRecordsOfTheOneBeforeWereOnDisk) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  log.Append("one", "1");
  log.Append("two", "2");
  ASSERT_TRUE(log.log->StartSegment().ok());
  log.log.reset();
  std::string bytes = ReadBytes(First(dir.path()));
  bytes[kSegmentHeaderBytes + RecordBytes(3, 1)] ^= 1;
  WriteBytes(First(dir.path()), bytes);
  Status opened = log.Open();
  EXPECT_EQ(opened.code(), Code::kCorrupt);
  EXPECT_NE(opened.message().find("but record 2 was on disk, as the next segment says"),
            std::string::npos)
      << opened;
}

TEST(SegmentLogTest, DamagedOrMissingSegmentFilesAreCorruption) {
  struct Damage {
    const char* name;
    std::function<void(const std::string& dir)> apply;
  };
  const auto path = [](const std::string& dir, uint64_t n) { return dir + "/" + SegmentName(n); };
  const std::vector<Damage> damages = {
      {"head garbled",
       [&](const std::string& dir) {
         std::string bytes = ReadBytes(path(dir, 2));
         bytes[20] ^= 1;
         WriteBytes(path(dir, 2), bytes);
       }},
      {"last head garbled",
       [&](const std::string& dir) {
         std::string bytes = ReadBytes(path(dir, 3));
         bytes[0] ^= 1;
         WriteBytes(path(dir, 3), bytes);
       }},
      {"middle one missing",
       [&](const std::string& dir) { std::filesystem::remove(path(dir, 2)); }},
      {"first one missing", [&](const std::string& dir) { std::filesystem::remove(path(dir, 1)); }},
      {"cut short",
       [&](const std::string& dir) { std::filesystem::resize_file(path(dir, 2), 100 << 10); }},
      {"empty", [&](const std::string& dir) { std::filesystem::resize_file(path(dir, 3), 0); }},
      {"in another's place",
       [&](const std::string& dir) { WriteBytes(path(dir, 2), ReadBytes(path(dir, 1))); }},
  };
  for (const Damage& damage : damages) {
    SCOPED_TRACE(damage.name);
    TempDir dir;
    TestLog log(dir.path());
    ASSERT_TRUE(log.Open().ok());
    for (int i = 0; i < 60; i++) log.Append("h", std::string(4000, 'x'));
    log.log->Sync();
    ASSERT_EQ(log.log->bytes(), 3 * log.options.segment_bytes);
    log.log.reset();
    damage.apply(dir.path());
    EXPECT_EQ(log.Open().code(), Code::kCorrupt);
    EXPECT_EQ(log.report.corrupt.size(), 1u);
  }
}

TEST(SegmentLogTest, RefusalOfAReplayedRecordNamesFileAndOffset) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  log.Append("h", "b");
  log.log->Sync();
  log.log.reset();
  RecoveryReport report;
  auto opened = SegmentLog::Open(
      log.options,
      [](RecordNumber, std::string_view, uint64_t) { return Status::Corrupt("no LogRecord"); },
      &report);
  EXPECT_EQ(opened.status().code(), Code::kCorrupt);
  EXPECT_EQ(opened.status().message(), First(dir.path()) + " at offset 4096: no LogRecord");
}

TEST(RecordOffsetsTest, GivesBackWhatWasAdded) {
  RecordOffsets offsets;
  std::vector<uint32_t> added;
  uint32_t offset = 4096;
  for (uint32_t i = 0; i < 500; ++i) {
    offsets.Add(offset);
    added.push_back(offset);
    offset += i % 7 == 0 ? 0 : 8 * (i * i * i % 600'000);  // several lost ones begin at one place
  }
  offsets.Seal();
  EXPECT_EQ(offsets.All(), added);
  for (size_t i = 0; i < added.size(); ++i) ASSERT_EQ(offsets[i], added[i]) << i;
}

TEST(SegmentLogTest, AnUnreadablePageCostsTheRecordsInItAndNoTailIsCutThere) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  for (int i = 0; i < 12; i++) {
    log.Append("h" + std::to_string(i), std::string(2000, 'x'));
    log.log->Sync();
  }
  log.log.reset();
  LogReplay replay;
  std::vector<std::string> seen;
  uint64_t lost = 0;
  replay.record = [&](RecordNumber, std::string_view header, uint64_t) {
    seen.emplace_back(header);
    return Status::Ok();
  };
  replay.without_body = [&](RecordNumber, std::string_view, uint64_t) {
    ++lost;
    return Status::Ok();
  };
  replay.lost = [&](RecordNumber first, RecordNumber last) {
    lost += last - first + 1;
    return Status::Ok();
  };
  const std::string before = ReadBytes(First(dir.path()));
  for (const off_t page : {8192, 12288, 16384}) {
    seen.clear();
    lost = 0;
    log.report = {};
    bad_page = page;
    const auto opened = SegmentLog::Open(log.options, replay, &log.report);
    bad_page = kNoPage;
    ASSERT_TRUE(opened.ok()) << opened.status();
    EXPECT_EQ(seen.size() + lost, 12u);
    EXPECT_GE(lost, 2u);
    EXPECT_LE(lost, 3u);
    EXPECT_EQ(log.report.torn_bytes, 0u);
  }
  // The last record's page: nothing behind it says that it was on disk, and the disk does not say
  // that there was nothing.
  bad_page = static_cast<off_t>((kSegmentHeaderBytes + 11 * RecordBytes(2, 2000)) / 4096 * 4096);
  log.report = {};
  const auto opened = SegmentLog::Open(log.options, replay, &log.report);
  bad_page = kNoPage;
  EXPECT_EQ(opened.status().code(), Code::kCorrupt) << opened.status();
  EXPECT_NE(opened.status().message().find("cannot read"), std::string::npos) << opened.status();
  EXPECT_EQ(ReadBytes(First(dir.path())), before);
}

// ---- reuse

// All records have one size, so what a reused segment holds from before stands exactly where new
// records would.
TEST(SegmentLogTest, StaleRecordsOfAReusedSegmentNeverComeBack) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  uint64_t number = 0;
  const auto append = [&] {
    number = log.Append("checkpoint", std::string(4000, static_cast<char>(number))).value();
  };
  for (int round = 0; round < 12; round++) {
    do {
      append();
    } while (!log.log->NeedsSegment());
    log.log->Sync();
    log.log->Release(RecordNumber(number));
  }
  // Twelve segments were begun and the log has at most two; the others were reused.
  EXPECT_LE(log.log->bytes(), 2 * log.options.segment_bytes);
  ASSERT_TRUE(log.log->StartSegment().ok());
  for (int i = 0; i < 20; i++) {
    ASSERT_TRUE(log.Open().ok());
    EXPECT_EQ(log.seen.back().number, number);
    EXPECT_EQ(log.log->next().value(), number + 1);
    EXPECT_EQ(log.report.torn_bytes, 0u);
    append();
    log.log->Sync();
  }
}

TEST(SegmentLogTest, ReleaseWaitsForTheRecordsThatReplaceTheOldOnes) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  log.Append("promise", "");
  ASSERT_TRUE(log.log->StartSegment().ok());
  RecordNumber checkpoint = log.Append("checkpoint", "");
  log.log->Release(checkpoint);
  EXPECT_EQ(log.log->bytes(), 2 * log.options.segment_bytes);
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.Headers(), std::vector<std::string>{"promise"});

  checkpoint = log.Append("checkpoint", "");
  log.log->Release(checkpoint);
  log.log->Sync();
  EXPECT_EQ(log.log->bytes(), log.options.segment_bytes);
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.Headers(), std::vector<std::string>{"checkpoint"});
  EXPECT_EQ(log.seen[0].number, checkpoint.value());
}

TEST(SegmentLogTest, OfTheSegmentsThatWereNotReleasedTheFirstIsMissed) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  for (int i = 0; i < 120; i++) log.Append("h", std::string(4000, 'x'));
  log.log->Sync();
  const uint64_t segments = log.log->bytes() / log.options.segment_bytes;
  ASSERT_GT(segments, 4u);
  std::vector<uint64_t> firsts;
  ASSERT_TRUE(log.Open().ok());
  for (const Seen& record : log.seen) {
    if (record.number % 40 == 0) firsts.push_back(record.number);
  }
  log.log->Release(RecordNumber(firsts.at(0)));
  log.log.reset();  // the helper ends what it was given
  uint64_t first = 1;
  while (!std::filesystem::exists(dir.path() + "/" + SegmentName(first))) first++;
  EXPECT_TRUE(std::filesystem::exists(dir.path() + "/" + FirstName(first)));
  ASSERT_GT(first, 1u);
  ASSERT_TRUE(log.Open().ok());
  log.log.reset();

  // As a crash between the mark and the release leaves it.
  const std::string name = dir.path() + "/" + SegmentName(first);
  const std::string moved = dir.path() + "/moved";
  std::filesystem::rename(dir.path() + "/" + FirstName(first),
                          dir.path() + "/" + FirstName(first + 1));
  ASSERT_TRUE(log.Open().ok());
  log.log.reset();

  std::filesystem::rename(name, moved);
  ASSERT_TRUE(log.Open().ok()) << "it was released";
  log.log.reset();
  std::filesystem::remove(dir.path() + "/" + SegmentName(first + 1));
  const Status missing = log.Open();
  EXPECT_EQ(missing.code(), Code::kCorrupt);
  EXPECT_NE(missing.message().find(SegmentName(first + 1)), std::string::npos) << missing;
}

TEST(SegmentLogTest, ALogWithoutAMarkGetsOne) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  log.Append("h", "x");
  log.log->Sync();
  log.log.reset();
  ASSERT_TRUE(std::filesystem::remove(dir.path() + "/" + FirstName(1)));
  ASSERT_TRUE(log.Open().ok());
  log.log.reset();
  EXPECT_TRUE(std::filesystem::exists(dir.path() + "/" + FirstName(1)));
  std::filesystem::remove(First(dir.path()));
  EXPECT_TRUE(log.Open().ok()) << "of a log with one segment and nothing released only the "
                                  "keeper's marks tell that it is not new";
}

// ---- no space

TEST(SegmentLogTest, LimitRefusesASegmentAndGoesOnAfterRelease) {
  TempDir dir;
  TestLog log(dir.path());
  log.options.log_bytes_max = 4 * log.options.segment_bytes;
  ASSERT_TRUE(log.Open().ok());
  std::vector<RecordNumber> first_of_segment = {RecordNumber(1)};
  Status started;
  for (;;) {
    while (!log.log->NeedsSegment()) log.AppendHere("h", std::string(4000, 'x'));
    started = log.log->StartSegment();
    if (!started.ok()) break;
    first_of_segment.push_back(log.log->next());
  }
  EXPECT_EQ(started.code(), Code::kIo);
  EXPECT_NE(started.message().find("limit of 4 segments"), std::string::npos) << started;
  EXPECT_EQ(first_of_segment.size(), 3u) << "the fourth is the spare";
  EXPECT_TRUE(log.log->Fits(64 << 10)) << "the reserve for small records";
  log.log->Release(first_of_segment[1]);
  EXPECT_TRUE(log.log->StartSegment().ok());
  EXPECT_FALSE(log.log->NeedsSegment());
}

TEST(SegmentLogTest, SmallRecordsGoOnInTheSpareSegmentWhileFull) {
  TempDir dir;
  TestLog log(dir.path());
  log.options.log_bytes_max = 3 * log.options.segment_bytes;
  ASSERT_TRUE(log.Open().ok());
  const RecordNumber second = [&] {
    while (!log.log->NeedsSegment()) log.AppendHere("h", std::string(4000, 'x'));
    EXPECT_TRUE(log.log->StartSegment().ok());
    return log.log->next();
  }();
  while (!log.log->NeedsSegment()) log.AppendHere("h", std::string(4000, 'x'));
  EXPECT_FALSE(log.log->StartSegment().ok());
  while (log.log->Fits(64 << 10)) log.AppendHere("small", std::string(3000, 's'));
  ASSERT_TRUE(log.log->StartSegment().ok());
  EXPECT_TRUE(log.log->NeedsSegment()) << "entries stay refused in the spare";
  log.AppendHere("small", "in the spare");
  log.log->Sync();
  EXPECT_FALSE(log.log->StartSegment().ok());

  log.log->Release(second);
  while (log.log->NeedsSegment()) std::this_thread::yield();  // until the helper renamed it
  log.AppendHere("h", std::string(4000, 'x'));
  log.log->Sync();
  const uint64_t next = log.log->next().value();
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.seen.front().number, second.value());
  EXPECT_EQ(log.log->next().value(), next);
}

class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = ::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    rlimit limit{bytes, old_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    ::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_;
  void (*old_handler_)(int);
};

TEST(SegmentLogTest, NoSpaceForASegmentRefusesAndRecoversByItself) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  Status started;
  {
    FileSizeLimit limit(log.options.segment_bytes / 2);
    while ((started = log.log->StartSegment()).ok()) {
      ASSERT_LT(log.log->bytes(), 10 * log.options.segment_bytes);
    }
    EXPECT_EQ(started.code(), Code::kIo);
    EXPECT_NE(started.message().find(dir.path()), std::string::npos) << started;
    log.AppendHere("small", "");
    log.log->Sync();
  }
  while (!log.log->StartSegment().ok()) std::this_thread::yield();  // the helper tries again
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.Headers(), std::vector<std::string>{"small"});
}

TEST(SegmentLogTest, NoSpaceForTheFirstSegmentIsTold) {
  TempDir dir;
  TestLog log(dir.path());
  FileSizeLimit limit(log.options.segment_bytes / 2);
  EXPECT_EQ(log.Open().code(), Code::kIo);
}

TEST(SegmentLogTest, FailedWriteIsFatalAndNamesTheFile) {
  TempDir dir;
  TestLog log(dir.path());
  std::string reason;
  log.options.on_fatal = [&](const std::string& why) {
    reason = why;
    throw std::runtime_error("fatal");
  };
  ASSERT_TRUE(log.Open().ok());
  log.Append("h", "b");
  {
    FileSizeLimit limit(kSegmentHeaderBytes);
    EXPECT_THROW(log.log->Sync(), std::runtime_error);
  }
  EXPECT_NE(reason.find(First(dir.path())), std::string::npos) << reason;
}

TEST(SegmentLogTest, FailedSyncIsFatalAndIsNeverTriedAgain) {
  TempDir dir;
  TestLog log(dir.path());
  log.options.prepared_segments = 0;
  std::string reason;
  log.options.on_fatal = [&](const std::string& why) {
    reason = why;
    throw std::runtime_error("fatal");
  };
  ASSERT_TRUE(log.Open().ok());
  log.Append("h", "b");
  syncs_failed = 0;
  fail_syncs = true;
  EXPECT_THROW(log.log->Sync(), std::runtime_error);
  log.log.reset();
  fail_syncs = false;
  EXPECT_EQ(syncs_failed, 1);
  EXPECT_NE(reason.find("syncing " + First(dir.path())), std::string::npos) << reason;
}

TEST(SegmentLogTest, RefusesOptionsThatCannotWork) {
  TempDir dir;
  TestLog log(dir.path());
  log.options.segment_bytes = 100 << 10;  // no room for a record beside the reserve
  EXPECT_EQ(log.Open().code(), Code::kBadRequest);
  log.options.segment_bytes = (256 << 10) + 8;
  EXPECT_EQ(log.Open().code(), Code::kBadRequest);
  log.options.segment_bytes = 256 << 10;
  log.options.log_bytes_max = 300 << 10;
  EXPECT_EQ(log.Open().code(), Code::kBadRequest);
}

TEST(SegmentLogTest, SegmentSizeMayChangeBetweenRuns) {
  TempDir dir;
  TestLog log(dir.path());
  ASSERT_TRUE(log.Open().ok());
  log.Append("small segment", "1");
  log.log->Sync();
  log.options.segment_bytes = 512 << 10;
  ASSERT_TRUE(log.Open().ok());
  ASSERT_TRUE(log.log->StartSegment().ok());
  RecordNumber big = log.Append("big segment", "2");
  log.log->Sync();
  EXPECT_EQ(log.log->bytes(), (256 << 10) + (512 << 10));
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.Headers(), (std::vector<std::string>{"small segment", "big segment"}));
  log.log->Release(big);
  ASSERT_TRUE(log.log->StartSegment().ok());
  ASSERT_TRUE(log.Open().ok());
  EXPECT_EQ(log.Headers(), std::vector<std::string>{"big segment"});
}

}  // namespace
}  // namespace homeport::quorum_queue
