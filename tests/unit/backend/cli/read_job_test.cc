// A job of before: what was signed counts, not what the backend tells of it.
#include <gtest/gtest.h>

#include "backend/cli/job.h"
#include "backend/sdk/sign_command.h"
#include "common/adapters/openssl/openssl_crypto.h"

namespace holdfast::cli {
namespace {

class ReadJobTest : public testing::Test {
 protected:
  ReadJobTest() {
    who_.key = crypto_->GenerateKey().value();
    who_.cert.set_serial(std::string(16, 's'));
    who_.cert.set_not_after_ms(1'800'000'000'000);
    sdk::SignRequest request;
    request.fleet_id = crypto_->RandomBytes<FleetId>();
    request.targets = {signed_};
    request.now = WallTime(1'790'000'000'000);
    const auto command =
        sdk::SignCommand(*crypto_, who_, sdk::Verb::Query("SELECT 1").value(), request).value();
    detail_.mutable_summary()->set_digest(command.digest.str());
    detail_.mutable_summary()->set_verb("\x1b[2Jps");
    detail_.set_envelope(command.envelope);
  }
  void Tells(const AgentId& id, const std::string& hostname) {
    auto* delivery = detail_.add_deliveries();
    delivery->set_agent_id(id.str());
    delivery->set_hostname(hostname);
  }

  std::unique_ptr<sign::Crypto> crypto_ = NewOpensslCrypto();
  sdk::Operator who_;
  AgentId signed_ = crypto_->RandomBytes<AgentId>();
  ::holdfast::api::v1::CommandDetail detail_;
};

TEST_F(ReadJobTest, TargetsAreTheSignedOnesNotThoseOfTheDeliveries) {
  Tells(crypto_->RandomBytes<AgentId>(), "invented");
  Tells(signed_, "web01");
  const auto job = ReadJob(*crypto_, detail_);
  ASSERT_TRUE(job.ok()) << job.error().message;
  ASSERT_EQ(job.value().targets.size(), 1U);
  EXPECT_EQ(job.value().targets[0].id, signed_);
  EXPECT_EQ(job.value().targets[0].hostname, "web01");
}

TEST_F(ReadJobTest, ATargetOfWhichTheBackendIsSilentIsATargetStill) {
  const auto job = ReadJob(*crypto_, detail_);
  ASSERT_TRUE(job.ok()) << job.error().message;
  ASSERT_EQ(job.value().targets.size(), 1U);
  EXPECT_EQ(job.value().targets[0].id, signed_);
}

TEST_F(ReadJobTest, TheVerbIsTheSignedOne) {
  const auto job = ReadJob(*crypto_, detail_);
  ASSERT_TRUE(job.ok()) << job.error().message;
  EXPECT_EQ(job.value().verb, "query");
}

TEST_F(ReadJobTest, AnotherCommandUnderTheSameIdIsRefused) {
  detail_.mutable_summary()->set_digest(std::string(32, 'x'));
  EXPECT_EQ(ReadJob(*crypto_, detail_).error().code, Code::kCorrupt);
}

TEST_F(ReadJobTest, AnEndWithoutItsSignedResultIsShownAsNotVerifiedAndTheVerbEscaped) {
  Tells(signed_, "web01");
  detail_.mutable_deliveries(0)->set_state(::holdfast::api::v1::DELIVERY_STATE_ENDED);
  detail_.mutable_deliveries(0)->set_outcome(::holdfast::command::v1::OUTCOME_DONE);
  Options options;
  testing::internal::CaptureStdout();
  Console console;
  PrintJob({options, console, *crypto_, -1}, detail_);
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_NE(shown.find("not verified here; see: holdfast results"), std::string::npos) << shown;
  EXPECT_NE(shown.find("\\x1b[2Jps"), std::string::npos) << shown;
  EXPECT_EQ(shown.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace holdfast::cli
