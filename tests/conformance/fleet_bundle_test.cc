// What an endpoint is told when it enrols, beside a control that lies about it.
#include "backend/sdk/fleet_bundle.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "backend/sdk/files.h"
#include "backend/sdk/init_fleet.h"
#include "common/adapters/openssl/openssl_crypto.h"
#include "common/sign/chain.h"
#include "common/sign/envelope.h"
#include "tests/support/temp_dir.h"

namespace holdfast::sdk {
namespace {

namespace pb = ::holdfast::command::v1;
constexpr WallTime kNow(1'790'000'000'000);

class FleetBundleTest : public ::testing::Test {
 protected:
  FleetBundleTest() {
    InitOptions options;
    options.dir = scratch_.path() + "/fleet";
    options.server = "wss://hf.example:8443";
    EXPECT_TRUE(InitFleet(*crypto_, options, kNow).ok());
    fleet_ = LoadFleet(options.dir).value();
    told_ = FleetBundle(*crypto_, fleet_, kNow).value();
    told_.set_token("secret");
    told_.set_token_expires_ms(42);
  }
  // The same fleet's id under roots and an issuer of its own, signed as it should be: what a control in
  // other hands would like endpoints to obey.
  std::string PolicyOfOthers() const {
    const auto root = crypto_->GenerateKey().value();
    auto policy = sign::VerifyPolicy(*crypto_, told_.policy_envelope(), {}, kNow).value().policy;
    policy.clear_root_keys();
    policy.add_root_keys(root->public_key().str());
    policy.set_root_threshold(1);
    policy.clear_issuer_keys();
    policy.add_issuer_keys(root->public_key().str());
    return sign::SignEnvelope(*crypto_, *root, sign::kPolicyType, policy.SerializeAsString())
        .value();
  }
  Result<pb::Bundle> Complete() const {
    return WithToken(fleet_, FleetBundle(*crypto_, fleet_, kNow).value(), told_);
  }
  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  holdfast::testing::TempDir scratch_;
  Fleet fleet_;
  pb::Bundle told_;  // by control; the truth, until a test changes it
};

TEST_F(FleetBundleTest, HoldsWhatTheDirectorySaysAndTheTokenOfControl) {
  told_.set_fleet_name("another name");
  const auto bundle = Complete();
  ASSERT_TRUE(bundle.ok()) << bundle.error().message;
  EXPECT_EQ(bundle.value().token(), "secret");
  EXPECT_EQ(bundle.value().token_expires_ms(), 42U);
  EXPECT_EQ(bundle.value().fleet_id(), fleet_.toml.id.str());
  EXPECT_EQ(bundle.value().fleet_name(), fleet_.toml.name);
  EXPECT_EQ(bundle.value().servers(0), "wss://hf.example:8443");
  EXPECT_EQ(bundle.value().ca_pem(), fleet_.ca_pem);
  EXPECT_EQ(bundle.value().policy_envelope(),
            ReadFile(fleet_.paths.policy(), sign::kMaxEnvelopeBytes).value());
}

TEST_F(FleetBundleTest, ARootThatOnlyControlKnowsGetsIntoNoBundle) {
  told_.set_policy_envelope(PolicyOfOthers());
  ASSERT_TRUE(sign::VerifyPolicy(*crypto_, told_.policy_envelope(), {}, kNow).ok()) << "the lie";
  const auto bundle = Complete();
  ASSERT_FALSE(bundle.ok());
  EXPECT_EQ(bundle.error().code, Code::kDenied);
  EXPECT_NE(bundle.error().message.find(fleet_.paths.policy()), std::string::npos);
  EXPECT_NE(bundle.error().message.find("not from the backend"), std::string::npos);
}

TEST_F(FleetBundleTest, ControlsWordOnFleetServersAndAuthorityMustBeTheSame) {
  const pb::Bundle truth = told_;
  const auto code = [&] {
    const auto bundle = Complete();
    told_ = truth;
    return bundle.ok() ? Code::kInternal : bundle.error().code;
  };
  told_.set_fleet_id(std::string(16, 'x'));
  EXPECT_EQ(code(), Code::kDenied);
  told_.set_servers(0, "wss://evil.example:8443");
  EXPECT_EQ(code(), Code::kDenied);
  told_.add_servers("wss://evil.example:8443");
  EXPECT_EQ(code(), Code::kDenied);
  told_.set_ca_pem("-----BEGIN CERTIFICATE-----");
  EXPECT_EQ(code(), Code::kDenied);
  told_.clear_ca_pem();
  EXPECT_EQ(code(), Code::kDenied);
  told_.clear_token();
  EXPECT_EQ(code(), Code::kCorrupt);
  told_.set_token(std::string(65, 't'));
  EXPECT_EQ(code(), Code::kCorrupt);
  EXPECT_EQ(code(), Code::kInternal) << "the truth";
}

TEST_F(FleetBundleTest, TheOrderOfTheServersIsNoDifference) {
  fleet_.toml.servers = {"wss://a.example:1", "wss://b.example:1"};
  told_.clear_servers();
  told_.add_servers("wss://b.example:1");
  told_.add_servers("wss://a.example:1");
  const auto bundle = Complete();
  ASSERT_TRUE(bundle.ok()) << bundle.error().message;
  EXPECT_EQ(bundle.value().servers(0), "wss://a.example:1");
}

TEST_F(FleetBundleTest, ADirectoryWithoutAPolicyMakesNoneAndSaysWhereToGetIt) {
  std::filesystem::remove(fleet_.paths.policy());
  const auto bundle = FleetBundle(*crypto_, fleet_, kNow);
  ASSERT_FALSE(bundle.ok());
  EXPECT_EQ(bundle.error().code, Code::kNotFound);
  EXPECT_NE(bundle.error().message.find(fleet_.paths.policy()), std::string::npos);
}

TEST_F(FleetBundleTest, APolicyOfAnotherFleetIsNoneOfThisDirectory) {
  fleet_.toml.id = crypto_->RandomBytes<FleetId>();
  EXPECT_EQ(FleetBundle(*crypto_, fleet_, kNow).error().code, Code::kDenied);
}

}  // namespace
}  // namespace holdfast::sdk
