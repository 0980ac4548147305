#include "common/base/crc32c.h"

#include <string>

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Crc32cTest, GivesTheVectorsOfTheStandard) {  // RFC 3720 appendix B.4
  std::string up;
  std::string down;
  for (int i = 0; i < 32; ++i) {
    up += static_cast<char>(i);
    down += static_cast<char>(31 - i);
  }
  for (const auto crc : {&Crc32c, &Crc32cPortable}) {
    EXPECT_EQ(crc("", 0), 0U);
    EXPECT_EQ(crc("123456789", 0), 0xE3069283U);
    EXPECT_EQ(crc(std::string(32, '\0'), 0), 0x8A9136AAU);
    EXPECT_EQ(crc(std::string(32, '\xff'), 0), 0x62A8AB43U);
    EXPECT_EQ(crc(up, 0), 0x46DD794EU);
    EXPECT_EQ(crc(down, 0), 0x113FDB5CU);
  }
}

TEST(Crc32cTest, InstructionAndTablesAgreeOnEveryLengthAlignmentAndCut) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>(i * i + 7 * i);
  for (std::size_t from = 0; from < 9; ++from) {
    for (std::size_t size = 0; from + size <= text.size(); ++size) {
      const std::string_view piece = std::string_view(text).substr(from, size);
      const std::uint32_t whole = Crc32c(piece);
      ASSERT_EQ(Crc32cPortable(piece), whole) << from << "+" << size;
      const std::uint32_t first = Crc32c(piece.substr(0, size / 3));
      ASSERT_EQ(Crc32c(piece.substr(size / 3), first), whole) << from << "+" << size;
      ASSERT_EQ(Crc32cPortable(piece.substr(size / 3), first), whole) << from << "+" << size;
    }
  }
}

TEST(Crc32cTest, LanesSideBySideGiveWhatOneAfterTheOtherGives) {
  constexpr std::size_t kThreeLanes = std::size_t{3} * 4096;
  std::string text;
  std::uint32_t state = 1;
  while (text.size() < 3 * kThreeLanes) {
    state = state * 1664525 + 1013904223;  // Numerical Recipes' generator
    text += static_cast<char>(state >> 24);
  }
  for (const std::size_t whole : {kThreeLanes, 2 * kThreeLanes}) {
    for (std::size_t size = whole - 9; size < whole + 9; ++size) {
      const std::string_view piece = std::string_view(text).substr(size % 8, size);
      EXPECT_EQ(Crc32c(piece, 77), Crc32cPortable(piece, 77)) << size;
    }
  }
}

TEST(Crc32cTest, SeesEveryFlippedBit) {
  std::string text(64, 'a');
  const std::uint32_t before = Crc32c(text);
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(Crc32c(text), before) << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
  }
}

}  // namespace
}  // namespace holdfast
