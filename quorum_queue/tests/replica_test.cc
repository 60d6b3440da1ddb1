// The rules of design section 3, "Replica", one by one.
#include "quorum_queue/replica.h"

#include <gtest/gtest.h>

#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

using Entries = std::map<uint64_t, uint64_t>;

// Epoch of each entry.
Entries EntriesOf(const ObservedStream& seen) {
  Entries entries;
  for (const auto& [seq, entry] : seen.entries) entries[seq] = entry.first;
  return entries;
}

// ---- Fence

TEST(ReplicaTest, RefusesAnOlderFence) {
  ReplicaHarness h;
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)});
  const auto fenced = h.Ask<Fenced>(Fence{kTestStream, WriterEpoch(4)});
  EXPECT_EQ(fenced.stream, kTestStream);
  EXPECT_EQ(fenced.epoch, WriterEpoch(4));
  EXPECT_EQ(fenced.promised, WriterEpoch(5));
  EXPECT_EQ(fenced.disk, kTestDisk);
  EXPECT_EQ(h.records(), 1u);
  EXPECT_EQ(h.replica().stats().fenced, 1u);
}

TEST(ReplicaTest, AnswersAFenceSentAgainWithoutLoggingAgain) {
  ReplicaHarness h;
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)});
  const auto again = h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)});
  EXPECT_EQ(again.epoch, WriterEpoch(5));
  EXPECT_EQ(h.records(), 1u);
}

TEST(ReplicaTest, AnswersAFenceOnlyWhenThePromiseIsOnDisk) {
  ReplicaHarness h;
  h.Send(Fence{kTestStream, WriterEpoch(5)});
  h.Send(Fence{kTestStream, WriterEpoch(5)});  // logs nothing, but shows the same promise
  EXPECT_TRUE(h.TakeAnswers().empty());
  h.Persist();
  EXPECT_EQ(h.TakeAnswers().size(), 1u) << "one answer stands for both";
}

TEST(ReplicaTest, ShowsInAFenceAnswerAllItHoldsAboveCommitted) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 4));
  h.Send(MakeAppend(3, 7, 2, 2));  // 5 and 6 are missing
  h.Persist();
  h.TakeAnswers();
  const auto answer = h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)});
  EXPECT_EQ(answer.chain, MakeChain({{3, 1}}));
  EXPECT_EQ(answer.committed, Seq(2));
  EXPECT_EQ(answer.disk, kTestDisk);
  ASSERT_EQ(h.runs().size(), 2u);
  EXPECT_EQ(h.runs()[0].first, Seq(3));
  EXPECT_EQ(h.runs()[0].count, 2u);
  EXPECT_EQ(h.runs()[0].record, RecordNumber(1));
  EXPECT_EQ(h.runs()[0].record_first, Seq(1));
  EXPECT_EQ(h.runs()[1].first, Seq(7));
  EXPECT_EQ(h.runs()[1].epoch, WriterEpoch(3));
}

// The seqs shown by the pages of a fence, each as {first, last}, and where each page ends.
struct Pages {
  std::vector<std::pair<uint64_t, uint64_t>> runs;
  std::vector<uint64_t> ends;
};
Pages AskForPages(ReplicaHarness* h, uint64_t epoch) {
  Pages pages;
  Seq after(0);
  while (pages.ends.size() < 100) {
    const auto page = h->Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(epoch), after});
    EXPECT_EQ(page.after, after);
    for (const RunLocation& run : h->runs()) {
      EXPECT_GT(run.first, after);
      pages.runs.emplace_back(run.first.value(), run.last().value());
    }
    pages.ends.push_back(page.through.value());
    if (page.is_last_page()) break;
    EXPECT_GT(page.through, after);
    after = page.through;
  }
  return pages;
}

