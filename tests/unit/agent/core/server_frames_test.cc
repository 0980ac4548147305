#include "agent/core/server_frames.h"

#include <gtest/gtest.h>

#include "common/link/codec.h"
#include "common/link/limits.h"

namespace holdfast::agent {
namespace {

namespace pb = ::holdfast::link::v1;

TEST(ServerFramesTest, TellsBeatsFromEverythingElse) {
  link::LinkMessage message;
  message.set_epoch(7);
  message.add_frames()->mutable_beat()->set_server_time_ms(5);
  auto scan = ScanServerMessage(link::EncodeMessage(message));
  ASSERT_TRUE(scan.ok());
  EXPECT_TRUE(scan.value().is_only_beats);
  message.add_frames()->mutable_deliver()->set_envelope("x");
  scan = ScanServerMessage(link::EncodeMessage(message));
  ASSERT_TRUE(scan.ok());
  EXPECT_FALSE(scan.value().is_only_beats);
  EXPECT_FALSE(ScanServerMessage("").value().is_only_beats);
}

TEST(ServerFramesTest, SeesAWelcomeAmongWhatComesWithIt) {
  link::LinkMessage message;
  message.add_frames()->mutable_deliver()->set_envelope("x");
  EXPECT_FALSE(ScanServerMessage(link::EncodeMessage(message)).value().has_welcome);
  message.add_frames()->mutable_welcome()->set_epoch(7);
  message.add_frames()->mutable_ack();
  EXPECT_TRUE(ScanServerMessage(link::EncodeMessage(message)).value().has_welcome);
}

TEST(ServerFramesTest, ReadsCloseAndGoaway) {
  link::LinkMessage message;
  pb::Close* close = message.add_frames()->mutable_close();
  close->set_reason(pb::CLOSE_REASON_TRY_LATER);
  close->set_retry_after_s(30);
  close->set_detail("busy");
  pb::Goaway* goaway = message.add_frames()->mutable_goaway();
  goaway->set_reason(pb::CLOSE_REASON_GOING_AWAY);
  goaway->set_window_s(12);
  const auto scan = ScanServerMessage(link::EncodeMessage(message));
  ASSERT_TRUE(scan.ok());
  ASSERT_TRUE(scan.value().close && scan.value().goaway);
  EXPECT_EQ(scan.value().close->reason, pb::CLOSE_REASON_TRY_LATER);
  EXPECT_EQ(scan.value().close->retry_after, std::chrono::seconds(30));
  EXPECT_EQ(scan.value().close->detail, "busy");
  EXPECT_EQ(scan.value().goaway->window, std::chrono::seconds(12));
}

TEST(ServerFramesTest, SeesTheMemberOfTheOneofThatProtobufWouldSee) {
  link::LinkMessage beat;
  beat.add_frames()->mutable_beat();
  pb::Frame frame;
  frame.mutable_deliver()->set_envelope("x");
  // A frame whose beat is followed by another member: for protobuf it is the other one.
  const std::string both = std::string("\x32\x00", 2) + frame.SerializeAsString();
  const std::string bytes = std::string("\x12") + static_cast<char>(both.size()) + both;
  link::LinkMessage parsed;
  ASSERT_TRUE(parsed.ParseFromString(bytes));
  ASSERT_TRUE(parsed.frames(0).has_deliver());
  EXPECT_FALSE(ScanServerMessage(bytes).value().is_only_beats);
}

TEST(ServerFramesTest, RefusesWhatIsNotAMessage) {
  for (const std::string& bytes :
       {std::string("\xff"), std::string("\x12\x05zz"), std::string("\x0b"), std::string("\x08"),
        std::string("\x12\x01\x0b"), std::string(1, '\0'),
        std::string("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")}) {
    EXPECT_FALSE(ScanServerMessage(bytes).ok());
  }
  link::LinkMessage many;
  for (int i = 0; i <= link::kMaxFramesPerMessage; ++i) many.add_frames()->mutable_beat();
  EXPECT_FALSE(ScanServerMessage(many.SerializeAsString()).ok());
  link::LinkMessage wordy;
  wordy.add_frames()->mutable_close()->set_detail(std::string(5000, 'x'));
  EXPECT_FALSE(ScanServerMessage(wordy.SerializeAsString()).ok());
}

TEST(ServerFramesTest, KnowsAHelloAsTheFirstFrame) {
  link::LinkMessage message;
  message.add_frames()->mutable_hello()->set_envelope("e");
  EXPECT_TRUE(BeginsWithHello(link::EncodeMessage(message)));
  link::LinkMessage other;
  other.add_frames()->mutable_sync();
  other.add_frames()->mutable_hello()->set_envelope("e");
  EXPECT_FALSE(BeginsWithHello(link::EncodeMessage(other)));
  EXPECT_FALSE(BeginsWithHello("\xff\xff"));
}

}  // namespace
}  // namespace holdfast::agent
