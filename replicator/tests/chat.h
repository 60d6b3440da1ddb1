// Chat: users of all regions of a World who send to one another and to groups, one message after
// the other, and what must have come of it; and random faults for such a world.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/format.h"
#include "replicator/tests/world.h"

namespace homeport::replicator {

using core::AccountKind;
using core::Code;
using core::Uin;

inline uint64_t NumberOf(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

inline void RunSeeds(uint64_t seeds, const std::function<void(uint64_t seed)>& run) {
  uint64_t first = NumberOf("HOMEPORT_SEED", 0);
  uint64_t count = NumberOf("HOMEPORT_SEEDS", seeds);
  if (first != 0) count = NumberOf("HOMEPORT_SEEDS", 1);
  if (first == 0) first = 1;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE("HOMEPORT_SEED=" + std::to_string(seed));
    run(seed);
    if (testing::Test::HasFailure()) return;
  }
}

// Chat: users of all regions who send to one another and to groups, one message after the other.
class Chat {
 public:
  struct Person {
    Uin uin;
    size_t home;
    uint64_t sent = 0;
    uint64_t to_send = 0;
    bool sending = false;  // goes on by itself
  };
  struct Group {
    Uin uin;
    size_t home;
    std::vector<size_t> members;  // indices of people
  };

  explicit Chat(World* world) : world_(*world) {}

  void CreatePeople(size_t per_region) {
    for (size_t region = 0; region < world_.regions(); ++region) {
      for (size_t n = 0; n < per_region; ++n) {
        const std::string name = "user-" + std::to_string(region) + "-" + std::to_string(n);
        people_.push_back({world_.MustCreate(region, AccountKind::kUser, name), region});
      }
    }
  }
  void CreateGroups() {
    for (size_t region = 0; region < world_.regions(); ++region) {
      const std::string name = "group-" + std::to_string(region);
      Group group{world_.MustCreate(region, AccountKind::kGroup, name), region, {}};
      for (size_t i = 0; i < people_.size(); ++i) {
        if (world_.Chance(300)) continue;
        const auto joined = world_.Must(region, core::JoinGroup{group.uin, people_[i].uin});
        ASSERT_TRUE(joined.status.ok()) << joined.status;
        group.members.push_back(i);
      }
      groups_.push_back(std::move(group));
    }
  }
  void StartSending(uint64_t each) {
    for (size_t i = 0; i < people_.size(); ++i) {
      people_[i].to_send += each;
      if (!people_[i].sending) SendNext(i);
    }
  }
  bool Done() const {
    for (const Person& person : people_) {
      if (person.sent < person.to_send) return false;
    }
    return true;
  }
  void Check(size_t region) const;
  // That this is all that person i is to receive.
  void CheckReceived(size_t i, const std::vector<core::SyncMessage>& messages) const;
  const std::vector<Person>& people() const { return people_; }
  const std::vector<Group>& groups() const { return groups_; }
  // People move: then their senders' order is kept for none.
  void AllowMoves() { moves_ = true; }

 private:
  struct Sent {
    size_t from;
    std::optional<size_t> to;     // of people_
    std::optional<size_t> group;  // of groups_
    uint64_t number;
    core::MessageId id;
  };
  void SendNext(size_t from);
  static std::string BodyOf(size_t from, uint64_t number) {
    return std::to_string(from) + ":" + std::to_string(number);
  }

