#include "coordination/codec.h"

#include <gtest/gtest.h>

namespace homeport::coordination {
namespace {

const Row kRow = {"a/b", std::string("v\0w", 3), Revision(7), Token(8), LeaseId(9)};

TEST(CodecTest, RequestsComeBackAsTheyWere) {
  const CompareAndSet set{Token(5),
                          {{"a", Revision(3), Write{"x", LeaseId(4)}},
                           {"b", Revision(3), Write{}},
                           {"c", Revision(0), std::nullopt}}};
  for (const Request& request : std::vector<Request>{
           Get{"k"}, List{"p/", "p/a"}, List{"", ""}, set, GrantLease{std::chrono::seconds(10)},
           KeepAlive{LeaseId(3)}, EndLease{LeaseId(3)},
           Watch{"w", Revision(5), std::chrono::milliseconds(900)}, AskStatus{}}) {
    const auto again = DecodeRequest(EncodeRequest({77, "c0ffee", request}));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->number, 77u);
    EXPECT_EQ(again->cluster, "c0ffee");
    EXPECT_EQ(again->request, request);
  }
}

TEST(CodecTest, AnswersComeBackAsTheyWere) {
  StoreStatus status{"etcd", Revision(3), 4, 5, {{"a", "http://x", true, false, "3.4"}}};
  Row gone;
  gone.key = "k";
  gone.revision = Revision(9);
  for (const Answer& answer : std::vector<Answer>{
           Rows{Revision(7), {kRow}, true}, Compared{true, Revision(9), {}},
           Compared{false, Revision(9), {kRow}}, Leased{LeaseId(3), std::chrono::seconds(4)},
           LeaseEnded{}, Changes{{{kRow, false}, {gone, true}}, Revision(10)}, status}) {
    const auto again = DecodeAnswer(EncodeAnswer({78, answer}));
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->number, 78u);
    EXPECT_TRUE(again->answer.index() == answer.index());
    EXPECT_EQ(EncodeAnswer(*again), EncodeAnswer({78, answer}));
  }
}

TEST(CodecTest, AFailureKeepsCodeSentenceAndDetail) {
  const auto again = DecodeAnswer(EncodeAnswer({1, core::Status::Trimmed(core::Seq(5), "gone")}));
  ASSERT_TRUE(again.ok());
  const auto& status = std::get<core::Status>(again->answer);
  EXPECT_EQ(status.code(), core::Code::kTrimmed);
  EXPECT_EQ(status.message(), "gone");
  EXPECT_EQ(status.detail(), 5u);
}

TEST(CodecTest, RefusesWhatIsCutOrBeyondALimit) {
  const std::string bytes = EncodeRequest({1, "c", Get{"k"}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeRequest(std::string_view(bytes).substr(0, size)).ok());
  }
  EXPECT_FALSE(DecodeRequest(EncodeRequest({1, "c", Get{"K"}})).ok());
  EXPECT_FALSE(DecodeRequest(EncodeRequest({1, "c", GrantLease{std::chrono::hours(2)}})).ok());
}

TEST(CodecTest, ARequestOfAnotherVersionStillHasANumber) {
  std::string bytes = EncodeRequest({0x123456, "c", Get{"k"}});
  bytes[16] = 9;  // after the segment table and the root's pointer: `version`
  EXPECT_FALSE(DecodeRequest(bytes).ok());
  EXPECT_EQ(NumberOf(bytes), 0x123456u);
  EXPECT_EQ(NumberOf("junk"), 0u);
}

}  // namespace
}  // namespace homeport::coordination
