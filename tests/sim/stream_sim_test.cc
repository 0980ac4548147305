// An hour of one stream over a bad path per seed, then a good path until it is complete.
// One seed again: sim_stream --gtest_filter='*/17'
#include <cstdint>

#include <gtest/gtest.h>

#include "tests/support/sim_stream.h"

namespace holdfast::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class StreamSim : public ::testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Seeds, StreamSim, ::testing::Range(1u, 201u),
                         ::testing::PrintToStringParamName());

constexpr std::uint32_t kWindows[] = {0, 64 * 1024, 256 * 1024, 1024 * 1024, 4 * 1024 * 1024};

// One thing goes wrong, or nothing does.
void Trouble(SimStream& sim) {
  switch (sim.Roll(60)) {
    case 0: sim.Cut(); break;
    case 1: sim.FlushRedis(); break;
    case 2:
    case 3: sim.DropOne(); break;
    case 4: sim.RereadRedis(); break;
    case 5: sim.CrashControl(); break;
    case 6: sim.FailSync(); break;
    case 7:
      if (sim.Roll(3) == 0) sim.RestartAgent();
      break;
    case 8: sim.SetWindow(kWindows[sim.Roll(5)]); break;
    case 9: sim.Step(0, seconds(15)); break;  // everybody sleeps, longer than kAckTimeout
    default: break;
  }
}

void LiveThroughTrouble(SimStream& sim) {
  const TimePoint end = sim.now() + minutes(20);
  int reruns_left = 4;
  while (sim.now() < end && sim.broken().empty()) {
    const std::uint32_t burst = sim.Roll(10) == 0 ? 20 : sim.Roll(3);
    for (std::uint32_t i = 0; i < burst; ++i) sim.Produce(/*final=*/false);
    if (sim.Roll(3) == 0) sim.Sync();
    if (sim.Roll(4) == 0) sim.Connect();
    if (reruns_left > 0 && sim.Roll(700) == 0) {
      sim.RerunCommand();
      --reruns_left;
    }
    Trouble(sim);
    sim.Step(static_cast<int>(sim.Roll(6)), milliseconds(200));
  }
  while (reruns_left-- > 0) sim.RerunCommand();
}

// The path is good and the command ends. Returns how long it took until control had everything.
Duration Heal(SimStream& sim) {
  const TimePoint start = sim.now();
  sim.SetWindow(link::kMaxWindowBytes);
  for (int i = 0; i < 100; ++i) sim.Produce(/*final=*/false);
  while (!sim.complete() && sim.now() < start + minutes(60) && sim.broken().empty()) {
    sim.Produce(/*final=*/true);
    sim.Connect();
    sim.Step(20, milliseconds(50));
    sim.Sync();
  }
  return std::chrono::duration_cast<Duration>(sim.now() - start);
}

TEST_P(StreamSim, StoresEveryRecordOnceInOrderAndEndsSoonAfterTheTrouble) {
  SimStream sim(GetParam());
  LiveThroughTrouble(sim);
  const Duration healed = Heal(sim);

  EXPECT_EQ(sim.broken(), "");           // safety, checked at every step
  EXPECT_EQ(sim.stored(), sim.spool());  // each record once, in order, of its size
  EXPECT_TRUE(sim.complete());           // liveness
  EXPECT_LE(healed, seconds(60));
  // The run was not vacuous: there was traffic, and trouble of each kind hit something.
  const SimStream::Troubles& troubles = sim.troubles();
  EXPECT_GT(sim.spool().size(), 100U);
  EXPECT_GT(troubles.cut_in_flight, 0);
  EXPECT_GT(troubles.flushed, 0);
  EXPECT_GT(troubles.dropped, 0);
  EXPECT_GT(troubles.repeated, 0);
  EXPECT_GT(troubles.crashed_records, 0);
  EXPECT_GT(troubles.failed_syncs, 0);
  EXPECT_GT(troubles.agent_restarts, 0);
  EXPECT_GT(troubles.reruns, 0);
  EXPECT_GT(troubles.duplicates, 0);
  EXPECT_GT(troubles.gaps, 0);
  EXPECT_GT(troubles.stale_acks, 0);
  EXPECT_GT(troubles.window_stops, 0);
  EXPECT_GT(troubles.timeouts, 0);
}

}  // namespace
}  // namespace holdfast::testing
