// Settler, Mirror and RegionLease on a network that loses what it wants, a store that is killed,
// and clocks that drift: many random worlds, and the same worlds with a bug that must be found.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "coordination/memory_coordination.h"
#include "coordination/mirror.h"
#include "coordination/region_lease.h"
#include "coordination/settler.h"
#include "coordination/tests/ask_at_once.h"

namespace homeport::coordination {
namespace {

using core::Duration;
using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

enum class Bug {
  kNone,
  kNewToken,
  kUnknownIsDone,
  kWatchSkips,
  kNoListAgain,
  kLeaseCountsFromAnswer,
  kNoTenthOff,
  kRowWithoutALook,
};

constexpr int kCounters = 3;
// So that ten ninths of it are whole seconds, too.
constexpr seconds kTtl{9};

IncarnationRecord Holder() {
  return {core::Incarnation(1), "sh", IncarnationState::kLive, {}};
}

class World {
 public:
  World(uint64_t seed, Bug bug)
      : random_(seed),
        bug_(bug),
        store_({.cluster = "c", .changes_max = 1 + seed % 12}, Instant(seconds(1000))) {
    for (auto& counter : counters_) counter.store = store_.NewClient();
    follower_ = store_.NewClient();
    holder_ = store_.NewClient();
    // The holder's clock runs up to 9 % slower or faster.
    drift_ = static_cast<int>(Below(181)) - 90;
    heals_ = seed % 4 == 0 ? 40 : 6;  // few worlds, or nothing is done in any
    is_taken_over_ = seed % 5 == 0;
  }
  ~World() {
    for (auto& counter : counters_) counter.store.reset();
    follower_.reset();
    holder_.reset();
  }

  // What it found wrong; empty: nothing.
  std::string Run() {
    for (int step = 0; step < 400 && wrong_.empty(); ++step) {
      Disturb();
      for (auto& counter : counters_) Count(&counter);
      Follow();
      Hold();
      if (is_taken_over_ && step > 100) TakeOver();
      CheckLease();
      store_.Advance(store_.now() + milliseconds(Below(400)));
    }
    store_.set_fault(NetworkFault::kNone);
    store_.set_answer_delay(Duration(0));
    for (int step = 0; step < 400 && wrong_.empty(); ++step) {
      for (auto& counter : counters_) Finish(&counter);
      Follow();
      store_.Advance(store_.now() + milliseconds(100));
    }
    CheckEnd();
    return wrong_;
  }
  bool taken_over() const { return taken_over_; }
  int given() const { return static_cast<int>(given_.size()); }
  int held() const { return held_; }

 private:
  struct Counter {
    std::unique_ptr<CoordinationStore> store;
    uint64_t call = 0;
    std::optional<Settler> settler;
    int next = 0;
  };
  uint64_t Below(uint64_t n) { return random_() % n; }
  void Wrong(const std::string& what) {
    if (wrong_.empty()) wrong_ = what;
  }

  void Disturb() {
    if (Below(12) == 0) fault_ = static_cast<NetworkFault>(Below(4));
    if (Below(heals_) == 0) fault_ = NetworkFault::kNone;
    store_.set_fault(fault_);
    if (Below(20) == 0) delay_ = milliseconds(Below(3000));  // some come when nobody waits for them
    if (Below(10) == 0) delay_ = Duration(0);
    store_.set_answer_delay(delay_);
    if (Below(40) == 0) {
      store_.Restart();
    }
  }

