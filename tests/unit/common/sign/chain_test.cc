#include "common/sign/chain.h"

#include <functional>
#include <limits>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "common/adapters/openssl/openssl_crypto.h"
#include "common/sign/class_limits.h"
#include "tests/support/test_fleet.h"

namespace holdfast::sign {
namespace {

using holdfast::testing::kHourMs;
using holdfast::testing::kNowMs;
using holdfast::testing::TestFleet;
namespace pb = ::holdfast::command::v1;

constexpr std::uint64_t kMaxMs = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kSkewMs = 5 * 60 * 1000;

class ChainTest : public ::testing::Test {
 protected:
  using Check = std::variant<VerifiedCommand, Refusal>;

  Check CheckSigned(const std::string& envelope, const std::string& cert) const {
    return CheckCommand(*crypto_, trust_, {.envelope = envelope, .cert_envelope = cert}, check_);
  }
  // The failure of a good command after `change`, or UNSPECIFIED if it is accepted.
  pb::CommandFailure Changed(const std::function<void(pb::Command&)>& change) const {
    pb::Command command = fleet_.GoodCommand();
    change(command);
    return FailureOf(CheckSigned(fleet_.Sign(command), good_cert_));
  }
  // The same for its certificate.
  pb::CommandFailure ChangedCert(const std::function<void(pb::OperatorCert&)>& change) const {
    pb::OperatorCert cert = fleet_.GoodCert();
    change(cert);
    return FailureOf(CheckSigned(good_command_, fleet_.Sign(cert)));
  }
  static pb::CommandFailure FailureOf(const Check& result) {
    const auto* refusal = std::get_if<Refusal>(&result);
    if (refusal == nullptr) return pb::COMMAND_FAILURE_UNSPECIFIED;
    EXPECT_FALSE(refusal->message.empty());
    return refusal->failure;
  }

