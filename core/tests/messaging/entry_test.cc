#include "core/messaging/entry.h"

#include <gtest/gtest.h>

#include <random>

#include "core/codec.h"
#include "core/messaging/draft.h"
#include "core/messaging/intents.h"
#include "core/messaging/keys.h"
#include "core/messaging/queries.h"
#include "core/messaging/rows.h"
#include "core/messaging/sync.h"
#include "core/tests/messaging/world.h"

namespace homeport::core {
namespace {

constexpr uint16_t kShards = 4;
const Incarnation kSelf(1);
const ShardId kShard(2);
const StreamId kStream(Incarnation(5), kShard);

// A store of region `kSelf` and the entries applied to it.
struct Region {
  MemoryStore store;

  Status Apply(StreamId stream, const std::string& payload, ApplySummary* summary = nullptr) {
    WriteBatch batch;
    ApplySummary local;
    const Status status = ApplyEntry(store, {kSelf, kShards}, stream, AppliedSeq(store, stream) + 1,
                                     payload, &batch, summary != nullptr ? summary : &local);
    if (status.ok()) {
      EXPECT_TRUE(store.Write(batch).ok());
    }
    return status;
  }
  Status Apply(StreamId stream, const Draft& draft, ApplySummary* summary = nullptr) {
    return Apply(stream, draft.Encode(), summary);
  }
  std::string Value(const std::string& key) { return ReadLive(store, key).value_or("(none)"); }
};

Draft NewDraft() {
  return Draft(WallMs(1234));
}

Intent Fanout(uint64_t group_seq) {
  Intent intent;
  intent.kind = IntentKind::kFanout;
  intent.group = Uin(9);
  intent.group_seq = group_seq;
  return intent;
}

Target To(Incarnation incarnation, ShardId shard) {
  return {incarnation, shard, {}, {Uin(1)}};
}

TEST(ApplyEntryTest, MovesOnlyThePositionForAnOpen) {
  Region region;
  ApplySummary summary;
  ASSERT_TRUE(region.Apply(kStream, "", &summary).ok());
  EXPECT_EQ(AppliedSeq(region.store, kStream), Seq(1));
  EXPECT_EQ(summary.rows, 0u);
  EXPECT_EQ(AppliedSeq(region.store, StreamId(Incarnation(6), kShard)), Seq(0));
}

TEST(ApplyEntryDeathTest, WantsEntriesInOrder) {
  Region region;
  WriteBatch batch;
  ApplySummary summary;
  EXPECT_DEATH(static_cast<void>(ApplyEntry(region.store, {kSelf, kShards}, kStream, Seq(2), "",
                                            &batch, &summary)),
               "in order");
}

TEST(ApplyEntryTest, AppliesARowOnlyWithAHigherStamp) {
  const std::string key = AccountKey(kShard, Uin(1));
  Region region;
  const auto put = [&](Stamp stamp, const char* value, bool deleted = false) {
    Draft draft = NewDraft();
    deleted ? draft.Delete(key, stamp) : draft.Put(key, stamp, value);
    ApplySummary summary;
    EXPECT_TRUE(region.Apply(kStream, draft, &summary).ok());
    EXPECT_EQ(summary.rows + summary.stale_rows, 1u);
    return summary.rows == 1;
  };
  EXPECT_TRUE(put({{0, 0}, Version(5)}, "a"));
  EXPECT_FALSE(put({{0, 0}, Version(5)}, "b"));
  EXPECT_FALSE(put({{0, 0}, Version(4)}, "b"));
  EXPECT_EQ(region.Value(key), "a");
  EXPECT_TRUE(put({{0, 1}, Version(1)}, "c"));
  EXPECT_TRUE(put({{1, 0}, Version(0)}, "d"));
  EXPECT_EQ(region.Value(key), "d");
  // A tombstone keeps its stamp.
  EXPECT_TRUE(put({{1, 0}, Version(3)}, "", true));
  EXPECT_FALSE(put({{1, 0}, Version(2)}, "e"));
  EXPECT_EQ(region.Value(key), "(none)");
  EXPECT_TRUE(put({{1, 0}, Version(4)}, "f"));
  EXPECT_EQ(region.Value(key), "f");
}

Report ReportOf(uint64_t applied, uint64_t consumed) {
  Report report;
  report.positions = {{StreamId(Incarnation(1), kShard), Seq(applied), Seq(consumed)},
                      {kStream, Seq(9), Seq(9)}};
  std::sort(report.positions.begin(), report.positions.end(),
            [](const auto& a, const auto& b) { return a.stream < b.stream; });
  report.away = {{Incarnation(3), kStream, Seq(5), Seq(4)}};
  return report;
}

TEST(ApplyEntryTest, AReportIsKeptAsTheLastOfItsRegionAndIsNoWork) {
  Region region;
  for (const uint64_t applied : {7, 8}) {
    Draft draft = NewDraft();
    draft.SetReport(ReportOf(applied, 6));
    ApplySummary summary;
    ASSERT_TRUE(region.Apply(kStream, draft, &summary).ok());
    EXPECT_EQ(summary.report, ReportOf(applied, 6));
    EXPECT_FALSE(summary.work);
  }
  const auto row = region.store.Get(ReportKey(kStream.incarnation()));
  ASSERT_TRUE(row.has_value());
  EXPECT_EQ(DecodeReport(*row, kStream.incarnation()), ReportOf(8, 6));
  EXPECT_FALSE(DecodeReport(row->substr(8), kStream.incarnation()).has_value());
}

TEST(ApplyEntryTest, RefusesAReportThatCannotBe) {
  Report more_consumed = ReportOf(7, 8);
  Report unordered = ReportOf(7, 6);
  std::swap(unordered.positions[0], unordered.positions[1]);
  Report for_another = ReportOf(7, 6);
  for_another.away[0].stream = StreamId(Incarnation(1), kShard);
  for (const Report& report : {more_consumed, unordered, for_another}) {
    Region region;
    Draft draft = NewDraft();
    draft.SetReport(report);
    EXPECT_EQ(region.Apply(kStream, draft).code(), Code::kCorrupt);
  }
}

TEST(ApplyEntryTest, PassesOverAReportOfALaterVersion) {
  const std::string bytes = Encode<wire::Entry>([](wire::Entry::Builder entry) {
    entry.setVersion(kEntryVersion);
    entry.initReport().setVersion(kReportVersion + 1);
  });
  Region region;
  ApplySummary summary;
  ASSERT_TRUE(region.Apply(kStream, bytes, &summary).ok());
  EXPECT_FALSE(summary.report.has_value());
  EXPECT_FALSE(region.store.Get(ReportKey(kStream.incarnation())).has_value());
}

TEST(ApplyEntryTest, RowsIntentsAndIdsAreWork) {
  Draft put = NewDraft();
  put.Put(AccountKey(kShard, Uin(1)), {{}, Version(1)}, "a");
  Draft ids = NewDraft();
  ids.RaiseIdsThrough(4);
  Draft intent = NewDraft();
  intent.AddIntent({}, {{kSelf, kShard, {}, {Uin(1)}}});
  Draft cursor = NewDraft();
  cursor.Consumed(kSelf, kStream, {Seq(1), 0});
  Region region;
  for (const auto& [draft, work] :
       {std::pair(&put, true), {&ids, true}, {&intent, true}, {&cursor, false}}) {
    ApplySummary summary;
    ASSERT_TRUE(region.Apply(kStream, *draft, &summary).ok());
    EXPECT_EQ(summary.work, work);
  }
}

TEST(IntentsOfEntryTest, GivesAllWhoeverTheyAreFor) {
  Draft draft = NewDraft();
  draft.AddIntent({}, {{kSelf, kShard, {}, {Uin(1)}}, {Incarnation(4), ShardId(1), {}, {Uin(2)}}});
  const auto intents = IntentsOfEntry(kStream, Seq(3), draft.Encode());
  ASSERT_EQ(intents.size(), 2u);
  EXPECT_EQ(intents[0].region, kSelf);
  EXPECT_EQ(intents[1].region, Incarnation(4));
  EXPECT_EQ(intents[1].intent.shard, ShardId(1));
  EXPECT_EQ(intents[1].intent.index, 1u);
  EXPECT_EQ(DecodePendingIntent(intents[1].intent.bytes)->target.users, std::vector<Uin>{Uin(2)});
  EXPECT_TRUE(IntentsOfEntry(kStream, Seq(3), "").empty());
  EXPECT_TRUE(IntentsOfEntry(kStream, Seq(3), "no entry").empty());
}

TEST(ApplyEntryTest, ComparesStampsWithinOneEntryToo) {
  const std::string key = AccountKey(kShard, Uin(1));
  Region region;
  Draft draft = NewDraft();
  draft.Put(key, {{}, Version(1)}, "a");
  draft.Put(key, {{}, Version(3)}, "b");
  draft.Put(key, {{}, Version(2)}, "c");
  ASSERT_TRUE(region.Apply(kStream, draft).ok());
  EXPECT_EQ(region.Value(key), "b");
}

TEST(ApplyEntryTest, ReachesTheSameRowsInAnyOrderOfStreams) {
  // Two streams write the same keys: as after a takeover.
  std::mt19937_64 random(4);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::pair<StreamId, std::string>> entries;
    for (int i = 0; i < 12; ++i) {
      Draft draft = NewDraft();
      for (int k = 0; k < 3; ++k) {
        const std::string key = AccountKey(kShard, Uin(random() % 3));
        const Stamp stamp{{static_cast<uint32_t>(random() % 3), 0},
                          Version(1000 * random() + static_cast<uint64_t>(i * 3 + k))};
        random() % 3 == 0 ? draft.Delete(key, stamp) : draft.Put(key, stamp, std::to_string(i));
      }
      entries.push_back(
          {StreamId(Incarnation(static_cast<uint16_t>(5 + i % 2)), kShard), draft.Encode()});
    }
    Region straight;
    for (const auto& [stream, payload] : entries) ASSERT_TRUE(straight.Apply(stream, payload).ok());
    Region odd_first;
    for (const size_t parity : {1u, 0u}) {
      for (size_t i = parity; i < entries.size(); i += 2) {
        ASSERT_TRUE(odd_first.Apply(entries[i].first, entries[i].second).ok());
      }
    }
    const auto one = DigestShard(straight.store, kShard);
    const auto two = DigestShard(odd_first.store, kShard);
    ASSERT_EQ(one[0].digest, two[0].digest);
    ASSERT_EQ(one[0].rows, two[0].rows);
  }
}

TEST(ApplyEntryTest, PutsAFanoutIntoEachInboxAndNamesEachUserOnce) {
  Region region;
  Draft draft = NewDraft();
  const std::string item = EncodeInboxItem({std::nullopt, Uin(9), 3});
  draft.Fanout(item, {1, 2}, {Uin(7), Uin(4), Uin(5)}, {30, 40, 50});
  const Stamp direct{{1, 2}, Version(41)};
  draft.Put(InboxKey(kShard, Uin(4), direct), direct, item);
  ApplySummary summary;
  ASSERT_TRUE(region.Apply(kStream, draft, &summary).ok());
  EXPECT_EQ(summary.inboxes, (std::vector<Uin>{Uin(4), Uin(5), Uin(7)}));
  EXPECT_EQ(summary.rows, 4u);
  EXPECT_EQ(summary.written_at, WallMs(1234));
  EXPECT_EQ(region.store.Get(InboxKey(kShard, Uin(4), {{1, 2}, Version(40)})), item);
  EXPECT_EQ(region.store.Get(InboxKey(kShard, Uin(4), direct)), item);
  EXPECT_EQ(region.store.Get(InboxKey(kShard, Uin(7), {{1, 2}, Version(30)})), item);
}

TEST(ApplyEntryTest, TellsWhichMessagesGotTheirPlace) {
  Region region;
  Draft draft = NewDraft();
  const GroupMessage message{3, {MessageId(8), Uin(1), ClientMessageId(2), 5, "x"}};
  draft.Put(GroupMessageKey(kShard, Uin(9), 3), {{}, Version(3)}, EncodeGroupMessage(message));
  ApplySummary summary;
  ASSERT_TRUE(region.Apply(kStream, draft, &summary).ok());
  ASSERT_EQ(summary.sequenced.size(), 1u);
  EXPECT_EQ(summary.sequenced[0].group, Uin(9));
  EXPECT_EQ(summary.sequenced[0].message, MessageId(8));
  EXPECT_EQ(summary.sequenced[0].group_seq, 3u);
}

TEST(ApplyEntryTest, KeepsIntentsForOwnShardsUntilTheyAreConsumed) {
  Region region;
  Draft draft = NewDraft();
  draft.AddIntent(Fanout(1),
                  {To(kSelf, ShardId(0)), To(Incarnation(2), ShardId(0)), To(kSelf, ShardId(3))});
  draft.AddIntent(Fanout(2), {To(kSelf, ShardId(0))});
  ApplySummary summary;
  ASSERT_TRUE(region.Apply(kStream, draft, &summary).ok());
  ASSERT_EQ(summary.pending.size(), 3u);
  ASSERT_TRUE(region.Apply(kStream, draft).ok());

  auto pending = LoadPending(region.store, ShardId(0));
  ASSERT_EQ(pending.size(), 4u);
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(pending[i].source, kStream);
    EXPECT_EQ(pending[i].seq, Seq(1 + i / 2));
    EXPECT_EQ(DecodePendingIntent(pending[i].bytes)->intent.group_seq, 1 + i % 2);
  }
  EXPECT_EQ(LoadPending(region.store, ShardId(3)).size(), 2u);
  EXPECT_EQ(LoadPending(region.store, ShardId(1)).size(), 0u);

