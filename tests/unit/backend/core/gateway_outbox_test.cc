#include "backend/core/gateway_outbox.h"

#include <gtest/gtest.h>

#include "backend/core/gateway_frames.h"

namespace holdfast::backend {
namespace {

using Lane = GatewayOutbox::Lane;

GatewayOutbox::SharedFrame Frame(std::size_t bytes, char letter) {
  return std::make_shared<const std::string>(bytes, letter);
}

// The first letters of the frames of the next message.
std::string Next(GatewayOutbox& outbox) {
  std::string message;
  outbox.AppendTo(message);
  EXPECT_LE(message.size(), link::kMaxMessageBytes);
  std::string letters;
  const auto frames = SliceFrames(message);
  for (const std::string_view frame : frames.value()) letters += frame.front();
  return letters;
}

TEST(GatewayOutboxTest, BlobsWaitForEverythingElseAndKeepTheirOrder) {
  GatewayOutbox outbox;
  EXPECT_TRUE(outbox.Add(Frame(1000, 'x'), Lane::kBlobs));
  EXPECT_TRUE(outbox.Add(Frame(1000, 'y'), Lane::kBlobs));
  EXPECT_TRUE(outbox.Add(Frame(10, 'a'), Lane::kFirst));
  EXPECT_TRUE(outbox.Add(Frame(10, 'b'), Lane::kFirst));
  EXPECT_EQ(Next(outbox), "abxy");
  EXPECT_TRUE(outbox.empty());
}

TEST(GatewayOutboxTest, WhatComesBetweenMessagesStillGoesFirst) {
  GatewayOutbox outbox;
  EXPECT_TRUE(outbox.Add(Frame(link::kMaxChunkBytes, 'x'), Lane::kBlobs));
  EXPECT_TRUE(outbox.Add(Frame(link::kMaxChunkBytes, 'y'), Lane::kBlobs));
  EXPECT_EQ(Next(outbox), "x");
  EXPECT_TRUE(outbox.Add(Frame(100'000, 'a'), Lane::kFirst));
  EXPECT_EQ(Next(outbox), "a");
  EXPECT_EQ(Next(outbox), "y");
}

TEST(GatewayOutboxTest, AReaderThatIsNeverQuiteDoneLeavesNoPlacesBehind) {
  GatewayOutbox outbox;
  std::size_t most = 0;
  for (int i = 0; i < 1000; ++i) {
    for (std::size_t frame = 0; frame < link::kMaxFramesPerMessage; ++frame) {
      EXPECT_TRUE(outbox.Add(Frame(8, 'b'), Lane::kFirst));
    }
    if (i == 0) {
      EXPECT_TRUE(outbox.Add(Frame(8, 'c'), Lane::kFirst));  // always one behind
    }
    EXPECT_EQ(Next(outbox).size(), std::size_t{link::kMaxFramesPerMessage});
    most = std::max(most, outbox.places());
  }
  EXPECT_FALSE(outbox.empty());
  EXPECT_LE(most, 4 * std::size_t{link::kMaxFramesPerMessage});
}

TEST(GatewayOutboxTest, AFrozenReaderCostsLessThanAMebibyteWithTheMessageInHand) {
  for (const std::size_t bytes : {std::size_t{8}, std::size_t{60'000}, link::kMaxChunkBytes}) {
    GatewayOutbox outbox;
    std::size_t held = 0;
    const auto add = [&](Lane lane) {
      if (!outbox.Add(Frame(bytes, 'f'), lane)) return false;
      // string, control block of the shared_ptr, and a place in a vector that may be half empty
      held += bytes + 32 + 24 + 2 * sizeof(GatewayOutbox::SharedFrame);
      return true;
    };
    while (add(Lane::kFirst)) {
    }
    while (add(Lane::kBlobs)) {
    }
    EXPECT_LE(held + link::kMaxMessageBytes, std::size_t{1024} * 1024) << bytes;
    EXPECT_GT(held, std::size_t{250} * 1024) << bytes;
  }
}

TEST(GatewayOutboxTest, BlobsLeaveRoomForCommandsAndTwoOfThemFit) {
  GatewayOutbox outbox;
  const std::size_t answer = link::kMaxChunkBytes + 100;  // its other fields
  EXPECT_TRUE(outbox.Add(Frame(answer, 'x'), Lane::kBlobs));
  EXPECT_TRUE(outbox.Add(Frame(answer, 'y'), Lane::kBlobs));
  EXPECT_FALSE(outbox.Add(Frame(answer, 'z'), Lane::kBlobs));
  EXPECT_TRUE(outbox.Add(Frame(70'000, 'a'), Lane::kFirst));  // a Deliver of the largest kind
  EXPECT_EQ(Next(outbox), "a");
  EXPECT_EQ(Next(outbox), "x");
  EXPECT_TRUE(outbox.Add(Frame(answer, 'z'), Lane::kBlobs));  // room comes back
  EXPECT_EQ(Next(outbox), "y");
  EXPECT_EQ(Next(outbox), "z");
  EXPECT_TRUE(outbox.empty());
}

TEST(GatewayOutboxTest, AMessageHoldsNoMoreFramesThanTheProtocolAllows) {
  GatewayOutbox outbox;
  for (int i = 0; i < link::kMaxFramesPerMessage; ++i) outbox.Add(Frame(10, 'a'), Lane::kFirst);
  outbox.Add(Frame(10, 'x'), Lane::kBlobs);
  EXPECT_EQ(Next(outbox), std::string(link::kMaxFramesPerMessage, 'a'));
  EXPECT_EQ(Next(outbox), "x");
}

}  // namespace
}  // namespace holdfast::backend
