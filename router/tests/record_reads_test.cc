// Reads of one record at three levels, and test-and-set writes: gateway and client library.
#include <gtest/gtest.h>

#include "router/tests/fake_cluster.h"
#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

using core::Code;
using core::Stamp;
using core::Status;
using core::Uin;

class RecordReadsTest : public testing::Test {
 protected:
  RecordReadsTest() {
    alice_ = t_.world.NewAccount(kSh, core::AccountKind::kUser, "alice");
    first_ = Put("1");
    t_.world.Settle();
    second_ = Put("2");  // hk and ca do not have it
  }
  Stamp Put(const std::string& value) {
    return t_
        .Get<ChangedAnswer>(kSh, core::ChangeCommand(core::PutRecord{alice_, "drafts", "k", value}))
        .version;
  }
  ReadRecordRequest Read(ReadLevel level, Stamp at_least = {}) {
    return {alice_, "drafts", "k", level, at_least};
  }

  ThreeRegions t_;
  Uin alice_;
  Stamp first_;
  Stamp second_;
};

TEST_F(RecordReadsTest, AnyCopyIsReadWhereItIs) {
  const auto here = t_.Get<core::RecordRead>(kSh, Read(ReadLevel::kAny));
  EXPECT_EQ(here.record->value, "2");
  EXPECT_EQ(here.version, second_);
  const auto there = t_.Get<core::RecordRead>(kHk, Read(ReadLevel::kAny));
  EXPECT_EQ(there.record->value, "1");
  EXPECT_EQ(there.version, first_);
}

TEST_F(RecordReadsTest, ACopyThatHasTheVersionIsGoodEnough) {
  const auto old = t_.Get<core::RecordRead>(kHk, Read(ReadLevel::kCritical, first_));
  EXPECT_EQ(old.version, first_);
  EXPECT_EQ(t_.Get<Status>(kHk, Read(ReadLevel::kCritical, second_)).code(), Code::kMoved);
  EXPECT_EQ(t_.Get<core::RecordRead>(kSh, Read(ReadLevel::kCritical, second_)).version, second_);
  t_.world.Settle();
  EXPECT_EQ(t_.Get<core::RecordRead>(kHk, Read(ReadLevel::kCritical, second_)).version, second_);
  const Stamp never{{0, 0}, core::Version(99)};
  EXPECT_EQ(t_.Get<Status>(kSh, Read(ReadLevel::kCritical, never)).code(), Code::kBadRequest);
}

TEST_F(RecordReadsTest, TheLatestIsReadAtHomeOnly) {
  EXPECT_EQ(t_.Get<core::RecordRead>(kSh, Read(ReadLevel::kLatest)).version, second_);
  EXPECT_EQ(t_.Get<Status>(kHk, Read(ReadLevel::kLatest)).code(), Code::kMoved);
}

TEST_F(RecordReadsTest, ADeletedOneHasAVersion) {
  t_.Get<ChangedAnswer>(kSh, core::ChangeCommand(core::DeleteRecord{alice_, "drafts", "k"}));
  const auto gone = t_.Get<core::RecordRead>(kSh, Read(ReadLevel::kLatest));
  EXPECT_FALSE(gone.record.has_value());
  EXPECT_GT(gone.version, second_);
  EXPECT_EQ(t_.Get<Status>(kSh, ReadRecordRequest{alice_, "Bad", "k"}).code(), Code::kBadRequest);
}

// By the client library, connected to ca: each read finds its way.
TEST(RecordClientTest, ReadsAndTestsAndSets) {
  FakeCluster cluster;
  const auto client = cluster.Connect(kCa);
  const auto alice = client->Create(core::AccountKind::kUser, "alice", "sh");
  ASSERT_TRUE(alice.ok()) << alice.status();
  const auto put = [&](const std::string& value, std::optional<Stamp> expects) {
    return client->WriteRecord(
        core::PutRecord{alice->uin, "drafts", "k", value, {}, std::move(expects)});
  };
  const auto read = [&](ReadLevel level, Stamp at_least = {}) {
    return client->ReadRecord(alice->uin, "drafts", "k", level, at_least);
  };
  const auto first = put("1", Stamp());
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(put("lost", Stamp()).status().code(), Code::kRefused);
  const auto second = put("2", first->version);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(read(ReadLevel::kLatest)->record->value, "2");
  EXPECT_EQ(read(ReadLevel::kCritical, second->version)->record->value, "2");
  const auto any = read(ReadLevel::kAny);
  ASSERT_TRUE(any.ok()) << any.status();
  EXPECT_EQ(client
                ->WriteRecord(core::DeleteRecord{
                    alice->uin, "drafts", "k", {}, std::optional(first->version)})
                .status()
                .code(),
            Code::kRefused);
}

}  // namespace
}  // namespace homeport::router