  Draft consumed = NewDraft();
  consumed.Consumed(kSelf, kStream, {Seq(1), kWholeEntry});
  ASSERT_TRUE(region.Apply(StreamId(kSelf, ShardId(0)), consumed).ok());
  EXPECT_EQ(ConsumedSeq(region.store, kSelf, kStream, ShardId(0)), Seq(1));
  pending = LoadPending(region.store, ShardId(0));
  ASSERT_EQ(pending.size(), 2u);
  EXPECT_EQ(pending[0].seq, Seq(2));
  EXPECT_EQ(LoadPending(region.store, ShardId(3)).size(), 2u);  // another shard's cursor
}

TEST(ApplyEntryTest, ACursorMayStandWithinAnEntry) {
  Draft draft = NewDraft();
  for (uint64_t n = 1; n <= 3; ++n) draft.AddIntent(Fanout(n), {To(kSelf, ShardId(0))});
  Draft consumed = NewDraft();
  consumed.Consumed(kSelf, kStream, {Seq(1), 1});
  const StreamId own(kSelf, ShardId(0));
  Region region;
  ASSERT_TRUE(region.Apply(kStream, draft).ok());
  ASSERT_TRUE(region.Apply(own, consumed).ok());
  const auto left = LoadPending(region.store, ShardId(0));
  ASSERT_EQ(left.size(), 1u);
  EXPECT_EQ(left[0].index, 2u);
  EXPECT_EQ(ReadCursor(region.store, kSelf, kStream, ShardId(0)), (Cursor{Seq(1), 1}));

  // After a crash the own entry may come back first.
  Region other_order;
  ASSERT_TRUE(other_order.Apply(own, consumed).ok());
  ApplySummary summary;
  ASSERT_TRUE(other_order.Apply(kStream, draft, &summary).ok());
  ASSERT_EQ(summary.pending.size(), 1u);
  EXPECT_EQ(summary.pending[0].index, 2u);
  EXPECT_EQ(LoadPending(other_order.store, ShardId(0)).size(), 1u);
}

