#include "coordination/registry.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>
#include <set>

#include "coordination/memory_coordination.h"
#include "coordination/tests/ask_at_once.h"

namespace homeport::coordination {
namespace {

using core::Incarnation;
using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() : store_({.cluster = "c"}, Instant(seconds(1))), client_(store_.NewClient()) {}
  Answer Ask(Request request) { return AskAtOnce(*client_, std::move(request)); }
  core::Status Run(RecordChange& change) {
    while (!change.result()) {
      auto request = change.Next(store_.now());
      if (!request) return core::Status::Unavailable("it waits");
      change.OnAnswer(store_.now(), Ask(std::move(*request)));
    }
    return *change.result();
  }
  core::Status Register(uint16_t number, const std::string& region) {
    RegisterIncarnation change({Incarnation(number), region, IncarnationState::kLive, {}}, Next());
    return Run(change);
  }
  uint16_t Claim(const std::string& region) {
    ClaimIncarnation change(region, core::WallMs(5), Next());
    const core::Status status = Run(change);
    EXPECT_TRUE(status.ok()) << status;
    return change.number().value();
  }
  std::pair<uint64_t, uint64_t> Reserve(uint16_t number, uint64_t above) {
    ReserveEpochs change(Incarnation(number), above, Next());
    const core::Status status = Run(change);
    EXPECT_TRUE(status.ok()) << status;
    return {change.first(), change.last()};
  }
  Row Find(const std::string& key) {
    const Answer answer = Ask(Get{key});
    return std::get<Rows>(answer).rows.at(0);
  }
  Token Next() { return Token(last_ += 1000); }

