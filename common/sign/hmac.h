// HmacSha256: HMAC with SHA-256 (RFC 2104) by whatever Crypto has.
//
// Limits:    a key of at most 64 B; a longer one is a mistake of ours and aborts.
// Threading: pure function.
#pragma once

#include <string_view>

#include "common/base/ids.h"
#include "common/sign/crypto.h"

namespace holdfast::sign {

Digest HmacSha256(const Crypto& crypto, std::string_view key, std::string_view bytes);

}  // namespace holdfast::sign
