#include "replicator/replayer.h"

#include <gtest/gtest.h>

#include "core/messaging/evaluator.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "replicator/tests/fullable_store.h"

namespace homeport::replicator {
namespace {

namespace qq = quorum_queue;
using std::chrono::milliseconds;
using std::chrono::seconds;

const StreamId kStream(Incarnation(2), ShardId(0));
constexpr uint64_t kAll = UINT64_MAX;

// A run of entries of zero bytes: applying one changes only the position.
qq::EntryRun Empty(uint64_t first, uint64_t count) {
  return qq::MakeRun(first, 7, std::vector<std::string>(count));
}

// One Replayer; the test is its relay log and its replicas.
class Bench {
 public:
  explicit Bench(uint64_t relay_end = 0) {
    options.stream = kStream;
    options.context = {Incarnation(1), 1};
    options.relay_end = Seq(relay_end);
  }
  void Start() {
    replayer = std::make_unique<Replayer>(options, &store);
    Run([&](Outbox* out) { replayer->Start(now, out); });
  }
  // The replica that was asked last sends this run.
  void Arrive(qq::EntryRun run) {
    ASSERT_FALSE(reads.empty());
    qq::ReadAnswer answer;
    answer.stream = kStream;
    answer.session = reads.back().session;
    answer.outcome = qq::ReadOutcome::kData;
    answer.next = run.first;
    answer.committed = run.last();
    sent_bytes_ += run.body.size();
    answer.sent_bytes = sent_bytes_;
    answer.runs.push_back(std::move(run));
    Answer(std::move(answer));
  }
  void Answer(qq::ReadAnswer answer) {
    Run([&](Outbox* out) { replayer->Answer(now, replica, std::move(answer), out); });
  }
  void AnswerOutcome(qq::ReadOutcome outcome, uint64_t trimmed) {
    qq::ReadAnswer answer;
    answer.stream = kStream;
    answer.session = reads.back().session;
    answer.outcome = outcome;
    answer.next = reads.back().from;
    answer.committed = Seq(100);
    answer.trimmed = Seq(trimmed);
    Answer(std::move(answer));
  }
  void Load(qq::EntryRun run) {
    Run([&](Outbox* out) { replayer->Loaded(now, std::move(run), out); });
  }
  uint64_t Apply(uint64_t persisted, uint64_t bytes_max = kAll) {
    uint64_t bytes = 0;
    Run([&](Outbox* out) { bytes = replayer->ApplySome(now, persisted, bytes_max, out); });
    return bytes;
  }
  void Pass(core::Duration duration, uint64_t persisted = kAll) {
    now += duration;
    Run([&](Outbox* out) { replayer->Tick(now, persisted, out); });
  }
  Seq applied() const { return replayer->Lag().applied; }

  ReplayerOptions options;
  FullableStore store;
  std::unique_ptr<Replayer> replayer;
  Instant now{seconds(1)};
  RegionStats stats;
  std::vector<qq::Read> reads;
  uint8_t replica = 0;  // asked last
  std::vector<RelayAppend> appends;
  std::vector<LoadRelay> loads;
  std::multiset<std::string> notes;
  std::vector<core::PendingIntent> pending;
  std::optional<std::string> why_stop;

