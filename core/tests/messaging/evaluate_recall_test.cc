#include <chrono>

#include "core/messaging/sync.h"
#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

struct Talk {
  Talk() : world(2, kShards) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(1, AccountKind::kUser, "bob");
    world.Settle();
  }
  CommandResult Recall(uint64_t id) {
    const CommandResult result = world.Run(0, RecallMessage{alice, ClientMessageId(id)});
    world.Settle();
    return result;
  }
  World world;
  Uin alice;
  Uin bob;
};

TEST(RecallTest, TakesTheBodyAwayAndTellsWhoHasIt) {
  Talk talk;
  const MessageId id = talk.world.Run(0, Send(talk.alice, 1, talk.bob, "oops")).message;
  talk.world.Run(0, Send(talk.alice, 2, talk.bob, "stays"));
  talk.world.Settle();
  const CommandResult recalled = talk.Recall(1);
  EXPECT_TRUE(recalled.changed);
  EXPECT_EQ(recalled.message, id);
  EXPECT_FALSE(talk.Recall(1).changed) << "twice is once";
  for (const int region : {0, 1}) {
    const auto inbox = talk.world.Inbox(region, talk.bob);
    ASSERT_EQ(inbox.size(), 3u);
    EXPECT_EQ(inbox[0].id, id);
    EXPECT_TRUE(inbox[0].recalled);
    EXPECT_EQ(inbox[0].body, "");
    EXPECT_EQ(inbox[1].body, "stays");
    EXPECT_FALSE(inbox[1].recalled);
    EXPECT_EQ(inbox[2].id, id);
    EXPECT_TRUE(inbox[2].is_recall);
    EXPECT_EQ(inbox[2].sender, talk.alice);
  }
  EXPECT_EQ(talk.world.Differences(), Lines({}));
}

TEST(RecallTest, OfAGroupsMessageReachesItsMembers) {
  Talk talk;
  const Uin group = talk.world.NewAccount(1, AccountKind::kGroup, "g");
  talk.world.Run(1, JoinGroup{group, talk.bob});
  talk.world.Run(1, JoinGroup{group, talk.alice});
  talk.world.Settle();
  const MessageId id = talk.world.Run(0, Post(talk.alice, 1, group, "oops")).message;
  talk.world.Settle();
  EXPECT_TRUE(talk.Recall(1).changed);
  const auto inbox = talk.world.Inbox(0, talk.bob);
  ASSERT_EQ(inbox.size(), 2u);
  EXPECT_TRUE(inbox[0].recalled);
  EXPECT_EQ(inbox[0].body, "");
  EXPECT_EQ(inbox[0].group_seq, 1u);
  EXPECT_TRUE(inbox[1].is_recall);
  EXPECT_EQ(inbox[1].id, id);
  EXPECT_EQ(inbox[1].group, group);
  EXPECT_TRUE(talk.world.Inbox(0, talk.alice).empty());
  EXPECT_EQ(talk.world.Differences(), Lines({}));
}

TEST(RecallTest, IsRefusedWhenItIsTooLateOrOfNoMessage) {
  Talk talk;
  talk.world.Run(0, Send(talk.alice, 1, talk.bob, "said"));
  talk.world.Pass(MessagingOptions().recall_within + std::chrono::seconds(1));
  EXPECT_EQ(talk.Recall(1).status.code(), Code::kRefused);
  EXPECT_EQ(talk.Recall(7).status.code(), Code::kBadRequest);
  EXPECT_EQ(talk.world.Bodies(1, talk.bob), Lines({"said"}));
}

TEST(RecallTest, OvertakesNothingAndFindsNothingWhereNothingWasDelivered) {
  Talk talk;
  const Uin late = talk.world.NewUinAt(1);
  talk.world.Run(0, Send(talk.alice, 1, late, "early"));
  talk.world.Run(1, BlockContact{talk.bob, talk.alice, true});
  talk.world.Run(0, Send(talk.alice, 2, talk.bob, "dropped"));
  talk.world.Settle();
  EXPECT_TRUE(talk.Recall(1).changed);  // parked behind the message
  EXPECT_TRUE(talk.Recall(2).changed);
  talk.world.Run(1, CreateAccount{late, AccountKind::kUser, "late"});
  const auto inbox = talk.world.Inbox(1, late);
  ASSERT_EQ(inbox.size(), 2u);
  EXPECT_TRUE(inbox[0].recalled);
  EXPECT_TRUE(inbox[1].is_recall);
  EXPECT_TRUE(talk.world.Inbox(1, talk.bob).empty());
}

TEST(RecallTest, DoesNotBringBackWhatIsTrimmed) {
  Talk talk;
  talk.world.Run(0, Send(talk.alice, 1, talk.bob, "old"));
  talk.world.Settle();
  // Only bob's region sees so much time: the message is gone when the recall comes.
  EXPECT_TRUE(talk.world.Run(0, RecallMessage{talk.alice, ClientMessageId(1)}).changed);
  talk.world.Pass(std::chrono::hours(31 * 24));
  talk.world.TrimInboxes(1);
  talk.world.Settle();
  const auto inbox = talk.world.Inbox(1, talk.bob);
  ASSERT_EQ(inbox.size(), 1u);
  EXPECT_TRUE(inbox[0].is_recall);
  EXPECT_EQ(talk.world.Differences(), Lines({}));
}

}  // namespace
}  // namespace homeport::core
