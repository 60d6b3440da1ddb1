// The encoding half of the codec.
#include "core/codec.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/compression.h"
#include "quorum_queue/wire_parts.h"

namespace homeport::quorum_queue {
namespace {

constexpr size_t kCompressFrom = 512;
// A frame of its own costs more than copying a body this small next to its neighbours.
constexpr size_t kJoinRunBytesMax = 32 << 10;
constexpr size_t kJoinedBytesMax = 512 << 10;

// Writes runs: the header part into frame 0, the body as a frame of its own.
class RunWriter {
 public:
  RunWriter(Frames* frames, bool compress) : frames_(frames), compress_(compress) {}

  void Write(const EntryRun& run, wire::Run::Builder to) {
    WriteRun(run, to);
    SharedBytes body = run.body;
    if (compress_ && body.size() >= kCompressFrom) {
      std::string compressed = Compress(body.view());
      if (compressed.size() < body.size()) {
        body = SharedBytes(std::move(compressed));
        to.setCompressed(true);
      }
    }
    frames_->push_back(std::move(body));
  }
  void Write(const std::vector<EntryRun>& runs, capnp::List<wire::Run>::Builder to) {
    for (uint32_t i = 0; i < runs.size(); ++i) Write(runs[i], to[i]);
  }

 private:
  Frames* frames_;
  bool compress_;
};

bool CanJoin(const EntryRun& joined, uint64_t joined_bytes, const EntryRun& next) {
  return next.epoch == joined.epoch && !joined.empty() && next.first == joined.last() + 1 &&
         next.body.size() <= kJoinRunBytesMax &&
         joined_bytes + next.body.size() <= kJoinedBytesMax &&
         joined.count() + next.count() <= kRunEntriesMax;
}

// Neighbouring small runs of one epoch as one run each; all others as they are.
std::vector<EntryRun> JoinSmallRuns(const std::vector<EntryRun>& runs) {
  std::vector<EntryRun> out;
  out.reserve(runs.size());
  for (size_t i = 0; i < runs.size();) {
    EntryRun joined = runs[i];
    uint64_t bytes = joined.body.size();
    size_t end = i + 1;
    if (bytes <= kJoinRunBytesMax) {
      for (; end < runs.size() && CanJoin(joined, bytes, runs[end]); ++end) {
        joined.sizes.insert(joined.sizes.end(), runs[end].sizes.begin(), runs[end].sizes.end());
        bytes += runs[end].body.size();
      }
    }
    if (end > i + 1) {
      std::string body;
      body.reserve(bytes);
      for (size_t k = i; k < end; ++k) body.append(runs[k].body.view());
      joined.body = SharedBytes(std::move(body));
      joined.checksum = BodyChecksum(joined.body.view());
    }
    out.push_back(std::move(joined));
    i = end;
  }
  return out;
}

// Frame 0 by write(root, run writer), then the bodies.
template <class Write>
Frames EncodeFrames(bool compress, Write&& write) {
  Frames frames(1);
  RunWriter bodies(&frames, compress);
  std::string head = core::Encode<wire::Frame>([&](wire::Frame::Builder root) {
    root.setVersion(kWireVersion);
    write(root, bodies);
  });
  frames[0] = SharedBytes(std::move(head));
  return frames;
}

void WriteRequest(const Fence& fence, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initFence();
  to.setStream(fence.stream.value());
  to.setEpoch(fence.epoch.value());
  to.setAfter(fence.after.value());
}

void WriteRequest(const Fill& fill, wire::Frame::Builder root, RunWriter& bodies) {
  auto to = root.initFill();
  to.setStream(fill.stream.value());
  to.setEpoch(fill.epoch.value());
  bodies.Write(fill.run, to.initRun());
}

void WriteRequest(const Append& append, wire::Frame::Builder root, RunWriter& bodies) {
  auto to = root.initAppend();
  to.setStream(append.stream.value());
  to.setEpoch(append.epoch.value());
  WriteChain(append.chain, to.initChain(static_cast<uint32_t>(append.chain.size())));
  if (!append.run.empty()) bodies.Write(append.run, to.initRun());
  to.setCommitted(append.committed.value());
  to.setTrimmed(append.trimmed.value());
}

void WriteRequest(const Trim& trim, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initTrim();
  to.setStream(trim.stream.value());
  to.setThrough(trim.through.value());
}

void WriteRequest(const Read& read, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initRead();
  to.setStream(read.stream.value());
  to.setSession(read.session);
  to.setFrom(read.from.value());
  to.setReceivedBytes(read.received_bytes);
  to.setCreditBytes(read.credit_bytes);
  to.setCompress(read.compress);
}

void WriteRequest(const Holdings& holdings, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initHoldings();
  to.setStream(holdings.stream.value());
  to.setFrom(holdings.from.value());
}

void WriteRequest(const Recover& recover, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initRecover();
  to.setStream(recover.stream.value());
  to.setEpoch(recover.epoch.value());
  to.setFrom(recover.from.value());
}

void WriteRequest(const Restore& restore, wire::Frame::Builder root, RunWriter& bodies) {
  auto to = root.initRestore();
  to.setStream(restore.stream.value());
  to.setEpoch(restore.epoch.value());
  to.setDisk(restore.disk.value());
  bodies.Write(restore.run, to.initRun());
}

void WriteRequest(const Restored& restored, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initRestored();
  to.setEpoch(restored.epoch.value());
  to.setDisk(restored.disk.value());
  WriteStates(restored.streams, to.initStreams(static_cast<uint32_t>(restored.streams.size())));
}

void WriteLife(const Life& life, wire::Life::Builder to) {
  to.setNumber(life.number);
  to.setRandom(life.random);
}

void WriteRequest(const AskLife& ask, wire::Frame::Builder root, RunWriter&) {
  root.setAskLife();
  root.setNonce(ask.nonce);
}

void WriteRequest(const Admit& admit, wire::Frame::Builder root, RunWriter&) {
  root.setNonce(admit.nonce);
  auto to = root.initAdmit();
  to.setDisk(admit.disk.value());
  WriteLife(admit.life, to.initLife());
  to.setAdmission(static_cast<uint8_t>(admit.admission));
}

void WriteRequest(const StatusRequest& request, wire::Frame::Builder root, RunWriter&) {
  root.setStatus();
  root.setNonce(request.nonce);
}

void WriteAnswer(const FenceAnswer& answer, wire::Frame::Builder root, RunWriter& bodies) {
  auto to = root.initFenceAnswer();
  to.setStream(answer.stream.value());
  to.setEpoch(answer.epoch.value());
  to.setDisk(answer.disk.value());
  WriteChain(answer.chain, to.initChain(static_cast<uint32_t>(answer.chain.size())));
  to.setCommitted(answer.committed.value());
  to.setTrimmed(answer.trimmed.value());
  const auto runs = JoinSmallRuns(answer.runs);
  bodies.Write(runs, to.initRuns(static_cast<uint32_t>(runs.size())));
  to.setAfter(answer.after.value());
  to.setThrough(answer.through.value());
}

void WriteAnswer(const Fenced& fenced, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initFenced();
  to.setStream(fenced.stream.value());
  to.setEpoch(fenced.epoch.value());
  to.setDisk(fenced.disk.value());
  to.setPromised(fenced.promised.value());
}

void WriteAnswer(const Stored& stored, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initStored();
  to.setStream(stored.stream.value());
  to.setEpoch(stored.epoch.value());
  to.setDisk(stored.disk.value());
  to.setFill(stored.fill);
  to.setFirst(stored.first.value());
  to.setCount(stored.count);
  to.setCommitted(stored.committed.value());
}

void WriteAnswer(const Refused& refused, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initRefused();
  to.setStream(refused.stream.value());
  to.setEpoch(refused.epoch.value());
  to.setDisk(refused.disk.value());
  to.setReason(refused.reason.substr(0, kReasonBytesMax).c_str());
}

void WriteAnswer(const ReadAnswer& answer, wire::Frame::Builder root, RunWriter& bodies) {
  auto to = root.initReadAnswer();
  to.setStream(answer.stream.value());
  to.setSession(answer.session);
  to.setDisk(answer.disk.value());
  to.setOutcome(static_cast<uint8_t>(answer.outcome));
  to.setNext(answer.next.value());
  const auto runs = JoinSmallRuns(answer.runs);
  bodies.Write(runs, to.initRuns(static_cast<uint32_t>(runs.size())));
  to.setCommitted(answer.committed.value());
  to.setTrimmed(answer.trimmed.value());
  to.setSentBytes(answer.sent_bytes);
}

void WriteAnswer(const StatusAnswer& answer, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initStatusAnswer();
  to.setDisk(answer.disk.value());
  auto streams = to.initStreams(static_cast<uint32_t>(answer.streams.size()));
  for (uint32_t i = 0; i < answer.streams.size(); ++i) {
    const StreamStatus& stream = answer.streams[i];
    streams[i].setStream(stream.stream.value());
    streams[i].setPromised(stream.promised.value());
    streams[i].setChainEpoch(stream.chain_epoch.value());
    streams[i].setCommitted(stream.committed.value());
    streams[i].setTrimmed(stream.trimmed.value());
    streams[i].setLast(stream.last.value());
    streams[i].setEntries(stream.entries);
  }
  to.setLogBytes(answer.log_bytes);
  to.setDiskFreeBytes(answer.disk_free_bytes);
  to.setFull(answer.full);
  to.setRecovering(answer.recovering);
  to.setNonce(answer.nonce);
  to.setWaiting(!answer.admitted);
  to.setCluster(answer.cluster.c_str());
  to.setIncarnation(answer.incarnation.value());
  to.setReplica(answer.replica);
}

void WriteAnswer(const LifeAnswer& answer, wire::Frame::Builder root, RunWriter&) {
  root.setNonce(answer.nonce);
  auto to = root.initLifeAnswer();
  to.setDisk(answer.disk.value());
  WriteLife(answer.life, to.initLife());
  WriteLife(answer.proposed, to.initProposed());
  to.setAdmitted(answer.admitted);
  to.setRecovering(answer.recovering);
  to.setRecord(answer.record.value());
}

void WriteAnswer(const RecoverAnswer& answer, wire::Frame::Builder root, RunWriter& bodies) {
  auto to = root.initRecoverAnswer();
  to.setStream(answer.stream.value());
  to.setEpoch(answer.epoch.value());
  to.setDisk(answer.disk.value());
  to.setPromised(answer.promised.value());
  WriteChain(answer.chain, to.initChain(static_cast<uint32_t>(answer.chain.size())));
  to.setCommitted(answer.committed.value());
  to.setTrimmed(answer.trimmed.value());
  to.setFrom(answer.from.value());
  to.setThrough(answer.through.value());
  const auto runs = JoinSmallRuns(answer.runs);
  bodies.Write(runs, to.initRuns(static_cast<uint32_t>(runs.size())));
}

void WriteAnswer(const HoldingsAnswer& answer, wire::Frame::Builder root, RunWriter&) {
  auto to = root.initHoldingsAnswer();
  to.setStream(answer.stream.value());
  to.setDisk(answer.disk.value());
  to.setPromised(answer.promised.value());
  to.setChainEpoch(answer.chain_epoch.value());
  to.setCommitted(answer.committed.value());
  to.setTrimmed(answer.trimmed.value());
  to.setFrom(answer.from.value());
  to.setThrough(answer.through.value());
  auto runs = to.initRuns(static_cast<uint32_t>(answer.runs.size()));
  for (uint32_t i = 0; i < answer.runs.size(); ++i) {
    runs[i].setFirst(answer.runs[i].first.value());
    runs[i].setCount(answer.runs[i].count);
    runs[i].setEpoch(answer.runs[i].epoch.value());
    runs[i].setBytes(answer.runs[i].bytes);
  }
}

}  // namespace

Frames EncodeRequest(const ReplicaRequest& request) {
  return EncodeFrames(false, [&](wire::Frame::Builder root, RunWriter& bodies) {
    std::visit([&](const auto& one) { WriteRequest(one, root, bodies); }, request);
  });
}

Frames EncodeAnswer(const ReplicaAnswer& answer, bool compress) {
  return EncodeFrames(compress, [&](wire::Frame::Builder root, RunWriter& bodies) {
    std::visit([&](const auto& one) { WriteAnswer(one, root, bodies); }, answer);
  });
}

Frames EncodeUnsupported() {
  return EncodeFrames(
      false, [&](wire::Frame::Builder root, RunWriter&) { root.setUnsupported(kWireVersion); });
}

}  // namespace homeport::quorum_queue
