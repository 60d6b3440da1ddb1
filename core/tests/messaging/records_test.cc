#include "core/messaging/records.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "core/messaging/keys.h"
#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

struct Drafts {
  Drafts() : world(2, kShards) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(0, AccountKind::kUser, "bob");
    world.Settle();
  }
  CommandResult Put(const std::string& key, const std::string& value,
                    const std::string& table = "drafts") {
    return world.Run(0, PutRecord{alice, table, key, value});
  }
  CommandResult Delete(const std::string& key, const std::string& table = "drafts") {
    return world.Run(0, DeleteRecord{alice, table, key});
  }
  Result<RecordsPage> Read(const std::string& token, SyncLimits limits = {},
                           const std::string& table = "drafts") {
    return ReadRecords(world.store(0), context, alice, table, token, limits);
  }
  // "key=value" of what changed since the token, which moves to the end.
  std::vector<std::string> News(std::string* token, SyncLimits limits = {}) {
    std::vector<std::string> lines;
    for (bool more = true; more;) {
      const auto page = Read(*token, limits);
      EXPECT_TRUE(page.ok()) << page.status();
      for (const SyncRecord& record : page->records) {
        lines.push_back(record.key + (record.deleted ? " deleted" : "=" + record.value));
      }
      *token = page->snapshot;
      more = page->more;
    }
    return lines;
  }
  RecordTable Counted() {
    return *DecodeRecordTable(
        *ReadLive(world.store(0), RecordTableKey(ShardOf(alice, kShards), alice, "drafts")));
  }

  World world;
  SyncContext context{kShards, SnapshotKey::FromSecret("a cluster's secret")};
  Uin alice;
  Uin bob;
};

TEST(RecordsTest, ComeOnceForEachSnapshotAsTheyAreNow) {
  Drafts t;
  std::string token;
  EXPECT_EQ(t.News(&token), Lines({}));
  EXPECT_TRUE(t.Put("a", "1").changed);
  EXPECT_TRUE(t.Put("b", "2").changed);
  EXPECT_FALSE(t.Put("b", "2").changed);
  EXPECT_TRUE(t.Put("a", "3").changed);
  EXPECT_EQ(t.News(&token), Lines({"b=2", "a=3"}));
  EXPECT_EQ(t.News(&token), Lines({}));
  EXPECT_TRUE(t.Delete("b").changed);
  EXPECT_FALSE(t.Delete("b").changed);
  EXPECT_FALSE(t.Delete("never").changed);
  EXPECT_EQ(t.News(&token), Lines({"b deleted"}));
  std::string anew;
  EXPECT_EQ(t.News(&anew), Lines({"a=3"})) << "whoever begins need not hear of it";
  EXPECT_EQ(anew, token);
  EXPECT_TRUE(t.Put("b", "").changed) << "empty is a value, too";
  EXPECT_EQ(t.News(&token), Lines({"b="}));
  EXPECT_EQ(t.Counted(), (RecordTable{5, 2, 1}));
  t.world.Settle();
  EXPECT_EQ(t.world.Differences(), Lines({}));
}

TEST(RecordsTest, OfOneTableAreNoneOfAnother) {
  Drafts t;
  t.Put("k", "1", "a");
  t.Put("k", "2", "ab");
  t.Put("bk", "3", "a");
  std::vector<std::string> keys;
  for (const std::string table : {"a", "ab", "b"}) {
    const auto page = t.Read("", {}, table);
    ASSERT_TRUE(page.ok());
    for (const SyncRecord& record : page->records) keys.push_back(table + ":" + record.key);
  }
  EXPECT_EQ(keys, Lines({"a:k", "a:bk", "ab:k"}));
}

TEST(RecordsTest, PagesEndByItemsAndBytes) {
  Drafts t;
  for (int i = 0; i < 5; ++i) t.Put(std::to_string(i), std::string(10, 'x'));
  EXPECT_EQ(t.Read("", {.items_max = 2})->records.size(), 2u);
  EXPECT_EQ(t.Read("", {.bytes_max = 35})->records.size(), 3u);
  EXPECT_EQ(t.Read("", {.bytes_max = 0})->records.size(), 1u) << "one always fits";
  EXPECT_TRUE(t.Read("", {.bytes_max = 49})->more);
  EXPECT_FALSE(t.Read("", {.bytes_max = 50})->more);
  std::string token;
  EXPECT_EQ(t.News(&token, {.items_max = 2}).size(), 5u);
}

TEST(RecordsTest, APageLooksAtSoManyRowsWhatEverTheyAre) {
  Drafts t;
  for (int i = 0; i < 10; ++i) t.Put(std::to_string(i), "x");
  for (int i = 0; i < 9; ++i) t.Delete(std::to_string(i));
  const auto first = t.Read("", {.items_max = 4});
  EXPECT_EQ(first->records.size(), 1u) << "the one that is there was written first";
  EXPECT_TRUE(first->more);
  t.Put("9", "y");  // now the last
  const auto empty = t.Read("", {.items_max = 4});
  EXPECT_TRUE(empty->records.empty());
  EXPECT_TRUE(empty->more);
  std::string token = empty->snapshot;
  EXPECT_EQ(t.News(&token, {.items_max = 4}).back(), "9=y");
}