TEST(ApplyEntryTest, MakesNothingPendingThatWasConsumedBefore) {
  // The own entry came back before the source's: after a crash.
  Region region;
  Draft consumed = NewDraft();
  consumed.Consumed(kSelf, kStream, {Seq(1), kWholeEntry});
  ASSERT_TRUE(region.Apply(StreamId(kSelf, ShardId(0)), consumed).ok());
  Draft draft = NewDraft();
  draft.AddIntent(Fanout(1), {To(kSelf, ShardId(0)), To(kSelf, ShardId(3))});
  ApplySummary first;
  ASSERT_TRUE(region.Apply(kStream, draft, &first).ok());
  ASSERT_EQ(first.pending.size(), 1u);
  EXPECT_EQ(first.pending[0].shard, ShardId(3));
  ApplySummary second;
  ASSERT_TRUE(region.Apply(kStream, draft, &second).ok());
  EXPECT_EQ(second.pending.size(), 2u);
}

TEST(ApplyEntryTest, FollowsTheCursorsOfOtherRolesWithoutTouchingOwnPending) {
  Region region;
  Draft draft = NewDraft();
  draft.AddIntent(Fanout(1), {To(kSelf, kShard)});
  ASSERT_TRUE(region.Apply(kStream, draft).ok());
  Draft consumed = NewDraft();
  consumed.Consumed(Incarnation(7), kStream, {Seq(9), kWholeEntry});
  consumed.Consumed(Incarnation(7), StreamId(kSelf, kShard), {Seq(UINT64_MAX), kWholeEntry});
  ASSERT_TRUE(region.Apply(StreamId(Incarnation(7), kShard), consumed).ok());
  EXPECT_EQ(ConsumedSeq(region.store, Incarnation(7), kStream, kShard), Seq(9));
  EXPECT_EQ(ConsumedSeq(region.store, kSelf, kStream, kShard), Seq(0));
  EXPECT_EQ(LoadPending(region.store, kShard).size(), 1u);
  // A cursor never goes back.
  Draft lower = NewDraft();
  lower.Consumed(Incarnation(7), kStream, {Seq(3), kWholeEntry});
  ASSERT_TRUE(region.Apply(StreamId(Incarnation(7), kShard), lower).ok());
  EXPECT_EQ(ConsumedSeq(region.store, Incarnation(7), kStream, kShard), Seq(9));
}

