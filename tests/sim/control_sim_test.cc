// Control among scripted agents and gateways while everything around it fails: what was accepted
// ends, once, with the right bytes and an unbroken audit trail.
#include <gtest/gtest.h>

#include "tests/support/control_world.h"

namespace holdfast::testing {
namespace {

// Faults cease; within this everything must be over: repeats after 10 s, gateways gone after 15 s.
bool Settle(ControlWorld& world) {
  world.Heal();
  for (int i = 0; i < 120 && !world.Quiet(); ++i) {
    world.Run(kSecond);
    if (i % 10 == 0) world.analyst().Repeat();
  }
  return world.Quiet();
}

TEST(ControlSimTest, AnswersEveryCommandWhenNothingFails) {
  ControlWorld world({.seed = 1});
  world.Run(3 * kSecond);
  for (int i = 0; i < 20; ++i) {
    world.SubmitOne();
    world.Run(kSecond / 2);
  }
  EXPECT_TRUE(Settle(world));
  EXPECT_EQ(world.Check(), "");
  EXPECT_GT(world.counts.done, 20);
  EXPECT_GT(world.counts.files_sealed, 0);
}

TEST(ControlSimTest, KeepsItsPromiseWhileEverythingFails) {
  constexpr std::uint32_t kSeeds = 200;
  ControlWorld::Counts total;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    ControlWorld world({.seed = seed});
    world.Run(3 * kSecond);
    for (int i = 0; i < 12; ++i) {
      world.SubmitOne();
      world.Run(kSecond);
      world.BreakSomething();
      world.analyst().Repeat();
    }
    ASSERT_TRUE(Settle(world)) << "seed " << seed << "\n" << world.Check();
    ASSERT_EQ(world.Check(), "") << "seed " << seed;
    total.Add(world.counts);
  }
  // The run was not vacuous: every fault struck, every outcome came.
  EXPECT_GT(total.control_crashes, 50);
  EXPECT_GT(total.gateway_deaths, 50);
  EXPECT_GT(total.flushes, 50);
  EXPECT_GT(total.repeats, 50);
  EXPECT_GT(total.outages, 50);
  EXPECT_GT(total.swaps, 50);
  EXPECT_GT(total.agent_cuts, 50);
  EXPECT_GT(total.agent_restarts, 50);
  EXPECT_GT(total.journals_lost, 10);
  EXPECT_GT(total.failed_commits, 50);
  EXPECT_GT(total.failed_jobs, 20);
  EXPECT_GT(total.done, 1000);
  EXPECT_GT(total.expired, 20);
  EXPECT_GT(total.interrupted, 20);
  EXPECT_GT(total.resends, 20);
  EXPECT_GT(total.files_sealed, 100);
}

TEST(ControlSimTest, SurvivesACrashAtEveryCommit) {
  int crashes = 0;
  for (const bool before : {true, false}) {
    for (int commit = 1; commit < 200; ++commit) {
      ControlWorld world({.seed = 7, .agents = 2, .gateways = 1});
      world.CrashAtCommit(commit, before);
      for (int i = 0; i < 4; ++i) {
        world.Run(kSecond);
        world.SubmitOne();
      }
      world.Run(3 * kSecond);
      const bool struck = world.crashed_at_commit();
      ASSERT_TRUE(Settle(world)) << "commit " << commit << "\n" << world.Check();
      ASSERT_EQ(world.Check(), "") << "commit " << commit;
      if (!struck) break;  // the scenario has no more commits
      ++crashes;
    }
  }
  EXPECT_GT(crashes, 30);
}

// An older copy of the ledger knows nothing of what was sent, run and cancelled since. No command of before runs a
// second time, nobody is kept out, nothing stays open, and what is new is served.
TEST(ControlSimTest, ServesFromAnOlderCopyOfItsLedgerAndRunsNothingTwice) {
  constexpr std::uint32_t kSeeds = 100;
  int ended_by_it = 0;
  int done = 0;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    ControlWorld world({.seed = seed});
    world.Run(3 * kSecond);
    for (int i = 0; i < 4; ++i) {
      world.SubmitOne();
      world.Run(kSecond / 2);
    }
    const FakeStore copy = world.store();
    for (int i = 0; i < 8; ++i) {
      world.SubmitOne();
      world.Run(kSecond / 2);
      world.BreakSomething();  // some link anew, some have work open
    }
    world.Heal();
    world.RestoreFrom(copy);
    bool is_after = false;
    for (const auto& row : world.store().ListAudit(0, 1'000'000, {}).value()) {
      is_after = is_after || row.action == "ledger.restored";
      ended_by_it += is_after && row.action == "command.ended" ? 1 : 0;
    }
    // They come back, twice each: the first link says that their journal is to begin anew.
    world.Run(20 * kSecond);
    for (const auto& agent : world.agents()) ASSERT_TRUE(agent->online()) << "seed " << seed;
    for (int i = 0; i < 4; ++i) {
      world.SubmitOne();
      world.Run(kSecond);
    }
    ASSERT_TRUE(Settle(world)) << "seed " << seed << "\n" << world.Check();
    ASSERT_EQ(world.Check(), "") << "seed " << seed;
    ASSERT_TRUE(world.store().LoadOpenDeliveries().value().empty()) << "seed " << seed;
    done += world.counts.done;
  }
  EXPECT_GT(ended_by_it, 50);
  EXPECT_GT(done, 400);
}

