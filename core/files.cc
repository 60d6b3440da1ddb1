#include "core/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace homeport::core {
namespace {

// "cannot <what> <path>: <why>", from errno.
Status Failed(const char* what, const std::string& path) {
  return Status::Io(fmt::format("cannot {} {}: {}", what, path, std::strerror(errno)));
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) ::close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  bool ok() const { return fd_ >= 0; }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

int Open(const std::string& path, int flags) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, 0644);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

// Appends all from the descriptor's position on. False with errno.
bool ReadAll(int fd, std::string* bytes) {
  char buffer[65536];
  while (true) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got == 0) return true;
    if (got > 0) {
      bytes->append(buffer, static_cast<size_t>(got));
    } else if (errno != EINTR) {
      return false;
    }
  }
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put >= 0) {
      bytes.remove_prefix(static_cast<size_t>(put));
    } else if (errno != EINTR) {
      return false;
    }
  }
  return true;
}

std::string Parent(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

Result<std::string> ReadFile(const std::string& path) {
  const Fd fd(Open(path, O_RDONLY));
  std::string bytes;
  if (!fd.ok() || !ReadAll(fd.get(), &bytes)) return Failed("read", path);
  return bytes;
}

Status WriteFileAtomically(const std::string& path, std::string_view bytes, Readers readers) {
  const std::string temporary = path + ".tmp";
  {
    const Fd fd(Open(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    // Before anything is in it; a file left by a crash may have been anybody's.
    const bool closed =
        readers == Readers::kEverybody || (fd.ok() && ::fchmod(fd.get(), S_IRUSR | S_IWUSR) == 0);
    if (!fd.ok() || !closed || !WriteAll(fd.get(), bytes) || ::fsync(fd.get()) != 0) {
      const Status failed = Failed("write", temporary);
      if (fd.ok()) ::unlink(temporary.c_str());
      return failed;
    }
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) {
    const Status failed = Failed("rename to", path);
    ::unlink(temporary.c_str());
    return failed;
  }
  return SyncDirectory(Parent(path));
}

Status MakeDirectories(const std::string& path) {
  size_t end = 0;
  while (end < path.size()) {
    end = std::min(path.find('/', end + 1), path.size());
    const std::string dir = path.substr(0, end);
    if (::mkdir(dir.c_str(), 0755) == 0) {
      // The name is durable when the parent is: a lost directory is a lost replica.
      RETURN_IF_ERROR(SyncDirectory(Parent(dir)));
    } else if (errno != EEXIST) {
      return Failed("make directory", dir);
    }
  }
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return Failed("make directory", path);
  if (!S_ISDIR(info.st_mode)) {
    errno = ENOTDIR;
    return Failed("make directory", path);
  }
  return {};
}

Status SyncDirectory(const std::string& path) {
  const Fd fd(Open(path, O_RDONLY | O_DIRECTORY));
  if (!fd.ok() || ::fsync(fd.get()) != 0) return Failed("sync directory", path);
  return {};
}

bool Exists(const std::string& path) {
  return ::access(path.c_str(), F_OK) == 0;
}

Result<std::vector<std::string>> ListDirectory(const std::string& path) {
  DIR* dir = ::opendir(path.c_str());
  if (dir == nullptr) return Failed("list directory", path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
    errno = 0;
  }
  const int error = errno;
  ::closedir(dir);
  errno = error;
  if (error != 0) return Failed("list directory", path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<uint64_t> DiskFreeBytes(const std::string& path) {
  struct statvfs info;
  if (::statvfs(path.c_str(), &info) != 0) return Failed("ask for the free space of", path);
  return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
}

Result<std::unique_ptr<DirectoryLock>> DirectoryLock::Take(const std::string& dir) {
  const std::string path = dir + "/LOCK";
  Fd fd(Open(path, O_RDWR | O_CREAT));
  if (!fd.ok()) return Failed("open", path);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return Failed("lock", path);
    std::string pid;
    ReadAll(fd.get(), &pid);
    while (!pid.empty() && pid.back() == '\n') pid.pop_back();
    // Empty for a moment while the holder writes it.
    return Status::Unavailable(
        fmt::format("{} is in use by process {}; stop it first or use another directory", dir,
                    pid.empty() ? "(unknown)" : pid));
  }
  if (::ftruncate(fd.get(), 0) != 0 || !WriteAll(fd.get(), fmt::format("{}\n", ::getpid()))) {
    return Failed("write", path);
  }
  return std::unique_ptr<DirectoryLock>(new DirectoryLock(fd.Release()));
}

// The file stays: removing it would let a third process lock a name that is gone.
DirectoryLock::~DirectoryLock() {
  ::close(fd_);
}

uint64_t RandomBits() {
  uint64_t bits = 0;
  ssize_t got;
  do {
    got = ::getrandom(&bits, sizeof bits, 0);
  } while (got < 0 && errno == EINTR);
  CHECK(got == sizeof bits, "the kernel gives 8 bytes at once", got);
  return bits;
}

}  // namespace homeport::core
