// The agent's answers over paths of all kinds: as fast as they carry, and never more under way than that
// takes, so that a small answer does not wait behind a large one.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <tuple>

#include <gtest/gtest.h>

#include "tests/support/sim_uplink.h"

namespace holdfast::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr SimUplink::Path kModem{.bytes_per_second = 8000, .one_way = milliseconds(500)};  // C5

double Seconds(Duration time) { return static_cast<double>(time.count()) / 1000; }

// Until all is done; how long that took.
Duration Finish(SimUplink& sim, Duration most) {
  const TimePoint start = sim.now();
  while (!sim.all_complete() && sim.now() < start + most) sim.Step(milliseconds(10));
  EXPECT_TRUE(sim.all_complete()) << "of " << sim.stored_bytes() << " bytes";
  return sim.now() - start;
}

TEST(UplinkSim, ASlowPathCarriesALargeOutputAndASmallAnswerMeanwhile) {
  SimUplink sim(kModem, milliseconds(10));
  sim.Connect();
  const std::size_t large = sim.Begin(10 * kMiB);
  Duration longest{};
  int answers = 0;
  std::mt19937 random(1);
  while (!sim.is_complete(large) && sim.now() < TimePoint(std::chrono::hours(3))) {
    sim.Step(seconds(5) + milliseconds(random() % 5000));
    const std::size_t small = sim.Begin(500);
    while (!sim.is_complete(small)) sim.Step(milliseconds(10));
    longest = std::max(longest, sim.took(small));
    ++answers;
  }
  ASSERT_TRUE(sim.is_complete(large));
  EXPECT_TRUE(sim.is_exact(large));
  EXPECT_LE(longest, 2 * seconds(1) + milliseconds(500));  // 2 round trips and 500 ms
  EXPECT_GT(answers, 100);
  EXPECT_LT(Seconds(sim.took(large)), 1.15 * 10 * kMiB / 8000);
  EXPECT_EQ(sim.repeated_bytes(), 0U);
  EXPECT_LE(sim.peak_queue_bytes(), 24 * kKiB);
}

TEST(UplinkSim, ASlowPathIsNotFilledBeforeItIsKnown) {
  SimUplink sim(kModem, milliseconds(10));
  sim.Connect();
  sim.Begin(kMiB);
  sim.Step(milliseconds(100));
  const std::size_t small = sim.Begin(500);
  sim.Step(seconds(10));
  ASSERT_TRUE(sim.is_complete(small));
  EXPECT_LE(sim.took(small), milliseconds(3200));  // behind the first 16 KiB
}

TEST(UplinkSim, AFastPathIsUsedAsIfNothingWereMeasured) {
  SimUplink sim(
      {.bytes_per_second = 150'000'000, .one_way = Duration(0), .commit = milliseconds(8)});
  sim.Connect();
  const std::size_t large = sim.Begin(256 * kMiB);
  const Duration took = Finish(sim, minutes(1));
  EXPECT_TRUE(sim.is_exact(large));
  EXPECT_LT(Seconds(took), 1.05 * 256 * kMiB / 150'000'000);
  EXPECT_LT(sim.chunks(), 1024 + 80);  // 256 KiB each, but for the first few
}

TEST(UplinkSim, ALongFastPathIsFilledWithinSeconds) {
  SimUplink sim({.bytes_per_second = 4'000'000, .one_way = milliseconds(150)});
  sim.Connect();
  sim.Begin(60 * kMiB);
  EXPECT_LT(Seconds(Finish(sim, minutes(2))), 1.15 * 60 * kMiB / 4'000'000 + 2);
}

// Acks wait for control's disk, not for the path: then more in flight does bring more.
TEST(UplinkSim, ASlowDiskAtControlIsNotTakenForASlowPath) {
  SimUplink sim({.bytes_per_second = 100'000'000, .one_way = milliseconds(1)});
  sim.Connect();
  sim.Begin(20 * kMiB);
  Finish(sim, minutes(1));
  sim.SetPath(
      {.bytes_per_second = 100'000'000, .one_way = milliseconds(1), .commit = milliseconds(900)});
  sim.Begin(150 * kMiB);
  // A window of 4 MiB per 0.9 s carries it in 34 s.
  EXPECT_LT(Seconds(Finish(sim, minutes(5))), 60);
}

TEST(UplinkSim, APathThatTurnsSlowBelowLargePiecesStillCarriesThemAll) {
  SimUplink sim({.bytes_per_second = 10'000'000, .one_way = milliseconds(10)});
  sim.Connect();
  const std::size_t large = sim.Begin(40 * kMiB);
  sim.Step(seconds(2));
  sim.SetPath(kModem);
  const std::uint64_t before = sim.stored_bytes();
  sim.Step(minutes(30));
  // What was numbered in pieces of 256 KiB takes 33 s each, behind 1.7 MB that were under way: time-outs
  // repeat some of it, but most of what the line carries is new.
  EXPECT_GT(sim.stored_bytes() - before, minutes(30) / seconds(1) * 8000 / 2);
  sim.SetPath({.bytes_per_second = 10'000'000, .one_way = milliseconds(10)});
  Finish(sim, minutes(10));
  EXPECT_TRUE(sim.is_exact(large));
}

