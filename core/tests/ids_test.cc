#include "core/ids.h"

#include <gtest/gtest.h>

#include <sstream>
#include <type_traits>
#include <unordered_set>

#include "core/format.h"

namespace homeport::core {
namespace {

template <class A, class B>
concept Comparable = requires(A a, B b) {
  a < b;
};
template <class A, class B>
concept Subtractable = requires(A a, B b) {
  a - b;
};

static_assert(!std::is_convertible_v<uint64_t, Seq>, "a number says what it is");
static_assert(!std::is_convertible_v<Seq, uint64_t>);
static_assert(!std::is_constructible_v<Seq, WriterEpoch>);
static_assert(!std::is_assignable_v<Uin&, MessageId>);
static_assert(Comparable<Seq, Seq> && !Comparable<Seq, WriterEpoch>);
static_assert(Subtractable<Seq, Seq> && !Subtractable<Seq, Version>);

template <class T>
std::string Printed(const T& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

TEST(IdsTest, DefaultIsZero) {
  EXPECT_EQ(Seq().value(), 0u);
  EXPECT_EQ(StreamId().value(), 0u);
}

TEST(IdsTest, CountsLikeItsNumber) {
  Seq seq(7);
  EXPECT_EQ(++seq, Seq(8));
  EXPECT_EQ(seq + 2, Seq(10));
  EXPECT_EQ(seq - 8, Seq(0));
  EXPECT_EQ(Seq(10) - Seq(4), 6u);
  EXPECT_LT(Seq(9), Seq(10));
}

TEST(IdsTest, PrintsItsNumberInStreamsAndFmt) {
  EXPECT_EQ(Printed(Seq(42)), "42");
  EXPECT_EQ(Printed(Incarnation(65535)), "65535");
  EXPECT_EQ(fmt::format("{} {:04x}", Seq(42), Seq(255)), "42 00ff");
  const StreamId stream(Incarnation(3), ShardId(7));
  EXPECT_EQ(Printed(stream), "3/7");
  EXPECT_EQ(fmt::format("{}", stream), "3/7");
  EXPECT_EQ(fmt::format("{}", Status::Io("no disk")), "IO: no disk");
}

TEST(IdsTest, StreamIdKeepsItsParts) {
  const StreamId stream(Incarnation(65535), ShardId(1023));
  EXPECT_EQ(stream.incarnation(), Incarnation(65535));
  EXPECT_EQ(stream.shard(), ShardId(1023));
  EXPECT_EQ(StreamId::FromValue(stream.value()), stream);
  EXPECT_EQ(stream.value(), 0xffff03ffu);
}

TEST(IdsTest, UinKeepsItsBirthIncarnationAndCounter) {
  const uint64_t counter = (uint64_t{1} << kIdCounterBits) - 1;
  const Uin uin(MakeId(Incarnation(0xabcd), counter));
  EXPECT_EQ(BirthIncarnation(uin), Incarnation(0xabcd));
  EXPECT_EQ(IdCounter(uin.value()), counter);
  EXPECT_EQ(uin.value(), 0xabcdffffffffffffu);
}

TEST(IdsTest, TakeoversOutweighMovesAndEpochsOutweighVersions) {
  EXPECT_LT((MastershipEpoch{1, 999}), (MastershipEpoch{2, 0}));
  EXPECT_LT((MastershipEpoch{1, 1}), (MastershipEpoch{1, 2}));
  EXPECT_LT((Stamp{{1, 0}, Version(999)}), (Stamp{{1, 1}, Version(1)}));
  EXPECT_LT((Stamp{{1, 1}, Version(1)}), (Stamp{{1, 1}, Version(2)}));
}

TEST(IdsTest, IsAKeyOfHashedContainers) {
  const std::unordered_set<Uin> uins = {Uin(1), Uin(2), Uin(1)};
  EXPECT_EQ(uins.size(), 2u);
  const std::unordered_set<StreamId> streams = {StreamId(Incarnation(1), ShardId(0)), StreamId()};
  EXPECT_EQ(streams.size(), 2u);
}

}  // namespace
}  // namespace homeport::core
