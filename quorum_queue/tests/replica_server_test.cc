#include "quorum_queue/replica_server.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <thread>
#include <vector>

#include "quorum_queue/codec.h"
#include "quorum_queue/peer_table.h"
#include "quorum_queue/queue_endpoint.h"
#include "quorum_queue/segment_format.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;
using core::Context;
using core::Incarnation;
using core::SharedBytes;
using core::Status;

const StreamId kStream(Incarnation(3), core::ShardId(0));
constexpr WriterEpoch kEpoch(1 << 24);
constexpr DiskId kDisk(0xd15c);
constexpr ReplicaSlot kSlot{0, 0};

Identity SampleIdentity() {
  Identity identity;
  identity.cluster = "c1";
  identity.region = "sh";
  identity.incarnation = Incarnation(3);
  identity.replica = 1;
  identity.disk = kDisk;
  identity.shards = 8;
  return identity;
}

ReplicaServerOptions OptionsFor(const std::string& dir) {
  ReplicaServerOptions options;
  options.dir = dir;
  options.endpoint = "tcp://127.0.0.1:0";
  options.expected = SampleIdentity();
  options.log.segment_bytes = 512 << 10;
  options.log.record_bytes_max = 128 << 10;
  options.log.prepared_segments = 1;
  options.log.retry_after = std::chrono::milliseconds(5);
  return options;
}

EntryRun RunOf(uint64_t first, const std::vector<std::string>& payloads) {
  return MakeRun(first, kEpoch.value(), payloads);
}

Append AppendOf(EntryRun run, uint64_t committed, uint64_t trimmed = 0) {
  return {kStream, kEpoch, {{kEpoch, Seq(1)}}, std::move(run), Seq(committed), Seq(trimmed)};
}

Read ReadFrom(uint64_t from, uint64_t session = 1) {
  return {kStream, session, Seq(from), 0, 1 << 20, false};
}

// A server on a thread and a client of it. The directory must be formatted.
class Running {
 public:
  explicit Running(ReplicaServerOptions options) {
    auto opened = ReplicaServer::Open(context_, std::move(options));
    EXPECT_TRUE(opened.ok()) << opened.status();
    server_ = std::move(opened).value();
    thread_ = std::thread([this] { server_->Run(stop_); });
    auto client =
        QueueClient::Connect(context_, {{kSlot, server_->endpoint()}}, core::WhenDown::kQueue);
    EXPECT_TRUE(client.ok()) << client.status();
    client_ = std::move(client).value();
  }
  ~Running() {
    stop_ = true;
    thread_.join();
  }
  void Send(const ReplicaRequest& request) { EXPECT_TRUE(client_->Send(kSlot, request)); }
  // The next answer; fails the test when none comes.
  ReplicaAnswer Next() {
    core::Poller poller;
    client_->AddTo(&poller);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    ReplicaSlot from;
    ReplicaAnswer answer;
    while (!client_->Receive(&from, &answer)) {
      if (std::chrono::steady_clock::now() > deadline) {
        ADD_FAILURE() << "no answer; malformed: " << client_->last_malformed();
        return StatusAnswer{};
      }
      poller.Wait(100000);
    }
    return answer;
  }
  template <class Answer>
  Answer Ask(const ReplicaRequest& request,
             std::source_location caller = std::source_location::current()) {
    const testing::ScopedTrace trace(caller.file_name(), static_cast<int>(caller.line()), "asked");
    Send(request);
    ReplicaAnswer answer = Next();
    EXPECT_TRUE(std::holds_alternative<Answer>(answer)) << "answer " << answer.index();
    return std::holds_alternative<Answer>(answer) ? std::get<Answer>(answer) : Answer{};
  }
  Context& context() { return context_; }
  QueueClient& client() { return *client_; }
  const ReplicaServer& server() const { return *server_; }

