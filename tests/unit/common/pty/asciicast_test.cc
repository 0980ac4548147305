#include "common/pty/asciicast.h"

#include <gtest/gtest.h>

namespace holdfast::pty {
namespace {

OutputRecord Shown(std::uint64_t at_us, std::string data) {
  return {OutputKind::kOutput, 0, at_us, std::move(data)};
}

TEST(AsciicastTest, IsVersionTwoLineByLine) {
  Asciicast cast;
  EXPECT_EQ(Asciicast::Begin({{80, 24}, 1700000000, "xterm", "holdfast pty ab"}),
            "{\"version\": 2, \"width\": 80, \"height\": 24, \"timestamp\": 1700000000, \"title\": "
            "\"holdfast pty ab\", \"env\": {\"TERM\": \"xterm\"}}\n");
  EXPECT_EQ(cast.Add({OutputKind::kBegin, 0, 0, EncodeNumber(1)}), "");
  EXPECT_EQ(cast.Add(Shown(1'000'042, "hi\r\n")), "[1.000042, \"o\", \"hi\\u000d\\u000a\"]\n");
  EXPECT_EQ(cast.Add({OutputKind::kSize, 0, 2'000'000, EncodeSize({100, 30})}),
            "[2.000000, \"r\", \"100x30\"]\n");
  EXPECT_EQ(cast.Add({OutputKind::kTaken, 5, 3'000'000, ""}), "");
  EXPECT_EQ(cast.Add({OutputKind::kNotice, 5, 3'500'000, "soon"}), "[3.500000, \"m\", \"soon\"]\n");
  EXPECT_EQ(cast.End(), "");
}

TEST(AsciicastTest, HoldsNoControlCharacterOfAnyKind) {
  Asciicast cast;
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c);
  const std::string text = cast.Add(Shown(0, every + "\xc2\x9b\"\\")) + cast.End();
  for (const char c : text.substr(0, text.size() - 1)) {
    EXPECT_TRUE(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f) << static_cast<int>(c);
  }
  EXPECT_EQ(text.find("\xc2\x9b"), std::string::npos);
  EXPECT_NE(text.find("\\u009b\\\"\\\\"), std::string::npos);
  EXPECT_NE(text.find("\\ufffd"), std::string::npos);
}

TEST(AsciicastTest, WaitsForTheRestOfACharacterAndNoLonger) {
  Asciicast cast;
  EXPECT_EQ(cast.Add(Shown(1, "a\xe2\x82")), "[0.000001, \"o\", \"a\"]\n");
  EXPECT_EQ(cast.Add(Shown(2, "\xac!")), "[0.000002, \"o\", \"\xe2\x82\xac!\"]\n");
  EXPECT_EQ(cast.Add(Shown(3, "\xf0\x9f")), "");
  EXPECT_EQ(cast.Add(Shown(4, "x")), "[0.000004, \"o\", \"\\ufffd\\ufffdx\"]\n");
  EXPECT_EQ(cast.Add(Shown(5, "\xe2")), "");
  EXPECT_EQ(cast.End(), "[0.000005, \"o\", \"\\ufffd\"]\n");
}

TEST(AsciicastTest, TimeNeverGoesBack) {
  Asciicast cast;
  EXPECT_EQ(cast.Add(Shown(5'000'000, "a")), "[5.000000, \"o\", \"a\"]\n");
  EXPECT_EQ(cast.Add(Shown(4'000'000, "b")), "[5.000000, \"o\", \"b\"]\n");
}

}  // namespace
}  // namespace holdfast::pty