TEST(ReplicaTest, PagesAFenceAnswerByRunsEntriesAndBytes) {
  const auto pages_with = [](auto set_limit) {
    ReplicaOptions options;
    options.disk = kTestDisk;
    set_limit(&options);
    ReplicaHarness h(options);
    for (const uint64_t first : {1, 3, 5, 9, 11}) h.Send(MakeAppend(3, first, 2, first == 1));
    h.Persist();
    h.TakeAnswers();
    return AskForPages(&h, 5);
  };
  using Ends = std::vector<uint64_t>;
  const Pages by_runs = pages_with([](ReplicaOptions* o) { o->fence_page_runs_max = 2; });
  EXPECT_EQ(by_runs.ends, (Ends{4, 10, 0}));
  const std::vector<std::pair<uint64_t, uint64_t>> all = {
      {2, 2}, {3, 4}, {5, 6}, {9, 10}, {11, 12}};
  EXPECT_EQ(by_runs.runs, all);
  const Pages by_entries = pages_with([](ReplicaOptions* o) { o->fence_page_entries_max = 4; });
  EXPECT_EQ(by_entries.ends, (Ends{4, 10, 0}));
  EXPECT_EQ(by_entries.runs, all);
  const Pages by_bytes = pages_with([](ReplicaOptions* o) { o->fence_page_bytes_max = 1; });
  EXPECT_EQ(by_bytes.ends, (Ends{2, 4, 6, 10, 0})) << "but at least one run";
  EXPECT_EQ(by_bytes.runs, all);
  EXPECT_EQ(pages_with([](ReplicaOptions*) {}).ends, Ends{0});
}

TEST(ReplicaTest, ALaterPageIsFencedByANewerWriterAndShowsWhatWasTrimmedSince) {
  ReplicaOptions options;
  options.disk = kTestDisk;
  options.fence_page_runs_max = 1;
  ReplicaHarness h(options);
  for (const uint64_t first : {1, 3, 5, 7}) h.Send(MakeAppend(3, first, 2));
  h.Persist();
  h.TakeAnswers();
  EXPECT_EQ(h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)}).through, Seq(2));
  h.Send(Trim{kTestStream, Seq(5)});
  h.Persist();
  const auto second = h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5), Seq(2)});
  EXPECT_EQ(second.committed, Seq(5));
  ASSERT_EQ(h.runs().size(), 1u);
  EXPECT_EQ(h.runs()[0].first, Seq(6));
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(6)});
  EXPECT_EQ(h.Ask<Fenced>(Fence{kTestStream, WriterEpoch(5), Seq(6)}).promised, WriterEpoch(6));
}

TEST(ReplicaTest, ShowsInAFenceAnswerTheStateAfterTheFence) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 2));
  h.Send(Fence{kTestStream, WriterEpoch(5)});
  h.Send(MakeFill(6, 1, 4, 2));  // replaces both, before the answer leaves
  h.Persist();
  for (const AnswerEffect& effect : h.TakeAnswers()) {
    if (!std::holds_alternative<FenceAnswer>(effect.answer)) continue;
    ASSERT_EQ(effect.runs.size(), 1u);
    EXPECT_EQ(effect.runs[0].epoch, WriterEpoch(3));
    EXPECT_EQ(effect.runs[0].record, RecordNumber(1));
    return;
  }
  FAIL() << "no answer to the fence";
}

// ---- Fill

TEST(ReplicaTest, RefusesAnOlderFill) {
  ReplicaHarness h;
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)});
  EXPECT_EQ(h.Ask<Fenced>(MakeFill(4, 1, 3, 2)).promised, WriterEpoch(5));
  EXPECT_TRUE(h.Observe().entries.empty());
}

TEST(ReplicaTest, FillRaisesThePromise) {
  ReplicaHarness h;
  const auto stored = h.Ask<Stored>(MakeFill(5, 1, 3, 2));
  EXPECT_TRUE(stored.fill);
  EXPECT_EQ(stored.epoch, WriterEpoch(5));
  EXPECT_EQ(stored.first, Seq(1));
  EXPECT_EQ(stored.count, 2u);
  EXPECT_EQ(h.Ask<Fenced>(Fence{kTestStream, WriterEpoch(4)}).promised, WriterEpoch(5));
}