  const std::unique_ptr<Crypto> crypto_ = NewOpensslCrypto();
  const TestFleet fleet_{*crypto_};
  const TrustedPolicy trust_ = fleet_.Trust(fleet_.GoodPolicy());
  const std::string good_cert_ = fleet_.Sign(fleet_.GoodCert());
  const std::string good_command_ = fleet_.Sign(fleet_.GoodCommand());
  CommandCheck check_ = {
      .now = WallTime(kNowMs), .birth = WallTime(kNowMs - kHourMs), .self = fleet_.agent};
};

TEST_F(ChainTest, AcceptsAGoodCommandAndSaysWhatItIs) {
  const Check result = CheckSigned(good_command_, good_cert_);
  const auto* accepted = std::get_if<VerifiedCommand>(&result);
  ASSERT_NE(accepted, nullptr) << std::get<Refusal>(result).message;
  EXPECT_EQ(accepted->verb, "query");
  EXPECT_EQ(accepted->operator_id, "ann");
  EXPECT_EQ(accepted->command_id.view(), std::string(16, 'c'));
  EXPECT_EQ(accepted->command.query().sql(), "SELECT 1");
  EXPECT_EQ(accepted->digest,
            EnvelopeDigest(*crypto_, kCommandType, fleet_.GoodCommand().SerializeAsString()));
}

// --- step 1
TEST_F(ChainTest, MalformedEnvelopesHaveNoNameToReportUnder) {
  for (const std::string& bad : {std::string(), std::string("x"), std::string(70'000, 'x'),
                                 good_cert_, good_command_ + "x"}) {
    const Check result = CheckSigned(bad, good_cert_);
    EXPECT_EQ(FailureOf(result), pb::COMMAND_FAILURE_MALFORMED);
    EXPECT_FALSE(std::get<Refusal>(result).digest);
  }
}

// --- step 2
TEST_F(ChainTest, RefusesCertificatesThatDoNotLeadToThePolicy) {
  EXPECT_EQ(ChangedCert([](pb::OperatorCert&) {}), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(FailureOf(CheckSigned(good_command_, "")), pb::COMMAND_FAILURE_BAD_CERT);
  EXPECT_EQ(FailureOf(CheckSigned(good_command_, good_command_)), pb::COMMAND_FAILURE_BAD_CERT);
  const std::string payload = fleet_.GoodCert().SerializeAsString();
  for (const auto* key : {&fleet_.operator_key, &fleet_.roots[0]}) {
    const std::string cert = SignEnvelope(*crypto_, **key, kCertType, payload).value();
    EXPECT_EQ(FailureOf(CheckSigned(good_command_, cert)), pb::COMMAND_FAILURE_BAD_CERT);
  }
  EXPECT_EQ(ChangedCert([](pb::OperatorCert& c) { c.set_issuer_key_id(std::string(32, 'i')); }),
            pb::COMMAND_FAILURE_BAD_CERT);
  EXPECT_EQ(ChangedCert([](pb::OperatorCert& c) { c.set_fleet_id(std::string(16, 'g')); }),
            pb::COMMAND_FAILURE_BAD_CERT);
  EXPECT_EQ(ChangedCert([](pb::OperatorCert& c) { c.set_serial("short"); }),
            pb::COMMAND_FAILURE_BAD_CERT);
}

TEST_F(ChainTest, ACertificateHasItsTimes) {
  const auto with = [&](std::uint64_t not_before, std::uint64_t not_after) {
    return ChangedCert([=](pb::OperatorCert& c) {
      c.set_not_before_ms(not_before);
      c.set_not_after_ms(not_after);
    });
  };
  const auto fine = pb::COMMAND_FAILURE_UNSPECIFIED;
  const auto bad = pb::COMMAND_FAILURE_BAD_CERT;
  EXPECT_EQ(with(kNowMs - kHourMs, kNowMs), fine);
  EXPECT_EQ(with(kNowMs - kHourMs, kNowMs - 1), bad);         // expired
  EXPECT_EQ(with(kNowMs + kSkewMs, kNowMs + kHourMs), fine);  // a clock ahead
  EXPECT_EQ(with(kNowMs + kSkewMs + 1, kNowMs + kHourMs), bad);
  EXPECT_EQ(with(kNowMs - kHourMs, kNowMs + 23 * kHourMs), fine);
  EXPECT_EQ(with(kNowMs - kHourMs, kNowMs + 23 * kHourMs + 1), bad);  // above max_cert_ttl
  EXPECT_EQ(with(0, kMaxMs), bad);
  EXPECT_EQ(with(kMaxMs, kMaxMs), bad);
  EXPECT_EQ(with(kNowMs, 0), bad);  // a difference that would wrap
}

TEST_F(ChainTest, AKeptCertificateIsJudgedAgainByItsTimesOnly) {
  const pb::OperatorCert cert = VerifyCert(*crypto_, trust_, good_cert_, check_.now).value();
  const SignedCommand kept = {
      .envelope = good_command_, .cert_envelope = {}, .verified_cert = &cert};
  EXPECT_EQ(FailureOf(CheckCommand(*crypto_, trust_, kept, check_)),
            pb::COMMAND_FAILURE_UNSPECIFIED);
  check_.now = WallTime(cert.not_after_ms() + 1);
  EXPECT_EQ(FailureOf(CheckCommand(*crypto_, trust_, kept, check_)), pb::COMMAND_FAILURE_BAD_CERT);
}

// --- step 3
TEST_F(ChainTest, RefusesASignatureThatIsNotTheCertificatesKeys) {
  const std::string payload = fleet_.GoodCommand().SerializeAsString();
  for (const auto* key : {&fleet_.issuer, &fleet_.roots[0]}) {
    const std::string envelope = SignEnvelope(*crypto_, **key, kCommandType, payload).value();
    const Check result = CheckSigned(envelope, good_cert_);
    EXPECT_EQ(FailureOf(result), pb::COMMAND_FAILURE_BAD_SIGNATURE);
    EXPECT_EQ(std::get<Refusal>(result).digest, EnvelopeDigest(*crypto_, kCommandType, payload));
  }
}

TEST_F(ChainTest, NothingIsParsedBeforeItsSignatureHolds) {
  // Rubbish under a bad signature is a bad signature, not a malformed command.
  const std::string envelope =
      SignEnvelope(*crypto_, *fleet_.issuer, kCommandType, "rubbish").value();
  EXPECT_EQ(FailureOf(CheckSigned(envelope, good_cert_)), pb::COMMAND_FAILURE_BAD_SIGNATURE);
}

TEST_F(ChainTest, NoFlippedBitOfAnEnvelopeIsAccepted) {
  for (std::size_t bit = 0; bit < good_command_.size() * 8; bit += 3) {
    std::string bad = good_command_;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    EXPECT_NE(FailureOf(CheckSigned(bad, good_cert_)), pb::COMMAND_FAILURE_UNSPECIFIED) << bit;
  }
}

// --- step 4
TEST_F(ChainTest, RefusesSignedRubbishAndUnknownVerbs) {
  const auto signed_bytes = [&](const std::string& payload) {
    return FailureOf(CheckSigned(fleet_.SignCommandBytes(payload), good_cert_));
  };
  EXPECT_EQ(signed_bytes("rubbish"), pb::COMMAND_FAILURE_MALFORMED);
  EXPECT_EQ(signed_bytes(""), pb::COMMAND_FAILURE_MALFORMED);
  const std::string good = fleet_.GoodCommand().SerializeAsString();
  EXPECT_EQ(signed_bytes(good + "\x68\x01"), pb::COMMAND_FAILURE_MALFORMED);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_not_after_ms(c.issued_at_ms() - 1); }),
            pb::COMMAND_FAILURE_MALFORMED);
  pb::Command command = fleet_.GoodCommand();
  command.clear_query();
  EXPECT_EQ(signed_bytes(command.SerializeAsString()), pb::COMMAND_FAILURE_UNKNOWN_VERB);
  EXPECT_EQ(signed_bytes(command.SerializeAsString() + "\x92\x06\x01x"),
            pb::COMMAND_FAILURE_UNKNOWN_VERB);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_operator_serial(std::string(16, 'x')); }),
            pb::COMMAND_FAILURE_BAD_CERT);
}