TEST(RecordsTest, ATokenIsOfOneUserAndTable) {
  Drafts t;
  t.Put("a", "1");
  const std::string token = t.Read("")->snapshot;
  EXPECT_LE(token.size(), kSnapshotTextMax);
  EXPECT_EQ(t.Read(token, {}, "other").status().code(), Code::kBadRequest);
  EXPECT_EQ(ReadRecords(t.world.store(0), t.context, t.bob, "drafts", token, {}).status().code(),
            Code::kBadRequest);
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(t.Read(changed).status().code(), Code::kBadRequest) << i;
  }
  EXPECT_EQ(t.Read(token + "A").status().code(), Code::kBadRequest);
  EXPECT_EQ(t.Read(token.substr(1)).status().code(), Code::kBadRequest);
  EXPECT_EQ(t.Read("?").status().code(), Code::kBadRequest);
}

TEST(RecordsTest, AnswersATokenAheadOfTheDataWithTheLowerOne) {
  Drafts t;
  t.Put("a", "1");
  t.world.Settle();
  const std::string lower = t.Read("")->snapshot;
  t.Put("a", "2");
  const std::string higher = t.Read("")->snapshot;
  // Region 1 has not applied it.
  const auto page = ReadRecords(t.world.store(1), t.context, t.alice, "drafts", higher, {});
  ASSERT_TRUE(page.ok());
  EXPECT_TRUE(page->records.empty());
  EXPECT_EQ(page->snapshot, lower);
}

TEST(RecordsTest, RefusesWhatIsNoRecord) {
  Drafts t;
  for (const std::string table :
       {"", "Drafts", "a b", "a/b", "123456789012345678901234567890123"}) {
    EXPECT_EQ(t.Put("k", "v", table).status.code(), Code::kBadRequest) << table;
    EXPECT_EQ(t.Delete("k", table).status.code(), Code::kBadRequest) << table;
    EXPECT_EQ(t.Read("", {}, table).status().code(), Code::kBadRequest) << table;
  }
  EXPECT_EQ(t.Put("", "v").status.code(), Code::kBadRequest);
  EXPECT_EQ(t.Put(std::string(kRecordKeyBytesMax + 1, 'k'), "v").status.code(), Code::kBadRequest);
  EXPECT_TRUE(t.Put(std::string(kRecordKeyBytesMax, '\xff'), "v", std::string(32, 'z')).changed);
  EXPECT_EQ(t.Put("k", std::string(kRecordBytesMax + 1, 'v')).status.code(), Code::kTooLarge);
  EXPECT_TRUE(t.Put("k", std::string(kRecordBytesMax, 'v')).changed);
  EXPECT_EQ(t.world.Run(1, PutRecord{t.alice, "drafts", "k", "v"}).status.code(), Code::kMoved);
}

TEST(RecordsTest, AVersionIsTestedBeforeItIsSet) {
  Drafts t;
  const auto put = [&](const std::string& value, Stamp expects, uint64_t once = 0) {
    return t.world.Run(0, PutRecord{t.alice, "drafts", "k", value, ClientMessageId(once), expects});
  };
  const auto version = [&] {
    return ReadRecord(t.world.store(0), kShards, t.alice, "drafts", "k")->version;
  };
  EXPECT_EQ(put("0", {{}, Version(1)}).status.code(), Code::kRefused) << "there is none";
  const CommandResult first = put("1", Stamp(), 5);
  EXPECT_TRUE(first.changed);
  EXPECT_EQ(first.version, version());
  EXPECT_GT(first.version, Stamp());
  EXPECT_EQ(put("other", Stamp()).status.code(), Code::kRefused) << "there is one";
  const CommandResult second = put("2", first.version, 6);
  EXPECT_TRUE(second.changed);
  EXPECT_GT(second.version, first.version);
  EXPECT_EQ(put("3", first.version).status.code(), Code::kRefused) << "it has changed since";
  EXPECT_TRUE(put("2", first.version, 6).status.ok()) << "the same command again";
  EXPECT_EQ(put("2", second.version).version, second.version) << "no change";
  EXPECT_EQ(t.world.Run(0, DeleteRecord{t.alice, "drafts", "k", {}, first.version}).status.code(),
            Code::kRefused);
  EXPECT_TRUE(t.world.Run(0, DeleteRecord{t.alice, "drafts", "k", {}, second.version}).changed);
  const Stamp deleted = version();
  EXPECT_GT(deleted, second.version);
  EXPECT_FALSE(ReadRecord(t.world.store(0), kShards, t.alice, "drafts", "k")->record.has_value());
  EXPECT_EQ(put("4", second.version).status.code(), Code::kRefused);
  EXPECT_TRUE(put("4", Stamp()).changed) << "none is there";
  EXPECT_GT(version(), deleted);
}

