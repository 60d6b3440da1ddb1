#include "router/neighbours.h"

#include <gtest/gtest.h>

#include <optional>

#include "router/tests/must.h"
#include "router/wire.h"

namespace homeport::router {
namespace {

using core::Incarnation;
using std::chrono::seconds;

// Two regions: this one asks, the test answers as the other one's gateway.
class NeighboursTest : public testing::Test {
 protected:
  NeighboursTest() {
    gateway_ = Must(core::RouterSocket::Bind(context_, "tcp://127.0.0.1:0", 1 << 20));
    core::ClusterConfig config;
    for (const uint32_t number : {1, 2}) {
      core::RegionConfig region;
      region.name = number == 1 ? "sh" : "hk";
      region.incarnation = Incarnation(number);
      region.gateway = gateway_->endpoint();
      config.regions.push_back(region);
    }
    neighbours_ = std::make_unique<Neighbours>(config, Incarnation(1));
    EXPECT_TRUE(neighbours_->Connect(context_).ok());
    asks_.Add(gateway_->raw());
    neighbours_->AddTo(&answers_);
  }

  // A second later: the next question's number. What is asked before the connection stands is lost.
  uint64_t NextQuestion() {
    core::Frames frames;
    for (int i = 0; i < kTries; ++i) {
      now_ += seconds(1);
      neighbours_->Turn(now_);
      asks_.Wait(connected_ ? 100 * kWaitUs : kWaitUs);
      if (!gateway_->Receive(&peer_, &frames)) continue;
      connected_ = true;
      return DecodeRequest(frames.at(0).view()).number.value_or(0);
    }
    ADD_FAILURE() << "it does not ask";
    return 0;
  }
  void Answer(uint64_t number, uint32_t groups) {
    QueueGroups answer;
    for (uint32_t id = 1; id <= groups; ++id) {
      QueueGroup group;
      group.id = id;
      for (size_t slot = 0; slot < 3; ++slot) {
        group.disks[slot] = 10 * id + slot;
        group.endpoints[slot] = "tcp://127.0.0.1:" + std::to_string(1000 * id + slot);
      }
      answer.groups.push_back(group);
    }
    answer.last_group = groups;
    ASSERT_TRUE(gateway_->Send(peer_, {core::SharedBytes(EncodeResponse(number, answer))}));
  }
  // How many groups the next news tell of.
  std::optional<size_t> News() {
    for (int i = 0; i < kTries; ++i) {
      const auto news = neighbours_->Turn(now_);
      if (!news.empty()) return news[0].groups.size();
      answers_.Wait(kWaitUs);
    }
    return std::nullopt;
  }

  static constexpr int kTries = 200;
  static constexpr int64_t kWaitUs = 50'000;
  core::Context context_;
  std::unique_ptr<core::RouterSocket> gateway_;
  std::unique_ptr<Neighbours> neighbours_;
  core::Poller asks_;
  core::Poller answers_;
  core::PeerId peer_;
  core::Instant now_{};
  bool connected_ = false;
};

TEST_F(NeighboursTest, AnAnswerThatTakesLongerThanASecondCounts) {
  const uint64_t first = NextQuestion();
  for (int i = 0; i < 3; ++i) NextQuestion();
  Answer(first, 1);
  EXPECT_EQ(News(), 1u) << "three questions later";
}

TEST_F(NeighboursTest, AnAnswerThatANewerOneOvertookIsIgnored) {
  const uint64_t first = NextQuestion();
  const uint64_t second = NextQuestion();
  Answer(second, 2);
  EXPECT_EQ(News(), 2u);
  Answer(first, 1);
  Answer(NextQuestion(), 3);
  EXPECT_EQ(News(), 3u) << "nothing of the old one came before it";
}

TEST_F(NeighboursTest, TellsHowLongOneHasBeenSilent) {
  const Incarnation other(2);
  EXPECT_EQ(neighbours_->SilenceOf(other, now_), core::Duration(0)) << "nobody was asked";
  const uint64_t first = NextQuestion();
  const core::Duration before = neighbours_->SilenceOf(other, now_ + seconds(100));
  EXPECT_GE(before, seconds(100)) << "since it was asked for the first time";
  Answer(first, 1);
  EXPECT_EQ(News(), 1u);
  EXPECT_EQ(neighbours_->SilenceOf(other, now_), core::Duration(0));
  EXPECT_EQ(neighbours_->SilenceOf(other, now_ + seconds(7)), seconds(7));
  Answer(NextQuestion(), 1);  // nothing new, and a word of it all the same
  for (int i = 0; i < kTries && neighbours_->SilenceOf(other, now_) > seconds(0); ++i) {
    answers_.Wait(kWaitUs);
    neighbours_->Turn(now_);
  }
  EXPECT_EQ(neighbours_->SilenceOf(other, now_), core::Duration(0));
}

TEST_F(NeighboursTest, AnAnswerToWhatWasNotAskedIsIgnored) {
  const uint64_t first = NextQuestion();
  Answer(first + 1, 2);
  Answer(first, 1);
  EXPECT_EQ(News(), 1u);
}

}  // namespace
}  // namespace homeport::router
