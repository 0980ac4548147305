#include "backend/sdk/rings.h"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::sdk {
namespace {

namespace api = ::holdfast::api::v1;

class RingsTest : public ::testing::Test {
 protected:
  void Add(int count, const std::string& arch, const std::string& version, bool online = true) {
    for (int i = 0; i < count; ++i) {
      api::Agent agent;
      agent.set_id(crypto_->Sha256(std::to_string(agents_.size())).str().substr(0, 16));
      agent.mutable_facts()->set_hostname("h" + std::to_string(agents_.size()));
      agent.mutable_facts()->set_arch(arch);
      agent.mutable_facts()->set_version(version);
      agent.set_online(online);
      agents_.push_back(std::move(agent));
    }
  }
  std::vector<std::size_t> Sizes(const std::string& version = "0.2.0") const {
    std::vector<std::size_t> sizes;
    for (const Ring& ring : PlanRings(*crypto_, agents_, version)) sizes.push_back(ring.size());
    return sizes;
  }
  using Numbers = std::vector<std::size_t>;
  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  std::vector<api::Agent> agents_;
};

TEST_F(RingsTest, OneTenFiftyAndAHundredPercent) {
  Add(1000, "x86_64", "0.1.0");
  EXPECT_EQ(Sizes(), (Numbers{10, 90, 400, 500}));
}

TEST_F(RingsTest, EveryAgentIsInOneRing) {
  Add(203, "x86_64", "0.1.0");
  std::set<AgentId> seen;
  for (const Ring& ring : PlanRings(*crypto_, agents_, "0.2.0")) {
    for (const RingAgent& agent : ring) EXPECT_TRUE(seen.insert(agent.id).second);
  }
  EXPECT_EQ(seen.size(), 203U);
  EXPECT_EQ(Sizes(), (Numbers{3, 18, 81, 101}));
}

TEST_F(RingsTest, SmallFleetsHaveFewerRingsAndNoneIsEmpty) {
  Add(1, "x86_64", "0.1.0");
  EXPECT_EQ(Sizes(), (Numbers{1}));
  Add(2, "x86_64", "0.1.0");
  EXPECT_EQ(Sizes(), (Numbers{1, 1, 1}));
}

TEST_F(RingsTest, EachKindOfMachineIsInTheFirstRing) {
  Add(500, "x86_64", "0.1.0");
  Add(3, "aarch64", "0.1.0");
  Add(2, "x86_64", "0.0.9");
  const auto rings = PlanRings(*crypto_, agents_, "0.2.0");
  std::set<std::string> kinds;
  for (const RingAgent& agent : rings[0]) kinds.insert(agent.arch + agent.version);
  EXPECT_EQ(kinds.size(), 3U);
  EXPECT_EQ(rings[0].size(), 7U);
}

TEST_F(RingsTest, WhoIsAwayComesLast) {
  Add(50, "x86_64", "0.1.0", false);
  Add(50, "x86_64", "0.1.0");
  const auto rings = PlanRings(*crypto_, agents_, "0.2.0");
  ASSERT_EQ(rings.size(), 4U);
  for (std::size_t i = 0; i + 1 < rings.size(); ++i) {
    for (const RingAgent& agent : rings[i]) EXPECT_TRUE(agent.online);
  }
  EXPECT_EQ(rings[3].size(), 50U);
}

TEST_F(RingsTest, WhoRunsItAlreadyOrANewerOneIsNotMeant) {
  Add(2, "x86_64", "0.2.0");
  Add(2, "x86_64", "0.3.0");
  EXPECT_TRUE(Sizes().empty());
  Add(1, "x86_64", "nonsense; rm -rf");
  EXPECT_EQ(Sizes(), (Numbers{1})) << "a claim that is none";
}

TEST_F(RingsTest, TheSameReleaseHasTheSameFirstAndAnotherHasOthers) {
  Add(200, "x86_64", "0.1.0");
  const auto first = [&](const std::string& version) {
    std::set<AgentId> ids;
    const auto rings = PlanRings(*crypto_, agents_, version);
    for (const RingAgent& agent : rings[0]) ids.insert(agent.id);
    return ids;
  };
  const auto before = first("0.2.0");
  std::reverse(agents_.begin(), agents_.end());
  EXPECT_EQ(first("0.2.0"), before);
  EXPECT_NE(first("0.2.1"), before);
}

}  // namespace
}  // namespace holdfast::sdk
