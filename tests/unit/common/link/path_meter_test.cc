#include "common/link/path_meter.h"

#include <gtest/gtest.h>

namespace holdfast::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kKiB = 1024;

class PathMeterTest : public ::testing::Test {
 protected:
  // Pieces of 4 KiB through a line, each acknowledged `spacing` after the one before, the first after
  // `round_trip`; `count` in flight all the time.
  void Flow(Duration round_trip, Duration spacing, int pieces, std::uint64_t bytes = 4 * kKiB) {
    meter_.OnSent({bytes, bytes, true}, now_);
    now_ += round_trip;
    for (int i = 0; i < pieces; ++i) {
      meter_.OnSent({bytes, 2 * bytes, true}, now_);
      now_ += spacing;
      meter_.OnAcked(bytes, now_);
    }
    meter_.OnAcked(bytes, now_);
  }

  TimePoint now_{seconds(1000)};
  PathMeter meter_;
};

TEST_F(PathMeterTest, KnowsNothingBeforeTheFirstAckAndAllowsLittle) {
  EXPECT_EQ(meter_.window_bytes(), 0U);
  EXPECT_EQ(meter_.chunk_bytes(), kUnmeasuredChunkBytes);
  meter_.OnLinkUp();
  EXPECT_FALSE(meter_.rate());
  EXPECT_EQ(meter_.window_bytes(), 16 * kKiB);
  EXPECT_EQ(meter_.chunk_bytes(), kMinChunkBytes);
  EXPECT_EQ(meter_.read_ahead_bytes(), 128 * kKiB);
}

TEST_F(PathMeterTest, CutsPiecesOfAQuarterOfASecond) {
  meter_.OnLinkUp();
  meter_.OnSent({64 * kKiB, 64 * kKiB, true}, now_);
  meter_.OnAcked(64 * kKiB, now_ + milliseconds(250));
  EXPECT_EQ(meter_.rate(), 256 * kKiB);
  EXPECT_EQ(meter_.chunk_bytes(), 64 * kKiB);
}

TEST_F(PathMeterTest, PiecesHaveALeastAndAGreatestSize) {
  meter_.OnLinkUp();
  meter_.OnSent({1000, 1000, true}, now_);
  meter_.OnAcked(1000, now_ + seconds(1));
  EXPECT_EQ(meter_.chunk_bytes(), kMinChunkBytes);
  meter_.OnSent({4096 * kKiB, 4096 * kKiB, true}, now_);
  meter_.OnAcked(4096 * kKiB, now_ + milliseconds(1));
  EXPECT_EQ(meter_.chunk_bytes(), kMaxChunkBytes);
}

TEST_F(PathMeterTest, TakesAnAckInNoTimeForAMillisecond) {
  meter_.OnLinkUp();
  meter_.OnSent({1000, 1000, true}, now_);
  meter_.OnAcked(1000, now_);
  EXPECT_EQ(meter_.rate(), 1'000'000U);
}

TEST_F(PathMeterTest, ASmallAnswerDoesNotMakeAFastPathSlow) {
  meter_.OnLinkUp();
  meter_.OnSent({1024 * kKiB, 1024 * kKiB, true}, now_);
  meter_.OnAcked(1024 * kKiB, now_ + milliseconds(100));
  const auto rate = meter_.rate();
  for (int i = 0; i < 100; ++i) {
    now_ += seconds(10);
    meter_.OnSent({100, 100, false}, now_);
    meter_.OnAcked(100, now_ + milliseconds(100));
  }
  EXPECT_EQ(meter_.rate(), rate);
}

TEST_F(PathMeterTest, BelievesAPathThatHasTurnedSlowWithinTwoSpans) {
  meter_.OnLinkUp();
  Flow(milliseconds(50), milliseconds(4), 100);
  EXPECT_GT(*meter_.rate(), 500 * kKiB);
  for (int i = 0; i < 30; ++i) {
    meter_.OnSent({4 * kKiB, 4 * kKiB, true}, now_);
    now_ += milliseconds(512);
    meter_.OnAcked(4 * kKiB, now_);
  }
  EXPECT_LE(*meter_.rate(), 8 * kKiB);
}

