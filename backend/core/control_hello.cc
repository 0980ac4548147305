#include "backend/core/control_hello.h"

#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::backend {
namespace {

// trust.proto, AgentFacts: what is longer is cut, not refused: it is only a claim.
void Cut(std::string& text, std::size_t max_bytes) {
  if (text.size() > max_bytes) text.resize(max_bytes);
}

std::string Facts(::holdfast::command::v1::AgentFacts facts) {
  Cut(*facts.mutable_hostname(), 253);
  Cut(*facts.mutable_os(), 128);
  Cut(*facts.mutable_arch(), 32);
  Cut(*facts.mutable_version(), 32);
  Cut(*facts.mutable_kernel(), 128);
  return facts.SerializeAsString();
}

}  // namespace

Result<ProvedHello> VerifyHello(const sign::Crypto& crypto, const FleetId& fleet,
                                std::string_view envelope_bytes) {
  HF_ASSIGN_OR_RETURN(const sign::Envelope envelope,
                      sign::ParseEnvelope(envelope_bytes, sign::kHelloType));
  HF_ASSIGN_OR_RETURN(const auto parsed, sign::ParseHello(envelope.payload()));
  const auto pubkey = PublicKey::From(parsed.pubkey());
  const auto agent = AgentId::From(parsed.agent_id());
  const auto incarnation = Nonce16::From(parsed.incarnation());
  const auto instance_nonce = Nonce16::From(parsed.instance_nonce());
  const auto fingerprint = Nonce32::From(parsed.fingerprint());
  if (!pubkey || !agent || !incarnation || !instance_nonce || !fingerprint) {
    return Error{Code::kInvalid, "a field of Hello has the wrong size"};
  }
  HF_TRY(sign::VerifySignedBy(crypto, envelope, *pubkey));
  if (sign::AgentIdOf(crypto, *pubkey) != *agent || parsed.fleet_id() != fleet.view()) {
    return Error{Code::kDenied, "Hello names another agent or fleet"};
  }
  ProvedHello hello;
  hello.agent = *agent;
  hello.pubkey = *pubkey;
  hello.incarnation = *incarnation;
  hello.instance_nonce = *instance_nonce;
  hello.fingerprint = *fingerprint;
  hello.contact = Nonce16::From(parsed.contact()).value_or(Nonce16{});
  hello.epoch = parsed.conn_epoch();
  hello.token = parsed.enrol_token();
  hello.facts = Facts(parsed.facts());
  return hello;
}

}  // namespace holdfast::backend
