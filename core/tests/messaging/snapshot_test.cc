#include <gtest/gtest.h>

#include <random>
#include <set>

#include "core/messaging/queries.h"

namespace homeport::core {
namespace {

Snapshot Typical() {
  return {Uin(MakeId(Incarnation(3), 123456)),
          {{1, 2}, Version(4)},
          {{1, 2}, Version(0)},
          {{1, 2}, Version(987654321)}};
}

TEST(SnapshotTest, RoundTrips) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    const auto number = [&](int bits_max) {
      const auto bits = static_cast<int>(random() % static_cast<uint64_t>(bits_max + 1));
      return bits == 0 ? 0 : random() >> (64 - bits);
    };
    const auto stamp = [&] {
      return Stamp{{static_cast<uint32_t>(number(32)), static_cast<uint32_t>(number(32))},
                   Version(number(64))};
    };
    Snapshot snapshot{Uin(number(64)), stamp(), stamp(), stamp()};
    if (i % 2 == 0) snapshot.contacts.epoch = snapshot.messages.epoch = snapshot.account.epoch;
    const Result<Snapshot> back = ParseSnapshot(FormatSnapshot(snapshot));
    ASSERT_TRUE(back.ok()) << back.status();
    ASSERT_EQ(*back, snapshot);
  }
}

TEST(SnapshotTest, IsShort) {
  EXPECT_LE(FormatSnapshot(Typical()).size(), 40u);
  const auto stamp = [](uint32_t part, uint64_t version) {
    return Stamp{{part, part - 1}, Version(version)};
  };
  const uint32_t part = (1u << 14) - 1;
  const uint64_t version = (uint64_t{1} << 42) - 1;
  const Snapshot large{Uin(UINT64_MAX), stamp(part, version), stamp(part - 1, version),
                       stamp(part - 2, version)};
  EXPECT_LE(FormatSnapshot(large).size(), 64u);
  const Snapshot largest{Uin(UINT64_MAX), stamp(UINT32_MAX, UINT64_MAX),
                         stamp(UINT32_MAX - 1, UINT64_MAX), stamp(UINT32_MAX - 2, UINT64_MAX)};
  EXPECT_EQ(FormatSnapshot(largest).size(), 86u);
}

TEST(SnapshotTest, IsMadeOfCharactersThatNeedNoEscape) {
  const std::string token = FormatSnapshot(Typical());
  EXPECT_EQ(
      token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"),
      std::string::npos);
}

TEST(SnapshotTest, RefusesEveryOtherText) {
  const std::string token = FormatSnapshot(Typical());
  for (const char* text : {"", "A", "AAAA", "not a token", "====", "\xff\xff"}) {
    EXPECT_EQ(ParseSnapshot(text).status().code(), Code::kBadRequest) << text;
  }
  for (size_t at = 0; at < token.size(); ++at) {
    EXPECT_FALSE(ParseSnapshot(token.substr(0, at)).ok());
    // Each other byte at this place, the unused low bits of the last character included.
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = token;
      changed[at] = static_cast<char>(byte);
      if (changed != token) {
        EXPECT_FALSE(ParseSnapshot(changed).ok()) << at << ' ' << byte;
      }
    }
  }
  EXPECT_FALSE(ParseSnapshot(token + "A").ok());
  EXPECT_FALSE(ParseSnapshot(std::string(1 << 20, 'A')).ok());
}

TEST(SnapshotTest, SurvivesRandomText) {
  std::mt19937_64 random(2);
  for (int i = 0; i < 20000; ++i) {
    std::string text(random() % 100, ' ');
    for (char& c : text) c = static_cast<char>(random());
    EXPECT_FALSE(ParseSnapshot(text).ok());
  }
}

}  // namespace
}  // namespace homeport::core
