#include "core/log.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace homeport::core {
namespace {

TEST(LogTest, LineIsKeysAndValues) {
  EXPECT_EQ(LogText("info", "replica", "started", {{"region", "sh"}, {"replica", "1"}}),
            "level=info role=replica event=started region=sh replica=1");
}

TEST(LogTest, ValuesThatWouldBreakTheLineAreQuoted) {
  EXPECT_EQ(LogText("info", "r", "e",
                    {{"a", "two words"},
                     {"b", ""},
                     {"c", "say \"hi\""},
                     {"d", "x=y"},
                     {"e", "line\nbreak"},
                     {"f", std::string("\x01")},
                     {"g", "sh\xc3\xa4"}}),
            "level=info role=r event=e a=\"two words\" b=\"\" c=\"say \\\"hi\\\"\" d=\"x=y\" "
            "e=\"line\\nbreak\" f=\"\\x01\" g=sh\xc3\xa4");
}

TEST(LogTest, LongValuesAreCut) {
  const std::string line = LogText("info", "r", "e", {{"a", std::string(1 << 20, 'x')}});
  EXPECT_LT(line.size(), 1200u);
  EXPECT_NE(line.find("(1048576 bytes)"), std::string::npos);
}

TEST(LogTest, FileHasTimeRoleAndOnlyWhatTheLevelAsksFor) {
  const std::string file = testing::TempDir() + "homeport-log-" + std::to_string(getpid());
  StartLog("warn", file, "gateway");
  LogInfo("quiet", {});
  LogWarn("slow_disk", {{"ms", "250"}});
  StartLog("warn", "", "none");
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  std::filesystem::remove(file);
  const std::string line = text.str();
  // ts=2024-06-01T12:34:56.789Z
  EXPECT_EQ(line.substr(0, 5), "ts=20") << line;
  EXPECT_EQ(line.substr(26, std::string::npos),
            "Z level=warn role=gateway event=slow_disk ms=250\n")
      << line;
}

TEST(LogTest, FileThatCannotBeOpenedIsToldOnStderr) {
  testing::internal::CaptureStderr();
  StartLog("info", "/dev/null/no/such", "gateway");
  LogInfo("started", {});
  StartLog("warn", "", "none");
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("event=log_file_failed"), std::string::npos) << text;
  EXPECT_NE(text.find("event=started"), std::string::npos) << text;
}

}  // namespace
}  // namespace homeport::core
