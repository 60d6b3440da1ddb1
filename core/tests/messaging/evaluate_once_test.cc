// Commands that come again long after they were answered (core/messaging/executed.h).
#include <gtest/gtest.h>

#include "core/messaging/executed.h"
#include "core/messaging/keys.h"
#include "core/messaging/records.h"
#include "core/messaging/rows.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

constexpr uint16_t kShards = 4;

ClientMessageId Id(uint64_t n) {
  return ClientMessageId(n);
}

struct Alice {
  Alice() : uin(world.NewAccount(0, AccountKind::kUser, "alice")) {}
  CommandResult Must(const Command& command) {
    CommandResult result = world.Run(0, command);
    EXPECT_TRUE(result.status.ok()) << result.status;
    return result;
  }
  std::string Draft() {
    const auto page = ReadRecords(world.store(0), {kShards, {}}, uin, "drafts", "", {});
    return page->records.empty() ? "" : page->records[0].value;
  }
  World world{1, kShards};
  Uin uin;
};

// It was executed again, and overwrote what another device had put meanwhile.
TEST(OnceTest, ARecordPutThatComesAgainLateChangesNothing) {
  Alice alice;
  const PutRecord first{alice.uin, "drafts", "k", "of the phone", Id(1)};
  EXPECT_TRUE(alice.Must(first).changed);
  EXPECT_TRUE(alice.Must(PutRecord{alice.uin, "drafts", "k", "of the desk", Id(2)}).changed);
  EXPECT_TRUE(alice.Must(first).changed) << "its first answer";
  EXPECT_EQ(alice.Draft(), "of the desk");
  const DeleteRecord gone{alice.uin, "drafts", "k", Id(3)};
  EXPECT_TRUE(alice.Must(gone).changed);
  EXPECT_TRUE(alice.Must(PutRecord{alice.uin, "drafts", "k", "anew", Id(4)}).changed);
  EXPECT_TRUE(alice.Must(gone).changed);
  EXPECT_EQ(alice.Draft(), "anew");
}

// Also one that changed nothing when it was executed.
TEST(OnceTest, SoDoesAPutOfWhatWasThereAlready) {
  Alice alice;
  alice.Must(PutRecord{alice.uin, "drafts", "k", "a"});
  const PutRecord same{alice.uin, "drafts", "k", "a", Id(1)};
  EXPECT_FALSE(alice.Must(same).changed);
  alice.Must(PutRecord{alice.uin, "drafts", "k", "b", Id(2)});
  EXPECT_FALSE(alice.Must(same).changed);
  EXPECT_EQ(alice.Draft(), "b");
}

TEST(OnceTest, WithoutAnIdACommandIsExecutedEachTime) {
  Alice alice;
  const PutRecord first{alice.uin, "drafts", "k", "a"};
  alice.Must(first);
  alice.Must(PutRecord{alice.uin, "drafts", "k", "b"});
  EXPECT_TRUE(alice.Must(first).changed);
  EXPECT_EQ(alice.Draft(), "a");
}

TEST(OnceTest, WhatWasRefusedMayBeTriedAgainUnderItsId) {
  Alice alice;
  const PutRecord large{alice.uin, "drafts", "k", std::string(kRecordBytesMax + 1, 'x'), Id(1)};
  EXPECT_EQ(alice.world.Run(0, large).status.code(), Code::kTooLarge);
  EXPECT_TRUE(alice.Must(PutRecord{alice.uin, "drafts", "k", "a", Id(1)}).changed);
}

TEST(OnceTest, ProfileContactsDevicesAndGroupsLikewise) {
  Alice alice;
  World& world = alice.world;
  const Uin bob = world.NewAccount(0, AccountKind::kUser, "bob");
  const SetProfile mood{alice.uin, {{"mood", "fine"}}, Id(1)};
  alice.Must(mood);
  alice.Must(SetProfile{alice.uin, {{"mood", "bad"}}, Id(2)});
  alice.Must(mood);
  EXPECT_EQ(FindAccount(world.store(0), kShards, alice.uin)->fields[0].value, "bad");

  const BlockContact block{alice.uin, bob, true, Id(3)};
  alice.Must(block);
  alice.Must(BlockContact{alice.uin, bob, false, Id(4)});
  alice.Must(block);
  EXPECT_TRUE(world.Run(0, Send(bob, 1, alice.uin, "hi")).status.ok());

  const RegisterDevice phone{alice.uin, 77, "phone", Id(5)};
  const DeviceNumber number = alice.Must(phone).device;
  alice.Must(RemoveDevice{alice.uin, number});
  EXPECT_EQ(alice.Must(phone).device, number) << "the first answer";
  EXPECT_TRUE(ReadCounters(world.store(0), ShardOf(alice.uin, kShards), alice.uin)
                  .counters.devices.empty());

  const Uin group = world.NewUinAt(0);
  alice.Must(CreateGroup{group, "g", alice.uin, ""});
  const AddMember add{group, alice.uin, bob, Id(6)};
  alice.Must(add);
  alice.Must(RemoveMember{group, alice.uin, bob, Id(7)});
  EXPECT_TRUE(alice.Must(add).changed);
  EXPECT_EQ(ListMembers(world.store(0), kShards, group, Uin(), 10), std::vector<Uin>{alice.uin});
}

// Two commands of one entry, the second the first's repeat: found in what is drafted.
TEST(OnceTest, ARepeatInTheSameEntryIsSeen) {
  Alice alice;
  const ShardId shard = ShardOf(alice.uin, kShards);
  Evaluator& evaluator = alice.world.Open(0, shard);
  const PutRecord put{alice.uin, "drafts", "k", "a", Id(1)};
  EXPECT_TRUE(evaluator.Execute(put).changed);
  EXPECT_TRUE(evaluator.Execute(PutRecord{alice.uin, "drafts", "k", "b", Id(2)}).changed);
  EXPECT_TRUE(evaluator.Execute(put).changed);
  alice.world.Finish(0, shard);
  alice.world.Settle();
  EXPECT_EQ(alice.Draft(), "b");
}

TEST(OnceTest, RemembersTheLastOnes) {
  Alice alice;
  for (uint64_t n = 1; n <= kExecutedMax + 5; ++n) {
    alice.Must(PutRecord{alice.uin, "drafts", "k", std::to_string(n), Id(n)});
  }
  const auto row =
      ReadLive(alice.world.store(0), ExecutedKey(ShardOf(alice.uin, kShards), alice.uin));
  ASSERT_TRUE(row.has_value());
  const auto known = DecodeExecuted(*row);
  ASSERT_EQ(known->size(), kExecutedMax);
  EXPECT_EQ(known->front().once, Id(6));
  EXPECT_EQ(known->back().once, Id(kExecutedMax + 5));
}

TEST(OnceTest, TheRowComesBackAsItWas) {
  const Executed commands = {{Id(1), DeviceNumber(2), true}, {Id(~0ull), DeviceNumber(0), false}};
  EXPECT_EQ(DecodeExecuted(EncodeExecuted(commands)), commands);
  EXPECT_FALSE(DecodeExecuted("what is none").has_value());
}

}  // namespace
}  // namespace homeport::core
