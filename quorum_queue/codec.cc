// The decoding half of the codec, and what one can do with a run.
#include "quorum_queue/codec.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "core/codec.h"
#include "quorum_queue/compression.h"
#include "quorum_queue/wire_parts.h"

namespace homeport::quorum_queue {
namespace {

using core::Result;
using core::Status;

// Reads runs, taking one frame for each, within the limits of a message.
class RunReader {
 public:
  explicit RunReader(const Frames& frames) : frames_(frames) {}

  Result<EntryRun> Next(wire::Run::Reader from) {
    if (next_ >= frames_.size()) return Status::BadRequest("fewer frames than runs");
    const SharedBytes& frame = frames_[next_++];
    ASSIGN_OR_RETURN(EntryRun run, ReadRun(from));
    const uint64_t bytes = SumOfSizes(run);
    entries_ += run.count();
    bytes_ += bytes;
    if (entries_ > kRunEntriesMax) return Status::BadRequest("too many entries in one message");
    if (bytes_ > kFrameBytesMax) {
      return Status::TooLarge(kFrameBytesMax,
                              fmt::format("message with {} bytes of payloads", bytes_));
    }
    if (from.getCompressed()) {
      ASSIGN_OR_RETURN(std::string body, Decompress(frame.view(), bytes));
      run.body = SharedBytes(std::move(body));
    } else {
      run.body = frame;
    }
    if (run.body.size() != bytes) {
      return Status::BadRequest(
          fmt::format("body of {} bytes, its sizes add up to {}", run.body.size(), bytes));
    }
    if (BodyChecksum(run.body.view()) != run.checksum) {
      return Status::Corrupt(
          fmt::format("checksum of the run from seq {} does not hold", run.first.value()));
    }
    return run;
  }

  // Non-empty and ascending. `contiguous`: without holes.
  Result<std::vector<EntryRun>> All(capnp::List<wire::Run>::Reader from, bool contiguous) {
    if (from.size() > kRunsMax) {
      return Status::BadRequest(fmt::format("{} runs, at most {}", from.size(), kRunsMax));
    }
    std::vector<EntryRun> runs;
    runs.reserve(from.size());
    for (const auto one : from) {
      ASSIGN_OR_RETURN(EntryRun run, Next(one));
      if (run.empty()) return Status::BadRequest("a run without entries");
      if (!runs.empty() && (run.first <= runs.back().last() ||
                            (contiguous && run.first != runs.back().last() + 1))) {
        return Status::BadRequest("runs are out of order");
      }
      runs.push_back(std::move(run));
    }
    return runs;
  }

  bool done() const { return next_ == frames_.size(); }

