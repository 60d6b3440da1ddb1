#include "cli/output.h"

#include <gtest/gtest.h>

#include <string>

namespace homeport::cli {
namespace {

TEST(Base64Test, AsInRfc4648) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foo"), "Zm9v");
  EXPECT_EQ(Base64("foob"), "Zm9vYg==");
  EXPECT_EQ(Base64("fooba"), "Zm9vYmE=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64(std::string("\xff\x00\xfe", 3)), "/wD+");
}

TEST(IsUtf8Test, KnowsWellFormedFromNot) {
  for (const auto* good :
       {"", "a", "\xc3\xa9", "\xe2\x98\x83", "\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80",
        "\xf4\x8f\xbf\xbf", "\xe0\xa0\x80", "\xf0\x90\x80\x80"}) {
    EXPECT_TRUE(IsUtf8(good)) << Printable(good);
  }
  EXPECT_TRUE(IsUtf8(std::string("a\0b", 3)));
  for (const auto* bad : {"\x80", "\xff", "\xc3", "\xc0\x80", "\xc1\xbf", "\xe0\x80\x80",
                          "\xe2\x98", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
                          "\xf5\x80\x80\x80", "a\xc3(", "\xe2\x28\xa1", "\xf0\x9f\x98"}) {
    EXPECT_FALSE(IsUtf8(bad)) << Printable(bad);
  }
}

// Every sequence of up to two bytes, and of three with a chosen first: as a strict decoder written
// apart sees it.
TEST(IsUtf8Test, AgreesWithTheJsonLibrary) {
  std::string bytes(3, '\0');
  for (const unsigned lead :
       {0x41u, 0xc2u, 0xdfu, 0xe0u, 0xedu, 0xefu, 0xf0u, 0xf4u, 0x80u, 0xc0u}) {
    for (unsigned second = 0; second < 256; ++second) {
      for (unsigned third = 0; third < 256; third += 15) {
        bytes[0] = static_cast<char>(lead);
        bytes[1] = static_cast<char>(second);
        bytes[2] = static_cast<char>(third);
        bool theirs = true;
        try {
          (void)Json(bytes).dump();
        } catch (const Json::exception&) {
          theirs = false;
        }
        ASSERT_EQ(IsUtf8(bytes), theirs) << Printable(bytes);
      }
    }
  }
}

TEST(PutBytesTest, TextWhenUtf8ElseBase64) {
  Json json;
  PutBytes(&json, "text", "base64", "caf\xc3\xa9\n");
  EXPECT_EQ(json.dump(), R"({"text":"café\n"})");
  json = Json();
  PutBytes(&json, "text", "base64", "\xff");
  EXPECT_EQ(json.dump(), R"({"base64":"/w=="})");
}

TEST(PrintableTest, NothingReachesATerminalThatItWouldObey) {
  EXPECT_EQ(Printable("a\x1b[2J\x7f"), "a\\x1b[2J\\x7f");
  EXPECT_EQ(Printable("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(Printable("\xc3"), "\\xc3");
}

TEST(TableTest, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"NAME", "HOME"});
  table.Add({"caf\xc3\xa9s", "sh"});
  table.Add({"al", "hk"});
  EXPECT_EQ(table.Format(), "NAME   HOME\ncaf\xc3\xa9s  sh\nal     hk");
}

TEST(FormatTest, TimesAndCounts) {
  EXPECT_EQ(FormatTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(FormatTime(1700000000123), "2023-11-14T22:13:20.123Z");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1000), "1,000");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
}

}  // namespace
}  // namespace homeport::cli
