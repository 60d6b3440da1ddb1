// Contacts and groups with an owner in a world of faults: whatever was done at the same time, both
// sides of a relation agree in the end, and each member has each of its group's events once, in
// their order. Commands are sent again, also long after they were answered: they have an id.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "core/config.h"
#include "core/messaging/keys.h"
#include "core/messaging/rows.h"
#include "core/messaging/user_rows.h"
#include "replicator/tests/chat.h"
#include "replicator/tests/world.h"

namespace homeport::replicator {
namespace {

using core::ClientMessageId;
using core::GroupEventKind;

class Relations {
 public:
  explicit Relations(World* world) : world_(*world) {
    for (size_t region = 0; region < world_.regions(); ++region) {
      for (int n = 0; n < 2; ++n) {
        const std::string name = "user-" + std::to_string(region) + "-" + std::to_string(n);
        people_.push_back({world_.MustCreate(region, AccountKind::kUser, name), region});
      }
    }
    for (size_t region = 0; region < world_.regions(); ++region) {
      Group group;
      group.home = region;
      group.uin = world_.Must(region, core::NewUin{}).uin;
      group.owner = world_.Random(people_.size());
      group.members = {group.owner};
      const std::string name = "group-" + std::to_string(region);
      const auto made =
          world_.Must(region, core::CreateGroup{group.uin, name, people_[group.owner].uin, ""});
      EXPECT_TRUE(made.status.ok()) << made.status;
      groups_.push_back(std::move(group));
    }
  }
  void Start(size_t each) {
    under_way_ += people_.size() + groups_.size();  // what each goes on with
    for (size_t i = 0; i < people_.size(); ++i) NextOfPerson(i, each);
    for (size_t g = 0; g < groups_.size(); ++g) NextOfGroup(g, each);
  }
  bool Done() const { return under_way_ == 0; }
  void Check() const {
    for (size_t region = 0; region < world_.regions(); ++region) {
      SCOPED_TRACE("in region " + std::to_string(region));
      CheckContacts(region);
      for (const Group& group : groups_) CheckGroup(region, group);
    }
  }
  size_t friends() const { return friends_; }

 private:
  struct Person {
    Uin uin;
    size_t home;
    std::map<size_t, bool> wants = {};  // by its last command about that one
  };
  struct Event {
    GroupEventKind kind;
    size_t subject = 0;
    std::set<size_t> told;  // people
  };
  struct Group {
    Uin uin;
    size_t home = 0;
    size_t owner = 0;
    std::set<size_t> members;
    uint64_t titles = 0;
    std::vector<Event> events;
  };

  ClientMessageId NextId() { return ClientMessageId(++ids_); }

  // Does it, and now and then once more after a while, as a late copy would.
  void DoOnce(size_t region, const core::Command& command, const World::OnDone& done) {
    ++under_way_;
    world_.Do(region, command, [this, region, command, done](const core::CommandResult& result) {
      EXPECT_TRUE(result.status.ok()) << result.status;
      done(result);
      --under_way_;
      if (!world_.Chance(300)) return;
      ++under_way_;
      world_.At(milliseconds(world_.Random(3000)), [this, region, command, result] {
        world_.Do(region, command, [this, result](const core::CommandResult& again) {
          EXPECT_EQ(again.changed, result.changed) << "the first answer";
          --under_way_;
        });
      });
    });
  }

  void NextOfPerson(size_t i, size_t left) {
    if (left == 0) {
      --under_way_;
      return;
    }
    const size_t peer = (i + 1 + world_.Random(people_.size() - 1)) % people_.size();
    const bool wants = world_.Chance(600);
    const auto& [user, home, known] = people_[i];
    core::Command command = core::DeleteContact{user, people_[peer].uin, NextId()};
    if (wants) command = core::AskContact{user, people_[peer].uin, "hi", NextId()};
    DoOnce(home, command, [this, i, peer, wants, left](const core::CommandResult&) {
      people_[i].wants[peer] = wants;
      world_.At(milliseconds(world_.Random(200)), [this, i, left] { NextOfPerson(i, left - 1); });
    });
  }