TEST(ReplicaTest, FillReplacesEntriesOfAnyOtherEpochAndLeavesChainAndCommitted) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 1));
  h.Ask<Stored>(MakeFill(7, 2, 2, 1));  // of a lower epoch
  h.Ask<Stored>(MakeFill(7, 3, 5, 1));  // of a higher one
  const auto seen = h.Observe();
  EXPECT_EQ(EntriesOf(seen), (Entries{{1, 3}, {2, 2}, {3, 5}, {4, 3}}));
  EXPECT_EQ(seen.state.chain, MakeChain({{3, 1}}));
  EXPECT_EQ(seen.state.committed, Seq(1));
}

TEST(ReplicaTest, FillOfEntriesThatAreThereLogsNothing) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeFill(5, 1, 3, 4));
  EXPECT_EQ(h.Ask<Stored>(MakeFill(5, 2, 3, 2)).count, 2u);
  EXPECT_EQ(h.records(), 1u);
}

TEST(ReplicaTest, FillKeepsEntriesOfTheSameEpochWhereTheyAre) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeFill(5, 2, 3, 2));
  h.Ask<Stored>(MakeFill(5, 1, 3, 4));
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)});
  ASSERT_EQ(h.runs().size(), 3u);
  EXPECT_EQ(h.runs()[0].record, RecordNumber(2));
  EXPECT_EQ(h.runs()[1].record, RecordNumber(1));
  EXPECT_EQ(h.runs()[2].record, RecordNumber(2));
}

TEST(ReplicaTest, FillOfEntriesThatAreThereStillRaisesThePromise) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeFill(5, 1, 3, 4));
  EXPECT_EQ(h.Ask<Stored>(MakeFill(6, 2, 3, 2)).epoch, WriterEpoch(6));
  EXPECT_EQ(h.records(), 2u);
  EXPECT_EQ(h.log()[1].body_size, 0u) << "only the promise";
  EXPECT_EQ(h.Observe().state.promised, WriterEpoch(6));
}

TEST(ReplicaTest, FillStoresNothingThatIsTrimmed) {
  ReplicaHarness h;
  h.Send(Trim{kTestStream, Seq(3)});
  EXPECT_EQ(h.Ask<Stored>(MakeFill(5, 2, 3, 4)).count, 4u) << "what is trimmed counts as stored";
  EXPECT_EQ(EntriesOf(h.Observe()), (Entries{{4, 3}, {5, 3}}));
}

TEST(ReplicaTest, IgnoresAFillThatNoCorrectSenderSends) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 2));
  h.Send(MakeFill(4, 5, 5, 1));  // entries newer than the sender
  h.Send(MakeFill(4, 2, 2, 1));  // another epoch at a committed seq
  h.Send(MakeFill(3, 5, 2, 1));  // not valid under the chain of the sender itself
  h.Persist();
  EXPECT_TRUE(h.TakeAnswers().empty());
  EXPECT_EQ(h.replica().stats().ignored, 3u);
  EXPECT_EQ(h.records(), 1u);
}

// ---- Append

TEST(ReplicaTest, AppendStoresAndSaysWhatItKnowsCommitted) {
  ReplicaHarness h;
  const auto stored = h.Ask<Stored>(MakeAppend(3, 1, 4, 2));
  EXPECT_FALSE(stored.fill);
  EXPECT_EQ(stored.stream, kTestStream);
  EXPECT_EQ(stored.epoch, WriterEpoch(3));
  EXPECT_EQ(stored.disk, kTestDisk);
  EXPECT_EQ(stored.first, Seq(1));
  EXPECT_EQ(stored.count, 4u);
  EXPECT_EQ(stored.committed, Seq(2));
  EXPECT_EQ(h.replica().stats().entries_stored, 4u);
}

