#include "router/token_bucket.h"

#include <gtest/gtest.h>

#include "router/tests/three_regions.h"

namespace homeport::router {
namespace {

TEST(TokenBucketTest, GivesTwiceTheRateAtOnceThenTheRate) {
  TokenBucket bucket(10);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(bucket.Take(At(5000)).has_value()) << i;
  const auto wait = bucket.Take(At(5000));
  ASSERT_TRUE(wait.has_value());
  EXPECT_EQ(*wait, std::chrono::milliseconds(100));
  EXPECT_TRUE(bucket.Take(At(5099)).has_value());
  EXPECT_FALSE(bucket.Take(At(5100)).has_value());
  EXPECT_TRUE(bucket.Take(At(5100)).has_value());
  EXPECT_FALSE(bucket.full(At(7099)));
  EXPECT_TRUE(bucket.full(At(7100)));
}

TEST(TokenBucketTest, OfRateZeroHasNoLimit) {
  TokenBucket bucket(0);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(bucket.Take(At(1)).has_value());
  KeyedBuckets buckets(0);
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(buckets.Take(At(1), 7).has_value());
  EXPECT_EQ(buckets.size(), 0u);
}

TEST(KeyedBucketsTest, LimitEachKeyByItself) {
  KeyedBuckets buckets(1);
  for (uint64_t key = 0; key < 3; ++key) {
    EXPECT_FALSE(buckets.Take(At(1000), key).has_value());
    EXPECT_FALSE(buckets.Take(At(1000), key).has_value());
    EXPECT_TRUE(buckets.Take(At(1000), key).has_value());
  }
}

TEST(KeyedBucketsTest, ForgetTheFullOnesWhenThereAreTooMany) {
  KeyedBuckets buckets(1, 10);
  for (uint64_t key = 0; key < 10; ++key) EXPECT_FALSE(buckets.Take(At(1000), key).has_value());
  // No room: not limited, and nothing is kept.
  for (int i = 0; i < 5; ++i) EXPECT_FALSE(buckets.Take(At(1001), 99).has_value());
  EXPECT_EQ(buckets.size(), 10u);
  EXPECT_FALSE(buckets.Take(At(2500), 99).has_value());
  EXPECT_EQ(buckets.size(), 1u);
}

TEST(TooFastTest, SaysWhenToComeAgain) {
  const core::Status status = TooFast(std::chrono::microseconds(1500), "this connection");
  EXPECT_EQ(status.code(), core::Code::kOverloaded);
  EXPECT_EQ(status.detail(), 2u);
}

}  // namespace
}  // namespace homeport::router
