// What every coordination store promises, asked of each of them.
#include <gtest/gtest.h>

#include "coordination/lease_keeper.h"
#include "coordination/tests/asker.h"

namespace homeport::coordination {
namespace {

class ConformanceTest : public testing::TestWithParam<BackendKind> {
 protected:
  void SetUp() override {
    std::string why;
    backend_ = GetParam().make(&why);
    if (backend_ == nullptr) GTEST_SKIP() << why;
    asker_ = std::make_unique<Asker>(backend_.get());
  }
  void TearDown() override {
    asker_.reset();
    backend_.reset();
  }
  Asker& ask() { return *asker_; }
  Compared Compare(CompareAndSet set) { return ask().AskFor<Compared>(Request(std::move(set))); }
  core::Status Refused(const Request& request) {
    const Answer answer = ask().Ask(request);
    const auto* status = std::get_if<core::Status>(&answer);
    EXPECT_NE(status, nullptr) << "answered as if all were well";
    return status == nullptr ? core::Status() : *status;
  }

  std::unique_ptr<Backend> backend_;
  std::unique_ptr<Asker> asker_;
};

TEST_P(ConformanceTest, ARowIsWhatWasPut) {
  EXPECT_EQ(ask().Find("a/b"), std::nullopt);
  const Settled put = ask().Settle(Set({PutTerm("a/b", std::string("v\0\xff", 3))}));
  ASSERT_TRUE(put.done);
  const auto row = ask().Find("a/b");
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(row->key, "a/b");
  EXPECT_EQ(row->value, std::string("v\0\xff", 3));
  EXPECT_EQ(row->revision, put.revision);
  EXPECT_EQ(row->lease, LeaseId(0));
  EXPECT_EQ(ask().Find("a"), std::nullopt);
  EXPECT_EQ(ask().Find("a/bc"), std::nullopt);
}

TEST_P(ConformanceTest, OnlyWhoKnowsTheRowChangesIt) {
  const Settled one = ask().Settle(Set({PutTerm("k", "one")}));
  ASSERT_TRUE(one.done);
  const Compared again = Compare(Set({PutTerm("k", "other")}));
  EXPECT_FALSE(again.done);
  ASSERT_EQ(again.rows.size(), 1u);
  EXPECT_EQ(again.rows[0].value, "one");
  const Settled two = ask().Settle(Set({PutTerm("k", "two", one.revision)}));
  EXPECT_TRUE(two.done);
  EXPECT_GT(two.revision, one.revision);
  EXPECT_FALSE(Compare(Set({PutTerm("k", "three", one.revision)})).done);
  EXPECT_FALSE(Compare(Set({DeleteTerm("k", one.revision)})).done);
  EXPECT_EQ(ask().Find("k")->value, "two");
  EXPECT_TRUE(ask().Settle(Set({DeleteTerm("k", two.revision)})).done);
  EXPECT_EQ(ask().Find("k"), std::nullopt);
  EXPECT_FALSE(Compare(Set({PutTerm("k", "four", two.revision)})).done);
}

TEST_P(ConformanceTest, AllTermsOrNone) {
  const Settled a = ask().Settle(Set({PutTerm("a", "1"), PutTerm("b", "1")}));
  ASSERT_TRUE(a.done);
  EXPECT_EQ(ask().Find("a")->revision, ask().Find("b")->revision);
  const Compared none =
      Compare(Set({PutTerm("a", "2", a.revision), PutTerm("b", "2"), PutTerm("c", "2")}));
  EXPECT_FALSE(none.done);
  ASSERT_EQ(none.rows.size(), 2u);  // of c there is none
  EXPECT_EQ(none.rows[0].key, "a");
  EXPECT_EQ(none.rows[1].key, "b");
  EXPECT_EQ(ask().Find("a")->value, "1");
  EXPECT_EQ(ask().Find("c"), std::nullopt);
  // Only looked at.
  EXPECT_FALSE(Compare(Set({PutTerm("c", "2"), Term{"a", Revision(0), std::nullopt}})).done);
  EXPECT_TRUE(ask().Settle(Set({PutTerm("c", "2"), Term{"a", a.revision, std::nullopt}})).done);
  EXPECT_EQ(ask().Find("a")->revision, a.revision);
}

TEST_P(ConformanceTest, SentAgainItIsDoneOnce) {
  const CompareAndSet set = Set({PutTerm("once", "x"), PutTerm("too", "y")});
  const Settled first = ask().Settle(set);
  ASSERT_TRUE(first.done);
  const Compared second = Compare(set);
  EXPECT_TRUE(second.done);
  EXPECT_EQ(second.revision, first.revision);
  // Also when one of its rows has been written since.
  ASSERT_TRUE(ask().Settle(Set({PutTerm("once", "z", first.revision)})).done);
  EXPECT_EQ(Compare(set).revision, first.revision);
  EXPECT_EQ(ask().Find("once")->value, "z");
}

TEST_P(ConformanceTest, ListsAPrefixInOrderAndInPages) {
  const std::string big(100 << 10, 'x');
  for (int i = 30; i > 10; --i) {
    ASSERT_TRUE(ask().Settle(Set({PutTerm("p/" + std::to_string(i), big)})).done);
  }
  ASSERT_TRUE(
      ask().Settle(Set({PutTerm("p", "no"), PutTerm("q/1", "no"), PutTerm("o/9", "no")})).done);
  std::vector<std::string> keys;
  std::string after;
  int pages = 0;
  for (bool more = true; more && pages < 30; ++pages) {
    const Rows page = ask().AskFor<Rows>(List{"p/", after});
    for (const Row& row : page.rows) keys.push_back(row.key);
    more = page.more;
    if (!keys.empty()) after = keys.back();
  }
  ASSERT_EQ(keys.size(), 20u);
  EXPECT_TRUE(std::is_sorted(keys.begin(), keys.end()));
  EXPECT_GT(pages, 1);
  EXPECT_EQ(ask().AskFor<Rows>(List{"", ""}).rows.front().key, "o/9");
  EXPECT_TRUE(ask().AskFor<Rows>(List{"r", ""}).rows.empty());
}

TEST_P(ConformanceTest, AWatchTellsEveryChangeFromARevisionOn) {
  const Settled one = ask().Settle(Set({PutTerm("w/1", "a")}));
  const Settled two = ask().Settle(Set({PutTerm("w/2", "b"), PutTerm("v", "-")}));
  const Settled three = ask().Settle(Set({DeleteTerm("w/1", one.revision)}));
  ASSERT_TRUE(three.done);
  std::vector<Change> seen;
  Revision from = one.revision;
  while (seen.size() < 3) {
    const Changes some = ask().AskFor<Changes>(Watch{"w/", from, std::chrono::seconds(5)});
    ASSERT_FALSE(some.changes.empty());
    seen.insert(seen.end(), some.changes.begin(), some.changes.end());
    from = some.next;
  }
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].row.value, "a");
  EXPECT_EQ(seen[0].row.revision, one.revision);
  EXPECT_EQ(seen[1].row.key, "w/2");
  EXPECT_EQ(seen[1].row.revision, two.revision);
  EXPECT_TRUE(seen[2].deleted);
  EXPECT_EQ(seen[2].row.key, "w/1");
  EXPECT_EQ(seen[2].row.revision, three.revision);
  EXPECT_GT(from, three.revision);
}

