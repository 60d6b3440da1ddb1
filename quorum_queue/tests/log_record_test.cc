#include "quorum_queue/log_record.h"

#include <gtest/gtest.h>

#include <random>

#include "core/codec.h"
#include "quorum_queue/queue.capnp.h"
#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

template <class Kind>
Kind RoundTrip(const Kind& record, uint64_t body_size) {
  const auto decoded = DecodeLogRecord(EncodeLogRecord(record), body_size);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return std::get<Kind>(decoded.value());
}

void ExpectSameHead(const EntryRun& a, const EntryRun& b) {
  EXPECT_EQ(a.first, b.first);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.sizes, b.sizes);
  EXPECT_EQ(a.checksum, b.checksum);
}

TEST(LogRecordTest, FenceRoundTrips) {
  const Fence back = RoundTrip(Fence{kTestStream, WriterEpoch(9)}, 0);
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, WriterEpoch(9));
}

TEST(LogRecordTest, FillRoundTrips) {
  const Fill fill{kTestStream, WriterEpoch(9), MakeRun(4, 3, 5)};
  const Fill back = RoundTrip(fill, fill.run.body.size());
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, WriterEpoch(9));
  ExpectSameHead(back.run, fill.run);
  EXPECT_TRUE(back.run.body.empty());
}

TEST(LogRecordTest, AppendRoundTrips) {
  const Append append{kTestStream,
                      WriterEpoch(9),
                      MakeChain({{3, 1}, {9, 4}}),
                      MakeRun(4, 9, std::vector<std::string>{"", "x", ""}),
                      Seq(3),
                      Seq(2)};
  const Append back = RoundTrip(append, 1);
  EXPECT_EQ(back.chain, append.chain);
  ExpectSameHead(back.run, append.run);
  EXPECT_EQ(back.committed, Seq(3));
  EXPECT_EQ(back.trimmed, Seq(2));
}

TEST(LogRecordTest, AppendWithoutChainAndRunRoundTrips) {
  const Append back = RoundTrip(Append{kTestStream, WriterEpoch(9), {}, {}, Seq(7), Seq(0)}, 0);
  EXPECT_TRUE(back.chain.empty());
  EXPECT_TRUE(back.run.empty());
  EXPECT_EQ(back.committed, Seq(7));
}

TEST(LogRecordTest, TrimRoundTrips) {
  const Trim back = RoundTrip(Trim{kTestStream, Seq(77)}, 0);
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.through, Seq(77));
}

TEST(LogRecordTest, CheckpointRoundTrips) {
  Checkpoint checkpoint;
  checkpoint.streams.push_back(
      {kTestStream, WriterEpoch(9), MakeChain({{3, 1}, {9, 4}}), Seq(5), Seq(2)});
  checkpoint.streams.push_back({StreamId::FromValue(7), WriterEpoch(1), {}, Seq(0), Seq(0)});
  EXPECT_EQ(RoundTrip(checkpoint, 0).streams, checkpoint.streams);
  EXPECT_TRUE(RoundTrip(Checkpoint{}, 0).streams.empty());
}

TEST(LogRecordTest, RelayRoundTripsWithItsBody) {
  const Relay relay{kTestStream, MakeRun(4, 3, 5)};
  ExpectSameHead(RoundTrip(relay, relay.run.body.size()).run, relay.run);
  const auto run = RunOfRecord(EncodeLogRecord(relay), relay.run.body);
  ASSERT_TRUE(run.ok()) << run.status();
  EXPECT_EQ(Payloads(*run), Payloads(relay.run));
}

TEST(LogRecordTest, GivesNoRunOfARecordWithoutEntries) {
  EXPECT_EQ(RunOfRecord(EncodeLogRecord(Trim{kTestStream, Seq(1)}), {}).status().code(),
            core::Code::kCorrupt);
  EXPECT_EQ(RunOfRecord(EncodeLogRecord(Append{kTestStream, WriterEpoch(1), {}, {}, {}, {}}), {})
                .status()
                .code(),
            core::Code::kCorrupt);
}

TEST(LogRecordTest, RefusesABodyOfAnotherSize) {
  const Fill fill{kTestStream, WriterEpoch(9), MakeRun(4, 3, 5)};
  const std::string header = EncodeLogRecord(fill);
  for (const uint64_t size : {uint64_t{0}, fill.run.body.size() - 1, fill.run.body.size() + 1}) {
    EXPECT_EQ(DecodeLogRecord(header, size).status().code(), core::Code::kCorrupt) << size;
  }
  EXPECT_EQ(DecodeLogRecord(EncodeLogRecord(Fence{kTestStream, WriterEpoch(9)}), 1).status().code(),
            core::Code::kCorrupt);
}

TEST(LogRecordTest, RefusesAnotherVersionAndUnknownKinds) {
  const std::string header = core::Encode<wire::LogRecord>([](auto root) {
    root.setVersion(2);
    root.initTrim().setThrough(1);
  });
  EXPECT_EQ(DecodeLogRecord(header, 0).status().code(), core::Code::kCorrupt);
  // Words of the message: segment table, root pointer, root struct: version and the union's number.
  std::string unknown = EncodeLogRecord(Trim{kTestStream, Seq(1)});
  ASSERT_EQ(unknown[18], static_cast<char>(wire::LogRecord::TRIM));
  unknown[18] = 0x55;
  const auto decoded = DecodeLogRecord(unknown, 0);
  EXPECT_NE(decoded.status().message().find("unknown kind"), std::string::npos) << decoded.status();
}

TEST(LogRecordTest, TruncatedAndDamagedHeadersNeverCrash) {
  const Append append{kTestStream,      WriterEpoch(9), MakeChain({{3, 1}, {9, 4}}),
                      MakeRun(4, 9, 6), Seq(3),         Seq(2)};
  Checkpoint checkpoint;
  checkpoint.streams.push_back({kTestStream, WriterEpoch(9), append.chain, Seq(5), Seq(2)});
  std::mt19937_64 random(1);
  for (const std::string& header : {EncodeLogRecord(append), EncodeLogRecord(checkpoint)}) {
    const uint64_t size = append.run.body.size();
    for (size_t length = 0; length < header.size(); ++length) {
      EXPECT_FALSE(DecodeLogRecord(std::string_view(header).substr(0, length), size).ok())
          << length;
    }
    for (int i = 0; i < 5000; ++i) {
      std::string damaged = header;
      for (uint64_t flips = random() % 4 + 1; flips > 0; --flips) {
        damaged[random() % damaged.size()] ^= static_cast<char>(1 << random() % 8);
      }
      const auto decoded = DecodeLogRecord(damaged, size);
      EXPECT_TRUE(decoded.ok() || decoded.status().code() == core::Code::kCorrupt);
    }
  }
}

}  // namespace
}  // namespace homeport::quorum_queue
