#include "core/files.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <set>

namespace homeport::core {
namespace {

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    dir_ = testing::TempDir() + "homeport-files-XXXXXX";
    EXPECT_NE(mkdtemp(dir_.data()), nullptr);
  }
  ~FilesTest() override { std::filesystem::remove_all(dir_); }
  std::string At(const std::string& name) const { return dir_ + "/" + name; }

  std::string dir_;
};

TEST_F(FilesTest, ReadsWhatItWrote) {
  const std::string bytes("a\0b\n", 4);
  ASSERT_TRUE(WriteFileAtomically(At("f"), bytes).ok());
  EXPECT_EQ(ReadFile(At("f")).value(), bytes);
  ASSERT_TRUE(WriteFileAtomically(At("f"), "").ok());
  EXPECT_EQ(ReadFile(At("f")).value(), "");
  const std::string large(1 << 20, 'x');
  ASSERT_TRUE(WriteFileAtomically(At("f"), large).ok());
  EXPECT_EQ(ReadFile(At("f")).value(), large);
}

TEST_F(FilesTest, WriteLeavesNoTemporaryFile) {
  ASSERT_TRUE(WriteFileAtomically(At("f"), "1").ok());
  EXPECT_EQ(ListDirectory(dir_).value(), std::vector<std::string>{"f"});
}

TEST_F(FilesTest, AFileForItsOwnerIsNobodyElses) {
  ASSERT_TRUE(WriteFileAtomically(At("f.tmp"), "left by a crash, for all to see").ok());
  ASSERT_TRUE(WriteFileAtomically(At("f"), "secret", Readers::kOwner).ok());
  EXPECT_EQ(std::filesystem::status(At("f")).permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

TEST_F(FilesTest, LeftoverOfACrashIsOverwritten) {
  ASSERT_TRUE(WriteFileAtomically(At("f.tmp"), "torn, longer than the next").ok());
  ASSERT_TRUE(WriteFileAtomically(At("f"), "whole").ok());
  EXPECT_EQ(ReadFile(At("f")).value(), "whole");
}

TEST_F(FilesTest, FailedWriteKeepsTheOldContent) {
  ASSERT_TRUE(MakeDirectories(At("f/inner")).ok());  // rename cannot replace a directory
  const Status status = WriteFileAtomically(At("f"), "new");
  EXPECT_EQ(status.code(), Code::kIo);
  EXPECT_NE(status.message().find(At("f")), std::string::npos) << status;
  EXPECT_TRUE(Exists(At("f/inner")));
  EXPECT_FALSE(Exists(At("f.tmp")));
}

TEST_F(FilesTest, ErrorsNameThePath) {
  const std::string missing = At("no/such");
  for (const Status& status :
       {ReadFile(missing).status(), WriteFileAtomically(missing, ""), SyncDirectory(missing),
        ListDirectory(missing).status(), DiskFreeBytes(missing).status(),
        DirectoryLock::Take(missing).status()}) {
    EXPECT_EQ(status.code(), Code::kIo);
    EXPECT_NE(status.message().find(missing), std::string::npos) << status;
    EXPECT_NE(status.message().find("No such file"), std::string::npos) << status;
  }
  EXPECT_EQ(ReadFile(dir_).status().code(), Code::kIo) << "a directory is no file";
}

TEST_F(FilesTest, MakesDirectoriesThatMayExist) {
  ASSERT_TRUE(MakeDirectories(At("a/b/c")).ok());
  ASSERT_TRUE(MakeDirectories(At("a/b/c")).ok());
  ASSERT_TRUE(MakeDirectories(At("a//b/d/")).ok());
  EXPECT_EQ(ListDirectory(At("a/b")).value(), (std::vector<std::string>{"c", "d"}));
  ASSERT_TRUE(WriteFileAtomically(At("file"), "").ok());
  EXPECT_EQ(MakeDirectories(At("file")).code(), Code::kIo);
  EXPECT_EQ(MakeDirectories(At("file/below")).code(), Code::kIo);
}

TEST_F(FilesTest, ListsNamesSorted) {
  for (const char* name : {"b", "a", ".hidden"}) {
    ASSERT_TRUE(WriteFileAtomically(At(name), "").ok());
  }
  EXPECT_EQ(ListDirectory(dir_).value(), (std::vector<std::string>{".hidden", "a", "b"}));
}

TEST_F(FilesTest, DiskHasFreeBytes) {
  EXPECT_GT(DiskFreeBytes(dir_).value(), 0u);
}

TEST_F(FilesTest, SecondTakerIsToldWhoHasTheDirectory) {
  auto lock = DirectoryLock::Take(dir_);
  ASSERT_TRUE(lock.ok()) << lock.status();
  const Status second = DirectoryLock::Take(dir_).status();
  EXPECT_EQ(second.code(), Code::kUnavailable);
  EXPECT_EQ(second.message(), dir_ + " is in use by process " + std::to_string(getpid()) +
                                  "; stop it first or use another directory");
}

TEST_F(FilesTest, LockIsFreeAgainWhenDropped) {
  ASSERT_TRUE(DirectoryLock::Take(dir_).ok());
  EXPECT_TRUE(DirectoryLock::Take(dir_).ok());
}

TEST_F(FilesTest, LockOfADeadProcessIsFree) {
  const pid_t child = fork();
  if (child == 0) {
    auto lock = DirectoryLock::Take(dir_);
    _exit(lock.ok() ? 0 : 1);
  }
  int exit_status = 0;
  ASSERT_EQ(waitpid(child, &exit_status, 0), child);
  ASSERT_EQ(exit_status, 0);
  EXPECT_TRUE(Exists(At("LOCK")));
  auto lock = DirectoryLock::Take(dir_);
  EXPECT_TRUE(lock.ok()) << lock.status();
  EXPECT_EQ(ReadFile(At("LOCK")).value(), std::to_string(getpid()) + "\n");
}

TEST_F(FilesTest, OtherProcessIsRefused) {
  auto lock = DirectoryLock::Take(dir_);
  ASSERT_TRUE(lock.ok());
  const pid_t child = fork();
  if (child == 0) {
    _exit(DirectoryLock::Take(dir_).status().code() == Code::kUnavailable ? 0 : 1);
  }
  int exit_status = 0;
  ASSERT_EQ(waitpid(child, &exit_status, 0), child);
  EXPECT_EQ(exit_status, 0);
}

TEST(RandomBitsTest, DoNotRepeat) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) seen.insert(RandomBits());
  EXPECT_EQ(seen.size(), 1000u);
}

}  // namespace
}  // namespace homeport::core
