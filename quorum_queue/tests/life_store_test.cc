#include "quorum_queue/life_store.h"

#include <gtest/gtest.h>

#include "core/files.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;
using core::Incarnation;

const std::vector<DiskLife> kLives = {
    {DiskId(3), {4, 44}, {5, 55}, RecordNumber(100)},
    {DiskId(7), {1, 11}, {}, RecordNumber(2)},
};

TEST(LocalLifeStoreTest, GivesBackWhatWasWrittenLast) {
  const TempDir dir;
  const std::string file = dir.path() + "/LIVES";
  LocalLifeStore store(file, Incarnation(7));
  EXPECT_TRUE(store.Read()->empty()) << "nothing was written";
  ASSERT_TRUE(store.Write({kLives[1]}).ok());
  ASSERT_TRUE(store.Write(kLives).ok());
  EXPECT_EQ(*LocalLifeStore(file, Incarnation(7)).Read(), kLives);
}

TEST(LocalLifeStoreTest, AnyChangedByteOrLengthIsCorrupt) {
  const TempDir dir;
  const std::string file = dir.path() + "/LIVES";
  LocalLifeStore store(file, Incarnation(7));
  ASSERT_TRUE(store.Write(kLives).ok());
  const std::string bytes = *core::ReadFile(file);
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] ^= 1;
    ASSERT_TRUE(core::WriteFileAtomically(file, changed).ok());
    const auto read = store.Read();
    // What no field uses may change.
    EXPECT_TRUE(!read.ok() || *read == kLives) << i;
  }
  for (size_t size = 0; size < bytes.size(); size += 8) {
    ASSERT_TRUE(core::WriteFileAtomically(file, bytes.substr(0, size)).ok());
    EXPECT_EQ(store.Read().status().code(), Code::kCorrupt) << size;
  }
}

TEST(LocalLifeStoreTest, RefusesAnotherIncarnationsFile) {
  const TempDir dir;
  const std::string file = dir.path() + "/LIVES";
  ASSERT_TRUE(LocalLifeStore(file, Incarnation(7)).Write(kLives).ok());
  const auto read = LocalLifeStore(file, Incarnation(8)).Read();
  EXPECT_EQ(read.status().code(), Code::kCorrupt);
  EXPECT_NE(read.status().message().find("incarnation 7"), std::string::npos);
}

}  // namespace
}  // namespace homeport::quorum_queue
