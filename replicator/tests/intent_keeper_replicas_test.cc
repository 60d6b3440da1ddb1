// Where an IntentKeeper reads from when the replicas of its stream change.
#include "replicator/intent_keeper.h"

#include <gtest/gtest.h>

#include "core/memory_store.h"
#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::replicator {
namespace {

namespace qq = quorum_queue;

const StreamId kStream(Incarnation(1), ShardId(0));
const std::vector<uint8_t> kGroup1 = {0, 1, 2};
const std::vector<uint8_t> kGroup2 = {3, 4, 5};
constexpr uint64_t kMiB = uint64_t{1} << 20;

class IntentKeeperReplicasTest : public testing::Test {
 protected:
  IntentKeeperReplicasTest() : keeper_(kStream, 1, 0, kGroup1, &store_, {Incarnation(2)}) {
    Run([&](Outbox* out) { keeper_.SetAway(now_, {{Incarnation(2), Seq(0)}}, out); });
    keeper_.Draft(nullptr, 0);  // looks for old rows, and there are none
  }
  template <typename Act>
  void Run(const Act& act) {
    std::vector<RegionEffect> effects;
    Outbox out(&effects, &stats_, &relay_tokens_);
    act(&out);
    for (RegionEffect& effect : effects) {
      auto* send = std::get_if<SendToQueue>(&effect);
      if (send == nullptr) continue;
      asked_ = send->replica;
      read_ = std::get<qq::Read>(send->request);
      ++reads_;
    }
  }
  // The replica that was asked last sends the entry that was asked for, of so many bytes.
  void Arrive(uint64_t seq, uint64_t bytes) {
    qq::ReadAnswer answer;
    answer.stream = kStream;
    answer.session = read_.session;
    answer.outcome = qq::ReadOutcome::kData;
    answer.next = answer.committed = Seq(seq);
    answer.sent_bytes = sent_bytes_ += bytes;
    answer.runs.push_back(qq::MakeRun(seq, 7, {std::string(bytes, 'x')}));
    Run([&](Outbox* out) { keeper_.Answer(now_, asked_, std::move(answer), out); });
  }
  void SetReplicas(const std::vector<uint8_t>& replicas) {
    sent_bytes_ = 0;
    Run([&](Outbox* out) { keeper_.SetReplicas(now_, replicas, out); });
  }
  // Until no more is taken, because too much waits to be drafted.
  void FillUp() {
    Arrive(1, kMiB);
    Arrive(2, kMiB);
    const int before = reads_;
    Arrive(3, kMiB);
    ASSERT_EQ(reads_, before) << "it has paused";
  }

  core::MemoryStore store_;
  RegionStats stats_;
  uint64_t relay_tokens_ = 0;
  Instant now_{std::chrono::seconds(1)};
  IntentKeeper keeper_;
  uint8_t asked_ = 99;
  qq::Read read_;
  int reads_ = 0;
  uint64_t sent_bytes_ = 0;
};

TEST_F(IntentKeeperReplicasTest, AsksTheReplicasThereAre) {
  EXPECT_EQ(asked_, 0);
  EXPECT_EQ(read_.from, Seq(1));
  Arrive(1, 10);
  SetReplicas(kGroup2);
  EXPECT_EQ(asked_, 3);
  EXPECT_EQ(read_.from, Seq(1)) << "what waits is read again";
  Arrive(1, 10);
  EXPECT_TRUE(keeper_.HasWork());
}

TEST_F(IntentKeeperReplicasTest, GoesOnElsewhereThoughItHadPaused) {
  FillUp();
  SetReplicas(kGroup2);
  EXPECT_FALSE(keeper_.HasWork());
  EXPECT_EQ(asked_, 3);
  EXPECT_EQ(read_.from, Seq(1));
  EXPECT_GT(read_.credit_bytes, 0u) << "nothing waits any more";
  FillUp();
  SetReplicas(kGroup1);
  EXPECT_EQ(asked_, 0);
  EXPECT_GT(read_.credit_bytes, 0u);
}

TEST_F(IntentKeeperReplicasTest, WhatAReplicaSaysThatIsNoneAnyMoreIsIgnored) {
  SetReplicas(kGroup2);
  asked_ = 0;
  Arrive(1, 10);
  EXPECT_FALSE(keeper_.HasWork());
}

}  // namespace
}  // namespace homeport::replicator
