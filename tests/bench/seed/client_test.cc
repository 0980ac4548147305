// The parts of the seed's experiment that decide what its figures say.
#include <string>

#include <gtest/gtest.h>

#include "tests/bench/seed/client/client_frames.h"
#include "tests/bench/seed/client/round_tally.h"
#include "tests/bench/seed/client/seed_answer.h"
#include "tests/bench/seed/echo/seed_request.h"

namespace holdfast::bench {
namespace {

RoundTally::Options Small(std::size_t clients, std::size_t requests) {
  return {.clients = clients, .requests = requests, .stall_s = 20, .extra_s = 100};
}

int SecondsUntilOver(RoundTally& tally) {
  for (int second = 1; second <= 1000; ++second) {
    tally.EverySecond();
    if (tally.all_over()) return second;
  }
  return 0;
}

TEST(RoundTallyTest, CountsTheFirstAnswerAndTellsTheOthersApart) {
  RoundTally tally(Small(1, 3));
  for (std::size_t c = 0; c < 3; ++c) tally.Sent(0, c, 100);
  tally.Answered(0, 0, 150);
  tally.Answered(0, 0, 160);  // the client's own message has this c, too
  tally.Answered(0, 1, 300);
  tally.Answered(0, 1, 900);
  tally.Answered(0, 3, 300);
  EXPECT_FALSE(tally.all_answered());
  tally.Answered(0, 2, 400);
  EXPECT_TRUE(tally.all_answered());
  const RoundTally::Row row = tally.Result();
  EXPECT_EQ(row.answered, 3U);
  EXPECT_EQ(row.total, 3U);
  EXPECT_EQ(row.repeated, 1U);
  EXPECT_EQ(row.unknown, 1U);
  EXPECT_EQ(row.gave_up, 0U);
  EXPECT_EQ(row.time_us, 300U);
  EXPECT_EQ(row.shortest_us, 50U);
  EXPECT_EQ(row.mean_us, 183U);
  EXPECT_EQ(row.p50_us, 200U);
  EXPECT_EQ(row.longest_us, 300U);
}

TEST(RoundTallyTest, IsOverAtTheFirstCheckAfterTheLastAnswer) {
  RoundTally tally(Small(2, 1));
  tally.Sent(0, 0, 0);
  tally.Sent(1, 0, 0);
  tally.Answered(0, 0, 5);
  tally.EverySecond();
  EXPECT_FALSE(tally.all_over());
  tally.Answered(1, 0, 6);
  EXPECT_FALSE(tally.all_over());
  tally.EverySecond();
  EXPECT_TRUE(tally.all_over());
}

TEST(RoundTallyTest, GivesUpAfter20SecondsAbove90PercentAnd100LaterBelow) {
  RoundTally above(Small(1, 100));
  RoundTally below(Small(1, 100));
  for (std::size_t c = 0; c < 100; ++c) {
    above.Sent(0, c, 0);
    below.Sent(0, c, 0);
    if (c < 91) above.Answered(0, c, 1);
    if (c < 90) below.Answered(0, c, 1);
  }
  EXPECT_EQ(SecondsUntilOver(above), 21);  // the first check sees the count move
  EXPECT_EQ(SecondsUntilOver(below), 121);
  EXPECT_EQ(above.Result().gave_up, 1U);
  EXPECT_EQ(below.Result().answered, 90U);
}

TEST(SeedAnswerTest, TakesJsonWithAnyWhiteSpaceAndNothingElse) {
  const auto tight = ParseSeedAnswer(R"({"c":7,"ts":1700000000})");
  ASSERT_TRUE(tight);
  EXPECT_EQ(tight->c, 7U);
  EXPECT_EQ(tight->ts, 1700000000U);
  EXPECT_TRUE(ParseSeedAnswer(" { \"c\" : 7 ,\n\t\"ts\" : 1 } "));
  EXPECT_TRUE(ParseSeedAnswer(R"({"ts":1,"c":7})"));
  for (const char* const bad :
       {"", "{}", R"({"c":7})", R"({"c":7,"ts":1)", R"({"c":7,"ts":1}x)", R"({"c":-7,"ts":1})",
        R"({"c":"7","ts":1})", R"({"c":7,"c":7,"ts":1})", R"({"c":7,"ts":1,})", R"([7,1])"}) {
    EXPECT_FALSE(ParseSeedAnswer(bad)) << bad;
  }
}

TEST(SeedRequestTest, IsReadAndAnsweredInTheProtocolsWords) {
  EXPECT_EQ(ParseSeedRequest(R"({"c":49})"), 49U);
  EXPECT_EQ(ParseSeedRequest(R"( { "c" : 0 } )"), 0U);
  for (const char* const bad : {"", "{}", R"({"c":})", R"({"c":1)", R"({"c":1}{)", R"({"d":1})"}) {
    EXPECT_FALSE(ParseSeedRequest(bad)) << bad;
  }
  EXPECT_EQ(AnswerText(49, 1700000000), R"({"c":49,"ts":1700000000})");
}

TEST(ClientFramesTest, ReadsFramesCutAnywhere) {
  const std::string text = std::string("\x81\x02hi", 4);
  std::string longer = std::string("\x81\x7e\x01\x00", 4) + std::string(256, 'x');
  for (const std::string& whole : {text, longer}) {
    ServerFrame frame;
    for (std::size_t length = 0; length < whole.size(); ++length) {
      EXPECT_EQ(ParseServerFrame(whole.substr(0, length), frame), Parsed::kPartial);
    }
    const std::string with_more = whole + "\x81";
    ASSERT_EQ(ParseServerFrame(with_more, frame), Parsed::kWhole);
    EXPECT_EQ(frame.bytes_used, whole.size());
    EXPECT_EQ(frame.opcode, Opcode::kText);
  }
}

TEST(ClientFramesTest, RefusesWhatTheProtocolHasNoUseFor) {
  ServerFrame frame;
  EXPECT_EQ(ParseServerFrame(std::string("\x01\x02hi", 4), frame), Parsed::kBad);  // a fragment
  EXPECT_EQ(ParseServerFrame(std::string("\x82\x02hi", 4), frame), Parsed::kBad);  // binary
  EXPECT_EQ(ParseServerFrame(std::string("\xc1\x02hi", 4), frame), Parsed::kBad);  // compressed
  EXPECT_EQ(ParseServerFrame(std::string("\x81\x82", 2), frame), Parsed::kBad);    // masked
  EXPECT_EQ(ParseServerFrame(std::string("\x81\x7e\xff\xff", 4), frame), Parsed::kBad);
}

TEST(ClientFramesTest, MasksWhatItSends) {
  std::string frame;
  AppendFrame(frame, Opcode::kText, "abcde", 0x01010101);
  EXPECT_EQ(frame, std::string("\x81\x85\x01\x01\x01\x01`cbed", 11));
}

TEST(ClientFramesTest, TakesTheAnswerToItsOwnKeyAlone) {
  // The key of zeros, whose answer RFC 6455's rule gives.
  const std::string head =
      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "sec-websocket-accept:  ICX+Yqv66kxgM0FcWaLWlFLwTAI= \r\n";
  ASSERT_NE(UpgradeRequest("h", 0).find("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"),
            std::string::npos);
  std::size_t used = 0;
  EXPECT_EQ(ParseUpgradeAnswer(head, 0, used), Parsed::kPartial);
  EXPECT_EQ(ParseUpgradeAnswer(head + "\r\n\x81", 0, used), Parsed::kWhole);
  EXPECT_EQ(used, head.size() + 2);
  EXPECT_EQ(ParseUpgradeAnswer(head + "\r\n", 1, used), Parsed::kBad);
  EXPECT_EQ(ParseUpgradeAnswer(head + "Sec-WebSocket-Extensions: x\r\n\r\n", 0, used),
            Parsed::kBad);
  EXPECT_EQ(ParseUpgradeAnswer("HTTP/1.1 503 No\r\n\r\n", 0, used), Parsed::kBad);
}

}  // namespace
}  // namespace holdfast::bench
