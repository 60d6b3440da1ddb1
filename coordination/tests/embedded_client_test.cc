// The client of our own store, at a server that does not do as ours does.
#include "coordination/embedded_client.h"

#include <gtest/gtest.h>

#include "coordination/codec.h"

namespace homeport::coordination {
namespace {

using std::chrono::seconds;

TEST(EmbeddedClientTest, AnAnswerOfAnotherKindIsPassedOver) {
  core::Context context;
  auto server = core::RouterSocket::Bind(context, "tcp://127.0.0.1:0", kFrameBytesMax);
  ASSERT_TRUE(server.ok()) << server.status();
  auto client = OpenEmbedded(context, "c", (*server)->endpoint());
  ASSERT_TRUE(client.ok()) << client.status();
  const uint64_t number = (*client)->Begin(GrantLease{seconds(5)}, seconds(60));

  core::Poller at_server;
  at_server.Add((*server)->raw());
  core::PeerId peer;
  core::Frames frames;
  while (!(*server)->Receive(&peer, &frames)) at_server.Wait(-1);
  ASSERT_EQ(frames.size(), 1u);
  EXPECT_EQ(DecodeRequest(frames[0].view())->number, number);
  for (Answer answer : std::vector<Answer>{Rows{}, Compared{true, Revision(1), {}}, LeaseEnded{},
                                           Changes{{}, Revision(1)}, StoreStatus{},
                                           Leased{LeaseId(7), seconds(5)}}) {
    (*server)->Send(peer, {core::SharedBytes(EncodeAnswer({number, std::move(answer)}))});
  }

  core::Poller at_client;
  at_client.AddFd((*client)->fd());
  uint64_t answered = 0;
  Answer answer;
  while (!(*client)->Take(&answered, &answer)) at_client.Wait(-1);
  EXPECT_EQ(answered, number);
  ASSERT_TRUE(std::holds_alternative<Leased>(answer));
  EXPECT_EQ(std::get<Leased>(answer).lease, LeaseId(7));
}

TEST(EmbeddedClientTest, WhatAnswersWhat) {
  const Leased leased{LeaseId(7), seconds(5)};
  EXPECT_TRUE(IsAnswerTo(Get{"k"}, Rows{}));
  EXPECT_TRUE(IsAnswerTo(List{"", ""}, Rows{}));
  EXPECT_TRUE(IsAnswerTo(CompareAndSet{}, Compared{}));
  EXPECT_TRUE(IsAnswerTo(GrantLease{}, leased));
  EXPECT_TRUE(IsAnswerTo(KeepAlive{LeaseId(7)}, leased));
  EXPECT_TRUE(IsAnswerTo(EndLease{LeaseId(7)}, LeaseEnded{}));
  EXPECT_TRUE(IsAnswerTo(Watch{}, Changes{}));
  EXPECT_TRUE(IsAnswerTo(AskStatus{}, StoreStatus{}));
  EXPECT_TRUE(IsAnswerTo(Watch{}, core::Status::Unavailable("away")));
  EXPECT_FALSE(IsAnswerTo(Get{"k"}, Compared{}));
  EXPECT_FALSE(IsAnswerTo(GrantLease{}, Leased{}));
  EXPECT_FALSE(IsAnswerTo(KeepAlive{LeaseId(8)}, leased));
}

}  // namespace
}  // namespace homeport::coordination
