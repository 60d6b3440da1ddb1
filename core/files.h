// Files: the few things Homeport asks of a file system, with errors that name the path.
//
// Part of core's operating-system half: protocol code does not link it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/status.h"

namespace homeport::core {

Result<std::string> ReadFile(const std::string& path);
// Writes `path` + ".tmp", syncs, renames, syncs the directory: the old content or the new one,
// never less.
enum class Readers : uint8_t { kEverybody, kOwner };
Status WriteFileAtomically(const std::string& path, std::string_view bytes,
                           Readers readers = Readers::kEverybody);
Status MakeDirectories(const std::string& path);
Status SyncDirectory(const std::string& path);
bool Exists(const std::string& path);
Result<std::vector<std::string>> ListDirectory(const std::string& path);  // names, sorted
Result<uint64_t> DiskFreeBytes(const std::string& path);

// DirectoryLock: holds `dir`/LOCK while it lives. The second process that asks is told which pid
// has it.
class DirectoryLock {
 public:
  static Result<std::unique_ptr<DirectoryLock>> Take(const std::string& dir);
  ~DirectoryLock();
  DirectoryLock(const DirectoryLock&) = delete;
  DirectoryLock& operator=(const DirectoryLock&) = delete;

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}
  int fd_;
};

// 64 random bits from the operating system.
uint64_t RandomBits();

}  // namespace homeport::core
