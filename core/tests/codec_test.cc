#include "core/codec.h"

#include <gtest/gtest.h>

#include <random>

#include "core/tests/probe.capnp.h"

namespace homeport::core {
namespace {

using test_wire::Probe;

std::string Sample() {
  return Encode<Probe>([](Probe::Builder root) {
    root.setNumber(42);
    root.setText("alice");
    root.setData(Data("\xff body"));
    auto children = root.initChildren(3);
    for (unsigned i = 0; i < children.size(); ++i) children[i].setText("child");
    root.initNext().setNumber(43);
  });
}

// Touches every field, as deep as it goes. Returns something of all it saw.
uint64_t Digest(Probe::Reader probe) {
  uint64_t sum = probe.getNumber();
  for (const char c : View(probe.getText())) sum = sum * 31 + static_cast<unsigned char>(c);
  for (const char c : View(probe.getData())) sum = sum * 31 + static_cast<unsigned char>(c);
  for (const Probe::Reader child : probe.getChildren()) sum = sum * 31 + Digest(child);
  if (probe.hasNext()) sum = sum * 31 + Digest(probe.getNext());
  return sum;
}

Status ReadAll(std::string_view bytes) {
  return Decode<Probe>(bytes, [](Probe::Reader root) {
    volatile uint64_t sink = Digest(root);
    (void)sink;
    return Status();
  });
}

// Whatever it is: read it, or told that it is bad; nothing else.
void ExpectNoHarm(std::string_view bytes) {
  const Status status = ReadAll(bytes);
  EXPECT_TRUE(status.ok() || status.code() == Code::kBadRequest) << status;
}

TEST(CodecTest, DecodesWhatItEncoded) {
  const Status status = Decode<Probe>(Sample(), [](Probe::Reader root) {
    EXPECT_EQ(root.getNumber(), 42u);
    EXPECT_EQ(View(root.getText()), "alice");
    EXPECT_EQ(View(root.getData()), "\xff body");
    EXPECT_EQ(root.getChildren().size(), 3u);
    EXPECT_EQ(root.getNext().getNumber(), 43u);
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(CodecTest, MessageLargerThanScratchSpaceSurvives) {
  const std::string body(3 << 20, 'x');
  const std::string bytes = Encode<Probe>([&](Probe::Builder root) { root.setData(Data(body)); });
  const Status status = Decode<Probe>(bytes, [&](Probe::Reader root) {
    EXPECT_EQ(View(root.getData()), body);
    return Status();
  });
  EXPECT_TRUE(status.ok()) << status;
}

TEST(CodecTest, EqualMessagesHaveEqualBytes) {
  EXPECT_EQ(Sample(), Sample());
}

TEST(CodecTest, BytesNeedNotBeAligned) {
  const std::string sample = Sample();
  for (size_t shift = 0; shift < 8; ++shift) {
    const std::string shifted = std::string(shift, '#') + sample;
    EXPECT_TRUE(ReadAll(std::string_view(shifted).substr(shift)).ok()) << shift;
  }
}

TEST(CodecTest, ReaderHasTheLastWord) {
  const Status status = Decode<Probe>(
      Sample(), [](Probe::Reader) { return Status::Taken(Uin(1), "says the reader"); });
  EXPECT_EQ(status.code(), Code::kTaken);
}

TEST(CodecTest, EmptyAndRaggedBytesAreRefused) {
  EXPECT_EQ(ReadAll("").code(), Code::kBadRequest);
  EXPECT_EQ(ReadAll("1234567").code(), Code::kBadRequest);
  EXPECT_EQ(ReadAll(Sample() + "x").code(), Code::kBadRequest);
}

TEST(CodecTest, EveryTruncationIsRefused) {
  const std::string sample = Sample();
  for (size_t size = 0; size < sample.size(); ++size) {
    EXPECT_EQ(ReadAll(sample.substr(0, size)).code(), Code::kBadRequest) << size;
  }
}

TEST(CodecTest, EveryFlippedBitIsHarmless) {
  const std::string sample = Sample();
  for (size_t bit = 0; bit < sample.size() * 8; ++bit) {
    std::string damaged = sample;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    ExpectNoHarm(damaged);
  }
}

TEST(CodecTest, RandomBytesAreHarmless) {
  std::mt19937_64 random(20240601);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes((random() % 32) * 8, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    // Half of them with a plausible segment table, to come further.
    if (round % 2 == 0 && bytes.size() >= 8) {
      std::memset(bytes.data(), 0, 8);
      bytes[4] = static_cast<char>(bytes.size() / 8 - 1);
    }
    ExpectNoHarm(bytes);
  }
}

TEST(CodecTest, HugeSegmentTableIsRefused) {
  const std::string many(4096, '\xff');
  EXPECT_EQ(ReadAll(many).code(), Code::kBadRequest);
  std::string large(16, '\0');
  std::memset(large.data() + 4, 0xff, 4);  // one segment of 2^32 - 1 words
  EXPECT_EQ(ReadAll(large).code(), Code::kBadRequest);
}

TEST(CodecTest, DeepNestingIsRefused) {
  const auto nested = [](int depth) {
    return Encode<Probe>([depth](Probe::Builder root) {
      for (int i = 0; i < depth; ++i) root = root.initNext();
    });
  };
  EXPECT_TRUE(ReadAll(nested(20)).ok());
  EXPECT_EQ(ReadAll(nested(100)).code(), Code::kBadRequest);
}

TEST(CodecTest, PointerToItselfIsRefused) {
  // One segment of one word: the root pointer, a struct at offset -1, so itself, with one pointer.
  std::string bytes(16, '\0');
  bytes[4] = 1;
  const uint64_t pointer = (uint64_t{1} << 48) | (uint64_t{0x3fffffff} << 2);
  std::memcpy(bytes.data() + 8, &pointer, 8);
  ExpectNoHarm(bytes);
}

TEST(CodecTest, ReadingMoreThanAMessageHoldsIsRefused) {
  const std::string body(1 << 20, 'x');
  const std::string bytes = Encode<Probe>([&](Probe::Builder root) { root.setData(Data(body)); });
  int reads = 0;
  const Status status = Decode<Probe>(bytes, [&](Probe::Reader root) {
    for (; reads < 1000; ++reads) (void)root.getData();
    return Status();
  });
  EXPECT_EQ(status.code(), Code::kBadRequest);
  EXPECT_GE(reads, 4) << "honest readers have room";
  EXPECT_LT(reads, 16);
}

TEST(CodecTest, ErrorIsOneSentenceWithoutAStackTrace) {
  const Status status = ReadAll(std::string(4096, '\xff'));
  EXPECT_EQ(status.message().find('\n'), std::string::npos) << status;
  EXPECT_EQ(status.message().find("stack"), std::string::npos) << status;
  EXPECT_LT(status.message().size(), 400u) << status;
}

}  // namespace
}  // namespace homeport::core
