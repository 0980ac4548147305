#include "backend/sdk/operator_cert.h"

#include <algorithm>
#include <utility>

#include "backend/sdk/files.h"
#include "backend/sdk/key_file.h"
#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::sdk {
namespace {

using ::holdfast::command::v1::OperatorCert;
constexpr std::size_t kMaxCertBytes = std::size_t{4} * 1024;  // docs/protocol.md, Deliver
constexpr std::size_t kMaxOperators = 1000;                   // files in one directory

std::uint64_t InMs(Duration duration) { return static_cast<std::uint64_t>(duration.count()); }

Result<std::unique_ptr<sign::SigningKey>> LoadOrMakeKey(const sign::Crypto& crypto,
                                                        const std::string& path) {
  if (Exists(path)) return LoadKeyFile(crypto, path, kOperatorRole);
  HF_ASSIGN_OR_RETURN(auto key, crypto.GenerateKey());
  HF_TRY(WriteKeyFile(path, kOperatorRole, *key));
  return key;
}

Status AddClasses(const ::holdfast::command::v1::Policy& policy,
                  const std::vector<std::string>& wanted, OperatorCert& cert) {
  std::string known;
  for (const auto& verb_class : policy.classes()) {
    known += " " + verb_class.class_id();
    const bool is_wanted = wanted.empty() || std::find(wanted.begin(), wanted.end(),
                                                       verb_class.class_id()) != wanted.end();
    if (is_wanted) cert.add_classes(verb_class.class_id());
  }
  for (const auto& class_id : wanted) {
    const auto& added = cert.classes();
    if (std::find(added.begin(), added.end(), class_id) == added.end()) {
      return Error{Code::kInvalid, "the policy has no class '" + class_id + "'; it has:" + known};
    }
  }
  return Ok();
}

// Those of the certificate before that the policy still has.
std::vector<std::string> ClassesToKeep(const ::holdfast::command::v1::Policy& policy,
                                       const OperatorCert& before) {
  std::vector<std::string> kept;
  for (const auto& verb_class : policy.classes()) {
    const auto& had = before.classes();
    if (std::find(had.begin(), had.end(), verb_class.class_id()) != had.end()) {
      kept.push_back(verb_class.class_id());
    }
  }
  return kept;
}

// Not checked here: whoever checks the command does, and a policy that was changed only gets it refused.
std::vector<::holdfast::command::v1::VerbClass> ClassesOf(const Fleet& fleet) {
  const auto bytes = ReadFile(fleet.paths.policy(), sign::kMaxEnvelopeBytes);
  if (!bytes.ok()) return {};
  const auto envelope = sign::ParseEnvelope(bytes.value(), sign::kPolicyType);
  if (!envelope.ok()) return {};
  const auto policy = sign::ParsePolicy(envelope.value().payload());
  if (!policy.ok()) return {};
  return {policy.value().classes().begin(), policy.value().classes().end()};
}

std::string HowToRenew(const Fleet& fleet, const std::string& name) {
  return "renew it where the issuer's key is: holdfast --dir DIR operator renew " + name +
         ", and copy operator/" + name + ".cert to " + fleet.paths.operators();
}

}  // namespace

Result<std::string> SignOperatorCert(const sign::Crypto& crypto, const sign::SigningKey& issuer,
                                     const OperatorCert& cert) {
  return sign::SignEnvelope(crypto, issuer, sign::kCertType, cert.SerializeAsString());
}

Result<sign::TrustedPolicy> LoadPolicy(const sign::Crypto& crypto, const Fleet& fleet,
                                       WallTime now) {
  HF_ASSIGN_OR_RETURN(const std::string envelope,
                      ReadFile(fleet.paths.policy(), sign::kMaxEnvelopeBytes));
  auto policy = sign::VerifyPolicy(crypto, envelope, {}, now);
  if (!policy.ok()) return std::move(policy).error().In(fleet.paths.policy());
  return policy;
}

Result<Operator> IssueOperator(const sign::Crypto& crypto, const Fleet& fleet,
                               const std::string& name, Duration ttl, WallTime now,
                               const std::vector<std::string>& classes) {
  if (!IsOperatorName(name)) {
    return Error{Code::kInvalid, "'" + name +
                                     "' cannot be an operator's name: letters, digits and "
                                     "._@- only, at most 64, beginning with a letter or digit"};
  }
  auto issuer = LoadKeyFile(crypto, fleet.paths.issuer_key(), kIssuerRole);
  if (!issuer.ok()) return std::move(issuer).error().In("loading the issuer's key");
  HF_ASSIGN_OR_RETURN(const auto policy, LoadPolicy(crypto, fleet, now));
  Operator who;
  who.name = name;
  who.classes = {policy.policy.classes().begin(), policy.policy.classes().end()};
  HF_TRY(AddClasses(policy.policy, classes, who.cert));  // before anything is made
  HF_TRY(MakeDirs(fleet.paths.operators(), kDirMode));
  HF_ASSIGN_OR_RETURN(who.key, LoadOrMakeKey(crypto, fleet.paths.operator_key(name)));
  const std::uint64_t ttl_ms = std::min(InMs(ttl), policy.policy.max_cert_ttl_ms());
  OperatorCert& cert = who.cert;
  cert.set_serial(crypto.RandomBytes<Nonce16>().str());
  cert.set_operator_id(name);
  cert.set_pubkey(who.key->public_key().str());
  cert.set_not_before_ms(now.get());
  cert.set_not_after_ms(now.get() + ttl_ms);
  cert.set_issuer_key_id(sign::KeyIdOf(crypto, issuer.value()->public_key()).str());
  cert.set_fleet_id(fleet.toml.id.str());
  HF_ASSIGN_OR_RETURN(who.cert_envelope, SignOperatorCert(crypto, *issuer.value(), cert));
  HF_TRY(WriteFile(fleet.paths.operator_cert(name), who.cert_envelope, kPlainMode));
  return who;
}

