#include "quorum_queue/compression.h"

#include <fmt/format.h>
#include <zstd.h>

#include <memory>

namespace homeport::quorum_queue {
namespace {

// Fast: it stands between a replica's disk and the wide-area network, on the replica's only thread.
constexpr int kLevel = 1;

struct Free {
  void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
  void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

}  // namespace

std::string Compress(std::string_view bytes) {
  // A context costs more to make than a small body to compress.
  static thread_local std::unique_ptr<ZSTD_CCtx, Free> context(ZSTD_createCCtx());
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t size =
      ZSTD_compressCCtx(context.get(), out.data(), out.size(), bytes.data(), bytes.size(), kLevel);
  CHECK(!ZSTD_isError(size), "zstd compresses anything into its own bound",
        ZSTD_getErrorName(size));
  out.resize(size);
  return out;
}

core::Result<std::string> Decompress(std::string_view compressed, uint64_t size) {
  static thread_local std::unique_ptr<ZSTD_DCtx, Free> context(ZSTD_createDCtx());
  // Asked before the memory is taken.
  const unsigned long long content = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  if (content != size) return core::Status::BadRequest("compressed body is not of the size told");
  std::string out(size, '\0');
  const size_t got = ZSTD_decompressDCtx(context.get(), out.data(), out.size(), compressed.data(),
                                         compressed.size());
  if (ZSTD_isError(got) || got != size) {
    return core::Status::BadRequest(fmt::format(
        "compressed body: {}", ZSTD_isError(got) ? ZSTD_getErrorName(got) : "too short"));
  }
  return out;
}

}  // namespace homeport::quorum_queue