TEST_P(ConformanceTest, AWatchWaitsForAChange) {
  const Revision now = ask().AskFor<Rows>(List{"w/", ""}).revision;
  const uint64_t waiting = ask().Begin(Watch{"w/", now + 1, std::chrono::seconds(30)});
  // Longer than a client waits until it asks a second time, and a third.
  const uint64_t other = ask().Begin(Watch{"x/", now + 1, std::chrono::milliseconds(3500)});
  const Answer idle = ask().Await(other);
  ASSERT_TRUE(std::holds_alternative<Changes>(idle));
  EXPECT_TRUE(std::get<Changes>(idle).changes.empty());
  EXPECT_GT(std::get<Changes>(idle).next, now);
  EXPECT_FALSE(ask().Has(waiting));
  Asker another(backend_.get());
  ASSERT_TRUE(another.Settle(Set({PutTerm("w/late", "x")})).done);
  const Answer told = ask().Await(waiting);
  ASSERT_TRUE(std::holds_alternative<Changes>(told));
  ASSERT_EQ(std::get<Changes>(told).changes.size(), 1u);
  EXPECT_EQ(std::get<Changes>(told).changes[0].row.key, "w/late");
}

TEST_P(ConformanceTest, RowsGoWithTheirLease) {
  const Leased lease = ask().AskFor<Leased>(GrantLease{std::chrono::seconds(60)});
  ASSERT_NE(lease.lease, LeaseId(0));
  EXPECT_GE(lease.ttl, std::chrono::seconds(60));
  const Settled put =
      ask().Settle(Set({PutTerm("l/1", "x", Revision(0), lease.lease), PutTerm("l/2", "stays")}));
  ASSERT_TRUE(put.done);
  EXPECT_EQ(ask().Find("l/1")->lease, lease.lease);
  (void)ask().AskFor<LeaseEnded>(EndLease{lease.lease});
  EXPECT_EQ(ask().Find("l/1"), std::nullopt);
  EXPECT_TRUE(ask().Find("l/2").has_value());
  const Changes gone =
      ask().AskFor<Changes>(Watch{"l/", put.revision + 1, std::chrono::seconds(5)});
  ASSERT_EQ(gone.changes.size(), 1u);
  EXPECT_TRUE(gone.changes[0].deleted);
  EXPECT_EQ(gone.changes[0].row.key, "l/1");
  (void)ask().AskFor<LeaseEnded>(EndLease{lease.lease});  // again is harmless
  EXPECT_EQ(Refused(KeepAlive{lease.lease}).code(), core::Code::kRefused);
  EXPECT_EQ(Refused(Set({PutTerm("l/3", "x", Revision(0), lease.lease)})).code(),
            core::Code::kRefused);
}

