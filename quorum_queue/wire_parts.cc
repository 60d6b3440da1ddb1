#include "quorum_queue/wire_parts.h"

#include <fmt/format.h>

namespace homeport::quorum_queue {

using core::Result;
using core::Status;

Result<Seq> ReadSeq(uint64_t value) {
  if (Seq(value) > kSeqMax) return Status::BadRequest(fmt::format("seq {} is out of range", value));
  return Seq(value);
}

Result<StreamId> ReadStream(uint64_t value) {
  if (value > UINT32_MAX) {
    return Status::BadRequest(
        fmt::format("stream {:#x} is none: incarnation and shard are 16 bits each", value));
  }
  return StreamId::FromValue(value);
}

Result<WriterEpoch> ReadEpoch(uint64_t value) {
  if (value == 0) return Status::BadRequest("writer epoch 0 is nobody's");
  return WriterEpoch(value);
}

void WriteChain(const Chain& chain, WireChain::Builder to) {
  for (uint32_t i = 0; i < chain.size(); ++i) {
    to[i].setEpoch(chain[i].epoch.value());
    to[i].setStart(chain[i].start.value());
  }
}

Result<Chain> ReadChain(WireChain::Reader from) {
  if (from.size() > kChainLinksMax) {
    return Status::BadRequest(
        fmt::format("chain of {} links, at most {}", from.size(), kChainLinksMax));
  }
  Chain chain;
  chain.reserve(from.size());
  for (const auto link : from) {
    chain.push_back({WriterEpoch(link.getEpoch()), Seq(link.getStart())});
  }
  if (!IsWellFormed(chain)) return Status::BadRequest("chain does not ascend");
  return chain;
}

void WriteRun(const EntryRun& run, wire::Run::Builder to) {
  to.setFirst(run.first.value());
  to.setEpoch(run.epoch.value());
  to.setChecksum(run.checksum);
  auto sizes = to.initSizes(static_cast<uint32_t>(run.sizes.size()));
  for (uint32_t i = 0; i < run.sizes.size(); ++i) sizes.set(i, run.sizes[i]);
}

Result<EntryRun> ReadRun(wire::Run::Reader from) {
  EntryRun run;
  const auto sizes = from.getSizes();
  if (sizes.size() > kRunEntriesMax) {
    return Status::BadRequest(
        fmt::format("run of {} entries, at most {}", sizes.size(), kRunEntriesMax));
  }
  run.first = Seq(from.getFirst());
  run.epoch = WriterEpoch(from.getEpoch());
  run.checksum = from.getChecksum();
  run.sizes.reserve(sizes.size());
  for (const uint32_t size : sizes) run.sizes.push_back(size);
  if (run.empty()) return run;
  if (run.first == Seq(0) || run.first > kSeqMax || run.epoch == WriterEpoch(0)) {
    return Status::BadRequest(
        fmt::format("run from seq {} of epoch {}", run.first.value(), run.epoch.value()));
  }
  return run;
}

void WriteStates(const std::vector<StreamCheckpoint>& states, WireStates::Builder to) {
  for (uint32_t i = 0; i < states.size(); ++i) {
    const StreamCheckpoint& stream = states[i];
    to[i].setStream(stream.stream.value());
    to[i].setPromised(stream.promised.value());
    WriteChain(stream.chain, to[i].initChain(static_cast<uint32_t>(stream.chain.size())));
    to[i].setCommitted(stream.committed.value());
    to[i].setTrimmed(stream.trimmed.value());
    to[i].setLast(stream.last.value());
    to[i].setDoubtful(stream.doubtful.value());
  }
}

Result<std::vector<StreamCheckpoint>> ReadStates(WireStates::Reader from) {
  if (from.size() > kStreamsMax) return Status::BadRequest("too many streams");
  std::vector<StreamCheckpoint> states;
  for (const auto state : from) {
    StreamCheckpoint& stream = states.emplace_back();
    ASSIGN_OR_RETURN(stream.stream, ReadStream(state.getStream()));
    stream.promised = WriterEpoch(state.getPromised());
    ASSIGN_OR_RETURN(stream.chain, ReadChain(state.getChain()));
    ASSIGN_OR_RETURN(stream.committed, ReadSeq(state.getCommitted()));
    ASSIGN_OR_RETURN(stream.trimmed, ReadSeq(state.getTrimmed()));
    ASSIGN_OR_RETURN(stream.last, ReadSeq(state.getLast()));
    ASSIGN_OR_RETURN(stream.doubtful, ReadSeq(state.getDoubtful()));
  }
  return states;
}

}  // namespace homeport::quorum_queue
