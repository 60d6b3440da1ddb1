#include "quorum_queue/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "core/codec.h"
#include "quorum_queue/queue.capnp.h"
#include "quorum_queue/tests/queue_test_util.h"

namespace homeport::quorum_queue {
namespace {

using core::Code;

constexpr DiskId kDisk(77);
constexpr WriterEpoch kEpoch(9);

template <class Kind>
Kind RequestRoundTrip(const Kind& request) {
  const auto back = DecodeRequest(EncodeRequest(request));
  EXPECT_TRUE(back.ok()) << back.status();
  return std::get<Kind>(back.value());
}

template <class Kind>
Kind AnswerRoundTrip(const Kind& answer, bool compress = false) {
  const auto back = DecodeAnswer(EncodeAnswer(answer, compress));
  EXPECT_TRUE(back.ok()) << back.status();
  return std::get<Kind>(back.value());
}

void ExpectSame(const EntryRun& a, const EntryRun& b) {
  EXPECT_EQ(a.first, b.first);
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.sizes, b.sizes);
  EXPECT_EQ(a.body.view(), b.body.view());
  EXPECT_EQ(a.checksum, b.checksum);
}

// Frame 0 with the changes of `change` made to a freshly built message.
template <class Change>
Frames HeadOf(Change&& change) {
  return {SharedBytes(core::Encode<wire::Frame>([&](wire::Frame::Builder root) {
    root.setVersion(kWireVersion);
    change(root);
  }))};
}

Append SomeAppend() {
  return {kTestStream, kEpoch, MakeChain({{3, 1}, {9, 4}}), MakeRun(4, 9, 6), Seq(3), Seq(2)};
}

ReadAnswer SomeReadAnswer(std::vector<EntryRun> runs) {
  ReadAnswer answer{kTestStream, 5,      kDisk, ReadOutcome::kData, runs.front().first, {},
                    {},          Seq(1), 1234};
  answer.committed = runs.back().last();
  answer.runs = std::move(runs);
  return answer;
}

TEST(CodecTest, FenceRoundTrips) {
  const Fence back = RequestRoundTrip(Fence{kTestStream, kEpoch});
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, kEpoch);
}

TEST(CodecTest, FillRoundTrips) {
  const Fill fill{kTestStream, kEpoch, MakeRun(4, 3, 6)};
  const Fill back = RequestRoundTrip(fill);
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, kEpoch);
  ExpectSame(back.run, fill.run);
}

TEST(CodecTest, AppendRoundTrips) {
  const Append append = SomeAppend();
  const Append back = RequestRoundTrip(append);
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, kEpoch);
  EXPECT_EQ(back.chain, append.chain);
  ExpectSame(back.run, append.run);
  EXPECT_EQ(back.committed, Seq(3));
  EXPECT_EQ(back.trimmed, Seq(2));
}

TEST(CodecTest, AppendOfOneEmptyEntryRoundTrips) {
  Append append = SomeAppend();
  append.run = MakeRun(4, 9, std::vector<std::string>{""});
  const Append back = RequestRoundTrip(append);
  ExpectSame(back.run, append.run);
  EXPECT_EQ(back.run.count(), 1u);
}

TEST(CodecTest, AppendOfNewsOnlyRoundTripsInOneFrame) {
  Append append = SomeAppend();
  append.run = {};
  EXPECT_EQ(EncodeRequest(append).size(), 1u);
  EXPECT_TRUE(RequestRoundTrip(append).run.empty());
}

TEST(CodecTest, TrimRoundTrips) {
  const Trim back = RequestRoundTrip(Trim{kTestStream, Seq(8)});
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.through, Seq(8));
}

TEST(CodecTest, ReadRoundTrips) {
  const Read back = RequestRoundTrip(Read{kTestStream, 5, Seq(6), 7, 8, true});
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.session, 5u);
  EXPECT_EQ(back.from, Seq(6));
  EXPECT_EQ(back.received_bytes, 7u);
  EXPECT_EQ(back.credit_bytes, 8u);
  EXPECT_TRUE(back.compress);
}