 private:
  Context context_;
  std::unique_ptr<ReplicaServer> server_;
  std::unique_ptr<QueueClient> client_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

struct FormattedDir : TempDir {
  FormattedDir() { EXPECT_TRUE(FormatReplica(path(), SampleIdentity()).ok()); }
};

TEST(ReplicaServerTest, AnswersFenceAppendReadAndStatus) {
  FormattedDir dir;
  Running replica(OptionsFor(dir.path()));
  const auto fenced = replica.Ask<FenceAnswer>(Fence{kStream, kEpoch});
  EXPECT_EQ(fenced.epoch, kEpoch);
  EXPECT_EQ(fenced.disk, kDisk);
  EXPECT_TRUE(fenced.runs.empty());
  const auto stored = replica.Ask<Stored>(AppendOf(RunOf(1, {"", "one", "two"}), 0));
  EXPECT_EQ(stored.first, Seq(1));
  EXPECT_EQ(stored.count, 3u);
  EXPECT_EQ(replica.Ask<Stored>(AppendOf({}, 2)).committed, Seq(2));
  const auto read = replica.Ask<ReadAnswer>(ReadFrom(1));
  EXPECT_EQ(read.outcome, ReadOutcome::kData);
  ASSERT_EQ(read.runs.size(), 1u);
  EXPECT_EQ(Payloads(read.runs[0]), (std::vector<std::string_view>{"", "one"}));
  EXPECT_EQ(replica.Ask<Fenced>(Fence{kStream, kEpoch - 1}).promised, kEpoch);
  const auto status = replica.Ask<StatusAnswer>(StatusRequest{});
  ASSERT_EQ(status.streams.size(), 1u);
  EXPECT_EQ(status.streams[0].last, Seq(3));
  EXPECT_EQ(status.log_bytes, 512u << 10);
  EXPECT_GT(status.disk_free_bytes, 0u);
  EXPECT_EQ(status.cluster, SampleIdentity().cluster);
  EXPECT_EQ(status.incarnation, SampleIdentity().incarnation);
  EXPECT_EQ(status.replica, SampleIdentity().replica);
}

TEST(ReplicaServerTest, SubscribedReaderGetsWhatCommitsLater) {
  FormattedDir dir;
  Running replica(OptionsFor(dir.path()));
  EXPECT_EQ(replica.Ask<ReadAnswer>(ReadFrom(1)).outcome, ReadOutcome::kIdle);
  replica.Send(AppendOf(RunOf(1, {"one"}), 0));
  replica.Next();
  replica.Send(AppendOf({}, 1));
  bool read = false;
  for (int i = 0; i < 2; i++) {
    ReplicaAnswer answer = replica.Next();
    if (auto* data = std::get_if<ReadAnswer>(&answer)) {
      read = true;
      ASSERT_EQ(data->runs.size(), 1u);
      EXPECT_EQ(data->runs[0].body.view(), "one");
    }
  }
  EXPECT_TRUE(read);
}

TEST(ReplicaServerTest, KeepsWhatItAnsweredOverARestart) {
  FormattedDir dir;
  {
    Running replica(OptionsFor(dir.path()));
    for (uint64_t seq = 1; seq <= 40; seq++) {
      const auto append =
          AppendOf(RunOf(seq, {std::string(50000, static_cast<char>(seq))}), seq - 1);
      EXPECT_EQ(replica.Ask<Stored>(append).first, Seq(seq));
    }
  }
  Running replica(OptionsFor(dir.path()));
  EXPECT_GT(replica.server().recovery().records, 40u) << "entries and a checkpoint per segment";
  const auto fenced = replica.Ask<FenceAnswer>(Fence{kStream, kEpoch + 1});
  EXPECT_EQ(fenced.committed, Seq(39));
  ASSERT_EQ(fenced.runs.size(), 1u);
  EXPECT_EQ(fenced.runs[0].first, Seq(40));
  EXPECT_EQ(fenced.runs[0].body.view(), std::string(50000, 40));
  EXPECT_EQ(fenced.chain, (Chain{{kEpoch, Seq(1)}}));
  const auto read = replica.Ask<ReadAnswer>(ReadFrom(1));
  ASSERT_FALSE(read.runs.empty());
  EXPECT_EQ(read.runs[0].body.view().substr(0, 50000), std::string(50000, 1));
}

TEST(ReplicaServerTest, RefusesADirectoryThatAnotherServerHas) {
  FormattedDir dir;
  Running replica(OptionsFor(dir.path()));
  Context context;
  auto second = ReplicaServer::Open(context, OptionsFor(dir.path()));
  ASSERT_FALSE(second.ok());
  EXPECT_NE(second.status().message().find(std::to_string(::getpid())), std::string::npos)
      << second.status();
}

TEST(ReplicaServerTest, RefusesADirectoryOfAnotherReplicaOrOfNone) {
  FormattedDir dir;
  Context context;
  ReplicaServerOptions options = OptionsFor(dir.path());
  options.expected.replica = 2;
  EXPECT_EQ(ReplicaServer::Open(context, options).status().code(), Code::kBadRequest);
  TempDir empty;
  EXPECT_EQ(ReplicaServer::Open(context, OptionsFor(empty.path())).status().code(),
            Code::kUnavailable);
  EXPECT_EQ(ReplicaServer::Open(context, OptionsFor(empty.path() + "/none")).status().code(),
            Code::kUnavailable);
  EXPECT_FALSE(std::filesystem::exists(empty.path() + "/none"));
}

TEST(ReplicaServerTest, MalformedMessagesAreCountedAndDropped) {
  FormattedDir dir;
  Running replica(OptionsFor(dir.path()));
  auto raw = core::DealerSocket::Connect(replica.context(), replica.server().endpoint(), 1 << 20);
  ASSERT_TRUE(raw.ok());
  uint64_t sent = 0;
  const auto send = [&](Frames frames) {
    EXPECT_TRUE((*raw)->Send(std::move(frames)));
    sent++;
  };
  const auto bytes = [](std::string text) { return SharedBytes(std::move(text)); };
  const Frames good = EncodeRequest(AppendOf(RunOf(1, {"payload", "two"}), 0));
  ASSERT_EQ(good.size(), 2u);
  const std::string head(good[0].view());
  const std::string body(good[1].view());
  send({bytes("")});
  send({bytes("x")});
  send({bytes(std::string(8, '\xff'))});
  send({bytes(std::string(4096, '\xff'))});
  send({good[0]});                         // body missing
  send({good[0], good[1], good[1]});       // one too many
  send({good[1], good[0]});                // in the wrong order
  send({good[0], bytes(body + "x")});      // body too long
  send({good[0], bytes(body.substr(1))});  // too short
  send({good[0], bytes("Payloadtwo")});    // another body: checksum
  send({good[0], bytes("")});
  for (size_t size = 0; size < head.size(); size++) send({bytes(head.substr(0, size)), good[1]});
  send(EncodeAnswer(Fenced{kStream, kEpoch, kDisk, kEpoch}, false));  // an answer is no request
  // Whatever a flipped bit makes of it: decoded to something, or counted; never a crash.
  for (size_t i = 0; i < head.size(); i++) {
    std::string flipped = head;
    flipped[i] ^= static_cast<char>(1 << (i % 8));
    EXPECT_TRUE((*raw)->Send({bytes(flipped), good[1]}));
  }
  (*raw)->Send(EncodeRequest(StatusRequest{}));
  // One connection is served in order: the status comes when all before it was handled.
  core::Poller poller;
  poller.Add((*raw)->raw());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (bool done = false; !done && std::chrono::steady_clock::now() < deadline;) {
    Frames frames;
    poller.Wait(100000);
    while ((*raw)->Receive(&frames)) {
      auto answer = DecodeAnswer(frames);
      done |= answer.ok() && std::holds_alternative<StatusAnswer>(*answer);
    }
  }
  EXPECT_GE(replica.server().metrics().malformed.Value(), static_cast<double>(sent));
  const StreamId other(Incarnation(3), core::ShardId(7));
  EXPECT_EQ(replica.Ask<FenceAnswer>(Fence{other, kEpoch}).epoch, kEpoch);
}

TEST(ReplicaServerTest, AnotherVersionIsToldOurs) {
  FormattedDir dir;
  Running replica(OptionsFor(dir.path()));
  auto raw = core::DealerSocket::Connect(replica.context(), replica.server().endpoint(), 1 << 20);
  ASSERT_TRUE(raw.ok());
  std::string head(EncodeRequest(StatusRequest{})[0].view());
  // version is the first field of the root struct: behind segment table and root pointer.
  head[16] = 77;
  ASSERT_TRUE((*raw)->Send({SharedBytes(head)}));
  core::Poller poller;
  poller.Add((*raw)->raw());
  Frames frames;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!(*raw)->Receive(&frames) && std::chrono::steady_clock::now() < deadline) {
    poller.Wait(100000);
  }
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(frames[0].view(), EncodeUnsupported()[0].view());
}

