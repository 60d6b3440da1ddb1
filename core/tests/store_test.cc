#include "core/store.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "core/memory_store.h"
#include "core/rocks_store.h"

namespace homeport::core {
namespace {

using Rows = std::vector<std::pair<std::string, std::string>>;

// A directory that is gone at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = testing::TempDir() + "homeport-store-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    path_ = path;
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

WriteBatch Put(std::string key, std::string value) {
  WriteBatch batch;
  batch.Put(std::move(key), std::move(value));
  return batch;
}

Rows ScanAll(const Store& store, std::string_view first, std::string_view end) {
  Rows rows;
  store.Scan(first, end, [&](std::string_view key, std::string_view value) {
    rows.emplace_back(key, value);
    return true;
  });
  return rows;
}

TEST(PrefixEndTest, IsTheFirstKeyAfterThePrefix) {
  EXPECT_EQ(PrefixEnd("a"), "b");
  EXPECT_EQ(PrefixEnd("a\xff"), "b");
  EXPECT_EQ(PrefixEnd(std::string_view("a\x00", 2)), "a\x01");
  EXPECT_EQ(PrefixEnd("a\x7f"), "a\x80");
  EXPECT_EQ(PrefixEnd("\xff\xff"), "") << "there is none";
  EXPECT_EQ(PrefixEnd(""), "");
}

enum class Kind { kMemory, kRocks };

class StoreTest : public testing::TestWithParam<Kind> {
 protected:
  StoreTest() {
    if (GetParam() == Kind::kMemory) {
      store_ = std::make_unique<MemoryStore>();
    } else {
      auto opened = RocksStore::Open(directory_.path());
      EXPECT_TRUE(opened.ok()) << opened.status();
      store_ = std::move(opened).value();
    }
  }
  TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreTest, GetsWhatWasPut) {
  EXPECT_EQ(store_->Get("a"), std::nullopt);
  ASSERT_TRUE(store_->Write(Put("a", "1")).ok());
  EXPECT_EQ(store_->Get("a"), "1");
  EXPECT_EQ(store_->Get("aa"), std::nullopt);
}

TEST_P(StoreTest, KeysAndValuesAreAnyBytes) {
  const std::string key("\x00\xff\x00k", 4), value("\x00\x00", 2);
  ASSERT_TRUE(store_->Write(Put(key, value)).ok());
  ASSERT_TRUE(store_->Write(Put("empty", "")).ok());
  EXPECT_EQ(store_->Get(key), value);
  EXPECT_EQ(store_->Get("empty"), "");
}

TEST_P(StoreTest, LastWordOfABatchWins) {
  WriteBatch batch;
  batch.Put("a", "1");
  batch.Delete("a");
  batch.Put("b", "1");
  batch.Put("b", "2");
  batch.Delete("never there");
  ASSERT_TRUE(store_->Write(batch).ok());
  EXPECT_EQ(store_->Get("a"), std::nullopt);
  EXPECT_EQ(store_->Get("b"), "2");
}

TEST_P(StoreTest, EmptyBatchIsNothing) {
  EXPECT_TRUE(store_->Write(WriteBatch()).ok());
}

TEST_P(StoreTest, ScansFromFirstUpToEnd) {
  for (const char* key : {"b", "a", "c", "d"}) ASSERT_TRUE(store_->Write(Put(key, key)).ok());
  EXPECT_EQ(ScanAll(*store_, "b", "d"), (Rows{{"b", "b"}, {"c", "c"}}));
  EXPECT_EQ(ScanAll(*store_, "bb", ""), (Rows{{"c", "c"}, {"d", "d"}}));
  EXPECT_EQ(ScanAll(*store_, "", "").size(), 4u);
  EXPECT_TRUE(ScanAll(*store_, "d", "b").empty());
  EXPECT_TRUE(ScanAll(*store_, "b", "b").empty());
}

TEST_P(StoreTest, ScanEndsWhenTheVisitorSaysSo) {
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(store_->Write(Put(key, key)).ok());
  int visits = 0;
  store_->Scan("", "", [&](std::string_view, std::string_view) { return ++visits < 2; });
  EXPECT_EQ(visits, 2);
}

TEST_P(StoreTest, LastIsTheLastRowBeforeEnd) {
  for (const char* key : {"a", "b", "d"}) ASSERT_TRUE(store_->Write(Put(key, key)).ok());
  const auto key = [&](std::string_view first, std::string_view end) {
    const auto row = store_->Last(first, end);
    return row ? row->first : "(none)";
  };
  EXPECT_EQ(key("", ""), "d");
  EXPECT_EQ(key("", "d"), "b");
  EXPECT_EQ(key("a", "c"), "b");
  EXPECT_EQ(key("c", "d"), "(none)");
  EXPECT_EQ(key("e", ""), "(none)");
  EXPECT_EQ(key("", "a"), "(none)");
  EXPECT_EQ(key("b", "b"), "(none)");
  EXPECT_EQ(key("d", "a"), "(none)");
}

// The dumb twin: a plain map, under random batches.
TEST_P(StoreTest, BehavesAsAMapUnderRandomBatches) {
  std::mt19937 random(7);
  std::map<std::string, std::string> twin;
  const auto any_key = [&] { return std::string(1, static_cast<char>('a' + random() % 26)); };
  for (int round = 0; round < 500; ++round) {
    WriteBatch batch;
    for (unsigned i = random() % 5; i > 0; --i) {
      const std::string key = any_key();
      if (random() % 3 == 0) {
        batch.Delete(key);
        twin.erase(key);
      } else {
        batch.Put(key, std::to_string(round));
        twin[key] = std::to_string(round);
      }
    }
    ASSERT_TRUE(store_->Write(batch).ok());
    if (random() % 50 == 0) {
      ASSERT_TRUE(store_->Flush().ok());
    }
    const std::string first = any_key(), end = random() % 4 == 0 ? "" : any_key();
    Rows expected;
    for (const auto& row : twin) {
      if (row.first >= first && (end.empty() || row.first < end)) expected.push_back(row);
    }
    ASSERT_EQ(ScanAll(*store_, first, end), expected) << first << ' ' << end;
    const auto last = store_->Last(first, end);
    ASSERT_EQ(last.has_value(), !expected.empty());
    if (last) {
      ASSERT_EQ(*last, expected.back());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, StoreTest, testing::Values(Kind::kMemory, Kind::kRocks),
                         [](const auto& test) {
                           return test.param == Kind::kMemory ? "Memory" : "Rocks";
                         });

TEST(MemoryStoreTest, CrashKeepsWhatWasFlushedAndAPrefix) {
  MemoryStore store;
  ASSERT_TRUE(store.Write(Put("a", "1")).ok());
  ASSERT_TRUE(store.Flush().ok());
  for (const char* key : {"b", "c", "d"}) ASSERT_TRUE(store.Write(Put(key, "1")).ok());
  EXPECT_EQ(store.unflushed(), 3u);
  store.Crash(2);
  EXPECT_EQ(ScanAll(store, "", ""), (Rows{{"a", "1"}, {"b", "1"}, {"c", "1"}}));
  EXPECT_EQ(store.unflushed(), 0u);
  store.Crash();
  EXPECT_EQ(ScanAll(store, "", "").size(), 3u) << "what survived one crash survives the next";
}

TEST(MemoryStoreTest, CrashUndoesDeletesAndOverwrites) {
  MemoryStore store;
  ASSERT_TRUE(store.Write(Put("a", "1")).ok());
  ASSERT_TRUE(store.Write(Put("b", "1")).ok());
  ASSERT_TRUE(store.Flush().ok());
  WriteBatch batch;
  batch.Delete("a");
  batch.Put("b", "2");
  ASSERT_TRUE(store.Write(batch).ok());
  store.Crash();
  EXPECT_EQ(ScanAll(store, "", ""), (Rows{{"a", "1"}, {"b", "1"}}));
}

TEST(RocksStoreTest, KeepsRowsOverACleanStop) {
  TemporaryDirectory directory;
  {
    auto store = RocksStore::Open(directory.path());
    ASSERT_TRUE(store.ok()) << store.status();
    ASSERT_TRUE((*store)->Write(Put("a", "1")).ok());
    EXPECT_TRUE((*store)->Resume().ok()) << "nothing is wrong: nothing to do";
  }
  auto store = RocksStore::Open(directory.path());
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->Get("a"), "1");
}

// On a full disk a log file of RocksDB's own ended the process (tests/e2e/full_disk_test.py).
TEST(RocksStoreTest, LogsToOurLogAndWritesNoLogFile) {
  const TemporaryDirectory directory;
  auto store = RocksStore::Open(directory.path());
  ASSERT_TRUE(store.ok()) << store.status();
  for (const auto& file : std::filesystem::directory_iterator(directory.path())) {
    EXPECT_FALSE(file.path().filename().string().starts_with("LOG")) << file.path();
  }
}

TEST(RocksStoreTest, OpenFailureNamesTheDirectory) {
  TemporaryDirectory directory;
  auto first = RocksStore::Open(directory.path());
  ASSERT_TRUE(first.ok());
  const auto second = RocksStore::Open(directory.path());
  EXPECT_EQ(second.status().code(), Code::kIo);
  EXPECT_NE(second.status().message().find(directory.path()), std::string::npos) << second.status();
}

// What a power cut would leave of a store that is durable at each write.
std::string CopyOf(const std::string& dir) {
  const std::string copy = dir + "-copy";
  std::filesystem::remove_all(copy);
  std::filesystem::copy(dir, copy);
  return copy;
}

TEST(RocksStoreTest, DurableAtWriteNeedsNoFlushAndNoCleanStop) {
  const TemporaryDirectory directory;
  const std::string dir = directory.path() + "/store";
  auto store = RocksStore::Open(dir, 1 << 20, DurableAt::kWrite);
  ASSERT_TRUE(store.ok()) << store.status();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE((*store)->Write(Put("row" + std::to_string(i), std::string(100, 'x'))).ok());
  }
  const auto copy = RocksStore::Open(CopyOf(dir), 1 << 20, DurableAt::kWrite);
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_TRUE((*copy)->Get("row0").has_value());
  EXPECT_TRUE((*copy)->Get("row9").has_value());
}

// Rows that were told to someone must not go with it silently.
TEST(RocksStoreTest, ADamagedLogIsNotCutAtTheDamage) {
  const TemporaryDirectory directory;
  const std::string dir = directory.path() + "/store";
  auto store = RocksStore::Open(dir, 1 << 20, DurableAt::kWrite);
  ASSERT_TRUE(store.ok()) << store.status();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE((*store)->Write(Put("row" + std::to_string(i), std::string(100, 'x'))).ok());
  }
  const std::string copy = CopyOf(dir);
  int damaged = 0;
  for (const auto& file : std::filesystem::directory_iterator(copy)) {
    if (file.path().extension() != ".log") continue;
    std::fstream log(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    log.seekp(300);
    log.put('\x01');
    ++damaged;
  }
  ASSERT_EQ(damaged, 1);
  EXPECT_EQ(RocksStore::Open(copy, 1 << 20, DurableAt::kWrite).status().code(), Code::kIo);
}

constexpr int kBatches = 3000;
constexpr int kFlushedBatches = 1000;

// Each batch writes "count" and a row of its own, so a torn or reordered batch shows.
[[noreturn]] void WriteAndDie(const std::string& dir) {
  auto store = RocksStore::Open(dir, /*memtable_bytes=*/256 << 10);
  if (!store.ok()) _exit(1);
  for (int i = 1; i <= kBatches; ++i) {
    WriteBatch batch;
    batch.Put("count", std::to_string(i));
    batch.Put("row" + std::to_string(1000000 + i), std::string(500, 'x'));
    if (!(*store)->Write(batch).ok()) _exit(1);
    if (i == kFlushedBatches && !(*store)->Flush().ok()) _exit(1);
  }
  _exit(0);  // no destructors: as killed
}

TEST(RocksStoreDeathTest, CrashKeepsAPrefixNoShorterThanTheFlush) {
  // RocksDB's threads do not survive a fork: run this test's program anew for the one that dies. It
  // finds the directory in its environment.
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  constexpr const char* kVariable = "HOMEPORT_STORE_TEST_DIR";
  std::optional<TemporaryDirectory> directory;
  if (getenv(kVariable) == nullptr) setenv(kVariable, directory.emplace().path().c_str(), 1);
  const std::string dir = getenv(kVariable);
  EXPECT_EXIT(WriteAndDie(dir), testing::ExitedWithCode(0), "");
  unsetenv(kVariable);

  auto store = RocksStore::Open(dir);
  ASSERT_TRUE(store.ok()) << store.status();
  const auto count = (*store)->Get("count");
  ASSERT_TRUE(count.has_value());
  EXPECT_GE(std::stoi(*count), kFlushedBatches);
  EXPECT_LT(std::stoi(*count), kBatches) << "nothing was lost: this was no crash";
  int next = 1;
  for (const auto& [key, value] : ScanAll(**store, "row", PrefixEnd("row"))) {
    ASSERT_EQ(key, "row" + std::to_string(1000000 + next));
    ++next;
  }
  EXPECT_EQ(next - 1, std::stoi(*count)) << "a batch is whole or not there";
}

}  // namespace
}  // namespace homeport::core
