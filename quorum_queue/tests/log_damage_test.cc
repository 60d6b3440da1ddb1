// What is left of a replica after bits of its log flipped: any single one, at any place.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/log_record.h"
#include "quorum_queue/replica.h"
#include "quorum_queue/segment_log.h"
#include "quorum_queue/segment_recovery.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::quorum_queue {
namespace {

constexpr uint64_t kSegmentBytes = 160 << 10;
const StreamId kOther(core::Incarnation(3), core::ShardId(5));
const StreamId kQuiet(core::Incarnation(3), core::ShardId(6));
const StreamId kBusy(core::Incarnation(3), core::ShardId(7));

// Everything a replica knows of one stream; payloads as they stand on disk.
struct StreamState {
  WriterEpoch promised;
  Chain chain;
  Seq committed;
  Seq trimmed;
  std::map<uint64_t, std::pair<uint64_t, std::string>> entries;  // by seq: epoch, payload
  bool SameScalars(const StreamState& other) const {
    return promised == other.promised && chain == other.chain && committed == other.committed &&
           trimmed == other.trimmed;
  }
  bool operator==(const StreamState&) const = default;
};
using State = std::map<StreamId, StreamState>;

// A replica with its log on disk, without socket and threads: its machine, and what it knows as
// far as anyone can ask for it.
class DiskReplica {
 public:
  explicit DiskReplica(std::string dir) : dir_(std::move(dir)) {}

  core::Status Open() {
    SegmentLogOptions options;
    options.dir = dir_;
    options.segment_bytes = kSegmentBytes;
    options.record_bytes_max = 8 << 10;
    options.prepared_segments = 1;
    options.cache_bytes = 0;
    Begin();
    ASSIGN_OR_RETURN(log_, SegmentLog::Open(options, Replay(), &report_));
    if (!replica_->knows_promises()) return core::Status::Corrupt("a promise may be lost");
    replica_->FinishReplay(log_->next());
    return {};
  }
  // The same without the files made ahead, and without anything but replay: of all records, or of
  // the first few.
  core::Status Recover(uint64_t records_max = 1000000) {
    Begin();
    LogReplay replay = Replay();
    replay.record = [&](RecordNumber record, std::string_view header, uint64_t body_size) {
      if (record.value() > records_max) return core::Status();
      return replica_->Replay(record, header, body_size);
    };
    ASSIGN_OR_RETURN(RecoveredLog log, RecoverLog(dir_, kSegmentBytes, replay, &report_));
    if (!replica_->knows_promises()) return core::Status::Corrupt("a promise may be lost");
    replica_->FinishReplay(RecordNumber(std::min(log.next_record, records_max + 1)));
    for (const RecoveredSegment& segment : log.segments) {
      segments_.push_back(
          {segment.header.first_record, segment.offsets.All(), ReadBytes(segment.path)});
    }
    return {};
  }

  void Send(ReplicaRequest request) { Step(RequestReceived{ReplicaPeer(1), std::move(request)}); }
  void Step(ReplicaEvent event) {
    std::vector<ReplicaEffect> effects;
    replica_->Step({}, std::move(event), &effects);
    for (ReplicaEffect& effect : effects) {
      if (auto* record = std::get_if<LogRecordEffect>(&effect)) {
        log_->Append(std::move(record->header), std::move(record->body), record->body_checksum);
      } else if (auto* answer = std::get_if<AnswerEffect>(&effect)) {
        answers_.push_back(std::move(*answer));
      } else if (const auto* release = std::get_if<ReleaseEffect>(&effect)) {
        log_->Release(release->record);
      }
    }
  }
  void Sync() {
    log_->Sync();
    Step(Persisted{log_->next() - 1});
  }
  void NextSegment() {
    Sync();
    ASSERT_TRUE(log_->StartSegment().ok());
    Step(SegmentStarted{});
    Sync();
  }
  void Close() { log_.reset(); }

  // Asks the machine, and reads what it says it has from the log. No Fence is answered of a stream
  // in doubt; `fences` tells which were. Wrong bytes fail the test.
  State Observe(std::map<StreamId, bool>* fences) {
    State state;
    for (const StreamStatus& status : replica_->Status().streams) {
      StreamState& stream = state[status.stream];
      stream.promised = status.promised;
      stream.committed = status.committed;
      stream.trimmed = status.trimmed;
      answers_.clear();
      Send(Fence{status.stream, status.promised});
      (*fences)[status.stream] = !answers_.empty();
      for (const AnswerEffect& answer : std::exchange(answers_, {})) {
        stream.chain = std::get<FenceAnswer>(answer.answer).chain;
        AddRuns(answer, &stream);
      }
      for (uint64_t seq = status.trimmed.value() + 1; seq <= status.committed.value(); ++seq) {
        Send(Read{status.stream, ++session_, Seq(seq), 0, 1, false});
        for (const AnswerEffect& answer : std::exchange(answers_, {})) AddRuns(answer, &stream);
      }
    }
    return state;
  }
  const Replica& replica() const { return *replica_; }
  const RecoveryReport& report() const { return report_; }
  RecordNumber next() const { return log_->next(); }
  uint64_t log_bytes() const { return log_->bytes(); }

