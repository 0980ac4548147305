#include "common/link/stream_sender.h"

#include <vector>

#include <gtest/gtest.h>

namespace holdfast::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t kChunk = 100 * 1024;

class StreamSenderTest : public ::testing::Test {
 protected:
  // Numbers that come out now.
  std::vector<std::uint64_t> Out(StreamSender& sender) {
    std::vector<std::uint64_t> out;
    while (sender.has_record()) out.push_back(*sender.NextRecord(now_));
    EXPECT_FALSE(sender.NextRecord(now_));
    return out;
  }
  Status Ack(StreamSender& sender, std::uint64_t next_seq, bool rewind = false) {
    return sender.OnAck({next_seq, kInitialWindowBytes, rewind, false}, now_);
  }
  // A sender on a fresh link with records of these sizes.
  StreamSender Flowing(const std::vector<std::uint32_t>& sizes) {
    StreamSender sender({}, 0);
    sender.OnLinkUp(now_);
    for (const std::uint32_t size : sizes) EXPECT_TRUE(sender.OnRecord(size).ok());
    return sender;
  }
  using Numbers = std::vector<std::uint64_t>;

  TimePoint now_{seconds(1000)};
};

TEST_F(StreamSenderTest, ANewStreamFlowsAtOnceAndInOrder) {
  StreamSender sender = Flowing({0, 0, 10});
  EXPECT_FALSE(sender.wants_sync());
  EXPECT_EQ(Out(sender), (Numbers{0, 1, 2}));
  EXPECT_EQ(sender.recorded(), 3U);
  EXPECT_EQ(sender.acked(), 0U);
  EXPECT_EQ(sender.unacked_bytes(), 10U);
}

TEST_F(StreamSenderTest, NothingLeavesWhileTheLinkIsDown) {
  StreamSender sender({}, 0);
  EXPECT_TRUE(sender.OnRecord(1).ok());
  EXPECT_TRUE(Out(sender).empty());
  EXPECT_FALSE(sender.wants_sync());
  EXPECT_FALSE(sender.NextDeadline());
}

TEST_F(StreamSenderTest, StopsAtTheWindowAndGoesOnWithTheAck) {
  StreamSender sender = Flowing({kChunk, kChunk, kChunk, kChunk, kChunk});
  EXPECT_EQ(Out(sender), (Numbers{0, 1}));  // 200 of 256 KiB
  EXPECT_TRUE(Ack(sender, 1).ok());
  EXPECT_EQ(Out(sender), (Numbers{2}));
  EXPECT_TRUE(sender.OnAck({3, 1024 * 1024, false, false}, now_).ok());
  EXPECT_EQ(Out(sender), (Numbers{3, 4}));
  EXPECT_EQ(sender.unacked_bytes(), 2U * kChunk);
}

TEST_F(StreamSenderTest, OneRecordIsAlwaysAllowed) {
  StreamSender sender = Flowing({kChunk, kChunk});
  EXPECT_TRUE(sender.OnAck({0, 0, false, false}, now_).ok());
  EXPECT_EQ(Out(sender), (Numbers{0}));
  EXPECT_TRUE(sender.OnAck({1, 0, false, false}, now_).ok());
  EXPECT_EQ(Out(sender), (Numbers{1}));
}

TEST_F(StreamSenderTest, ASyncComesBeforeAnyRecordOnANewLink) {
  StreamSender sender = Flowing({1, 1, 1});
  EXPECT_EQ(Out(sender).size(), 3U);
  sender.OnLinkDown();
  sender.OnLinkUp(now_);
  EXPECT_TRUE(Out(sender).empty());
  EXPECT_TRUE(sender.wants_sync());
  EXPECT_TRUE(sender.NextSync(now_));
  EXPECT_FALSE(sender.NextSync(now_));
  EXPECT_TRUE(Out(sender).empty());
  EXPECT_TRUE(Ack(sender, 1, true).ok());
  EXPECT_EQ(Out(sender), (Numbers{1, 2}));
}

TEST_F(StreamSenderTest, ARebuiltStreamAsksFirst) {
  StreamSender sender({}, 5);
  EXPECT_TRUE(sender.OnRecord(7).ok());
  sender.OnLinkUp(now_);
  EXPECT_TRUE(sender.NextSync(now_));
  EXPECT_TRUE(Ack(sender, 6, true).ok());  // control had it after all
  EXPECT_EQ(sender.acked(), 6U);
  EXPECT_TRUE(Out(sender).empty());
  EXPECT_EQ(sender.unacked_bytes(), 0U);
}

