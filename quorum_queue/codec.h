// Codec: replica requests and answers to and from wire frames.
//
// Frame 0 is a wire::Frame, then one frame per run (its payloads). Decoding checks sizes, counts,
// checksum and well-formedness, so that machines see sane messages only: kBadRequest for what is
// malformed or of another version, kTooLarge, kCorrupt when a checksum does not hold. Frames and
// runs share their bytes: no copies, but for compression and where EncodeAnswer joins small
// neighbouring runs of one epoch into one. Thread safe.
#pragma once

#include "core/bytes.h"
#include "core/status.h"
#include "quorum_queue/messages.h"

namespace homeport::quorum_queue {

inline constexpr uint16_t kWireVersion = 1;
inline constexpr uint64_t kFrameBytesMax = 64
                                           << 20;  // also of all bodies of a message, uncompressed

using Frames = std::vector<core::SharedBytes>;

Frames EncodeRequest(const ReplicaRequest& request);
// `compress`: bodies of 512 bytes and more go out zstd-compressed.
Frames EncodeAnswer(const ReplicaAnswer& answer, bool compress);
core::Result<ReplicaRequest> DecodeRequest(const Frames& frames);
core::Result<ReplicaAnswer> DecodeAnswer(const Frames& frames);

// Says which version we speak, to a peer that speaks another. Decodes as kBadRequest with a
// sentence.
Frames EncodeUnsupported();
// Whether the frames deserve EncodeUnsupported() as their answer: of another version, and not such
// an answer.
bool IsOfUnknownVersion(const Frames& frames);

// Splits a run into its payloads' views. REQUIRES: the body fits the sizes.
std::vector<std::string_view> Payloads(const EntryRun& run);
uint64_t BodyChecksum(std::string_view body);
// The part of a run from `first` on, `count` entries. REQUIRES: within the run.
EntryRun SliceRun(const EntryRun& run, Seq first, uint64_t count);

}  // namespace homeport::quorum_queue