TEST(CodecTest, StatusRequestRoundTrips) {
  RequestRoundTrip(StatusRequest{});
}

TEST(CodecTest, AdmissionRoundTrips) {
  EXPECT_EQ(RequestRoundTrip(AskLife{77}).nonce, 77u);
  for (const Admission admission :
       {Admission::kOffered, Admission::kAdmitted, Admission::kAmnesiac}) {
    const Admit back = RequestRoundTrip(Admit{78, kDisk, Life{5, 55}, admission});
    EXPECT_EQ(back.nonce, 78u);
    EXPECT_EQ(back.disk, kDisk);
    EXPECT_EQ(back.life, (Life{5, 55}));
    EXPECT_EQ(back.admission, admission);
  }
  EXPECT_FALSE(DecodeRequest(HeadOf([](wire::Frame::Builder root) {
                 root.initAdmit().setAdmission(3);
               })).ok());
  const LifeAnswer answer{kDisk, 79, {5, 55}, {6, 66}, true, true, RecordNumber(1000)};
  const LifeAnswer back = AnswerRoundTrip(answer);
  EXPECT_EQ(back.disk, kDisk);
  EXPECT_EQ(back.nonce, 79u);
  EXPECT_EQ(back.life, answer.life);
  EXPECT_EQ(back.proposed, answer.proposed);
  EXPECT_TRUE(back.admitted);
  EXPECT_TRUE(back.recovering);
  EXPECT_EQ(back.record, RecordNumber(1000));
}

TEST(CodecTest, FenceAnswerRoundTrips) {
  FenceAnswer answer{kTestStream, kEpoch, kDisk, MakeChain({{3, 1}, {9, 4}}), Seq(3), Seq(2), {}};
  answer.runs = {MakeRun(4, 3, 2), MakeRun(8, 3, 1), MakeRun(9, 5, 3)};
  const FenceAnswer back = AnswerRoundTrip(answer);
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, kEpoch);
  EXPECT_EQ(back.disk, kDisk);
  EXPECT_EQ(back.chain, answer.chain);
  EXPECT_EQ(back.committed, Seq(3));
  EXPECT_EQ(back.trimmed, Seq(2));
  ASSERT_EQ(back.runs.size(), 3u);
  for (size_t i = 0; i < 3; ++i) ExpectSame(back.runs[i], answer.runs[i]);
}

TEST(CodecTest, FencedRoundTrips) {
  const Fenced back = AnswerRoundTrip(Fenced{kTestStream, kEpoch, kDisk, WriterEpoch(10)});
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, kEpoch);
  EXPECT_EQ(back.disk, kDisk);
  EXPECT_EQ(back.promised, WriterEpoch(10));
}

TEST(CodecTest, StoredRoundTrips) {
  const Stored back = AnswerRoundTrip(Stored{kTestStream, kEpoch, kDisk, true, Seq(4), 5, Seq(3)});
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, kEpoch);
  EXPECT_EQ(back.disk, kDisk);
  EXPECT_TRUE(back.fill);
  EXPECT_EQ(back.first, Seq(4));
  EXPECT_EQ(back.count, 5u);
  EXPECT_EQ(back.committed, Seq(3));
}

TEST(CodecTest, RefusedRoundTripsWithItsReasonCut) {
  const Refused back = AnswerRoundTrip(Refused{kTestStream, kEpoch, kDisk, std::string(5000, 'x')});
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.epoch, kEpoch);
  EXPECT_EQ(back.disk, kDisk);
  EXPECT_EQ(back.reason, std::string(512, 'x'));
}

