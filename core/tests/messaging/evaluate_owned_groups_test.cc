#include "core/messaging/sync.h"
#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

// alice of region 0 owns a group of region 1; bob and carol live in regions 1 and 0.
struct Club {
  explicit Club(MessagingOptions options = {}) : world(2, kShards, options) {
    alice = world.NewAccount(0, AccountKind::kUser, "alice");
    bob = world.NewAccount(1, AccountKind::kUser, "bob");
    carol = world.NewAccount(0, AccountKind::kUser, "carol");
    world.Settle();
    group = world.NewUinAt(1);
    EXPECT_TRUE(Group(CreateGroup{group, "club", alice, "The Club"}).changed);
  }
  CommandResult Group(const Command& command) {
    const CommandResult result = world.Run(1, command);
    world.Settle();
    return result;
  }
  CommandResult Post(int region, Uin from, uint64_t id, const std::string& body) {
    const CommandResult result = world.Run(region, core::Post(from, id, group, body));
    world.Settle();
    return result;
  }
  // What a user has of the group: bodies, and events by kind.
  std::vector<std::string> Got(Uin user) {
    std::vector<std::string> lines;
    for (const SyncMessage& message : world.Inbox(0, user)) {
      lines.push_back(message.event.kind == GroupEventKind::kNone
                          ? message.body
                          : "event " + std::to_string(static_cast<int>(message.event.kind)));
    }
    return lines;
  }
  AccountInfo account() { return FindAccount(world.store(0), kShards, group).value(); }
  std::set<Uin> members() {
    const auto listed = ListMembers(world.store(0), kShards, group, Uin(), 1000);
    return {listed.begin(), listed.end()};
  }
  World world;
  Uin alice;
  Uin bob;
  Uin carol;
  Uin group;
};

TEST(OwnedGroupsTest, BeginWithTheirOwner) {
  Club club;
  EXPECT_EQ(club.account().owner, club.alice);
  EXPECT_EQ(club.account().title, "The Club");
  EXPECT_EQ(club.members(), std::set<Uin>{club.alice});
  EXPECT_EQ(club.Got(club.alice), Lines({"event 1"}));
  EXPECT_FALSE(club.Group(CreateGroup{club.group, "club", club.alice, "The Club"}).changed);
  EXPECT_EQ(club.Group(CreateGroup{club.group, "other", club.alice, ""}).status.code(),
            Code::kTaken);
  const Uin fresh = club.world.NewUinAt(1);
  EXPECT_EQ(club.Group(CreateGroup{fresh, "x", Uin(), ""}).status.code(), Code::kBadRequest);
}

TEST(OwnedGroupsTest, EveryChangeIsAnEventAtItsPlaceForWhoIsAMember) {
  Club club;
  EXPECT_TRUE(club.Group(JoinGroup{club.group, club.bob}).changed);
  EXPECT_TRUE(club.Post(1, club.bob, 1, "hello").status.ok());
  EXPECT_TRUE(club.Group(AddMember{club.group, club.alice, club.carol}).changed);
  EXPECT_FALSE(club.Group(AddMember{club.group, club.alice, club.carol}).changed);
  EXPECT_TRUE(club.Group(RenameGroup{club.group, club.alice, "New"}).changed);
  EXPECT_FALSE(club.Group(RenameGroup{club.group, club.alice, "New"}).changed);
  EXPECT_TRUE(club.Group(CloseGroup{club.group, club.alice, true}).changed);
  EXPECT_TRUE(club.Group(CloseGroup{club.group, club.alice, false}).changed);
  EXPECT_TRUE(club.Group(LeaveGroup{club.group, club.bob}).changed);
  EXPECT_TRUE(club.Post(0, club.carol, 1, "bye").status.ok());
  EXPECT_TRUE(club.Group(RemoveMember{club.group, club.alice, club.carol}).changed);
  EXPECT_FALSE(club.Group(RemoveMember{club.group, club.alice, club.carol}).changed);
  EXPECT_TRUE(club.Post(0, club.alice, 1, "alone").status.ok());
  EXPECT_EQ(club.Got(club.alice), Lines({"event 1", "event 3", "hello", "event 5", "event 2",
                                         "event 8", "event 9", "event 4", "bye", "event 6"}));
  // History from joining on, and till leaving, that included.
  EXPECT_EQ(club.Got(club.bob),
            Lines({"event 3", "event 5", "event 2", "event 8", "event 9", "event 4"}));
  EXPECT_EQ(club.Got(club.carol),
            Lines({"event 5", "event 2", "event 8", "event 9", "event 4", "event 6"}));
  uint64_t last = 0;
  for (const SyncMessage& message : club.world.Inbox(1, club.alice)) {
    EXPECT_LT(last, message.group_seq);
    last = message.group_seq;
    if (message.event.kind == GroupEventKind::kRemoved) {
      EXPECT_EQ(message.event.subject, club.carol);
      EXPECT_EQ(message.sender, club.alice);
    }
  }
  EXPECT_EQ(club.account().title, "New");
  EXPECT_EQ(club.world.Differences(), Lines({}));
}