 private:
  struct Bytes {
    uint64_t first_record;
    std::vector<uint32_t> offsets;
    std::string bytes;
  };

  void Begin() {
    log_.reset();
    report_ = {};
    answers_.clear();
    segments_.clear();
    ReplicaOptions options;
    options.disk = DiskId(7);
    replica_ = std::make_unique<Replica>(options);
  }
  LogReplay Replay() {
    LogReplay replay;
    replay.record = [this](RecordNumber record, std::string_view header, uint64_t body_size) {
      return replica_->Replay(record, header, body_size);
    };
    replay.without_body = [this](RecordNumber record, std::string_view header, uint64_t body_size) {
      return replica_->ReplayWithoutBody(record, header, body_size);
    };
    replay.lost = [this](RecordNumber first, RecordNumber last) {
      return replica_->ReplayLost(first, last);
    };
    return replay;
  }
  void AddRuns(const AnswerEffect& answer, StreamState* stream) {
    for (const RunLocation& location : answer.runs) {
      std::string header;
      SharedBytes body;
      Load(location.record, &header, &body);
      const auto run = RunOfRecord(header, body);
      ASSERT_TRUE(run.ok()) << run.status();
      const EntryRun part = SliceRun(*run, location.first, location.count);
      uint64_t at = 0;
      for (uint64_t i = 0; i < part.count(); ++i) {
        stream->entries[part.first.value() + i] = {
            part.epoch.value(), std::string(part.body.view().substr(at, part.sizes[i]))};
        at += part.sizes[i];
      }
    }
  }
  void Load(RecordNumber record, std::string* header, SharedBytes* body) {
    if (log_ != nullptr) {
      const core::Status loaded = log_->Load(record, header, body);
      ASSERT_TRUE(loaded.ok()) << loaded;
      return;
    }
    for (const Bytes& segment : segments_) {
      const uint64_t i = record.value() - segment.first_record;
      if (record.value() < segment.first_record || i >= segment.offsets.size()) continue;
      const RecordFrame frame = FrameAt(segment.bytes, segment.offsets[i]);
      const uint64_t begin = segment.offsets[i] + kFrameBytes;
      *header = segment.bytes.substr(begin, frame.header_size);
      *body = SharedBytes(segment.bytes.substr(begin + frame.header_size, frame.body_size));
    }
  }