// --- step 5
TEST_F(ChainTest, RefusesAnotherFleetAndAnotherTarget) {
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_fleet_id(std::string(16, 'g')); }),
            pb::COMMAND_FAILURE_WRONG_FLEET);
  const auto misdirect = [](pb::Command& c) {
    c.mutable_target()->set_agent_ids(0, std::string(16, 'b'));
  };
  EXPECT_EQ(Changed(misdirect), pb::COMMAND_FAILURE_WRONG_TARGET);
  EXPECT_EQ(
      Changed([](pb::Command& c) { c.mutable_target()->add_agent_ids(std::string(16, 'b')); }),
      pb::COMMAND_FAILURE_UNSPECIFIED);
  check_.self = std::nullopt;  // control has no self
  EXPECT_EQ(Changed(misdirect), pb::COMMAND_FAILURE_UNSPECIFIED);
}

// --- step 6
TEST_F(ChainTest, RefusesWhatCertificateOrPolicyDoesNotAllow) {
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_class_id("act"); }),  // not in the certificate
            pb::COMMAND_FAILURE_NOT_PERMITTED);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_class_id("unlisted"); }),  // not in the policy
            pb::COMMAND_FAILURE_NOT_PERMITTED);
  EXPECT_EQ(Changed([](pb::Command& c) { c.mutable_exec()->add_argv("/bin/sh"); }),
            pb::COMMAND_FAILURE_NOT_PERMITTED);  // not a verb of its class
  const auto targets = [&](int count) {
    return Changed([count](pb::Command& c) {
      for (int i = 1; i < count; ++i) {
        c.mutable_target()->add_agent_ids(std::string(16, static_cast<char>('A' + i)));
      }
    });
  };
  EXPECT_EQ(targets(10), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(targets(11), pb::COMMAND_FAILURE_NOT_PERMITTED);
}