TEST(ReplicaTest, RefusesAnOlderAppend) {
  ReplicaHarness h;
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(5)});
  EXPECT_EQ(h.Ask<Fenced>(MakeAppend(4, 1, 4, 2, 1)).promised, WriterEpoch(5));
  const auto seen = h.Observe();
  EXPECT_TRUE(seen.entries.empty());
  EXPECT_EQ(seen.state.committed, Seq(0));
  EXPECT_EQ(seen.state.trimmed, Seq(0));
}

TEST(ReplicaTest, AppendRaisesThePromise) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(5, 1, 1));
  EXPECT_EQ(h.Ask<Fenced>(Fence{kTestStream, WriterEpoch(4)}).promised, WriterEpoch(5));
}

TEST(ReplicaTest, AdoptingANewerChainDropsEntriesNotValidUnderIt) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6, 2));
  Append append = MakeAppend(5, 5, 1, 2);
  append.chain = MakeChain({{3, 1}, {5, 5}});
  h.Ask<Stored>(append);
  const auto seen = h.Observe();
  EXPECT_EQ(EntriesOf(seen), (Entries{{1, 3}, {2, 3}, {3, 3}, {4, 3}, {5, 5}}));
  EXPECT_EQ(seen.state.chain, append.chain);
}

TEST(ReplicaTest, AdoptsAChainFromAnAppendWithoutEntries) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6));
  Append append = MakeAppend(5, 0, 0);
  append.chain = MakeChain({{3, 1}, {5, 5}});
  EXPECT_EQ(h.Ask<Stored>(append).count, 0u);
  EXPECT_EQ(EntriesOf(h.Observe()), (Entries{{1, 3}, {2, 3}, {3, 3}, {4, 3}}));
}

TEST(ReplicaTest, CommittedRisesOnlyAfterWhatIsInvalidIsGone) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6));
  Append append = MakeAppend(5, 0, 0, 5);
  append.chain = MakeChain({{3, 1}, {5, 5}});
  h.Ask<Stored>(append);
  h.Send(Read{kTestStream, 1, Seq(1), 0, 1000, false}, kReaderPeer);
  const auto answers = h.TakeAnswers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(answers[0].runs.back().last(), Seq(4))
      << "5 is committed, but the one held was another's";
  EXPECT_EQ(std::get<ReadAnswer>(answers[1].answer).outcome, ReadOutcome::kLacking);
}

TEST(ReplicaTest, CommittedMayBeAboveWhatIsHeld) {
  ReplicaHarness h;
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 5, 1, 9)).committed, Seq(9));
  EXPECT_EQ(EntriesOf(h.Observe()), (Entries{{5, 3}}));
}

TEST(ReplicaTest, AppendDropsWhatItSaysIsTrimmed) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 2));
  h.Ask<Stored>(MakeAppend(3, 5, 1, 2, 3));
  const auto seen = h.Observe();
  EXPECT_EQ(EntriesOf(seen), (Entries{{4, 3}, {5, 3}}));
  EXPECT_EQ(seen.state.trimmed, Seq(3));
  EXPECT_EQ(seen.state.committed, Seq(3)) << "what is trimmed was committed";
}

TEST(ReplicaTest, AppendStoresOnlyWhatIsNotTrimmed) {
  ReplicaHarness h;
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 1, 4, 0, 2)).count, 4u);
  EXPECT_EQ(EntriesOf(h.Observe()), (Entries{{3, 3}, {4, 3}}));
}

TEST(ReplicaTest, EntriesThatTheirOwnMessageTrimsAreNotLogged) {
  ReplicaHarness h;
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 1, 4, 4, 4)).count, 4u);
  EXPECT_EQ(h.log()[0].body_size, 0u);
  EXPECT_EQ(h.Observe().state.trimmed, Seq(4));
}

