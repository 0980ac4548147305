// ControlWorld: control's core with scripted agents, gateways and an analyst, on a transport, a store
// and files that fail as real ones do, under simulated time. One seed decides everything.
//
// Threading: thread-compatible.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "backend/core/control_core.h"
#include "tests/support/fake_output_files.h"
#include "tests/support/fake_store.h"
#include "tests/support/seeded_crypto.h"
#include "tests/support/sim_agent.h"
#include "tests/support/sim_analyst.h"
#include "tests/support/sim_gateway.h"

namespace holdfast::testing {

inline constexpr Duration kSecond = std::chrono::seconds(1);

class ControlWorld {
 public:
  struct Options {
    std::uint32_t seed = 1;
    int agents = 3;
    int gateways = 2;
    SimAgent::Options work{8, 3000};
    backend::ApiSession::Options api{};
    std::uint64_t default_output_bytes = std::uint64_t{1} << 30;
  };
  // How often what went wrong: a run in which nothing did proves nothing.
  struct Counts {
    int control_crashes = 0, gateway_deaths = 0, flushes = 0, repeats = 0, outages = 0, swaps = 0;
    int agent_cuts = 0, agent_restarts = 0, journals_lost = 0, failed_commits = 0, failed_jobs = 0;
    int done = 0, expired = 0, interrupted = 0, resends = 0, files_sealed = 0;
    void Add(const Counts& other);
  };

  explicit ControlWorld(Options options);

  // --- what happens -----------------------------------------------------------------------------
  void Run(Duration length);             // in steps of kStep, dialling and working as it goes
  void SubmitOne();                      // to one to all agents, for seconds or for an hour
  void SubmitTo(const SimAgent& agent);  // for an hour
  void KeepAway(SimAgent& agent, Duration time);  // its link ends, and comes back after this
  void BreakSomething();                          // one fault of a random kind
  void CrashControl();
  // The whole backend is gone, and comes back with an older copy of its store.
  void RestoreFrom(const FakeStore& copy);
  // Crashes control at its n-th commit from now: before it takes effect, or right after.
  void CrashAtCommit(int n, bool before);
  bool crashed_at_commit() const { return crashed_at_commit_; }
  void Heal();         // no more faults
  bool Quiet() const;  // every accepted command has ended and was seen to
  // The invariants; empty if they hold.
  std::string Check();

  Counts counts;
  SimAnalyst& analyst() { return analyst_; }
  FakeStore& store() { return store_; }
  FakeOutputFiles& files() { return files_; }
  backend::ControlCore& core() { return *core_; }
  std::vector<std::unique_ptr<SimAgent>>& agents() { return agents_; }
  std::vector<std::unique_ptr<SimGateway>>& gateways() { return gateways_; }
  SeededCrypto& crypto() { return crypto_; }
  const backend::CounterBlock& counters() const { return counters_; }
  const TestFleet& fleet() const { return fleet_; }
  backend::Moment now() const { return now_; }

 private:
  static constexpr Duration kStep = std::chrono::milliseconds(100);
  void Boot();
  void Step();
  pb::Command NewCommand();
  void MoveAgents();
  void MoveToControl();
  void MoveApi();
  void EndTurn();
  void DeliverDown();
  std::string CheckJob(const Digest& digest, const SimAnalyst::Job& job);
  std::string CheckAudit();
  bool Chance(unsigned percent) { return random_() % 100 < percent; }

  std::mt19937 random_;
  SeededCrypto crypto_;
  TestFleet fleet_;
  sign::TrustedPolicy trust_;
  backend::ApiSettings settings_;
  FakeStore store_;
  FakeOutputFiles files_;
  backend::Moment now_;
  backend::CounterBlock counters_{};
  std::unique_ptr<backend::ControlCore> core_;
  int boots_ = 0;
  bool connected_ = true;
  TimePoint outage_until_{};
  const backend::ApiSession::Options api_;
  const std::uint64_t default_output_bytes_;
  std::deque<std::string> to_control_;  // not yet read
  std::deque<std::string> read_;        // read, not trimmed: may come again
  std::map<std::string, std::deque<std::string>> to_gateway_;
  std::map<std::string, std::deque<std::string>> gateway_read_;
  std::vector<std::unique_ptr<SimGateway>> gateways_;
  std::vector<std::unique_ptr<SimAgent>> agents_;
  std::map<SimAgent*, TimePoint> dial_at_;
  SimAnalyst analyst_;
  std::uint64_t connection_ = 0;
  std::vector<std::string> tokens_;
  std::uint64_t entries_ = 0;
  std::uint32_t gateways_made_ = 0;
  std::uint32_t commands_made_ = 0;
  bool crashed_at_commit_ = false;
  TimePoint said_up_{};
};

}  // namespace holdfast::testing