TEST_P(ConformanceTest, ALeaseEndsByItselfAndNotWhileItIsKept) {
  const Leased left = ask().AskFor<Leased>(GrantLease{std::chrono::seconds(3)});
  const Leased kept = ask().AskFor<Leased>(GrantLease{std::chrono::seconds(3)});
  const Settled put = ask().Settle(Set({PutTerm("e/left", "", Revision(0), left.lease),
                                        PutTerm("e/kept", "", Revision(0), kept.lease)}));
  ASSERT_TRUE(put.done);
  const uint64_t watch = ask().Begin(Watch{"e/left", put.revision + 1, std::chrono::seconds(60)});
  while (!ask().Has(watch)) {
    ASSERT_EQ(ask().AskFor<Leased>(KeepAlive{kept.lease}).lease, kept.lease);
    backend_->Wait({ask().store()});
  }
  const Answer ended = ask().Await(watch);
  ASSERT_TRUE(std::holds_alternative<Changes>(ended));
  EXPECT_TRUE(std::get<Changes>(ended).changes.at(0).deleted);
  EXPECT_TRUE(ask().Find("e/kept").has_value());
  EXPECT_EQ(Refused(KeepAlive{left.lease}).code(), core::Code::kRefused);
}

// A store that comes back has forgotten no lease, and none is over before its time has run anew.
TEST_P(ConformanceTest, ALeaseAndItsRowsOutliveADisturbance) {
  const Leased lease = ask().AskFor<Leased>(GrantLease{std::chrono::seconds(30)});
  ASSERT_TRUE(ask().Settle(Set({PutTerm("d", "x", Revision(0), lease.lease)})).done);
  backend_->Disturb();
  EXPECT_EQ(ask().AskFor<Leased>(KeepAlive{lease.lease}).lease, lease.lease);
  EXPECT_EQ(ask().Find("d")->lease, lease.lease);
}

TEST_P(ConformanceTest, WhatWasAnsweredIsThereAfterADisturbance) {
  std::vector<Settled> puts;
  for (int i = 0; i < 4; ++i) {
    puts.push_back(ask().Settle(Set({PutTerm("s/" + std::to_string(i), "v")})));
    ASSERT_TRUE(puts.back().done);
    backend_->Disturb();
  }
  const Rows rows = ask().AskFor<Rows>(List{"s/", ""});
  ASSERT_EQ(rows.rows.size(), 4u);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(rows.rows[i].revision, puts[i].revision);
  // So are the changes: a watch goes on where it was.
  const Changes changes =
      ask().AskFor<Changes>(Watch{"s/", puts[1].revision, std::chrono::seconds(5)});
  ASSERT_FALSE(changes.changes.empty());
  EXPECT_EQ(changes.changes[0].row.revision, puts[1].revision);
}

// Two count together, one follows; the store is killed again and again. No number is given twice.
TEST_P(ConformanceTest, NothingIsDoneTwiceOrMissedWhateverDies) {
  constexpr int kEach = 25;
  Asker counters[2] = {Asker(backend_.get()), Asker(backend_.get())};
  Mirror mirror("n/");
  std::optional<uint64_t> asked;
  std::vector<std::string> told;
  const auto follow = [&] {
    if (asked && ask().Has(*asked)) {
      mirror.OnAnswer(backend_->Now(), ask().Await(*asked));
      asked.reset();
    }
    if (!asked) {
      if (auto request = mirror.Next(backend_->Now())) asked = ask().Begin(std::move(*request));
    }
    for (const Change& change : mirror.TakeChanges()) told.push_back(change.row.value);
  };
  std::vector<std::string> given;
  int done[2] = {0, 0};
  for (int round = 0; done[0] + done[1] < 2 * kEach; ++round) {
    ASSERT_LT(round, 100 * kEach);
    const int who = round % 2;
    if (done[who] == kEach) continue;
    Asker& counter = counters[who];
    const auto row = counter.Find("n/counter");
    const int next = row ? std::stoi(row->value) + 1 : 1;
    const CompareAndSet set =
        Set({PutTerm("n/counter", std::to_string(next), row ? row->revision : Revision(0))});
    const uint64_t call = counter.Begin(set);
    if (round % 10 == 3) backend_->Disturb();  // while it is under way
    Answer answer = counter.Await(call);
    Settled settled;
    if (const auto* compared = std::get_if<Compared>(&answer)) {
      settled.done = compared->done;
    } else {
      settled = counter.Settle(set);
    }
    EXPECT_FALSE(settled.perhaps) << "the other one waits";
    if (settled.done) {
      ++done[who];
      given.push_back(std::to_string(next));
    }
    follow();
  }
  std::vector<std::string> expected;
  for (int i = 1; i <= 2 * kEach; ++i) expected.push_back(std::to_string(i));
  EXPECT_EQ(given, expected);
  const core::Instant end = backend_->Now() + kPatience;
  while (told.size() < expected.size() && backend_->Now() < end) {
    follow();
    backend_->Wait({ask().store()});
  }
  // Its first list may have shown some number other than 1: from there on all of them.
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told, std::vector<std::string>(expected.end() - static_cast<long>(told.size()),
                                           expected.end()));
}

