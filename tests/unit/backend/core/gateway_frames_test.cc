#include "backend/core/gateway_frames.h"

#include <string>

#include <gtest/gtest.h>

#include "backend/core/stream_transport.h"
#include "holdfast/link/v1/link.pb.h"
#include "holdfast/route/v1/route.pb.h"

namespace holdfast::backend {
namespace {

TEST(GatewayFramesTest, SlicesAreTheBytesThatTheGeneratedClassWrote) {
  ::holdfast::link::v1::LinkMessage message;
  message.set_epoch(300);
  message.add_frames()->mutable_beat();
  message.add_frames()->mutable_close()->set_detail(std::string(300, 'd'));
  const std::string bytes = message.SerializeAsString();
  const auto slices = SliceFrames(bytes);
  ASSERT_TRUE(slices.ok());
  ASSERT_EQ(slices.value().size(), 2U);
  EXPECT_EQ(slices.value()[0], message.frames(0).SerializeAsString());
  EXPECT_EQ(slices.value()[1], message.frames(1).SerializeAsString());
}

TEST(GatewayFramesTest, RefusesBytesThatEndTooEarlyOrHaveNoMeaning) {
  ::holdfast::link::v1::LinkMessage message;
  message.add_frames()->mutable_close()->set_detail("detail");
  const std::string bytes = message.SerializeAsString();
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(SliceFrames(std::string_view(bytes).substr(0, cut)).ok()) << cut;
  }
  EXPECT_FALSE(SliceFrames("\x0b").ok());  // wire type 3
  EXPECT_FALSE(SliceFrames(std::string(11, '\xff')).ok());
  EXPECT_FALSE(SliceFrames("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01").ok());
}

TEST(GatewayFramesTest, ALinkMessageIsWhatTheGeneratedClassReads) {
  ::holdfast::link::v1::Frame beat;
  beat.mutable_beat()->set_server_time_ms(5);
  for (const std::uint64_t epoch : {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}}) {
    std::string bytes = "left over";
    StartLinkMessage(bytes, epoch);
    AppendLinkFrame(bytes, beat.SerializeAsString());
    AppendLinkFrame(bytes, beat.SerializeAsString());
    ::holdfast::link::v1::LinkMessage read;
    ASSERT_TRUE(read.ParseFromString(bytes));
    EXPECT_EQ(read.epoch(), epoch);
    ASSERT_EQ(read.frames_size(), 2);
    EXPECT_EQ(read.frames(1).beat().server_time_ms(), 5U);
  }
}

TEST(FromAgentBatchTest, IsWhatTheGeneratedClassReadsAlsoTheSecondTime) {
  FromAgentBatch batch("host.g0.12345678");
  const AgentId id = *AgentId::From(std::string(16, 'a'));
  for (int round = 0; round < 3; ++round) {
    EXPECT_TRUE(batch.empty());
    batch.Append("first");
    batch.Append(std::string(200'000, 'x'));
    EXPECT_FALSE(batch.empty());
    ::holdfast::route::v1::ToControl read;
    ASSERT_TRUE(read.ParseFromString(std::string(batch.Finish(id, ~std::uint64_t{0}))));
    EXPECT_EQ(read.gateway(), "host.g0.12345678");
    EXPECT_EQ(read.from_agent().agent_id(), id.str());
    EXPECT_EQ(read.from_agent().epoch(), ~std::uint64_t{0});
    ASSERT_EQ(read.from_agent().frames_size(), 2);
    EXPECT_EQ(read.from_agent().frames(0), "first");
    EXPECT_EQ(read.from_agent().frames(1).size(), 200'000U);
  }
}

TEST(FromAgentBatchTest, FitsUpToTheLimitOfOneEntry) {
  FromAgentBatch batch("host.g0.12345678");
  const std::string piece(64 * 1024, 'x');
  while (batch.Fits(piece.size())) batch.Append(piece);
  const std::string_view entry = batch.Finish(AgentId{}, 1);
  EXPECT_LE(entry.size(), kMaxEntryBytes);
  EXPECT_GT(entry.size(), kMaxEntryBytes - piece.size() - 100);
  for (int i = 0; i < 64; ++i) {
    EXPECT_TRUE(batch.Fits(1));
    batch.Append("x");
  }
  EXPECT_FALSE(batch.Fits(1));
}

}  // namespace
}  // namespace holdfast::backend
