// The example of docs/extending.md does what it says.
#include "examples/drafts.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <string>

#include "router/tests/fake_cluster.h"
#include "router/tests/must.h"

namespace homeport::router {
namespace {

using core::AccountKind;
using examples::Drafts;

std::string Read(const std::string& path) {
  std::ifstream file(HOMEPORT_SOURCE_DIR + path);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(DraftsTest, AreTheSameOnAllDevicesOfAUser) {
  FakeCluster cluster;
  const auto phone_client = cluster.Connect(kSh);
  const auto tablet_client = cluster.Connect(kHk);
  const Uin alice = Must(phone_client->Create(AccountKind::kUser, "alice", "sh")).uin;
  const Uin bob = Must(phone_client->Create(AccountKind::kUser, "bob", "hk")).uin;
  const Uin carol = Must(phone_client->Create(AccountKind::kUser, "carol", "hk")).uin;

  Drafts phone(phone_client.get(), alice);
  Drafts tablet(tablet_client.get(), alice);
  EXPECT_TRUE(Must(phone.Save(bob, "hel")));
  EXPECT_TRUE(Must(phone.Save(bob, "hello")));
  EXPECT_FALSE(Must(phone.Save(bob, "hello")));
  EXPECT_TRUE(Must(phone.Save(carol, "dear carol")));
  ASSERT_TRUE(tablet.Sync().ok());
  EXPECT_EQ(tablet.size(), 2u);
  EXPECT_EQ(tablet.Find(bob), "hello");
  EXPECT_TRUE(Must(tablet.Discard(bob)));
  EXPECT_FALSE(Must(tablet.Discard(bob)));
  ASSERT_TRUE(phone.Sync().ok());
  EXPECT_EQ(phone.Find(bob), "");
  EXPECT_EQ(phone.Find(carol), "dear carol");
  ASSERT_TRUE(tablet.Sync().ok());
  EXPECT_EQ(tablet.size(), 1u);
}

TEST(DraftsTest, AreShownWholeInTheDocuments) {
  const std::string page = Read("/docs/extending.md");
  EXPECT_NE(page.find("```cpp\n" + Read("/examples/drafts.h") + "```\n"), std::string::npos);
}

}  // namespace
}  // namespace homeport::router
