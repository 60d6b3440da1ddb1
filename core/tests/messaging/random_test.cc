// Random runs of a whole world against a dumb twin that knows who must have received what.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <tuple>

#include "core/messaging/intents.h"
#include "core/messaging/queries.h"
#include "core/messaging/rows.h"
#include "core/messaging/sync.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

// Twin: the same rules on plain maps, told of each thing when its entry is committed.
struct Twin {
  struct Posted {
    MessageId id;
    Uin sender;
    std::string body;
  };
  std::map<std::pair<Uin, Uin>, std::vector<std::string>> direct;  // (sender, receiver): bodies
  std::map<Uin, std::vector<Posted>> groups;                       // by group_seq - 1
  std::map<Uin, std::set<Uin>> members;
  std::map<std::pair<Uin, Uin>, std::vector<uint64_t>> fanned_out;  // (user, group): seqs
  std::set<Uin> created;
  std::map<Uin, std::map<std::tuple<StreamId, Seq, size_t>, Posted>> waiting;  // for a group

  void Post(Uin group, const Posted& posted) {
    groups[group].push_back(posted);
    for (const Uin user : members[group]) {
      if (user != posted.sender) fanned_out[{user, group}].push_back(groups[group].size());
    }
  }
  void Arrive(Uin group, const Posted& posted, StreamId source, Seq seq) {
    if (created.contains(group)) return Post(group, posted);
    waiting[group][{source, seq, waiting[group].size()}] = posted;
  }
  void Create(Uin uin) {
    created.insert(uin);
    for (const auto& [place, posted] : waiting[uin]) Post(uin, posted);
    waiting.erase(uin);
  }
};

// What a client wants done: repeated until it is told that it is.
struct Wish {
  int region = 0;
  Command command;
  bool done = false;
  MessageId message;  // first answer, once committed
};

class RandomRun {
 public:
  RandomRun(uint64_t seed, int regions, uint16_t shards) : random_(seed), world_(regions, shards) {
    for (int r = 0; r < regions; ++r) {
      for (int i = 0; i < 3; ++i) users_.push_back({world_.NewUinAt(r), r});
      for (int i = 0; i < 2; ++i) groups_.push_back({world_.NewUinAt(r), r});
    }
    for (const Home& user : users_) WishFor(user.region, Create(user.uin, AccountKind::kUser));
    for (const Home& group : groups_) WishFor(group.region, Create(group.uin, AccountKind::kGroup));
  }

  void Steps(int count) {
    for (int i = 0; i < count && !::testing::Test::HasFatalFailure(); ++i) Step();
  }

  // How much happened: a run in which nothing does proves nothing.
  struct Seen {
    size_t direct = 0;
    size_t fanned_out = 0;
    size_t waited = 0;  // group messages that came before their group
    size_t crashes = 0;
  };
  const Seen& seen() const { return seen_; }

  // Faults and wishes end; everything settles.
  void Settle() {
    for (size_t i = 0; i < wishes_.size(); ++i) {
      while (!wishes_[i]->done && !::testing::Test::HasFatalFailure()) {
        Try(wishes_[i], true);
        world_.Settle(Consumed());
      }
    }
    world_.Settle(Consumed());
  }

  void Check() {
    EXPECT_EQ(world_.Differences(), std::vector<std::string>());
    for (int r = 0; r < world_.regions(); ++r) {
      for (uint16_t s = 0; s < world_.shards(); ++s) {
        EXPECT_TRUE(LoadPending(world_.store(r), ShardId(s)).empty());
        for (const TableDigest& table : DigestShard(world_.store(r), ShardId(s))) {
          if (table.table == "parked") {
            EXPECT_EQ(table.rows, 0u);
          }
        }
      }
      for (const Home& user : users_) CheckInbox(r, user.uin);
      for (const Home& group : groups_) {
        const std::vector<Uin> listed =
            ListMembers(world_.store(r), world_.shards(), group.uin, Uin(0), 1000);
        EXPECT_EQ(std::set<Uin>(listed.begin(), listed.end()), twin_.members[group.uin]);
      }
    }
  }

 private:
  struct Home {
    Uin uin;
    int region = 0;
  };