// Fills the log until entries are refused. Returns the seq that was refused first.
uint64_t FillUp(Running* replica) {
  for (uint64_t seq = 1; seq < 1000; seq++) {
    replica->Send(AppendOf(RunOf(seq, {std::string(60000, 'x')}), seq - 1));
    if (std::holds_alternative<Refused>(replica->Next())) return seq;
  }
  ADD_FAILURE() << "never full";
  return 0;
}

TEST(ReplicaServerTest, FullLogRefusesEntriesKeepsReadingAndRecoversByTrimming) {
  FormattedDir dir;
  ReplicaServerOptions options = OptionsFor(dir.path());
  options.log.log_bytes_max = 4 * options.log.segment_bytes;
  Running replica(options);
  const uint64_t refused = FillUp(&replica);
  EXPECT_GT(refused, 10u);
  EXPECT_TRUE(replica.Ask<StatusAnswer>(StatusRequest{}).full);
  Read read = ReadFrom(1);
  read.credit_bytes = 1;  // for one answer and no more
  EXPECT_EQ(replica.Ask<ReadAnswer>(read).outcome, ReadOutcome::kData);
  // News is still taken, and a trim in it frees segments.
  EXPECT_EQ(replica.Ask<Stored>(AppendOf({}, refused - 1, refused - 1)).committed,
            Seq(refused - 1));
  const auto append = AppendOf(RunOf(refused, {std::string(60000, 'y')}), refused - 1);
  bool stored = false;
  while (!stored && !HasFailure()) {
    replica.Send(append);
    ReplicaAnswer answer = replica.Next();
    // The reader is told, some time, that what it wants next is trimmed.
    if (std::holds_alternative<ReadAnswer>(answer)) answer = replica.Next();
    stored = std::holds_alternative<Stored>(answer);
  }
  EXPECT_FALSE(replica.Ask<StatusAnswer>(StatusRequest{}).full);
}

