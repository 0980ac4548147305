// TestFleet: a fleet with real keys, and builders for what it signs. Each builder gives the good case;
// a test changes one thing before it signs.
//
//   TestFleet fleet(*crypto);
//   auto command = fleet.GoodCommand();  command.set_class_id("other");
//   CheckCommand(*crypto, fleet.trust(), {.envelope = fleet.Sign(command), ...}, check);
//
// Ownership: borrows the Crypto.
// Threading: thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/sign/chain.h"
#include "common/sign/crypto.h"
#include "common/sign/envelope.h"

namespace holdfast::testing {

namespace pb = ::holdfast::command::v1;

inline constexpr std::uint64_t kHourMs = 3'600'000;
inline constexpr std::uint64_t kNowMs = 1'800'000'000'000;  // 2027-01-15, the "now" of these tests

class TestFleet {
 public:
  using Key = std::unique_ptr<sign::SigningKey>;

  explicit TestFleet(const sign::Crypto& crypto) : crypto_(crypto) {
    for (Key& root : roots) root = NewKey();
    issuer = NewKey();
    operator_key = NewKey();
  }

  Key NewKey() const { return crypto_.GenerateKey().value(); }

  pb::Policy GoodPolicy() const {
    pb::Policy policy;
    policy.set_fleet_id(fleet_id.str());
    policy.set_version(1);
    policy.set_expires_ms(kNowMs + 1000 * kHourMs);
    for (const Key& root : roots) policy.add_root_keys(root->public_key().str());
    policy.set_root_threshold(2);
    policy.add_issuer_keys(issuer->public_key().str());
    policy.set_max_cert_ttl_ms(24 * kHourMs);
    auto* read = policy.add_classes();
    read->set_class_id("read");
    for (const char* verb : {"query", "ls", "archive", "cancel", "collect", "pty"})
      read->add_verbs(verb);
    read->set_max_targets(10);
    read->set_max_ttl_ms(24 * kHourMs);
    auto* act = policy.add_classes();
    act->set_class_id("act");
    for (const char* verb : {"exec", "put"}) act->add_verbs(verb);
    act->set_max_targets(1);
    act->set_max_ttl_ms(kHourMs);
    return policy;
  }

  pb::OperatorCert GoodCert() const {
    pb::OperatorCert cert;
    cert.set_serial(serial);
    cert.set_operator_id("ann");
    cert.set_pubkey(operator_key->public_key().str());
    cert.add_classes("read");
    cert.add_classes("unlisted");
    cert.set_not_before_ms(kNowMs - kHourMs);
    cert.set_not_after_ms(kNowMs + 11 * kHourMs);
    cert.set_issuer_key_id(sign::KeyIdOf(crypto_, issuer->public_key()).str());
    cert.set_fleet_id(fleet_id.str());
    return cert;
  }

  pb::Command GoodCommand() const {
    pb::Command command;
    command.set_fleet_id(fleet_id.str());
    command.set_command_id(std::string(16, 'c'));
    command.set_class_id("read");
    command.mutable_target()->add_agent_ids(agent.str());
    command.set_issued_at_ms(kNowMs - 1000);
    command.set_not_after_ms(kNowMs + kHourMs);
    command.set_operator_serial(serial);
    command.mutable_query()->set_sql("SELECT 1");
    return command;
  }

  std::string SignPolicy(const pb::Policy& policy, const std::vector<const Key*>& by) const {
    std::string bytes =
        sign::SignEnvelope(crypto_, **by.at(0), sign::kPolicyType, policy.SerializeAsString())
            .value();
    for (std::size_t i = 1; i < by.size(); ++i) {
      bytes = sign::AddSignature(crypto_, **by[i], bytes).value();
    }
    return bytes;
  }
  std::string Sign(const pb::OperatorCert& cert) const {
    return sign::SignEnvelope(crypto_, *issuer, sign::kCertType, cert.SerializeAsString()).value();
  }
  std::string Sign(const pb::Command& command) const {
    return SignCommandBytes(command.SerializeAsString());
  }
  std::string SignCommandBytes(std::string_view payload) const {
    return sign::SignEnvelope(crypto_, *operator_key, sign::kCommandType, payload).value();
  }

  sign::TrustedPolicy Trust(const pb::Policy& policy) const {
    return sign::VerifyPolicy(crypto_, SignPolicy(policy, {&roots[0], &roots[1]}), {},
                              WallTime(kNowMs))
        .value();
  }

  Key roots[3];
  Key issuer;
  Key operator_key;
  FleetId fleet_id = *FleetId::From(std::string(16, 'f'));
  AgentId agent = *AgentId::From(std::string(16, 'a'));
  std::string serial = std::string(16, 's');

 private:
  const sign::Crypto& crypto_;
};

}  // namespace holdfast::testing
