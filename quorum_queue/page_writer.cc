#include "quorum_queue/page_writer.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "quorum_queue/segment_format.h"

namespace homeport::quorum_queue {
namespace {

// Large enough that a batch is one write, mostly; small enough to stay in the processor's cache.
constexpr uint64_t kBufferBytes = 1 << 20;

}  // namespace

int OpenForPages(const char* path) {
  int fd = ::open(path, O_RDWR | O_DIRECT | O_CLOEXEC);
  if (fd < 0 && errno == EINVAL) fd = ::open(path, O_RDWR | O_CLOEXEC);
  return fd;
}

bool WritePages(int fd, const char* bytes, uint64_t size, uint64_t offset) {
  while (size > 0) {
    const ssize_t wrote = ::pwrite(fd, bytes, size, static_cast<off_t>(offset));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0 && errno == EINVAL) {
      // Refused before anything was written: its alignment does not do here.
      const int flags = ::fcntl(fd, F_GETFL);
      if (flags >= 0 && (flags & O_DIRECT) != 0 && ::fcntl(fd, F_SETFL, flags & ~O_DIRECT) == 0) {
        continue;
      }
      errno = EINVAL;
    }
    if (wrote <= 0) return false;
    const auto count = static_cast<uint64_t>(wrote);
    bytes += count;
    offset += count;
    size -= count;
  }
  return true;
}

PageBuffer MakePageBuffer(uint64_t size) {
  PageBuffer buffer(static_cast<char*>(std::aligned_alloc(kPageBytes, size)));
  CHECK(buffer != nullptr, "out of memory", size);
  std::memset(buffer.get(), 0, size);
  return buffer;
}

PageWriter::PageWriter() : buffer_(MakePageBuffer(kBufferBytes)) {}

void PageWriter::Begin(int fd, uint64_t end, std::string_view tail_page) {
  CHECK(tail_page.size() == end % kPageBytes, "the tail page is what precedes the end", end,
        tail_page.size());
  fd_ = fd;
  page_offset_ = end - tail_page.size();
  used_ = tail_page.size();
  std::copy(tail_page.begin(), tail_page.end(), buffer_.get());
}

bool PageWriter::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    const uint64_t count = std::min<uint64_t>(bytes.size(), kBufferBytes - used_);
    std::memcpy(buffer_.get() + used_, bytes.data(), count);
    used_ += count;
    bytes.remove_prefix(count);
    if (used_ == kBufferBytes && !WriteOut(kBufferBytes)) return false;
  }
  return true;
}

bool PageWriter::AppendZeros(uint64_t count) {
  static constexpr char kZeros[8] = {};
  CHECK(count <= sizeof kZeros, "padding is short", count);
  return Append(std::string_view(kZeros, count));
}

bool PageWriter::Flush() {
  const uint64_t size = AlignUp(used_, kPageBytes);
  std::memset(buffer_.get() + used_, 0, size - used_);
  return WriteOut(size);
}

// Keeps the page that the end lies in.
bool PageWriter::WriteOut(uint64_t size) {
  if (!WritePages(fd_, buffer_.get(), size, page_offset_)) return false;
  const uint64_t whole = used_ - used_ % kPageBytes;
  std::memmove(buffer_.get(), buffer_.get() + whole, used_ - whole);
  page_offset_ += whole;
  used_ -= whole;
  return true;
}

}  // namespace homeport::quorum_queue
