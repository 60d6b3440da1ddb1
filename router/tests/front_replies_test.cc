#include "router/front_replies.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

class FrontRepliesTest : public testing::Test {
 protected:
  bool Keep(uint64_t front, const std::string& reply, int64_t at_ms = 0) {
    return replies.Keep(At(at_ms), ClientPeer(front), core::SharedBytes(std::string(reply)));
  }
  // What goes out when each front has room for so many.
  std::string Flush(size_t room, int64_t at_ms = 0) {
    std::string sent;
    std::map<ClientPeer, size_t> taken;
    given_up = replies.Flush(At(at_ms), [&](ClientPeer front, const core::SharedBytes& reply) {
      if (taken[front]++ >= room) return false;
      sent += std::to_string(front.value()) + std::string(reply.view()) + ' ';
      return true;
    });
    return sent;
  }

  FrontReplies replies{10, std::chrono::seconds(10)};
  uint64_t given_up = 0;
};

TEST_F(FrontRepliesTest, GoOutInOrderAsThereIsRoom) {
  EXPECT_TRUE(replies.empty());
  for (const char* reply : {"a", "b", "c"}) EXPECT_TRUE(Keep(1, reply));
  EXPECT_TRUE(Keep(2, "d"));
  EXPECT_EQ(Flush(0), "");
  EXPECT_EQ(Flush(2), "1a 1b 2d ");
  EXPECT_FALSE(replies.empty());
  EXPECT_EQ(Flush(2), "1c ");
  EXPECT_TRUE(replies.empty());
}

TEST_F(FrontRepliesTest, AreBounded) {
  EXPECT_TRUE(Keep(1, "12345"));
  EXPECT_TRUE(Keep(2, "12345"));
  EXPECT_FALSE(Keep(1, "1"));
  Flush(1);
  EXPECT_TRUE(Keep(1, "1"));
}

TEST_F(FrontRepliesTest, AFrontThatTakesNothingIsGivenUp) {
  EXPECT_TRUE(Keep(1, "a", 0));
  EXPECT_TRUE(Keep(1, "b", 0));
  EXPECT_EQ(Flush(1, 9000), "1a ");
  Flush(0, 18999);
  EXPECT_EQ(given_up, 0u);
  Flush(0, 19000);
  EXPECT_EQ(given_up, 1u);
  EXPECT_TRUE(replies.empty());
  EXPECT_TRUE(Keep(1, "1234567890", 20000)) << "its room is free again";
}

}  // namespace
}  // namespace homeport::router