  World& world_;
  std::vector<Person> people_;
  std::vector<Group> groups_;
  std::vector<Sent> sent_;
  bool moves_ = false;
};

inline void Chat::SendNext(size_t from) {
  Person& person = people_[from];
  person.sending = person.sent < person.to_send;
  if (!person.sending) return;
  const uint64_t number = person.sent + 1;
  core::SendMessage command;
  command.from = person.uin;
  command.client_message = core::ClientMessageId(number);
  command.body = BodyOf(from, number);
  Sent sent{from, {}, {}, number, {}};
  if (!groups_.empty() && world_.Chance(400)) {
    sent.group = world_.Random(groups_.size());
    command.to = groups_[*sent.group].uin;
    command.to_group = true;
  } else {
    sent.to = world_.Random(people_.size());
    command.to = people_[*sent.to].uin;
  }
  world_.Do(person.home, command, [this, from, sent](const core::CommandResult& result) {
    EXPECT_TRUE(result.status.ok()) << result.status;
    sent_.push_back(sent);
    sent_.back().id = result.message;
    ++people_[from].sent;
    world_.At(milliseconds(world_.Random(120)), [this, from] { SendNext(from); });
  });
}

// Every acknowledged message stands exactly once in each inbox it is for, in the order of its
// sender and of its group, and nothing else does.
inline void Chat::CheckReceived(size_t i, const std::vector<core::SyncMessage>& messages) const {
  std::map<core::MessageId, const Sent*> expected;
  for (const Sent& sent : sent_) {
    const auto is_member = [&](const Group& group) {
      return std::find(group.members.begin(), group.members.end(), i) != group.members.end();
    };
    if (sent.to.has_value() ? *sent.to == i : sent.from != i && is_member(groups_[*sent.group])) {
      expected[sent.id] = &sent;
    }
  }
  std::map<core::MessageId, int> seen;
  std::map<std::pair<Uin, Uin>, uint64_t> last_of_sender;
  std::map<Uin, uint64_t> last_of_group;
  for (const core::SyncMessage& message : messages) {
    const auto found = expected.find(message.id);
    ASSERT_TRUE(found != expected.end()) << "a message nobody sent here: " << message.body;
    const Sent& sent = *found->second;
    EXPECT_EQ(++seen[message.id], 1) << "twice: " << message.body;
    EXPECT_EQ(message.body, BodyOf(sent.from, sent.number));
    EXPECT_EQ(message.sender, people_[sent.from].uin);
    EXPECT_EQ(message.group, sent.group.has_value() ? groups_[*sent.group].uin : Uin());
    uint64_t& last = last_of_sender[{message.sender, message.group}];
    if (!moves_) {
      EXPECT_LT(last, sent.number) << "out of the sender's order: " << message.body;
    }
    last = sent.number;
    if (!sent.group.has_value()) continue;
    if (!moves_) {
      EXPECT_LT(last_of_group[message.group], message.group_seq);
    }
    last_of_group[message.group] = message.group_seq;
  }
  EXPECT_EQ(seen.size(), expected.size()) << "what person " << i << " received";
}

inline void Chat::Check(size_t region) const {
  for (size_t i = 0; i < people_.size(); ++i) {
    SCOPED_TRACE("in region " + std::to_string(region));
    CheckReceived(i, Inbox(world_, region, people_[i].uin));
  }
}

inline void ExpectRestAndEqual(World& world, const Chat& chat) {
  ASSERT_TRUE(world.RunToRest(seconds(180))) << "comes to rest";
  EXPECT_EQ(DigestDifference(world), "");
  for (size_t region = 0; region < world.regions(); ++region) chat.Check(region);
}

inline std::string StatusText(World& world, size_t region) {
  std::string text;
  const RegionStatus status = world.region(region).Status();
  for (const ShardStatus& shard : status.shards) text += shard.why_not + "\n";
  for (const StreamLag& lag : status.streams) {
    text += fmt::format("{}: applied {} committed {} trimmed {}\n", lag.stream, lag.applied,
                        lag.committed, lag.trimmed);
  }
  return text + world.LogText(region);
}

// ---- random faults

inline void OneFault(World* world) {
  const size_t region = world->Random(world->regions());
  const uint64_t kind = world->Random(100);
  if (kind < 30) {
    const size_t replica = world->Random(world->replicas());
    world->CrashReplica(region, replica);
    world->At(milliseconds(50 + world->Random(2500)),
              [=] { world->StartReplica(region, replica); });
  } else if (kind < 45) {
    world->RestartRegion(region);
  } else if (kind < 60) {
    const size_t other = (region + 1) % world->regions();
    world->SetCut(region, other, true);
    world->At(milliseconds(100 + world->Random(4000)),
              [=] { world->SetCut(region, other, false); });
  } else if (kind < 70) {
    world->store(region).full = true;
    world->At(milliseconds(50 + world->Random(800)), [=] { world->store(region).full = false; });
  } else if (kind < 90) {
    EXPECT_TRUE(world->store(region).Flush().ok());
  }
}

inline void ScheduleFaults(World* world, Instant until) {
  if (world->now() >= until) return;
  OneFault(world);
  world->At(milliseconds(world->Random(500)), [=] { ScheduleFaults(world, until); });
}

inline WorldOptions RandomWorld(uint64_t seed) {
  WorldOptions options;
  options.seed = seed;
  options.regions = static_cast<uint16_t>(2 + seed % 2);
  options.shards = static_cast<uint16_t>(1 + seed % 3);
  options.groups = seed % 3 == 0 ? 2 : 1;
  options.drop_per_mille = static_cast<uint32_t>(seed % 5 * 20);
  // Small limits, so that every one of them is met.
  options.region.entry_bytes_max = seed % 2 == 0 ? 600 : 512 << 10;
  if (seed % 4 == 0) options.region.writer.window_bytes_max = 2000;
  // Most worlds trim; nobody is ever away for as long as the retention time.
  options.region.flush_every = milliseconds(100 + seed * 37 % 1900);
  if (seed % 8 == 0) options.region.flush_every = seconds(600);
  if (seed % 3 == 0) options.store_flush_max = milliseconds(700);
  if (seed % 5 != 0) options.region.retention_time = seconds(120);
  return options;
}

// What no region does once it has reported all: append for ever about one another's reports.
inline void ExpectQuietAndSmall(World& world) {
  world.RunFor(seconds(30));
  std::vector<Seq> ends;
  for (size_t region = 0; region < world.regions(); ++region) {
    for (const StreamLag& lag : world.region(region).Status().streams) ends.push_back(lag.applied);
    // Only reports, and what a restart left, may remain of all that was said.
    EXPECT_LE(world.EntriesInLog(region), 12u * world.shards()) << StatusText(world, region);
  }
  world.RunFor(seconds(60));
  for (size_t region = 0, i = 0; region < world.regions(); ++region) {
    for (const StreamLag& lag : world.region(region).Status().streams) {
      EXPECT_EQ(lag.applied, ends[i++]) << "an idle stream grows: " << lag.stream;
    }
  }
}

}  // namespace homeport::replicator
