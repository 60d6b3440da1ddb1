#include "coordination/region_lease.h"

#include <gtest/gtest.h>

#include "coordination/memory_coordination.h"
#include "coordination/tests/ask_at_once.h"

namespace homeport::coordination {
namespace {

using core::Duration;
using core::Incarnation;
using core::Instant;
using std::chrono::seconds;

constexpr seconds kTtl{10};
const Incarnation kSelf(1);
const IncarnationRecord kRecord{kSelf, "sh", IncarnationState::kLive, {}};

class RegionLeaseTest : public testing::Test {
 protected:
  RegionLeaseTest()
      : store_({.cluster = "c", .rows_max = 4}, Instant(seconds(1))), client_(store_.NewClient()) {
    BeginLease();
  }
  void BeginLease() { lease_.emplace(kRecord, kTtl, Token(1 << 20)); }

  Answer Ask(Request request) { return AskAtOnce(*client_, std::move(request)); }
  Instant now() const { return store_.now(); }
  // One question and its answer; false: it asks nothing now.
  bool Step() {
    auto request = lease_->Next(now());
    if (!request) return false;
    lease_->OnAnswer(now(), Ask(std::move(*request)));
    return true;
  }
  void Settle() {
    for (int i = 0; i < 100 && Step(); ++i) {
    }
    ASSERT_EQ(lease_->Next(now()), std::nullopt) << "it asks and asks";
  }
  void Pass(Duration time) { store_.Advance(now() + time); }
  std::optional<Row> Find(const std::string& key) {
    const Answer answer = Ask(Get{key});
    const auto& rows = std::get<Rows>(answer).rows;
    return rows.empty() ? std::nullopt : std::optional(rows[0]);
  }
  // As who takes over does it: only while no lease is held.
  bool DeclareDead() {
    const auto row = Find(IncarnationKey(kSelf));
    EXPECT_TRUE(row.has_value());
    const auto dead = MarkTerms(*row, IncarnationState::kDead, core::WallMs(1));
    EXPECT_TRUE(dead.ok()) << dead.status();
    const Answer answer = Ask(CompareAndSet{Token(++token_), *dead});
    return std::get<Compared>(answer).done;
  }

  MemoryCoordination store_;
  std::unique_ptr<CoordinationStore> client_;
  uint64_t token_ = 1000;
  std::optional<RegionLease> lease_;
};

TEST_F(RegionLeaseTest, HoldsOnceItsRowIsThereAndItIsRegistered) {
  EXPECT_FALSE(lease_->Holds(now()));
  Settle();
  EXPECT_TRUE(lease_->Holds(now()));
  EXPECT_TRUE(Find(LeaseKey(kSelf)).has_value());
  EXPECT_TRUE(Find(IncarnationKey(kSelf)).has_value());
}

TEST_F(RegionLeaseTest, WhoHoldsALeaseIsNotDeclaredDead) {
  Settle();
  EXPECT_FALSE(DeclareDead());
  Pass(kTtl - seconds(1));
  EXPECT_FALSE(lease_->Holds(now()));
  EXPECT_FALSE(DeclareDead()) << "it stops before the others may know";
  Pass(seconds(1));
  EXPECT_TRUE(DeclareDead());
}

TEST_F(RegionLeaseTest, WhoIsDeclaredDeadNeverHoldsAgain) {
  Settle();
  Pass(kTtl);
  ASSERT_TRUE(DeclareDead());
  for (int i = 0; i < 50; ++i) {
    Settle();
    EXPECT_FALSE(lease_->Holds(now()));
    Pass(seconds(1));
  }
  EXPECT_EQ(lease_->over().code(), core::Code::kFenced);
  EXPECT_EQ(lease_->NextDeadline(now()), std::nullopt);
  EXPECT_FALSE(Find(LeaseKey(kSelf)).has_value());
}

// Declared dead between any two of its questions.
TEST_F(RegionLeaseTest, ItIsOneCompareAndSetThatWritesItsRow) {
  Settle();
  int moments = 0;
  for (bool was_late = false; !was_late; ++moments) {
    ASSERT_LT(moments, 20);
    MemoryCoordination store({.cluster = "c"}, Instant(seconds(1)));
    auto client = store.NewClient();
    std::swap(client, client_);
    BeginLease();
    RegisterIncarnation known(kRecord, Token(1));
    while (auto request = known.Next(now())) known.OnAnswer(now(), Ask(std::move(*request)));
    for (int i = 0; i < moments; ++i) (void)Step();
    was_late = lease_->Holds(now());
    EXPECT_NE(DeclareDead(), was_late);
    Settle();
    EXPECT_EQ(lease_->Holds(now()), was_late);
    std::swap(client, client_);
    client.reset();
  }
  EXPECT_GT(moments, 4);
}

TEST_F(RegionLeaseTest, AStoreThatTakesNoRowsIsAskedNowAndThen) {
  for (const char* key : {"a", "b", "c"}) {
    (void)Ask(CompareAndSet{Token(++token_), {{key, Revision(0), Write{"", {}}}}});
  }
  for (int i = 0; i < 20; ++i) {
    Settle();
    EXPECT_FALSE(lease_->Holds(now()));
    ASSERT_TRUE(lease_->NextDeadline(now()).has_value());
    ASSERT_GT(*lease_->NextDeadline(now()), now()) << "its caller would spin";
    Pass(*lease_->NextDeadline(now()) - now());
  }
}

// Its lease is over before its row was written, and the store is away.
TEST_F(RegionLeaseTest, NothingIsDueThatCannotBeDone) {
  ASSERT_TRUE(Step());  // granted
  Pass(kTtl);
  store_.set_fault(NetworkFault::kNotConnected);
  for (int i = 0; i < 5; ++i) {
    auto request = lease_->Next(now());
    ASSERT_TRUE(request.has_value());
    lease_->OnAnswer(now(), core::Status::Unavailable("away"));
    ASSERT_EQ(lease_->Next(now()), std::nullopt);
    ASSERT_GT(*lease_->NextDeadline(now()), now());
    Pass(*lease_->NextDeadline(now()) - now());
  }
}

}  // namespace
}  // namespace homeport::coordination
