#include "core/status.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <sstream>

namespace homeport::core {
namespace {

constexpr uint16_t kCodeCount = 14;

TEST(StatusTest, DefaultIsOk) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(status.code(), Code::kOk);
  EXPECT_EQ(status.ToString(), "OK");
}

TEST(StatusTest, EveryCodeHasANameAndAnExitCodeOfItsOwn) {
  std::set<std::string_view> names;
  std::set<int> exits;
  for (uint16_t number = 0; number < kCodeCount; ++number) {
    const std::optional<Code> code = CodeFromNumber(number);
    ASSERT_TRUE(code.has_value());
    EXPECT_EQ(static_cast<uint16_t>(*code), number);
    names.insert(CodeName(*code));
    exits.insert(ExitCode(*code));
    EXPECT_LT(ExitCode(*code), 126) << "the shell has its own use for those";
  }
  EXPECT_EQ(names.size(), kCodeCount);
  EXPECT_EQ(exits.size(), kCodeCount);
  EXPECT_FALSE(exits.contains(1)) << "failures without a code";
  EXPECT_FALSE(exits.contains(2)) << "wrong command lines";
  EXPECT_EQ(ExitCode(Code::kOk), 0);
  EXPECT_EQ(ExitCode(Code::kNoQuorum), 14);
  EXPECT_EQ(CodeName(Code::kNoQuorum), "NO_QUORUM");
}

TEST(StatusTest, NumberFromTheWireMayBeNoCode) {
  EXPECT_FALSE(CodeFromNumber(kCodeCount).has_value());
  EXPECT_FALSE(CodeFromNumber(65535).has_value());
  EXPECT_EQ(CodeName(static_cast<Code>(999)), "UNKNOWN");
  EXPECT_EQ(ExitCode(static_cast<Code>(999)), 1);
}

TEST(StatusTest, CarriesWhatItsCodePromises) {
  EXPECT_EQ(Status::Overloaded(250, "later").detail(), 250u);
  EXPECT_EQ(Status::Trimmed(Seq(9), "gone").detail(), 9u);
  EXPECT_EQ(Status::Taken(Uin(77), "owned").detail(), 77u);
  EXPECT_EQ(Status::TooLarge(1024, "big").detail(), 1024u);
  const Status moved = Status::Moved(Incarnation(3), {1, 2}, "went to hk");
  EXPECT_EQ(moved.code(), Code::kMoved);
  EXPECT_EQ(moved.home(), Incarnation(3));
  EXPECT_EQ(moved.epoch(), (MastershipEpoch{1, 2}));
  EXPECT_EQ(moved.detail(), 0u);
}

TEST(StatusTest, PrintsNameAndSentence) {
  std::ostringstream out;
  out << Status::Taken(Uin(1), "alice belongs to 1");
  EXPECT_EQ(out.str(), "TAKEN: alice belongs to 1");
}

Result<std::unique_ptr<int>> Half(int n) {
  if (n % 2 != 0) return Status::BadRequest("odd");
  return std::make_unique<int>(n / 2);
}
Status AddQuarter(int n, int* sum) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> half, Half(n));
  ASSIGN_OR_RETURN(const std::unique_ptr<int> quarter, Half(*half));
  *sum += *quarter;
  RETURN_IF_ERROR(Half(n).ok() ? Status::Ok() : Status::Io("never"));
  return {};
}

TEST(ResultTest, GivesItsValueAway) {
  Result<std::unique_ptr<int>> half = Half(8);
  ASSERT_TRUE(half.ok());
  const std::unique_ptr<int> taken = std::move(half).value();
  EXPECT_EQ(*taken, 4);
}

TEST(ResultTest, FailureEndsTheCaller) {
  int sum = 0;
  EXPECT_TRUE(AddQuarter(8, &sum).ok());
  EXPECT_EQ(AddQuarter(6, &sum).code(), Code::kBadRequest);
  EXPECT_EQ(sum, 2);
}

TEST(ResultDeathTest, ValueOfAFailureAborts) {
  EXPECT_DEATH((void)Half(1).value(), "value\\(\\) of a failed Result \\| BAD_REQUEST: odd");
}
TEST(ResultDeathTest, ReasonMustBeAReason) {
  EXPECT_DEATH((void)Result<int>(Status()), "needs a reason");
}

TEST(CheckDeathTest, PrintsPlaceConditionWhyAndValues) {
  const Seq committed(9), next(8);
  EXPECT_DEATH(CHECK(committed < next, "committed never passes next", committed, next),
               "status_test.cc:[0-9]+: CHECK failed: committed < next: "
               "committed never passes next \\| 9 \\| 8");
}

}  // namespace
}  // namespace homeport::core
