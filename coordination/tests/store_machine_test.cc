#include "coordination/store_machine.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/memory_store.h"

namespace homeport::coordination {
namespace {

using core::Instant;
using std::chrono::seconds;

class StoreMachineTest : public testing::Test {
 protected:
  StoreMachineTest() {
    options_.cluster = "c";
    EXPECT_TRUE(disk_.Write(StoreMachine::Format("c", LeaseId(0))).ok());
    Open();
  }
  void Open() {
    auto machine = StoreMachine::Open(options_, disk_, now_);
    ASSERT_TRUE(machine.ok()) << machine.status();
    machine_ = std::move(machine).value();
  }
  void Carry(StoreMachine::Output output) {
    EXPECT_TRUE(disk_.Write(output.batch).ok());
    for (auto& reply : output.replies) answers_[reply.to.number] = std::move(reply.answer);
  }
  uint64_t Begin(const Request& request) {
    StoreMachine::Output output;
    machine_->Step(now_, {"peer", ++number_}, request, &output);
    Carry(std::move(output));
    return number_;
  }
  Answer Ask(const Request& request) {
    const uint64_t number = Begin(request);
    EXPECT_TRUE(answers_.contains(number));
    return answers_[number];
  }
  Revision Put(const std::string& key, const std::string& value, Revision expected = Revision(0),
               LeaseId lease = LeaseId(0)) {
    const Answer answer =
        Ask(CompareAndSet{Token(number_ + 1), {{key, expected, Write{value, lease}}}});
    EXPECT_TRUE(std::holds_alternative<Compared>(answer) && std::get<Compared>(answer).done);
    return std::get<Compared>(answer).revision;
  }
  core::Status StatusOf(const Answer& answer) {
    EXPECT_TRUE(std::holds_alternative<core::Status>(answer));
    return std::get<core::Status>(answer);
  }
  void Pass(core::Duration time) {
    now_ += time;
    StoreMachine::Output output;
    machine_->Tick(now_, &output);
    Carry(std::move(output));
  }
  bool Has(const std::string& key) { return !std::get<Rows>(Ask(Get{key})).rows.empty(); }
  LeaseId Grant(seconds ttl) { return std::get<Leased>(Ask(GrantLease{ttl})).lease; }