 private:
  template <class Event>
  void Run(Event event) {
    std::vector<RegionEffect> effects;
    Outbox out(&effects, &stats, &tokens_);
    event(&out);
    for (auto& intent : out.pending()) pending.push_back(std::move(intent));
    if (out.why_stop().has_value()) why_stop = out.why_stop();
    for (RegionEffect& effect : effects) {
      if (auto* send = std::get_if<SendToQueue>(&effect)) {
        EXPECT_EQ(send->region, kStream.incarnation());
        replica = send->replica;
        reads.push_back(std::get<qq::Read>(send->request));
      } else if (auto* append = std::get_if<RelayAppend>(&effect)) {
        appends.push_back(std::move(*append));
      } else if (auto* load = std::get_if<LoadRelay>(&effect)) {
        loads.push_back(*load);
      } else if (auto* note = std::get_if<Note>(&effect)) {
        notes.insert(note->kind);
      }
    }
  }
  uint64_t tokens_ = 0;
  uint64_t sent_bytes_ = 0;
};

TEST(ReplayerTest, AppliesAnEntryOnlyWhenTheRelayLogHasItOnDisk) {
  Bench bench;
  bench.Start();
  bench.Arrive(Empty(1, 3));
  bench.Arrive(Empty(4, 2));
  ASSERT_EQ(bench.appends.size(), 2u);
  EXPECT_EQ(bench.appends[0].token, 1u);
  EXPECT_EQ(bench.appends[1].token, 2u);
  EXPECT_EQ(bench.appends[1].run.first, Seq(4));
  EXPECT_EQ(bench.appends[1].run.count(), 2u);
  bench.Apply(0);
  EXPECT_EQ(bench.applied(), Seq(0));
  bench.Apply(1);
  EXPECT_EQ(bench.applied(), Seq(3));
  EXPECT_FALSE(bench.replayer->more(1));
  bench.Apply(2);
  EXPECT_EQ(bench.applied(), Seq(5));
}

TEST(ReplayerTest, AsksForCompressedEntriesFromTheFirstItLacks) {
  Bench bench;
  bench.Start();
  ASSERT_EQ(bench.reads.size(), 1u);
  EXPECT_EQ(bench.reads[0].from, Seq(1));
  EXPECT_TRUE(bench.reads[0].compress);
  EXPECT_EQ(bench.reads[0].stream, kStream);
}

TEST(ReplayerTest, ReplaysTheRelayLogToItsEndBeforeItFollows) {
  Bench bench(5);
  bench.Start();
  EXPECT_TRUE(bench.reads.empty());
  ASSERT_EQ(bench.loads.size(), 1u);
  EXPECT_EQ(bench.loads[0].from, Seq(1));
  EXPECT_EQ(bench.replayer->Lag().committed, Seq(5));
  bench.Load(Empty(1, 3));
  bench.Apply(0);
  EXPECT_EQ(bench.applied(), Seq(3)) << "what comes out of the relay log is on disk";
  ASSERT_EQ(bench.loads.size(), 2u);
  EXPECT_EQ(bench.loads[1].from, Seq(4));
  bench.Load(Empty(4, 2));
  bench.Apply(0);
  bench.Load({});
  EXPECT_EQ(bench.applied(), Seq(5));
  ASSERT_EQ(bench.reads.size(), 1u);
  EXPECT_EQ(bench.reads[0].from, Seq(6));
  EXPECT_TRUE(bench.appends.empty());
}

TEST(ReplayerTest, FollowsFromWhereTheRelayLogReallyEnded) {
  Bench bench(5);
  bench.Start();
  bench.Load(Empty(1, 3));
  bench.Apply(0);
  bench.Load({});
  EXPECT_EQ(bench.reads[0].from, Seq(4));
}

TEST(ReplayerTest, DoesNotLoadWhatTheStoreHas) {
  {
    Bench bench;
    bench.Start();
    bench.Arrive(Empty(1, 5));
    bench.Apply(1);
    bench.options.relay_end = Seq(5);
    bench.Start();
    EXPECT_TRUE(bench.loads.empty());
    EXPECT_EQ(bench.reads.back().from, Seq(6));
    // A removed relay log: only what is not applied is pulled again.
    bench.options.relay_end = Seq(0);
    bench.Start();
    EXPECT_EQ(bench.reads.back().from, Seq(6));
    bench.options.relay_end = Seq(8);
    bench.Start();
    EXPECT_EQ(bench.loads.back().from, Seq(6));
  }
}

TEST(ReplayerTest, AppliesInPortions) {
  Bench bench;
  bench.Start();
  bench.Arrive(Empty(1, 100));
  EXPECT_EQ(bench.Apply(1, 10), 10u);
  EXPECT_EQ(bench.applied(), Seq(10));
  EXPECT_TRUE(bench.replayer->more(1));
}

TEST(ReplayerTest, PausesItsReaderWhenTooMuchWaitsAndResumesAtHalf) {
  Bench bench;
  bench.options.waiting_bytes_max = 1000;
  bench.Start();
  // Only their size matters: they wait and are never applied.
  bench.Arrive(qq::MakeRun(1, 7, {std::string(1200, 'x')}));
  const size_t reads = bench.reads.size();
  for (int n = 0; n < 10; ++n) bench.Pass(milliseconds(300), 0);
  EXPECT_EQ(bench.reads.size(), reads) << "no credit, no search for another replica";
}

TEST(ReplayerTest, ResumesWhenWhatWaitedIsApplied) {
  Bench bench;
  bench.options.waiting_bytes_max = 3000;
  bench.Start();
  for (uint64_t n = 0; n < 10; ++n) bench.Arrive(Empty(1 + 100 * n, 100));
  const size_t reads = bench.reads.size();
  bench.Pass(milliseconds(300), 0);
  EXPECT_EQ(bench.reads.size(), reads);
  bench.Apply(1);
  EXPECT_EQ(bench.reads.size(), reads) << "still too much";
  bench.Apply(6);
  EXPECT_EQ(bench.reads.size(), reads) << "not in crumbs";
  bench.Apply(8);
  EXPECT_EQ(bench.reads.size(), reads + 1);
  EXPECT_EQ(bench.reads.back().from, Seq(1001));
}

TEST(ReplayerTest, AFullStorePausesTheReaderAndNothingIsSkipped) {
  Bench bench;
  bench.Start();
  bench.Arrive(Empty(1, 5));
  bench.store.full = true;
  bench.Apply(1);
  EXPECT_EQ(bench.applied(), Seq(0));
  EXPECT_EQ(bench.notes.count("store_full"), 1u);
  EXPECT_FALSE(bench.replayer->more(1)) << "it waits; it does not spin";
  const size_t reads = bench.reads.size();
  for (int n = 0; n < 10; ++n) bench.Pass(milliseconds(200), 1);
  EXPECT_EQ(bench.notes.count("store_full"), 1u);
  EXPECT_EQ(bench.reads.size(), reads);
  bench.store.full = false;
  ASSERT_TRUE(bench.replayer->NextDeadline().has_value());
  EXPECT_LE(*bench.replayer->NextDeadline(), bench.now + milliseconds(200));
  bench.Pass(milliseconds(200), 1);
  bench.Apply(1);
  EXPECT_EQ(bench.applied(), Seq(5));
  EXPECT_EQ(bench.notes.count("store_ok"), 1u);
  EXPECT_EQ(bench.reads.size(), reads + 1) << "reads on";
  bench.Arrive(Empty(6, 1));
  bench.Apply(2);
  EXPECT_EQ(bench.applied(), Seq(6));
}

TEST(ReplayerTest, StopsTheRegionAtAnEntryThatIsNone) {
  Bench bench;
  bench.Start();
  bench.Arrive(qq::MakeRun(1, 7, {std::string(), std::string("nonsense"), std::string()}));
  bench.Apply(1);
  EXPECT_EQ(bench.applied(), Seq(1));
  ASSERT_TRUE(bench.why_stop.has_value());
  EXPECT_NE(bench.why_stop->find("entry 2 of stream 2/0"), std::string::npos) << *bench.why_stop;
  EXPECT_EQ(bench.notes.count("corrupt_entry"), 1u);
  bench.Apply(1);
  EXPECT_EQ(bench.applied(), Seq(1));
}

TEST(ReplayerTest, SaysThatItNeedsABootstrapWhenEntriesAreGone) {
  Bench bench;
  bench.Start();
  for (int n = 0; n < 3; ++n) bench.AnswerOutcome(qq::ReadOutcome::kTrimmed, 50);
  EXPECT_EQ(bench.notes.count("needs_bootstrap"), 1u);
  EXPECT_TRUE(bench.replayer->needs_bootstrap());
  EXPECT_EQ(bench.replayer->Lag().begins_at, Seq(51));
}

TEST(ReplayerTest, SaysWhenAnEntryIsHeldNowhere) {
  Bench bench;
  bench.Start();
  for (int n = 0; n < 3; ++n) bench.AnswerOutcome(qq::ReadOutcome::kLacking, 0);
  EXPECT_EQ(bench.notes.count("held_nowhere"), 1u);
  EXPECT_EQ(bench.notes.count("needs_bootstrap"), 0u);
}

TEST(ReplayerTest, HandsOverTheIntentsForThisRegionsShards) {
  core::MemoryStore there;
  core::Evaluator evaluator({Incarnation(2), ShardId(0), 1, {}}, &there);
  evaluator.Begin(core::WallMs(77));
  const core::Uin bob = evaluator.Execute(core::NewUin{}).uin;
  ASSERT_TRUE(
      evaluator.Execute(core::CreateAccount{bob, core::AccountKind::kUser, "bob"}).status.ok());
  const core::Uin here(core::MakeId(Incarnation(1), 1));
  ASSERT_TRUE(evaluator.Execute(core::SendMessage{bob, core::ClientMessageId(1), here, false, "hi"})
                  .status.ok());
  const core::Uin elsewhere(core::MakeId(Incarnation(3), 1));
  ASSERT_TRUE(
      evaluator.Execute(core::SendMessage{bob, core::ClientMessageId(2), elsewhere, false, "hi"})
          .status.ok());
  Bench bench;
  bench.Start();
  bench.Arrive(qq::MakeRun(1, 7, {evaluator.Finish()}));
  EXPECT_TRUE(bench.pending.empty());
  bench.Apply(1);
  ASSERT_EQ(bench.pending.size(), 1u);
  EXPECT_EQ(bench.pending[0].source, kStream);
  EXPECT_EQ(bench.pending[0].seq, Seq(1));
  EXPECT_EQ(bench.replayer->Lag().applied_written_at, core::WallMs(77));
}

}  // namespace
}  // namespace homeport::replicator