TEST(ApplyEntryTest, RefusesWhatIsNoEntryOfTheStream) {
  Region region;
  const auto code = [&](const std::string& payload) {
    return region.Apply(kStream, payload).code();
  };
  EXPECT_EQ(code("x"), Code::kCorrupt);
  EXPECT_EQ(code(std::string(8, '\xff')), Code::kCorrupt);
  EXPECT_EQ(code(std::string(64, '\0')), Code::kCorrupt);
  const auto put = [&](const std::string& key) {
    Draft draft = NewDraft();
    draft.Put(key, {{}, Version(1)}, "x");
    return code(draft.Encode());
  };
  EXPECT_EQ(put(AccountKey(ShardId(3), Uin(1))), Code::kCorrupt);  // of another shard
  EXPECT_EQ(put(AppliedKey(kStream)), Code::kCorrupt);             // local
  EXPECT_EQ(put(ConsumedKey(kSelf, kStream, kShard)), Code::kCorrupt);
  EXPECT_EQ(put(AccountKey(kShard, Uin(1)) + "x"), Code::kCorrupt);
  EXPECT_EQ(put(""), Code::kCorrupt);
  Draft deletes = NewDraft();
  deletes.Delete(InboxKey(kShard, Uin(1), {}), {});
  EXPECT_EQ(code(deletes.Encode()), Code::kCorrupt);
  Draft nowhere = NewDraft();
  nowhere.AddIntent(Fanout(1), {To(kSelf, ShardId(kShards))});
  EXPECT_EQ(code(nowhere.Encode()), Code::kCorrupt);
  Draft ids = NewDraft();
  ids.RaiseIdsThrough(uint64_t{1} << kIdCounterBits);
  EXPECT_EQ(code(ids.Encode()), Code::kCorrupt);
  const std::string fine = NewDraft().Encode();
  for (size_t size = 1; size < fine.size(); ++size) {
    EXPECT_EQ(code(fine.substr(0, size)), Code::kCorrupt);
  }
  EXPECT_EQ(code(fine), Code::kOk);
  EXPECT_EQ(AppliedSeq(region.store, kStream), Seq(1));
}

