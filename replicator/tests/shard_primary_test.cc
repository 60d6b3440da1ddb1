#include "replicator/shard_primary.h"

#include <gtest/gtest.h>

#include "core/messaging/keys.h"
#include "core/messaging/queries.h"
#include "core/messaging/rows.h"
#include "core/messaging/sync.h"
#include "replicator/tests/shard_bench.h"

namespace homeport::replicator {
namespace {

namespace qq = quorum_queue;
using core::AccountKind;
using core::Code;
using core::Uin;
using std::chrono::milliseconds;
using std::chrono::seconds;

const StreamId kElsewhere(kThere, ShardId(0));

Uin NewUser(ShardBench& bench, const std::string& name) {
  const Ticket ticket = bench.Execute(core::NewUin{});
  bench.Commit();
  const Uin uin = bench.ResultOf(ticket)->uin;
  bench.Execute(core::CreateAccount{uin, AccountKind::kUser, name});
  bench.Commit();
  return uin;
}

core::SendMessage Note(Uin user, uint64_t id) {
  return {user, core::ClientMessageId(id), user, false, "note " + std::to_string(id)};
}

size_t InboxSize(const ShardBench& bench, Uin user) {
  const auto page = core::ReadSync(bench.store, {1, {}}, user, {}, "", {});
  return page.ok() ? page->messages.size() : 0;
}

// ---- taking over

TEST(ShardPrimaryTest, RefusesCommandsUntilItServes) {
  ShardBench bench;
  bench.Start();
  const Ticket early = bench.Execute(core::NewUin{});
  EXPECT_EQ(bench.ResultOf(early)->status.code(), Code::kUnavailable);
  EXPECT_NE(bench.ResultOf(early)->status.message().find("waits for replica"), std::string::npos);
  bench.StartReady();
  const Ticket late = bench.Execute(core::NewUin{});
  bench.Commit();
  EXPECT_TRUE(bench.ResultOf(late)->status.ok());
}

TEST(ShardPrimaryTest, ReplaysItsStreamBeforeItServes) {
  ShardBench bench;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  bench.Execute(Note(alice, 1));
  bench.Commit();
  bench.Commit();
  ASSERT_EQ(InboxSize(bench, alice), 1u);
  bench.store.Crash(0);
  EXPECT_EQ(InboxSize(bench, alice), 0u);
  bench.StartReady();
  EXPECT_EQ(InboxSize(bench, alice), 1u);
  const Ticket again = bench.Execute(Note(alice, 1));
  bench.Commit();
  EXPECT_FALSE(bench.ResultOf(again)->changed);
}

TEST(ShardPrimaryTest, FindsPendingIntentsOfItsLastLife) {
  ShardBench bench;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  bench.Execute(Note(alice, 1));
  bench.EndOfTurn();
  bench.Deliver();  // applied; the intent to herself waits
  EXPECT_EQ(bench.shard->Status().intents_pending, 1u);
  ASSERT_TRUE(bench.store.Flush().ok());
  bench.StartReady();
  bench.Commit();
  EXPECT_EQ(bench.shard->Status().intents_pending, 0u);
  EXPECT_EQ(InboxSize(bench, alice), 1u);
}

TEST(ShardPrimaryTest, StopsWhenAnotherProcessTookOver) {
  ShardBench bench;
  bench.StartReady();
  const Ticket in_flight = bench.Execute(core::NewUin{});
  bench.EndOfTurn();
  const Ticket queued = bench.Execute(core::NewUin{});
  bench.requests.clear();
  // The other's fence reaches all replicas first.
  for (uint8_t r = 0; r < 3; ++r) {
    bench.replicas[r]->Receive(bench.now, qq::ReplicaPeer(99),
                               qq::Fence{{kHere, ShardId(0)}, qq::MakeEpoch(50, 0)});
    bench.replicas[r]->Sync(bench.now);
  }
  bench.Pass(seconds(1));
  bench.Deliver();
  ASSERT_TRUE(bench.why_stop.has_value());
  EXPECT_EQ(bench.ResultOf(in_flight)->status.code(), Code::kUnavailable);
  EXPECT_NE(bench.ResultOf(in_flight)->status.message().find("unknown"), std::string::npos);
  EXPECT_EQ(bench.ResultOf(queued)->status.code(), Code::kUnavailable);
  EXPECT_NE(bench.ResultOf(queued)->status.message().find("not begun"), std::string::npos);
  EXPECT_EQ(bench.notes.count("fenced"), 1u);
  EXPECT_FALSE(bench.shard->NextDeadline().has_value());
}

TEST(ShardPrimaryTest, StopsAtAnEntryThatIsNone) {
  ShardBench bench;
  bench.StartReady();
  // Another writer of the stream writes nonsense.
  qq::WriterOptions options;
  options.stream = {kHere, ShardId(0)};
  qq::Writer writer(options, bench.NextGrant());
  std::vector<qq::WriterEffect> effects;
  const auto step = [&](qq::WriterEvent event) {
    writer.Step(bench.now, std::move(event), &effects);
    while (!effects.empty()) {
      auto due = std::move(effects);
      effects.clear();
      for (auto& effect : due) {
        auto* send = std::get_if<qq::SendToReplica>(&effect);
        if (send == nullptr) continue;
        SimReplica& replica = *bench.replicas[send->to.slot];
        auto out = replica.Receive(bench.now, qq::ReplicaPeer(77), std::move(send->request));
        for (auto& late : replica.Sync(bench.now)) out.push_back(std::move(late));
        for (auto& one : out) {
          if (one.peer.value() != 77) continue;
          writer.Step(bench.now, qq::AnswerReceived{send->to, std::move(one.answer)}, &effects);
        }
      }
    }
  };
  step(qq::WriterTick{});
  ASSERT_TRUE(writer.Submit("this is no entry").ok());
  step(qq::WriterFlush{});
  bench.Start();
  for (int n = 0; n < 10; ++n) {
    bench.Deliver();
    bench.Pass(milliseconds(5));
  }
  ASSERT_TRUE(bench.why_stop.has_value());
  EXPECT_NE(bench.why_stop->find("cannot be applied"), std::string::npos) << *bench.why_stop;
  EXPECT_EQ(bench.notes.count("corrupt_entry"), 1u);
}

// ---- turns

TEST(ShardPrimaryTest, EvaluatesAllThatWaitsIntoOneEntry) {
  ShardBench bench;
  bench.StartReady();
  for (int n = 0; n < 10; ++n) bench.Execute(core::NewUin{});
  bench.Commit();
  EXPECT_EQ(bench.stats.entries_appended, 1u);
  EXPECT_EQ(bench.results.size(), 10u);
  EXPECT_EQ(bench.stats.commands, 10u);
}

TEST(ShardPrimaryTest, FinishesAnEntryAtItsSizeAndGoesOnWithTheNext) {
  ShardBench bench;
  bench.options.entry_bytes_max = 2000;
  bench.options.entries_per_turn_max = 2;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  const uint64_t before = bench.stats.entries_appended;
  std::vector<Ticket> tickets;
  for (uint64_t n = 1; n <= 12; ++n) {
    tickets.push_back(bench.Execute(core::SendMessage{
        alice, core::ClientMessageId(n), Uin(alice.value()), false, std::string(800, 'x')}));
  }
  bench.EndOfTurn();
  EXPECT_EQ(bench.stats.entries_appended, before + 2);
  EXPECT_TRUE(bench.shard->more()) << "the next turn goes on at once";
  for (int n = 0; n < 20; ++n) bench.Commit();
  for (const Ticket ticket : tickets) EXPECT_TRUE(bench.ResultOf(ticket)->status.ok());
  EXPECT_FALSE(bench.shard->more());
  EXPECT_EQ(InboxSize(bench, alice), 12u);
}

TEST(ShardPrimaryTest, TrimsInboxesNowAndThenAndAppendsNothingWhenThereIsNothing) {
  ShardBench bench;
  bench.options.messaging.device_gone_after = std::chrono::milliseconds(0);
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  bench.Execute(core::SendMessage{alice, core::ClientMessageId(1), alice, false, "note"});
  for (int n = 0; n < 3; ++n) bench.Commit();
  EXPECT_EQ(InboxSize(bench, alice), 1u);
  const uint64_t before = bench.stats.entries_appended;
  for (int n = 0; n < 300; ++n) {
    bench.Pass(std::chrono::seconds(1));
    bench.Commit();
  }
  EXPECT_EQ(InboxSize(bench, alice), 0u);
  EXPECT_EQ(bench.stats.entries_appended, before + 1);
}

TEST(ShardPrimaryTest, AnswersWhenCommittedAndApplied) {
  ShardBench bench;
  bench.StartReady();
  const Ticket ticket = bench.Execute(core::NewUin{});
  EXPECT_FALSE(bench.ResultOf(ticket).has_value());
  bench.EndOfTurn();
  EXPECT_FALSE(bench.ResultOf(ticket).has_value());
  bench.DeliverRequests();
  EXPECT_FALSE(bench.ResultOf(ticket).has_value());
  const Seq before = bench.shard->Status().applied;
  bench.DeliverAnswers();
  EXPECT_TRUE(bench.ResultOf(ticket)->status.ok());
  EXPECT_EQ(bench.shard->Status().applied, before + 1);
}

TEST(ShardPrimaryTest, KeepsSeveralEntriesInFlightButNotMoreThanItsLimit) {
  ShardBench bench;
  bench.options.entries_in_flight_max = 3;
  bench.StartReady();
  std::vector<Ticket> tickets;
  for (int n = 0; n < 5; ++n) {
    tickets.push_back(bench.Execute(core::NewUin{}));
    bench.EndOfTurn();
  }
  EXPECT_EQ(bench.stats.entries_appended, 3u);
  EXPECT_EQ(bench.shard->Status().commands_queued, 2u);
  EXPECT_FALSE(bench.shard->more());
  bench.Deliver();
  EXPECT_TRUE(bench.shard->Status().commands_queued == 2u);
  bench.Commit();
  for (const Ticket ticket : tickets) EXPECT_TRUE(bench.ResultOf(ticket)->status.ok());
}

TEST(ShardPrimaryTest, EvaluatesNothingWhileTheWindowIsFull) {
  ShardBench bench;
  bench.options.entry_bytes_max = 1000;
  bench.options.writer.window_bytes_max = 1500;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  const uint64_t commands = bench.stats.commands;
  for (uint64_t n = 1; n <= 3; ++n) {
    bench.Execute(
        core::SendMessage{alice, core::ClientMessageId(n), alice, false, std::string(900, 'x')});
    bench.EndOfTurn();
  }
  EXPECT_EQ(bench.stats.commands, commands + 1);
  EXPECT_EQ(bench.shard->Status().commands_queued, 2u);
  for (int n = 0; n < 10; ++n) bench.Commit();
  EXPECT_EQ(InboxSize(bench, alice), 3u);
}

TEST(ShardPrimaryTest, RefusesCommandsPastItsQueue) {
  ShardBench bench;
  bench.options.commands_queued_max = 2;
  bench.StartReady();
  bench.Execute(core::NewUin{});
  bench.Execute(core::NewUin{});
  const Ticket third = bench.Execute(core::NewUin{});
  EXPECT_EQ(bench.ResultOf(third)->status.code(), Code::kOverloaded);
  EXPECT_EQ(bench.ResultOf(third)->status.detail(), 100u);
  bench.Commit();
  EXPECT_EQ(bench.results.size(), 3u);
  EXPECT_EQ(bench.stats.errors_by_code[static_cast<size_t>(Code::kOverloaded)], 1u);
}

// ---- commands that need no entry

TEST(ShardPrimaryTest, AppendsNothingForARefusedCommandAndAnswersAtOnce) {
  ShardBench bench;
  bench.StartReady();
  const Ticket ticket = bench.Execute(core::CreateAccount{Uin(5), AccountKind::kUser, "nobody"});
  bench.EndOfTurn();
  EXPECT_EQ(bench.ResultOf(ticket)->status.code(), Code::kBadRequest);
  EXPECT_EQ(bench.stats.entries_appended, 0u);
}

TEST(ShardPrimaryTest, ARepeatedCommandWaitsForTheEntryThatHasTheFirst) {
  ShardBench bench;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  const uint64_t entries = bench.stats.entries_appended;
  const Ticket first = bench.Execute(Note(alice, 1));
  bench.EndOfTurn();
  const Ticket again = bench.Execute(Note(alice, 1));
  bench.EndOfTurn();
  EXPECT_EQ(bench.stats.entries_appended, entries + 1);
  EXPECT_FALSE(bench.ResultOf(again).has_value()) << "the first is not committed yet";
  bench.Deliver();
  ASSERT_TRUE(bench.ResultOf(again).has_value());
  EXPECT_EQ(bench.ResultOf(again)->message, bench.ResultOf(first)->message);
}

TEST(ShardPrimaryTest, ARefusalDoesNotOvertakeAnAnswerBeforeIt) {
  ShardBench bench;
  bench.StartReady();
  bench.Execute(core::NewUin{});
  bench.EndOfTurn();
  const Ticket refused = bench.Execute(core::CreateAccount{Uin(5), AccountKind::kUser, "nobody"});
  bench.EndOfTurn();
  EXPECT_FALSE(bench.ResultOf(refused).has_value());
  bench.Deliver();
  EXPECT_EQ(bench.ResultOf(refused)->status.code(), Code::kBadRequest);
}

// ---- time-outs

TEST(ShardPrimaryTest, TellsAtTheTimeOutThatTheOutcomeIsUnknownAndALateCommitIsSilent) {
  ShardBench bench;
  bench.StartReady();
  const Ticket ticket = bench.Execute(core::NewUin{});
  bench.EndOfTurn();
  std::vector<SendToQueue> held = std::move(bench.requests);
  bench.requests.clear();
  bench.now += seconds(4);
  EXPECT_FALSE(bench.ResultOf(ticket).has_value());
  bench.Pass(seconds(1));
  ASSERT_TRUE(bench.ResultOf(ticket).has_value());
  EXPECT_EQ(bench.ResultOf(ticket)->status.code(), Code::kNoQuorum);
  bench.Pass(seconds(1));
  bench.requests = std::move(held);
  bench.Deliver();  // commits; the bench checks that it is answered once
  const Ticket next = bench.Execute(core::NewUin{});
  bench.Commit();
  EXPECT_TRUE(bench.ResultOf(next)->status.ok()) << "answers go on with the right commands";
}

TEST(ShardPrimaryTest, ATimedOutCommandThatWasNotBegunIsDropped) {
  ShardBench bench;
  bench.options.entries_in_flight_max = 1;
  bench.StartReady();
  const Ticket first = bench.Execute(core::NewUin{});
  bench.EndOfTurn();
  const Ticket second = bench.Execute(core::NewUin{});
  bench.EndOfTurn();
  bench.requests.clear();
  bench.Pass(seconds(6));
  EXPECT_EQ(bench.ResultOf(first)->status.code(), Code::kNoQuorum);
  EXPECT_EQ(bench.ResultOf(second)->status.code(), Code::kNoQuorum);
  EXPECT_NE(bench.ResultOf(second)->status.message().find("not begun"), std::string::npos);
  EXPECT_EQ(bench.shard->Status().commands_queued, 0u);
  const uint64_t evaluated = bench.stats.commands;
  for (int n = 0; n < 5; ++n) bench.Commit();
  EXPECT_EQ(bench.stats.commands, evaluated);
}

// ---- a full disk

TEST(ShardPrimaryTest, RetriesTheFirstCommittedEntryUntilTheStoreTakesIt) {
  ShardBench bench;
  bench.StartReady();
  bench.store.full = true;
  const Ticket first = bench.Execute(core::NewUin{});
  bench.EndOfTurn();
  const Ticket second = bench.Execute(core::NewUin{});
  bench.EndOfTurn();
  bench.Deliver();
  EXPECT_EQ(bench.notes.count("store_full"), 1u);
  EXPECT_FALSE(bench.ResultOf(first).has_value());
  for (int n = 0; n < 5; ++n) bench.Pass(milliseconds(200));
  EXPECT_EQ(bench.notes.count("store_full"), 1u) << "told once, not at every try";
  bench.store.full = false;
  ASSERT_TRUE(bench.shard->NextDeadline().has_value());
  bench.Pass(milliseconds(200));
  EXPECT_TRUE(bench.ResultOf(first)->status.ok());
  EXPECT_TRUE(bench.ResultOf(second)->status.ok());
  EXPECT_EQ(bench.notes.count("store_ok"), 1u);
}

TEST(ShardPrimaryTest, ReadsNoFurtherWhileTheStoreRefusesWhatItHas) {
  ShardBench bench;
  bench.StartReady();
  NewUser(bench, "alice");
  bench.store.Crash(0);
  bench.store.full = true;
  bench.Start();
  bench.Deliver();
  ASSERT_EQ(bench.notes.count("store_full"), 1u);
  for (int n = 0; n < 20; ++n) {
    bench.Pass(milliseconds(100));
    for (const SendToQueue& send : bench.requests) {
      EXPECT_FALSE(std::holds_alternative<qq::Read>(send.request));
    }
    bench.Deliver();
  }
}

TEST(ShardPrimaryTest, RetriesWhileItReplaysItsStream) {
  ShardBench bench;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  bench.store.Crash(0);
  bench.store.full = true;
  bench.Start();
  for (int n = 0; n < 10; ++n) {
    bench.Deliver();
    bench.Pass(milliseconds(100));
  }
  EXPECT_FALSE(bench.shard->ready());
  EXPECT_NE(bench.shard->Status().why_not.find("disk full"), std::string::npos);
  bench.store.full = false;
  for (int n = 0; n < 10; ++n) {
    bench.Deliver();
    bench.Pass(milliseconds(100));
  }
  EXPECT_TRUE(bench.shard->ready()) << bench.shard->Status().why_not;
  EXPECT_TRUE(core::FindAccount(bench.store, 1, alice).has_value());
}

// ---- intents

// A shard of another region, whose entries the test hands over.
class Elsewhere {
 public:
  Elsewhere() : evaluator_({kThere, ShardId(0), 1, {}}, &store_) {
    bob_ = Evaluate(core::NewUin{}).uin;
    Evaluate(core::CreateAccount{bob_, AccountKind::kUser, "bob"});
  }
  // Bob sends so many messages to `to`, all in one entry.
  void Send(Uin to, int messages) {
    evaluator_.Begin(core::WallMs(500));
    for (; messages > 0; --messages) {
      const auto sent = evaluator_.Execute(core::SendMessage{
          bob_, core::ClientMessageId(++sent_), to, false, "m" + std::to_string(sent_)});
      EXPECT_TRUE(sent.status.ok()) << sent.status;
    }
    Finish();
  }
  // Applies its entries in `bench`'s store, as the replayer does, and hands over what is pending if
  // asked.
  void ReplayIn(ShardBench* bench, bool hand_over) {
    RegionStats stats;
    uint64_t tokens = 0;
    std::vector<RegionEffect> effects;
    Outbox out(&effects, &stats, &tokens);
    Applier applier(kElsewhere, {kHere, 1}, &bench->store);
    while (applier.applied().value() < entries_.size()) {
      ASSERT_TRUE(applier.Apply(bench->now, entries_[applier.applied().value()], &out));
    }
    for (auto& intent : out.pending()) {
      if (hand_over) bench->shard->AddPending(std::move(intent));
    }
  }
  const std::vector<std::string>& entries() const { return entries_; }