TEST_F(ChainTest, ACollectionThatRunsProgramsNeedsExecOfItsClassToo) {
  const auto reads = [](pb::Command& c) {
    c.mutable_collect()->add_sources()->add_paths("/etc/passwd");
    c.mutable_collect()->add_sources()->set_sql("SELECT 1");
  };
  EXPECT_EQ(Changed(reads), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(Changed([&](pb::Command& c) {
              reads(c);
              c.mutable_collect()->add_sources()->add_argv("/bin/id");
            }),
            pb::COMMAND_FAILURE_NOT_PERMITTED);
}

TEST_F(ChainTest, WhoMayExecMayUpdateOnlyWhereThePolicyDoesNotKnowUpdates) {
  const auto check_under = [&](const pb::Policy& policy, const std::string& class_id) {
    const TrustedPolicy trust = fleet_.Trust(policy);
    auto cert = fleet_.GoodCert();
    cert.add_classes("act");
    cert.add_classes("update");
    auto command = fleet_.GoodCommand();
    command.set_class_id(class_id);
    command.set_not_after_ms(command.issued_at_ms() + kHourMs);
    command.mutable_update();
    return FailureOf(
        CheckCommand(*crypto_, trust, {fleet_.Sign(command), fleet_.Sign(cert)}, check_));
  };
  auto policy = fleet_.GoodPolicy();
  EXPECT_EQ(check_under(policy, "act"), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(check_under(policy, "read"), pb::COMMAND_FAILURE_NOT_PERMITTED);
  auto* update = policy.add_classes();
  update->set_class_id("update");
  update->add_verbs("update");
  update->set_max_targets(10);
  update->set_max_ttl_ms(24 * kHourMs);
  EXPECT_EQ(check_under(policy, "act"), pb::COMMAND_FAILURE_NOT_PERMITTED);
  EXPECT_EQ(check_under(policy, "update"), pb::COMMAND_FAILURE_UNSPECIFIED);
}

TEST_F(ChainTest, RefusesALongerTimeThanTheClassAllows) {
  const auto ttl = [&](std::uint64_t ms) {
    return Changed([ms](pb::Command& c) { c.set_not_after_ms(c.issued_at_ms() + ms); });
  };
  EXPECT_EQ(ttl(24 * kHourMs), pb::COMMAND_FAILURE_UNSPECIFIED);
  EXPECT_EQ(ttl(24 * kHourMs + 1), pb::COMMAND_FAILURE_TTL_TOO_LONG);
  EXPECT_EQ(Changed([](pb::Command& c) {
              c.set_issued_at_ms(0);
              c.set_not_after_ms(kMaxMs);
            }),
            pb::COMMAND_FAILURE_TTL_TOO_LONG);
  EXPECT_EQ(Changed([](pb::Command& c) { c.set_not_after_ms(kMaxMs); }),
            pb::COMMAND_FAILURE_TTL_TOO_LONG);
}

TEST_F(ChainTest, RefusesWhatIsAboveTheLimitsOfItsClassOrSignsNone) {
  auto policy = fleet_.GoodPolicy();
  for (auto& verb_class : *policy.mutable_classes()) {
    verb_class.mutable_default_limits()->set_mem_bytes(100);
    verb_class.mutable_max_limits()->set_mem_bytes(200);
  }
  const TrustedPolicy trust = fleet_.Trust(policy);
  const auto with = [&](std::uint64_t bytes) {
    pb::Command command = fleet_.GoodCommand();
    command.mutable_limits()->set_mem_bytes(bytes);
    command.mutable_limits()->set_wall_ms(1'000'000);  // not bounded
    return FailureOf(CheckCommand(*crypto_, trust,
                                  {fleet_.Sign(command), fleet_.Sign(fleet_.GoodCert())}, check_));
  };
  EXPECT_EQ(with(0), pb::COMMAND_FAILURE_NOT_PERMITTED);
  EXPECT_EQ(with(201), pb::COMMAND_FAILURE_NOT_PERMITTED);
  EXPECT_EQ(with(200), pb::COMMAND_FAILURE_UNSPECIFIED);
  pb::Command unnamed;
  unnamed.mutable_limits()->set_wall_ms(5);
  SignLimits(policy.classes(0), *unnamed.mutable_limits());
  EXPECT_EQ(unnamed.limits().mem_bytes(), 100U);
  EXPECT_EQ(unnamed.limits().wall_ms(), 5U);
}

// --- step 7
TEST_F(ChainTest, ACommandHasItsTimes) {
  const auto with = [&](std::uint64_t issued, std::uint64_t not_after) {
    return Changed([=](pb::Command& c) {
      c.set_issued_at_ms(issued);
      c.set_not_after_ms(not_after);
    });
  };
  const auto fine = pb::COMMAND_FAILURE_UNSPECIFIED;
  EXPECT_EQ(with(kNowMs - 1, kNowMs), fine);
  EXPECT_EQ(with(kNowMs - 2, kNowMs - 1), pb::COMMAND_FAILURE_EXPIRED);
  EXPECT_EQ(with(kNowMs + kSkewMs, kNowMs + kHourMs), fine);
  EXPECT_EQ(with(kNowMs + kSkewMs + 1, kNowMs + kHourMs), pb::COMMAND_FAILURE_NOT_YET_VALID);
  EXPECT_EQ(with(kMaxMs, kMaxMs), pb::COMMAND_FAILURE_NOT_YET_VALID);
  EXPECT_EQ(with(kNowMs - kHourMs, kNowMs), fine);
  EXPECT_EQ(with(kNowMs - kHourMs - 1, kNowMs), pb::COMMAND_FAILURE_BEFORE_BIRTH);
  check_.now = WallTime(kMaxMs);  // a broken clock wraps nothing
  EXPECT_EQ(Changed([](pb::Command&) {}), pb::COMMAND_FAILURE_BAD_CERT);
}

TEST_F(ChainTest, AtTheEndOfTimeNothingWraps) {
  pb::OperatorCert cert = fleet_.GoodCert();
  cert.set_not_before_ms(kMaxMs - kHourMs);
  cert.set_not_after_ms(kMaxMs);
  pb::Command command = fleet_.GoodCommand();
  command.set_issued_at_ms(kMaxMs - 1000);
  command.set_not_after_ms(kMaxMs);
  check_.now = WallTime(kMaxMs - 1);  // now + skew would be small
  EXPECT_EQ(FailureOf(CheckSigned(fleet_.Sign(command), fleet_.Sign(cert))),
            pb::COMMAND_FAILURE_UNSPECIFIED);
}

TEST_F(ChainTest, TheFirstFailureWinsInTheOrderOfTheProtocol) {
  // Everything is wrong with this one. Mending one thing after another shows the order.
  pb::Command command = fleet_.GoodCommand();
  command.set_operator_serial(std::string(16, 'x'));
  command.set_fleet_id(std::string(16, 'g'));
  command.mutable_target()->set_agent_ids(0, std::string(16, 'b'));
  command.set_class_id("act");
  command.set_issued_at_ms(0);
  command.set_not_after_ms(kNowMs - 1);
  const auto failure = [&] { return FailureOf(CheckSigned(fleet_.Sign(command), good_cert_)); };
  const std::string by_issuer =
      SignEnvelope(*crypto_, *fleet_.issuer, kCommandType, command.SerializeAsString()).value();
  EXPECT_EQ(FailureOf(CheckSigned(by_issuer, "")), pb::COMMAND_FAILURE_BAD_CERT);
  EXPECT_EQ(FailureOf(CheckSigned(by_issuer, good_cert_)), pb::COMMAND_FAILURE_BAD_SIGNATURE);
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_BAD_CERT);
  command.set_operator_serial(fleet_.serial);
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_WRONG_FLEET);
  command.set_fleet_id(fleet_.fleet_id.str());
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_WRONG_TARGET);
  command.mutable_target()->set_agent_ids(0, fleet_.agent.str());
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_NOT_PERMITTED);
  command.set_class_id("read");
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_TTL_TOO_LONG);
  command.set_issued_at_ms(kNowMs - 2 * kHourMs);
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_EXPIRED);
  command.set_not_after_ms(kNowMs);
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_BEFORE_BIRTH);
  command.set_issued_at_ms(kNowMs - kHourMs);
  EXPECT_EQ(failure(), pb::COMMAND_FAILURE_UNSPECIFIED);
}

