#include "backend/fleet/sizing.h"

#include <gtest/gtest.h>

namespace holdfast::fleet {
namespace {

constexpr std::uint64_t kGb = 1'000'000'000;

Measured Machine() {
  Measured measured;
  measured.tls = true;
  measured.cores = 2;
  measured.memory_bytes = 20 * kGb;
  measured.free_descriptors = 20'000;
  measured.agents = 1000;
  measured.base_bytes = 50'000'000;
  measured.linked_bytes = 50'000'000 + 1000 * 16'000;
  measured.kernel_bytes = 1000 * 8'000;
  measured.connect_server_us = 1000 * 500;
  measured.connect_wall_ms = 500;
  measured.fixed_us_per_s = 100;
  measured.idle_server_us = 60 * 100 + 900 * 40;
  measured.idle_ms = 60'000;
  measured.beats = 900;
  return measured;
}

TEST(SizingTest, AddsUpWhatWasMeasured) {
  const Plan plan = PlanFor(Machine(), 50'000);
  EXPECT_DOUBLE_EQ(plan.user_bytes, 16'000);
  EXPECT_DOUBLE_EQ(plan.kernel_bytes, 4'000) << "the other end is on the agents' machines";
  EXPECT_DOUBLE_EQ(plan.memory_bytes, 50e6 + 50'000.0 * 20'000);
  EXPECT_NEAR(plan.beats_per_second, 750, 1);
  EXPECT_NEAR(plan.idle_cores, 0.03, 0.001);
  EXPECT_DOUBLE_EQ(plan.return_seconds, 50'000 * 500e-6 / 2);
  EXPECT_EQ(plan.gateways, 3U);
  EXPECT_TRUE(plan.fits);
}

TEST(SizingTest, NamesTheBoundThatIsMetFirst) {
  Measured machine = Machine();
  Plan plan = PlanFor(machine, 1'000'000);
  EXPECT_FALSE(plan.fits);
  EXPECT_TRUE(plan.memory_is_the_bound);
  EXPECT_EQ(plan.most_agents, 797'500U);  // (20 GB x 0.8 - 50 MB) / 20 KB
  EXPECT_NE(
      TextOf(machine, plan).find("does not hold them. It holds about 797,500, bounded by memory"),
      std::string::npos)
      << TextOf(machine, plan);
  machine.idle_server_us = 60 * 100 + 900 * 40'000;
  plan = PlanFor(machine, 50'000);
  EXPECT_FALSE(plan.memory_is_the_bound);
  EXPECT_NEAR(static_cast<double>(plan.most_agents), 1666, 2);  // 1 core / 40 ms x 66.7 s
  EXPECT_NE(TextOf(machine, plan).find("bounded by heartbeats"), std::string::npos);
}

TEST(SizingTest, SaysTheArithmetic) {
  const Measured machine = Machine();
  const std::string text = TextOf(machine, PlanFor(machine, 50'000));
  EXPECT_NE(text.find("50 MB + 50,000 x 19.5 KB = 1.1 GB of 20.0 GB"), std::string::npos) << text;
  EXPECT_NE(text.find("This machine holds them."), std::string::npos) << text;
}

TEST(SizingTest, SurvivesARunInWhichNothingHappened) {
  const Plan plan = PlanFor(Measured(), 10);
  EXPECT_FALSE(plan.fits);
  EXPECT_FALSE(TextOf(Measured(), plan).empty());
}

}  // namespace
}  // namespace holdfast::fleet
