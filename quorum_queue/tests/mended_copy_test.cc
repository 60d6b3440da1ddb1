// What the epoch of a mender's Fill is for: a copy that was filled in stays.
//
// Writer 2 was fenced off by writer 3 at two replicas, but its lineage, which does not know of seq
// 3, may still arrive at the third. There the mender fills in seq 3, which writer 3 has committed.
#include <gtest/gtest.h>

#include "quorum_queue/tests/replica_harness.h"

namespace homeport::quorum_queue {
namespace {

constexpr uint64_t kCommittedSeq = 3;

Append OldWritersOpen() {
  Append append{kTestStream, WriterEpoch(2), MakeChain({{1, 1}, {2, 3}}), {}, Seq(2), Seq(0)};
  append.run = MakeRun(kCommittedSeq, 2, std::vector<std::string>{""});
  return append;
}

class MendedCopyTest : public testing::Test {
 protected:
  MendedCopyTest() { h_.Ask<Stored>(MakeAppend(1, 1, 2, 2)); }
  uint64_t EpochHeld() {
    const ObservedStream seen = h_.Observe();
    const auto found = seen.entries.find(kCommittedSeq);
    return found == seen.entries.end() ? 0 : found->second.first;
  }
  ReplicaHarness h_;
};

TEST_F(MendedCopyTest, StaysWhenFilledWithTheLastEpochOfTheSourcesChain) {
  h_.Ask<Stored>(MakeFill(3, kCommittedSeq, 1, 1));
  h_.Ask<Fenced>(OldWritersOpen());
  EXPECT_EQ(EpochHeld(), 1u);
}

TEST_F(MendedCopyTest, IsLostWhenFilledWithWhatTheTargetPromised) {
  h_.Ask<Stored>(MakeFill(1, kCommittedSeq, 1, 1));
  h_.Ask<Stored>(OldWritersOpen());
  EXPECT_EQ(EpochHeld(), 2u);
}

TEST_F(MendedCopyTest, IsAcceptedAboveCommittedAndBelow) {
  // The target lacks news of committed, and of the chain.
  h_.Ask<Stored>(MakeFill(3, kCommittedSeq, 1, 2));
  // It has the news, and lacks an entry below committed.
  Append news{kTestStream, WriterEpoch(3), MakeChain({{1, 1}, {3, 5}}), {}, Seq(6), Seq(0)};
  h_.Ask<Stored>(news);
  h_.Ask<Stored>(MakeFill(3, 5, 3, 2));
  EXPECT_EQ(h_.replica().stats().ignored, 0u);
}

TEST_F(MendedCopyTest, ThatCannotBeCommittedIsIgnored) {
  h_.Send(MakeFill(1, 2, 0, 1));  // of no writer
  h_.Send(MakeFill(2, 3, 3, 1));  // of a writer that its own epoch does not know
  Append news{kTestStream, WriterEpoch(3), MakeChain({{1, 1}, {3, 5}}), {}, Seq(6), Seq(0)};
  h_.Ask<Stored>(news);
  h_.Send(MakeFill(3, 4, 3, 1));  // its writer began at 5
  h_.Send(MakeFill(4, 4, 3, 2));  // at or below committed
  h_.Persist();
  EXPECT_TRUE(h_.TakeAnswers().empty());
  EXPECT_EQ(h_.replica().stats().ignored, 4u);
}

}  // namespace
}  // namespace homeport::quorum_queue
