// Random messages: the replica against a dumb twin, and against its own replay.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "quorum_queue/replica_stream.h"
#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

constexpr uint64_t kSeqs = 14;

// The rules of design section 3, one item per seq, straight from the table.
struct Twin {
  WriterEpoch promised;
  Chain chain;
  uint64_t committed = 0;
  uint64_t trimmed = 0;
  std::map<uint64_t, uint64_t> entries;  // epoch by seq

  void RaiseTrimmed(uint64_t through) {
    trimmed = std::max(trimmed, through);
    committed = std::max(committed, trimmed);
    std::erase_if(entries, [&](const auto& e) { return e.first <= trimmed; });
  }
  void Store(const EntryRun& run) {
    for (uint64_t i = 0; i < run.count(); ++i) {
      if (run.first.value() + i > trimmed) entries[run.first.value() + i] = run.epoch.value();
    }
  }
  void On(const Fence& fence) { promised = std::max(promised, fence.epoch); }
  void On(const Fill& fill) {
    if (fill.epoch < promised) return;
    promised = fill.epoch;
    Store(fill.run);
  }
  void On(const Append& append) {
    if (append.epoch < promised) return;
    promised = append.epoch;
    RaiseTrimmed(append.trimmed.value());
    if (LastEpoch(append.chain) > LastEpoch(chain)) {
      chain = append.chain;
      std::erase_if(
          entries, [&](const auto& e) { return EpochAt(chain, Seq(e.first)).value() != e.second; });
    }
    Store(append.run);
    committed = std::max(committed, append.committed.value());
  }
  void On(const Trim& trim) { RaiseTrimmed(trim.through.value()); }
};

// Messages of few epochs and seqs: some that a correct sender could send now, some from the past,
// some nonsense.
class Sender {
 public:
  explicit Sender(uint64_t seed) : random_(seed) {}
  uint64_t Below(uint64_t n) { return random_() % n; }

  ReplicaRequest Next(const Twin& now, StreamId stream) {
    const uint64_t what = Below(20);
    if (what < 2) return Fence{stream, SomeEpoch(now)};
    if (what < 3) return Trim{stream, Seq(Below(now.committed + 2))};
    if (what < 8) return SomeFill(now, stream);
    return SomeAppend(now, stream);
  }

 private:
  WriterEpoch SomeEpoch(const Twin& now) {
    const uint64_t promised = now.promised.value();
    const uint64_t how = Below(10);
    if (how < 7) return WriterEpoch(std::max<uint64_t>(promised, 1));
    if (how < 9) return WriterEpoch(promised + 1 + Below(2));
    return WriterEpoch(1 + Below(promised + 1));
  }
  Fill SomeFill(const Twin& now, StreamId stream) {
    const WriterEpoch epoch = SomeEpoch(now);
    const uint64_t first = 1 + Below(kSeqs);
    uint64_t run_epoch = EpochAt(now.chain, Seq(first)).value();
    if (run_epoch == 0 || Below(3) == 0) run_epoch = 1 + Below(epoch.value());
    return {stream, epoch, MakeRun(first, run_epoch, 1 + Below(4))};
  }
  Append SomeAppend(const Twin& now, StreamId stream) {
    Append append{stream, SomeEpoch(now), now.chain, {}, {}, {}};
    const uint64_t last = now.entries.empty() ? now.committed : now.entries.rbegin()->first;
    if (append.epoch != LastEpoch(now.chain)) {
      // A takeover: the links with start <= t, and its own.
      const uint64_t lowest = Below(10) == 0 ? 0 : now.committed;
      const uint64_t t = lowest + Below(std::max(last, lowest) - lowest + 2);
      std::erase_if(append.chain, [&](const ChainLink& link) {
        return link.start > Seq(t) || link.epoch >= append.epoch;
      });
      append.chain.push_back({append.epoch, Seq(t + 1)});
    }
    const uint64_t start = append.chain.back().start.value();
    if (Below(4) != 0) {
      const uint64_t first = start + Below(std::max(kSeqs, start) - start + 1);
      append.run = MakeRun(first, append.epoch.value(), 1 + Below(4));
    }
    append.committed = Seq(Below(3) == 0 ? now.committed + Below(3) : Below(now.committed + 1));
    append.trimmed = Seq(Below(6) == 0 ? Below(now.committed + 2) : Below(now.trimmed + 1));
    if (Below(30) == 0) append.chain.back().start = append.chain.back().start + 1;
    return append;
  }

