#include "backend/core/placement.h"

#include <vector>

#include <gtest/gtest.h>

namespace holdfast::backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(PlacementTest, PicksTheEmptiestAndTakesTurnsBetweenEquals) {
  Placement placement(1000);
  std::vector<GatewayLoad> gateways(3, GatewayLoad{true, 0});
  std::vector<int> given(3, 0);
  for (int i = 0; i < 300; ++i) {
    const auto to = placement.Pick(gateways);
    ASSERT_TRUE(to);
    ++gateways[*to].sockets;
    ++given[*to];
  }
  EXPECT_EQ(given, std::vector<int>({100, 100, 100}));
  gateways[1].sockets = 10;
  EXPECT_EQ(placement.Pick(gateways), 1U);
}

TEST(PlacementTest, SkipsWhoTakesNoneAndWhoIsFull) {
  Placement placement(5);
  EXPECT_EQ(placement.Pick(std::vector<GatewayLoad>{}), std::nullopt);
  EXPECT_EQ(placement.Pick(std::vector<GatewayLoad>{{false, 0}, {true, 5}}), std::nullopt);
  EXPECT_EQ(placement.Pick(std::vector<GatewayLoad>{{false, 0}, {true, 4}}), 1U);
}

TEST(PlacementTest, AGatewayHoldsWhatItsDescriptorsAllowAndNotMore) {
  EXPECT_EQ(MaxSockets(0, 1024), 1024 - kSpareDescriptors);
  EXPECT_EQ(MaxSockets(100, 1024), 100U);
  EXPECT_EQ(MaxSockets(5000, 1024), 1024 - kSpareDescriptors);
  EXPECT_EQ(MaxSockets(0, 8), 1U);
}

TEST(TokenBucketTest, HoldsTheRateAndAllowsABurst) {
  TokenBucket bucket(100, 10);
  TimePoint now{seconds(1000)};
  int taken = 0;
  while (bucket.Take(now)) ++taken;
  EXPECT_EQ(taken, 10);
  for (int ms = 0; ms < 10'000; ++ms) {
    now += milliseconds(1);
    while (bucket.Take(now)) ++taken;
  }
  EXPECT_EQ(taken, 10 + 1000);
  now += seconds(1'000'000'000);
  taken = 0;
  while (bucket.Take(now)) ++taken;
  EXPECT_EQ(taken, 10);  // never more than the burst, however long nobody came
}

TEST(RestartBackoffTest, DoublesToFiveSecondsAndForgetsAfterTenStableOnes) {
  RestartBackoff backoff;
  TimePoint now{seconds(1)};
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 11; ++i) {
    backoff.OnStarted(now);
    waits.push_back(backoff.OnEnded(now).count());
  }
  EXPECT_EQ(waits, std::vector<std::int64_t>(
                       {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000, 5000, 5000}));
  backoff.OnStarted(now);
  now += milliseconds(9999);
  EXPECT_EQ(backoff.OnEnded(now).count(), 5000);
  backoff.OnStarted(now);
  now += seconds(10);
  EXPECT_EQ(backoff.OnEnded(now).count(), 100);
}

}  // namespace
}  // namespace holdfast::backend
