// The queue's messages. An input is frames: a length of three bytes each, little-endian; the last
// one is what is left.
#include <algorithm>

#include "core/check.h"
#include "quorum_queue/codec.h"
#include "quorum_queue/tests/queue_test_util.h"
#include "tests/fuzz/target.h"

namespace homeport::fuzz {

using namespace quorum_queue;  // NOLINT: every message

namespace {

constexpr size_t kFramesMax = 64;

Frames FramesOf(std::string_view bytes) {
  Frames frames;
  while (!bytes.empty() && frames.size() < kFramesMax) {
    size_t length = bytes.size();
    if (bytes.size() >= 3) {
      length = static_cast<uint8_t>(bytes[0]) | static_cast<uint8_t>(bytes[1]) << 8 |
               static_cast<uint8_t>(bytes[2]) << 16;
      bytes.remove_prefix(3);
      length = std::min(length, bytes.size());
    }
    frames.emplace_back(std::string(bytes.substr(0, length)));
    bytes.remove_prefix(length);
  }
  return frames;
}

std::string BytesOf(const Frames& frames) {
  std::string bytes;
  for (const core::SharedBytes& frame : frames) {
    for (int shift : {0, 8, 16}) bytes.push_back(static_cast<char>(frame.size() >> shift));
    bytes += frame.view();
  }
  return bytes;
}

void RunRequest(std::string_view bytes) {
  const auto request = DecodeRequest(FramesOf(bytes));
  if (!request.ok()) return;
  const Frames encoded = EncodeRequest(*request);
  const auto again = DecodeRequest(encoded);
  CHECK(again.ok(), "what we encode we decode", again.status());
  CHECK(BytesOf(EncodeRequest(*again)) == BytesOf(encoded), "a request comes back as it was");
}

void RunAnswer(std::string_view bytes) {
  const Frames frames = FramesOf(bytes);
  (void)IsOfUnknownVersion(frames);
  const auto answer = DecodeAnswer(frames);
  if (!answer.ok()) return;
  for (const bool compress : {false, true}) {
    const Frames encoded = EncodeAnswer(*answer, compress);
    const auto again = DecodeAnswer(encoded);
    CHECK(again.ok(), "what we encode we decode", again.status());
    CHECK(BytesOf(EncodeAnswer(*again, compress)) == BytesOf(encoded),
          "an answer comes back as it was");
  }
}

const core::StreamId kStream(core::Incarnation(1), core::ShardId(3));
const WriterEpoch kEpoch(uint64_t{5} << 24 | 77);
const DiskId kDisk(0xd15c);

EntryRun Run(uint64_t first, const std::vector<std::string>& payloads) {
  return MakeRun(first, kEpoch.value(), payloads);
}

std::vector<std::string> RequestSeeds() {
  const Chain chain = {{WriterEpoch(9), Seq(1)}, {kEpoch, Seq(40)}};
  std::vector<std::string> seeds;
  for (const ReplicaRequest& request : std::vector<ReplicaRequest>{
           Fence{kStream, kEpoch, Seq(0)}, Fence{kStream, kEpoch, Seq(9)},
           Fill{kStream, kEpoch, Run(40, {"one", "", "three"})},
           Append{kStream, kEpoch, chain, Run(41, {"x", "yy"}), Seq(40), Seq(3)},
           Append{kStream, kEpoch, chain, EntryRun(), Seq(42), Seq(3)}, Trim{kStream, Seq(12)},
           Read{kStream, 77, Seq(13), 1000, 4096, true}, StatusRequest{},
           Holdings{kStream, Seq(1)}}) {
    seeds.push_back(BytesOf(EncodeRequest(request)));
  }
  return seeds;
}

std::vector<std::string> AnswerSeeds() {
  const Chain chain = {{kEpoch, Seq(1)}};
  FenceAnswer fence{kStream, kEpoch, kDisk, chain, Seq(7), Seq(2), {Run(8, {"a", "b"})}};
  ReadAnswer read;
  read.stream = kStream;
  read.session = 5;
  read.disk = kDisk;
  read.outcome = ReadOutcome::kData;
  read.next = Seq(8);
  read.runs = {Run(8, {"a", "b"}), Run(10, {std::string(600, 'z')})};
  read.committed = Seq(10);
  read.sent_bytes = 602;
  ReadAnswer idle = read;
  idle.outcome = ReadOutcome::kIdle;
  idle.runs.clear();
  StatusAnswer status;
  status.disk = kDisk;
  status.streams = {{kStream, kEpoch, kEpoch, Seq(10), Seq(2), Seq(11), 9}};
  status.log_bytes = 1 << 20;
  HoldingsAnswer holdings{
      kStream, kDisk, kEpoch, kEpoch, Seq(10), Seq(2), Seq(3), kSeqMax, {{Seq(3), 8, kEpoch, 600}}};
  std::vector<std::string> seeds;
  for (const ReplicaAnswer& answer : std::vector<ReplicaAnswer>{
           fence, Fenced{kStream, kEpoch, kDisk, WriterEpoch(kEpoch.value() + 1)},
           Stored{kStream, kEpoch, kDisk, true, Seq(8), 2, Seq(7)},
           Refused{kStream, kEpoch, kDisk, "disk full"}, read, idle, status, holdings}) {
    for (const bool compress : {false, true}) {
      seeds.push_back(BytesOf(EncodeAnswer(answer, compress)));
    }
  }
  seeds.push_back(BytesOf(EncodeUnsupported()));
  return seeds;
}

}  // namespace

std::vector<FuzzTarget> QueueTargets() {
  return {{"queue_request", RunRequest, RequestSeeds}, {"queue_answer", RunAnswer, AnswerSeeds}};
}

}  // namespace homeport::fuzz