// --- the policy
class PolicyTest : public ChainTest {
 protected:
  Code CodeOf(const std::string& envelope, const std::vector<PublicKey>& pinned = {}) const {
    const auto result = VerifyPolicy(*crypto_, envelope, pinned, check_.now);
    return result.ok() ? Code::kInternal : result.error().code;
  }
  const std::vector<const TestFleet::Key*> two_roots_ = {&fleet_.roots[0], &fleet_.roots[1]};
};

TEST_F(PolicyTest, NeedsAsManyRootsAsItSays) {
  const pb::Policy policy = fleet_.GoodPolicy();
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(policy, two_roots_)), Code::kInternal);
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(policy, {&fleet_.roots[0]})), Code::kDenied);
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(policy, {&fleet_.roots[0], &fleet_.issuer})), Code::kDenied);
}

TEST_F(PolicyTest, OneRootCannotSignForTwo) {
  Envelope envelope =
      ParseEnvelope(fleet_.SignPolicy(fleet_.GoodPolicy(), {&fleet_.roots[0]}), kPolicyType)
          .value();
  *envelope.add_sigs() = envelope.sigs(0);
  envelope.mutable_sigs(1)->set_key_id(KeyIdOf(*crypto_, fleet_.roots[1]->public_key()).str());
  EXPECT_EQ(CodeOf(envelope.SerializeAsString()), Code::kDenied);
}

