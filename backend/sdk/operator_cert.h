// Operators: whose key signs, and the short-lived certificate that says what it may sign.
//
// A certificate lives 12 hours by default. Where the issuer's key is at hand (D/issuer/issuer.key)
// a new one is made without asking when the old one is about to end; elsewhere someone who has the
// issuer's key renews it: holdfast --dir D operator renew NAME.
//
// Limits:    kOperatorCertTtl by default, Policy.max_cert_ttl_ms at most.
// Threading: thread-compatible.
// Errors:    kNotFound: no such operator; kExpired: the certificate has ended and nothing here can
//            renew it; kDenied: the certificate does not verify or is not for this key.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/sdk/fleet.h"
#include "common/base/time.h"
#include "common/sign/chain.h"
#include "common/sign/crypto.h"

namespace holdfast::sdk {

inline constexpr Duration kOperatorCertTtl = std::chrono::hours(12);
// Renew this long before the end: longer than any clock is wrong that still passes for right.
inline constexpr Duration kRenewBefore = std::chrono::minutes(10);

struct Operator {
  std::string name;
  std::unique_ptr<sign::SigningKey> key;
  std::string cert_envelope;  // signed holdfast.cert.v1
  ::holdfast::command::v1::OperatorCert cert;
  // Of the policy in the same directory, whose limits are signed where nobody names any; empty: it is not there.
  std::vector<::holdfast::command::v1::VerbClass> classes;
};

// Makes NAME's certificate (and key, if it has none) with the issuer's key of this directory, for these classes of
// the policy; none named: all of them. kInvalid: one that the policy does not have.
Result<Operator> IssueOperator(const sign::Crypto& crypto, const Fleet& fleet,
                               const std::string& name, Duration ttl, WallTime now,
                               const std::vector<std::string>& classes = {});
// The same for the classes that its certificate has now; without one: for all.
Result<Operator> RenewOperator(const sign::Crypto& crypto, const Fleet& fleet,
                               const std::string& name, Duration ttl, WallTime now);
// From memory only, for whoever has the keys at hand.
Result<std::string> SignOperatorCert(const sign::Crypto& crypto, const sign::SigningKey& issuer,
                                     const ::holdfast::command::v1::OperatorCert& cert);

// Reads key and certificate; the signature of the certificate is not checked here (its verifiers
// do), that it belongs to the key is.
Result<Operator> LoadOperator(const sign::Crypto& crypto, const Fleet& fleet,
                              const std::string& name);
// LoadOperator, and renewal when less than `needed` (and kRenewBefore) is left. The new one
// has the classes of the one before. Without the
// issuer's key a certificate that has not ended yet is used as it is. `renewed` says that a new one
// was made.
struct ReadyOperator {
  Operator who;
  bool renewed = false;
};
Result<ReadyOperator> EnsureOperator(const sign::Crypto& crypto, const Fleet& fleet,
                                     const std::string& name, Duration needed, WallTime now);

// Names that have a key in this directory.
Result<std::vector<std::string>> ListOperators(const Fleet& fleet);

// The fleet's policy, if this directory has it (server/policy.env), its own roots having signed it.
Result<sign::TrustedPolicy> LoadPolicy(const sign::Crypto& crypto, const Fleet& fleet,
                                       WallTime now);

}  // namespace holdfast::sdk