  void Count(Counter* counter) {
    uint64_t number = 0;
    Answer answer;
    while (counter->store->Take(&number, &answer)) {
      if (number != counter->call) continue;
      counter->call = 0;
      OnAnswer(counter, std::move(answer));
    }
    if (counter->call != 0) return;
    if (!counter->settler) {
      if (!finishing_) counter->call = counter->store->Begin(Get{"n"}, seconds(2));
      return;
    }
    if (auto request = counter->settler->Next(store_.now())) {
      if (bug_ == Bug::kNewToken) std::get<CompareAndSet>(*request).token = NewToken();
      counter->call = counter->store->Begin(std::move(*request), seconds(2));
    }
  }
  void OnAnswer(Counter* counter, Answer answer) {
    if (counter->settler) {
      if (bug_ == Bug::kUnknownIsDone && std::holds_alternative<core::Status>(answer)) {
        answer = Compared{true, Revision(1), {}};
      }
      counter->settler->OnAnswer(store_.now(), answer);
      const auto& settled = counter->settler->settled();
      if (!settled) return;
      if (settled->done) Give(counter->next, false);
      // What stands there under its number is another's; else it may have been overwritten.
      const bool stands =
          !settled->rows.empty() && settled->rows[0].value == std::to_string(counter->next);
      if (settled->perhaps && !stands) Give(counter->next, true);
      counter->settler.reset();
      return;
    }
    const auto* rows = std::get_if<Rows>(&answer);
    if (rows == nullptr) return;
    const Row* row = rows->rows.empty() ? nullptr : &rows->rows[0];
    counter->next = row != nullptr ? std::stoi(row->value) + 1 : 1;
    counter->settler.emplace(CompareAndSet{NewToken(),
                                           {{"n", row != nullptr ? row->revision : Revision(0),
                                             Write{std::to_string(counter->next), LeaseId(0)}}}});
  }
  void Finish(Counter* counter) {
    finishing_ = true;
    Count(counter);
  }
  Token NewToken() { return Token(last_token_ += 100'000); }
  void Give(int number, bool perhaps) {
    if (perhaps) {
      perhaps_.insert(number);
    } else if (!given_.insert(number).second) {
      Wrong("a number given twice");
    }
  }

  void Follow() {
    uint64_t number = 0;
    Answer answer;
    while (follower_->Take(&number, &answer)) {
      if (number != following_) continue;
      following_ = 0;
      const auto* status = std::get_if<core::Status>(&answer);
      if (bug_ == Bug::kNoListAgain && status != nullptr &&
          status->code() == core::Code::kTrimmed) {
        answer = Changes{{}, Revision(status->detail())};
      }
      if (status != nullptr && status->code() == core::Code::kTrimmed) lists_again_ = true;
      mirror_.OnAnswer(store_.now(), answer);
    }
    if (following_ == 0) {
      if (auto request = mirror_.Next(store_.now())) {
        if (auto* watch = std::get_if<Watch>(&*request)) {
          if (bug_ == Bug::kWatchSkips) ++watch->from;
        }
        following_ = follower_->Begin(std::move(*request), seconds(2));
      }
    }
    for (const Change& change : mirror_.TakeChanges()) {
      if (change.deleted) Wrong("the counter is never deleted");
      const int value = std::stoi(change.row.value);
      if (value <= told_) Wrong("told backwards, or twice");
      if (value != told_ + 1 && told_ != 0 && !lists_again_) Wrong("a change was missed");
      told_ = value;
      lists_again_ = false;
    }
  }

  // On its own clock.
  Instant HolderNow() const {
    const auto since = store_.now() - Instant(seconds(1000));
    return Instant(seconds(77)) + since + since / 1000 * drift_;
  }
  void Hold() {
    uint64_t number = 0;
    Answer answer;
    while (holder_->Take(&number, &answer)) {
      if (number != holding_) continue;
      holding_ = 0;
      if (auto* leased = std::get_if<Leased>(&answer)) Plant(leased);
      lease_->OnAnswer(HolderNow(), answer);
    }
    if (holding_ == 0 && Below(300) == 0) {  // its process dies, and another comes
      lease_ = std::make_unique<RegionLease>(Holder(), kTtl, NewToken());
    }
    if (holding_ != 0) return;
    if (auto request = lease_->Next(HolderNow())) {
      if (auto* set = std::get_if<CompareAndSet>(&*request);
          set != nullptr && bug_ == Bug::kRowWithoutALook) {
        std::erase_if(set->terms, [](const Term& term) { return !term.write; });
      }
      holding_ = holder_->Begin(std::move(*request), seconds(2));
      asked_at_ = HolderNow();
    }
  }
  // The lease's keeper counts nine tenths of its time from when it asked. It has a bug by being
  // told another time.
  void Plant(Leased* leased) const {
    if (bug_ == Bug::kNoTenthOff) leased->ttl = leased->ttl * 10 / 9;
    if (bug_ == Bug::kLeaseCountsFromAnswer) {
      leased->ttl += seconds((HolderNow() - asked_at_) / milliseconds(900));
    }
  }
  // Whatever the network does to the others.
  Answer AskUndisturbed(Request request) {
    auto client = store_.NewClient();
    store_.set_fault(NetworkFault::kNone);
    store_.set_answer_delay(Duration(0));
    Answer answer = AskAtOnce(*client, std::move(request));
    client.reset();
    store_.set_fault(fault_);
    store_.set_answer_delay(delay_);
    return answer;
  }
  Rows Find(const std::string& key) { return std::get<Rows>(AskUndisturbed(Get{key})); }
  // Declares the holder dead when he finds no lease, looking now and then.
  void TakeOver() {
    if (taken_over_ || Below(10) != 0) return;
    const Rows known = Find(IncarnationKey(Holder().number));
    if (known.rows.empty()) return;
    const auto dead = MarkTerms(known.rows[0], IncarnationState::kDead, {});
    const Answer answer = AskUndisturbed(CompareAndSet{NewToken(), *dead});
    taken_over_ = std::get<Compared>(answer).done;
  }
  // Nobody else can have what the holder thinks it holds.
  void CheckLease() {
    if (!lease_->Holds(HolderNow())) return;
    ++held_;
    if (Find(LeaseKey(Holder().number)).rows.empty()) {
      Wrong("its holder still thinks that it holds the lease");
    }
    if (taken_over_) Wrong("it holds a lease and was taken over");
  }

  void CheckEnd() {
    if (!wrong_.empty()) return;
    int last = 0;
    for (const int number : given_) last = std::max(last, number);
    for (const int number : perhaps_) {
      if (given_.contains(number)) continue;  // another one's
      given_.insert(number);                  // so it was this one's
    }
    for (int number = 1; number <= last; ++number) {
      if (!given_.contains(number)) Wrong("a number was written and nobody has it");
    }
    const auto row = mirror_.rows().find("n");
    if (row == mirror_.rows().end() || std::stoi(row->second.value) < last) {
      Wrong("the copy never caught up");
    }
  }

  std::mt19937_64 random_;
  const Bug bug_;
  uint64_t heals_ = 6;
  NetworkFault fault_ = NetworkFault::kNone;
  Duration delay_{0};
  MemoryCoordination store_;
  Counter counters_[kCounters];
  std::unique_ptr<CoordinationStore> follower_;
  std::unique_ptr<CoordinationStore> holder_;
  int drift_ = 0;
  uint64_t last_token_ = 0;
  std::set<int> given_;
  std::set<int> perhaps_;
  bool finishing_ = false;
  Mirror mirror_{"n", seconds(3)};
  uint64_t following_ = 0;
  int told_ = 0;
  bool lists_again_ = false;
  std::unique_ptr<RegionLease> lease_ =
      std::make_unique<RegionLease>(Holder(), kTtl, Token(uint64_t{1} << 40));
  uint64_t holding_ = 0;
  Instant asked_at_;
  int held_ = 0;
  bool is_taken_over_ = false;
  bool taken_over_ = false;
  std::string wrong_;
};

TEST(LossyNetworkTest, NothingIsWrongInRandomWorlds) {
  int given = 0;
  int held = 0;
  int taken_over = 0;
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    World world(seed, Bug::kNone);
    ASSERT_EQ(world.Run(), "") << "seed " << seed;
    given += world.given();
    held += world.held();
    taken_over += world.taken_over();
  }
  EXPECT_GT(given, 10'000) << "the worlds are too hostile to show anything";
  EXPECT_GT(taken_over, 30);
  EXPECT_GT(held, 100'000) << "as often as that it was looked at whether the lease's row is there";
}

std::string FoundBy(Bug bug) {
  for (uint64_t seed = 1; seed <= 1000; ++seed) {
    const std::string wrong = World(seed, bug).Run();
    if (!wrong.empty()) return wrong;
  }
  return "nothing";
}

TEST(LossyNetworkTest, PlantedBugsAreFound) {
  EXPECT_EQ(FoundBy(Bug::kNewToken), "a number was written and nobody has it");
  EXPECT_EQ(FoundBy(Bug::kUnknownIsDone), "a number given twice");
  EXPECT_EQ(FoundBy(Bug::kWatchSkips), "a change was missed");
  EXPECT_EQ(FoundBy(Bug::kNoListAgain), "a change was missed");
  const std::string still = "its holder still thinks that it holds the lease";
  EXPECT_EQ(FoundBy(Bug::kLeaseCountsFromAnswer), still);
  EXPECT_EQ(FoundBy(Bug::kNoTenthOff), still);
  EXPECT_EQ(FoundBy(Bug::kRowWithoutALook), "it holds a lease and was taken over");
}

}  // namespace
}  // namespace homeport::coordination