TEST(DraftTest, EstimatesItsSizeALittleTooHigh) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 300; ++round) {
    Draft draft = NewDraft();
    EXPECT_EQ(draft.bytes(), 0u);
    for (uint64_t n = random() % 20 + 1; n > 0; --n) {
      std::string bytes(random() % 100, 'x');
      std::vector<Uin> users(random() % 9);
      switch (random() % 5) {
        case 0:
          draft.Put(InboxKey(kShard, Uin(n), {}), {}, std::move(bytes));
          break;
        case 1:
          draft.Fanout(std::move(bytes), {}, users, std::vector<uint64_t>(users.size()));
          break;
        case 2: {
          Intent intent;
          intent.message.body = std::move(bytes);
          draft.AddIntent(std::move(intent), {{kSelf, kShard, {}, users}, {kSelf, kShard, {}, {}}});
          break;
        }
        case 3:
          draft.Consumed(kSelf, StreamId::FromValue(random() % 9), {Seq(n), 0});
          break;
        case 4:
          draft.RaiseIdsThrough(n);
          break;
      }
    }
    const size_t size = draft.Encode().size();
    EXPECT_LE(size, draft.bytes());
    EXPECT_GE(2 * size + 256, draft.bytes());
  }
}

TEST(DigestShardTest, SeesEachChangeOfALiveRowAndNoTombstone) {
  Region region;
  const std::string key = MemberKey(kShard, Uin(1), Uin(2));
  const size_t member = static_cast<size_t>(Table::kMember) - 1;
  std::vector<uint64_t> digests;
  uint64_t version = 0;
  const auto change = [&](const char* value) {
    Draft draft = NewDraft();
    const Stamp stamp{{}, Version(++version)};
    value != nullptr ? draft.Put(key, stamp, value) : draft.Delete(key, stamp);
    ASSERT_TRUE(region.Apply(kStream, draft).ok());
    const auto tables = DigestShard(region.store, kShard);
    ASSERT_EQ(tables.size(), kReplicatedTables.size());
    ASSERT_EQ(tables[member].table, "member");
    EXPECT_EQ(tables[member].rows, value != nullptr ? 1u : 0u);
    digests.push_back(tables[member].digest);
  };
  const uint64_t empty = DigestShard(region.store, kShard)[member].digest;
  change("a");
  change("b");
  change("b");  // only its stamp differs
  change(nullptr);
  EXPECT_NE(digests[0], empty);
  EXPECT_NE(digests[0], digests[1]);
  EXPECT_NE(digests[1], digests[2]);
  EXPECT_EQ(digests[3], empty);
}

