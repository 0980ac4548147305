#include "common/link/backoff.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace holdfast::link {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr TimePoint kStart{seconds(1000)};

// The longest of the delays after `failures` failures in a row, over many seeds.
Duration Longest(int failures, Duration at_least = {}) {
  Duration longest{};
  for (std::uint32_t seed = 1; seed < 300; ++seed) {
    Backoff backoff({}, seed);
    Duration delay{};
    for (int i = 0; i < failures; ++i) delay = backoff.OnClosed(kStart, at_least);
    EXPECT_GE(delay, at_least);
    longest = std::max(longest, delay);
  }
  return longest;
}

TEST(BackoffTest, DoublesUpToTheCap) {
  EXPECT_LE(Longest(1), seconds(1));
  EXPECT_GT(Longest(1), milliseconds(900));
  EXPECT_LE(Longest(3), seconds(4));
  EXPECT_GT(Longest(3), milliseconds(3600));
  EXPECT_LE(Longest(7), seconds(60));
  EXPECT_GT(Longest(7), seconds(54));
  EXPECT_LE(Longest(100), seconds(60));
}

TEST(BackoffTest, SpreadsOverTheWholeRange) {
  int early = 0;
  for (std::uint32_t seed = 1; seed <= 1000; ++seed) {
    Backoff backoff({}, seed * 7919);
    for (int i = 0; i < 10; ++i) backoff.OnClosed(kStart, {});
    if (backoff.OnClosed(kStart, {}) < seconds(30)) ++early;
  }
  EXPECT_GT(early, 400);
  EXPECT_LT(early, 600);
}

TEST(BackoffTest, WaitsAtLeastAsLongAsTheServerSaysAndThenStillSpreads) {
  EXPECT_GT(Longest(1, seconds(30)), seconds(30));
  EXPECT_LE(Longest(1, seconds(30)), seconds(31));
}

TEST(BackoffTest, OnlyAStableLinkForgetsTheFailures) {
  const auto longest_after = [](Duration stood) {
    Duration longest{};
    for (std::uint32_t seed = 1; seed < 200; ++seed) {
      Backoff backoff({}, seed);
      for (int i = 0; i < 10; ++i) backoff.OnClosed(kStart, {});
      backoff.OnOpened(kStart);
      longest = std::max(longest, backoff.OnClosed(kStart + stood, {}));
    }
    return longest;
  };
  EXPECT_LE(longest_after(seconds(60)), seconds(1));
  EXPECT_GT(longest_after(milliseconds(59'999)), seconds(50));
}

TEST(BackoffTest, ForgetsTheFailuresWhenToldTo) {
  for (std::uint32_t seed = 1; seed < 100; ++seed) {
    Backoff backoff({}, seed);
    for (int i = 0; i < 10; ++i) backoff.OnClosed(kStart, {});
    backoff.Forget();
    EXPECT_LE(backoff.OnClosed(kStart, {}), seconds(1));
  }
}

TEST(BackoffTest, WithinIsWithin) {
  Backoff backoff({}, 1);
  EXPECT_EQ(backoff.Within(Duration::zero()), Duration::zero());
  EXPECT_EQ(backoff.Within(Duration(-5)), Duration::zero());
  Duration most{};
  for (int i = 0; i < 1000; ++i) most = std::max(most, backoff.Within(seconds(3600)));
  EXPECT_LE(most, seconds(3600));
  EXPECT_GT(most, seconds(3500));
}

}  // namespace
}  // namespace holdfast::link