TEST(ReplicaTest, CommittedAndTrimmedNeverFall) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6, 5, 2));
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 7, 1, 1, 1)).committed, Seq(5));
  EXPECT_EQ(h.Observe().state.trimmed, Seq(2));
}

TEST(ReplicaTest, AnAppendThatChangesNothingLogsNothing) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6, 5, 2));
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 0, 0, 4, 2)).committed, Seq(5));
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 2, 3, 5, 1)).count, 3u) << "sent again: all is there";
  EXPECT_EQ(h.records(), 1u);
}

TEST(ReplicaTest, TheChainIsLoggedOnlyWhenItIsAdopted) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 1));
  h.Ask<Stored>(MakeAppend(3, 2, 1));
  const auto chain_of = [&](uint64_t record) {
    const auto decoded = DecodeLogRecord(h.log()[record - 1].header, h.log()[record - 1].body_size);
    return std::get<Append>(*decoded).chain;
  };
  EXPECT_EQ(chain_of(1), MakeChain({{3, 1}}));
  EXPECT_TRUE(chain_of(2).empty());
}

TEST(ReplicaTest, IgnoresAnAppendThatNoCorrectWriterSends) {
  ReplicaHarness h;
  Append adopted = MakeAppend(5, 5, 1, 4);
  adopted.chain = MakeChain({{3, 1}, {5, 5}});
  h.Ask<Stored>(adopted);
  std::vector<Append> nonsense(7, adopted);
  nonsense[0].chain = MakeChain({{3, 1}});  // of another epoch than the message
  nonsense[1].chain = {};                   // none, and none of its epoch was adopted
  nonsense[1].epoch = nonsense[1].run.epoch = WriterEpoch(6);
  nonsense[2].chain = MakeChain({{5, 5}, {3, 1}});  // does not ascend
  nonsense[3].run = MakeRun(6, 3, 1);               // entries of another epoch
  nonsense[4].run = MakeRun(4, 5, 1);               // before its own start
  nonsense[5].chain = MakeChain({{3, 1}, {5, 4}});  // decided otherwise before
  nonsense[6].epoch = WriterEpoch(6);               // takes back what is committed
  nonsense[6].chain = MakeChain({{3, 1}, {6, 3}});
  nonsense[6].run = MakeRun(3, 6, 1);
  for (const Append& append : nonsense) h.Send(append);
  h.Persist();
  EXPECT_TRUE(h.TakeAnswers().empty());
  EXPECT_EQ(h.replica().stats().ignored, nonsense.size());
  EXPECT_EQ(h.records(), 1u);
}

TEST(ReplicaTest, RefusesARecordThatTheLogCannotTake) {
  ReplicaOptions options;
  options.record_bytes_max = 2000;
  ReplicaHarness h(options);
  Append append = MakeAppend(3, 1, 0);
  append.run = MakeRun(1, 3, {std::string(2000, 'x')});
  EXPECT_NE(h.Ask<Refused>(append).reason.find("2000"), std::string::npos);
  EXPECT_EQ(h.records(), 0u);
}

// ---- Trim

TEST(ReplicaTest, TrimRaisesTrimmedAndCommitted) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 6, 2));
  h.Send(Trim{kTestStream, Seq(4)});
  h.Persist();
  EXPECT_TRUE(h.TakeAnswers().empty());
  const auto seen = h.Observe();
  EXPECT_EQ(seen.state.trimmed, Seq(4));
  EXPECT_EQ(seen.state.committed, Seq(4));
  EXPECT_EQ(EntriesOf(seen), (Entries{{5, 3}, {6, 3}}));
}

TEST(ReplicaTest, ALowerTrimLogsNothing) {
  ReplicaHarness h;
  h.Send(Trim{kTestStream, Seq(4)});
  h.Send(Trim{kTestStream, Seq(4)});
  h.Send(Trim{kTestStream, Seq(3)});
  EXPECT_EQ(h.records(), 1u);
}