// ---- malformed input

// Valid entries of all kinds, from a small world.
std::vector<std::string> SampleEntries() {
  World world(2, 1);
  const Uin alice = world.NewAccount(0, AccountKind::kUser, "alice");
  const Uin bob = world.NewAccount(1, AccountKind::kUser, "bob");
  const Uin group = world.NewAccount(0, AccountKind::kGroup, "g");
  const Uin late = world.NewUinAt(0);
  world.Run(0, ClaimName{AccountKind::kUser, "alice", alice});
  for (const Uin user : {alice, bob, late}) world.Run(0, JoinGroup{group, user});
  world.Run(0, LeaveGroup{group, late});
  world.Run(0, Send(alice, 1, bob, "hi"));
  world.Run(0, Send(alice, 2, late, "later"));
  world.Run(1, Post(bob, 1, group, "all"));
  world.Settle();
  world.Run(0, CreateAccount{late, AccountKind::kUser, "late"});
  world.Settle();
  std::vector<std::string> entries;
  for (const int region : {0, 1}) {
    for (const std::string& entry : world.stream(world.StreamOf(region, ShardId(0)))) {
      entries.push_back(entry);
    }
  }
  return entries;
}

TEST(ApplyEntryTest, SurvivesRandomAndMutatedBytes) {
  const std::vector<std::string> samples = SampleEntries();
  const Incarnation self(1);
  const ShardId shard(0);
  std::mt19937_64 random(6);
  uint64_t applied = 0;
  for (int round = 0; round < 300; ++round) {
    MemoryStore store;
    // What is accepted must not hurt readers and the evaluator either.
    for (int i = 0; i < 40; ++i) {
      std::string payload = samples[random() % samples.size()];
      if (random() % 10 == 0) payload.resize(random() % payload.size() / 8 * 8 + 8);
      for (uint64_t n = random() % 8; n > 0; --n) {
        char& byte = payload[random() % payload.size()];
        byte = random() % 2 == 0 ? static_cast<char>(random())
                                 : static_cast<char>(byte ^ (1 << random() % 8));
      }
      if (random() % 20 == 0) {
        for (char& byte : payload) byte = static_cast<char>(random());
      }
      const StreamId stream(Incarnation(static_cast<uint16_t>(1 + random() % 3)), shard);
      WriteBatch batch;
      ApplySummary summary;
      const Status status = ApplyEntry(store, {self, 1}, stream, AppliedSeq(store, stream) + 1,
                                       payload, &batch, &summary);
      if (!status.ok()) {
        ASSERT_EQ(status.code(), Code::kCorrupt);
        continue;
      }
      ++applied;
      ASSERT_TRUE(store.Write(batch).ok());
    }
    DigestShard(store, shard);
    for (const AccountKind kind : {AccountKind::kUser, AccountKind::kGroup}) {
      for (const AccountInfo& account : ListAccounts(store, shard, kind, Uin(0), 100)) {
        static_cast<void>(ReadSync(store, {1, {}}, account.uin, {}, "", {}).ok());
        ListMembers(store, 1, account.uin, Uin(0), 100);
      }
    }
    Evaluator evaluator({self, shard, 1, {}}, &store);
    evaluator.Begin(WallMs(1));
    for (const PendingIntent& pending : LoadPending(store, shard)) {
      evaluator.Consume(pending.source, pending.seq, pending.index, pending.bytes);
    }
    const std::string payload = evaluator.Finish();
    WriteBatch batch;
    ApplySummary summary;
    const StreamId own(self, shard);
    EXPECT_TRUE(
        ApplyEntry(store, {self, 1}, own, AppliedSeq(store, own) + 1, payload, &batch, &summary)
            .ok());
  }
  EXPECT_GT(applied, 1000u);  // else the mutations are too wild to test anything
}

}  // namespace
}  // namespace homeport::core
