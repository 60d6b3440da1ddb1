// QueueWriter and QueueReader against three replicas with real disks and sockets.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "quorum_queue/queue_reader.h"
#include "quorum_queue/queue_writer.h"
#include "quorum_queue/replica_server.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;
using core::Incarnation;
using core::Result;
using std::chrono::milliseconds;
using std::chrono::seconds;

const StreamId kStream(Incarnation(3), core::ShardId(0));

class RunningReplica {
 public:
  RunningReplica(core::Context& context, const std::string& dir, uint8_t number) {
    const Identity identity{"c1", "sh", Incarnation(3), number, NewDiskId(), 1};
    EXPECT_TRUE(FormatReplica(dir, identity).ok());
    ReplicaServerOptions options;
    options.dir = dir;
    options.endpoint = "tcp://127.0.0.1:0";
    options.expected = identity;
    options.log.segment_bytes = 4 << 20;
    options.log.record_bytes_max = 2 << 20;
    options.log.prepared_segments = 1;
    auto opened = ReplicaServer::Open(context, options);
    EXPECT_TRUE(opened.ok()) << opened.status();
    server_ = std::move(opened).value();
    thread_ = std::thread([this] { server_->Run(stop_); });
  }
  ~RunningReplica() {
    stop_ = true;
    thread_.join();
  }
  const ReplicaServer& server() const { return *server_; }

