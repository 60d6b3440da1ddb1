// TempDir: a fresh directory for one test, removed with it. In memory where that is possible: what
// a test claims does not hang on the disk, and its fdatasyncs cost nothing.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace homeport::quorum_queue {

class TempDir {
 public:
  TempDir() {
    // TEST_TMPDIR chooses a real disk.
    const bool memory =
        ::getenv("TEST_TMPDIR") == nullptr && std::filesystem::is_directory("/dev/shm");
    std::string pattern = (memory ? "/dev/shm/" : testing::TempDir()) + "homeport-XXXXXX";
    const char* made = ::mkdtemp(pattern.data());
    EXPECT_NE(made, nullptr);
    path_ = pattern;
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline std::string ReadBytes(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

inline void WriteBytes(const std::string& path, const std::string& bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  ASSERT_TRUE(out.good()) << path;
}

}  // namespace homeport::quorum_queue