// The same while everything goes on failing: whose first Welcome is lost is no clone for that.
TEST(ControlSimTest, SuspectsNobodyWhoseFirstLinksAfterARestoreFail) {
  constexpr std::uint32_t kSeeds = 100;
  ControlWorld::Counts total;
  for (std::uint32_t seed = 1; seed <= kSeeds; ++seed) {
    ControlWorld world({.seed = seed});
    world.Run(3 * kSecond);
    const FakeStore copy = world.store();
    for (int i = 0; i < 4; ++i) {
      world.SubmitOne();
      world.Run(kSecond / 2);
      world.BreakSomething();
    }
    world.RestoreFrom(copy);
    for (int i = 0; i < 12; ++i) {
      world.Run(kSecond / 2);
      world.BreakSomething();
    }
    world.Heal();
    world.Run(20 * kSecond);  // for seconds a command may still end by it
    for (int i = 0; i < 4; ++i) {
      world.SubmitOne();
      world.Run(kSecond);
    }
    ASSERT_TRUE(Settle(world)) << "seed " << seed << "\n" << world.Check();
    ASSERT_EQ(world.Check(), "") << "seed " << seed;
    for (const auto& row : world.store().LoadAgents().value()) {
      ASSERT_FALSE(row.clone_suspected) << "seed " << seed;
    }
    total.Add(world.counts);
  }
  EXPECT_GT(total.outages, 20);
  EXPECT_GT(total.agent_cuts, 20);
}

// A whole queue (Ledger::Options::max_open_per_agent) waits for an agent that comes and goes.
TEST(ControlSimTest, DeliversAThousandQueuedCommandsWithoutARefusal) {
  constexpr int kQueued = 1000;
  backend::ApiSession::Options api;  // one analyst asks and watches all at once
  api.open_requests = api.watches = 2 * kQueued;
  ControlWorld world({.seed = 11, .agents = 1, .gateways = 1, .work = {2, 100}, .api = api});
  SimAgent& agent = *world.agents()[0];
  world.Run(3 * kSecond);
  world.KeepAway(agent, 60 * kSecond);
  for (int i = 0; i < kQueued; ++i) world.SubmitTo(agent);
  world.Run(30 * kSecond);
  EXPECT_EQ(agent.effects().size(), 0U);
  for (int i = 0; i < 6; ++i) {  // and loses what was on its way
    world.Run(40 * kSecond);
    world.KeepAway(agent, kSecond);
    world.CrashControl();
  }
  EXPECT_TRUE(Settle(world));
  EXPECT_EQ(world.Check(), "");
  EXPECT_EQ(world.counts.done, kQueued);
  EXPECT_EQ(agent.effects().size(), std::size_t{kQueued});
  // The bound was reached, and nothing came near what an agent refuses at.
  EXPECT_GT(agent.most_open(), 24U);
  EXPECT_LE(agent.most_open(), SimAgent::kMaxOpen);
}

}  // namespace
}  // namespace holdfast::testing