  MachineOptions options_;
  core::MemoryStore disk_;
  Instant now_ = Instant(std::chrono::hours(5));
  std::unique_ptr<StoreMachine> machine_;
  uint64_t number_ = 0;
  std::map<uint64_t, Answer> answers_;
};

TEST_F(StoreMachineTest, ALeaseEndsWhenItsTimeIsOverAndNotBefore) {
  const LeaseId lease = Grant(seconds(10));
  Put("k", "v", Revision(0), lease);
  EXPECT_EQ(machine_->NextDeadline(), now_ + seconds(10));
  Pass(seconds(10) - core::Duration(1));
  EXPECT_TRUE(Has("k"));
  Pass(core::Duration(1));
  EXPECT_FALSE(Has("k"));
  EXPECT_EQ(StatusOf(Ask(KeepAlive{lease})).code(), core::Code::kRefused);
}

TEST_F(StoreMachineTest, AfterARestartALeaseHasItsWholeTimeAgain) {
  const LeaseId lease = Grant(seconds(10));
  Put("k", "v", Revision(0), lease);
  Pass(seconds(9));
  Open();
  Pass(seconds(10) - core::Duration(1));
  EXPECT_TRUE(Has("k"));
  Pass(core::Duration(1));
  EXPECT_FALSE(Has("k"));
}

TEST_F(StoreMachineTest, ALeaseThatEndedIsNotBackAfterARestartNorItsNumber) {
  const LeaseId lease = Grant(seconds(10));
  Pass(seconds(10));
  Open();
  EXPECT_EQ(StatusOf(Ask(KeepAlive{lease})).code(), core::Code::kRefused);
  EXPECT_GT(Grant(seconds(10)), lease);
}

TEST_F(StoreMachineTest, ARowWrittenAnewWithoutALeaseStays) {
  const LeaseId lease = Grant(seconds(10));
  const Revision put = Put("k", "v", Revision(0), lease);
  Put("k", "w", put);
  Pass(seconds(10));
  EXPECT_TRUE(Has("k"));
}

TEST_F(StoreMachineTest, KeepsTheLastChangesAndSaysWhichAreGone) {
  options_.changes_max = 4;
  Open();
  Revision last(0);
  for (int i = 0; i < 10; ++i) last = Put("k", std::to_string(i), last);
  for (const bool restarted : {false, true}) {
    if (restarted) Open();
    const core::Status gone = StatusOf(Ask(Watch{"", Revision(6), seconds(1)}));
    EXPECT_EQ(gone.code(), core::Code::kTrimmed);
    EXPECT_EQ(gone.detail(), 7u);
    const auto changes = std::get<Changes>(Ask(Watch{"", Revision(7), seconds(1)}));
    ASSERT_EQ(changes.changes.size(), 4u);
    EXPECT_EQ(changes.changes[0].row.value, "6");
    EXPECT_EQ(changes.next, Revision(11));
  }
}

TEST_F(StoreMachineTest, ARevisionIsForgottenAsAWhole) {
  options_.changes_max = 4;
  Open();
  std::vector<Term> terms;
  for (const char* key : {"a", "b", "c"}) terms.push_back({key, Revision(0), Write{"1", {}}});
  (void)Ask(CompareAndSet{Token(1), terms});
  (void)Put("d", "1");
  EXPECT_EQ(std::get<Changes>(Ask(Watch{"", Revision(1), seconds(1)})).changes.size(), 4u);
  (void)Put("e", "1");
  EXPECT_EQ(StatusOf(Ask(Watch{"", Revision(1), seconds(1)})).detail(), 2u);
  EXPECT_EQ(std::get<Changes>(Ask(Watch{"", Revision(2), seconds(1)})).changes.size(), 2u);
}

TEST_F(StoreMachineTest, AWatchIsNotHeldUpByChangesOfOthers) {
  options_.changes_max = 2;
  Open();
  const uint64_t watch = Begin(Watch{"w/", Revision(1), seconds(60)});
  Revision last(0);
  for (int i = 0; i < 10; ++i) last = Put("other", std::to_string(i), last);
  EXPECT_FALSE(answers_.contains(watch));
  Put("w/1", "x");
  ASSERT_TRUE(answers_.contains(watch));
  EXPECT_EQ(std::get<Changes>(answers_[watch]).changes.size(), 1u);
}

TEST_F(StoreMachineTest, AWatchIsAnsweredWhenItsWaitIsOver) {
  Put("other", "x");
  const uint64_t watch = Begin(Watch{"w/", Revision(2), seconds(7)});
  EXPECT_EQ(machine_->NextDeadline(), now_ + seconds(7));
  Pass(seconds(7));
  ASSERT_TRUE(answers_.contains(watch));
  EXPECT_EQ(std::get<Changes>(answers_[watch]).next, Revision(2));
}

TEST_F(StoreMachineTest, OneCallerWaitsOnce) {
  options_.waiting_max = 1;
  Open();
  StoreMachine::Output output;
  for (int i = 0; i < 3; ++i) {
    machine_->Step(now_, {"peer", 99}, Watch{"w/", Revision(1), seconds(7)}, &output);
  }
  EXPECT_TRUE(output.replies.empty());
  EXPECT_EQ(StatusOf(Ask(Watch{"w/", Revision(1), seconds(7)})).code(), core::Code::kOverloaded);
}

// As a client does each second: its wait does not begin anew, and it does not fall behind.
TEST_F(StoreMachineTest, AWatchThatIsAskedAgainEndsWhenItsFirstDoes) {
  options_.changes_max = 2;
  Open();
  const Watch watch{"w/", Revision(1), seconds(3)};
  const uint64_t number = Begin(watch);
  Revision last(0);
  for (int i = 0; i < 4; ++i) {
    last = Put("other", std::to_string(i), last);
    StoreMachine::Output output;
    machine_->Step(now_, {"peer", number}, watch, &output);  // its `from` is forgotten by now
    Carry(std::move(output));
    EXPECT_FALSE(answers_.contains(number));
    Pass(seconds(i < 2 ? 1 : 0));
  }
  Pass(seconds(1));
  ASSERT_TRUE(answers_.contains(number));
  EXPECT_EQ(std::get<Changes>(answers_[number]), (Changes{{}, last + 1}));
}

TEST_F(StoreMachineTest, ManyLargeAnswersAreGivenAFewAtATime) {
  options_.reply_bytes_per_output = 300;
  Open();
  constexpr size_t kWatches = 20;
  std::vector<uint64_t> watches;
  for (size_t i = 0; i < kWatches; ++i) {
    watches.push_back(Begin(Watch{"w/", Revision(1), seconds(7)}));
  }
  StoreMachine::Output output;
  now_ += seconds(7);  // also those whose wait is over are told
  machine_->Step(now_, {"peer", ++number_},
                 CompareAndSet{Token(1), {{"w/1", Revision(0), Write{std::string(97, 'x'), {}}}}},
                 &output);
  size_t told = output.replies.size() - 1;
  EXPECT_LE(output.reply_bytes, 400u);
  while (told < kWatches && machine_->NextDeadline() && *machine_->NextDeadline() <= now_) {
    output = {};
    machine_->Tick(now_, &output);
    EXPECT_LE(output.reply_bytes, 400u);
    for (const auto& reply : output.replies) {
      EXPECT_EQ(std::get<Changes>(reply.answer).changes.size(), 1u);
    }
    told += output.replies.size();
  }
  EXPECT_EQ(told, kWatches);
}

TEST_F(StoreMachineTest, ADirectoryPutBackFromAnOldCopyIsNoticed) {
  Put("k", "v");
  EXPECT_EQ(StatusOf(Ask(Watch{"", Revision(3), seconds(1)})).code(), core::Code::kRefused);
}

TEST_F(StoreMachineTest, AFullStoreRefusesMoreAndTakesLess) {
  options_.rows_max = 2;
  options_.bytes_max = 100;
  Open();
  const Revision a = Put("a", std::string(40, 'x'));
  Put("b", "x");
  EXPECT_EQ(StatusOf(Ask(CompareAndSet{Token(9), {{"c", Revision(0), Write{"x", {}}}}})).code(),
            core::Code::kRefused);
  EXPECT_EQ(
      StatusOf(Ask(CompareAndSet{Token(9), {{"a", a, Write{std::string(99, 'x'), {}}}}})).code(),
      core::Code::kRefused);
  const Revision less = Put("a", "x", a);
  EXPECT_FALSE(Has("c"));
  // What goes makes room for what comes with it.
  const Answer swapped =
      Ask(CompareAndSet{Token(9), {{"a", less, Write{}}, {"c", Revision(0), Write{"x", {}}}}});
  ASSERT_TRUE(std::holds_alternative<Compared>(swapped));
  EXPECT_TRUE(std::get<Compared>(swapped).done);
  EXPECT_TRUE(Has("c"));
}

TEST_F(StoreMachineTest, RefusesTheStoreOfAnotherCluster) {
  options_.cluster = "other";
  EXPECT_EQ(StoreMachine::Open(options_, disk_, now_).status().code(), core::Code::kBadRequest);
}

TEST_F(StoreMachineTest, AnEmptyDirectoryIsNoStore) {
  EXPECT_EQ(StoreMachine::Open(options_, core::MemoryStore(), now_).status().code(),
            core::Code::kUnavailable);
}

TEST_F(StoreMachineTest, RowsThatDoNotFitTogetherAreRefused) {
  const LeaseId lease = Grant(seconds(10));
  Put("k", "v", Revision(0), lease);
  const auto damaged = [&](const std::string& key, std::optional<std::string> value) {
    core::MemoryStore copy;
    core::WriteBatch batch;
    disk_.Scan("", "", [&](std::string_view k, std::string_view v) {
      batch.Put(std::string(k), std::string(v));
      return true;
    });
    value ? batch.Put(key, *value) : batch.Delete(key);
    EXPECT_TRUE(copy.Write(batch).ok());
    return StoreMachine::Open(options_, copy, now_).status().code();
  };
  std::string lease_key;
  disk_.Scan("l", "m", [&](std::string_view k, std::string_view) {
    lease_key = k;
    return true;
  });
  EXPECT_EQ(damaged(lease_key, std::nullopt), core::Code::kCorrupt);  // the row has none then
  EXPECT_EQ(damaged("rother", *disk_.Get("rk")), core::Code::kCorrupt);
  EXPECT_EQ(damaged("rk", "junk of some length"), core::Code::kBadRequest);
  EXPECT_EQ(damaged("m", std::nullopt), core::Code::kUnavailable);
  EXPECT_EQ(damaged("x", "y"), core::Code::kOk);
}

}  // namespace
}  // namespace homeport::coordination
