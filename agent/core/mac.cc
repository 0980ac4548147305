#include "agent/core/mac.h"

#include "common/sign/hmac.h"

namespace holdfast::agent {

Mac16 Mac(const sign::Crypto& crypto, const MacKey& key, std::string_view bytes) {
  return *Mac16::From(sign::HmacSha256(crypto, key.view(), bytes).view().substr(0, Mac16::kSize));
}

MacKey JournalKey(const sign::Crypto& crypto, std::string_view identity_secret) {
  return *MacKey::From(sign::HmacSha256(crypto, identity_secret, "holdfast journal v1").view());
}

}  // namespace holdfast::agent
