// HMAC-SHA-256 cut to 16 bytes: seals the journal's rows with a key that only
// the agent's identity key leads to.
//
// Threading: pure functions.
#pragma once

#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/sign/crypto.h"

namespace holdfast::agent {

using Mac16 = FixedBytes<struct Mac16Tag, 16>;
using MacKey = FixedBytes<struct MacKeyTag, 32>;

Mac16 Mac(const sign::Crypto& crypto, const MacKey& key, std::string_view bytes);
// From the 32-byte secret of the identity key.
MacKey JournalKey(const sign::Crypto& crypto, std::string_view identity_secret);

}  // namespace holdfast::agent