 private:
  core::CommandResult Evaluate(const core::Command& command) {
    evaluator_.Begin(core::WallMs(500));
    core::CommandResult result = evaluator_.Execute(command);
    Finish();
    return result;
  }
  void Finish() {
    entries_.push_back(evaluator_.Finish());
    RegionStats stats;
    uint64_t tokens = 0;
    std::vector<RegionEffect> effects;
    Outbox out(&effects, &stats, &tokens);
    Applier applier(kElsewhere, {kThere, 1}, &store_);
    ASSERT_TRUE(applier.Apply({}, entries_.back(), &out));
    evaluator_.Applied();
  }
  core::MemoryStore store_;
  core::Evaluator evaluator_;
  std::vector<std::string> entries_;
  Uin bob_;
  uint64_t sent_ = 0;
};

TEST(ShardPrimaryTest, ConsumesIntentsAtTheNextTurn) {
  ShardBench bench;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  Elsewhere elsewhere;
  elsewhere.Send(alice, 3);
  elsewhere.ReplayIn(&bench, true);
  EXPECT_EQ(bench.shard->Status().intents_pending, 3u);
  const uint64_t entries = bench.stats.entries_appended;
  bench.Commit();
  EXPECT_EQ(bench.stats.entries_appended, entries + 1);
  EXPECT_EQ(InboxSize(bench, alice), 3u);
  EXPECT_EQ(core::ConsumedSeq(bench.store, kHere, kElsewhere, ShardId(0)),
            Seq(elsewhere.entries().size()));
  EXPECT_TRUE(core::LoadPending(bench.store, ShardId(0)).empty());
}

TEST(ShardPrimaryTest, TakesAnIntentOnceHoweverOftenItIsHandedOver) {
  ShardBench bench;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  Elsewhere elsewhere;
  elsewhere.Send(alice, 2);
  elsewhere.ReplayIn(&bench, true);
  const auto pending = core::LoadPending(bench.store, ShardId(0));
  for (const auto& intent : pending) bench.shard->AddPending(intent);
  EXPECT_EQ(bench.shard->Status().intents_pending, 2u);
  bench.Commit();
  for (const auto& intent : pending) bench.shard->AddPending(intent);
  bench.Commit();
  EXPECT_EQ(InboxSize(bench, alice), 2u);
}

TEST(ShardPrimaryTest, LeavesRoomForCommandsWhenIntentsFloodIt) {
  ShardBench bench;
  bench.options.entry_bytes_max = 4000;
  bench.options.entries_per_turn_max = 1;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  Elsewhere elsewhere;
  for (int n = 0; n < 100; ++n) elsewhere.Send(alice, 1);
  elsewhere.ReplayIn(&bench, true);
  const Ticket ticket = bench.Execute(core::NewUin{});
  bench.Commit();
  EXPECT_TRUE(bench.ResultOf(ticket).has_value());
  EXPECT_GT(bench.shard->Status().intents_pending, 50u);
  for (int n = 0; n < 40; ++n) bench.Commit();
  EXPECT_EQ(InboxSize(bench, alice), 100u);
}

TEST(ShardPrimaryTest, TakesTurnsAmongTheSourcesOfIntents) {
  ShardBench bench;
  bench.options.entry_bytes_max = 1000;
  bench.options.entries_per_turn_max = 1;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  for (uint64_t n = 1; n <= 50; ++n) bench.Execute(Note(alice, n));  // one source: itself
  for (int n = 0; n < 60; ++n) {
    bench.EndOfTurn();
    bench.Deliver();
    if (bench.shard->Status().commands_queued == 0) break;
  }
  ASSERT_GT(bench.shard->Status().intents_pending, 20u);
  Elsewhere elsewhere;
  elsewhere.Send(alice, 1);
  elsewhere.ReplayIn(&bench, true);
  for (int n = 0; n < 3; ++n) bench.Commit();
  EXPECT_EQ(core::ConsumedSeq(bench.store, kHere, kElsewhere, ShardId(0)), Seq(3));
  EXPECT_GT(bench.shard->Status().intents_pending, 10u);
}

TEST(ShardPrimaryTest, ServesAgainOnlyWhenWhatItConsumedIsAppliedAgain) {
  ShardBench bench;
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  Elsewhere elsewhere;
  elsewhere.Send(alice, 1);
  elsewhere.ReplayIn(&bench, true);
  bench.Commit();
  ASSERT_EQ(InboxSize(bench, alice), 1u);
  bench.store.Crash(0);
  bench.Start();
  for (int n = 0; n < 10; ++n) {
    bench.Deliver();
    bench.Pass(milliseconds(5));
    bench.EndOfTurn();
  }
  EXPECT_FALSE(bench.shard->ready());
  EXPECT_NE(bench.shard->Status().why_not.find("entry 3 of stream 2/0"), std::string::npos)
      << bench.shard->Status().why_not;
  elsewhere.ReplayIn(&bench, false);
  bench.EndOfTurn();
  EXPECT_TRUE(bench.shard->ready());
  bench.Commit();
  EXPECT_EQ(InboxSize(bench, alice), 1u);
}

// ---- regions that are away

// What an entry made rows of for one region says nothing of another that is away only since.
TEST(ShardPrimaryTest, KeepsAllForARegionThatIsAwaySinceAnEntryWasDrafted) {
  constexpr Incarnation kThird(3);
  ShardBench bench;
  bench.options.streams.emplace_back(kThird, ShardId(0));
  bench.StartReady();
  const Uin alice = NewUser(bench, "alice");
  const auto write_to = [&](Incarnation region, uint64_t id) {
    const Uin peer(core::MakeId(region, 77));
    bench.Execute(core::SendMessage{alice, core::ClientMessageId(id), peer, false, "hello"});
    bench.Commit();
  };
  for (uint64_t id = 1; id <= 20; ++id) write_to(kThird, id);
  const Seq before = bench.shard->Status().applied;
  for (uint64_t id = 21; id <= 25; ++id) write_to(kThere, id);
  bench.SetAway({{kThere, before}});
  bench.Deliver();
  bench.EndOfTurn();
  ASSERT_FALSE(bench.requests.empty()) << "rows for kThere are under way";
  bench.SetAway({{kThere, before}, {kThird, Seq(0)}});
  bench.Deliver();
  EXPECT_EQ(bench.shard->KeptThrough(kThird), Seq(0)) << "nothing was kept for it yet";
  const auto rows = [&] {
    size_t count = 0;
    const std::string prefix = core::KeptPrefix({kHere, ShardId(0)}, kThird);
    bench.store.Scan(prefix, core::PrefixEnd(prefix),
                     [&](std::string_view, std::string_view) { return ++count > 0; });
    return count;
  };
  for (int n = 0; n < 10 && bench.shard->KeptThrough(kThird) < before; ++n) bench.Commit();
  EXPECT_GE(bench.shard->KeptThrough(kThird), before);
  EXPECT_EQ(rows(), 20u);
}

}  // namespace
}  // namespace homeport::replicator
