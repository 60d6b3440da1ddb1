// What operators order of regions, and the journal: rows that every region comes to know alike.
#include "core/messaging/operations.h"

#include "core/tests/messaging/evaluator_test.h"

namespace homeport::core {
namespace {

RegionState Order(uint64_t number, bool on, const std::string& by,
                  RegionOrder order = RegionOrder::kBlock) {
  RegionState state;
  state.region = Incarnation(2);
  state.order = order;
  state.on = on;
  state.number = number;
  state.by = by;
  state.at_ms = 1000;
  return state;
}
JournalRecord RecordOf(uint64_t id, const std::string& kind) {
  JournalRecord record;
  record.id = id;
  record.kind = kind;
  record.by = "ann@ops1";
  return record;
}
std::vector<JournalRecord> AllOf(World& world, int region) {
  std::vector<JournalRecord> all;
  std::optional<JournalPlace> next = JournalPlace();
  while (next.has_value()) {
    for (auto& record : ListJournal(world.store(region), *next, &next)) {
      all.push_back(std::move(record));
    }
  }
  return all;
}

class OperationsTest : public testing::Test {
 protected:
  CommandResult Give(int region, const RegionState& state) {
    return world_.Run(region, OrderRegion{state});
  }
  const RegionState* Known(int region, RegionOrder order = RegionOrder::kBlock) {
    known_ = LoadRegionStates(world_.store(region));
    return FindState(known_, Incarnation(2), order);
  }