TEST(CodecTest, ReadAnswerRoundTrips) {
  const ReadAnswer answer = SomeReadAnswer({MakeRun(4, 3, 2), MakeRun(6, 5, 3)});
  const ReadAnswer back = AnswerRoundTrip(answer);
  EXPECT_EQ(back.stream, kTestStream);
  EXPECT_EQ(back.session, 5u);
  EXPECT_EQ(back.disk, kDisk);
  EXPECT_EQ(back.outcome, ReadOutcome::kData);
  EXPECT_EQ(back.next, Seq(4));
  EXPECT_EQ(back.committed, Seq(8));
  EXPECT_EQ(back.trimmed, Seq(1));
  EXPECT_EQ(back.sent_bytes, 1234u);
  ASSERT_EQ(back.runs.size(), 2u);
  ExpectSame(back.runs[0], answer.runs[0]);
  ExpectSame(back.runs[1], answer.runs[1]);
}

TEST(CodecTest, EachOutcomeOfAReadRoundTrips) {
  for (const ReadOutcome outcome :
       {ReadOutcome::kIdle, ReadOutcome::kLacking, ReadOutcome::kTrimmed}) {
    const ReadAnswer answer{kTestStream, 5, kDisk, outcome, Seq(4), {}, Seq(9), Seq(1), 0};
    EXPECT_EQ(AnswerRoundTrip(answer).outcome, outcome);
  }
}

TEST(CodecTest, StatusAnswerRoundTrips) {
  StatusAnswer answer{kDisk, {}, 11, 12, true};
  answer.streams.push_back({kTestStream, kEpoch, WriterEpoch(8), Seq(7), Seq(6), Seq(9), 3});
  answer.cluster = "c1";
  answer.incarnation = core::Incarnation(4);
  answer.replica = 5;
  const StatusAnswer back = AnswerRoundTrip(answer);
  EXPECT_EQ(back.cluster, "c1");
  EXPECT_EQ(back.incarnation, core::Incarnation(4));
  EXPECT_EQ(back.replica, 5);
  EXPECT_EQ(back.disk, kDisk);
  EXPECT_EQ(back.log_bytes, 11u);
  EXPECT_EQ(back.disk_free_bytes, 12u);
  EXPECT_TRUE(back.full);
  ASSERT_EQ(back.streams.size(), 1u);
  EXPECT_EQ(back.streams[0].stream, kTestStream);
  EXPECT_EQ(back.streams[0].promised, kEpoch);
  EXPECT_EQ(back.streams[0].chain_epoch, WriterEpoch(8));
  EXPECT_EQ(back.streams[0].committed, Seq(7));
  EXPECT_EQ(back.streams[0].trimmed, Seq(6));
  EXPECT_EQ(back.streams[0].last, Seq(9));
  EXPECT_EQ(back.streams[0].entries, 3u);
}

TEST(CodecTest, BodiesAreSharedNotCopied) {
  const Append append = SomeAppend();
  const Frames frames = EncodeRequest(append);
  EXPECT_EQ(frames[1].view().data(), append.run.body.view().data());
  const auto back = DecodeRequest(frames);
  EXPECT_EQ(std::get<Append>(*back).run.body.view().data(), append.run.body.view().data());
}

