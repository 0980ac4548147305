#include "common/pty/records.h"

#include <gtest/gtest.h>

namespace holdfast::pty {
namespace {

TEST(PtyRecordsTest, ComeBackAsTheyWere) {
  const auto input = ParseInputRecord(Encode(InputRecord{InputKind::kKeys, "ls\r"}));
  EXPECT_EQ(input.value().kind, InputKind::kKeys);
  EXPECT_EQ(input.value().data, "ls\r");
  const OutputRecord sent{OutputKind::kOutput, 7, 123456789, std::string("a\0b", 3)};
  const auto output = ParseOutputRecord(Encode(sent));
  EXPECT_EQ(output.value().taken, 7U);
  EXPECT_EQ(output.value().at_us, 123456789U);
  EXPECT_EQ(output.value().data, sent.data);
  EXPECT_EQ(ParseSize(EncodeSize({80, 24})).value(), (Size{80, 24}));
  EXPECT_EQ(ParseNumber(EncodeNumber(UINT64_MAX)).value(), UINT64_MAX);
}

TEST(PtyRecordsTest, RefuseWhatIsNoneOfTheirs) {
  EXPECT_FALSE(ParseInputRecord("").ok());
  EXPECT_FALSE(ParseInputRecord("x").ok());
  EXPECT_FALSE(ParseInputRecord("s123").ok());
  EXPECT_FALSE(ParseInputRecord("p1234567").ok());
  EXPECT_FALSE(ParseInputRecord("k" + std::string(kMaxInputBytes + 1, 'k')).ok());
  EXPECT_TRUE(ParseInputRecord("k" + std::string(kMaxInputBytes, 'k')).ok());
  EXPECT_FALSE(ParseOutputRecord("o1234567").ok());
  EXPECT_FALSE(ParseOutputRecord("?" + std::string(16, '\0')).ok());
  EXPECT_FALSE(ParseOutputRecord("b" + std::string(16, '\0')).ok());
  EXPECT_FALSE(ParseOutputRecord("o" + std::string(16 + kMaxOutputBytes + 1, 'o')).ok());
  for (const Size bad : {Size{0, 24}, Size{80, 0}, Size{1001, 24}, Size{80, 1001}}) {
    EXPECT_FALSE(ParseSize(EncodeSize(bad)).ok()) << bad.columns << "x" << bad.rows;
  }
}

TEST(PtyRecordsTest, FramesAreReadInPiecesOfAnySize) {
  std::string bytes;
  AppendFrame(bytes, FrameType::kKey, "key");
  AppendFrame(bytes, FrameType::kSealed, "");
  AppendFrame(bytes, FrameType::kSealed, std::string(300, 's'));
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    SealedFrames frames;
    std::string read;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      frames.Push(std::string_view(bytes).substr(at, piece));
      while (const auto frame = frames.Next().value()) {
        AppendFrame(read, frame->type, frame->payload);
      }
    }
    EXPECT_EQ(read, bytes) << piece;
  }
}

TEST(PtyRecordsTest, AFrameThatIsTooLongIsRefusedBeforeItCame) {
  SealedFrames frames;
  frames.Push(std::string("S\xff\xff\xff\x00", 5));
  EXPECT_EQ(frames.Next().error().code, Code::kCorrupt);
  frames.Push(std::string("S\0\0\0\0", 5));
  EXPECT_FALSE(frames.Next().ok());
  SealedFrames other;
  other.Push(std::string("X\0\0\0\0", 5));
  EXPECT_FALSE(other.Next().ok());
}

}  // namespace
}  // namespace holdfast::pty