  size_t Pick(size_t n) { return random_() % n; }
  Home AnyUser() { return users_[Pick(users_.size())]; }
  Home AnyGroup() { return groups_[Pick(groups_.size())]; }
  ShardId AnyShard() { return ShardId(static_cast<uint16_t>(Pick(world_.shards()))); }
  int AnyRegion() { return static_cast<int>(Pick(static_cast<size_t>(world_.regions()))); }
  StreamId AnyStream() { return world_.StreamOf(AnyRegion(), AnyShard()); }
  static Command Create(Uin uin, AccountKind kind) {
    return CreateAccount{uin, kind, "n" + std::to_string(uin.value())};
  }
  void WishFor(int region, Command command) {
    wishes_.push_back(std::make_shared<Wish>(Wish{region, std::move(command), false, {}}));
  }

  std::string AnyBody() {
    std::string body(Pick(8) == 0 ? Pick(300) : Pick(6), '\0');
    for (char& c : body) c = static_cast<char>(random_());
    return body;
  }

  void NewWish() {
    const Home user = AnyUser();
    const Home group = AnyGroup();
    switch (Pick(8)) {
      case 0:
      case 1:
        return WishFor(group.region, JoinGroup{group.uin, user.uin});
      case 2:
        return WishFor(group.region, LeaveGroup{group.uin, user.uin});
      case 3:
      case 4:
        return WishFor(user.region, Post(user.uin, ++next_id_, group.uin, AnyBody()));
      default:
        return WishFor(user.region, Send(user.uin, ++next_id_, AnyUser().uin, AnyBody()));
    }
  }

  // The client of a wish asks for it, possibly again while an earlier try is on its way.
  void Try(const std::shared_ptr<Wish>& wish, bool must_work = false) {
    const ShardId shard = ShardOfCommand(wish->command, world_.shards());
    const CommandResult result = world_.Open(wish->region, shard).Execute(wish->command);
    if (!result.status.ok()) {
      // The account a wish needs may not be created yet; at the end all are.
      ASSERT_EQ(result.status.code(), Code::kBadRequest) << result.status;
      ASSERT_FALSE(must_work && twin_.created.size() == users_.size() + groups_.size())
          << result.status;
      return;
    }
    if (wish->message != MessageId()) {
      ASSERT_EQ(result.message, wish->message);
    }
    if (!result.changed) return Repeated(wish);
    ASSERT_EQ(wish->message, MessageId()) << "a committed send was done again";
    world_.WhenCommitted(wish->region, shard, [this, wish, result] { Committed(wish, result); });
  }

  // Nothing was to change. For a message that holds only once the first try is committed; joins and
  // leaves that change nothing are done.
  void Repeated(const std::shared_ptr<Wish>& wish) {
    if (std::holds_alternative<SendMessage>(wish->command)) {
      wish->done = wish->message != MessageId();
    } else if (const auto* create = std::get_if<CreateAccount>(&wish->command)) {
      wish->done = twin_.created.contains(create->uin);
    } else {
      wish->done = true;
    }
  }

  void Committed(const std::shared_ptr<Wish>& wish, const CommandResult& result) {
    wish->done = true;
    if (const auto* create = std::get_if<CreateAccount>(&wish->command)) {
      twin_.Create(create->uin);
    } else if (const auto* send = std::get_if<SendMessage>(&wish->command)) {
      wish->message = result.message;
      bodies_[result.message] = send->body;
      if (!send->to_group) twin_.direct[{send->from, send->to}].push_back(send->body);
    } else if (const auto* join = std::get_if<JoinGroup>(&wish->command)) {
      EXPECT_TRUE(twin_.members[join->group].insert(join->user).second);
    } else if (const auto* leave = std::get_if<LeaveGroup>(&wish->command)) {
      EXPECT_EQ(twin_.members[leave->group].erase(leave->user), 1u);
    }
  }

  std::function<void(int, ShardId, const PendingIntent&)> Consumed() {
    return [this](int region, ShardId shard, const PendingIntent& pending) {
      const AddressedIntent in = DecodePendingIntent(pending.bytes).value();
      if (in.intent.kind != IntentKind::kPost) return;
      const Twin::Posted posted{in.intent.message.id, in.intent.message.sender,
                                in.intent.message.body};
      const Uin group = in.target.users.front();
      world_.WhenCommitted(region, shard, [this, group, posted, pending] {
        if (!twin_.created.contains(group)) ++seen_.waited;
        twin_.Arrive(group, posted, pending.source, pending.seq);
      });
    };
  }