TEST_F(PolicyTest, ASuccessorIsSignedByTheRootsBeforeItAndByItsOwn) {
  const TrustedPolicy before = fleet_.Trust(fleet_.GoodPolicy());  // 2 of 3 roots
  const auto code = [&](const pb::Policy& policy, const std::vector<const TestFleet::Key*>& by) {
    const auto next = VerifySuccessor(*crypto_, fleet_.SignPolicy(policy, by), before, check_.now);
    return next.ok() ? Code::kInternal : next.error().code;
  };
  const TestFleet::Key& first = fleet_.roots[0];
  const TestFleet::Key& second = fleet_.roots[1];
  const TestFleet::Key added = fleet_.NewKey();
  pb::Policy next = fleet_.GoodPolicy();
  EXPECT_EQ(code(next, two_roots_), Code::kInternal) << "the same one again";
  next.set_version(2);
  next.set_prev_digest(before.digest.str());
  next.clear_root_keys();
  next.add_root_keys(added->public_key().str());
  next.set_root_threshold(1);
  EXPECT_EQ(code(next, {&added}), Code::kDenied) << "no root of before";
  EXPECT_EQ(code(next, {&added, &first}), Code::kDenied) << "one, where two are due";
  EXPECT_EQ(code(next, {&first, &second}), Code::kDenied) << "not its own root";
  EXPECT_EQ(code(next, {&added, &first, &second}), Code::kInternal);
  next.set_fleet_id(std::string(16, 'x'));
  EXPECT_EQ(code(next, {&added, &first, &second}), Code::kDenied) << "another fleet";
  pb::Policy later = fleet_.GoodPolicy();
  later.set_version(2);
  later.set_prev_digest(before.digest.str());
  const TrustedPolicy second_version = fleet_.Trust(later);
  EXPECT_EQ(VerifySuccessor(*crypto_, fleet_.SignPolicy(fleet_.GoodPolicy(), two_roots_),
                            second_version, check_.now)
                .error()
                .code,
            Code::kDenied)
      << "an older version";
}

TEST_F(PolicyTest, PinnedRootsDecideNotThoseItNames) {
  const std::string good = fleet_.SignPolicy(fleet_.GoodPolicy(), two_roots_);
  const PublicKey root0 = fleet_.roots[0]->public_key();
  const PublicKey root1 = fleet_.roots[1]->public_key();
  const PublicKey stranger = fleet_.NewKey()->public_key();
  EXPECT_EQ(CodeOf(good, {root0, root1}), Code::kInternal);
  EXPECT_EQ(CodeOf(good, {root0, stranger}), Code::kDenied);
  EXPECT_EQ(CodeOf(good, {stranger}), Code::kDenied);
  EXPECT_EQ(CodeOf(good, {root0, root0}), Code::kDenied);  // one root pinned twice is one root
  // A policy that a stranger made for itself.
  pb::Policy own = fleet_.GoodPolicy();
  own.clear_root_keys();
  const TestFleet::Key key = fleet_.NewKey();
  own.add_root_keys(key->public_key().str());
  own.set_root_threshold(1);
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(own, {&key})), Code::kInternal);
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(own, {&key}), {root0, root1}), Code::kDenied);
}

TEST_F(PolicyTest, Expires) {
  pb::Policy policy = fleet_.GoodPolicy();
  policy.set_expires_ms(kNowMs);
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(policy, two_roots_)), Code::kInternal);
  policy.set_expires_ms(kNowMs - 1);
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(policy, two_roots_)), Code::kExpired);
}

TEST_F(PolicyTest, RefusesRubbishWithEnoughSignatures) {
  pb::Policy policy = fleet_.GoodPolicy();
  policy.set_root_threshold(0);
  EXPECT_EQ(CodeOf(fleet_.SignPolicy(policy, two_roots_)), Code::kInvalid);
  EXPECT_EQ(CodeOf("rubbish"), Code::kInvalid);
}

TEST_F(PolicyTest, HasADigestForItsName) {
  EXPECT_EQ(trust_.digest,
            EnvelopeDigest(*crypto_, kPolicyType, fleet_.GoodPolicy().SerializeAsString()));
  EXPECT_EQ(trust_.fleet_id, fleet_.fleet_id);
}

TEST(VerbNameTest, IsTheNameOfTheFieldThatIsSet) {
  pb::Command command;
  EXPECT_EQ(VerbName(command), "");
  command.mutable_kill();
  EXPECT_EQ(VerbName(command), "kill");
  command.mutable_cancel();
  EXPECT_EQ(VerbName(command), "cancel");
}

}  // namespace
}  // namespace holdfast::sign