  MemoryCoordination store_;
  std::unique_ptr<CoordinationStore> client_;
  uint64_t last_ = 0;
};

TEST_F(RegistryTest, AnIncarnationIsRegisteredOnceAndOfOneRegion) {
  EXPECT_TRUE(Register(2, "hk").ok());
  const Revision revision = Find(IncarnationKey(Incarnation(2))).revision;
  EXPECT_TRUE(Register(2, "hk").ok());
  EXPECT_EQ(Find(IncarnationKey(Incarnation(2))).revision, revision);
  EXPECT_EQ(Register(2, "sh").code(), core::Code::kBadRequest);
  EXPECT_TRUE(Register(1, "sh").ok());
}

TEST_F(RegistryTest, AClaimedNumberIsAboveAllThereWere) {
  EXPECT_EQ(Claim("new"), 1);
  EXPECT_TRUE(Register(7, "hk").ok());
  EXPECT_TRUE(Register(3, "sh").ok());
  EXPECT_EQ(Claim("ca"), 8);
  EXPECT_EQ(Claim("ca"), 9);
  const auto record = DecodeIncarnation(Find(IncarnationKey(Incarnation(8))).value);
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(*record,
            (IncarnationRecord{Incarnation(8), "ca", IncarnationState::kLive, core::WallMs(5)}));
}

TEST_F(RegistryTest, NumbersOfIncarnationsRunOutWithASentence) {
  EXPECT_TRUE(Register(65535, "hk").ok());
  ClaimIncarnation change("sh", core::WallMs(0), Next());
  EXPECT_EQ(Run(change).code(), core::Code::kRefused);
}

TEST_F(RegistryTest, WhoIsDeadStaysDeadAndMustNotServe) {
  EXPECT_TRUE(Register(1, "sh").ok());
  const Row row = Find(IncarnationKey(Incarnation(1)));
  const auto terms = MarkTerms(row, IncarnationState::kDead, core::WallMs(9));
  ASSERT_TRUE(terms.ok());
  EXPECT_TRUE(std::get<Compared>(Ask(CompareAndSet{Next(), *terms})).done);
  EXPECT_EQ(Register(1, "sh").code(), core::Code::kFenced);
  const Row dead = Find(IncarnationKey(Incarnation(1)));
  for (const auto state : {IncarnationState::kLive, IncarnationState::kRetired}) {
    EXPECT_EQ(MarkTerms(dead, state, core::WallMs(9)).status().code(), core::Code::kRefused);
  }
}

TEST_F(RegistryTest, BlocksLieAboveAllBlocksAndAboveWhatWasGivenWithoutThem) {
  EXPECT_EQ(Reserve(1, 0), std::pair(uint64_t{1}, kEpochBlock));
  EXPECT_EQ(Reserve(1, 0).first, kEpochBlock + 1);
  EXPECT_EQ(Reserve(1, 10 * kEpochBlock).first, 10 * kEpochBlock + 1);
  EXPECT_EQ(Reserve(2, 5).first, 6u);
  ReserveEpochs last(Incarnation(3), uint64_t{1} << 40, Next());
  EXPECT_EQ(Run(last).code(), core::Code::kRefused);
}

TEST_F(RegistryTest, ARecordThatIsNoneIsCorruptOrBad) {
  (void)Ask(CompareAndSet{Next(), {{"epochs/00001", Revision(0), Write{"junk", {}}}}});
  ReserveEpochs change(Incarnation(1), 0, Next());
  EXPECT_FALSE(Run(change).ok());
  EXPECT_FALSE(DecodeIncarnation("").ok());
  EXPECT_FALSE(
      DecodeIncarnation(EncodeIncarnation({Incarnation(1), "", IncarnationState::kLive, {}})).ok());
}

// Several claim and reserve at once while the network loses what it wants. `planted`: a store that
// does not compare.
std::string Race(uint64_t seed, bool planted) {
  std::mt19937_64 random(seed);
  MemoryCoordination store({.cluster = "c"}, Instant(seconds(1)));
  struct Actor {
    std::unique_ptr<CoordinationStore> client;
    std::unique_ptr<RecordChange> change;
    uint64_t call = 0;
  };
  std::vector<Actor> actors(4);
  for (Actor& actor : actors) actor.client = store.NewClient();
  auto looker = store.NewClient();
  std::set<uint16_t> numbers;
  std::set<uint64_t> firsts;
  std::string wrong;
  uint64_t token = 0;
  for (int step = 0; step < 300 && wrong.empty(); ++step) {
    if (random() % 10 == 0) store.set_fault(static_cast<NetworkFault>(random() % 4));
    if (random() % 5 == 0) store.set_fault(NetworkFault::kNone);
    if (random() % 50 == 0) store.Restart();
    for (Actor& actor : actors) {
      uint64_t number = 0;
      Answer answer;
      while (actor.client->Take(&number, &answer)) {
        if (number == actor.call) actor.change->OnAnswer(store.now(), answer);
        if (number == actor.call) actor.call = 0;
      }
      if (actor.change && actor.change->result()) {
        auto* claim = dynamic_cast<ClaimIncarnation*>(actor.change.get());
        auto* reserve = dynamic_cast<ReserveEpochs*>(actor.change.get());
        const bool fresh = claim != nullptr ? numbers.insert(claim->number().value()).second
                                            : firsts.insert(reserve->first()).second;
        if (!actor.change->result()->ok()) wrong = actor.change->result()->ToString();
        if (!fresh) wrong = "given twice";
        actor.change.reset();
      }
      if (!actor.change) {
        token += 1000;
        if (random() % 2 == 0) {
          actor.change = std::make_unique<ClaimIncarnation>("sh", core::WallMs(0), Token(token));
        } else {
          actor.change = std::make_unique<ReserveEpochs>(Incarnation(1), 0, Token(token));
        }
      }
      if (actor.call != 0) continue;
      if (auto request = actor.change->Next(store.now())) {
        auto* set = std::get_if<CompareAndSet>(&*request);
        for (size_t i = 0; planted && set != nullptr && i < set->terms.size(); ++i) {
          looker->Begin(Get{set->terms[i].key}, seconds(1));
          if (!looker->Take(&number, &answer) || !std::holds_alternative<Rows>(answer)) continue;
          const auto& rows = std::get<Rows>(answer).rows;
          set->terms[i].expected = rows.empty() ? Revision(0) : rows[0].revision;
        }
        actor.call = actor.client->Begin(std::move(*request), seconds(2));
      }
    }
    store.Advance(store.now() + milliseconds(random() % 400));
  }
  for (Actor& actor : actors) actor.client.reset();
  looker.reset();
  if (wrong.empty() && numbers.size() + firsts.size() < 5) return "nothing happened";
  return wrong;
}

TEST(RegistryRaceTest, NothingIsGivenTwice) {
  for (uint64_t seed = 1; seed <= 300; ++seed) ASSERT_EQ(Race(seed, false), "") << "seed " << seed;
}

TEST(RegistryRaceTest, AStoreThatDoesNotCompareIsFound) {
  std::string found;
  for (uint64_t seed = 1; seed <= 50 && found.empty(); ++seed) found = Race(seed, true);
  EXPECT_EQ(found, "given twice");
}

}  // namespace
}  // namespace homeport::coordination
