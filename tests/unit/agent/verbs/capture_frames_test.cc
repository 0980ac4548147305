#include "agent/verbs/capture_frames.h"

#include <gtest/gtest.h>

namespace holdfast::agent {
namespace {

std::string Ipv4(char protocol, std::string_view fragment = {"\0\0", 2}) {
  std::string head("\x45\0\0\x28\0\0", 6);
  head += fragment;
  head += std::string("\x40", 1) + protocol + std::string(2, '\0');
  head += std::string("\x0a\0\0\x01\x0a\0\0\x02", 8);
  return head + std::string("\x20\xfb\x00\x50", 4);  // 8443 -> 80
}
std::string Ethernet(std::string_view type) { return std::string(12, 'm') + std::string(type); }

TEST(CaptureFramesTest, FindsTheEndsOfTcpInFramesAndPackets) {
  for (const std::string& frame :
       {Ethernet({"\x08\0", 2}) + Ipv4(6), Ethernet({"\x81\0\0\x05\x08\0", 6}) + Ipv4(6)}) {
    const auto ends = TcpEndsOf(kLinkEthernet, frame);
    ASSERT_TRUE(ends);
    EXPECT_EQ(ends->from.port, 8443);
    EXPECT_EQ(ends->to.port, 80);
    EXPECT_EQ(ends->from.address[10], 0xFF);
    EXPECT_EQ(ends->from.address[15], 1);
  }
  EXPECT_TRUE(TcpEndsOf(kLinkRaw, Ipv4(6)));
  const std::string ipv6 = std::string("\x60\0\0\0\0\x14\x06\x40", 8) + std::string(15, '\0') +
                           "\1" + std::string(15, '\0') + "\2" + std::string("\0\x50\x20\xfb", 4);
  const auto ends = TcpEndsOf(kLinkRaw, ipv6);
  ASSERT_TRUE(ends);
  EXPECT_EQ(ends->to.port, 8443);
}

TEST(CaptureFramesTest, HasNoEndsForWhatIsNoTcpOrTooShort) {
  EXPECT_FALSE(TcpEndsOf(kLinkRaw, Ipv4(17)));
  EXPECT_FALSE(TcpEndsOf(kLinkRaw, Ipv4(6, {"\0\x10", 2}))) << "a later fragment";
  EXPECT_FALSE(TcpEndsOf(kLinkEthernet, Ethernet({"\x08\x06", 2}) + Ipv4(6))) << "ARP";
  EXPECT_FALSE(TcpEndsOf(127, Ipv4(6)));
  const std::string whole = Ethernet({"\x81\0\0\x05\x08\0", 6}) + Ipv4(6);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(TcpEndsOf(kLinkEthernet, whole.substr(0, size))) << size;
  }
}

TEST(CaptureFramesTest, BlocksAreWholeAndEvenlyLong) {
  std::string out = SectionBlock() + InterfaceBlock(1, 100, "eth0");
  AddPacketBlock(0, 5, 3, "abc", out);
  out += StatisticsBlock(0, 5, 1, 0);
  EXPECT_EQ(out.size() % 4, 0U);
  EXPECT_EQ(out.substr(0, 4), "\x0a\x0d\x0d\x0a");
}

}  // namespace
}  // namespace holdfast::agent