TEST(UplinkSim, WhatWasNumberedWhileTheLinkWasDownSuitsAnyPath) {
  SimUplink sim(kModem, milliseconds(10));
  const std::size_t large = sim.Begin(kMiB);
  sim.Step(seconds(1));
  EXPECT_EQ(sim.peak_spool_bytes(), kMiB);  // the worker did not wait for a link
  sim.Connect();
  sim.Step(seconds(20));
  const std::size_t small = sim.Begin(500);
  sim.Step(seconds(10));
  ASSERT_TRUE(sim.is_complete(small));
  EXPECT_LE(sim.took(small), seconds(5));
  Finish(sim, minutes(5));
  EXPECT_TRUE(sim.is_exact(large));
}

// A fast path's queue is as long as the window that fills it; after the first small answer there is none.
TEST(UplinkSim, SmallAnswersPassALargeOutputOnAFastPathAsIfItWereIdle) {
  const SimUplink::Path path{
      .bytes_per_second = 100'000'000, .one_way = milliseconds(1), .commit = milliseconds(4)};
  SimUplink idle(path);
  idle.Connect();
  idle.Begin(500);
  const Duration alone = Finish(idle, seconds(1));

  SimUplink sim(path);
  sim.Connect();
  const std::size_t large = sim.Begin(400 * kMiB);
  sim.Step(seconds(1));
  Duration first{};
  Duration longest{};
  const std::uint64_t before = sim.stored_bytes();
  const TimePoint begun = sim.now();
  while (sim.now() < begun + seconds(4)) {
    const std::size_t small = sim.Begin(500);
    while (!sim.is_complete(small)) sim.Step(milliseconds(1));
    auto& worst = first == Duration(0) ? first : longest;
    worst = std::max(worst, sim.took(small));
    sim.Step(milliseconds(10));
  }
  ASSERT_FALSE(sim.is_complete(large));
  EXPECT_GT(first, 2 * alone);
  EXPECT_LE(longest, 2 * alone);
  EXPECT_GE(sim.stored_bytes() - before, 4 * 20'000'000U);
  Finish(sim, seconds(20));
  EXPECT_TRUE(sim.is_exact(large));
}

// Rate in kB/s, round trip in ms.
class PathsSim : public ::testing::TestWithParam<std::tuple<std::uint64_t, int>> {};
INSTANTIATE_TEST_SUITE_P(Grid, PathsSim,
                         ::testing::Combine(::testing::Values(8u, 30u, 125u, 500u, 2000u, 10000u),
                                            ::testing::Values(20, 100, 300, 1000)),
                         [](const auto& path) {
                           return std::to_string(std::get<0>(path.param)) + "kBs" +
                                  std::to_string(std::get<1>(path.param)) + "ms";
                         });

TEST_P(PathsSim, IsFilledWhileSmallAnswersOvertake) {
  const std::uint64_t rate = std::get<0>(GetParam()) * 1000;
  const milliseconds round_trip(std::get<1>(GetParam()));
  SimUplink sim({.bytes_per_second = rate, .one_way = round_trip / 2}, milliseconds(5));
  sim.Connect();
  const std::size_t large = sim.Begin(std::min(rate * 90, 100 * kMiB));
  const TimePoint begun = sim.now();
  Duration longest{};
  while (!sim.is_complete(large) && sim.now() < begun + minutes(10)) {
    const std::size_t small = sim.Begin(500);
    sim.Step(milliseconds(1500) + round_trip);
    if (!sim.is_complete(small)) sim.Step(seconds(10));
    ASSERT_TRUE(sim.is_complete(small));
    longest = std::max(longest, sim.took(small));
  }
  ASSERT_TRUE(sim.is_complete(large));
  EXPECT_TRUE(sim.is_exact(large));
  // The line may be busy with a few pieces of the least size, which take long on the slowest.
  const auto pieces = milliseconds(4 * 4096 * 1000 / rate);
  EXPECT_LE(longest, 2 * round_trip + std::max(milliseconds(500), pieces));
  // Control's credit is the bound of the largest; and the first seconds go into finding out.
  const double credit = 4.0 * kMiB / Seconds(round_trip);
  const double least = std::min(credit, static_cast<double>(rate)) * (rate < 2'000'000 ? 0.8 : 0.5);
  EXPECT_GE(static_cast<double>(sim.stored_bytes()) / Seconds(sim.took(large)), least);
  EXPECT_EQ(sim.repeated_bytes(), 0U);
}

class CutsSim : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, CutsSim, ::testing::Range(1u, 11u),
                         ::testing::PrintToStringParamName());

// C6: a reset every 1 to 5 s.
TEST_P(CutsSim, RepeatsLittleOverAPathThatIsCutEveryFewSeconds) {
  std::mt19937 random(GetParam());
  constexpr std::uint64_t kRate = 4'000'000;
  SimUplink sim({.bytes_per_second = kRate, .one_way = milliseconds(10)});
  const std::size_t large = sim.Begin(100 * kMiB);
  int cuts = 0;
  const TimePoint start = sim.now();
  while (!sim.all_complete() && sim.now() < start + minutes(10)) {
    sim.Connect();
    sim.Step(seconds(1) + milliseconds(random() % 4000));
    sim.Cut();
    ++cuts;
    sim.Step(milliseconds(random() % 1000) + milliseconds(100));  // Backoff, and the greeting
  }
  ASSERT_TRUE(sim.all_complete());
  EXPECT_TRUE(sim.is_exact(large));
  EXPECT_GT(cuts, 5);
  EXPECT_GT(sim.repeated_bytes(), 0U);
  EXPECT_LE(sim.repeated_bytes(), 10 * kMiB);  // 10 %
  EXPECT_GE(100.0 * kMiB / Seconds(sim.now() - start), 0.7 * kRate);
}

}  // namespace
}  // namespace holdfast::testing
