#include "backend/core/rebalance.h"

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "backend/core/placement.h"

namespace holdfast::backend {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// Agents that follow a Goaway at a moment of their own, and redial into the emptiest gateway: the whole loop
// of supervisor, gateways and agents, in steps of 50 ms.
class World {
 public:
  explicit World(std::vector<std::uint64_t> links, std::uint32_t links_per_second = 2000)
      : links_(std::move(links)),
        links_per_second_(links_per_second),
        bucket_(links_per_second, BurstOf(links_per_second)) {
    for (std::size_t gateway = 0; gateway < links_.size(); ++gateway) {
      for (std::uint64_t i = 0; i < links_[gateway]; ++i) agents_.push_back({gateway});
    }
  }

  void AddGateway() { links_.push_back(0); }
  // Its agents notice, and dial again within two seconds: after the new process is there.
  void Kill(std::size_t gateway) {
    for (std::size_t i = 0; i < agents_.size(); ++i) {
      if (agents_[i].gateway == gateway) Leave(i, Draw(milliseconds(200), seconds(2)));
    }
  }
  void Arrive(std::size_t count, Duration within) {
    for (std::size_t i = 0; i < count; ++i) {
      due_.emplace(now_ + Draw(milliseconds(0), within), agents_.size());
      agents_.push_back({});
    }
  }
  // Some agents go and come back, as they do all day.
  void Churn(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const std::size_t at = random_() % agents_.size();
      if (agents_[at].gateway && !agents_[at].asked) Leave(at, Draw(milliseconds(0), seconds(2)));
    }
  }

  void Run(Duration time, std::size_t churn_per_second = 0) {
    for (const TimePoint end = now_ + time; now_ < end; now_ += kStep) {
      while (!due_.empty() && due_.begin()->first <= now_) {
        const std::size_t at = due_.extract(due_.begin()).mapped();
        agents_[at].gateway ? Leave(at, Duration::zero()) : Dial(at);
      }
      if (now_.time_since_epoch() % seconds(1) == Duration::zero()) {
        Churn(churn_per_second);
        OnSecond();
      }
    }
  }

  double balance() const { return static_cast<double>(BalancePermille(links_)) / 1000; }
  std::uint64_t moves() const { return moves_; }
  int most_moves() const { return std::ranges::max_element(agents_, {}, &Agent::moves)->moves; }
  int rounds() const { return rounds_; }
  Duration longest_window() const { return longest_window_; }
  std::uint64_t most_per_second() const { return most_per_second_; }
  const std::vector<std::uint64_t>& links() const { return links_; }

  bool settled = true;
  bool agents_listen = true;

 private:
  static constexpr Duration kStep = milliseconds(50);
  static constexpr Duration kHandshake = milliseconds(150);
  struct Agent {
    std::optional<std::size_t> gateway;  // nullopt: away
    bool asked = false;                  // to leave
    int moves = 0;
  };

  Duration Draw(Duration least, Duration most) {
    return std::uniform_int_distribution<Duration::rep>(least.count(), most.count())(random_) *
           Duration(1);
  }
  void Leave(std::size_t at, Duration away) {
    --links_[*agents_[at].gateway];
    agents_[at].gateway.reset();
    agents_[at].asked = false;
    due_.emplace(now_ + away + kHandshake, at);
  }
  void Dial(std::size_t at) {
    if (!bucket_.Take(now_)) return static_cast<void>(due_.emplace(now_ + kStep, at));
    std::vector<GatewayLoad> loads;
    for (const std::uint64_t links : links_) loads.push_back({true, links});
    agents_[at].gateway = placement_.Pick(loads);
    ++links_[*agents_[at].gateway];
  }
  void OnSecond() {
    const auto round = rebalance_.NextRound({settled, links_per_second_, links_}, now_);
    if (!round) return;
    ++rounds_;
    longest_window_ = std::max(longest_window_, round->window);
    std::uint64_t asked = 0;
    for (const auto& shed : round->sheds) asked += Ask(shed, round->window);
    const auto window_s = static_cast<std::uint64_t>(round->window / seconds(1));
    most_per_second_ = std::max(most_per_second_, asked / window_s);
  }
  std::uint64_t Ask(const RebalanceRound::Shed& shed, Duration window) {
    std::uint64_t asked = 0;
    for (std::size_t at = 0; at < agents_.size() && asked < shed.links; ++at) {
      Agent& agent = agents_[at];
      if (agent.gateway != shed.gateway || agent.asked) continue;
      ++asked;
      if (!agents_listen) continue;
      agent.asked = true;
      due_.emplace(now_ + Draw(milliseconds(0), window), at);
      ++agent.moves;
      ++moves_;
    }
    return asked;
  }

  std::vector<std::uint64_t> links_;
  const std::uint32_t links_per_second_;
  std::vector<Agent> agents_;
  std::multimap<TimePoint, std::size_t> due_;  // agents that leave or dial then
  TimePoint now_{seconds(1000)};
  std::mt19937 random_{1};
  Placement placement_{1'000'000};
  TokenBucket bucket_;
  Rebalance rebalance_;
  std::uint64_t moves_ = 0;
  std::uint64_t most_per_second_ = 0;
  int rounds_ = 0;
  Duration longest_window_{};
};

