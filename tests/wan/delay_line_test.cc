#include "tests/wan/delay_line.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/sim/sim_random.h"

namespace homeport::wan {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart = Instant(seconds(1000));
constexpr uint64_t kMbit = 1'000'000;

LineOptions Options(Duration delay, uint64_t bits_per_s = 0, Duration jitter = {}) {
  return {delay, jitter, bits_per_s};
}

Parcel Bytes(const std::string& bytes) {
  return {{1, true}, Parcel::Kind::kBytes, bytes};
}

std::string TakeText(DelayLine* line, Instant now) {
  std::string text;
  for (const Parcel& parcel : line->Take(now)) text += parcel.bytes;
  return text;
}

TEST(DelayLineTest, GivesOutAfterTheDelayAndNotBefore) {
  DelayLine line(Options(milliseconds(15)), 1);
  line.Put(kStart, Bytes("a"));
  EXPECT_EQ(line.NextOut(kStart), kStart + milliseconds(15));
  EXPECT_EQ(TakeText(&line, kStart + milliseconds(15) - Duration(1)), "");
  EXPECT_EQ(TakeText(&line, kStart + milliseconds(15)), "a");
  EXPECT_EQ(line.NextOut(kStart + milliseconds(15)), std::nullopt);
  EXPECT_EQ(line.bytes(), 0u);
  EXPECT_EQ(line.bytes_out(), 1u);
}

TEST(DelayLineTest, TheBandwidthIsSharedByAllThatIsPutIn) {
  DelayLine line(Options(milliseconds(10), 8 * kMbit), 1);  // 1 byte per microsecond
  line.Put(kStart, Bytes(std::string(1000, 'a')));
  line.Put(kStart, Bytes(std::string(500, 'b')));
  EXPECT_EQ(line.NextOut(kStart), kStart + milliseconds(10) + microseconds(1000));
  EXPECT_EQ(TakeText(&line, kStart + milliseconds(11)).size(), 1000u);
  EXPECT_EQ(line.NextOut(kStart + milliseconds(11)), kStart + milliseconds(11) + microseconds(500));
  // An idle line saves nothing up.
  const Instant later = kStart + seconds(5);
  EXPECT_EQ(TakeText(&line, later).size(), 500u);
  line.Put(later, Bytes(std::string(1000, 'c')));
  EXPECT_EQ(line.NextOut(later), later + milliseconds(11));
}

TEST(DelayLineTest, CarriesAsMuchAsTheBandwidthAllows) {
  DelayLine line(Options(milliseconds(100), 100 * kMbit), 1);
  const std::string parcel(line.ParcelBytes(), 'x');
  uint64_t out = 0;
  for (Instant now = kStart; now < kStart + seconds(10); now += milliseconds(1)) {
    while (line.HasRoom(now)) line.Put(now, Bytes(parcel));
    EXPECT_LE(line.bytes(), line.CapacityBytes() + line.ParcelBytes());
    out += TakeText(&line, now).size();
  }
  const double mbit = 8.0 * static_cast<double>(out) / 1e6;
  EXPECT_NEAR(mbit, 100 * 9.9, 2);
}

TEST(DelayLineTest, SaysWhenThereIsRoomAgain) {
  DelayLine line(Options(milliseconds(1), kMbit), 1);
  Instant now = kStart;
  while (line.HasRoom(now)) line.Put(now, Bytes(std::string(line.ParcelBytes(), 'x')));
  const auto room = line.NextRoom(now);
  ASSERT_TRUE(room.has_value());
  EXPECT_GT(*room, now);
  EXPECT_FALSE(line.HasRoom(*room - Duration(1)));
  (void)line.Take(*room);
  EXPECT_TRUE(line.HasRoom(*room));
}

TEST(DelayLineTest, WithoutABandwidthTheCapacityIsTheLimit) {
  DelayLine line(Options(seconds(1)), 1);
  const std::string parcel(1 << 20, 'x');
  size_t parcels = 0;
  while (line.HasRoom(kStart)) {
    line.Put(kStart, Bytes(parcel));
    ++parcels;
  }
  EXPECT_EQ(parcels, line.CapacityBytes() / parcel.size());
  EXPECT_EQ(line.NextRoom(kStart), std::nullopt) << "only a Take makes room";
}

TEST(DelayLineTest, ParcelsWithoutBytesKeepTheirPlace) {
  DelayLine line(Options(milliseconds(5), kMbit), 1);
  line.Put(kStart, {{1, true}, Parcel::Kind::kOpen, {}});
  line.Put(kStart, Bytes(std::string(10'000, 'x')));
  line.Put(kStart, {{1, true}, Parcel::Kind::kEnd, {}});
  const auto first = line.Take(kStart + milliseconds(5));
  ASSERT_EQ(first.size(), 1u);
  EXPECT_EQ(first[0].kind, Parcel::Kind::kOpen);
  const auto rest = line.Take(kStart + milliseconds(85));
  ASSERT_EQ(rest.size(), 2u);
  EXPECT_EQ(rest[1].kind, Parcel::Kind::kEnd);
}

TEST(DelayLineTest, NoTimePassesWhileItStandsStill) {
  DelayLine line(Options(milliseconds(10)), 1);
  line.Put(kStart, Bytes("a"));
  line.Stop(kStart + milliseconds(4));
  EXPECT_TRUE(line.IsStopped(kStart + seconds(9)));
  EXPECT_EQ(TakeText(&line, kStart + seconds(9)), "");
  EXPECT_EQ(line.NextOut(kStart + seconds(9)), std::nullopt);
  line.Put(kStart + seconds(9), Bytes("b"));
  line.Resume(kStart + seconds(10));
  EXPECT_EQ(line.NextOut(kStart + seconds(10)), kStart + seconds(10) + milliseconds(6));
  EXPECT_EQ(TakeText(&line, kStart + seconds(10) + milliseconds(6)), "a");
  EXPECT_EQ(TakeText(&line, kStart + seconds(10) + milliseconds(10)), "b");
}

TEST(DelayLineTest, AStallEndsByItself) {
  DelayLine line(Options(milliseconds(10)), 1);
  line.Put(kStart, Bytes("a"));
  line.StopFor(kStart + milliseconds(5), seconds(1));
  EXPECT_EQ(line.NextOut(kStart + milliseconds(6)), kStart + milliseconds(1010));
  EXPECT_EQ(TakeText(&line, kStart + milliseconds(1009)), "");
  EXPECT_EQ(TakeText(&line, kStart + milliseconds(1010)), "a");
  EXPECT_FALSE(line.IsStopped(kStart + milliseconds(1010)));
}

TEST(DelayLineTest, ACutDuringAStallLastsUntilItIsHealed) {
  DelayLine line(Options(milliseconds(10)), 1);
  line.Put(kStart, Bytes("a"));
  line.StopFor(kStart, seconds(1));
  line.Stop(kStart + milliseconds(500));
  EXPECT_EQ(TakeText(&line, kStart + seconds(100)), "");
  line.Resume(kStart + seconds(100));
  EXPECT_EQ(TakeText(&line, kStart + seconds(100) + milliseconds(10)), "a");
}

TEST(DelayLineTest, AStoppedLineFillsAndHasNoRoom) {
  DelayLine line(Options(milliseconds(10), 10 * kMbit), 1);
  line.Stop(kStart);
  Instant now = kStart;
  for (int i = 0; i < 1000; ++i, now += milliseconds(10)) {
    if (line.HasRoom(now)) line.Put(now, Bytes(std::string(line.ParcelBytes(), 'x')));
  }
  EXPECT_LE(line.bytes(), line.CapacityBytes() + line.ParcelBytes());
  EXPECT_EQ(line.NextRoom(now), std::nullopt);
}

TEST(DelayLineTest, AShorterDelayDoesNotOvertake) {
  DelayLine line(Options(milliseconds(100)), 1);
  line.Put(kStart, Bytes("a"));
  line.Set(Options(milliseconds(1)));
  line.Put(kStart + milliseconds(1), Bytes("b"));
  EXPECT_EQ(TakeText(&line, kStart + milliseconds(99)), "");
  EXPECT_EQ(TakeText(&line, kStart + milliseconds(100)), "ab");
}

// Random puts, cuts, stalls and settings: nothing is lost, turned around or early, and all that is
// said of the future comes true.
TEST(DelayLineTest, KeepsItsInvariantsUnderRandomUse) {
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    sim::Random random(seed);
    DelayLine line(Options(milliseconds(20), 10 * kMbit, milliseconds(7)), seed);
    struct In {
      Instant at;
      Duration delay;
    };
    std::vector<In> in;
    size_t out = 0;
    Instant now = kStart;
    const auto take = [&] {
      for (const Parcel& parcel : line.Take(now)) {
        ASSERT_EQ(parcel.to.connection, out) << "seed " << seed;
        ASSERT_GE(now, in[out].at + in[out].delay) << "seed " << seed;
        ++out;
      }
    };
    for (int step = 0; step < 500; ++step) {
      now += random.Micros(0, 3000);
      take();
      switch (random.Below(12)) {
        case 0:
          line.Stop(now);
          break;
        case 1:
          line.StopFor(now, random.Millis(0, 30));
          break;
        case 2:
          line.Resume(now);
          break;
        case 3:
          line.Set(
              Options(random.Millis(0, 40), random.Between(0, 20) * kMbit, random.Millis(0, 10)));
          break;
        default:
          if (!line.HasRoom(now)) break;
          in.push_back({now, line.options().delay});
          line.Put(now, {{in.size() - 1, true},
                         Parcel::Kind::kBytes,
                         std::string(random.Between(1, line.ParcelBytes()), 'x')});
      }
      if (const auto next = line.NextOut(now); next && *next > now) {
        now = *next - Duration(1);
        const size_t before = out;
        take();
        ASSERT_EQ(out, before) << "seed " << seed << ": something came before NextOut";
        now = *next;
        take();
        ASSERT_GT(out, before) << "seed " << seed << ": nothing came at NextOut";
      }
    }
    line.Resume(now);
    now += seconds(100);
    take();
    ASSERT_EQ(out, in.size()) << "seed " << seed;
    ASSERT_EQ(line.bytes(), 0u);
  }
}

TEST(DelayLineTest, JitterSpreadsOverItsRange) {
  DelayLine line(Options(milliseconds(10), 0, milliseconds(10)), 7);
  Duration least = seconds(1);
  Duration most{};
  for (int i = 0; i < 1000; ++i) {
    const Instant now = kStart + seconds(i);
    line.Put(now, Bytes("x"));
    const Duration took = *line.NextOut(now) - now;
    (void)line.Take(now + seconds(1));
    least = std::min(least, took);
    most = std::max(most, took);
  }
  EXPECT_GE(least, milliseconds(10));
  EXPECT_LT(least, milliseconds(11));
  EXPECT_GT(most, milliseconds(19));
  EXPECT_LE(most, milliseconds(20));
}

}  // namespace
}  // namespace homeport::wan
