#include "core/messaging/contact.h"

#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <set>
#include <tuple>
#include <vector>

namespace homeport::core {
namespace {

bool Want(Contact* contact) {
  return core::Want(contact, {});
}
bool Unwant(Contact* contact) {
  return core::Unwant(contact, {});
}

Contact After(std::initializer_list<bool (*)(Contact*)> steps) {
  Contact contact;
  for (const auto step : steps) step(&contact);
  return contact;
}

TEST(ContactTest, AskingAndAcceptingMakesFriends) {
  Contact alice = After({Want});
  Contact bob;
  EXPECT_EQ(alice.relation(), Relation::kAsked);
  EXPECT_TRUE(Learn(&bob, alice.mine));
  EXPECT_EQ(bob.relation(), Relation::kAsking);
  EXPECT_TRUE(Want(&bob));
  EXPECT_EQ(bob.relation(), Relation::kFriends);
  EXPECT_TRUE(Learn(&alice, bob.mine));
  EXPECT_EQ(alice.relation(), Relation::kFriends);
}

TEST(ContactTest, WhatChangesNothingIsTold) {
  Contact alice;
  EXPECT_FALSE(Unwant(&alice));
  EXPECT_TRUE(Want(&alice));
  EXPECT_FALSE(Want(&alice));
  EXPECT_FALSE(Learn(&alice, {}));
  Contact bob;
  EXPECT_TRUE(Learn(&bob, alice.mine));
  EXPECT_FALSE(Learn(&bob, alice.mine));
}

TEST(ContactTest, TakingBackEndsItForBoth) {
  Contact alice = After({Want});
  Contact bob;
  Learn(&bob, alice.mine);
  Want(&bob);
  Learn(&alice, bob.mine);
  EXPECT_TRUE(Unwant(&alice));
  EXPECT_EQ(alice.relation(), Relation::kNone);
  EXPECT_TRUE(Learn(&bob, alice.mine));
  EXPECT_EQ(bob.relation(), Relation::kNone);
  // And it can begin again.
  EXPECT_TRUE(Want(&bob));
  Learn(&alice, bob.mine);
  EXPECT_EQ(bob.relation(), Relation::kAsked);
  EXPECT_EQ(alice.relation(), Relation::kAsking);
}

TEST(ContactTest, AnAcceptanceThatMeetsARemovalIsARequest) {
  Contact alice = After({Want});
  Contact bob;
  Learn(&bob, alice.mine);
  Want(&bob);
  Unwant(&alice);
  Learn(&alice, bob.mine);
  Learn(&bob, alice.mine);
  EXPECT_EQ(alice.relation(), Relation::kAsking);
  EXPECT_EQ(bob.relation(), Relation::kAsked);
}

// A takeover may lose the newest change of one side; what it does next counts all the same.
TEST(ContactTest, AHomeThatLostAChangeStillCountsUp) {
  const Contact alice = After({Want, Unwant, Want});
  Contact bob;
  Learn(&bob, alice.mine);
  Contact lost = After({Want, Unwant});
  EXPECT_TRUE(core::Want(&lost, {1, 0}));
  EXPECT_TRUE(core::Unwant(&lost, {1, 0}));
  EXPECT_TRUE(Learn(&bob, lost.mine));
  EXPECT_EQ(bob.relation(), Relation::kNone);
}

Relation Mirrored(Relation relation) {
  if (relation == Relation::kAsked) return Relation::kAsking;
  if (relation == Relation::kAsking) return Relation::kAsked;
  return relation;
}

using Key = std::tuple<Stamp, bool, Stamp>;
Key KeyOf(const ContactHalf& half) {
  return {half.at, half.wants, half.takes_back};
}

// Both sides, and what is on the way to each.
struct Pair {
  std::array<Contact, 2> sides;
  std::array<std::deque<ContactHalf>, 2> to;
  int steps_left = 0;

  auto key() const {
    std::vector<Key> keys;
    for (int i = 0; i < 2; ++i) {
      keys.push_back(KeyOf(sides[i].mine));
      keys.push_back(KeyOf(sides[i].peers));
      for (const ContactHalf& half : to[i]) keys.push_back(KeyOf(half));
      keys.emplace_back(Stamp{{}, Version(UINT64_MAX)}, false, Stamp{});
    }
    return std::pair(steps_left, keys);
  }
};

// Every order of up to seven changes on two sides and of the deliveries between them.
TEST(ContactTest, BothSidesAgreeWhenAllHasArrived) {
  std::vector<Pair> open(1);
  open[0].steps_left = 7;
  std::set<decltype(open[0].key())> seen = {open[0].key()};
  size_t at_rest = 0;
  std::set<Relation> reached;
  const auto visit = [&](Pair pair) {
    if (seen.insert(pair.key()).second) open.push_back(std::move(pair));
  };
  while (!open.empty()) {
    const Pair pair = std::move(open.back());
    open.pop_back();
    if (pair.to[0].empty() && pair.to[1].empty()) {
      ++at_rest;
      ASSERT_EQ(pair.sides[0].relation(), Mirrored(pair.sides[1].relation()));
      reached.insert(pair.sides[0].relation());
    }
    for (int i = 0; i < 2; ++i) {
      if (!pair.to[i].empty()) {
        Pair next = pair;
        Learn(&next.sides[i], next.to[i].front());
        next.to[i].pop_front();
        visit(std::move(next));
      }
      for (const auto change : {Want, Unwant}) {
        Pair next = pair;
        if (next.steps_left == 0 || !change(&next.sides[i])) continue;
        --next.steps_left;
        next.to[1 - i].push_back(next.sides[i].mine);
        visit(std::move(next));
      }
    }
  }
  EXPECT_GT(at_rest, 100u);
  EXPECT_EQ(reached.size(), 4u);
}

}  // namespace
}  // namespace homeport::core
