#include "common/adapters/lws/http_proxy.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(HttpProxyTest, ReadsAUrlWithAndWithoutALogin) {
  auto plain = ParseProxyUrl("http://proxy.example:3128");
  ASSERT_TRUE(plain.ok());
  EXPECT_EQ(plain.value().host, "proxy.example");
  EXPECT_EQ(plain.value().port, 3128);
  EXPECT_EQ(plain.value().user, "");
  auto login = ParseProxyUrl("http://ada:p%3Ass%25w@rd@[2001:db8::1]:8080/");
  ASSERT_TRUE(login.ok()) << login.error().message;
  EXPECT_EQ(login.value().host, "2001:db8::1");
  EXPECT_EQ(login.value().user, "ada");
  EXPECT_EQ(login.value().password, "p:ss%w@rd");
  EXPECT_EQ(ParseProxyUrl("http://ada@p:1").value().password, "");
}

TEST(HttpProxyTest, RefusesWhatIsNoProxyAndNeverRepeatsIt) {
  for (const char* url :
       {"", "proxy:3128", "https://proxy:3128", "http://proxy", "http://proxy:0", "http://:1",
        "http://proxy:3128/path", "http://:secret@proxy:1", "http://a%0d%0aX:secret@proxy:1",
        "http://ada:secret%0@proxy:1", "http://ada:secret%zz@proxy:1", "http://a%3Ab:secret@p:1",
        "http://ada:secret\n@p:1", "socks5://ada:secret@proxy:1"}) {
    const auto parsed = ParseProxyUrl(url);
    ASSERT_FALSE(parsed.ok()) << url;
    EXPECT_EQ(parsed.error().code, Code::kInvalid);
    EXPECT_EQ(parsed.error().message.find("secret"), std::string::npos) << url;
  }
  EXPECT_FALSE(ParseProxyUrl("http://a:" + std::string(kMaxProxyUrlBytes, 'x') + "@p:1").ok());
}

TEST(HttpProxyTest, ShowsAProxyWithoutItsPassword) {
  EXPECT_EQ(ShowProxy(ParseProxyUrl("http://ada:secret@proxy:1").value()),
            "http://ada:***@proxy:1");
  EXPECT_EQ(ShowProxy(ParseProxyUrl("http://[::1]:8080").value()), "http://[::1]:8080");
}

TEST(HttpProxyTest, AsksForTheTunnelAsRfc9110Has) {
  EXPECT_EQ(ConnectRequest({"p", 1, "", ""}, "hq.example", 443),
            "CONNECT hq.example:443 HTTP/1.1\r\nHost: hq.example:443\r\n\r\n");
  EXPECT_EQ(ConnectRequest({"p", 1, "", ""}, "::1", 80),
            "CONNECT [::1]:80 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
  // RFC 7617, section 2, and bytes that base64 and base64url write differently.
  EXPECT_NE(ConnectRequest({"p", 1, "Aladdin", "open sesame"}, "h", 1)
                .find("\r\nProxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"),
            std::string::npos);
  EXPECT_NE(ConnectRequest({"p", 1, "u", "\xfb\xff\xbe"}, "h", 1).find("Basic dTr7/74=\r\n"),
            std::string::npos);
}

TEST(HttpProxyTest, ReadsAnAnswerWhereverItIsCut) {
  const std::string whole = "HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const auto part = ParseConnectAnswer(whole.substr(0, cut));
    ASSERT_TRUE(part.ok()) << cut;
    EXPECT_FALSE(part.value().has_value()) << cut;
  }
  const auto answer = ParseConnectAnswer(whole + "\x16\x03");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer.value()->status, 200);
  EXPECT_EQ(answer.value()->reason, "Connection established");
  EXPECT_EQ(answer.value()->head_bytes, whole.size());
  EXPECT_EQ(ParseConnectAnswer("HTTP/1.0 407\r\n\r\n").value()->status, 407);
  EXPECT_EQ(
      ParseConnectAnswer("HTTP/1.1 502 " + std::string(500, 'n') + "\r\n\r\n").value()->reason,
      std::string(64, 'n'));
}

TEST(HttpProxyTest, RefusesWhatIsNoAnswerAsSoonAsThatIsSure) {
  for (const char* bytes :
       {"S", "SSH-2.0\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 OK\r\n\r\n",
        "HTTP/1.1 2x0 a\r\n\r\n", "HTTP/1.1 -20 a\r\n\r\n", "HTTP/1.1\r\n\r\n"}) {
    EXPECT_FALSE(ParseConnectAnswer(bytes).ok()) << bytes;
  }
  std::string endless = "HTTP/1.1 200 OK\r\nX: ";
  endless.resize(kMaxConnectAnswerBytes, 'y');
  EXPECT_FALSE(ParseConnectAnswer(endless).ok());
  endless.pop_back();
  EXPECT_TRUE(ParseConnectAnswer(endless).ok());
}

}  // namespace
}  // namespace holdfast