TEST_P(ConformanceTest, WhileItIsAwayCallsEndInTimeAndThenGoOn) {
  ASSERT_TRUE(ask().Settle(Set({PutTerm("before", "x")})).done);
  const Revision now = ask().AskFor<Rows>(List{"", ""}).revision;
  backend_->Stop();
  const core::Duration timeout = std::chrono::milliseconds(300);
  for (const Request& request :
       std::vector<Request>{Get{"before"}, List{"", ""},
                            Watch{"", now + 1, std::chrono::milliseconds(100)}, AskStatus{}}) {
    const Answer answer = ask().Ask(request, timeout);
    ASSERT_TRUE(std::holds_alternative<core::Status>(answer));
    EXPECT_EQ(std::get<core::Status>(answer).code(), core::Code::kUnavailable);
  }
  const CompareAndSet set = Set({PutTerm("during", "x")});
  const Answer answer = ask().Ask(set, timeout);
  ASSERT_TRUE(std::holds_alternative<core::Status>(answer));
  EXPECT_TRUE(core::IsNotNow(std::get<core::Status>(answer).code()));
  backend_->Start();
  EXPECT_TRUE(ask().Settle(set).done);
  EXPECT_TRUE(ask().Find("before").has_value());
}

TEST_P(ConformanceTest, RefusesWhatIsBeyondTheLimits) {
  EXPECT_EQ(Refused(Get{""}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(Get{"Upper"}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(Get{std::string(kKeyBytesMax + 1, 'k')}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(List{"a b", ""}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(CompareAndSet{}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(CompareAndSet{Token(1), {}}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(Set({PutTerm("k", "1"), PutTerm("k", "2")})).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(Set({DeleteTerm("k", Revision(0))})).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(Set({PutTerm("k", std::string(kValueBytesMax + 1, 'v'))})).code(),
            core::Code::kTooLarge);
  EXPECT_EQ(Refused(Set(std::vector<Term>(kTermsMax + 1, PutTerm("k", "")))).code(),
            core::Code::kBadRequest);
  EXPECT_EQ(Refused(GrantLease{std::chrono::seconds(0)}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(KeepAlive{LeaseId(0)}).code(), core::Code::kBadRequest);
  EXPECT_EQ(Refused(KeepAlive{LeaseId(77)}).code(), core::Code::kRefused);
  EXPECT_EQ(Refused(Watch{"k", Revision(0), std::chrono::seconds(1)}).code(),
            core::Code::kBadRequest);
  // As much as is allowed at once.
  std::vector<Term> most;
  for (int i = 0; i < 8; ++i) {
    most.push_back(PutTerm("m/" + std::to_string(i), std::string(kValueBytesMax, 'v')));
  }
  EXPECT_TRUE(ask().Settle(Set(most)).done);
}

TEST_P(ConformanceTest, StatusTellsWhatItHolds) {
  (void)ask().AskFor<Leased>(GrantLease{std::chrono::seconds(30)});
  ASSERT_TRUE(ask().Settle(Set({PutTerm("a", "x"), PutTerm("b", "x")})).done);
  const StoreStatus status = ask().AskFor<StoreStatus>(AskStatus{});
  EXPECT_EQ(status.rows, 2u);
  EXPECT_EQ(status.leases, 1u);
  EXPECT_GT(status.revision, Revision(0));
}

INSTANTIATE_TEST_SUITE_P(Stores, ConformanceTest,
                         testing::Values(BackendKind{"Memory", MakeMemoryBackend},
                                         BackendKind{"Embedded", MakeEmbeddedBackend},
                                         BackendKind{"Etcd", MakeEtcdBackend}),
                         [](const testing::TestParamInfo<BackendKind>& kind) {
                           return kind.param.name;
                         });

}  // namespace
}  // namespace homeport::coordination