TEST(ReplicaServerTest, NewsInASpateDoesNotUseUpTheReserve) {
  FormattedDir dir;
  ReplicaServerOptions options = OptionsFor(dir.path());
  options.log.log_bytes_max = 3 * options.log.segment_bytes;
  Running replica(options);
  const uint64_t refused = FillUp(&replica);
  const uint64_t before = static_cast<uint64_t>(replica.server().metrics().records.Value());
  for (uint64_t i = 0; i < 5000; i++) replica.Send(Trim{kStream, Seq(1 + i % refused)});
  replica.Ask<StatusAnswer>(StatusRequest{});
  EXPECT_LT(replica.server().metrics().records.Value(), before + 100);
  EXPECT_GT(replica.server().metrics().dropped_full.Value(), 4900);
}

// Flips a bit of `payload` where it stands in the log. False when it is not there.
bool Flip(const std::string& dir, const std::string& payload) {
  for (const auto& file : std::filesystem::directory_iterator(dir)) {
    if (!file.path().filename().string().starts_with("segment-")) continue;
    const std::string bytes = ReadBytes(file.path());
    const size_t at = bytes.find(payload);
    if (at == std::string::npos) continue;
    std::fstream out(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(at));
    out.put(static_cast<char>(bytes[at] ^ 1));
    return out.good();
  }
  return false;
}

TEST(ReplicaServerTest, ARecordFoundCorruptIsNotServedAndIsMendedByAFill) {
  FormattedDir dir;
  ReplicaServerOptions options = OptionsFor(dir.path());
  options.log.cache_bytes = 0;
  const EntryRun run = RunOf(1, {"a payload to be found", "another"});
  {
    Running replica(options);
    replica.Ask<Stored>(AppendOf(run, 0));
    // Beyond the log's last page, which is written again with the next record.
    replica.Ask<Stored>(AppendOf(RunOf(3, {std::string(10000, 'x')}), 2));
    ASSERT_TRUE(Flip(dir.path(), "a payload to be found"));

    auto read = replica.Ask<ReadAnswer>(ReadFrom(1));
    EXPECT_EQ(read.outcome, ReadOutcome::kLacking);
    EXPECT_EQ(read.next, Seq(1));
    EXPECT_TRUE(read.runs.empty());
    EXPECT_EQ(replica.Ask<StatusAnswer>(StatusRequest{}).streams.at(0).entries, 1u)
        << "its whole record is lost";
    EXPECT_EQ(replica.server().metrics().corrupt_loads.Value(), 1);
    // Both are committed: a fence shows so, and needs no more of them.
    EXPECT_EQ(replica.Ask<FenceAnswer>(Fence{kStream, kEpoch}).committed, Seq(2));

    EXPECT_EQ(replica.Ask<Stored>(Fill{kStream, kEpoch, run}).count, 2u);
    read = replica.Ask<ReadAnswer>(ReadFrom(1, 3));
    ASSERT_EQ(read.runs.size(), 1u);
    EXPECT_EQ(read.runs[0].body.view(), run.body.view());
    EXPECT_EQ(replica.server().metrics().entries_lost.Value(), 2);
    EXPECT_EQ(replica.server().metrics().records_lost.Value(), 1);
  }
  // The bad record is still in the log; what was filled stands behind it.
  Running again(options);
  EXPECT_EQ(again.server().recovery().corrupt.size(), 1u);
  const auto read = again.Ask<ReadAnswer>(ReadFrom(1));
  ASSERT_EQ(read.outcome, ReadOutcome::kData);
  EXPECT_EQ(read.runs[0].body.view(), run.body.view());
}

