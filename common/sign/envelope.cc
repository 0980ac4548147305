#include "common/sign/envelope.h"

#include <algorithm>
#include <set>
#include <utility>

#include "common/sign/strict.h"

namespace holdfast::sign {
namespace {

constexpr std::string_view kDomain{"HOLDFAST-SIG-v1\0", 16};  // with its zero byte

std::string BigEndian(std::uint64_t value, std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) {
    out[bytes - 1 - i] = static_cast<char>(value >> (8 * i) & 255);
  }
  return out;
}

Status CheckSizes(std::string_view type, std::string_view payload) {
  if (type.empty() || type.size() > kMaxTypeBytes) {
    return Error{Code::kInvalid, "envelope: payload_type is empty or too long"};
  }
  if (payload.size() > kMaxPayloadBytes) {
    return Error{Code::kInvalid, "envelope: payload is too large"};
  }
  return Ok();
}

Status CheckSignatureFields(const Envelope& envelope) {
  if (envelope.sigs().empty() || envelope.sigs().size() > kMaxSignatures) {
    return Error{Code::kInvalid, "envelope: number of signatures"};
  }
  std::set<std::string_view> key_ids;
  for (const auto& sig : envelope.sigs()) {
    if (sig.key_id().size() != KeyId::kSize || sig.rs().size() != Signature::kSize) {
      return Error{Code::kInvalid, "envelope: size of a signature"};
    }
    if (!key_ids.insert(sig.key_id()).second) {
      return Error{Code::kInvalid, "envelope: two signatures of one key"};
    }
  }
  return Ok();
}

Result<Envelope> ParseAnyEnvelope(std::string_view bytes) {
  if (bytes.size() > kMaxEnvelopeBytes) return Error{Code::kInvalid, "envelope: too large"};
  HF_ASSIGN_OR_RETURN(Envelope envelope, ParseEnvelopeFields(bytes));
  HF_TRY(CheckSizes(envelope.payload_type(), envelope.payload()));
  HF_TRY(CheckSignatureFields(envelope));
  return envelope;
}

Status Sign(const Crypto& crypto, const SigningKey& key, Envelope& envelope) {
  HF_ASSIGN_OR_RETURN(
      const Signature signature,
      key.Sign(EnvelopeDigest(crypto, envelope.payload_type(), envelope.payload())));
  auto* sig = envelope.add_sigs();
  sig->set_key_id(KeyIdOf(crypto, key.public_key()).str());
  sig->set_rs(signature.str());
  return Ok();
}

}  // namespace

Digest EnvelopeDigest(const Crypto& crypto, std::string_view type, std::string_view payload) {
  const auto hasher = crypto.NewSha256();
  hasher->Update(kDomain);
  hasher->Update(BigEndian(type.size(), 2));
  hasher->Update(type);
  hasher->Update(BigEndian(payload.size(), 4));
  hasher->Update(payload);
  return hasher->Finish();
}

Result<Envelope> ParseEnvelope(std::string_view bytes, std::string_view expected_type) {
  HF_ASSIGN_OR_RETURN(Envelope envelope, ParseAnyEnvelope(bytes));
  if (envelope.payload_type() != expected_type) {
    return Error{Code::kInvalid, "envelope: not a " + std::string(expected_type)};
  }
  return envelope;
}

Result<Digest> VerifySignedBy(const Crypto& crypto, const Envelope& envelope,
                              const PublicKey& key) {
  HF_TRY(CheckSizes(envelope.payload_type(), envelope.payload()));
  const KeyId key_id = KeyIdOf(crypto, key);
  for (const auto& sig : envelope.sigs()) {
    if (sig.key_id() != key_id.view()) continue;
    const auto signature = Signature::From(sig.rs());
    if (!signature) return Error{Code::kDenied, "signature is not 64 bytes"};
    const Digest digest = EnvelopeDigest(crypto, envelope.payload_type(), envelope.payload());
    HF_TRY(crypto.Verify(key, digest, *signature));
    return digest;
  }
  return Error{Code::kDenied, "not signed by the key that is due"};
}

std::uint32_t CountSignatures(const Crypto& crypto, const Envelope& envelope,
                              const std::vector<PublicKey>& keys) {
  std::uint32_t count = 0;
  for (const auto& sig : envelope.sigs()) {
    const bool holds = std::any_of(keys.begin(), keys.end(), [&](const PublicKey& key) {
      return KeyIdOf(crypto, key).view() == sig.key_id() &&
             VerifySignedBy(crypto, envelope, key).ok();
    });
    if (holds) ++count;
  }
  return count;
}

std::vector<PublicKey> KeysOf(const google::protobuf::RepeatedPtrField<std::string>& texts) {
  std::vector<PublicKey> keys;
  keys.reserve(static_cast<std::size_t>(texts.size()));
  for (const std::string& text : texts) {
    if (const auto key = PublicKey::From(text)) keys.push_back(*key);
  }
  return keys;
}

Result<std::string> SignEnvelope(const Crypto& crypto, const SigningKey& key, std::string_view type,
                                 std::string_view payload) {
  HF_TRY(CheckSizes(type, payload));
  Envelope envelope;
  envelope.set_payload_type(std::string(type));
  envelope.set_payload(std::string(payload));
  HF_TRY(Sign(crypto, key, envelope));
  return envelope.SerializeAsString();
}

Result<std::string> AddSignature(const Crypto& crypto, const SigningKey& key,
                                 std::string_view envelope_bytes) {
  HF_ASSIGN_OR_RETURN(Envelope envelope, ParseAnyEnvelope(envelope_bytes));
  const KeyId key_id = KeyIdOf(crypto, key.public_key());
  const auto& sigs = envelope.sigs();
  if (std::any_of(sigs.begin(), sigs.end(),
                  [&](const auto& sig) { return sig.key_id() == key_id.view(); })) {
    return Error{Code::kExists, "envelope: this key has signed it already"};
  }
  if (sigs.size() == kMaxSignatures) {
    return Error{Code::kInvalid, "envelope: no room for another signature"};
  }
  HF_TRY(Sign(crypto, key, envelope));
  return envelope.SerializeAsString();
}

}  // namespace holdfast::sign