TEST(RecordsTest, OneIsReadWithItsVersionWhereverItsRowIs) {
  Drafts t;
  const Stamp first = t.world.Run(0, PutRecord{t.alice, "drafts", "k", "1"}).version;
  t.world.Settle();
  const Stamp second = t.world.Run(0, PutRecord{t.alice, "drafts", "k", "2"}).version;
  const auto read = [&](int region, const std::string& key) {
    return ReadRecord(t.world.store(region), kShards, t.alice, "drafts", key);
  };
  EXPECT_EQ(read(0, "k")->record->value, "2");
  EXPECT_EQ(read(0, "k")->version, second);
  EXPECT_EQ(read(1, "k")->record->value, "1");
  EXPECT_EQ(read(1, "k")->version, first);
  EXPECT_EQ(read(0, "none")->version, Stamp());
  EXPECT_EQ(read(0, "").status().code(), Code::kBadRequest);
}

TEST(RecordsTest, AUserHasSoManyTables) {
  Drafts t;
  for (uint64_t i = 0; i < kRecordTablesMax; ++i) {
    EXPECT_TRUE(t.Put("k", "v", "t" + std::to_string(i)).changed);
  }
  EXPECT_EQ(t.Put("k", "v").status.code(), Code::kTooLarge);
  EXPECT_TRUE(t.Put("l", "v", "t0").changed);
}

TEST(RecordsTest, AUserHasSoManyKeysInATable) {
  Drafts t;
  for (uint64_t i = 0; i < kRecordsMax; ++i) ASSERT_TRUE(t.Put(std::to_string(i), "").changed);
  EXPECT_TRUE(t.Delete("7").changed);
  EXPECT_EQ(t.Put("one more", "").status.code(), Code::kTooLarge);
  EXPECT_TRUE(t.Put("7", "again").changed);
}

TEST(RecordsTest, AUserHasSoManyBytesInATable) {
  Drafts t;
  const std::string largest(kRecordBytesMax, 'v');
  for (uint64_t i = 0; i < kRecordTableBytesMax / kRecordBytesMax; ++i) {
    ASSERT_TRUE(t.Put(std::to_string(i), largest).changed);
  }
  EXPECT_EQ(t.Put("one more", "v").status.code(), Code::kTooLarge);
  EXPECT_TRUE(t.Delete("0").changed);
  EXPECT_TRUE(t.Put("one more", "v").changed);
  EXPECT_TRUE(t.Put("1", "shorter").changed);
}

// Devices at any pace, with lost answers, against a map; entries hold several changes.
TEST(RecordsTest, DevicesEndWithWhatThereIs) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    Drafts t;
    std::map<std::string, std::string> model;
    struct Device {
      std::string token;
      std::map<std::string, std::string> has;
    };
    std::vector<Device> devices(3);
    const ShardId shard = ShardOf(t.alice, kShards);
    const auto sync = [&](Device& device, bool lost) {
      const auto page = t.Read(device.token, {.items_max = 1 + random() % 4});
      ASSERT_TRUE(page.ok()) << page.status();
      if (lost) return;
      for (const SyncRecord& record : page->records) {
        if (record.deleted) {
          device.has.erase(record.key);
        } else {
          device.has[record.key] = record.value;
        }
      }
      device.token = page->snapshot;
      if (page->more) return;
      EXPECT_EQ(device.has, model);
    };
    for (int step = 0; step < 200; ++step) {
      Evaluator& evaluator = t.world.Open(0, shard);
      for (size_t n = random() % 3; n > 0; --n) {
        const std::string key = std::to_string(random() % 8);
        if (random() % 3 == 0) {
          const bool changed = evaluator.Execute(DeleteRecord{t.alice, "drafts", key}).changed;
          EXPECT_EQ(changed, model.erase(key) > 0);
        } else {
          const std::string value = std::to_string(random() % 5);
          const bool changed = evaluator.Execute(PutRecord{t.alice, "drafts", key, value}).changed;
          const auto at = model.find(key);
          EXPECT_EQ(changed, at == model.end() || at->second != value);
          model[key] = value;
        }
      }
      t.world.Finish(0, shard);
      while (t.world.Commit(0, shard)) {
      }
      while (t.world.Apply(0, t.world.StreamOf(0, shard))) {
      }
      sync(devices[random() % devices.size()], random() % 4 == 0);
      if (random() % 50 == 0) t.world.Crash(0, [](size_t n) { return n - 1; });
    }
    for (Device& device : devices) {
      for (int i = 0; i < 10; ++i) sync(device, false);
      EXPECT_EQ(device.has, model);
    }
    t.world.Settle();
    EXPECT_EQ(t.world.Differences(), Lines({}));
  }
}

}  // namespace
}  // namespace homeport::core
