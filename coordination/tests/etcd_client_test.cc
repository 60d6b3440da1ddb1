// The client of etcd, and its transfers, at servers that fail as a real one cannot be made to.
#include "coordination/etcd_client.h"

#include <gtest/gtest.h>

#include <atomic>

#include "coordination/http_transfers.h"
#include "coordination/tests/fake_http.h"
#include "core/clock.h"
#include "core/socket.h"
#include "core/wakeup.h"

namespace homeport::coordination {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Then = FakeAnswer::Then;

constexpr core::Duration kLong = seconds(60);
constexpr const char* kRange = "/v3/kv/range";
constexpr const char* kTxn = "/v3/kv/txn";
constexpr const char* kWatch = "/v3/watch";
const std::string kNoRows = R"({"header":{"revision":"7"}})";
const std::string kDone = R"({"header":{"revision":"8"},"succeeded":true})";
const std::string kCreated = R"({"result":{"header":{"revision":"7"},"created":true}})"
                             "\n";
const std::string kDeleted =  // homeport/c/a
    R"({"result":{"header":{"revision":"9"},"events":[)"
    R"({"type":"DELETE","kv":{"key":"aG9tZXBvcnQvYy9h","mod_revision":"9"}}]}})"
    "\n";
const CompareAndSet kSet{Token(5), {{"a", Revision(0), Write{"v", {}}}}};

FakeAnswer AnswerTo(const std::string& path) {
  if (path == kTxn) return {200, kDone};
  if (path == kWatch) return {200, kCreated + kDeleted};
  return {200, kNoRows};
}
FakeAnswer Hang(const std::string&, const std::string&) {
  return {200, "", Then::kHang};
}

class EtcdClientTest : public testing::Test {
 protected:
  void Connect(std::vector<std::string> urls) {
    auto client = OpenEtcd("c", std::move(urls));
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = std::move(client).value();
    poller_.AddFd(client_->fd());
  }
  Answer Ask(Request request, core::Duration timeout = kLong) {
    const uint64_t asked = client_->Begin(std::move(request), timeout);
    uint64_t number = 0;
    Answer answer;
    while (!client_->Take(&number, &answer)) poller_.Wait(-1);
    EXPECT_EQ(number, asked);
    return answer;
  }
  static core::Code CodeOf(const Answer& answer) {
    const auto* status = std::get_if<core::Status>(&answer);
    return status == nullptr ? core::Code::kOk : status->code();
  }

  std::unique_ptr<CoordinationClient> client_;
  core::Poller poller_;
};

// On a connection that was used before, libcurl sends a POST again by itself when it ends.
TEST_F(EtcdClientTest, ACompareAndSetIsSentOnceWhateverTheConnectionDoes) {
  FakeHttp server([](const std::string& path, const std::string&) {
    return path == kTxn ? FakeAnswer{200, "", Then::kClose} : AnswerTo(path);
  });
  Connect({server.url()});
  for (int i = 1; i <= 3; ++i) {
    ASSERT_TRUE(std::holds_alternative<Rows>(Ask(Get{"a"})));
    EXPECT_EQ(CodeOf(Ask(kSet)), core::Code::kNoQuorum);
    EXPECT_EQ(server.CountOf(kTxn), i);
  }
}

TEST_F(EtcdClientTest, AMemberThatHangsIsLeftByACompareAndSetThatFailedThere) {
  FakeHttp hangs(Hang);
  FakeHttp serves([](const std::string& path, const std::string&) { return AnswerTo(path); });
  Connect({hangs.url(), serves.url()});
  EXPECT_EQ(CodeOf(Ask(kSet, milliseconds(300))), core::Code::kNoQuorum);
  EXPECT_TRUE(std::holds_alternative<Compared>(Ask(kSet)));
  EXPECT_EQ(hangs.CountOf(kTxn) + serves.CountOf(kTxn), 2);
}

TEST_F(EtcdClientTest, AMemberThatHangsIsLeftByAWatchThatItNeverBegan) {
  FakeHttp hangs(Hang);
  FakeHttp serves([](const std::string& path, const std::string&) { return AnswerTo(path); });
  Connect({hangs.url(), serves.url()});
  const Answer answer = Ask(Watch{"", Revision(3), seconds(20)});
  ASSERT_TRUE(std::holds_alternative<Changes>(answer));
  EXPECT_EQ(std::get<Changes>(answer).changes.size(), 1u);
  EXPECT_EQ(serves.CountOf(kWatch), 1);
}

TEST_F(EtcdClientTest, AWatchWithMoreThanAnAnswerHoldsListsAgain) {
  FakeHttp server([](const std::string& path, const std::string&) {
    if (path != kWatch) return AnswerTo(path);
    return FakeAnswer{200, kCreated + std::string(17 << 20, 'x') + '\n'};
  });
  Connect({server.url()});
  const Answer answer = Ask(Watch{"", Revision(3), seconds(20)});
  EXPECT_EQ(CodeOf(answer), core::Code::kTrimmed);
  EXPECT_EQ(server.CountOf(kWatch), 1);
}

TEST_F(EtcdClientTest, AWatchThatIsRefusedIsToldSo) {
  FakeHttp server([](const std::string& path, const std::string&) {
    return path == kWatch ? FakeAnswer{404, "Not Found"} : AnswerTo(path);
  });
  Connect({server.url()});
  EXPECT_EQ(CodeOf(Ask(Watch{"", Revision(3), seconds(20)})), core::Code::kBadRequest);
}

// What the first look of a wait finishes, nothing would wake it for.
TEST(HttpTransfersTest, AnAnswerThatIsThereIsNotSleptOver) {
  std::atomic<bool> asked = false;
  std::atomic<bool> may_answer = false;
  FakeHttp server([&](const std::string&, const std::string&) {
    asked = true;
    while (!may_answer) std::this_thread::yield();
    return FakeAnswer{200, "x"};
  });
  HttpTransfers transfers;
  core::Wakeup never;
  transfers.Begin(server.url() + "/a", "{}", kLong, HttpRepeat::kMay);
  while (!asked) transfers.Wait(never.fd(), milliseconds(1));
  may_answer = true;
  while (server.answered() == 0) std::this_thread::yield();
  transfers.Wait(never.fd(), std::chrono::hours(1));
  const auto ended = transfers.TakeEnded();
  ASSERT_EQ(ended.size(), 1u);
  EXPECT_EQ(ended[0].second.body, "x");
}

}  // namespace
}  // namespace homeport::coordination
