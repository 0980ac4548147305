#include "common/adapters/lws/client_frame.h"

#include <gtest/gtest.h>

namespace holdfast::lws {
namespace {

TEST(ClientFrameTest, MasksTheExampleOfTheRfc) {
  // RFC 6455, 5.7: "Hello", masked with 37 fa 21 3d; there as text, here as binary.
  EXPECT_EQ(MaskedFrame("Hello", {0x37, 0xfa, 0x21, 0x3d}),
            "\x82\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

TEST(ClientFrameTest, WritesTheThreeFormsOfLength) {
  const std::array<std::uint8_t, 4> mask{1, 2, 3, 4};
  EXPECT_EQ(MaskedFrame("", mask), std::string("\x82\x80\x01\x02\x03\x04", 6));
  EXPECT_EQ(MaskedFrame(std::string(125, 'x'), mask).substr(0, 2), "\x82\xfd");
  EXPECT_EQ(MaskedFrame(std::string(126, 'x'), mask).substr(0, 4),
            std::string("\x82\xfe\x00\x7e", 4));
  EXPECT_EQ(MaskedFrame(std::string(65536, 'x'), mask).substr(0, 10),
            std::string("\x82\xff\x00\x00\x00\x00\x00\x01\x00\x00", 10));
}

TEST(ClientFrameTest, MasksEveryByteAtEveryLength) {
  const std::array<std::uint8_t, 4> mask{0x11, 0x22, 0x33, 0x44};
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string frame = MaskedFrame(std::string(size, '\0'), mask);
    for (std::size_t i = 0; i < size; ++i) {
      ASSERT_EQ(static_cast<std::uint8_t>(frame[6 + i]), mask[i % 4]) << size << " " << i;
    }
  }
}

}  // namespace
}  // namespace holdfast::lws