TEST_F(StreamSenderTest, ASyncWithoutAnswerIsAskedAgain) {
  StreamSender sender({}, 5);
  sender.OnLinkUp(now_);
  EXPECT_TRUE(sender.NextSync(now_));
  ASSERT_EQ(sender.NextDeadline(), now_ + kAckTimeout);
  now_ += kAckTimeout - milliseconds(1);
  sender.OnTick(now_);
  EXPECT_FALSE(sender.wants_sync());
  now_ += milliseconds(1);
  sender.OnTick(now_);
  EXPECT_TRUE(sender.NextSync(now_));
}

TEST_F(StreamSenderTest, ARewindSendsAgainFromTheAck) {
  StreamSender sender = Flowing({1, 1, 1, 1});
  EXPECT_EQ(Out(sender).size(), 4U);
  EXPECT_TRUE(Ack(sender, 2, true).ok());
  EXPECT_EQ(Out(sender), (Numbers{2, 3}));
}

TEST_F(StreamSenderTest, SilenceSendsAgainFromTheAck) {
  StreamSender sender = Flowing({1, 1, 1});
  EXPECT_EQ(Out(sender).size(), 3U);
  now_ += seconds(4);
  EXPECT_TRUE(Ack(sender, 1).ok());  // progress: the wait begins anew
  ASSERT_EQ(sender.NextDeadline(), now_ + kAckTimeout);
  now_ += kAckTimeout - milliseconds(1);
  sender.OnTick(now_);
  EXPECT_TRUE(Out(sender).empty());
  now_ += milliseconds(1);
  sender.OnTick(now_);
  EXPECT_EQ(Out(sender), (Numbers{1, 2}));
}

TEST_F(StreamSenderTest, AnAckWithoutProgressDoesNotProlongTheWait) {
  StreamSender sender = Flowing({1, 1});
  EXPECT_EQ(Out(sender).size(), 2U);
  const TimePoint deadline = *sender.NextDeadline();
  now_ += seconds(5);
  EXPECT_TRUE(Ack(sender, 0).ok());
  EXPECT_EQ(sender.NextDeadline(), deadline);
}

TEST_F(StreamSenderTest, AnIdleStreamHasNoDeadline) {
  StreamSender sender = Flowing({1});
  EXPECT_FALSE(sender.NextDeadline());
  Out(sender);
  EXPECT_TRUE(sender.NextDeadline());
  EXPECT_TRUE(Ack(sender, 1).ok());
  EXPECT_FALSE(sender.NextDeadline());
}

TEST_F(StreamSenderTest, TheWaitBeginsWithTheFirstSendAfterIdleness) {
  StreamSender sender = Flowing({1});
  Out(sender);
  EXPECT_TRUE(Ack(sender, 1).ok());
  now_ += seconds(3600);
  EXPECT_TRUE(sender.OnRecord(1).ok());
  Out(sender);
  EXPECT_EQ(sender.NextDeadline(), now_ + kAckTimeout);
}

TEST_F(StreamSenderTest, AnOlderAckChangesNothing) {
  StreamSender sender = Flowing({1, 1, 1});
  Out(sender);
  EXPECT_TRUE(Ack(sender, 2).ok());
  EXPECT_TRUE(Ack(sender, 1, true).ok());
  EXPECT_EQ(sender.acked(), 2U);
  EXPECT_TRUE(Out(sender).empty());
}

TEST_F(StreamSenderTest, AnAckOfWhatWasNeverRecordedIsRefused) {
  StreamSender sender = Flowing({1});
  EXPECT_EQ(Ack(sender, 2).error().code, Code::kInvalid);
  EXPECT_EQ(sender.OnAck({2, 0, false, true}, now_).error().code, Code::kInvalid);
  EXPECT_EQ(sender.acked(), 0U);
  EXPECT_FALSE(sender.complete());
}

TEST_F(StreamSenderTest, AnAckMayCoverWhatWasNotSentAgainYet) {
  StreamSender sender = Flowing({1, 1, 1});
  Out(sender);
  now_ += kAckTimeout;
  sender.OnTick(now_);
  EXPECT_EQ(*sender.NextRecord(now_), 0U);  // on its way again when the late ack comes
  EXPECT_TRUE(Ack(sender, 2).ok());
  EXPECT_EQ(Out(sender), (Numbers{2}));
}

