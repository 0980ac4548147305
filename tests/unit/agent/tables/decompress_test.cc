// Pieces that zstd and lz4 made, whole, cut and too large.
#include "agent/tables/decompress.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"

namespace holdfast::agent {
namespace {

using holdfast::testing::ReadWhole;

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

// zstd -19 --no-check of what Lines() gives.
constexpr std::string_view kLines =
    "28b52ffd0068dd020082c51111907d50fa40f4a8a68d158f94e3af3fc80126fcbf504cf95e1efeb0778195923a6df5"
    "3a"
    "95ce598b6d4af712a27cb5b60af48b374135bd4876ab8b5f2dfbf8324411c29f38962805009a285059ccf65a1c9229"
    "1c"
    "824f4d27";
std::string Lines() {
  std::string text;
  for (int i = 0; i < 8; ++i) text += "Nov 30 11:12:02 web01 sudo: ";
  for (int i = 0; i < 3; ++i) {
    text += "pam_unix(sudo:session): session opened for user root(uid=0) by ada(uid=1000); ";
  }
  return text;
}

TEST(ZstdTest, ReadsCodedLettersAndRepeats) {
  EXPECT_EQ(DecompressZstd(FromHex(kLines), 4096), Lines());
  EXPECT_EQ(DecompressZstd(FromHex("28b52ffd00685d00001061620200201114155c01"), 4096),
            std::string(300, 'a') + std::string(20, 'b'));
}

TEST(ZstdTest, ReadsManyBlocksThatUseTheTablesOfThoseBefore) {
  std::string squares;
  for (int i = 0; i < 40000; ++i) squares += std::to_string(i * i % 1009) + " ";
  const std::string frame = ReadWhole(HOLDFAST_FIXTURES "/zstd_fixture/squares.zst");
  EXPECT_TRUE(DecompressZstd(frame, squares.size()) == squares);
  EXPECT_EQ(DecompressZstd(frame, squares.size() - 1), std::nullopt);
}

TEST(ZstdTest, GivesNothingForWhatIsCutOrNone) {
  const std::string frame = FromHex(kLines);
  for (std::size_t size = 0; size < frame.size(); ++size) {
    EXPECT_EQ(DecompressZstd(std::string_view(frame).substr(0, size), 4096), std::nullopt) << size;
  }
  EXPECT_EQ(DecompressZstd("MESSAGE=not compressed", 4096), std::nullopt);
}

TEST(Lz4Test, ReadsLettersAndRepeatsOfAnyLength) {
  EXPECT_EQ(DecompressLz4(std::string("\x10!", 2), 1), "!");
  // 1 letter, then 4 + 15 + 255 + 3 more of it, then the last letter.
  const std::string block("\x1fx\x01\0\xff\x03\x10.", 8);
  EXPECT_EQ(DecompressLz4(block, 1000), std::string(278, 'x') + ".");
  EXPECT_EQ(DecompressLz4(block, 278), std::nullopt);
  for (std::size_t size = 0; size < block.size(); ++size) {
    if (size == 2) continue;  // the letter by itself
    EXPECT_EQ(DecompressLz4(std::string_view(block).substr(0, size), 1000), std::nullopt) << size;
  }
  EXPECT_EQ(DecompressLz4(std::string("\x10x\x02\0\x10.", 6), 100), std::nullopt)
      << "two letters back where there is one";
}

}  // namespace
}  // namespace holdfast::agent