TEST(RebalanceTest, NewGatewaysAreFilledAndEachLinkMovesOnce) {
  World world({1500, 1500, 1500, 1500});
  world.AddGateway();
  world.AddGateway();
  world.Run(seconds(20));
  EXPECT_LE(world.balance(), 1.01);
  EXPECT_EQ(world.moves(), 2000U);  // the two new ones' share, and not one more
  EXPECT_EQ(world.most_moves(), 1);
  EXPECT_LE(world.most_per_second(), 1000U);  // half of what admission takes
}

TEST(RebalanceTest, OnlyTheExcessMovesHoweverItIsSpread) {
  World world({2400, 1900, 1205, 495});
  world.Run(seconds(20));
  EXPECT_LE(world.balance(), 1.01);
  EXPECT_EQ(world.moves(), 900U + 400U);
  EXPECT_EQ(world.most_moves(), 1);
}

TEST(RebalanceTest, WhenAGatewayDiesItsAgentsFillTheNewOneAndNobodyElseIsDisturbed) {
  World world({1500, 1500, 1500, 1500});
  world.Kill(2);
  world.Run(minutes(1));
  EXPECT_LE(world.balance(), 1.01);
  EXPECT_EQ(world.moves(), 0U);
}

TEST(RebalanceTest, WaitsWhileAgentsArriveForTheyFillWhatIsEmpty) {
  World world({500, 500});
  world.AddGateway();
  world.Arrive(500, seconds(25));
  world.Run(seconds(25));
  EXPECT_EQ(world.moves(), 0U);
  world.Run(seconds(25));
  EXPECT_EQ(world.moves(), 0U);  // they were enough
  EXPECT_LE(world.balance(), 1.01);
}

TEST(RebalanceTest, DoesNotSwingWhenAgentsComeAndGoAllDay) {
  World world({1200, 800, 1000, 0});
  world.Run(minutes(1), 3);  // 6 % a minute
  EXPECT_LE(world.balance(), 1.02);
  const std::uint64_t before = world.moves();
  EXPECT_LE(before, 650U + 100U);
  world.Run(minutes(20), 3);
  EXPECT_LE(world.balance(), 1.02);
  EXPECT_EQ(world.moves(), before);
}

TEST(RebalanceTest, LeavesSmallFleetsAndSmallDifferencesAlone) {
  World world({15, 0, 0});
  world.Run(minutes(5));
  EXPECT_EQ(world.moves(), 0U);
  World larger({1015, 1000, 985});  // 1.5 % above, and not worth it
  larger.Run(minutes(5));
  EXPECT_EQ(larger.moves(), 0U);
  World even({4030, 4000, 3970});  // 30 links more, and only 0.75 %
  even.Run(minutes(5));
  EXPECT_EQ(even.moves(), 0U);
  World enough({40, 0, 0});
  enough.Run(minutes(1));
  EXPECT_EQ(enough.moves(), 26U);  // 40 less a third, rounded up
}

TEST(RebalanceTest, NothingMovesWhileAnythingElseGoesOn) {
  World world({2000, 0});
  world.settled = false;
  world.Run(minutes(5));
  EXPECT_EQ(world.moves(), 0U);
  world.settled = true;
  world.Run(seconds(4));
  EXPECT_EQ(world.moves(), 0U);  // not at once
  world.Run(seconds(8));
  EXPECT_EQ(world.moves(), 1000U);
}

TEST(RebalanceTest, WhatIsMuchMovesInRoundsOfHalfAMinute) {
  World world({8000, 0}, 200);
  world.Run(seconds(30));
  EXPECT_EQ(world.moves(), 3000U);
  EXPECT_EQ(world.longest_window(), seconds(30));
  EXPECT_EQ(world.rounds(), 1);
  world.Run(seconds(35));
  EXPECT_EQ(world.moves(), 4000U);
  EXPECT_EQ(world.rounds(), 2);
  EXPECT_EQ(world.most_moves(), 1);
  EXPECT_EQ(world.links(), (std::vector<std::uint64_t>{4000, 4000}));
}

TEST(RebalanceTest, AsksMoreAndMoreRarelyWhereNobodyListensUntilSomethingChanges) {
  World world({1000, 0});
  world.agents_listen = false;
  world.Run(minutes(60));
  EXPECT_EQ(world.balance(), 2.0);
  EXPECT_LE(world.rounds(), 12);
  EXPECT_GE(world.rounds(), 5);
  world.agents_listen = true;
  world.settled = false;
  world.Run(seconds(1));
  world.settled = true;
  world.Run(seconds(12));
  EXPECT_LE(world.balance(), 1.01);
}

TEST(RebalanceTest, BalanceIsTheFullestOverTheMean) {
  EXPECT_EQ(BalancePermille({}), 1000U);
  EXPECT_EQ(BalancePermille(std::vector<std::uint64_t>{0, 0}), 1000U);
  EXPECT_EQ(BalancePermille(std::vector<std::uint64_t>{5, 5}), 1000U);
  EXPECT_EQ(BalancePermille(std::vector<std::uint64_t>{30, 0, 0}), 3000U);
  EXPECT_EQ(BalancePermille(std::vector<std::uint64_t>{101, 99}), 1010U);
}

}  // namespace
}  // namespace holdfast::backend