  World world_{3, kShards};
  std::vector<RegionState> known_;
};

TEST_F(OperationsTest, RowsSurviveARoundTrip) {
  RegionState state = Order(7, true, "ann@ops1", RegionOrder::kDrain);
  state.to = {Incarnation(1), Incarnation(3)};
  state.writer = Incarnation(9);
  const auto same = DecodeRegionState(EncodeRegionState(state));
  ASSERT_TRUE(same.has_value());
  EXPECT_TRUE(same->SameOrder(state));
  EXPECT_EQ(same->writer, state.writer);
  JournalRecord record = RecordOf(5, "drain");
  record.number = 6;
  record.writer = Incarnation(7);
  record.what = "sh --to hk";
  record.program = "homeport 0.1.0";
  record.region = Incarnation(1);
  record.begun_at_ms = -8;
  record.changed_at_ms = 9;
  record.state = JournalState::kStopped;
  record.counts = {{"moved", 10}, {"failed", 11}};
  record.lines = {"a", std::string("\0\xff", 2)};
  EXPECT_EQ(DecodeJournal(EncodeJournal(record)), record);
  EXPECT_FALSE(DecodeJournal("nonsense").has_value());
  EXPECT_FALSE(DecodeRegionState("nonsense").has_value());
}

TEST_F(OperationsTest, AnOrderIsKnownEverywhereAndSurvivesACrash) {
  EXPECT_EQ(Known(0), nullptr);
  ASSERT_TRUE(Give(0, Order(1, true, "ann@ops1")).changed);
  world_.Settle();
  for (int region = 0; region < 3; ++region) {
    ASSERT_NE(Known(region), nullptr) << region;
    EXPECT_TRUE(Known(region)->on);
    EXPECT_EQ(Known(region)->by, "ann@ops1");
    EXPECT_EQ(Known(region, RegionOrder::kDrain), nullptr);
  }
  world_.Crash(0, [](size_t) { return 0; });
  world_.Settle();
  EXPECT_TRUE(Known(0)->on);
  EXPECT_EQ(world_.Differences(), Lines({}));
}

TEST_F(OperationsTest, OfTwoOperatorsOneWinsAndTheOtherIsToldByWhom) {
  ASSERT_TRUE(Give(0, Order(1, true, "ann@ops1")).changed);
  EXPECT_FALSE(Give(0, Order(1, true, "ann@ops1")).changed) << "the same again";
  const CommandResult second = Give(0, Order(1, true, "bob@ops2"));
  EXPECT_EQ(second.status.code(), Code::kRefused);
  EXPECT_NE(second.status.message().find("ann@ops1"), std::string::npos) << second.status;
  world_.Settle();
  EXPECT_EQ(Give(1, Order(1, true, "bob@ops2")).status.code(), Code::kRefused) << "there, too";
  EXPECT_TRUE(Give(1, Order(2, false, "bob@ops2")).changed) << "who has seen it";
  world_.Settle();
  EXPECT_FALSE(Known(0)->on);
  EXPECT_EQ(Known(0)->by, "bob@ops2");
}

TEST_F(OperationsTest, OrdersGivenApartAreDecidedAlikeEverywhere) {
  ASSERT_TRUE(Give(0, Order(1, true, "ann@ops1")).changed);
  ASSERT_TRUE(Give(2, Order(1, false, "bob@ops2")).changed) << "cut off from the first";
  world_.Settle();
  for (int region = 0; region < 3; ++region) {
    EXPECT_EQ(Known(region)->by, "bob@ops2") << "the higher writer, in region " << region;
  }
  EXPECT_TRUE(Give(0, Order(2, true, "ann@ops1")).changed);
  world_.Settle();
  for (int region = 0; region < 3; ++region) EXPECT_TRUE(Known(region)->on);
  EXPECT_EQ(world_.Differences(), Lines({}));
}

TEST_F(OperationsTest, WhatIsDraftedCounts) {
  Evaluator& evaluator = world_.Open(0, ShardId(0));
  EXPECT_TRUE(evaluator.Execute(OrderRegion{Order(1, true, "ann@ops1")}).changed);
  EXPECT_EQ(evaluator.Execute(OrderRegion{Order(1, true, "bob@ops2")}).status.code(),
            Code::kRefused);
  EXPECT_EQ(evaluator.Execute(WriteJournal{RecordOf(1, "drain")}).number, 1u);
  EXPECT_EQ(evaluator.Execute(WriteJournal{RecordOf(2, "drain")}).number, 2u);
  EXPECT_EQ(evaluator.Execute(WriteJournal{RecordOf(1, "drain")}).number, 1u);
}

TEST_F(OperationsTest, RefusesWhatIsNoOrderAndNoRecord) {
  EXPECT_EQ(Give(0, Order(0, true, "ann")).status.code(), Code::kBadRequest);
  EXPECT_EQ(Give(0, Order(UINT64_MAX, true, "ann")).status.code(), Code::kBadRequest);
  EXPECT_EQ(Give(0, Order(1, true, std::string(257, 'a'))).status.code(), Code::kTooLarge);
  const auto write = [&](const JournalRecord& record) {
    return world_.Run(0, WriteJournal{record}).status.code();
  };
  EXPECT_EQ(write(RecordOf(0, "drain")), Code::kBadRequest);
  EXPECT_EQ(write(RecordOf(1, "")), Code::kTooLarge);
  JournalRecord long_one = RecordOf(1, "drain");
  long_one.lines.resize(kJournalLinesMax + 1);
  EXPECT_EQ(write(long_one), Code::kTooLarge);
  long_one.lines = {std::string(kJournalWhatMax + 1, 'x')};
  EXPECT_EQ(write(long_one), Code::kTooLarge);
}

TEST_F(OperationsTest, TheJournalIsNumberedOverAllRegions) {
  EXPECT_EQ(world_.Run(0, WriteJournal{RecordOf(11, "drain")}).number, 1u);
  EXPECT_EQ(world_.Run(0, WriteJournal{RecordOf(12, "block")}).number, 2u);
  world_.Pass(std::chrono::seconds(5));
  world_.Settle();
  EXPECT_EQ(world_.Run(1, WriteJournal{RecordOf(13, "migrate")}).number, 3u);
  JournalRecord done = RecordOf(11, "drain");
  done.state = JournalState::kDone;
  done.counts = {{"moved", 5}};
  EXPECT_EQ(world_.Run(0, WriteJournal{done}).number, 1u) << "the same record, changed";
  world_.Settle();
  for (int region = 0; region < 3; ++region) {
    const auto all = AllOf(world_, region);
    ASSERT_EQ(all.size(), 3u);
    EXPECT_EQ(all[0].state, JournalState::kDone);
    EXPECT_GE(all[0].changed_at_ms - all[0].begun_at_ms, 5000);
    EXPECT_EQ(all[0].writer, Incarnation(1));
    EXPECT_EQ(all[2].writer, Incarnation(2));
  }
  EXPECT_EQ(world_.Differences(), Lines({}));
}

TEST_F(OperationsTest, TheOldestRecordsGo) {
  for (uint64_t n = 1; n <= kJournalMax + 5; ++n) {
    EXPECT_EQ(world_.Run(0, WriteJournal{RecordOf(kJournalMax + 6 - n, "block")}).number, n);
  }
  const auto all = AllOf(world_, 0);
  EXPECT_EQ(all.size(), kJournalMax);
  for (const JournalRecord& record : all) EXPECT_GT(record.number, 5u);
}

}  // namespace
}  // namespace homeport::core