TEST(ReplicaServerTest, NoFenceIsAnsweredWithoutUncommittedEntriesFoundCorrupt) {
  FormattedDir dir;
  ReplicaServerOptions options = OptionsFor(dir.path());
  options.log.cache_bytes = 0;
  Running replica(options);
  replica.Ask<Stored>(AppendOf(RunOf(1, {"a payload to be found"}), 0));
  replica.Ask<Stored>(AppendOf(RunOf(2, {std::string(10000, 'x')}), 0));
  ASSERT_TRUE(Flip(dir.path(), "a payload to be found"));
  const WriterEpoch next = kEpoch + 1;
  for (int i = 0; i < 3; ++i) {
    replica.Send(Fence{kStream, next});
    // Answers to one peer leave in order: the status comes first, so there was none to the fence.
    replica.Ask<StatusAnswer>(StatusRequest{});
  }
  EXPECT_EQ(replica.server().metrics().corrupt_loads.Value(), 1);
  // It promised all the same; and once the entry is committed it is missed by no takeover.
  replica.Ask<Fenced>(AppendOf(RunOf(3, {"late"}), 0));
  Append news{kStream, next, {{kEpoch, Seq(1)}, {next, Seq(3)}}, {}, Seq(1), Seq(0)};
  replica.Ask<Stored>(news);
  const auto answer = replica.Ask<FenceAnswer>(Fence{kStream, next});
  EXPECT_EQ(answer.committed, Seq(1));
  EXPECT_EQ(replica.Ask<ReadAnswer>(ReadFrom(1)).outcome, ReadOutcome::kLacking);
  EXPECT_EQ(replica.server().metrics().fences_withheld.Value(), 2);
}

TEST(ReplicaServerTest, ScrubberFindsWhatNobodyReads) {
  FormattedDir dir;
  ReplicaServerOptions options = OptionsFor(dir.path());
  options.log.cache_bytes = 0;
  options.scrub.bytes_per_s = 1 << 30;
  options.scrub.pass_every = std::chrono::milliseconds(1);
  Running replica(options);
  replica.Ask<Stored>(AppendOf(RunOf(1, {"a payload to be found"}), 0));
  for (uint64_t seq = 2; seq < 20; ++seq) {
    replica.Ask<Stored>(AppendOf(RunOf(seq, {std::string(60000, 'x')}), seq - 1));
  }
  ASSERT_TRUE(Flip(dir.path(), "a payload to be found"));
  uint64_t entries = 19;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (entries == 19 && std::chrono::steady_clock::now() < deadline) {
    entries = replica.Ask<StatusAnswer>(StatusRequest{}).streams.at(0).entries;
  }
  EXPECT_EQ(entries, 18u);
  EXPECT_EQ(replica.server().metrics().corrupt_loads.Value(), 0) << "nobody had to meet it";
  replica.Ask<Stored>(Fill{kStream, kEpoch, RunOf(1, {"a payload to be found"})});
  EXPECT_EQ(replica.Ask<ReadAnswer>(ReadFrom(1)).outcome, ReadOutcome::kData);
}