  std::mt19937_64 random_;
};

TEST(ReplicaReplayTest, DoesAsItsDumbTwin) {
  uint64_t obeyed = 0, ignored = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Sender sender(seed);
    ReplicaHarness h;
    Twin twin;
    for (int step = 0; step < 60; ++step) {
      const ReplicaRequest request = sender.Next(twin, kTestStream);
      const uint64_t ignored_before = h.replica().stats().ignored;
      h.Send(request);
      h.Persist();
      h.TakeAnswers();
      h.replica().CheckInvariants();
      if (h.replica().stats().ignored != ignored_before) {
        ++ignored;
      } else {
        ++obeyed;
        if (const auto* fence = std::get_if<Fence>(&request)) twin.On(*fence);
        if (const auto* fill = std::get_if<Fill>(&request)) twin.On(*fill);
        if (const auto* append = std::get_if<Append>(&request)) twin.On(*append);
        if (const auto* trim = std::get_if<Trim>(&request)) twin.On(*trim);
      }
      if (twin.promised == WriterEpoch(0)) continue;
      const ObservedStream seen = h.Observe();
      ASSERT_EQ(seen.state, (StreamCheckpoint{kTestStream, twin.promised, twin.chain,
                                              Seq(twin.committed), Seq(twin.trimmed)}))
          << "seed " << seed << " step " << step;
      std::map<uint64_t, uint64_t> entries;
      for (const auto& [seq, entry] : seen.entries) entries[seq] = entry.first;
      ASSERT_EQ(entries, twin.entries) << "seed " << seed << " step " << step;
    }
  }
  // Most is sensible, some is not.
  EXPECT_GT(obeyed, 3 * ignored);
  EXPECT_GT(ignored, 100u);
}

std::vector<StreamId> SomeStreams() {
  return {StreamId::FromValue(1), StreamId::FromValue(2), StreamId::FromValue(3)};
}

std::vector<ObservedStream> ObserveAll(ReplicaHarness& h) {
  h.Step(SpaceChanged{false});
  if (h.records() > 0) h.Persist();
  h.TakeAnswers();
  std::vector<ObservedStream> all;
  for (const StreamId stream : SomeStreams()) all.push_back(h.Observe(stream));
  return all;
}

// Random messages to three streams, with syncs, new segments and a full disk between.
void RunAtRandom(Sender& sender, ReplicaHarness& h, int steps) {
  for (int step = 0; step < steps; ++step) {
    const uint64_t what = sender.Below(20);
    if (what == 0) {
      h.Step(SegmentStarted{});
    } else if (what == 1) {
      h.Step(SpaceChanged{sender.Below(3) == 0});
    } else if (what < 5 && h.records() > 0) {
      h.Persist();
    } else {
      const StreamId stream = SomeStreams()[sender.Below(3)];
      Twin now;  // as much of the state as the sender needs
      for (const StreamStatus& status : h.replica().Status().streams) {
        if (status.stream != stream) continue;
        now.promised = status.promised;
        now.committed = status.committed.value();
        now.trimmed = status.trimmed.value();
        if (status.entries > 0) now.entries[status.last.value()] = 0;
        if (status.chain_epoch != WriterEpoch(0)) now.chain = {{status.chain_epoch, Seq(1)}};
      }
      h.Send(sender.Next(now, stream));
    }
  }
}

