#include "quorum_queue/grants.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "quorum_queue/identity.h"
#include "quorum_queue/tests/temp_dir.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;
using core::DiskId;
using core::Incarnation;
using core::Status;

const std::vector<Group> kGroups = {{{DiskId(11), DiskId(12), DiskId(13)}},
                                    {{DiskId(21), DiskId(22), DiskId(23)}}};

TEST(LocalGrantStoreTest, EpochsGrowOverGrantsAndRestarts) {
  TempDir dir;
  const std::string file = dir.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, Incarnation(7), kGroups).ok());
  core::WriterEpoch last;
  for (int restart = 0; restart < 5; restart++) {
    auto store = LocalGrantStore::Open(file, Incarnation(7));
    ASSERT_TRUE(store.ok()) << store.status();
    for (int i = 0; i < 5; i++) {
      auto grant = (*store)->TakeGrant();
      ASSERT_TRUE(grant.ok());
      EXPECT_GT(grant->epoch, last);
      last = grant->epoch;
      ASSERT_EQ(grant->groups.size(), 2u);
      EXPECT_EQ(grant->groups[1].disks, kGroups[1].disks);
    }
  }
  EXPECT_EQ(last.value() >> kEpochRandomBits, 25u);
}

TEST(LocalGrantStoreTest, EpochIsDurableBeforeItIsGiven) {
  TempDir dir;
  const std::string file = dir.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, Incarnation(7), kGroups).ok());
  auto store = LocalGrantStore::Open(file, Incarnation(7));
  ASSERT_TRUE((*store)->TakeGrant().ok());
  std::filesystem::remove_all(dir.path());
  EXPECT_FALSE((*store)->TakeGrant().ok()) << "no grant without a record of it";
}

TEST(LocalGrantStoreTest, CreateLeavesAnExistingRecordAlone) {
  TempDir dir;
  const std::string file = dir.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, Incarnation(7), kGroups).ok());
  const std::string before = ReadBytes(file);
  EXPECT_EQ(LocalGrantStore::Create(file, Incarnation(7), kGroups).code(), Code::kBadRequest);
  EXPECT_EQ(ReadBytes(file), before);
}

TEST(LocalGrantStoreTest, RefusesAnotherIncarnationsRecord) {
  TempDir dir;
  const std::string file = dir.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, Incarnation(7), kGroups).ok());
  EXPECT_EQ(LocalGrantStore::Open(file, Incarnation(8)).status().code(), Code::kBadRequest);
}

TEST(LocalGrantStoreTest, AChangedCounterDiskOrLengthIsCorrupt) {
  TempDir dir;
  const std::string file = dir.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, Incarnation(7), kGroups).ok());
  {
    auto store = LocalGrantStore::Open(file, Incarnation(7));
    ASSERT_TRUE((*store)->TakeGrant().ok());
  }
  const std::string good = ReadBytes(file);
  int refused = 0;
  for (size_t i = 0; i < good.size(); i++) {
    std::string bad = good;
    bad[i] ^= 1;
    WriteBytes(file, bad);
    auto store = LocalGrantStore::Open(file, Incarnation(7));
    if (store.ok()) {
      // A byte that means nothing: what is read is unchanged.
      EXPECT_EQ((*store)->TakeGrant()->epoch.value() >> kEpochRandomBits, 2u);
      EXPECT_EQ((*store)->groups()[0].disks, kGroups[0].disks);
    } else {
      refused++;
    }
  }
  EXPECT_GT(refused, 60) << "counter, six disks and the checksum at least";
  for (size_t size : {size_t{0}, size_t{8}, good.size() - 8, good.size() - 1}) {
    WriteBytes(file, good.substr(0, size));
    EXPECT_EQ(LocalGrantStore::Open(file, Incarnation(7)).status().code(), Code::kCorrupt) << size;
  }
}

// ---- identity

Identity SampleIdentity() {
  Identity identity;
  identity.cluster = "3fa0c1";
  identity.region = "sh";
  identity.incarnation = Incarnation(3);
  identity.replica = 1;
  identity.disk = DiskId(0xabcdef);
  identity.shards = 8;
  return identity;
}

TEST(IdentityTest, FormatWritesWhatReadReturns) {
  TempDir dir;
  const std::string replica = dir.path() + "/sh/replica-1";
  ASSERT_TRUE(FormatReplica(replica, SampleIdentity()).ok());
  auto found = ReadIdentity(replica);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, SampleIdentity());
  EXPECT_TRUE(CheckIdentity(replica, SampleIdentity(), *found).ok());
}

TEST(IdentityTest, FormatRefusesADirectoryWithAnythingInIt) {
  TempDir dir;
  WriteBytes(dir.path() + "/segment-0000000000000001", "data");
  Status formatted = FormatReplica(dir.path(), SampleIdentity());
  EXPECT_EQ(formatted.code(), Code::kBadRequest);
  EXPECT_NE(formatted.message().find("segment-0000000000000001"), std::string::npos) << formatted;
  EXPECT_FALSE(ReadIdentity(dir.path()).ok());
}

TEST(IdentityTest, AnUnformattedDirectoryIsALostDiskOrAWrongPath) {
  TempDir dir;
  for (const std::string& path : {dir.path(), dir.path() + "/nowhere"}) {
    auto found = ReadIdentity(path);
    EXPECT_EQ(found.status().code(), Code::kUnavailable);
    EXPECT_NE(found.status().message().find("a lost disk or a wrong path"), std::string::npos);
  }
}

TEST(IdentityTest, AnUnreadableIdentityIsCorrupt) {
  TempDir dir;
  for (const std::string& bytes : {std::string(), std::string("x"), std::string(64, '\xff')}) {
    WriteBytes(dir.path() + "/IDENTITY", bytes);
    EXPECT_EQ(ReadIdentity(dir.path()).status().code(), Code::kCorrupt);
  }
}

TEST(IdentityTest, EachDifferenceIsRefusedByName) {
  const Identity expected = SampleIdentity();
  const auto message = [&](auto change) {
    Identity found = SampleIdentity();
    change(&found);
    return CheckIdentity("/data/sh/replica-1", expected, found).message();
  };
  EXPECT_TRUE(message([](Identity* i) {
                i->cluster = "b00";
              }).starts_with("/data/sh/replica-1 belongs to cluster b00, not to cluster 3fa0c1"));
  EXPECT_TRUE(
      message([](Identity* i) { i->region = "hk"; })
          .starts_with("/data/sh/replica-1 belongs to replica 1 of region hk, not to replica "
                       "1 of region sh"));
  EXPECT_TRUE(message([](Identity* i) {
                i->replica = 2;
              }).starts_with("/data/sh/replica-1 belongs to replica 2 of region sh"));
  EXPECT_TRUE(message([](Identity* i) {
                i->incarnation = Incarnation(2);
              }).starts_with("/data/sh/replica-1 belongs to incarnation 2 of region sh"));
  EXPECT_TRUE(
      message([](Identity* i) {
        i->shards = 16;
      }).starts_with("/data/sh/replica-1 belongs to a cluster of 16 shards, not to one of 8"));
  EXPECT_TRUE(message([](Identity* i) {
                i->disk = DiskId(1);
              }).starts_with("/data/sh/replica-1 belongs to disk 0000000000000001"));
}

TEST(IdentityTest, AnExpectedDiskOfZeroAcceptsAny) {
  Identity expected = SampleIdentity();
  expected.disk = DiskId();
  EXPECT_TRUE(CheckIdentity("/d", expected, SampleIdentity()).ok());
}

}  // namespace
}  // namespace homeport::quorum_queue
