#include "core/text.h"

#include <gtest/gtest.h>

#include <string>

namespace homeport::core {
namespace {

TEST(FromBase64Test, ComesBackFromBase64) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(FromBase64(Base64(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
}

TEST(FromBase64Test, RefusesWhatBase64DoesNotMake) {
  for (const auto* bad : {"Z", "Zg", "Zg=", "Zg===", "====", "Z===", "Zm9v====", "Zh==", "Zm9=",
                          "Zm 9", "Zm-_", "=Zg=", "Zg==Zg==", "Zm9v\n"}) {
    EXPECT_FALSE(FromBase64(bad).has_value()) << bad;
  }
  EXPECT_EQ(FromBase64(""), "");
  EXPECT_EQ(FromBase64("Zg=="), "f");
}

TEST(PlaceTest, IsTextThatComesBack) {
  for (const Stamp& place : {Stamp(), Stamp{{0, 1}, Version(17)},
                             Stamp{{UINT32_MAX, UINT32_MAX}, Version(UINT64_MAX)}}) {
    EXPECT_EQ(ParsePlace(FormatPlace(place)), place);
  }
  EXPECT_EQ(FormatPlace({{0, 1}, Version(17)}), "0.1.17");
}

TEST(PlaceTest, IsNothingElse) {
  for (const auto* bad :
       {"", ".", "..", "17", "0.17", "0.0.", "0..17", "0.0.17.", "0.0.17.1", "0.0.-1", "00.0.17",
        "0.0.+1", " 0.0.17", "0.0.17 ", "4294967296.0.1", "0.0.18446744073709551616"}) {
    EXPECT_FALSE(ParsePlace(bad).has_value()) << bad;
  }
}

}  // namespace
}  // namespace homeport::core