TEST(ReplicaReplayTest, EndsInTheSameState) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Sender sender(seed);
    ReplicaHarness h;
    RunAtRandom(sender, h, 120);
    const auto before = ObserveAll(h);
    ReplicaHarness again(h.log(), 1);
    ASSERT_EQ(again.replica().Status().streams.size(), h.replica().Status().streams.size());
    ASSERT_EQ(ObserveAll(again), before) << "seed " << seed;
  }
}

TEST(ReplicaReplayTest, EndsInTheSameStateWithoutWhatWasReleased) {
  uint64_t released = 0;
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    Sender sender(seed);
    ReplicaHarness h;
    RunAtRandom(sender, h, 150);
    h.Step(Tick{});
    const auto before = ObserveAll(h);
    if (!h.released()) continue;
    ++released;
    // Whole segments go, so replay may begin anywhere up to the bound.
    for (const uint64_t from : {h.released()->value(), 1 + sender.Below(h.released()->value())}) {
      ReplicaHarness again(h.log(), from);
      ASSERT_EQ(ObserveAll(again), before) << "seed " << seed << " from record " << from;
    }
  }
  EXPECT_GT(released, 100u);
}

TEST(ReplicaReplayTest, GoesOnAfterARestartAsIfThereWasNone) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Sender sender(seed);
    ReplicaHarness h;
    RunAtRandom(sender, h, 80);
    ObserveAll(h);
    ReplicaHarness again(h.log(), h.released() ? h.released()->value() : 1);
    Sender one(seed + 1000), other(seed + 1000);
    RunAtRandom(one, h, 40);
    RunAtRandom(other, again, 40);
    ASSERT_EQ(ObserveAll(again), ObserveAll(h)) << "seed " << seed;
  }
}

TEST(ReplicaReplayTest, ACrashAtAnyRecordLosesNothingThatWasAnswered) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 2));
  h.Ask<Stored>(MakeAppend(3, 3, 2, 2));
  const auto answered = h.records();
  h.Send(MakeAppend(3, 5, 2, 4));
  h.Send(Trim{kTestStream, Seq(3)});
  for (uint64_t cut = answered; cut <= h.records(); ++cut) {
    auto log = h.log();
    log.resize(cut);
    ReplicaHarness again(log, 1);
    const auto seen = again.Observe();
    EXPECT_GE(seen.state.committed, Seq(2));
    EXPECT_TRUE(seen.entries.contains(4)) << cut;
  }
}

// ---- what a log must not be

core::Status ReplayAll(const std::vector<std::pair<uint64_t, std::string>>& records) {
  Replica replica{ReplicaOptions{}};
  for (const auto& [number, header] : records) {
    const auto status = replica.Replay(RecordNumber(number), header, 0);
    if (!status.ok()) return status;
  }
  return core::Status::Ok();
}

TEST(ReplicaReplayTest, RefusesALogThatContradictsItself) {
  const auto fence = [](uint64_t epoch) {
    return EncodeLogRecord(Fence{kTestStream, WriterEpoch(epoch)});
  };
  const auto checkpoint = [](uint64_t promised) {
    Checkpoint all;
    all.streams.push_back({kTestStream, WriterEpoch(promised), {}, Seq(0), Seq(0)});
    return EncodeLogRecord(all);
  };
  const auto code = [](const auto& records) { return ReplayAll(records).code(); };
  using Records = std::vector<std::pair<uint64_t, std::string>>;
  EXPECT_EQ(code(Records{{1, fence(5)}, {2, fence(6)}, {3, checkpoint(6)}}), core::Code::kOk);
  EXPECT_EQ(code(Records{{1, fence(5)}, {3, fence(6)}}), core::Code::kCorrupt) << "a gap";
  EXPECT_EQ(code(Records{{1, fence(5)}, {2, fence(4)}}), core::Code::kCorrupt)
      << "a broken promise";
  EXPECT_EQ(code(Records{{1, fence(5)}, {2, checkpoint(4)}}), core::Code::kCorrupt);
  EXPECT_EQ(code(Records{{1, fence(5)}, {2, EncodeLogRecord(Checkpoint{})}}), core::Code::kCorrupt)
      << "a stream is missing";
  EXPECT_EQ(code(Records{{7, fence(5)}, {8, checkpoint(9)}, {9, fence(9)}}), core::Code::kOk)
      << "before the first checkpoint of a log without its first records too little is known";
  EXPECT_EQ(code(Records{{1, "garbage!"}}), core::Code::kCorrupt);
  EXPECT_EQ(code(Records{{1, EncodeLogRecord(Relay{kTestStream, {}})}}), core::Code::kCorrupt);
  EXPECT_EQ(
      code(Records{{1, EncodeLogRecord(Append{kTestStream, WriterEpoch(2), {}, {}, {}, {}})}}),
      core::Code::kCorrupt)
      << "a chain that was never told";
}

