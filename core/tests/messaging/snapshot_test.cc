#include "core/messaging/snapshot.h"

#include <gtest/gtest.h>

#include <random>

namespace homeport::core {
namespace {

const SnapshotKey& Key() {
  static const SnapshotKey key = SnapshotKey::FromSecret("a cluster's secret");
  return key;
}

Snapshot Typical() {
  return {Uin(MakeId(Incarnation(3), 123456)),
          DeviceNumber(2),
          {{1, 2}, Version(4)},
          {{1, 2}, Version(0)},
          {{1, 2}, Version(987654321)}};
}

std::string TokenOf(const Snapshot& snapshot) {
  return FormatSnapshot(Key(), snapshot).value();
}

TEST(SnapshotTest, RoundTripsAndStaysShort) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto number = [&](int bits_max) {
      const auto bits = static_cast<int>(random() % static_cast<uint64_t>(bits_max + 1));
      return bits == 0 ? 0 : random() >> (64 - bits);
    };
    const auto stamp = [&] {
      return Stamp{{static_cast<uint32_t>(number(24)), static_cast<uint32_t>(number(24))},
                   Version(number(48))};
    };
    Snapshot snapshot{Uin(number(64)), DeviceNumber(static_cast<uint16_t>(number(16))), stamp(),
                      stamp(), stamp()};
    snapshot.account.epoch = snapshot.contacts.epoch;
    if (i % 2 == 0) snapshot.messages.epoch = snapshot.contacts.epoch;
    const std::string token = TokenOf(snapshot);
    EXPECT_LE(token.size(), kSnapshotTextMax);
    const Result<Snapshot> back = ParseSnapshot(Key(), token);
    ASSERT_TRUE(back.ok()) << back.status();
    ASSERT_EQ(*back, snapshot);
  }
}

TEST(SnapshotTest, TypicalAndLargest) {
  EXPECT_LE(TokenOf(Typical()).size(), 40u);
  const auto stamp = [](uint32_t part) {
    return Stamp{{part, part - 1}, Version((uint64_t{1} << 48) - 1)};
  };
  const uint32_t part = (1u << 24) - 1;
  const Snapshot largest{Uin(UINT64_MAX), DeviceNumber(UINT16_MAX), stamp(part), stamp(part),
                         stamp(part - 1)};
  EXPECT_EQ(TokenOf(largest).size(), 64u);
}

TEST(SnapshotTest, WillNotTellAStampThatNobodyGaveOut) {
  for (const Stamp& wrong : {Stamp{{1u << 24, 0}, Version(1)}, Stamp{{0, 1u << 24}, Version(1)},
                             Stamp{{}, Version(uint64_t{1} << 48)}}) {
    Snapshot snapshot = Typical();
    snapshot.messages = wrong;
    EXPECT_EQ(FormatSnapshot(Key(), snapshot).status().code(), Code::kCorrupt);
  }
}

TEST(SnapshotTest, IsMadeOfCharactersThatNeedNoEscape) {
  const std::string token = TokenOf(Typical());
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
}

TEST(SnapshotTest, AnotherClusterCannotReadIt) {
  const SnapshotKey other = SnapshotKey::FromSecret("another secret");
  EXPECT_EQ(ParseSnapshot(other, TokenOf(Typical())).status().code(), Code::kBadRequest);
  EXPECT_NE(FormatSnapshot(other, Typical()).value(), TokenOf(Typical()));
}

TEST(SnapshotTest, RefusesEveryOtherText) {
  const std::string token = TokenOf(Typical());
  for (const char* text : {"", "A", "AAAA", "not a token", "====", "\xff\xff"}) {
    EXPECT_EQ(ParseSnapshot(Key(), text).status().code(), Code::kBadRequest) << text;
  }
  for (size_t at = 0; at < token.size(); ++at) {
    EXPECT_FALSE(ParseSnapshot(Key(), token.substr(0, at)).ok());
    // Each other byte at this place, the unused low bits of the last character included.
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = token;
      changed[at] = static_cast<char>(byte);
      if (changed != token) {
        EXPECT_FALSE(ParseSnapshot(Key(), changed).ok()) << at << ' ' << byte;
      }
    }
  }
  EXPECT_FALSE(ParseSnapshot(Key(), token + "A").ok());
  EXPECT_FALSE(ParseSnapshot(Key(), std::string(1 << 20, 'A')).ok());
}

TEST(SnapshotTest, SurvivesRandomText) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 100, ' ');
    for (char& c : text) c = static_cast<char>(random());
    EXPECT_FALSE(ParseSnapshot(Key(), text).ok());
  }
}

}  // namespace
}  // namespace homeport::core
