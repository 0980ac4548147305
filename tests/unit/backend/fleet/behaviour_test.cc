#include "backend/fleet/behaviour.h"

#include <map>

#include <gtest/gtest.h>

namespace holdfast::fleet {
namespace {

TEST(BehaviourTest, IsThatOfTheShareAskedFor) {
  Mix mix;
  mix.slow = 5;
  mix.flaky = 10;
  mix.hostile = 1;
  mix.clones = 2;
  std::map<Behaviour, int> seen;
  constexpr int kAgents = 100'000;
  for (std::uint32_t i = 0; i < kAgents; ++i) ++seen[BehaviourOf(mix, i)];
  const auto percent = [&seen](Behaviour b) { return 100.0 * seen[b] / kAgents; };
  EXPECT_NEAR(percent(Behaviour::kSlow), 5, 0.5);
  EXPECT_NEAR(percent(Behaviour::kFlaky), 10, 0.5);
  EXPECT_NEAR(percent(Behaviour::kHostile), 1, 0.5);
  EXPECT_NEAR(percent(Behaviour::kClone), 2, 0.5);
}

TEST(BehaviourTest, IsTheSameInEachRunAndNeverACloneOfNobody) {
  Mix mix;
  EXPECT_EQ(BehaviourOf(mix, 5), Behaviour::kGood);
  mix.clones = 100;
  EXPECT_EQ(BehaviourOf(mix, 0), Behaviour::kGood);
  EXPECT_EQ(BehaviourOf(mix, 1), Behaviour::kClone);
}

TEST(BehaviourTest, SpreadsVersionsByTheirWeight) {
  Mix mix;
  mix.versions = ParseVersions("1.0.0:3,1.1.0:1").value();
  std::map<std::string, int> seen;
  for (std::uint32_t i = 0; i < 40'000; ++i) ++seen[VersionOf(mix, i, "own")];
  EXPECT_NEAR(seen["1.0.0"], 30'000, 500);
  EXPECT_NEAR(seen["1.1.0"], 10'000, 500);
  EXPECT_EQ(VersionOf(Mix(), 3, "own"), "own");
}

TEST(BehaviourTest, RefusesVersionsThatSayNoWeight) {
  for (const char* text : {"1.0.0", ":5", "1.0.0:0", "1.0.0:x", "1.0.0:5x", "1.0.0:1001"}) {
    EXPECT_FALSE(ParseVersions(text).ok()) << text;
  }
  EXPECT_TRUE(ParseVersions("").ok());
}

TEST(BehaviourTest, EachHostileActIsAnotherOne) {
  for (std::uint32_t i = 0; i < kKindsOfActs; ++i) {
    const HostileAct act = HostileActOf(i);
    EXPECT_EQ(act.bytes.empty(), act.when == HostileAct::When::kForgedHello) << i;
    for (std::uint32_t j = 0; j < i; ++j) EXPECT_NE(act.bytes, HostileActOf(j).bytes) << i << j;
  }
}

}  // namespace
}  // namespace holdfast::fleet