TEST_F(StreamSenderTest, CompleteEndsItWhateverIsLeft) {
  StreamSender sender = Flowing({1, 1, 1});
  EXPECT_EQ(*sender.NextRecord(now_), 0U);
  EXPECT_TRUE(sender.OnAck({1, 0, false, true}, now_).ok());
  EXPECT_TRUE(sender.complete());
  EXPECT_EQ(sender.acked(), 3U);
  EXPECT_TRUE(Out(sender).empty());
  EXPECT_FALSE(sender.NextDeadline());
  EXPECT_EQ(sender.OnRecord(1).error().code, Code::kCancelled);
  sender.OnLinkDown();
  sender.OnLinkUp(now_);
  EXPECT_FALSE(sender.wants_sync());
}

TEST_F(StreamSenderTest, CompleteMayAnswerASync) {
  StreamSender sender({}, 3);
  EXPECT_TRUE(sender.OnRecord(1).ok());
  sender.OnLinkUp(now_);
  EXPECT_TRUE(sender.NextSync(now_));
  EXPECT_TRUE(sender.OnAck({4, 0, true, true}, now_).ok());
  EXPECT_TRUE(sender.complete());
  EXPECT_FALSE(sender.NextDeadline());
}

TEST_F(StreamSenderTest, RefusesMoreRecordsThanItMayKeep) {
  StreamSender sender({.max_unacked_records = 2}, 0);
  sender.OnLinkUp(now_);
  EXPECT_TRUE(sender.OnRecord(1).ok());
  EXPECT_TRUE(sender.OnRecord(1).ok());
  EXPECT_EQ(sender.OnRecord(1).error().code, Code::kExhausted);
  EXPECT_EQ(sender.recorded(), 2U);
  Out(sender);
  EXPECT_TRUE(Ack(sender, 1).ok());
  EXPECT_TRUE(sender.OnRecord(1).ok());
}

TEST_F(StreamSenderTest, WaitsAsLongAsItIsToldAndSaysWhenThatIsOver) {
  StreamSender sender = Flowing({1});
  EXPECT_FALSE(sender.OnTick(now_));
  Out(sender);
  sender.set_ack_timeout(seconds(30));
  EXPECT_EQ(sender.NextDeadline(), now_ + seconds(30));
  EXPECT_FALSE(sender.OnTick(now_ + seconds(29)));
  EXPECT_TRUE(sender.OnTick(now_ + seconds(30)));
}

TEST_F(StreamSenderTest, CountsWhatIsInFlightAndWhatArrived) {
  StreamSender sender = Flowing({0, kChunk, kChunk, kChunk});
  EXPECT_TRUE(sender.has_unsent());
  EXPECT_EQ(sender.next_cost(), kRecordOverheadBytes);
  EXPECT_EQ(Out(sender).size(), 3U);  // the window
  EXPECT_EQ(sender.in_flight_cost(), 2 * kChunk + 3 * kRecordOverheadBytes);
  EXPECT_TRUE(Ack(sender, 2).ok());
  EXPECT_EQ(sender.delivered_cost(), kChunk + 2 * kRecordOverheadBytes);
  EXPECT_EQ(sender.in_flight_cost(), kChunk + kRecordOverheadBytes);
  now_ += kAckTimeout;
  sender.OnTick(now_);
  EXPECT_EQ(sender.in_flight_cost(), 0U);
  EXPECT_TRUE(Ack(sender, 3).ok());  // late: it was not in flight any more
  EXPECT_EQ(sender.delivered_cost(), kChunk + 2 * kRecordOverheadBytes);
  sender.OnLinkDown();
  EXPECT_FALSE(sender.has_unsent());
}

TEST_F(StreamSenderTest, ACutForgetsWhatWasInFlight) {
  StreamSender sender = Flowing({kChunk, kChunk, kChunk});
  EXPECT_EQ(Out(sender).size(), 2U);
  sender.OnLinkDown();
  EXPECT_FALSE(sender.NextDeadline());
  EXPECT_TRUE(Out(sender).empty());
  EXPECT_TRUE(Ack(sender, 1).ok());  // an ack that was under way still counts
  EXPECT_EQ(sender.acked(), 1U);
  EXPECT_TRUE(Out(sender).empty());
}

}  // namespace
}  // namespace holdfast::link
