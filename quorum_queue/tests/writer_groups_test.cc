// A writer with several groups: which it appends to, and what counts when it changes.
#include <gtest/gtest.h>

#include "quorum_queue/tests/writer_harness.h"

namespace homeport::quorum_queue {
namespace {

using Seqs = std::vector<uint64_t>;
using std::chrono::milliseconds;

WriterOptions Options() {
  WriterOptions options;
  options.append_timeout = milliseconds(100);
  options.return_after = milliseconds(1000);
  options.resend_after = milliseconds(50);
  options.straggler_bytes_max = 1 << 20;
  return options;
}

// Timers and all messages of these replicas for `ms`, one after another; the others hear nothing.
void RunWith(WriterHarness* h, int64_t ms, const std::vector<size_t>& up) {
  for (int64_t i = 0; i < ms; i += 5) {
    h->RunTimers(5);
    h->DeliverAll(up);
  }
}

// What `replica` was sent with entries since, as "first+count".
std::vector<std::string> EntriesSentTo(const WriterHarness& h, size_t replica) {
  std::vector<std::string> runs;
  for (const ReplicaRequest& request : h.sent[replica]) {
    const auto* append = std::get_if<Append>(&request);
    const auto* fill = std::get_if<Fill>(&request);
    if (fill == nullptr && (append == nullptr || append->run.empty())) continue;
    const EntryRun& run = fill ? fill->run : append->run;
    runs.push_back((fill ? "fill " : "") + std::to_string(run.first.value()) + "+" +
                   std::to_string(run.count()));
  }
  return runs;
}
using Runs = std::vector<std::string>;

TEST(WriterGroupsTest, OpensAndAppendsInThePreferredGroup) {
  WriterOptions options = Options();
  options.preferred_group = 1;
  WriterHarness h(5, 2, options);
  h.Open();
  h.SubmitAndFlush("a");
  EXPECT_TRUE(h.sent[0].empty());
  h.DeliverAll({3, 4});
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
  EXPECT_EQ(h.Status().group, 1);
  EXPECT_TRUE(h.replicas[0].entries.empty());
}

TEST(WriterGroupsTest, NeverOpensInADrainingGroupAndFencesItStill) {
  Grant grant = GrantOf(5, 2);
  grant.groups[0].state = GroupState::kDraining;
  WriterHarness h(grant, Options());
  h.Step(WriterTick{});
  h.DeliverAll({3, 4, 5});
  EXPECT_EQ(h.Status().phase, WriterPhase::kFencing);
  EXPECT_EQ(h.Status().waiting_for, (std::vector<ReplicaSlot>{{0, 0}, {0, 1}, {0, 2}}));
  h.DeliverAll({1, 2, 3, 4, 5});
  EXPECT_EQ(h.opened, Seqs{1});
  EXPECT_EQ(h.Status().group, 1);
  EXPECT_TRUE(h.replicas[0].entries.empty());
  // Not even when its own group fails.
  h.SubmitAndFlush("a");
  h.ClearSent();
  RunWith(&h, 2000, {0, 1, 2});
  EXPECT_EQ(h.commits, Seqs{1});
  EXPECT_TRUE(h.replicas[0].entries.empty());
}

TEST(WriterGroupsTest, ResendsAllThatIsNotDurableInOrderToTheNextGroup) {
  WriterHarness h(5, 2, Options());
  h.Open();
  for (const char* payload : {"a", "b", "c"}) h.SubmitAndFlush(payload);
  h.Deliver(0);
  h.Deliver(1);  // a is durable
  h.Deliver(0);  // b is at one
  h.ClearSent();
  RunWith(&h, 95, {3, 4, 5});
  h.RunTimers(10);
  EXPECT_EQ(h.Status().group, 1);
  EXPECT_EQ(h.Status().switches, 1u);
  for (const size_t r : {3, 4, 5}) EXPECT_EQ(EntriesSentTo(h, r), (Runs{"3+1", "4+1"}));
  h.SubmitAndFlush("d");
  h.DeliverAll({3, 4});
  EXPECT_EQ(h.commits.back(), 5u);
  EXPECT_EQ(h.replicas[3].entries.begin()->first, Seq(3));
}

TEST(WriterGroupsTest, LateAnswersOfTheGroupThatWasLeftStillCountThere) {
  WriterHarness h(5, 2, Options());
  h.Open();
  h.SubmitAndFlush("a");
  const ReplicaAnswer first = h.Handle(0);
  const ReplicaAnswer second = h.Handle(1);
  h.ClearSent();
  RunWith(&h, 95, {3, 4, 5});
  h.RunTimers(10);
  ASSERT_EQ(h.Status().group, 1);
  const ReplicaAnswer other = [&] {
    while (!std::holds_alternative<Append>(h.sent[3].front())) h.Deliver(3);
    return h.Handle(3);
  }();
  h.Receive(0, first);
  h.Receive(3, other);
  EXPECT_EQ(h.commits, Seqs{1}) << "one in each group is no quorum";
  h.Receive(1, second);
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
  EXPECT_EQ(h.Status().late_commits, 1u);
}

TEST(WriterGroupsTest, TwoFullReplicasAreLeftAtOnce) {
  WriterHarness h(5, 2, Options());
  h.Open();
  h.replicas[0].full = h.replicas[1].full = true;
  h.SubmitAndFlush("a");
  h.DeliverAll({0, 1});
  h.DeliverAll({3, 4, 5});  // the probes
  EXPECT_EQ(h.Status().group, 1);
  h.DeliverAll({3, 4, 5});
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
  EXPECT_EQ(h.now_ms, 10);
}

TEST(WriterGroupsTest, ReturnsToThePreferredGroupWhenItHasBeenWell) {
  WriterHarness h(5, 2, Options());
  h.Open();
  h.SubmitAndFlush("a");
  h.ClearSent();
  RunWith(&h, 150, {3, 4, 5});
  EXPECT_EQ(h.commits.back(), 2u);
  RunWith(&h, 3000, {2, 3, 4, 5});
  EXPECT_EQ(h.Status().group, 1) << "one replica is not well enough";
  RunWith(&h, 2000, {0, 2, 3, 4, 5});
  EXPECT_EQ(h.Status().group, 0);
  EXPECT_EQ(h.Status().returns, 1u);
  h.SubmitAndFlush("b");
  h.DeliverAll({0, 2});
  EXPECT_EQ(h.commits.back(), 3u);
  EXPECT_EQ(h.replicas[3].entries.count(Seq(3)), 0u);
}

TEST(WriterGroupsTest, SubmittedWhileNobodyTakesEntriesItGoesToTheNextGroup) {
  WriterHarness h(5, 2, Options());
  h.Open();
  h.Step(TrimThrough{Seq(1)});
  RunWith(&h, 1000, {3, 4, 5});  // the news go unanswered in the first group
  EXPECT_EQ(h.Status().switches, 0u) << "nothing is outstanding";
  h.SubmitAndFlush("a");
  RunWith(&h, 300, {3, 4, 5});
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
}

TEST(WriterGroupsTest, AStragglerOfTheGroupThatWasLeftGetsWhatWasCommittedThere) {
  WriterHarness h(5, 2, Options());
  h.Open();
  h.SubmitAndFlush("a");
  h.DeliverAll({0, 1});
  h.ClearSent();
  h.SubmitAndFlush("b");
  h.ClearSent();
  RunWith(&h, 300, {3, 4, 5});
  ASSERT_EQ(h.commits.back(), 3u);
  RunWith(&h, 3000, {2, 3, 4, 5});
  EXPECT_EQ(h.replicas[2].entries.count(Seq(2)), 1u);
  EXPECT_EQ(h.replicas[2].entries.count(Seq(3)), 0u) << "b was committed in the other group";
}

// ---- before Open commits

WriterHarness TakeoverWithAFill() {
  WriterHarness h(5, 2, Options());
  h.replicas[0].chain = MakeChain({{3, 1}});
  h.replicas[0].Put(MakeRun(1, 3, {"one"}));
  h.Step(WriterTick{});
  for (size_t r = 0; r < 6; ++r) h.Deliver(r);
  return h;
}

TEST(WriterGroupsTest, FillsInTheNextGroupWhenTheFirstFailsWhileFilling) {
  WriterHarness h = TakeoverWithAFill();
  ASSERT_EQ(h.Status().phase, WriterPhase::kFilling);
  h.ClearSent();
  RunWith(&h, 95, {3, 4, 5});
  h.RunTimers(10);
  ASSERT_EQ(h.Status().group, 1);
  EXPECT_EQ(h.Status().phase, WriterPhase::kFilling);
  for (const size_t r : {3, 4, 5}) EXPECT_EQ(EntriesSentTo(h, r), Runs{"fill 1+1"});
  h.DeliverAll({3, 5});
  EXPECT_EQ(h.opened, Seqs{2});
  EXPECT_EQ(h.replicas[3].chain, MakeChain({{3, 1}, {5, 2}}));
  EXPECT_EQ(h.Status().switches_before_open, 1u);
}

TEST(WriterGroupsTest, FillsAnewBeforeOpenGoesToAnotherGroup) {
  WriterHarness h = TakeoverWithAFill();
  h.Deliver(1);
  ASSERT_EQ(h.Status().phase, WriterPhase::kOpening);
  h.ClearSent();  // Open is lost
  RunWith(&h, 95, {3, 4, 5});
  h.RunTimers(10);
  EXPECT_EQ(h.Status().phase, WriterPhase::kFilling);
  for (const size_t r : {3, 4, 5}) EXPECT_EQ(EntriesSentTo(h, r), Runs{"fill 1+1"});
  // Only when 2 of 3 have it there.
  while (!std::holds_alternative<Fill>(h.sent[3].front())) h.Deliver(3);
  h.Deliver(3);
  EXPECT_EQ(h.Status().phase, WriterPhase::kFilling);
  EXPECT_EQ(EntriesSentTo(h, 3), Runs{});
  h.DeliverAll({3, 4});
  EXPECT_EQ(h.opened, Seqs{2});
  EXPECT_EQ(h.commits, Seqs{2});
  h.SubmitAndFlush("a");
  h.DeliverAll({3, 4});
  EXPECT_EQ(h.commits.back(), 3u);
}

TEST(WriterGroupsTest, ALateOpenInTheGroupThatWasLeftOpens) {
  WriterHarness h = TakeoverWithAFill();
  h.Deliver(1);
  const ReplicaAnswer first = h.Handle(0);
  const ReplicaAnswer second = h.Handle(1);
  h.ClearSent();
  RunWith(&h, 95, {3, 4, 5});
  h.RunTimers(10);
  ASSERT_EQ(h.Status().phase, WriterPhase::kFilling);
  h.Receive(0, first);
  EXPECT_TRUE(h.opened.empty());
  h.Receive(1, second);
  EXPECT_EQ(h.opened, Seqs{2});
  h.SubmitAndFlush("a");
  h.DeliverAll({3, 4});
  EXPECT_EQ(h.commits.back(), 3u) << "it goes on in the group it had changed to";
}

TEST(WriterGroupsTest, GroupsThatAllFailAreTriedInTurnWithoutAStorm) {
  WriterHarness h(5, 3, Options());
  h.Open();
  h.SubmitAndFlush("a");
  // Fences are answered everywhere, entries nowhere.
  for (int64_t t = 0; t < 10000; t += 5) {
    h.RunTimers(5);
    for (size_t r = 0; r < 9; ++r) {
      std::deque<ReplicaRequest> requests;
      requests.swap(h.sent[r]);
      for (ReplicaRequest& request : requests) {
        if (!std::holds_alternative<Fence>(request)) continue;
        h.sent[r].push_front(std::move(request));
        h.Deliver(r);
      }
    }
  }
  EXPECT_EQ(h.commits, Seqs{1});
  EXPECT_GE(h.Status().switches, 5u);
  EXPECT_LE(h.Status().switches, 12u);
  h.RunTimers(2000);
  h.DeliverAll({0, 1, 2, 3, 4, 5, 6, 7, 8});
  EXPECT_EQ(h.commits, (Seqs{1, 2}));
}

}  // namespace
}  // namespace homeport::quorum_queue