TEST(ReplicaServerTest, ScrubberTakesASegmentThatIsWrittenOverForNoDamage) {
  FormattedDir dir;
  ReplicaServerOptions options = OptionsFor(dir.path());
  options.scrub.bytes_per_s = 1 << 30;
  options.scrub.pass_every = std::chrono::nanoseconds(1);
  Running replica(options);
  // Trimmed close behind, so that each segment is soon released and used again.
  for (uint64_t seq = 1; seq < 300; ++seq) {
    const uint64_t committed = seq - 1;
    replica.Ask<Stored>(AppendOf(RunOf(seq, {std::string(60000, 'x')}), committed,
                                 committed > 12 ? committed - 12 : 0));
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (replica.server().metrics().scrub_passes.Value() < 2 &&
         std::chrono::steady_clock::now() < deadline) {
    replica.Ask<StatusAnswer>(StatusRequest{});
  }
  EXPECT_GE(replica.server().metrics().scrub_passes.Value(), 2);
  EXPECT_GT(replica.server().metrics().scrubbed_bytes.Value(), 1e6);
  EXPECT_EQ(replica.server().metrics().records_lost.Value(), 0);
}

TEST(ReplicaServerTest, StartsWithoutALostBodyAndRefusesToStartWithoutALostPromise) {
  FormattedDir dir;
  const ReplicaServerOptions options = OptionsFor(dir.path());
  {
    Running replica(options);
    replica.Ask<Stored>(AppendOf(RunOf(1, {"a payload to be found"}), 0));
    replica.Ask<Stored>(AppendOf(RunOf(2, {"two"}), 1));
    replica.Ask<Stored>(AppendOf({}, 2));
  }
  ASSERT_TRUE(Flip(dir.path(), "a payload to be found"));
  {
    Running replica(options);
    EXPECT_EQ(replica.Ask<ReadAnswer>(ReadFrom(1)).outcome, ReadOutcome::kLacking);
    EXPECT_EQ(replica.Ask<ReadAnswer>(ReadFrom(2, 2)).runs.at(0).body.view(), "two");
    EXPECT_EQ(replica.Ask<FenceAnswer>(Fence{kStream, kEpoch}).committed, Seq(2));
    replica.Ask<Stored>(AppendOf(RunOf(3, {"three"}), 2));
    replica.Ask<Stored>(AppendOf(RunOf(4, {"four"}), 3));
  }
  // Behind the last checkpoint a record's head, too, is needed: it may hold a promise.
  const std::string file = dir.path() + "/" + SegmentName(1);
  std::string bytes = ReadBytes(file);
  bytes[bytes.find("three") - 20] ^= 1;
  WriteBytes(file, bytes);
  Context context;
  const auto opened = ReplicaServer::Open(context, options);
  ASSERT_EQ(opened.status().code(), Code::kCorrupt);
  EXPECT_NE(opened.status().message().find(file + " at offset"), std::string::npos);
  EXPECT_NE(opened.status().message().find("--replace"), std::string::npos) << opened.status();
}

TEST(ReplicaServerTest, CompressesOnlyForReadersThatAsk) {
  FormattedDir dir;
  Running replica(OptionsFor(dir.path()));
  replica.Ask<Stored>(AppendOf(RunOf(1, {std::string(20000, 'z')}), 0));
  replica.Ask<Stored>(AppendOf({}, 1));
  for (bool compress : {false, true}) {
    Read read = ReadFrom(1, compress ? 5 : 4);
    read.compress = compress;
    const auto answer = replica.Ask<ReadAnswer>(read);
    ASSERT_EQ(answer.runs.size(), 1u);
    EXPECT_EQ(answer.runs[0].body.view(), std::string(20000, 'z'));
  }
}

TEST(PeerTableTest, ForgetsThePeerHeardOfLongestAgoAndNeverReusesItsNumber) {
  PeerTable peers(2);
  const ReplicaPeer a = peers.NumberOf("a");
  const ReplicaPeer b = peers.NumberOf("b");
  EXPECT_EQ(peers.NumberOf("a"), a);
  const ReplicaPeer c = peers.NumberOf("c");
  EXPECT_EQ(peers.Find(b), nullptr);
  EXPECT_EQ(*peers.Find(a), "a");
  EXPECT_EQ(*peers.Find(c), "c");
  const ReplicaPeer again = peers.NumberOf("b");
  EXPECT_NE(again, b);
  EXPECT_NE(again, c);
}

}  // namespace
}  // namespace homeport::quorum_queue