TEST(CodecTest, CompressesLargeBodiesWhenAsked) {
  const std::vector<EntryRun> runs = {MakeRun(1, 3, {std::string(100'000, 'a')}),
                                      MakeRun(2, 3, {std::string(511, 'b')})};
  ReadAnswer answer = SomeReadAnswer(runs);
  answer.trimmed = Seq(0);
  const Frames frames = EncodeAnswer(answer, true);
  ASSERT_EQ(frames.size(), 3u);
  EXPECT_LT(frames[1].size(), 1000u);
  EXPECT_EQ(frames[2].size(), 511u) << "too small to be worth it";
  const auto back = DecodeAnswer(frames);
  ASSERT_TRUE(back.ok()) << back.status();
  ExpectSame(std::get<ReadAnswer>(*back).runs[0], runs[0]);
  ExpectSame(std::get<ReadAnswer>(*back).runs[1], runs[1]);
  EXPECT_EQ(EncodeAnswer(answer, false)[1].size(), 100'000u);
}

TEST(CodecTest, SendsBodiesThatDoNotShrinkAsTheyAre) {
  std::mt19937_64 random(1);
  std::string noise(4096, '\0');
  for (char& c : noise) c = static_cast<char>(random());
  ReadAnswer answer = SomeReadAnswer({MakeRun(2, 3, {noise})});
  const Frames frames = EncodeAnswer(answer, true);
  EXPECT_EQ(frames[1].view(), noise);
  ExpectSame(AnswerRoundTrip(answer, true).runs[0], answer.runs[0]);
}

TEST(CodecTest, JoinsSmallNeighboursOfOneEpoch) {
  std::vector<EntryRun> runs;
  for (uint64_t seq = 2; seq < 1002; ++seq) runs.push_back(MakeRun(seq, seq < 500 ? 3 : 4, 1));
  runs.push_back(MakeRun(1002, 4, {std::string(40'000, 'x')}));
  runs.push_back(MakeRun(1003, 4, 2));
  const ReadAnswer answer = SomeReadAnswer(runs);
  EXPECT_EQ(EncodeAnswer(answer, false).size(), 1u + 4u)
      << "epoch 3, epoch 4, the large one, the last";
  const ReadAnswer back = AnswerRoundTrip(answer);
  std::vector<std::string> expected, got;
  for (const EntryRun& run : answer.runs) {
    for (const auto payload : Payloads(run)) expected.emplace_back(payload);
  }
  for (const EntryRun& run : back.runs) {
    for (const auto payload : Payloads(run)) got.emplace_back(payload);
  }
  EXPECT_EQ(got, expected);
  EXPECT_EQ(back.runs[1].first, Seq(500));
  EXPECT_EQ(back.runs[1].epoch, WriterEpoch(4));
}

TEST(CodecTest, NeverJoinsAcrossAHole) {
  FenceAnswer answer{kTestStream, kEpoch, kDisk, {}, Seq(3), Seq(2), {}};
  answer.runs = {MakeRun(4, 3, 2), MakeRun(7, 3, 1), MakeRun(8, 3, 1)};
  const FenceAnswer back = AnswerRoundTrip(answer);
  ASSERT_EQ(back.runs.size(), 2u);
  EXPECT_EQ(back.runs[0].last(), Seq(5));
  EXPECT_EQ(back.runs[1].first, Seq(7));
  EXPECT_EQ(back.runs[1].last(), Seq(8));
}

TEST(CodecTest, TellsADamagedBodyFromAMalformedMessage) {
  Frames frames = EncodeRequest(SomeAppend());
  std::string body(frames[1].view());
  body[3] ^= 1;
  frames[1] = SharedBytes(body);
  EXPECT_EQ(DecodeRequest(frames).status().code(), Code::kCorrupt);
  frames[1] = SharedBytes(body.substr(1));
  EXPECT_EQ(DecodeRequest(frames).status().code(), Code::kBadRequest);
  frames.pop_back();
  EXPECT_EQ(DecodeRequest(frames).status().code(), Code::kBadRequest);
}

TEST(CodecTest, RefusesFramesThatBelongToNoRun) {
  Frames frames = EncodeRequest(Fence{kTestStream, kEpoch});
  frames.push_back(SharedBytes(std::string("more")));
  EXPECT_EQ(DecodeRequest(frames).status().code(), Code::kBadRequest);
  EXPECT_EQ(DecodeRequest({}).status().code(), Code::kBadRequest);
}

TEST(CodecTest, RefusesNumbersOutOfRange) {
  const auto refused = [](Frames frames) {
    return DecodeRequest(frames).status().code() == Code::kBadRequest;
  };
  EXPECT_TRUE(refused(EncodeRequest(Fence{kTestStream, WriterEpoch(0)})));
  EXPECT_TRUE(refused(EncodeRequest(Fence{StreamId::FromValue(1ull << 32), kEpoch})));
  EXPECT_TRUE(refused(EncodeRequest(Trim{kTestStream, kSeqMax + 1})));
  EXPECT_FALSE(refused(EncodeRequest(Trim{kTestStream, kSeqMax})));
  EXPECT_TRUE(refused(EncodeRequest(Read{kTestStream, 1, Seq(0), 0, 0, false})));
  EXPECT_TRUE(refused(EncodeRequest(Fill{kTestStream, kEpoch, MakeRun(0, 3, 2)})));
  EXPECT_TRUE(refused(EncodeRequest(Fill{kTestStream, kEpoch, MakeRun(1, 0, 2)})));
  EXPECT_TRUE(refused(EncodeRequest(Fill{kTestStream, kEpoch, MakeRun(UINT64_MAX, 3, 2)})));
  Append append = SomeAppend();
  append.committed = Seq(UINT64_MAX);
  EXPECT_TRUE(refused(EncodeRequest(append)));
}

TEST(CodecTest, RefusesAChainThatDoesNotAscendOrIsTooLong) {
  Append append = SomeAppend();
  for (const Chain& chain :
       {MakeChain({{3, 1}, {3, 4}}), MakeChain({{3, 4}, {9, 4}}), MakeChain({{9, 1}, {3, 4}}),
        MakeChain({{0, 1}}), MakeChain({{1, 0}})}) {
    append.chain = chain;
    EXPECT_EQ(DecodeRequest(EncodeRequest(append)).status().code(), Code::kBadRequest);
  }
  append.chain.clear();
  for (uint64_t i = 1; i <= kChainLinksMax + 1; ++i)
    append.chain.push_back({WriterEpoch(i), Seq(i)});
  EXPECT_EQ(DecodeRequest(EncodeRequest(append)).status().code(), Code::kBadRequest);
  append.chain.pop_back();
  EXPECT_TRUE(DecodeRequest(EncodeRequest(append)).ok());
}

TEST(CodecTest, RefusesRunsOutOfOrder) {
  FenceAnswer fence{kTestStream, kEpoch, kDisk, {}, Seq(3), Seq(2), {}};
  fence.runs = {MakeRun(4, 3, 2), MakeRun(5, 4, 1)};
  EXPECT_EQ(DecodeAnswer(EncodeAnswer(fence, false)).status().code(), Code::kBadRequest);
  ReadAnswer read = SomeReadAnswer({MakeRun(4, 3, 2), MakeRun(7, 3, 1)});
  EXPECT_EQ(DecodeAnswer(EncodeAnswer(read, false)).status().code(), Code::kBadRequest);
}

TEST(CodecTest, PagesOfAFenceAnswerRoundTripAndAreCheckedForProgress) {
  EXPECT_EQ(RequestRoundTrip(Fence{kTestStream, kEpoch, Seq(7)}).after, Seq(7));
  FenceAnswer page{kTestStream, kEpoch, kDisk, {}, Seq(3), Seq(2), {MakeRun(8, 3, 2)}};
  page.after = Seq(7);
  page.through = Seq(9);
  const FenceAnswer back = AnswerRoundTrip(page);
  EXPECT_EQ(back.after, Seq(7));
  EXPECT_EQ(back.through, Seq(9));
  const auto refused = [](const FenceAnswer& answer) {
    return DecodeAnswer(EncodeAnswer(answer, false)).status().code() == Code::kBadRequest;
  };
  FenceAnswer bad = page;
  bad.through = Seq(10);
  EXPECT_TRUE(refused(bad)) << "more than it shows";
  bad = page;
  bad.after = Seq(8);
  EXPECT_TRUE(refused(bad)) << "begins too early";
  bad = page;
  bad.runs.clear();
  EXPECT_TRUE(refused(bad)) << "no progress";
  bad.through = Seq(0);
  EXPECT_FALSE(refused(bad));
}

TEST(CodecTest, RefusesReadAnswersThatContradictThemselves) {
  const auto code = [](const ReadAnswer& answer) {
    return DecodeAnswer(EncodeAnswer(answer, false)).status().code();
  };
  ReadAnswer answer = SomeReadAnswer({MakeRun(4, 3, 2)});
  EXPECT_EQ(code(answer), Code::kOk);
  answer.next = Seq(5);
  EXPECT_EQ(code(answer), Code::kBadRequest);
  answer = SomeReadAnswer({MakeRun(4, 3, 2)});
  answer.committed = Seq(4);
  EXPECT_EQ(code(answer), Code::kBadRequest) << "an entry that is not committed";
  answer = SomeReadAnswer({MakeRun(4, 3, 2)});
  answer.trimmed = Seq(4);
  EXPECT_EQ(code(answer), Code::kBadRequest);
  answer = SomeReadAnswer({MakeRun(4, 3, 2)});
  answer.outcome = ReadOutcome::kIdle;
  EXPECT_EQ(code(answer), Code::kBadRequest);
  answer.runs.clear();
  answer.outcome = ReadOutcome::kData;
  EXPECT_EQ(code(answer), Code::kBadRequest);
}

TEST(CodecTest, RefusesAnUnknownOutcome) {
  const Frames frames = HeadOf([](wire::Frame::Builder root) {
    auto to = root.initReadAnswer();
    to.setStream(1);
    to.setOutcome(4);
  });
  EXPECT_EQ(DecodeAnswer(frames).status().code(), Code::kBadRequest);
}

TEST(CodecTest, TellsRequestsAndAnswersApart) {
  EXPECT_EQ(DecodeAnswer(EncodeRequest(Fence{kTestStream, kEpoch})).status().code(),
            Code::kBadRequest);
  EXPECT_EQ(DecodeRequest(EncodeAnswer(Fenced{kTestStream, kEpoch, kDisk, kEpoch}, false))
                .status()
                .code(),
            Code::kBadRequest);
}

TEST(CodecTest, AnswersAnUnknownVersionOnceAndNeverItsAnswer) {
  const Frames newer = {SharedBytes(core::Encode<wire::Frame>([](auto root) {
    root.setVersion(kWireVersion + 1);
    root.initFence().setStream(1);
  }))};
  EXPECT_EQ(DecodeRequest(newer).status().code(), Code::kBadRequest);
  EXPECT_TRUE(IsOfUnknownVersion(newer));
  EXPECT_FALSE(IsOfUnknownVersion(EncodeRequest(Fence{kTestStream, kEpoch})));
  EXPECT_FALSE(IsOfUnknownVersion({}));
  EXPECT_FALSE(IsOfUnknownVersion({SharedBytes(std::string("garbage!"))}));

  const auto told = DecodeAnswer(EncodeUnsupported()).status();
  EXPECT_EQ(told.code(), Code::kBadRequest);
  EXPECT_NE(told.message().find("version"), std::string::npos) << told;
  const Frames theirs = {SharedBytes(core::Encode<wire::Frame>([](auto root) {
    root.setVersion(kWireVersion + 1);
    root.setUnsupported(kWireVersion + 1);
  }))};
  EXPECT_FALSE(IsOfUnknownVersion(theirs)) << "or two versions would answer each other for ever";
  EXPECT_EQ(DecodeAnswer(theirs).status().code(), Code::kBadRequest);
}

TEST(CodecTest, BoundsWhatADecompressedBodyMayTake) {
  const auto frames_saying = [](uint32_t size, const SharedBytes& body) {
    Frames frames = HeadOf([&](wire::Frame::Builder root) {
      auto to = root.initFill();
      to.setStream(1);
      to.setEpoch(1);
      auto run = to.initRun();
      run.setFirst(1);
      run.setEpoch(1);
      run.initSizes(1).set(0, size);
      run.setCompressed(true);
    });
    frames.push_back(body);
    return frames;
  };
  const SharedBytes bomb =
      EncodeAnswer(SomeReadAnswer({MakeRun(2, 3, {std::string(10 << 20, 'a')})}), true)[1];
  EXPECT_EQ(DecodeRequest(frames_saying(1000, bomb)).status().code(), Code::kBadRequest);
  EXPECT_EQ(DecodeRequest(frames_saying(UINT32_MAX, bomb)).status().code(), Code::kTooLarge);
  EXPECT_EQ(DecodeRequest(frames_saying(100, SharedBytes(std::string("no zstd")))).status().code(),
            Code::kBadRequest);
  const SharedBytes cut = bomb.Slice(0, bomb.size() / 2);
  EXPECT_EQ(DecodeRequest(frames_saying(10 << 20, cut)).status().code(), Code::kBadRequest);
}

TEST(CodecTest, RefusesMoreRunsThanAMessageMayHave) {
  FenceAnswer answer{kTestStream, kEpoch, kDisk, {}, Seq(3), Seq(2), {}};
  for (uint64_t i = 0; i < kRunsMax; ++i) answer.runs.push_back(MakeRun(10 + 2 * i, 3, 1));
  EXPECT_TRUE(DecodeAnswer(EncodeAnswer(answer, false)).ok());
  answer.runs.push_back(MakeRun(10 + 2 * kRunsMax, 3, 1));
  EXPECT_EQ(DecodeAnswer(EncodeAnswer(answer, false)).status().code(), Code::kBadRequest);
}

std::vector<Frames> OneOfEachRequest() {
  return {EncodeRequest(Fence{kTestStream, kEpoch}),
          EncodeRequest(Fill{kTestStream, kEpoch, MakeRun(4, 3, 6)}),
          EncodeRequest(SomeAppend()),
          EncodeRequest(Trim{kTestStream, Seq(8)}),
          EncodeRequest(Read{kTestStream, 5, Seq(6), 7, 8, true}),
          EncodeRequest(StatusRequest{}),
          EncodeRequest(Holdings{kTestStream, Seq(6)})};
}

std::vector<Frames> OneOfEachAnswer() {
  FenceAnswer fence{kTestStream, kEpoch, kDisk, MakeChain({{3, 1}, {9, 4}}), Seq(3), Seq(2), {}};
  fence.runs = {MakeRun(4, 3, 2), MakeRun(8, 3, 1)};
  StatusAnswer status{kDisk, {}, 11, 12, true};
  status.streams.push_back({kTestStream, kEpoch, WriterEpoch(8), Seq(7), Seq(6), Seq(9), 3});
  return {EncodeAnswer(fence, false),
          EncodeAnswer(Fenced{kTestStream, kEpoch, kDisk, WriterEpoch(10)}, false),
          EncodeAnswer(Stored{kTestStream, kEpoch, kDisk, true, Seq(4), 5, Seq(3)}, false),
          EncodeAnswer(Refused{kTestStream, kEpoch, kDisk, "full"}, false),
          EncodeAnswer(SomeReadAnswer({MakeRun(4, 3, 2), MakeRun(6, 5, {std::string(2000, 'z')})}),
                       true),
          EncodeAnswer(status, false),
          EncodeAnswer(HoldingsAnswer{kTestStream,
                                      kDisk,
                                      kEpoch,
                                      WriterEpoch(8),
                                      Seq(7),
                                      Seq(2),
                                      Seq(3),
                                      Seq(30),
                                      {{Seq(3), 5, WriterEpoch(7), 50}}},
                       false)};
}

// A run that came through decoding can be taken apart.
void ExpectSane(const EntryRun& run) {
  EXPECT_EQ(SumOfSizes(run), run.body.size());
  EXPECT_EQ(Payloads(run).size(), run.count());
  EXPECT_EQ(BodyChecksum(run.body.view()), run.checksum);
}

void DecodeBothWays(const Frames& frames) {
  const auto request = DecodeRequest(frames);
  if (request.ok()) {
    if (const auto* fill = std::get_if<Fill>(&*request)) ExpectSane(fill->run);
    if (const auto* append = std::get_if<Append>(&*request)) {
      EXPECT_TRUE(IsWellFormed(append->chain));
      if (!append->run.empty()) ExpectSane(append->run);
    }
  }
  const auto answer = DecodeAnswer(frames);
  if (answer.ok()) {
    if (const auto* fence = std::get_if<FenceAnswer>(&*answer)) {
      for (const EntryRun& run : fence->runs) ExpectSane(run);
    }
    if (const auto* read = std::get_if<ReadAnswer>(&*answer)) {
      for (const EntryRun& run : read->runs) ExpectSane(run);
    }
  }
  IsOfUnknownVersion(frames);
}

TEST(CodecTest, TruncatedHeadsAreRefused) {
  for (const auto& all : {OneOfEachRequest(), OneOfEachAnswer()}) {
    for (const Frames& frames : all) {
      for (size_t length = 0; length < frames[0].size(); ++length) {
        Frames cut = frames;
        cut[0] = frames[0].Slice(0, length);
        EXPECT_FALSE(DecodeRequest(cut).ok()) << length;
        EXPECT_FALSE(DecodeAnswer(cut).ok()) << length;
      }
    }
  }
}

TEST(CodecTest, DamagedFramesNeverCrash) {
  std::mt19937_64 random(7);
  for (const auto& all : {OneOfEachRequest(), OneOfEachAnswer()}) {
    for (const Frames& frames : all) {
      for (int i = 0; i < 3000; ++i) {
        Frames damaged = frames;
        const size_t which = random() % 4 == 0 ? random() % frames.size() : 0;
        std::string bytes(frames[which].view());
        if (bytes.empty()) continue;
        for (uint64_t flips = random() % 4 + 1; flips > 0; --flips) {
          if (random() % 3 == 0) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
          } else {
            bytes[random() % bytes.size()] ^= static_cast<char>(1 << random() % 8);
          }
        }
        if (random() % 8 == 0) bytes.resize(random() % (bytes.size() + 1));
        damaged[which] = SharedBytes(std::move(bytes));
        DecodeBothWays(damaged);
      }
    }
  }
}

TEST(CodecTest, RandomFramesNeverCrash) {
  std::mt19937_64 random(8);
  for (int i = 0; i < 5000; ++i) {
    Frames frames;
    for (uint64_t count = random() % 3 + 1; count > 0; --count) {
      std::string bytes(random() % 20 * 8, '\0');
      for (char& c : bytes) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
      frames.push_back(SharedBytes(std::move(bytes)));
    }
    DecodeBothWays(frames);
  }
}

TEST(CodecTest, SlicesShareTheBodyAndHaveTheirOwnChecksum) {
  const EntryRun run = MakeRun(4, 3, {"a", "bc", "", "def"});
  const EntryRun slice = SliceRun(run, Seq(5), 2);
  EXPECT_EQ(slice.first, Seq(5));
  EXPECT_EQ(slice.epoch, run.epoch);
  EXPECT_EQ(Payloads(slice), (std::vector<std::string_view>{"bc", ""}));
  EXPECT_EQ(slice.checksum, BodyChecksum("bc"));
  EXPECT_EQ(slice.body.view().data(), run.body.view().data() + 1);
  ExpectSame(SliceRun(run, Seq(4), 4), run);
  EXPECT_TRUE(SliceRun(run, Seq(8), 0).empty());
  EXPECT_DEATH(SliceRun(run, Seq(5), 4), "within its run");
  EXPECT_DEATH(SliceRun(run, Seq(3), 1), "within its run");
}

}  // namespace
}  // namespace homeport::quorum_queue