  void Step() {
    const int region = AnyRegion();
    const ShardId shard = AnyShard();
    const size_t dice = Pick(100);
    if (dice < 12) return NewWish();
    if (dice < 30) return Try(wishes_[Pick(wishes_.size())]);
    if (dice < 36)
      return Try(wishes_[wishes_.size() - 1 - Pick(std::min<size_t>(3, wishes_.size()))]);
    if (dice < 50) {
      world_.ConsumeNext(region, shard,
                         [&](const PendingIntent& pending) { Consumed()(region, shard, pending); });
    } else if (dice < 62) {
      world_.Finish(region, shard);
    } else if (dice < 74) {
      world_.Commit(region, shard);
    } else if (dice < 97) {
      for (size_t n = Pick(4); n > 0; --n) world_.Apply(region, AnyStream());
      for (size_t n = Pick(3); n > 0; --n) world_.Apply(region, world_.StreamOf(region, shard));
    } else if (dice < 98) {
      world_.Flush(region);
    } else if (dice == 98 && Pick(2) == 0) {
      ++seen_.crashes;
      world_.Crash(region, [this](size_t n) { return Pick(n); });
    }
  }

  void CheckInbox(int region, Uin user) {
    std::map<Uin, std::vector<std::string>> direct;
    std::map<Uin, std::vector<uint64_t>> fanned_out;
    uint64_t version = 0;
    SyncLimits limits;
    limits.items_max = 1 + Pick(5);
    for (const SyncMessage& message : world_.Inbox(region, user, limits)) {
      EXPECT_EQ(message.version, ++version);
      if (message.group == Uin(0)) {
        direct[message.sender].push_back(message.body);
        ++seen_.direct;
        continue;
      }
      fanned_out[message.group].push_back(message.group_seq);
      ++seen_.fanned_out;
      const auto& posts = twin_.groups[message.group];
      ASSERT_LE(message.group_seq, posts.size());
      const Twin::Posted& posted = posts[message.group_seq - 1];
      EXPECT_EQ(message.id, posted.id);
      EXPECT_EQ(message.sender, posted.sender);
      EXPECT_EQ(message.body, bodies_[message.id]);
    }
    for (const Home& sender : users_) {
      EXPECT_EQ(direct[sender.uin], (twin_.direct[{sender.uin, user}]))
          << sender.uin << " to " << user << " in region " << region;
    }
    for (const Home& group : groups_) {
      EXPECT_EQ(fanned_out[group.uin], (twin_.fanned_out[{user, group.uin}]))
          << group.uin << " to " << user << " in region " << region;
    }
  }

  std::mt19937_64 random_;
  World world_;
  std::vector<Home> users_;
  std::vector<Home> groups_;
  std::vector<std::shared_ptr<Wish>> wishes_;
  std::map<MessageId, std::string> bodies_;
  uint64_t next_id_ = 0;
  Twin twin_;
  Seen seen_;
};

class RandomWorldTest : public ::testing::TestWithParam<uint16_t> {};

TEST_P(RandomWorldTest, AgreesWithItsTwinInEveryRegion) {
  RandomRun::Seen seen;
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    RandomRun run(seed, 3, GetParam());
    run.Steps(1500);
    run.Settle();
    run.Check();
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", shards " << GetParam();
    seen.direct += run.seen().direct;
    seen.fanned_out += run.seen().fanned_out;
    seen.waited += run.seen().waited;
    seen.crashes += run.seen().crashes;
  }
  EXPECT_GT(seen.direct, 1000u);
  EXPECT_GT(seen.fanned_out, 1000u);
  EXPECT_GT(seen.waited, 20u);
  EXPECT_GT(seen.crashes, 100u);
}

INSTANTIATE_TEST_SUITE_P(Shards, RandomWorldTest, ::testing::Values(1, 2, 4));

}  // namespace
}  // namespace homeport::core
