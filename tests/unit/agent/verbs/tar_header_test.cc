#include "agent/verbs/tar_header.h"

#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace holdfast::agent {
namespace {

FileStat Regular(std::uint64_t size) {
  FileStat stat;
  stat.size = size;
  stat.mode = S_IFREG | 0640;
  stat.uid = 1000;
  stat.gid = 100;
  stat.mtime_ns = 1'700'000'000'000'000'000;
  return stat;
}

std::uint64_t Sum(std::string block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return sum;
}

TEST(TarHeaderTest, IsAUstarHeaderWithItsChecksum) {
  const std::string header = TarHeader(
      {.name = "etc/passwd", .target = "", .user = "ada", .group = "users", .stat = Regular(1234)});
  ASSERT_EQ(header.size(), kTarBlockBytes);
  EXPECT_EQ(header.substr(0, 11), std::string("etc/passwd\0", 11));
  EXPECT_EQ(header.substr(100, 8), std::string("0000640\0", 8));
  EXPECT_EQ(header.substr(108, 8), std::string("0001750\0", 8));
  EXPECT_EQ(header.substr(124, 12), std::string("00000002322\0", 12));
  EXPECT_EQ(header.substr(136, 12), std::string("14524770400\0", 12));
  EXPECT_EQ(header[156], '0');
  EXPECT_EQ(header.substr(257, 8), std::string("ustar\00000", 8));
  EXPECT_EQ(header.substr(265, 4), std::string("ada\0", 4));
  EXPECT_EQ(std::stoull(header.substr(148, 6), nullptr, 8), Sum(header));
  EXPECT_EQ(header.substr(154, 2), std::string("\0 ", 2));
}

TEST(TarHeaderTest, PutsWhatHasNoRoomIntoAPaxHeader) {
  FileStat stat = Regular(std::uint64_t{1} << 40);
  stat.uid = 4'000'000'000;
  stat.mtime_ns = -5'000'000'000;
  const std::string name(150, 'n');
  const std::string header =
      TarHeader({.name = name, .target = "", .user = "", .group = "", .stat = stat});
  ASSERT_EQ(header.size(), 3 * kTarBlockBytes);
  EXPECT_EQ(header[156], 'x');
  const std::string records = header.substr(512, 512);
  EXPECT_EQ(records.substr(0, 160), "160 path=" + name + "\n");
  EXPECT_NE(records.find("\n22 size=1099511627776\n"), std::string::npos);
  EXPECT_NE(records.find("\n18 uid=4000000000\n"), std::string::npos);
  EXPECT_NE(records.find("\n12 mtime=-5\n"), std::string::npos);
  EXPECT_EQ(header.substr(1024, 100), name.substr(0, 100));
}

TEST(TarHeaderTest, CountsTheDigitsOfARecordsOwnLength) {
  // 99 bytes without its length: with two digits it is 101, which has three.
  for (std::size_t size = 88; size < 1100; ++size) {
    const std::string path(size, 'p');
    if (size <= 100) continue;
    const std::string header =
        TarHeader({.name = path, .target = "", .user = "", .group = "", .stat = Regular(0)});
    const std::string records = header.substr(512, header.find('\n', 512) + 1 - 512);
    EXPECT_EQ(std::stoull(records), records.size()) << size;
  }
}

TEST(TarHeaderTest, HasNoneForASocket) {
  FileStat stat = Regular(0);
  stat.mode = S_IFSOCK | 0600;
  EXPECT_EQ(TarHeader({.name = "s", .target = "", .user = "", .group = "", .stat = stat}), "");
}

TEST(TarHeaderTest, PadsToWholeBlocks) {
  EXPECT_EQ(TarPadding(0), 0U);
  EXPECT_EQ(TarPadding(1), 511U);
  EXPECT_EQ(TarPadding(512), 0U);
  EXPECT_EQ(TarPadding(513), 511U);
}

}  // namespace
}  // namespace holdfast::agent