 private:
  const Frames& frames_;
  size_t next_ = 1;
  uint64_t entries_ = 0;
  uint64_t bytes_ = 0;
};

Result<Fence> ReadFence(wire::Fence::Reader from) {
  Fence fence;
  ASSIGN_OR_RETURN(fence.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(fence.epoch, ReadEpoch(from.getEpoch()));
  ASSIGN_OR_RETURN(fence.after, ReadSeq(from.getAfter()));
  return fence;
}

Result<Fill> ReadFill(wire::Fill::Reader from, RunReader& bodies) {
  Fill fill;
  ASSIGN_OR_RETURN(fill.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(fill.epoch, ReadEpoch(from.getEpoch()));
  ASSIGN_OR_RETURN(fill.run, bodies.Next(from.getRun()));
  return fill;
}

Result<Append> ReadAppend(wire::Append::Reader from, RunReader& bodies) {
  Append append;
  ASSIGN_OR_RETURN(append.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(append.epoch, ReadEpoch(from.getEpoch()));
  ASSIGN_OR_RETURN(append.chain, ReadChain(from.getChain()));
  if (from.hasRun()) {
    ASSIGN_OR_RETURN(append.run, bodies.Next(from.getRun()));
  }
  ASSIGN_OR_RETURN(append.committed, ReadSeq(from.getCommitted()));
  ASSIGN_OR_RETURN(append.trimmed, ReadSeq(from.getTrimmed()));
  return append;
}

Result<Trim> ReadTrim(wire::Trim::Reader from) {
  Trim trim;
  ASSIGN_OR_RETURN(trim.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(trim.through, ReadSeq(from.getThrough()));
  return trim;
}

Result<Read> ReadRead(wire::Read::Reader from) {
  Read read;
  ASSIGN_OR_RETURN(read.stream, ReadStream(from.getStream()));
  read.session = from.getSession();
  ASSIGN_OR_RETURN(read.from, ReadSeq(from.getFrom()));
  if (read.from == Seq(0)) return Status::BadRequest("a read from seq 0; the first is 1");
  read.received_bytes = from.getReceivedBytes();
  read.credit_bytes = from.getCreditBytes();
  read.compress = from.getCompress();
  return read;
}

Result<Holdings> ReadHoldings(wire::Holdings::Reader from) {
  Holdings holdings;
  ASSIGN_OR_RETURN(holdings.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(holdings.from, ReadSeq(from.getFrom()));
  if (holdings.from == Seq(0)) return Status::BadRequest("holdings from seq 0; the first is 1");
  return holdings;
}

Result<Recover> ReadRecover(wire::Recover::Reader from) {
  Recover recover;
  ASSIGN_OR_RETURN(recover.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(recover.epoch, ReadEpoch(from.getEpoch()));
  ASSIGN_OR_RETURN(recover.from, ReadSeq(from.getFrom()));
  if (recover.from == Seq(0)) return Status::BadRequest("a recovery from seq 0; the first is 1");
  return recover;
}

Result<Restore> ReadRestore(wire::Restore::Reader from, RunReader& bodies) {
  Restore restore;
  ASSIGN_OR_RETURN(restore.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(restore.epoch, ReadEpoch(from.getEpoch()));
  restore.disk = DiskId(from.getDisk());
  ASSIGN_OR_RETURN(restore.run, bodies.Next(from.getRun()));
  if (restore.run.empty()) return Status::BadRequest("a run without entries");
  return restore;
}

Result<Restored> ReadRestored(wire::Restored::Reader from) {
  Restored restored;
  ASSIGN_OR_RETURN(restored.epoch, ReadEpoch(from.getEpoch()));
  restored.disk = DiskId(from.getDisk());
  ASSIGN_OR_RETURN(restored.streams, ReadStates(from.getStreams()));
  StreamId before;
  for (const StreamCheckpoint& one : restored.streams) {
    if (one.stream <= before && &one != &restored.streams.front()) {
      return Status::BadRequest("streams are out of order");
    }
    before = one.stream;
    if (one.promised < restored.epoch || one.promised < LastEpoch(one.chain) ||
        one.trimmed > one.committed || one.last != Seq(0) || one.doubtful != Seq(0)) {
      return Status::BadRequest("a stream's state contradicts itself");
    }
  }
  return restored;
}

Result<RecoverAnswer> ReadRecoverAnswer(wire::RecoverAnswer::Reader from, RunReader& bodies) {
  RecoverAnswer answer;
  ASSIGN_OR_RETURN(answer.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(answer.epoch, ReadEpoch(from.getEpoch()));
  answer.disk = DiskId(from.getDisk());
  ASSIGN_OR_RETURN(answer.promised, ReadEpoch(from.getPromised()));
  ASSIGN_OR_RETURN(answer.chain, ReadChain(from.getChain()));
  ASSIGN_OR_RETURN(answer.committed, ReadSeq(from.getCommitted()));
  ASSIGN_OR_RETURN(answer.trimmed, ReadSeq(from.getTrimmed()));
  ASSIGN_OR_RETURN(answer.from, ReadSeq(from.getFrom()));
  ASSIGN_OR_RETURN(answer.through, ReadSeq(from.getThrough()));
  ASSIGN_OR_RETURN(answer.runs, bodies.All(from.getRuns(), false));
  if (answer.promised < answer.epoch || answer.promised < LastEpoch(answer.chain) ||
      answer.trimmed > answer.committed || answer.through < answer.from) {
    return Status::BadRequest("a recover answer contradicts itself");
  }
  if (!answer.runs.empty() &&
      (answer.runs.front().first < answer.from || answer.runs.back().last() > answer.through)) {
    return Status::BadRequest("runs of a recover answer are not what it says");
  }
  return answer;
}

Result<FenceAnswer> ReadFenceAnswer(wire::FenceAnswer::Reader from, RunReader& bodies) {
  FenceAnswer answer;
  ASSIGN_OR_RETURN(answer.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(answer.epoch, ReadEpoch(from.getEpoch()));
  answer.disk = DiskId(from.getDisk());
  ASSIGN_OR_RETURN(answer.chain, ReadChain(from.getChain()));
  ASSIGN_OR_RETURN(answer.committed, ReadSeq(from.getCommitted()));
  ASSIGN_OR_RETURN(answer.trimmed, ReadSeq(from.getTrimmed()));
  ASSIGN_OR_RETURN(answer.runs, bodies.All(from.getRuns(), false));
  ASSIGN_OR_RETURN(answer.after, ReadSeq(from.getAfter()));
  ASSIGN_OR_RETURN(answer.through, ReadSeq(from.getThrough()));
  if (!answer.runs.empty() && answer.runs.front().first <= answer.after) {
    return Status::BadRequest("a page of a fence answer begins before it was asked to");
  }
  // So a writer that asks for page after page comes to an end.
  if (!answer.is_last_page() &&
      (answer.runs.empty() || answer.runs.back().last() != answer.through)) {
    return Status::BadRequest("a page of a fence answer does not end where it says");
  }
  return answer;
}

Result<Fenced> ReadFenced(wire::Fenced::Reader from) {
  Fenced fenced;
  ASSIGN_OR_RETURN(fenced.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(fenced.epoch, ReadEpoch(from.getEpoch()));
  fenced.disk = DiskId(from.getDisk());
  ASSIGN_OR_RETURN(fenced.promised, ReadEpoch(from.getPromised()));
  return fenced;
}

Result<Stored> ReadStored(wire::Stored::Reader from) {
  Stored stored;
  ASSIGN_OR_RETURN(stored.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(stored.epoch, ReadEpoch(from.getEpoch()));
  stored.disk = DiskId(from.getDisk());
  stored.fill = from.getFill();
  ASSIGN_OR_RETURN(stored.first, ReadSeq(from.getFirst()));
  stored.count = from.getCount();
  // Coalesced over many messages, so more than one run's entries.
  if (stored.count > kSeqMax.value())
    return Status::BadRequest("more entries stored than there can be");
  ASSIGN_OR_RETURN(stored.committed, ReadSeq(from.getCommitted()));
  return stored;
}

Result<Refused> ReadRefused(wire::Refused::Reader from) {
  Refused refused;
  ASSIGN_OR_RETURN(refused.stream, ReadStream(from.getStream()));
  ASSIGN_OR_RETURN(refused.epoch, ReadEpoch(from.getEpoch()));
  refused.disk = DiskId(from.getDisk());
  refused.reason = core::View(from.getReason()).substr(0, kReasonBytesMax);
  return refused;
}

Result<ReadAnswer> ReadReadAnswer(wire::ReadAnswer::Reader from, RunReader& bodies) {
  ReadAnswer answer;
  ASSIGN_OR_RETURN(answer.stream, ReadStream(from.getStream()));
  answer.session = from.getSession();
  answer.disk = DiskId(from.getDisk());
  if (from.getOutcome() > static_cast<uint8_t>(ReadOutcome::kTrimmed)) {
    return Status::BadRequest(fmt::format("unknown outcome {} of a read", from.getOutcome()));
  }
  answer.outcome = static_cast<ReadOutcome>(from.getOutcome());
  ASSIGN_OR_RETURN(answer.next, ReadSeq(from.getNext()));
  ASSIGN_OR_RETURN(answer.runs, bodies.All(from.getRuns(), true));
  ASSIGN_OR_RETURN(answer.committed, ReadSeq(from.getCommitted()));
  ASSIGN_OR_RETURN(answer.trimmed, ReadSeq(from.getTrimmed()));
  answer.sent_bytes = from.getSentBytes();
  if ((answer.outcome == ReadOutcome::kData) == answer.runs.empty()) {
    return Status::BadRequest("outcome of a read and its runs do not match");
  }
  if (!answer.runs.empty() &&
      (answer.runs.front().first != answer.next || answer.runs.back().last() > answer.committed ||
       answer.next <= answer.trimmed)) {
    return Status::BadRequest("runs of a read answer are not what it says");
  }
  return answer;
}

Result<StatusAnswer> ReadStatusAnswer(wire::StatusAnswer::Reader from) {
  StatusAnswer answer;
  answer.disk = DiskId(from.getDisk());
  if (from.getStreams().size() > kStreamsMax) return Status::BadRequest("too many streams");
  for (const auto one : from.getStreams()) {
    StreamStatus& stream = answer.streams.emplace_back();
    ASSIGN_OR_RETURN(stream.stream, ReadStream(one.getStream()));
    stream.promised = WriterEpoch(one.getPromised());
    stream.chain_epoch = WriterEpoch(one.getChainEpoch());
    ASSIGN_OR_RETURN(stream.committed, ReadSeq(one.getCommitted()));
    ASSIGN_OR_RETURN(stream.trimmed, ReadSeq(one.getTrimmed()));
    stream.last = Seq(one.getLast());
    stream.entries = one.getEntries();
  }
  answer.log_bytes = from.getLogBytes();
  answer.disk_free_bytes = from.getDiskFreeBytes();
  answer.full = from.getFull();
  answer.recovering = from.getRecovering();
  answer.nonce = from.getNonce();
  answer.admitted = !from.getWaiting();
  answer.cluster = core::View(from.getCluster());
  answer.incarnation = core::Incarnation(from.getIncarnation());
  answer.replica = from.getReplica();
  return answer;
}

Life ReadLife(wire::Life::Reader from) {
  return {from.getNumber(), from.getRandom()};
}

Result<Admit> ReadAdmit(wire::Frame::Reader root) {
  const auto from = root.getAdmit();
  if (from.getAdmission() > static_cast<uint8_t>(Admission::kAmnesiac)) {
    return Status::BadRequest(fmt::format("unknown admission {}", from.getAdmission()));
  }
  return Admit{root.getNonce(), DiskId(from.getDisk()), ReadLife(from.getLife()),
               static_cast<Admission>(from.getAdmission())};
}

LifeAnswer ReadLifeAnswer(wire::Frame::Reader root) {
  const auto from = root.getLifeAnswer();
  return {.disk = DiskId(from.getDisk()),
          .nonce = root.getNonce(),
          .life = ReadLife(from.getLife()),
          .proposed = ReadLife(from.getProposed()),
          .admitted = from.getAdmitted(),
          .recovering = from.getRecovering(),
          .record = RecordNumber(from.getRecord())};
}

Result<RunInfo> ReadHeldRun(wire::HeldRun::Reader from) {
  RunInfo run;
  ASSIGN_OR_RETURN(run.first, ReadSeq(from.getFirst()));
  ASSIGN_OR_RETURN(run.epoch, ReadEpoch(from.getEpoch()));
  run.count = from.getCount();
  run.bytes = from.getBytes();
  if (run.first == Seq(0) || run.count == 0 || run.count > kSeqMax - run.first) {
    return Status::BadRequest("a held run is out of range");
  }
  return run;
}

Result<HoldingsAnswer> ReadHoldingsAnswer(wire::HoldingsAnswer::Reader from) {
  HoldingsAnswer answer;
  ASSIGN_OR_RETURN(answer.stream, ReadStream(from.getStream()));
  answer.disk = DiskId(from.getDisk());
  answer.promised = WriterEpoch(from.getPromised());
  answer.chain_epoch = WriterEpoch(from.getChainEpoch());
  ASSIGN_OR_RETURN(answer.committed, ReadSeq(from.getCommitted()));
  ASSIGN_OR_RETURN(answer.trimmed, ReadSeq(from.getTrimmed()));
  ASSIGN_OR_RETURN(answer.from, ReadSeq(from.getFrom()));
  ASSIGN_OR_RETURN(answer.through, ReadSeq(from.getThrough()));
  if (from.getRuns().size() > kHoldingsRunsMax) {
    return Status::BadRequest(
        fmt::format("{} held runs, at most {}", from.getRuns().size(), kHoldingsRunsMax));
  }
  Seq end = answer.from;  // what comes next begins here or later
  for (const auto one : from.getRuns()) {
    ASSIGN_OR_RETURN(const RunInfo run, ReadHeldRun(one));
    if (run.first < end || run.last() > answer.through) {
      return Status::BadRequest("held runs are not what the answer says");
    }
    end = run.last() + 1;
    answer.runs.push_back(run);
  }
  if (answer.through < answer.from) return Status::BadRequest("an answer about nothing");
  return answer;
}

// The same failure or the same value, as one of a variant.
template <class Message, class One>
Result<Message> As(Result<One> one) {
  if (!one.ok()) return one.status();
  return Message(std::move(one).value());
}

Result<ReplicaRequest> ReadRequest(wire::Frame::Reader root, RunReader& bodies) {
  switch (root.which()) {
    case wire::Frame::FENCE:
      return As<ReplicaRequest>(ReadFence(root.getFence()));
    case wire::Frame::FILL:
      return As<ReplicaRequest>(ReadFill(root.getFill(), bodies));
    case wire::Frame::APPEND:
      return As<ReplicaRequest>(ReadAppend(root.getAppend(), bodies));
    case wire::Frame::TRIM:
      return As<ReplicaRequest>(ReadTrim(root.getTrim()));
    case wire::Frame::READ:
      return As<ReplicaRequest>(ReadRead(root.getRead()));
    case wire::Frame::STATUS:
      return ReplicaRequest(StatusRequest{root.getNonce()});
    case wire::Frame::HOLDINGS:
      return As<ReplicaRequest>(ReadHoldings(root.getHoldings()));
    case wire::Frame::RECOVER:
      return As<ReplicaRequest>(ReadRecover(root.getRecover()));
    case wire::Frame::RESTORE:
      return As<ReplicaRequest>(ReadRestore(root.getRestore(), bodies));
    case wire::Frame::RESTORED:
      return As<ReplicaRequest>(ReadRestored(root.getRestored()));
    case wire::Frame::ASK_LIFE:
      return ReplicaRequest(AskLife{root.getNonce()});
    case wire::Frame::ADMIT:
      return As<ReplicaRequest>(ReadAdmit(root));
    default:
      return Status::BadRequest("not a request that a replica knows");
  }
}

Result<ReplicaAnswer> ReadAnswerOf(wire::Frame::Reader root, RunReader& bodies) {
  switch (root.which()) {
    case wire::Frame::FENCE_ANSWER:
      return As<ReplicaAnswer>(ReadFenceAnswer(root.getFenceAnswer(), bodies));
    case wire::Frame::FENCED:
      return As<ReplicaAnswer>(ReadFenced(root.getFenced()));
    case wire::Frame::STORED:
      return As<ReplicaAnswer>(ReadStored(root.getStored()));
    case wire::Frame::REFUSED:
      return As<ReplicaAnswer>(ReadRefused(root.getRefused()));
    case wire::Frame::READ_ANSWER:
      return As<ReplicaAnswer>(ReadReadAnswer(root.getReadAnswer(), bodies));
    case wire::Frame::STATUS_ANSWER:
      return As<ReplicaAnswer>(ReadStatusAnswer(root.getStatusAnswer()));
    case wire::Frame::HOLDINGS_ANSWER:
      return As<ReplicaAnswer>(ReadHoldingsAnswer(root.getHoldingsAnswer()));
    case wire::Frame::RECOVER_ANSWER:
      return As<ReplicaAnswer>(ReadRecoverAnswer(root.getRecoverAnswer(), bodies));
    case wire::Frame::LIFE_ANSWER:
      return ReplicaAnswer(ReadLifeAnswer(root));
    default:
      return Status::BadRequest("not an answer of a replica");
  }
}

Status CheckVersion(wire::Frame::Reader root) {
  if (root.isUnsupported()) {
    return Status::BadRequest(fmt::format(
        "the peer does not speak version {} of the queue protocol, it speaks {}; run the same "
        "version of homeportd everywhere",
        kWireVersion, root.getUnsupported()));
  }
  if (root.getVersion() != kWireVersion) {
    return Status::BadRequest(
        fmt::format("version {} of the queue protocol; this program speaks {}", root.getVersion(),
                    kWireVersion));
  }
  return Status::Ok();
}

template <class Message, class Read>
Result<Message> DecodeFrames(const Frames& frames, Read&& read) {
  if (frames.empty()) return Status::BadRequest("a message without frames");
  if (frames[0].size() > kFrameBytesMax) {
    return Status::TooLarge(kFrameBytesMax, fmt::format("a head of {} bytes", frames[0].size()));
  }
  Result<Message> message = Status::BadRequest("not read");
  const auto read_head = [&](wire::Frame::Reader root) -> Status {
    RETURN_IF_ERROR(CheckVersion(root));
    RunReader bodies(frames);
    message = read(root, bodies);
    if (message.ok() && !bodies.done()) return Status::BadRequest("more frames than runs");
    return message.status();
  };
  const Status status = core::Decode<wire::Frame>(frames[0].view(), read_head);
  if (!status.ok()) return status;
  return message;
}

}  // namespace

Result<ReplicaRequest> DecodeRequest(const Frames& frames) {
  return DecodeFrames<ReplicaRequest>(frames, ReadRequest);
}

Result<ReplicaAnswer> DecodeAnswer(const Frames& frames) {
  return DecodeFrames<ReplicaAnswer>(frames, ReadAnswerOf);
}

bool IsOfUnknownVersion(const Frames& frames) {
  bool unknown = false;
  if (frames.empty()) return false;
  const Status status = core::Decode<wire::Frame>(frames[0].view(), [&](wire::Frame::Reader root) {
    unknown = root.getVersion() != kWireVersion && !root.isUnsupported();
    return Status::Ok();
  });
  return status.ok() && unknown;
}

std::vector<std::string_view> Payloads(const EntryRun& run) {
  CHECK(SumOfSizes(run) == run.body.size(), "a run's body fits its sizes", run.first,
        run.body.size());
  std::vector<std::string_view> payloads;
  payloads.reserve(run.sizes.size());
  std::string_view rest = run.body.view();
  for (const uint32_t size : run.sizes) {
    payloads.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  return payloads;
}

uint64_t BodyChecksum(std::string_view body) {
  return XXH3_64bits(body.data(), body.size());
}

EntryRun SliceRun(const EntryRun& run, Seq first, uint64_t count) {
  CHECK(first >= run.first && first - run.first <= run.count() &&
            count <= run.count() - (first - run.first),
        "a slice lies within its run", run.first, run.count(), first, count);
  CHECK(SumOfSizes(run) == run.body.size(), "a run's body fits its sizes", run.first,
        run.body.size());
  if (count == run.count()) return run;
  EntryRun slice;
  slice.first = first;
  slice.epoch = run.epoch;
  const auto begin = run.sizes.begin() + static_cast<ptrdiff_t>(first - run.first);
  slice.sizes.assign(begin, begin + static_cast<ptrdiff_t>(count));
  uint64_t offset = 0;
  for (auto size = run.sizes.begin(); size != begin; ++size) offset += *size;
  slice.body = run.body.Slice(offset, SumOfSizes(slice));
  slice.checksum = BodyChecksum(slice.body.view());
  return slice;
}

}  // namespace homeport::quorum_queue