// ---- answers

TEST(ReplicaTest, OneStoredStandsForManyAdjacentAppends) {
  ReplicaHarness h;
  for (uint64_t i = 0; i < 1000; ++i) h.Send(MakeAppend(3, 1 + 2 * i, 2, i));
  EXPECT_TRUE(h.TakeAnswers().empty());
  h.Persist();
  const auto stored = h.TakeAnswer<Stored>();
  EXPECT_EQ(stored.first, Seq(1));
  EXPECT_EQ(stored.count, 2000u);
  EXPECT_EQ(stored.committed, Seq(999));
}

TEST(ReplicaTest, StoredOfInterleavedStreamsAreStillOneEach) {
  ReplicaHarness h;
  for (uint64_t i = 1; i <= 10; ++i) {
    for (const uint64_t stream : {1, 2, 3}) {
      Append append = MakeAppend(3, i, 1);
      append.stream = StreamId::FromValue(stream);
      h.Send(append);
    }
  }
  h.Persist();
  const auto answers = h.TakeAnswers();
  ASSERT_EQ(answers.size(), 3u);
  for (const AnswerEffect& answer : answers) EXPECT_EQ(std::get<Stored>(answer.answer).count, 10u);
}

TEST(ReplicaTest, StoredNeverStandsForEntriesOfAHole) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 2));
  h.Send(MakeAppend(3, 4, 2));
  h.Send(MakeAppend(3, 6, 1));
  h.Persist();
  const auto answers = h.TakeAnswers();
  ASSERT_EQ(answers.size(), 2u);
  EXPECT_EQ(std::get<Stored>(answers[0].answer).count, 2u);
  EXPECT_EQ(std::get<Stored>(answers[1].answer).first, Seq(4));
  EXPECT_EQ(std::get<Stored>(answers[1].answer).count, 3u);
}

TEST(ReplicaTest, StoredIsNotSharedByPeersEpochsOrKinds) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 1));
  h.Send(MakeAppend(3, 2, 1), ReplicaPeer(50));
  h.Send(MakeFill(3, 3, 3, 1));
  Append newer = MakeAppend(4, 4, 1);
  newer.chain = MakeChain({{3, 1}, {4, 4}});
  h.Send(newer);
  h.Persist();
  EXPECT_EQ(h.TakeAnswers().size(), 4u);
}

TEST(ReplicaTest, AnswersLeaveAsFarAsTheDiskIs) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 1));
  h.Send(MakeAppend(3, 2, 1));
  h.Send(MakeAppend(3, 3, 1));
  h.PersistThrough(2);
  EXPECT_EQ(h.TakeAnswer<Stored>().count, 2u);
  h.PersistThrough(3);
  EXPECT_EQ(h.TakeAnswer<Stored>().first, Seq(3));
}

TEST(ReplicaTest, ARefusalWaitsForThePromiseItShows) {
  ReplicaHarness h;
  h.Send(Fence{kTestStream, WriterEpoch(5)});
  h.Send(MakeAppend(3, 1, 1));
  EXPECT_TRUE(h.TakeAnswers().empty());
  h.Persist();
  EXPECT_EQ(h.TakeAnswers().size(), 2u);
}

TEST(ReplicaTest, StatusShowsEachStream) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 4, 2, 1));
  const auto status = h.Ask<StatusAnswer>(StatusRequest{});
  EXPECT_EQ(status.disk, kTestDisk);
  ASSERT_EQ(status.streams.size(), 1u);
  EXPECT_EQ(status.streams[0].stream, kTestStream);
  EXPECT_EQ(status.streams[0].promised, WriterEpoch(3));
  EXPECT_EQ(status.streams[0].chain_epoch, WriterEpoch(3));
  EXPECT_EQ(status.streams[0].committed, Seq(2));
  EXPECT_EQ(status.streams[0].trimmed, Seq(1));
  EXPECT_EQ(status.streams[0].last, Seq(4));
  EXPECT_EQ(status.streams[0].entries, 3u);
}