  const std::string dir_;
  std::unique_ptr<SegmentLog> log_;
  std::unique_ptr<Replica> replica_;
  RecoveryReport report_;
  std::vector<AnswerEffect> answers_;
  std::vector<Bytes> segments_;
  uint64_t session_ = 100;
};

EntryRun Entries(uint64_t first, uint64_t epoch, uint64_t count) {
  EntryRun run = MakeRun(first, epoch, count);
  std::string body;
  run.sizes.clear();
  for (uint64_t i = 0; i < count; ++i) {
    const std::string payload = "seq " + std::to_string(first + i) + " of " + std::to_string(epoch);
    run.sizes.push_back(static_cast<uint32_t>(payload.size()));
    body += payload;
  }
  run.checksum = BodyChecksum(body);
  run.body = SharedBytes(std::move(body));
  return run;
}
Append News(StreamId stream, const Chain& chain, uint64_t committed, uint64_t trimmed = 0) {
  return {stream, chain.back().epoch, chain, {}, Seq(committed), Seq(trimmed)};
}
Append Batch(StreamId stream, const Chain& chain, uint64_t first, uint64_t count,
             uint64_t committed) {
  Append append = News(stream, chain, committed);
  append.run = Entries(first, append.epoch.value(), count);
  return append;
}

// A life of four streams: batches, a takeover with fills, dropped tails, a trim; in each segment
// and over their ends. Returns the records that later ones know to have been on disk, and all.
std::pair<uint64_t, uint64_t> Live(DiskReplica* replica) {
  const auto send = [&](const ReplicaRequest& request) { replica->Send(request); };
  const Chain a = MakeChain({{5, 1}});
  const Chain b = MakeChain({{5, 1}, {9, 8}});
  const Chain c = MakeChain({{5, 1}, {9, 8}, {12, 15}});
  EXPECT_TRUE(replica->Open().ok());
  replica->Step(SegmentStarted{});
  send(Fence{kTestStream, WriterEpoch(5)});
  send(Batch(kTestStream, a, 1, 3, 0));
  replica->Sync();
  send(Batch(kTestStream, a, 4, 4, 3));
  send(Batch(kOther, a, 1, 2, 0));
  replica->Sync();
  send(Batch(kTestStream, a, 8, 4, 5));  // never committed: 8 .. 11
  send(Batch(kQuiet, a, 1, 4, 1));       // never committed: 2 .. 4
  replica->NextSegment();
  send(Fence{kTestStream, WriterEpoch(9)});
  send(Fill{kTestStream, WriterEpoch(9), Entries(6, 5, 2)});
  send(News(kTestStream, b, 5));  // drops 8 .. 11 of epoch 5
  send(Batch(kTestStream, b, 8, 3, 7));
  replica->Sync();
  send(Batch(kOther, a, 3, 5, 2));
  send(Batch(kTestStream, b, 11, 4, 10));
  replica->NextSegment();
  send(News(kOther, a, 6, 2));
  replica->Sync();
  send(Fence{kTestStream, WriterEpoch(12)});
  send(Batch(kTestStream, c, 15, 2, 14));
  send(Batch(kBusy, a, 1, 3, 2));  // not yet: 3
  replica->Sync();
  const uint64_t vouched = replica->next().value() - 1;
  send(Batch(kTestStream, c, 17, 2, 16));
  send(Batch(kOther, a, 8, 1, 7));
  replica->Sync();
  const uint64_t all = replica->next().value() - 1;
  replica->Close();
  return {vouched, all};
}

// Whether `now` is `before` without some entries, of which those above committed are in doubt.
testing::AssertionResult IsOnlyLess(const State& now, const State& before,
                                    const std::map<StreamId, bool>& fences, uint64_t* lost) {
  if (now.size() != before.size()) return testing::AssertionFailure() << "a stream is gone";
  for (const auto& [id, was] : before) {
    const StreamState& is = now.at(id);
    const bool answered = fences.at(id);
    StreamState chained = is;
    if (!answered) chained.chain = was.chain;  // it was in the answer
    if (!chained.SameScalars(was)) {
      return testing::AssertionFailure() << "promise, chain, committed or trimmed differ";
    }
    for (const auto& [seq, entry] : is.entries) {
      const auto had = was.entries.find(seq);
      if (had == was.entries.end() || had->second != entry) {
        return testing::AssertionFailure() << "another entry at " << seq;
      }
    }
    for (const auto& [seq, entry] : was.entries) {
      if (is.entries.contains(seq)) continue;
      ++*lost;
      if (seq > was.committed.value() && answered) {
        return testing::AssertionFailure() << "a fence was answered without " << seq;
      }
    }
  }
  return testing::AssertionSuccess();
}

TEST(LogDamageTest, AnyFlippedBitIsFoundAndNothingIsForgottenSilently) {
  TempDir dir;
  DiskReplica intact(dir.path());
  const auto [vouched, all] = Live(&intact);
  std::map<StreamId, bool> fences;
  std::vector<State> states;  // that the log's end may be cut to; last: of all of it
  for (uint64_t n = vouched; n <= all; ++n) {
    ASSERT_TRUE(intact.Recover(n).ok());
    states.push_back(intact.Observe(&fences));
  }
  std::map<std::string, std::string> files;
  for (const auto& file : std::filesystem::directory_iterator(dir.path())) {
    const std::string name = file.path().filename();
    if (name.starts_with("segment-")) files[name] = ReadBytes(file.path());
  }
  ASSERT_EQ(files.size(), 3u);

  uint64_t same = 0, lost_some = 0, refused = 0, cut = 0, doubtful = 0;
  TempDir copy;
  for (const auto& [name, bytes] : files) WriteBytes(copy.path() + "/" + name, bytes);
  for (const auto& [name, bytes] : files) {
    const size_t used = bytes.find_last_not_of('\0') + 1;
    for (size_t at = 0; at < used; ++at) {
      if (at >= 128 && at < kSegmentHeaderBytes) continue;  // zeros after the head
      SCOPED_TRACE(name + " byte " + std::to_string(at));
      std::string flipped = bytes;
      flipped[at] ^= static_cast<char>(1 << (at * 7 + at / 8) % 8);
      WriteBytes(copy.path() + "/" + name, flipped);
      DiskReplica replica(copy.path());
      const core::Status opened = replica.Recover();
      // A tail that was cut changes the last file.
      WriteBytes(copy.path() + "/" + files.rbegin()->first, files.rbegin()->second);
      WriteBytes(copy.path() + "/" + name, bytes);
      if (!opened.ok()) {
        EXPECT_EQ(opened.code(), core::Code::kCorrupt);
        EXPECT_FALSE(replica.report().corrupt.empty());
        EXPECT_EQ(name, files.rbegin()->first) << "a checkpoint follows: no promise can be lost";
        ++refused;
        continue;
      }
      const State now = replica.Observe(&fences);
      uint64_t lost = 0;
      const auto less = IsOnlyLess(now, states.back(), fences, &lost);
      if (less) {
        EXPECT_TRUE(lost == 0 || !replica.report().corrupt.empty()) << "lost, and not told";
        ++(lost == 0 ? same : lost_some);
        doubtful += replica.replica().doubtful_streams();
        continue;
      }
      // The exception: the last batch, of which no later record knows that it was on disk.
      ASSERT_NE(std::find(states.begin(), states.end(), now), states.end()) << less.message();
      ++cut;
    }
  }
  // Each of the outcomes is met.
  EXPECT_GT(same, 100u);
  EXPECT_GT(lost_some, 100u);
  EXPECT_GT(refused, 100u);
  EXPECT_GT(cut, 100u);
  EXPECT_GT(doubtful, 100u);
}

}  // namespace
}  // namespace homeport::quorum_queue
