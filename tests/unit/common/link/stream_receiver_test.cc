#include "common/link/stream_receiver.h"

#include <gtest/gtest.h>

namespace holdfast::link {
namespace {

using Verdict = StreamReceiver::Verdict;

// attempt, next_seq, rewind of the ack that is owed; all 0 if none is.
struct Owed {
  std::uint32_t attempt = 0;
  std::uint64_t next_seq = 0;
  bool rewind = false;
  friend bool operator==(const Owed&, const Owed&) = default;
};
Owed Take(StreamReceiver& receiver) {
  const auto ack = receiver.TakeAck();
  EXPECT_FALSE(receiver.TakeAck());
  return ack ? Owed{ack->attempt, ack->next_seq, ack->rewind} : Owed{};
}
constexpr Owed kNothing{};

TEST(StreamReceiverTest, AcknowledgesOnlyWhatIsDurable) {
  StreamReceiver receiver({});
  EXPECT_EQ(receiver.OnRecord(1, 0), Verdict::kStore);
  EXPECT_EQ(receiver.OnRecord(1, 1), Verdict::kStore);
  EXPECT_EQ(Take(receiver), kNothing);
  receiver.OnDurable();
  EXPECT_EQ(Take(receiver), (Owed{1, 2, false}));
  EXPECT_EQ(receiver.durable().next_seq, 2U);
  receiver.OnDurable();
  EXPECT_EQ(Take(receiver), kNothing);  // nothing new
}

TEST(StreamReceiverTest, ADuplicateIsAcknowledgedAgainAndNotStored) {
  StreamReceiver receiver({1, 5});
  EXPECT_EQ(receiver.OnRecord(1, 3), Verdict::kDuplicate);
  EXPECT_EQ(Take(receiver), (Owed{1, 5, false}));
}

TEST(StreamReceiverTest, AGapAsksForARewindOnceUntilItCloses) {
  StreamReceiver receiver({1, 5});
  EXPECT_EQ(receiver.OnRecord(1, 6), Verdict::kGap);
  EXPECT_EQ(Take(receiver), (Owed{1, 5, true}));
  EXPECT_EQ(receiver.OnRecord(1, 7), Verdict::kGap);
  EXPECT_EQ(Take(receiver), kNothing);
  EXPECT_EQ(receiver.OnRecord(1, 5), Verdict::kStore);
  EXPECT_EQ(receiver.OnRecord(1, 7), Verdict::kGap);
  EXPECT_EQ(Take(receiver), (Owed{1, 5, true}));
}

TEST(StreamReceiverTest, AGapBeforeTheFirstRecordAsksForTheFirst) {
  StreamReceiver receiver({});
  EXPECT_EQ(receiver.OnRecord(1, 2), Verdict::kGap);
  EXPECT_EQ(Take(receiver), (Owed{1, 0, true}));
}

TEST(StreamReceiverTest, ASyncIsAlwaysAnswered) {
  StreamReceiver receiver({1, 5});
  receiver.OnSync(1);
  EXPECT_EQ(Take(receiver), (Owed{1, 5, true}));
  receiver.OnSync(2);
  EXPECT_EQ(Take(receiver), (Owed{2, 0, true}));
  StreamReceiver fresh({});
  fresh.OnSync(1);
  EXPECT_EQ(Take(fresh), (Owed{1, 0, true}));
}

TEST(StreamReceiverTest, ALaterAttemptReplacesTheEarlierFromItsFirstRecord) {
  StreamReceiver receiver({1, 5});
  EXPECT_EQ(receiver.OnRecord(2, 1), Verdict::kGap);
  EXPECT_EQ(Take(receiver), (Owed{2, 0, true}));
  EXPECT_EQ(receiver.OnRecord(1, 5), Verdict::kStale);
  EXPECT_EQ(Take(receiver), kNothing);
  EXPECT_EQ(receiver.OnRecord(2, 0), Verdict::kNewAttempt);
  EXPECT_EQ(receiver.durable().attempt, 1U);  // until it is on disk
  receiver.OnDurable();
  EXPECT_EQ(receiver.durable().attempt, 2U);
  EXPECT_EQ(Take(receiver), (Owed{2, 1, false}));
}

TEST(StreamReceiverTest, AFirstAttemptOfAnyNumberReplacesNothing) {
  StreamReceiver receiver({});
  EXPECT_EQ(receiver.OnRecord(3, 0), Verdict::kStore);
}

TEST(StreamReceiverTest, WhatWasLostBeforeItWasDurableIsExpectedAgain) {
  StreamReceiver receiver({1, 5});
  EXPECT_EQ(receiver.OnRecord(1, 5), Verdict::kStore);
  EXPECT_EQ(receiver.OnRecord(1, 6), Verdict::kStore);
  receiver.OnLost();
  EXPECT_EQ(Take(receiver), (Owed{1, 5, true}));
  EXPECT_EQ(receiver.OnRecord(1, 7), Verdict::kGap);
  EXPECT_EQ(Take(receiver), kNothing);  // told already
  EXPECT_EQ(receiver.OnRecord(1, 5), Verdict::kStore);
}

TEST(StreamReceiverTest, AnUndurableNewAttemptThatIsLostBeginsAgain) {
  StreamReceiver receiver({1, 5});
  EXPECT_EQ(receiver.OnRecord(2, 0), Verdict::kNewAttempt);
  receiver.OnLost();
  EXPECT_EQ(Take(receiver), (Owed{2, 0, true}));
  EXPECT_EQ(receiver.OnRecord(1, 5), Verdict::kStale);
  EXPECT_EQ(receiver.OnRecord(2, 0), Verdict::kNewAttempt);
}

}  // namespace
}  // namespace holdfast::link