// ---- lost records

struct Knows {
  StreamCheckpoint scalars;
  Seq doubtful;
  std::map<uint64_t, uint64_t> entries;  // epoch by seq
};
std::map<StreamId, Knows> KnownTo(const Replica& replica) {
  std::map<StreamId, Knows> all;
  replica.ForEachStream([&](StreamId id, const ReplicaStream& stream) {
    Knows& knows = all[id];
    knows.scalars = {id, stream.promised, stream.chain, stream.committed, stream.trimmed};
    knows.doubtful = stream.IsDoubtful() ? stream.doubtful : Seq(0);
    for (const RunLocation& run : stream.index.RunsAfter(Seq(0))) {
      for (uint64_t i = 0; i < run.count; ++i) {
        knows.entries[run.first.value() + i] = run.epoch.value();
      }
    }
  });
  return all;
}

// Whether `now` knows what `before` knew, but for entries that are committed or in doubt, and has
// no entry that it must not give out.
testing::AssertionResult ForgotNothingSilently(const std::map<StreamId, Knows>& now,
                                               const std::map<StreamId, Knows>& before) {
  if (now.size() != before.size()) return testing::AssertionFailure() << "a stream is missing";
  for (const auto& [id, was] : before) {
    const Knows& is = now.at(id);
    if (is.scalars != was.scalars) return testing::AssertionFailure() << "scalars of " << id;
    for (const auto& [seq, epoch] : was.entries) {
      if (is.entries.contains(seq) && is.entries.at(seq) == epoch) continue;
      if (Seq(seq) > was.scalars.committed && Seq(seq) > is.doubtful) {
        return testing::AssertionFailure() << seq << " of " << id << " is forgotten silently";
      }
    }
    for (const auto& [seq, epoch] : is.entries) {
      if (was.entries.contains(seq) && was.entries.at(seq) == epoch) continue;
      if (EpochAt(is.scalars.chain, Seq(seq)) != WriterEpoch(epoch)) {
        return testing::AssertionFailure() << seq << " of " << id << " is a leftover";
      }
    }
  }
  return testing::AssertionSuccess();
}

bool IsCheckpoint(const ReplicaHarness::Record& record) {
  const auto decoded = DecodeLogRecord(record.header, record.body_size);
  return decoded.ok() && std::holds_alternative<Checkpoint>(*decoded);
}