  void NextOfGroup(size_t g, size_t left) {
    if (left == 0) {
      --under_way_;
      return;
    }
    Group& group = groups_[g];
    const Uin owner = people_[group.owner].uin;
    const size_t subject = world_.Random(people_.size());
    const Uin user = people_[subject].uin;
    const uint64_t dice = world_.Random(100);
    Event event{GroupEventKind::kRenamed, subject, {}};
    core::Command command =
        core::RenameGroup{group.uin, owner, std::to_string(++group.titles), NextId()};
    if (dice < 45) {
      event.kind = GroupEventKind::kAdded;
      command = core::AddMember{group.uin, owner, user, NextId()};
    } else if (dice < 75 && subject != group.owner) {
      event.kind = GroupEventKind::kRemoved;
      command = core::RemoveMember{group.uin, owner, user, NextId()};
    } else if (dice < 85 && group.members.contains(subject)) {
      event.kind = GroupEventKind::kTransferred;
      command = core::TransferGroup{group.uin, owner, user, NextId()};
    }
    DoOnce(group.home, command, [this, g, left, event](const core::CommandResult& result) {
      if (result.changed) Happened(&groups_[g], event);
      world_.At(milliseconds(world_.Random(200)), [this, g, left] { NextOfGroup(g, left - 1); });
    });
  }
  static void Happened(Group* group, Event event) {
    if (event.kind == GroupEventKind::kAdded) group->members.insert(event.subject);
    event.told = group->members;
    if (event.kind == GroupEventKind::kRemoved) group->members.erase(event.subject);
    if (event.kind == GroupEventKind::kTransferred) group->owner = event.subject;
    group->events.push_back(std::move(event));
  }

  core::Contact ContactOf(size_t region, size_t i, size_t peer) const {
    const Uin user = people_[i].uin;
    const auto bytes = core::ReadLive(
        world_.store(region),
        core::ContactKey(core::ShardOf(user, world_.shards()), user, people_[peer].uin));
    return bytes.has_value() ? core::DecodeContact(*bytes).value() : core::Contact{};
  }
  void CheckContacts(size_t region) const {
    for (size_t a = 0; a < people_.size(); ++a) {
      for (size_t b = 0; b < people_.size(); ++b) {
        const core::Contact mine = ContactOf(region, a, b);
        EXPECT_EQ(mine.mine, ContactOf(region, b, a).peers) << "person " << a << " of " << b;
        // A wish that the peer has taken back is none any more, though nobody withdrew it.
        const core::Relation relation = mine.relation();
        const bool holds =
            relation == core::Relation::kAsked || relation == core::Relation::kFriends;
        const auto last = people_[a].wants.find(b);
        const bool wants = last != people_[a].wants.end() && last->second;
        EXPECT_TRUE(wants ? mine.mine.wants : !holds)
            << "person " << a << " of " << b << ": a late copy was done again";
        if (mine.relation() == core::Relation::kFriends) ++friends_;
      }
    }
  }
  void CheckGroup(size_t region, const Group& group) const {
    std::vector<Uin> members;
    for (const size_t member : group.members) members.push_back(people_[member].uin);
    std::sort(members.begin(), members.end());
    EXPECT_EQ(core::ListMembers(world_.store(region), world_.shards(), group.uin, Uin(), 1000),
              members);
    for (size_t i = 0; i < people_.size(); ++i) {
      std::vector<std::pair<GroupEventKind, Uin>> expected;
      for (const Event& event : group.events) {
        const bool of_somebody = event.kind != GroupEventKind::kRenamed;
        if (!event.told.contains(i)) continue;
        expected.emplace_back(event.kind, of_somebody ? people_[event.subject].uin : Uin());
      }
      std::vector<std::pair<GroupEventKind, Uin>> got;
      for (const core::SyncMessage& message : Inbox(world_, region, people_[i].uin)) {
        if (message.group != group.uin || message.event.kind == GroupEventKind::kCreated) continue;
        got.emplace_back(message.event.kind, message.event.subject);
      }
      EXPECT_EQ(got, expected) << "person " << i;
    }
  }

  World& world_;
  std::vector<Person> people_;
  std::vector<Group> groups_;
  uint64_t ids_ = 0;
  size_t under_way_ = 0;
  mutable size_t friends_ = 0;  // seen by Check
};

TEST(RegionRelationsTest, BothSidesAgreeAndEventsComeOnceWhateverHappens) {
  size_t friends = 0;
  RunSeeds(25, [&](uint64_t seed) {
    WorldOptions options = RandomWorld(seed);
    World world(options);
    Relations relations(&world);
    relations.Start(12);
    ScheduleFaults(&world, world.now() + seconds(8));
    EXPECT_TRUE(world.RunUntil([&] { return relations.Done(); }, seconds(600)));
    world.StopChaos();
    ASSERT_TRUE(world.RunToRest(seconds(180))) << "comes to rest";
    EXPECT_EQ(DigestDifference(world), "");
    EXPECT_EQ(world.stops(), std::vector<std::string>());
    relations.Check();
    friends += relations.friends();
  });
  EXPECT_GT(friends, 0u) << "or nothing much was tried";
}

}  // namespace
}  // namespace homeport::replicator
