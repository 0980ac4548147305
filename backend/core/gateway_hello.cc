#include "backend/core/gateway_hello.h"

#include <optional>

#include "common/sign/envelope.h"
#include "common/sign/strict.h"

namespace holdfast::backend {

Result<ProvedIdentity> CheckHello(const sign::Crypto& crypto, std::string_view envelope_bytes,
                                  const HelloExpected& expected) {
  HF_ASSIGN_OR_RETURN(const sign::Envelope envelope,
                      sign::ParseEnvelope(envelope_bytes, sign::kHelloType));
  // Parsed before the signature is checked, because the key is inside: the id below is that key's hash,
  // and nothing else of the payload is believed before the signature holds.
  HF_ASSIGN_OR_RETURN(const auto hello, sign::ParseHello(envelope.payload()));
  const std::optional<PublicKey> key = PublicKey::From(hello.pubkey());
  if (!key) return Error{Code::kInvalid, "hello: pubkey"};
  HF_ASSIGN_OR_RETURN([[maybe_unused]] const Digest digest,
                      sign::VerifySignedBy(crypto, envelope, *key));
  if (hello.challenge() != expected.challenge.view()) {
    return Error{Code::kDenied, "hello: answers another challenge"};
  }
  if (hello.fleet_id() != expected.fleet_id.view()) {
    return Error{Code::kDenied, "hello: of another fleet"};
  }
  if (hello.server_name() != expected.server_name) {
    return Error{Code::kDenied, "hello: for another server name"};
  }
  const AgentId id = sign::AgentIdOf(crypto, *key);
  if (hello.agent_id() != id.view()) return Error{Code::kDenied, "hello: id is not the key's"};
  if (hello.conn_epoch() == 0) return Error{Code::kDenied, "hello: conn_epoch"};
  return ProvedIdentity{id, hello.conn_epoch()};
}

}  // namespace holdfast::backend