TEST(ReplicaReplayTest, ForgetsOnlyTheEntriesOfRecordsWithoutBody) {
  uint64_t doubtful = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Sender sender(seed);
    ReplicaHarness h;
    RunAtRandom(sender, h, 80);
    const auto before = KnownTo(h.replica());
    // Lost while it runs, and it goes on; then a start that meets the same.
    std::set<uint64_t> lost;
    for (uint64_t n = 1 + sender.Below(8); n <= h.records(); n += 1 + sender.Below(20)) {
      lost.insert(n);
    }
    std::vector<RecordNumber> numbers;
    for (const uint64_t n : lost) numbers.push_back(RecordNumber(n));
    h.Step(RecordsLost{numbers});
    ASSERT_TRUE(ForgotNothingSilently(KnownTo(h.replica()), before)) << "seed " << seed;
    RunAtRandom(sender, h, 40);
    h.replica().CheckInvariants();

    const auto running = KnownTo(h.replica());
    Replica again(ReplicaOptions{.disk = kTestDisk});
    for (uint64_t n = 1; n <= h.records(); ++n) {
      const auto& record = h.log()[n - 1];
      const auto replay = lost.contains(n) ? &Replica::ReplayWithoutBody : &Replica::Replay;
      ASSERT_TRUE((again.*replay)(RecordNumber(n), record.header, record.body_size).ok());
    }
    again.FinishReplay(RecordNumber(h.records() + 1));
    ASSERT_TRUE(ForgotNothingSilently(KnownTo(again), running)) << "seed " << seed;
    for (const auto& [id, knows] : running) {
      doubtful += knows.doubtful > Seq(0) ? 1 : 0;
      EXPECT_GE(KnownTo(again).at(id).doubtful, knows.doubtful) << "seed " << seed;
    }
  }
  EXPECT_GT(doubtful, 50u);
}

TEST(ReplicaReplayTest, KnowsAllPromisesAgainAtTheCheckpointBehindLostRecords) {
  uint64_t recovered = 0, doubtful = 0;
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    Sender sender(seed);
    ReplicaHarness h;
    RunAtRandom(sender, h, 120);
    const auto before = KnownTo(h.replica());
    uint64_t checkpoint = h.records();
    while (checkpoint > 0 && !IsCheckpoint(h.log()[checkpoint - 1])) --checkpoint;
    if (checkpoint < 2) continue;

    Replica again(ReplicaOptions{.disk = kTestDisk});
    for (uint64_t n = 1; n <= h.records(); ++n) {
      if (n < checkpoint && sender.Below(10) == 0) {
        const uint64_t last = std::min(n + sender.Below(4), checkpoint - 1);
        ASSERT_TRUE(again.ReplayLost(RecordNumber(n), RecordNumber(last)).ok());
        EXPECT_FALSE(again.knows_promises());
        n = last;
        continue;
      }
      const auto& record = h.log()[n - 1];
      const auto status = again.Replay(RecordNumber(n), record.header, record.body_size);
      ASSERT_TRUE(status.ok()) << status << " seed " << seed << " record " << n;
    }
    ASSERT_TRUE(again.knows_promises());
    again.FinishReplay(RecordNumber(h.records() + 1));
    ASSERT_TRUE(ForgotNothingSilently(KnownTo(again), before)) << "seed " << seed;
    ++recovered;
    doubtful += again.doubtful_streams();
  }
  EXPECT_GT(recovered, 300u);
  EXPECT_GT(doubtful, 50u);
}

TEST(ReplicaReplayTest, DamagedLogsNeverCrash) {
  uint64_t refused = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Sender sender(seed);
    ReplicaHarness h;
    RunAtRandom(sender, h, 60);
    for (int round = 0; round < 10; ++round) {
      Replica replica{ReplicaOptions{}};
      core::Status status;
      const uint64_t from = 1 + sender.Below(3);
      for (uint64_t n = from; n <= h.records() && status.ok(); ++n) {
        std::string header = h.log()[n - 1].header;
        if (sender.Below(10) == 0) {
          header[sender.Below(header.size())] ^= static_cast<char>(1 << sender.Below(8));
        }
        status = replica.Replay(RecordNumber(n), header, h.log()[n - 1].body_size);
      }
      if (!status.ok()) {
        ++refused;
        EXPECT_EQ(status.code(), core::Code::kCorrupt);
      }
    }
  }
  EXPECT_GT(refused, 100u);
}

}  // namespace
}  // namespace homeport::quorum_queue
