// Compression of bodies: zstd, bounded. Thread safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/status.h"

namespace homeport::quorum_queue {

std::string Compress(std::string_view bytes);
// kBadRequest unless `compressed` is one zstd frame of exactly `size` bytes. Never takes more
// memory than that.
core::Result<std::string> Decompress(std::string_view compressed, uint64_t size);

}  // namespace homeport::quorum_queue