// ---- limits

TEST(ReplicaTest, AFullDiskRefusesEntriesAndNothingElse) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 2));
  h.Step(SpaceChanged{true});
  EXPECT_EQ(h.Ask<Refused>(MakeAppend(3, 3, 1, 2)).disk, kTestDisk);
  EXPECT_EQ(h.Ask<Refused>(MakeFill(3, 3, 3, 1)).epoch, WriterEpoch(3));
  EXPECT_EQ(h.Observe().state.committed, Seq(0)) << "refused as a whole";
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 1, 2)).count, 2u) << "all there: needs no room";
  EXPECT_EQ(h.Ask<Stored>(MakeAppend(3, 0, 0, 2)).committed, Seq(2));
  EXPECT_EQ(h.Ask<Fenced>(MakeAppend(2, 3, 1)).promised, WriterEpoch(3)) << "fenced comes first";
  h.Ask<FenceAnswer>(Fence{kTestStream, WriterEpoch(4)});
  h.Send(Trim{kTestStream, Seq(1)});
  h.Persist();
  EXPECT_EQ(h.Observe().state.trimmed, Seq(1));
  EXPECT_TRUE(h.replica().Status().full);
  EXPECT_EQ(h.replica().stats().refused_full, 2u);
  h.Step(SpaceChanged{false});
  EXPECT_EQ(h.Ask<Stored>(MakeFill(4, 3, 3, 1)).count, 1u);
}

TEST(ReplicaTest, IgnoresStreamsBeyondTheLimit) {
  ReplicaOptions options;
  options.streams_max = 2;
  ReplicaHarness h(options);
  for (const uint64_t stream : {1, 2, 3})
    h.Send(Fence{StreamId::FromValue(stream), WriterEpoch(1)});
  h.Persist();
  EXPECT_EQ(h.TakeAnswers().size(), 2u);
  EXPECT_EQ(h.replica().stats().ignored, 1u);
}

TEST(ReplicaTest, IgnoresChainsBeyondTheLimitOfAllStreams) {
  ReplicaOptions options;
  options.chain_links_max = 3;
  ReplicaHarness h(options);
  Append append = MakeAppend(5, 5, 1);
  append.chain = MakeChain({{3, 1}, {5, 5}});
  h.Ask<Stored>(append);
  Append other = append;
  other.stream = StreamId::FromValue(9);
  h.Send(other);
  EXPECT_EQ(h.replica().stats().ignored, 1u);
  append.epoch = WriterEpoch(6);  // takes the place of the stream's own links
  append.chain = MakeChain({{3, 1}, {5, 5}, {6, 7}});
  append.run = {};
  h.Ask<Stored>(append);
}

TEST(ReplicaTest, AnAppendWithoutAChainMeansTheOneAdoptedFromThatEpoch) {
  ReplicaHarness h;
  h.Ask<Stored>(MakeAppend(3, 1, 2));
  Append append = MakeAppend(3, 3, 2);
  append.chain.clear();
  EXPECT_EQ(h.Ask<Stored>(append).count, 2u);
  append = MakeAppend(4, 3, 1);
  append.chain.clear();
  h.Send(append);
  EXPECT_EQ(h.replica().stats().ignored, 1u) << "no chain of epoch 4 is known here";
  EXPECT_EQ(h.Observe().state.chain, MakeChain({{3, 1}}));
}