TEST_F(PathMeterTest, AllowsARoundTripsWorthAndALittle) {
  meter_.OnLinkUp();
  meter_.OnSent({1000 * kKiB, 1000 * kKiB, true}, now_);
  meter_.OnAcked(1000 * kKiB, now_ + seconds(1));
  const std::uint64_t window = meter_.window_bytes();
  EXPECT_GE(window, 1250 * kKiB);
  EXPECT_LE(window, 1400 * kKiB);
}

TEST_F(PathMeterTest, SendsLessNowAndThenUntilAnAckShowsTheRoundTrip) {
  meter_.OnLinkUp();
  const auto send = [&] { meter_.OnSent({100 * kKiB, 200 * kKiB, true}, now_); };
  const auto step = [&] {
    now_ += milliseconds(100);
    meter_.OnAcked(100 * kKiB, now_);
    send();
  };
  meter_.OnSent({100 * kKiB, 100 * kKiB, true}, now_);
  send();
  step();
  const std::uint64_t usual = meter_.window_bytes();
  int drains = 0;
  int steps = 0;
  bool was_draining = false;
  for (; steps < 300; ++steps) {
    step();
    const bool is_draining = meter_.window_bytes() < usual * 3 / 4;
    if (is_draining && !was_draining) ++drains;
    was_draining = is_draining;
  }
  EXPECT_GE(drains, 4);  // in 30 s
  EXPECT_LE(drains, 7);
}

TEST_F(PathMeterTest, AnotherLinkMayBeAnotherPath) {
  meter_.OnLinkUp();
  Flow(milliseconds(10), milliseconds(1), 50, 64 * kKiB);
  EXPECT_EQ(meter_.chunk_bytes(), kMaxChunkBytes);
  meter_.OnLinkDown();
  EXPECT_EQ(meter_.chunk_bytes(), 64 * kKiB);  // suits any path, and is not many
  meter_.OnLinkUp();
  EXPECT_FALSE(meter_.rate());
  meter_.OnLinkDown();
  EXPECT_EQ(meter_.chunk_bytes(), 64 * kKiB);  // a link that showed nothing teaches nothing
}

TEST_F(PathMeterTest, ATimeoutMeansThatNothingIsKnownAndThatWorkersNeedNotWait) {
  meter_.OnTimeout();  // no link: nothing to say
  EXPECT_EQ(meter_.window_bytes(), 0U);
  meter_.OnLinkUp();
  Flow(milliseconds(10), milliseconds(1), 50);
  meter_.OnTimeout();
  EXPECT_FALSE(meter_.rate());
  EXPECT_EQ(meter_.window_bytes(), kMinChunkBytes);
  EXPECT_EQ(meter_.chunk_bytes(), kMinChunkBytes);
  EXPECT_GT(meter_.read_ahead_bytes(), std::uint64_t{1} << 40);
}

TEST_F(PathMeterTest, ReadsAheadOfLargePiecesForSecondsOnly) {
  meter_.OnLinkUp();
  meter_.OnSent({1024 * kKiB, 1024 * kKiB, true}, now_);
  meter_.OnAcked(1024 * kKiB, now_ + seconds(1));
  EXPECT_EQ(meter_.chunk_bytes(), 256 * kKiB);
  EXPECT_EQ(meter_.read_ahead_bytes(), 4096 * kKiB);
}

TEST_F(PathMeterTest, IsPatientWithWhatASlowPathHasInFlight) {
  meter_.OnLinkUp();
  EXPECT_EQ(meter_.patience(1000), kAckTimeout);
  EXPECT_EQ(meter_.patience(80 * kKiB), seconds(20));
  EXPECT_EQ(meter_.patience(std::uint64_t{1} << 30), seconds(60));
  Flow(milliseconds(10), milliseconds(1), 50);
  EXPECT_EQ(meter_.patience(1024 * kKiB), kAckTimeout);
}

TEST_F(PathMeterTest, WhatWasLostIsNotWaitedFor) {
  meter_.OnLinkUp();
  meter_.OnSent({100 * kKiB, 100 * kKiB, true}, now_);  // lost: a rewind, and it is sent again
  now_ += seconds(3);
  meter_.OnSent({10 * kKiB, 10 * kKiB, true}, now_);
  meter_.OnAcked(10 * kKiB, now_ + milliseconds(100));
  ASSERT_TRUE(meter_.rate());
  EXPECT_GE(meter_.window_bytes(), 2 * kMinChunkBytes);
}

}  // namespace
}  // namespace holdfast::link
