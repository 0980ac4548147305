// The identities of the system, as fixed-size values. docs/protocol.md says how each is made.
#pragma once

#include "common/base/bytes.h"

namespace holdfast {

using FleetId = FixedBytes<struct FleetIdTag, 16>;      // random, made by `holdfast init`
using AgentId = FixedBytes<struct AgentIdTag, 16>;      // first half of SHA-256(public key)
using CommandId = FixedBytes<struct CommandIdTag, 16>;  // random, made by the signer
using Digest = FixedBytes<struct DigestTag, 32>;        // SHA-256; of a tbs: a command's true name
using KeyId = FixedBytes<struct KeyIdTag, 32>;          // SHA-256(public key)
using PublicKey = FixedBytes<struct PublicKeyTag, 65>;  // P-256: 0x04 | X | Y
using Signature = FixedBytes<struct SignatureTag, 64>;  // r | s, big endian, low-S
using Nonce16 = FixedBytes<struct Nonce16Tag, 16>;      // random, used once
using Nonce32 = FixedBytes<struct Nonce32Tag, 32>;      // random, used once

}  // namespace holdfast