TEST(OwnedGroupsTest, OnlyTheOwnerManagesAndOnlyMembersPost) {
  Club club;
  club.Group(JoinGroup{club.group, club.bob});
  const auto code = [&](const Command& command) { return club.Group(command).status.code(); };
  EXPECT_EQ(code(RenameGroup{club.group, club.bob, "x"}), Code::kRefused);
  EXPECT_EQ(code(CloseGroup{club.group, club.bob, true}), Code::kRefused);
  EXPECT_EQ(code(AddMember{club.group, club.bob, club.carol}), Code::kRefused);
  EXPECT_EQ(code(RemoveMember{club.group, club.bob, club.alice}), Code::kRefused);
  EXPECT_EQ(code(TransferGroup{club.group, club.bob, club.bob}), Code::kRefused);
  EXPECT_EQ(code(LeaveGroup{club.group, club.alice}), Code::kRefused);
  EXPECT_EQ(code(RemoveMember{club.group, club.alice, club.alice}), Code::kRefused);
  EXPECT_EQ(code(TransferGroup{club.group, club.alice, club.carol}), Code::kRefused);
  EXPECT_EQ(club.Post(0, club.carol, 1, "x").status.code(), Code::kRefused);
  EXPECT_EQ(code(AddMember{club.group, club.alice, club.group}), Code::kBadRequest);
  EXPECT_EQ(code(RenameGroup{club.group, club.alice, std::string(kLabelBytesMax + 1, 'x')}),
            Code::kTooLarge);
}

TEST(OwnedGroupsTest, AMessageThatItsHomeAcceptedOfWhoIsNoMemberIsDropped) {
  Club club;
  club.Group(JoinGroup{club.group, club.bob});
  club.Group(AddMember{club.group, club.alice, club.carol});
  // Region 0 has not heard of it when carol posts.
  club.world.Run(1, RemoveMember{club.group, club.alice, club.carol});
  EXPECT_TRUE(club.world.Run(0, Post(club.carol, 1, club.group, "too late")).status.ok());
  club.world.Settle();
  for (const std::string& line : club.Got(club.bob)) EXPECT_NE(line, "too late");
}

TEST(OwnedGroupsTest, ChangeHandsAndThenTheOldOwnerMayLeave) {
  Club club;
  club.Group(JoinGroup{club.group, club.bob});
  EXPECT_TRUE(club.Group(TransferGroup{club.group, club.alice, club.bob}).changed);
  EXPECT_EQ(club.account().owner, club.bob);
  EXPECT_EQ(club.Group(RenameGroup{club.group, club.alice, "x"}).status.code(), Code::kRefused);
  EXPECT_TRUE(club.Group(RenameGroup{club.group, club.bob, "x"}).changed);
  EXPECT_TRUE(club.Group(LeaveGroup{club.group, club.alice}).changed);
  club.world.Crash(1, [](size_t) { return size_t{0}; });
  EXPECT_TRUE(club.Group(RenameGroup{club.group, club.bob, "y"}).changed);
}

TEST(OwnedGroupsTest, AreOfLimitedSizeAndMayBeClosed) {
  MessagingOptions options;
  options.group_members_max = 3;
  Club club(options);
  club.Group(CloseGroup{club.group, club.alice, true});
  EXPECT_EQ(club.Group(JoinGroup{club.group, club.bob}).status.code(), Code::kRefused);
  EXPECT_TRUE(club.Group(AddMember{club.group, club.alice, club.bob}).changed);
  EXPECT_TRUE(club.Group(AddMember{club.group, club.alice, club.carol}).changed);
  const Uin dave = club.world.NewAccount(0, AccountKind::kUser, "dave");
  const CommandResult full = club.Group(AddMember{club.group, club.alice, dave});
  EXPECT_EQ(full.status.code(), Code::kTooLarge);
  EXPECT_EQ(full.status.detail(), 3u);
  EXPECT_TRUE(club.Group(RemoveMember{club.group, club.alice, club.bob}).changed);
  EXPECT_TRUE(club.Group(AddMember{club.group, club.alice, dave}).changed);
}

TEST(ProfileTest, FieldsAreSetRemovedAndSynced) {
  World world(2, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  EXPECT_TRUE(world.Run(0, SetProfile{alice, {{"city", "Hamburg"}, {"motto", "ahoy"}}}).changed);
  EXPECT_FALSE(world.Run(0, SetProfile{alice, {{"city", "Hamburg"}}}).changed);
  EXPECT_TRUE(world.Run(0, SetProfile{alice, {{"motto", ""}}}).changed);
  world.Settle();
  const auto page = ReadSync(world.store(1), {kShards, {}}, alice, {}, "", {});
  ASSERT_TRUE(page.ok() && page->account.has_value());
  EXPECT_EQ(page->account->account.fields, (std::vector<ProfileField>{{"city", "Hamburg"}}));
  EXPECT_EQ(page->account->account.name, "alice");
  EXPECT_EQ(world.Run(1, SetProfile{alice, {{"a", "b"}}}).status.code(), Code::kMoved);
  // What it is stays as it was.
  EXPECT_TRUE(world.Run(0, Send(alice, 1, alice, "x")).changed);
}

TEST(ProfileTest, IsLimited) {
  World world(1, kShards);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  std::vector<ProfileField> many;
  for (uint64_t i = 0; i <= kProfileFieldsMax; ++i) many.push_back({std::to_string(i), "x"});
  EXPECT_EQ(world.Run(0, SetProfile{alice, many}).status.code(), Code::kTooLarge);
  many.pop_back();
  EXPECT_TRUE(world.Run(0, SetProfile{alice, many}).changed);
  EXPECT_EQ(
      world.Run(0, SetProfile{alice, {{"long", std::string(kProfileBytesMax, 'x')}}}).status.code(),
      Code::kTooLarge);
  EXPECT_EQ(world.Run(0, SetProfile{alice, {{"", "x"}}}).status.code(), Code::kBadRequest);
  EXPECT_EQ(FindAccount(world.store(0), kShards, alice)->fields.size(), kProfileFieldsMax);
}

}  // namespace
}  // namespace homeport::core