 private:
  std::unique_ptr<ReplicaServer> server_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class QueueDriversTest : public testing::Test {
 protected:
  QueueDriversTest() {
    Group group;
    for (uint8_t i = 0; i < 3; ++i) {
      const auto number = static_cast<uint8_t>(i + 1);
      replicas_[i] = std::make_unique<RunningReplica>(
          context_, dir_.path() + "/replica-" + std::to_string(number), number);
      endpoints_.push_back({{0, i}, replicas_[i]->server().endpoint()});
      group.disks[i] = replicas_[i]->server().identity().disk;
    }
    const std::string file = dir_.path() + "/GRANTS";
    EXPECT_TRUE(LocalGrantStore::Create(file, Incarnation(3), {group}).ok());
    grants_ = std::move(LocalGrantStore::Open(file, Incarnation(3))).value();
  }

  QueueWriterOptions Writing() {
    QueueWriterOptions options;
    options.writer.stream = kStream;
    options.replicas = endpoints_;
    return options;
  }
  std::unique_ptr<QueueWriter> OpenWriter() { return OpenWriter(Writing()); }
  std::unique_ptr<QueueWriter> OpenWriter(QueueWriterOptions options) {
    auto opened = QueueWriter::Open(context_, std::move(options), grants_.get());
    EXPECT_TRUE(opened.ok()) << opened.status();
    return std::move(opened).value();
  }
  std::unique_ptr<QueueReader> OpenReader(Seq from) {
    QueueReaderOptions options;
    options.reader.stream = kStream;
    options.reader.from = from;
    options.reader.silent_after = milliseconds(200);
    options.replicas = endpoints_;
    auto opened = QueueReader::Open(context_, std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.status();
    return std::move(opened).value();
  }
  // The payloads of `count` entries from `from` on.
  std::vector<std::string> ReadAll(Seq from, size_t count) {
    const auto reader = OpenReader(from);
    std::vector<std::string> payloads;
    const auto give_up = std::chrono::steady_clock::now() + seconds(20);
    while (payloads.size() < count && std::chrono::steady_clock::now() < give_up) {
      auto entries = reader->Next(milliseconds(500));
      EXPECT_TRUE(entries.ok()) << entries.status();
      if (!entries.ok()) break;
      for (const Entry& entry : *entries) {
        EXPECT_EQ(entry.seq, from + payloads.size());
        payloads.emplace_back(entry.payload.view());
      }
    }
    return payloads;
  }

  TempDir dir_;
  core::Context context_;
  std::unique_ptr<RunningReplica> replicas_[3];
  std::vector<QueueClient::Endpoint> endpoints_;
  std::unique_ptr<LocalGrantStore> grants_;
};

TEST_F(QueueDriversTest, WhatIsAppendedIsRead) {
  const auto writer = OpenWriter();
  EXPECT_EQ(*writer->Append("one"), Seq(2));
  EXPECT_EQ(*writer->Append(""), Seq(3));
  EXPECT_EQ(*writer->Append("three"), Seq(4));
  EXPECT_EQ(ReadAll(Seq(1), 4), (std::vector<std::string>{"", "one", "", "three"}));
  EXPECT_EQ(writer->Status().committed, Seq(4));
}

TEST_F(QueueDriversTest, ThreadsMayAppendAtOnce) {
  std::mutex mutex;
  std::set<Seq> seqs;
  const auto writer = OpenWriter();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const Result<Seq> seq = writer->Append("x");
        ASSERT_TRUE(seq.ok()) << seq.status();
        const std::lock_guard lock(mutex);
        seqs.insert(*seq);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seqs.size(), 200u);
  EXPECT_EQ(*seqs.rbegin(), Seq(201));
  EXPECT_EQ(ReadAll(Seq(2), 200), std::vector<std::string>(200, "x"));
}

TEST_F(QueueDriversTest, CallbacksComeInOrder) {
  std::mutex mutex;
  std::vector<Seq> order;
  const auto writer = OpenWriter();
  for (int i = 0; i < 1000; ++i) {
    writer->Append("x", [&](const Result<Seq>& seq) {
      ASSERT_TRUE(seq.ok()) << seq.status();
      const std::lock_guard lock(mutex);
      order.push_back(*seq);
    });
  }
  ASSERT_TRUE(writer->Append("last").ok());
  const std::lock_guard lock(mutex);
  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(QueueDriversTest, OneReplicaMayDieAndTwoMayNot) {
  QueueWriterOptions options = Writing();
  options.append_within = milliseconds(300);
  const auto writer = OpenWriter(options);
  ASSERT_TRUE(writer->Append("one").ok());
  replicas_[0].reset();
  ASSERT_TRUE(writer->Append("two").ok());
  EXPECT_EQ(ReadAll(Seq(2), 2), (std::vector<std::string>{"one", "two"}));
  replicas_[1].reset();
  EXPECT_EQ(writer->Append("three").status().code(), Code::kNoQuorum);
}

TEST_F(QueueDriversTest, WhatACallbackAppendsIsAnsweredWhileTheWriterIsClosed) {
  auto writer = OpenWriter();
  for (size_t i : {0, 1}) replicas_[i].reset();
  QueueWriter* raw = writer.get();
  int answers = 0;  // of the writer's thread, which ends before it is read
  std::function<void(Result<Seq>)> again = [&](Result<Seq> seq) {
    EXPECT_EQ(seq.status().code(), Code::kNoQuorum);
    if (++answers < 4) raw->Append("again", again);
  };
  raw->Append("first", again);
  writer.reset();
  EXPECT_EQ(answers, 4);
}

TEST_F(QueueDriversTest, ANewWriterFencesTheOldOne) {
  const auto old = OpenWriter();
  ASSERT_TRUE(old->Append("old").ok());
  const auto writer = OpenWriter();
  EXPECT_EQ(old->Append("late").status().code(), Code::kFenced);
  EXPECT_EQ(old->Append("later").status().code(), Code::kFenced);
  ASSERT_TRUE(writer->Append("new").ok());
  EXPECT_EQ(ReadAll(Seq(1), 4), (std::vector<std::string>{"", "old", "", "new"}));
}

TEST_F(QueueDriversTest, ATakeoverSaysWhoItWaitsFor) {
  replicas_[1].reset();
  replicas_[2].reset();
  QueueWriterOptions options = Writing();
  options.open_within = milliseconds(300);
  const auto opened = QueueWriter::Open(context_, options, grants_.get());
  EXPECT_EQ(opened.status().code(), Code::kNoQuorum);
  EXPECT_NE(opened.status().message().find("0/1 0/2"), std::string::npos) << opened.status();
}

TEST_F(QueueDriversTest, WhatIsTooLargeIsRefusedAndTheRestGoesOn) {
  QueueWriterOptions options = Writing();
  options.writer.entry_bytes_max = 100;
  const auto writer = OpenWriter(options);
  EXPECT_EQ(writer->Append(std::string(101, 'x')).status().code(), Code::kTooLarge);
  EXPECT_EQ(*writer->Append("small"), Seq(2));
}

TEST_F(QueueDriversTest, TooMuchAtOnceIsRefused) {
  QueueWriterOptions options = Writing();
  options.writer.window_bytes_max = 1000;
  options.waiting_bytes_max = 1000;
  options.append_within = milliseconds(300);
  std::atomic<int> refused{0}, unknown{0};  // outlive the writer
  const auto writer = OpenWriter(options);
  replicas_[0].reset();
  replicas_[1].reset();
  for (int i = 0; i < 100; ++i) {
    writer->Append(std::string(100, 'x'), [&](const Result<Seq>& seq) {
      ++(seq.status().code() == Code::kOverloaded ? refused : unknown);
    });
  }
  EXPECT_GT(refused, 50);
  EXPECT_EQ(unknown, 0);
}

TEST_F(QueueDriversTest, AReaderLearnsWhatIsTrimmed) {
  const auto writer = OpenWriter();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(writer->Append("x").ok());
  writer->Trim(Seq(5));
  core::Status status;
  const auto give_up = std::chrono::steady_clock::now() + seconds(20);
  while (status.ok() && std::chrono::steady_clock::now() < give_up) {
    status = OpenReader(Seq(1))->Next(milliseconds(200)).status();
  }
  ASSERT_EQ(status.code(), Code::kTrimmed) << status;
  EXPECT_EQ(status.detail(), 6u);
  EXPECT_EQ(ReadAll(Seq(6), 6).size(), 6u);
}

TEST_F(QueueDriversTest, NothingNewIsNoError) {
  const auto writer = OpenWriter();
  const auto reader = OpenReader(Seq(2));
  const auto entries = reader->Next(milliseconds(100));
  ASSERT_TRUE(entries.ok()) << entries.status();
  EXPECT_TRUE(entries->empty());
}

}  // namespace
}  // namespace homeport::quorum_queue
