#include "backend/core/proxy_header.h"

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

using HeaderKind = ProxyHeader::Kind;

std::string V2(char command, char family, std::string_view rest) {
  std::string out("\r\n\r\n\0\r\nQUIT\n", 12);
  out += command;
  out += family;
  out += static_cast<char>(rest.size() >> 8);
  out += static_cast<char>(rest.size() & 0xff);
  return out + std::string(rest);
}

const std::string kTcp4 =
    V2('\x21', '\x11', std::string_view("\xc0\0\x02\x07\x7f\0\0\x01\x13\x88\x20\xfb", 12));
const std::string kTcp6 = V2('\x21', '\x21',
                             std::string("\x20\x01\x0d\xb8", 4) + std::string(11, '\0') + "\x05" +
                                 std::string(16, '\0') + std::string("\x13\x88\x20\xfb", 4));

TEST(ProxyHeaderTest, ReadsBothVersionsAndLeavesWhatFollows) {
  for (const std::string& more : {std::string(), std::string("GET / HTTP/1.1\r\n")}) {
    const std::string line = "PROXY TCP4 192.0.2.7 127.0.0.1 5000 8443\r\n";
    for (const std::string& header : {line, kTcp4}) {
      const ProxyHeader out = ParseProxyHeader(header + more);
      EXPECT_EQ(out.kind, HeaderKind::kProxied);
      EXPECT_EQ(out.host, "192.0.2.7");
      EXPECT_EQ(out.port, 5000);
      EXPECT_EQ(out.length, header.size());
    }
  }
  const ProxyHeader v6 = ParseProxyHeader("PROXY TCP6 2001:db8::5 ::1 5000 8443\r\n");
  EXPECT_EQ(v6.kind, HeaderKind::kProxied);
  EXPECT_EQ(v6.host, "2001:db8::5");
  EXPECT_EQ(ParseProxyHeader(kTcp6).host, "2001:0db8:0000:0000:0000:0000:0000:0005");
}

TEST(ProxyHeaderTest, SkipsWhatStandsBehindTheAddresses) {
  const std::string with_tlv =
      V2('\x21', '\x11', kTcp4.substr(16) + std::string("\x04\0\x03\0\0\0", 6));
  EXPECT_EQ(ParseProxyHeader(with_tlv).kind, HeaderKind::kProxied);
  EXPECT_EQ(ParseProxyHeader(with_tlv).length, with_tlv.size());
}

TEST(ProxyHeaderTest, AsksForMoreUntilItIsWhole) {
  for (const std::string& header :
       {std::string("PROXY TCP4 192.0.2.7 127.0.0.1 5000 8443\r\n"), kTcp4, kTcp6}) {
    for (std::size_t size = 0; size < header.size(); ++size) {
      EXPECT_EQ(ParseProxyHeader(header.substr(0, size)).kind, HeaderKind::kMore) << size;
    }
  }
}

TEST(ProxyHeaderTest, KnowsTheProxysOwnConnections) {
  EXPECT_EQ(ParseProxyHeader("PROXY UNKNOWN\r\n").kind, HeaderKind::kLocal);
  EXPECT_EQ(ParseProxyHeader("PROXY UNKNOWN a b c\r\n").length, 21U);
  EXPECT_EQ(ParseProxyHeader(V2('\x20', '\0', "")).kind, HeaderKind::kLocal);
}

TEST(ProxyHeaderTest, RefusesEverythingElse) {
  for (const std::string& bad : {
           std::string("GET / HTTP/1.1\r\n"),
           std::string("\x16\x03\x01", 3),
           std::string("PROXX"),
           std::string("PROXY TCP4 192.0.2.7\r\n"),
           std::string("PROXY TCP5 a b 1 2\r\n"),
           std::string("PROXY TCP4 192.0.2.7 1.1.1.1 5000 99999\r\n"),
           std::string("PROXY TCP4 2001:db8::5 ::1 5000 8443\r\n"),
           std::string("PROXY TCP4 192.0.2.7 1.1.1.1 5000 8443 x\r\n"),
           "PROXY " + std::string(200, 'x'),
           V2('\x22', '\x11', kTcp4.substr(16)),
           V2('\x11', '\x11', kTcp4.substr(16)),
           V2('\x21', '\x12', kTcp4.substr(16)),
           V2('\x21', '\x11', "short"),
           V2('\x21', '\x31', std::string(216, 'u')),
           V2('\x21', '\x11', std::string(2000, 'x')),
       }) {
    EXPECT_EQ(ParseProxyHeader(bad).kind, HeaderKind::kBad) << bad;
  }
}

}  // namespace
}  // namespace holdfast::backend
