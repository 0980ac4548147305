#include "agent/core/large_lane.h"

#include <gtest/gtest.h>

#include "common/link/limits.h"

namespace holdfast::agent {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{std::chrono::hours(100)};
constexpr std::uint64_t kPathRate = 100'000'000;

// As an outbox would that always has a whole piece to send: what it sent in that time.
std::uint64_t SentIn(LargeLane& lane, TimePoint from, Duration time,
                     std::uint64_t path_rate = kPathRate) {
  std::uint64_t sent = 0;
  for (TimePoint now = from; now < from + time; now += milliseconds(1)) {
    lane.OnTurn(path_rate, now);
    if (!lane.HasRoom()) continue;
    lane.OnSent(link::kMaxChunkBytes);
    sent += link::kMaxChunkBytes;
  }
  return sent;
}

TEST(LargeLane, HasRoomAsLongAsNoSmallAnswerPassed) {
  LargeLane lane;
  lane.OnTurn(kPathRate, kStart);
  for (int i = 0; i < 100; ++i) lane.OnSent(link::kMaxChunkBytes);
  EXPECT_TRUE(lane.HasRoom());
  EXPECT_EQ(lane.NextDeadline(), std::nullopt);
}

TEST(LargeLane, GoesAtAQuarterOfTheRateWhileSmallAnswersPass) {
  LargeLane lane;
  lane.OnSmallAnswer(kStart);
  const auto sent = SentIn(lane, kStart, seconds(2));
  EXPECT_NEAR(static_cast<double>(sent), 2 * kPathRate / 4, 2 * link::kMaxChunkBytes);
}

TEST(LargeLane, GoesAtNoLessThanASlowPathCarries) {
  LargeLane lane;
  lane.OnSmallAnswer(kStart);
  const auto sent = SentIn(lane, kStart, seconds(2), 10'000'000);
  EXPECT_NEAR(static_cast<double>(sent), 2 * 8'000'000, 2 * link::kMaxChunkBytes);
}

TEST(LargeLane, IsAtItsFullRateAgainAWhileAfterTheLastSmallAnswer) {
  LargeLane lane;
  lane.OnSmallAnswer(kStart);
  lane.OnTurn(kPathRate, kStart);
  lane.OnSmallAnswer(kStart + seconds(1));
  lane.OnTurn(kPathRate, kStart + LargeLane::kGivesWay);
  lane.OnSent(10 * link::kMaxChunkBytes);
  EXPECT_FALSE(lane.HasRoom());
  lane.OnTurn(kPathRate, kStart + seconds(1) + LargeLane::kGivesWay);
  lane.OnSent(10 * link::kMaxChunkBytes);
  EXPECT_TRUE(lane.HasRoom());
}

TEST(LargeLane, SaysWhenThereIsRoomAgain) {
  LargeLane lane;
  lane.OnSmallAnswer(kStart);
  lane.OnTurn(kPathRate, kStart);
  ASSERT_FALSE(lane.HasRoom());
  lane.OnSent(25'000);  // a millisecond's worth
  const auto due = lane.NextDeadline();
  ASSERT_TRUE(due);
  EXPECT_EQ(*due, kStart + milliseconds(2));
  lane.OnTurn(kPathRate, *due - milliseconds(1));
  EXPECT_FALSE(lane.HasRoom());
  lane.OnTurn(kPathRate, *due);
  EXPECT_TRUE(lane.HasRoom());
  EXPECT_EQ(lane.NextDeadline(), std::nullopt);
}

TEST(LargeLane, DoesNotMakeUpForWhatWasNotSent) {
  LargeLane lane;
  lane.OnSmallAnswer(kStart);
  lane.OnTurn(kPathRate, kStart);
  lane.OnTurn(kPathRate, kStart + seconds(2));
  lane.OnSent(link::kMaxChunkBytes);
  EXPECT_FALSE(lane.HasRoom());
}

TEST(LargeLane, ForgetsWithTheLink) {
  LargeLane lane;
  lane.OnSmallAnswer(kStart);
  lane.OnTurn(kPathRate, kStart);
  lane.OnLinkDown();
  lane.OnTurn(kPathRate, kStart);
  EXPECT_TRUE(lane.HasRoom());
}

TEST(LargeLane, DoesNotGiveWayOnAPathOfWhichNothingIsKnown) {
  LargeLane lane;
  lane.OnSmallAnswer(kStart);
  lane.OnTurn(std::nullopt, kStart);
  EXPECT_TRUE(lane.HasRoom());
}

}  // namespace
}  // namespace holdfast::agent
