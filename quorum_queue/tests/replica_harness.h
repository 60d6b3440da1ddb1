// ReplicaHarness: a replica with a log in memory, for tests.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "quorum_queue/log_record.h"
#include "quorum_queue/replica.h"
#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {

inline constexpr DiskId kTestDisk(77);
inline constexpr ReplicaPeer kWriterPeer(1);
inline constexpr ReplicaPeer kReaderPeer(2);
inline constexpr ReplicaPeer kObserverPeer(999);

// What a replica shows of one stream to someone who may only ask: by seq, the epoch and record of
// each entry.
struct ObservedStream {
  StreamCheckpoint state;
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> entries;
  bool operator==(const ObservedStream&) const = default;
};

class ReplicaHarness {
 public:
  struct Record {
    std::string header;
    uint64_t body_size = 0;
  };

  explicit ReplicaHarness(ReplicaOptions options = {}) : replica_(WithDisk(options)) {
    replica_.FinishReplay(RecordNumber(1));
  }
  // A restart: the records of `log` from number `from` on.
  ReplicaHarness(const std::vector<Record>& log, uint64_t from, ReplicaOptions options = {})
      : log_(log), replica_(WithDisk(options)) {
    for (uint64_t n = from; n <= log_.size(); ++n) {
      const Record& record = log_[n - 1];
      const auto status = replica_.Replay(RecordNumber(n), record.header, record.body_size);
      EXPECT_TRUE(status.ok()) << status << " at record " << n;
    }
    replica_.FinishReplay(RecordNumber(log_.size() + 1));
  }

  void Step(ReplicaEvent event) {
    std::vector<ReplicaEffect> effects;
    replica_.Step(now_, std::move(event), &effects);
    for (ReplicaEffect& effect : effects) {
      if (auto* record = std::get_if<LogRecordEffect>(&effect)) {
        EXPECT_EQ(record->record.value(), log_.size() + 1) << "records are numbered without gaps";
        EXPECT_EQ(record->body_checksum, BodyChecksum(record->body.view()));
        log_.push_back({std::move(record->header), record->body.size()});
      } else if (const auto* release = std::get_if<ReleaseEffect>(&effect)) {
        EXPECT_TRUE(!released_ || *released_ < release->record) << "releases ascend";
        released_ = release->record;
      } else if (std::holds_alternative<RecoveredEffect>(effect)) {
        ++recovered_;
      } else if (const auto* life = std::get_if<RememberLifeEffect>(&effect)) {
        remembered_ = life->life;
      } else if (std::holds_alternative<AmnesiacEffect>(effect)) {
        ++amnesiac_;
      } else if (const auto* lost = std::get_if<EntriesLostEffect>(&effect)) {
        lost_.push_back(*lost);
      } else {
        answers_.push_back(std::move(std::get<AnswerEffect>(effect)));
      }
    }
  }
  void Send(ReplicaRequest request, ReplicaPeer peer = kWriterPeer) {
    Step(RequestReceived{peer, std::move(request)});
  }
  void Persist() { PersistThrough(log_.size()); }
  void PersistThrough(uint64_t record) { Step(Persisted{RecordNumber(record)}); }

  // All answers since the last call.
  std::vector<AnswerEffect> TakeAnswers() { return std::exchange(answers_, {}); }
  // The only answer since the last call, which is a Kind.
  template <class Kind>
  Kind TakeAnswer() {
    const auto answers = TakeAnswers();
    EXPECT_EQ(answers.size(), 1u);
    if (answers.size() != 1 || !std::holds_alternative<Kind>(answers[0].answer)) {
      ADD_FAILURE() << "another answer than expected";
      return Kind{};
    }
    runs_ = answers[0].runs;
    return std::get<Kind>(answers[0].answer);
  }
  // Sends, persists, and takes the only answer.
  template <class Kind>
  Kind Ask(ReplicaRequest request, ReplicaPeer peer = kWriterPeer) {
    Send(std::move(request), peer);
    if (answers_.empty()) Persist();
    return TakeAnswer<Kind>();
  }

  // Without changing anything. REQUIRES: the stream has a promise; all is persisted, no answer is
  // left.
  ObservedStream Observe(StreamId stream = kTestStream) {
    WriterEpoch promised;
    for (const StreamStatus& one : replica_.Status().streams) {
      if (one.stream == stream) promised = one.promised;
    }
    ObservedStream seen;
    if (promised == WriterEpoch(0)) return seen;
    const auto fence = Ask<FenceAnswer>(Fence{stream, promised}, kObserverPeer);
    seen.state = {stream, promised, fence.chain, fence.committed, fence.trimmed};
    AddRuns(&seen);
    for (uint64_t seq = fence.trimmed.value() + 1; seq <= fence.committed.value(); ++seq) {
      Send(Read{stream, ++session_, Seq(seq), 0, 1, false}, kObserverPeer);
      for (const AnswerEffect& answer : TakeAnswers()) {
        runs_ = answer.runs;
        AddRuns(&seen);
      }
    }
    return seen;
  }

  Replica& replica() { return replica_; }
  const std::vector<Record>& log() const { return log_; }
  uint64_t records() const { return log_.size(); }
  // Of the answer last taken by TakeAnswer or Ask.
  const std::vector<RunLocation>& runs() const { return runs_; }
  std::optional<RecordNumber> released() const { return released_; }
  const std::vector<EntriesLostEffect>& lost() const { return lost_; }
  int recovered() const { return recovered_; }
  int amnesiac() const { return amnesiac_; }
  Life remembered() const { return remembered_; }
  void Advance(core::Duration by) { now_ += by; }

 private:
  static ReplicaOptions WithDisk(ReplicaOptions options) {
    options.disk = kTestDisk;
    return options;
  }
  void AddRuns(ObservedStream* seen) const {
    for (const RunLocation& run : runs_) {
      for (uint64_t i = 0; i < run.count; ++i) {
        seen->entries[run.first.value() + i] = {run.epoch.value(), run.record.value()};
      }
    }
  }

  std::vector<Record> log_;  // record n at n - 1
  Replica replica_;
  std::vector<AnswerEffect> answers_;
  std::vector<RunLocation> runs_;
  std::optional<RecordNumber> released_;
  std::vector<EntriesLostEffect> lost_;
  int recovered_ = 0;
  int amnesiac_ = 0;
  Life remembered_;
  core::Instant now_;
  uint64_t session_ = 1'000'000;
};

// An Append by `epoch`, alone in its chain from seq 1 on.
inline Append MakeAppend(uint64_t epoch, uint64_t first, uint64_t count, uint64_t committed = 0,
                         uint64_t trimmed = 0) {
  Append append{kTestStream, WriterEpoch(epoch), MakeChain({{epoch, 1}}),
                {},          Seq(committed),     Seq(trimmed)};
  if (count > 0) append.run = MakeRun(first, epoch, count);
  return append;
}

inline Fill MakeFill(uint64_t epoch, uint64_t first, uint64_t run_epoch, uint64_t count) {
  return {kTestStream, WriterEpoch(epoch), MakeRun(first, run_epoch, count)};
}

}  // namespace homeport::quorum_queue
