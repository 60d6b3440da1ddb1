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

}  // namespace
}  // namespace homeport::core
