#include "common/sign/crypto.h"

namespace holdfast::sign {

KeyId KeyIdOf(const Crypto& crypto, const PublicKey& key) {
  return *KeyId::From(crypto.Sha256(key.view()).view());
}

AgentId AgentIdOf(const Crypto& crypto, const PublicKey& key) {
  return *AgentId::From(crypto.Sha256(key.view()).view().substr(0, AgentId::kSize));
}

}  // namespace holdfast::sign
