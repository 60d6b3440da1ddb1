// PageWriter: appends bytes to a file in whole pages, past the page cache where the file system
// allows it.
//
// A direct write costs a copy into a buffer that stays warm, and no page cache: measured against
// buffered writes of 1 MiB and fdatasync, two thirds of the time and a third of the CPU; of 4 KiB,
// nine tenths of the time. The page that the end lies in is kept and written again with what comes
// next.
//
// Not thread safe.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "core/status.h"

namespace homeport::quorum_queue {

// Opens an existing file for direct writes, or for plain ones where the file system has no others.
// -1 and errno when neither works.
int OpenForPages(const char* path);
// pwrite of whole pages from an aligned buffer; all of them, or false and errno. When the file
// system refuses direct writes only now, goes on with plain ones.
bool WritePages(int fd, const char* bytes, uint64_t size, uint64_t offset);

struct FreeDeleter {
  void operator()(char* bytes) const { std::free(bytes); }
};
using PageBuffer = std::unique_ptr<char, FreeDeleter>;
// Zeroed, aligned to a page. `size` is a multiple of kPageBytes.
PageBuffer MakePageBuffer(uint64_t size);

class PageWriter {
 public:
  PageWriter();

  // Goes on in another file, at `end`. `tail_page`: what stands between the page boundary before
  // and `end`.
  void Begin(int fd, uint64_t end, std::string_view tail_page);
  // False when writing failed (errno).
  bool Append(std::string_view bytes);
  bool AppendZeros(uint64_t count);
  // Writes what is not yet written, and zeros up to the end of the last page.
  bool Flush();
  uint64_t end() const { return page_offset_ + used_; }

 private:
  bool WriteOut(uint64_t size);

  PageBuffer buffer_;
  int fd_ = -1;
  uint64_t page_offset_ = 0;  // in the file, of buffer_
  uint64_t used_ = 0;         // bytes in buffer_
};

}  // namespace homeport::quorum_queue
