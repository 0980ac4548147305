#include "backend/core/blob_meter.h"

#include <string>

#include <gtest/gtest.h>

#include "backend/core/gateway_outbox.h"

namespace holdfast::backend {
namespace {

constexpr std::uint32_t kChunk = link::kMaxChunkBytes;

Digest Command(char letter) { return *Digest::From(std::string(Digest::kSize, letter)); }

// The requests that may go now, by their frames, which are one letter each.
std::string Next(BlobMeter& meter, std::size_t queued_bytes = 0, std::uint32_t now_s = 100) {
  std::string frames;
  while (const auto frame = meter.NextRequest(queued_bytes, now_s)) frames += *frame;
  return frames;
}

TEST(BlobMeterTest, AsksForNoMoreThanTheQueueHolds) {
  BlobMeter meter;
  for (std::uint64_t i = 0; i < 4; ++i) {
    meter.OnRequest({Command('a'), i * kChunk, kChunk}, std::string(1, static_cast<char>('0' + i)));
  }
  EXPECT_EQ(Next(meter), "01");
  meter.OnAnswer(Command('a'), 0, 100);
  EXPECT_EQ(Next(meter, kChunk + 256), "");  // answered, but its bytes wait for the socket
  EXPECT_EQ(Next(meter), "2");
  meter.OnAnswer(Command('a'), kChunk, 100);
  meter.OnAnswer(Command('a'), 2 * kChunk, 100);
  EXPECT_EQ(Next(meter), "3");
  meter.OnAnswer(Command('a'), 3 * kChunk, 100);
  EXPECT_TRUE(meter.empty());
}

TEST(BlobMeterTest, WhatItAsksForAlwaysFindsRoomInTheOutbox) {
  for (const std::uint32_t bytes : {std::uint32_t{4096}, std::uint32_t{100'000}, kChunk}) {
    BlobMeter meter;
    for (std::uint64_t i = 0; i < BlobMeter::kMaxWaiting; ++i) {
      meter.OnRequest({Command('a'), i * bytes, bytes}, "x");
    }
    GatewayOutbox outbox;
    const std::size_t asked = Next(meter).size();
    EXPECT_GE(asked, 2U);
    for (std::size_t i = 0; i < asked; ++i) {
      // digest, hash, offset, lengths: about 100 bytes
      EXPECT_TRUE(outbox.Add(std::make_shared<const std::string>(bytes + 110, 'x'),
                             GatewayOutbox::Lane::kBlobs));
    }
  }
}

TEST(BlobMeterTest, CommandsShareIt) {
  BlobMeter meter;
  meter.OnRequest({Command('a'), 0, kChunk}, "a");
  meter.OnRequest({Command('b'), 0, kChunk}, "b");
  meter.OnRequest({Command('c'), 0, 10}, "c");
  EXPECT_EQ(Next(meter), "abc");
  meter.OnRequest({Command('d'), 0, kChunk}, "d");
  EXPECT_EQ(Next(meter), "");
  meter.OnAnswer(Command('x'), 0, 100);  // of nobody here
  EXPECT_EQ(Next(meter), "");
  meter.OnAnswer(Command('b'), 0, 100);
  EXPECT_EQ(Next(meter), "d");
}

TEST(BlobMeterTest, DoesNotWaitForAnswersThatWereLost) {
  BlobMeter meter;
  for (const char* frame : {"a", "b", "c"}) meter.OnRequest({Command(*frame), 0, kChunk}, frame);
  EXPECT_EQ(Next(meter, 0, 100), "ab");
  EXPECT_EQ(Next(meter, 0, 109), "");
  EXPECT_EQ(Next(meter, 0, 110), "c");
}

TEST(BlobMeterTest, KeepsNoMoreThanItsBound) {
  BlobMeter meter;
  for (std::uint64_t i = 0; i < 1000; ++i) meter.OnRequest({Command('a'), i, kChunk}, "x");
  std::size_t asked = 0;
  for (std::uint32_t now_s = 100; now_s < 2000; now_s += 10) asked += Next(meter, 0, now_s).size();
  EXPECT_EQ(asked, BlobMeter::kMaxWaiting);
}

TEST(BlobMeterTest, KeepsNoFrameThatIsLargerThanAQuestion) {
  BlobMeter meter;
  for (std::uint64_t i = 0; i < 3; ++i) {
    meter.OnRequest({Command('a'), i, kChunk}, std::string(BlobMeter::kMaxRequestBytes + i, 'q'));
  }
  EXPECT_EQ(Next(meter).size(), BlobMeter::kMaxRequestBytes);
  meter.OnAnswer(Command('a'), 0, 100);
  EXPECT_TRUE(meter.empty());
}

}  // namespace
}  // namespace holdfast::backend