Result<Operator> RenewOperator(const sign::Crypto& crypto, const Fleet& fleet,
                               const std::string& name, Duration ttl, WallTime now) {
  std::vector<std::string> classes;
  auto before = LoadOperator(crypto, fleet, name);
  if (before.ok()) {
    HF_ASSIGN_OR_RETURN(const auto policy, LoadPolicy(crypto, fleet, now));
    classes = ClassesToKeep(policy.policy, before.value().cert);
    // None named would mean all of them.
    if (classes.empty()) {
      return Error{Code::kDenied, "the policy has none of the classes of operator '" + name +
                                      "' any more; say which: holdfast --dir DIR operator add " +
                                      name + " --class CLASS"};
    }
  } else if (before.error().code != Code::kNotFound) {
    return std::move(before).error();
  }
  return IssueOperator(crypto, fleet, name, ttl, now, classes);
}

Result<Operator> LoadOperator(const sign::Crypto& crypto, const Fleet& fleet,
                              const std::string& name) {
  const std::string key_path = fleet.paths.operator_key(name);
  auto key = LoadKeyFile(crypto, key_path, kOperatorRole);
  if (!key.ok() && key.error().code == Code::kNotFound) {
    return Error{Code::kNotFound, "operator '" + name + "' has no key here (" + key_path +
                                      "); make one where the issuer's key is: holdfast --dir DIR "
                                      "operator add " +
                                      name};
  }
  if (!key.ok()) return std::move(key).error();
  Operator who;
  who.name = name;
  who.key = std::move(key).value();
  const std::string cert_path = fleet.paths.operator_cert(name);
  HF_ASSIGN_OR_RETURN(who.cert_envelope, ReadFile(cert_path, kMaxCertBytes));
  auto envelope = sign::ParseEnvelope(who.cert_envelope, sign::kCertType);
  if (!envelope.ok()) return std::move(envelope).error().In(cert_path);
  auto cert = sign::ParseCert(envelope.value().payload());
  if (!cert.ok()) return std::move(cert).error().In(cert_path);
  who.cert = std::move(cert).value();
  if (who.cert.pubkey() != who.key->public_key().view()) {
    return Error{Code::kDenied,
                 cert_path + " is not for the key in " + key_path + "; " + HowToRenew(fleet, name)};
  }
  who.classes = ClassesOf(fleet);
  return who;
}

Result<ReadyOperator> EnsureOperator(const sign::Crypto& crypto, const Fleet& fleet,
                                     const std::string& name, Duration needed, WallTime now) {
  auto loaded = LoadOperator(crypto, fleet, name);
  const bool has_issuer = Exists(fleet.paths.issuer_key());
  const std::uint64_t wanted_until = now.get() + InMs(std::max(needed, kRenewBefore));
  if (loaded.ok()) {
    const std::uint64_t until = loaded.value().cert.not_after_ms();
    if (until > wanted_until) return ReadyOperator{std::move(loaded).value(), false};
    if (!has_issuer && until > now.get()) return ReadyOperator{std::move(loaded).value(), false};
    if (!has_issuer) {
      return Error{Code::kExpired, "the certificate of operator '" + name + "' has ended; " +
                                       HowToRenew(fleet, name)};
    }
  } else if (!has_issuer || !Exists(fleet.paths.operator_key(name))) {
    return std::move(loaded).error();
  }
  const Duration ttl = std::max({needed + kRenewBefore, kRenewBefore, kOperatorCertTtl});
  HF_ASSIGN_OR_RETURN(Operator issued, RenewOperator(crypto, fleet, name, ttl, now));
  return ReadyOperator{std::move(issued), true};
}

Result<std::vector<std::string>> ListOperators(const Fleet& fleet) {
  HF_ASSIGN_OR_RETURN(const auto files, ListFiles(fleet.paths.operators(), 2 * kMaxOperators));
  std::vector<std::string> names;
  for (const auto& file : files) {
    if (file.ends_with(".key")) names.push_back(file.substr(0, file.size() - 4));
  }
  return names;
}

}  // namespace holdfast::sdk
