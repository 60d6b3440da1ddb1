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

TEST(LocalGrantStoreTest, GivesTheNumbersOfItsBlockAndNoOther) {
  TempDir dir;
  const std::string file = dir.path() + "/GRANTS";
  ASSERT_TRUE(LocalGrantStore::Create(file, Incarnation(7), kGroups).ok());
  auto store = LocalGrantStore::Open(file, Incarnation(7));
  ASSERT_TRUE((*store)->TakeGrant().ok());
  ASSERT_TRUE((*store)->Reserve(100, 102).ok());
  const auto number = [&] {
    const auto grant = (*store)->TakeGrant();
    return grant.ok() ? grant->epoch.value() >> kEpochRandomBits : 0;
  };
  EXPECT_EQ(number(), 100u);
  EXPECT_EQ(number(), 101u);
  store = LocalGrantStore::Open(file, Incarnation(7));
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_EQ((*store)->reserved_through(), 102u);
  EXPECT_EQ(number(), 102u);
  EXPECT_EQ((*store)->TakeGrant().status().code(), Code::kUnavailable);
  EXPECT_EQ((*store)->DrainGroup(GroupId(1)).status().code(), Code::kUnavailable);
  EXPECT_EQ((*store)->groups()[0].state, GroupState::kActive) << "refused: nothing is changed";
  ASSERT_TRUE((*store)->Reserve(500, 600).ok());
  EXPECT_EQ(number(), 500u);
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

// ---- groups

// A store of one group, with disks 11, 12, 13.
struct Store {
  Store() {
    EXPECT_TRUE(LocalGrantStore::Create(file(), Incarnation(7), {kGroups[0]}).ok());
    Reopen();
  }
  std::string file() const { return dir.path() + "/GRANTS"; }
  void Reopen() {
    auto opened = LocalGrantStore::Open(file(), Incarnation(7));
    ASSERT_TRUE(opened.ok()) << opened.status();
    store = std::move(*opened);
  }
  LocalGrantStore* operator->() { return store.get(); }
  TempDir dir;
  std::unique_ptr<LocalGrantStore> store;
};

uint64_t CounterOf(const Grant& grant) {
  return grant.epoch.value() >> kEpochRandomBits;
}
Group Disks(uint64_t a, uint64_t b, uint64_t c) {
  return {{DiskId(a), DiskId(b), DiskId(c)}};
}

TEST(GrantGroupsTest, ALifeOfAGroup) {
  Store store;
  ASSERT_TRUE(store->TakeGrant().ok());
  Group added = Disks(21, 22, 23);
  added.endpoints = {"tcp://a:1", "tcp://b:1", "tcp://c:1"};
  const auto with = store->AddGroup(added);
  ASSERT_TRUE(with.ok()) << with.status();
  EXPECT_EQ(CounterOf(*with), 2u);
  ASSERT_EQ(with->groups.size(), 2u);
  EXPECT_EQ(with->groups[0].id, GroupId(1));
  EXPECT_EQ(with->groups[1].id, GroupId(2));
  EXPECT_EQ(with->groups[1].endpoints, added.endpoints);
  EXPECT_EQ(with->groups[1].state, GroupState::kActive);

  const auto draining = store->DrainGroup(GroupId(1));
  ASSERT_TRUE(draining.ok());
  EXPECT_EQ(draining->groups[0].state, GroupState::kDraining);
  EXPECT_EQ(draining->groups[0].drained_at, 3u);
  ASSERT_TRUE(store->DrainGroup(GroupId(1)).ok()) << "again is harmless";
  EXPECT_EQ(store->groups()[0].drained_at, 3u);

  store.Reopen();
  EXPECT_EQ(store->groups(), draining->groups) << "all of it is on disk";
  const auto without = store->RemoveGroup(GroupId(1), store->groups());
  ASSERT_TRUE(without.ok());
  EXPECT_EQ(CounterOf(*without), 5u);
  ASSERT_EQ(without->groups.size(), 1u);

  const auto third = store->AddGroup(Disks(31, 32, 33));
  EXPECT_EQ(third->groups[1].id, GroupId(3)) << "a number is never given again";
  store.Reopen();
  ASSERT_TRUE(store->DrainGroup(GroupId(3)).ok());
  ASSERT_TRUE(store->RemoveGroup(GroupId(3), store->groups()).ok());
  store.Reopen();
  EXPECT_EQ(store->AddGroup(Disks(41, 42, 43))->groups[1].id, GroupId(4)) << "nor the highest";
}

TEST(GrantGroupsTest, ADiskIsReplaced) {
  Store store;
  const auto grant = store->ReplaceDisk(GroupId(1), 2, DiskId(99));
  ASSERT_TRUE(grant.ok());
  EXPECT_EQ(CounterOf(*grant), 1u);
  EXPECT_EQ(grant->groups[0].disks, (std::array{DiskId(11), DiskId(12), DiskId(99)}));
  store.Reopen();
  EXPECT_EQ(store->groups(), grant->groups);
}

TEST(GrantGroupsTest, WhatIsNotAllowedChangesNothing) {
  Store store;
  ASSERT_TRUE(store->AddGroup(Disks(21, 22, 23)).ok());
  ASSERT_TRUE(store->DrainGroup(GroupId(2)).ok());
  const std::string before = ReadBytes(store.file());
  const std::vector<Group> groups = store->groups();
  std::vector<Group> changed = groups;
  changed[0].disks[0] = DiskId(77);
  const Status refused[] = {
      store->AddGroup(Disks(31, 32, 31)).status(),       // one disk twice
      store->AddGroup(Disks(31, 12, 33)).status(),       // a disk of another group
      store->AddGroup(Disks(31, 0, 33)).status(),        // none
      store->DrainGroup(GroupId(1)).status(),            // the last active one
      store->DrainGroup(GroupId(9)).status(),            // unknown
      store->RemoveGroup(GroupId(1), groups).status(),   // not draining
      store->RemoveGroup(GroupId(9), groups).status(),   // unknown
      store->RemoveGroup(GroupId(2), changed).status(),  // looked at something else
      store->ReplaceDisk(GroupId(9), 0, DiskId(5)).status(),
      store->ReplaceDisk(GroupId(1), 3, DiskId(5)).status(),
      store->ReplaceDisk(GroupId(1), 0, DiskId(22)).status(),
      store->ReplaceDisk(GroupId(1), 0, DiskId(0)).status(),
  };
  for (const Status& status : refused) EXPECT_EQ(status.code(), Code::kBadRequest) << status;
  EXPECT_EQ(store->groups(), groups);
  EXPECT_EQ(ReadBytes(store.file()), before);
}

TEST(GrantGroupsTest, NoMoreGroupsThanAWriterCanCount) {
  Store store;
  for (uint64_t g = 2; g <= 21; ++g) {
    ASSERT_TRUE(store->AddGroup(Disks(10 * g + 1, 10 * g + 2, 10 * g + 3)).ok()) << g;
  }
  EXPECT_EQ(store->AddGroup(Disks(991, 992, 993)).status().code(), Code::kBadRequest);
  store.Reopen();
  EXPECT_EQ(store->groups().size(), 21u);
}

TEST(GrantGroupsTest, AChangeThatCannotBeWrittenSpendsItsNumberAndIsNotMade) {
  Store store;
  const std::string bytes = ReadBytes(store.file());
  std::filesystem::remove_all(store.dir.path());
  EXPECT_FALSE(store->AddGroup(Disks(21, 22, 23)).ok());
  EXPECT_EQ(store->groups().size(), 1u);
  std::filesystem::create_directory(store.dir.path());
  const auto next = store->AddGroup(Disks(31, 32, 33));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(CounterOf(*next), 2u);
  EXPECT_EQ(next->groups[1].id, GroupId(3)) << "number 2 may have been on disk";
}

TEST(GrantGroupsTest, ACrashBetweenTwoChangesLeavesOneOrTheOther) {
  // The file is replaced as a whole: a temporary one that was left half written is nothing.
  Store store;
  ASSERT_TRUE(store->AddGroup(Disks(21, 22, 23)).ok());
  WriteBytes(store.file() + ".tmp", ReadBytes(store.file()).substr(0, 20));
  store.Reopen();
  EXPECT_EQ(store->groups().size(), 2u);
  EXPECT_TRUE(store->DrainGroup(GroupId(1)).ok());
}

TEST(GrantGroupsTest, AnotherFormatIsRefusedWithASentence) {
  Store store;
  const std::string good = ReadBytes(store.file());
  bool told = false;
  bool older_read = false;
  for (size_t i = 0; i < good.size(); ++i) {  // one of these bytes is the version
    if (good[i] != 3) continue;
    const auto with = [&](char version) {
      std::string bytes = good;
      bytes[i] = version;
      WriteBytes(store.file(), bytes);
      return LocalGrantStore::Open(store.file(), Incarnation(7)).status();
    };
    const Status status = with(1);
    if (status.message().find("has format 1, this program reads formats 2 to 3") ==
        std::string::npos) {
      continue;
    }
    told = status.code() == Code::kCorrupt;
    older_read = with(2).ok();  // of a region that no coordination store gave numbers to
  }
  EXPECT_TRUE(told);
  EXPECT_TRUE(older_read);
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
