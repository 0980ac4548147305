// Envelopes: signing and verifying exact bytes.
//
//   tbs    = "HOLDFAST-SIG-v1" 0x00 | u16be len(type) | type | u32be len(payload) | payload
//   digest = SHA-256(tbs)
//
// Verify first, then parse the very same buffer; nobody re-serialises a payload. Payload parsing
// goes through strict.h, which refuses unknown and repeated singular fields.
//
// Limits:    kMaxPayloadBytes, kMaxSignatures, kMaxTypeBytes; above them kInvalid.
// Threading: pure functions.
// Errors:    kInvalid: not an envelope, or over a limit. kDenied: the signature does not hold.
// Design:    docs/protocol.md, "The envelope"
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/sign/crypto.h"
#include "holdfast/command/v1/envelope.pb.h"

namespace holdfast::sign {

inline constexpr std::size_t kMaxPayloadBytes = std::size_t{60} * 1024;
inline constexpr std::size_t kMaxEnvelopeBytes = std::size_t{64} * 1024;  // one control frame
inline constexpr std::size_t kMaxTypeBytes = 64;
inline constexpr int kMaxSignatures = 8;  // policies have at most 8 roots

inline constexpr std::string_view kPolicyType = "holdfast.policy.v1";
inline constexpr std::string_view kCertType = "holdfast.cert.v1";
inline constexpr std::string_view kCommandType = "holdfast.command.v1";
inline constexpr std::string_view kResultType = "holdfast.result.v1";
inline constexpr std::string_view kHelloType = "holdfast.hello.v1";
inline constexpr std::string_view kLoginType = "holdfast.login.v1";
inline constexpr std::string_view kUpdateRootType = "holdfast.updateroot.v1";
inline constexpr std::string_view kReleaseType = "holdfast.release.v1";
inline constexpr std::string_view kPtyKeyType = "holdfast.ptykey.v1";

using Envelope = ::holdfast::command::v1::Envelope;

// `type` and `payload` within their limits: lengths travel as 16 and 32 bits.
Digest EnvelopeDigest(const Crypto& crypto, std::string_view type, std::string_view payload);

// Caps, then strict parse (1..8 signatures of distinct keys, each of its exact size);
// `expected_type` must be what the envelope says. No signature is checked.
Result<Envelope> ParseEnvelope(std::string_view bytes, std::string_view expected_type);

// The digest, if some signature of the envelope is by `key` and holds.
Result<Digest> VerifySignedBy(const Crypto& crypto, const Envelope& envelope, const PublicKey& key);

// How many distinct keys of `keys` signed. The envelope's key ids are distinct, so none counts twice.
std::uint32_t CountSignatures(const Crypto& crypto, const Envelope& envelope,
                              const std::vector<PublicKey>& keys);
// Those of `texts` that have a key's size.
std::vector<PublicKey> KeysOf(const google::protobuf::RepeatedPtrField<std::string>& texts);

// Serialized Envelope with one signature.
Result<std::string> SignEnvelope(const Crypto& crypto, const SigningKey& key, std::string_view type,
                                 std::string_view payload);
// The same with one more signature over the same bytes. kExists if this key has signed already.
Result<std::string> AddSignature(const Crypto& crypto, const SigningKey& key,
                                 std::string_view envelope_bytes);

}  // namespace holdfast::sign