TEST(ReplicaTest, ALongChainNeedsRoomAsEntriesDo) {
  ReplicaHarness h;
  h.Step(SpaceChanged{true});
  Append news = MakeAppend(kChainLinksMax, 1, 0);
  news.chain.clear();
  for (uint64_t i = 1; i <= kChainLinksMax; ++i) news.chain.push_back({WriterEpoch(i), Seq(i)});
  h.Ask<Refused>(news);
  h.Step(SpaceChanged{false});
  h.Ask<Stored>(news);
  EXPECT_EQ(h.Observe().state.chain.size(), kChainLinksMax);
  ReplicaHarness again(h.log(), 1);
  EXPECT_EQ(again.Observe().state.chain.size(), kChainLinksMax);
}

// ---- release of records

TEST(ReplicaTest, ReleasesWhatATrimMadeUselessOnceItIsOnDisk) {
  ReplicaHarness h;
  h.Step(SegmentStarted{});        // record 1
  h.Send(MakeAppend(3, 1, 2, 2));  // record 2
  h.Send(MakeAppend(3, 3, 2, 4));  // record 3
  h.Step(SegmentStarted{});        // record 4
  h.Persist();
  EXPECT_EQ(h.released(), RecordNumber(2)) << "the second checkpoint is on disk";
  h.Send(Trim{kTestStream, Seq(3)});  // record 5
  h.Send(MakeAppend(3, 5, 1, 4));     // record 6
  h.PersistThrough(4);
  EXPECT_EQ(h.released(), RecordNumber(2)) << "after a crash now the entries would be wanted again";
  h.Persist();
  EXPECT_EQ(h.released(), RecordNumber(3));
  h.Send(Trim{kTestStream, Seq(5)});  // record 7
  h.Persist();
  EXPECT_EQ(h.released(), RecordNumber(4)) << "the last checkpoint stays";
}

TEST(ReplicaTest, ReleasesNothingBeforeACheckpoint) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 2, 2));
  h.Send(Trim{kTestStream, Seq(2)});
  h.Persist();
  h.Step(Tick{});
  EXPECT_EQ(h.released(), std::nullopt);
}

TEST(ReplicaTest, ReleasesNothingBeforeTheCheckpointIsOnDisk) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 2, 2));
  h.Send(Trim{kTestStream, Seq(2)});
  h.Persist();
  h.Step(SegmentStarted{});
  h.Step(Tick{});
  EXPECT_EQ(h.released(), std::nullopt);
  h.Persist();
  EXPECT_EQ(h.released(), RecordNumber(3));
}

TEST(ReplicaTest, KeepsRecordsThatAWaitingFenceAnswerNeeds) {
  ReplicaHarness h;
  h.Send(MakeAppend(3, 1, 2));  // record 1
  h.Step(SegmentStarted{});     // record 2
  h.Persist();
  h.TakeAnswers();
  h.Send(Fence{kTestStream, WriterEpoch(4)});  // record 3; shows the entries of record 1
  h.Send(Trim{kTestStream, Seq(2)});           // record 4
  h.Step(Tick{});
  h.PersistThrough(2);
  EXPECT_EQ(h.released(), std::nullopt);
  h.PersistThrough(3);
  h.TakeAnswer<FenceAnswer>();
  ASSERT_EQ(h.runs().size(), 1u);
  EXPECT_EQ(h.runs()[0].record, RecordNumber(1));
  EXPECT_EQ(h.released(), std::nullopt) << "the trim is not on disk";
  h.PersistThrough(4);
  EXPECT_EQ(h.released(), RecordNumber(2));
}

TEST(ReplicaTest, DiesOfWhatTheDriverMustNotDo) {
  ReplicaHarness h;
  EXPECT_DEATH(h.PersistThrough(1), "only what was logged is on disk");
  EXPECT_DEATH(h.replica().FinishReplay(RecordNumber(2)), "once");
  EXPECT_DEATH(
      {
        Replica replica{ReplicaOptions{}};
        std::vector<ReplicaEffect> effects;
        replica.Step({}, Tick{}, &effects);
      },
      "before the first step");
}

}  // namespace
}  // namespace homeport::quorum_queue
