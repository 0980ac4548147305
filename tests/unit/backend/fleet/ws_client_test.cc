#include "backend/fleet/ws_client.h"

#include <vector>

#include <gtest/gtest.h>

namespace holdfast::fleet {
namespace {

using Kind = WsEvent::Kind;

constexpr std::size_t kMost = 100'000;
// RFC 6455, 1.3: the answer to the key "dGhlIHNhbXBsZSBub25jZQ==".
constexpr char kAccept[] = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

std::string Answer(const std::string& accept = kAccept, const std::string& more = "") {
  return "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n"
         "sec-websocket-accept: " +
         accept + "\r\nSec-WebSocket-Protocol: proto\r\n" + more + "\r\n";
}

// As a server sends it: no mask.
std::string Frame(int opcode, const std::string& payload, bool final = true) {
  std::string out(1, static_cast<char>((final ? 0x80 : 0) | opcode));
  const std::size_t size = payload.size();
  if (size < 126) {
    out += static_cast<char>(size);
  } else if (size < 65536) {
    out += '\x7e';
    for (int shift = 8; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
  } else {
    out += '\x7f';
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(size >> shift);
  }
  return out + payload;
}

struct Seen {
  Kind kind;
  std::string bytes;
  ClientEnd end;
};

class WsClientTest : public ::testing::Test {
 protected:
  // By value: gone afterwards, so nothing may point to them.
  std::vector<Seen> Feed(std::string bytes) {
    std::vector<Seen> seen;
    client_.OnBytes(bytes);
    while (const auto event = client_.Next()) {
      seen.push_back({event->kind, std::string(event->bytes), event->end});
    }
    return seen;
  }
  void Open() { ASSERT_EQ(Feed(Answer()).size(), 1U); }
  ClientClose EndOf(const std::string& bytes) {
    const auto seen = Feed(bytes);
    EXPECT_FALSE(seen.empty());
    if (seen.empty()) return ClientClose::kByUs;
    EXPECT_EQ(seen.back().kind, Kind::kOver);
    EXPECT_TRUE(Feed(Frame(2, "more")).empty()) << "something comes after the end";
    return seen.back().end.why;
  }

  WsClient client_{kAccept, "proto", kMost};
};

TEST_F(WsClientTest, OpensOnTheAnswerToItsOwnRequest) {
  const auto seen = Feed(Answer());
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].kind, Kind::kOpened);
  EXPECT_TRUE(client_.is_open());
}

TEST_F(WsClientTest, RefusesTheAnswerToAnotherRequest) {
  EXPECT_EQ(EndOf(Answer("AAAAAAAAAAAAAAAAAAAAAAAAAAA=")), ClientClose::kProtocol);
}

TEST_F(WsClientTest, RefusesAnExtensionThatItDidNotAskFor) {
  EXPECT_EQ(EndOf(Answer(kAccept, "Sec-WebSocket-Extensions: permessage-deflate\r\n")),
            ClientClose::kProtocol);
}

TEST_F(WsClientTest, SaysWhatARefusalSays) {
  const auto seen = Feed("HTTP/1.1 503 Later\r\nServer: holdfast\r\nRetry-After: 7\r\n\r\n");
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].end.why, ClientClose::kRefused);
  EXPECT_EQ(seen[0].end.http_status, 503);
  EXPECT_EQ(seen[0].end.http_server, "holdfast");
  EXPECT_EQ(seen[0].end.retry_after_s, 7U);
}

TEST_F(WsClientTest, TellsNoHttpAndAnEndlessAnswerFromHttp) {
  EXPECT_EQ(EndOf("SSH-2.0-OpenSSH\r\n\r\n"), ClientClose::kNotHttp);
  WsClient endless(kAccept, "proto", kMost);
  const std::string header(WsClient::kMaxAnswerBytes + 1, 'x');
  endless.OnBytes(header);
  EXPECT_EQ(endless.Next()->end.why, ClientClose::kNotHttp);
}

TEST_F(WsClientTest, TakesTheSameFromAnyCutOfTheBytes) {
  const std::string stream = Answer() + Frame(2, "one") + Frame(9, "ping") +
                             Frame(2, "fra", false) + Frame(10, "pong") + Frame(0, "gment") +
                             Frame(2, std::string(70000, 'x')) + Frame(2, std::string(300, 'y')) +
                             Frame(8, "\x03\xe8 bye");
  for (const std::size_t step :
       {std::size_t{1}, std::size_t{7}, std::size_t{1000}, stream.size()}) {
    client_ = WsClient(kAccept, "proto", kMost);
    std::vector<Seen> seen;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      for (Seen& event : Feed(stream.substr(at, step))) seen.push_back(std::move(event));
    }
    ASSERT_EQ(seen.size(), 7U) << "in pieces of " << step;
    EXPECT_EQ(seen[1].bytes, "one");
    EXPECT_EQ(seen[2].kind, Kind::kPing);
    EXPECT_EQ(seen[2].bytes, "ping");
    EXPECT_EQ(seen[3].bytes, "fragment");
    EXPECT_EQ(seen[4].bytes, std::string(70000, 'x'));
    EXPECT_EQ(seen[5].bytes, std::string(300, 'y'));
    EXPECT_EQ(seen[6].end.why, ClientClose::kByPeer);
    EXPECT_EQ(seen[6].end.close_code, 1000);
  }
}

TEST_F(WsClientTest, RefusesALengthBeforeItKeepsAByteOfIt) {
  Open();
  EXPECT_EQ(EndOf(std::string("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10)),
            ClientClose::kTooLarge);
}

TEST_F(WsClientTest, CountsFragmentsTogether) {
  Open();
  EXPECT_TRUE(Feed(Frame(2, std::string(kMost - 1, 'x'), false)).empty());
  EXPECT_EQ(EndOf(Frame(0, "xx")), ClientClose::kTooLarge);
}

TEST_F(WsClientTest, RefusesWhatNoServerMaySend) {
  for (const std::string& frame : {std::string("\x82\x81mask!", 7), std::string("\xc2\x00", 2),
                                   Frame(1, "text"), Frame(3, "?"), Frame(0, "a stray fragment"),
                                   Frame(9, "cut", false), Frame(9, std::string(126, 'x'))}) {
    client_ = WsClient(kAccept, "proto", kMost);
    Open();
    EXPECT_EQ(EndOf(frame), ClientClose::kProtocol) << testing::PrintToString(frame);
  }
}

TEST(WsFrameTest, IsMaskedAndHasTheShortestLength) {
  std::string frame;
  AppendFrame(frame, WsOpcode::kBinary, "ab", 0x04030201);
  EXPECT_EQ(frame, std::string("\x82\x82\x01\x02\x03\x04", 6) + static_cast<char>('a' ^ 1) +
                       static_cast<char>('b' ^ 2));
  for (const auto& [size, header] :
       {std::pair<std::size_t, std::size_t>{125, 6}, {126, 8}, {65536, 14}}) {
    std::string long_frame;
    AppendFrame(long_frame, WsOpcode::kBinary, std::string(size, 'x'), 1);
    EXPECT_EQ(long_frame.size(), size + header);
  }
}

}  // namespace
}  // namespace holdfast::fleet
