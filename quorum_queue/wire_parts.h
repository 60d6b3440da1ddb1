// Chains and runs between structs and Cap'n Proto; shared by the codec and the log records. Thread
// safe.
#pragma once

#include "core/status.h"
#include "quorum_queue/messages.h"
#include "quorum_queue/queue.capnp.h"

namespace homeport::quorum_queue {

inline constexpr size_t kReasonBytesMax = 512;  // of Refused

using WireChain = capnp::List<wire::ChainLink>;

// Seq `value`, or kBadRequest when it is above kSeqMax.
core::Result<Seq> ReadSeq(uint64_t value);
core::Result<StreamId> ReadStream(uint64_t value);
// Not 0.
core::Result<WriterEpoch> ReadEpoch(uint64_t value);

void WriteChain(const Chain& chain, WireChain::Builder to);
// Well formed, or kBadRequest.
core::Result<Chain> ReadChain(WireChain::Reader from);

using WireStates = capnp::List<wire::StreamState>;
void WriteStates(const std::vector<StreamCheckpoint>& states, WireStates::Builder to);
core::Result<std::vector<StreamCheckpoint>> ReadStates(WireStates::Reader from);

// All but the body.
void WriteRun(const EntryRun& run, wire::Run::Builder to);
// All but the body. An empty run has first and epoch as they are; another has them within limits.
core::Result<EntryRun> ReadRun(wire::Run::Reader from);

}  // namespace homeport::quorum_queue
