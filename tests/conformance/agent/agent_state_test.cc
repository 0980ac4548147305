// Whom an agent obeys: what its state directory says, and what a new bundle may change of it.
#include "agent/app/agent_state.h"

#include <gtest/gtest.h>

#include "common/adapters/mbedtls/mbedtls_crypto.h"
#include "common/bundle/bundle_text.h"
#include "tests/support/temp_dir.h"
#include "tests/support/test_fleet.h"

namespace holdfast::agent {
namespace {

using testing::TestFleet;

class AgentStateTest : public ::testing::Test {
 protected:
  static std::string Bundle(const TestFleet& fleet, const std::string& policy) {
    ::holdfast::command::v1::Bundle bundle;
    bundle.set_fleet_id(fleet.fleet_id.str());
    bundle.add_servers("wss://h:1");
    bundle.set_token("t");
    bundle.set_policy_envelope(policy);
    return FormatBundle(bundle);
  }
  static std::string Bundle(const TestFleet& fleet) {
    return Bundle(fleet, fleet.SignPolicy(fleet.GoodPolicy(), {&fleet.roots[0], &fleet.roots[1]}));
  }
  Result<AgentState> Prepare(const std::string& bundle,
                             WallTime now = WallTime(testing::kNowMs)) const {
    return PrepareAgentState(*crypto_, dir_, bundle, now);
  }
  Digest Obeyed() const {
    return LoadAgentState(*crypto_, dir_, WallTime(testing::kNowMs)).value().trust.digest;
  }
  void Enrol() {
    auto state = Prepare(Bundle(honest_));
    ASSERT_TRUE(state.ok()) << state.error().message;
    ASSERT_TRUE(MarkEnrolled(dir_, state.value()).ok());
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewMbedtlsCrypto();
  testing::TempDir temp_;
  StateDir dir_ = StateDir::Open(temp_.path() + "/state", StateDir::Mode::kCreateAndOwn).value();
  TestFleet honest_{*crypto_}, hostile_{*crypto_};  // the same fleet's id, other keys
};

TEST_F(AgentStateTest, AnEnrolledAgentTakesNoOtherRootsFromABundleThatNamesItsFleet) {
  Enrol();
  const Digest before = Obeyed();
  for (int i = 0; i < 2; ++i) {
    const auto again = Prepare(Bundle(hostile_));
    ASSERT_FALSE(again.ok());
    EXPECT_EQ(again.error().code, Code::kDenied);
    EXPECT_NE(again.error().message.find("unenrol"), std::string::npos) << again.error().message;
    EXPECT_EQ(Obeyed(), before);
  }
}

TEST_F(AgentStateTest, AnInterruptedSecondEnrolmentForgetsNoRoots) {
  Enrol();
  ASSERT_TRUE(Prepare(Bundle(honest_)).ok());  // a token lies in the state again
  EXPECT_EQ(Prepare(Bundle(hostile_)).error().code, Code::kDenied);
}

TEST_F(AgentStateTest, AnEnrolledAgentTakesAPolicyThatItsRootsSigned) {
  Enrol();
  const AgentId id = LoadAgentState(*crypto_, dir_, WallTime(testing::kNowMs)).value().id;
  auto next = honest_.GoodPolicy();
  next.set_version(2);
  next.set_prev_digest(Obeyed().str());
  next.set_expires_ms(testing::kNowMs + 9000 * testing::kHourMs);
  next.clear_issuer_keys();
  next.add_issuer_keys(hostile_.issuer->public_key().str());
  const std::string by_one = honest_.SignPolicy(next, {&honest_.roots[0]});
  EXPECT_EQ(Prepare(Bundle(honest_, by_one)).error().code, Code::kDenied);
  const std::string by_two = honest_.SignPolicy(next, {&honest_.roots[0], &honest_.roots[2]});
  // When the one before has ended: a new one is how it goes on.
  const WallTime later(testing::kNowMs + 2000 * testing::kHourMs);
  const auto state = Prepare(Bundle(honest_, by_two), later);
  ASSERT_TRUE(state.ok()) << state.error().message;
  EXPECT_EQ(state.value().id, id);
  EXPECT_EQ(Prepare(Bundle(honest_)).error().code, Code::kDenied) << "the older one again";
}

TEST_F(AgentStateTest, WhoeverWasNeverLetInIsBoundToNobody) {
  ASSERT_TRUE(Prepare(Bundle(hostile_)).ok());
  EXPECT_TRUE(Prepare(Bundle(honest_)).ok());
}

TEST_F(AgentStateTest, AnotherFleetsBundleIsRefused) {
  Enrol();
  hostile_.fleet_id = *FleetId::From(std::string(16, 'x'));
  EXPECT_EQ(Prepare(Bundle(hostile_)).error().code, Code::kExists);
}

}  // namespace
}  // namespace holdfast::agent
