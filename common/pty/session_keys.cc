#include "common/pty/session_keys.h"

#include <string>

#include "common/sign/hmac.h"

namespace holdfast::pty {

SessionKeys DeriveSessionKeys(const sign::Crypto& crypto, const sign::SharedSecret& secret,
                              const SessionNames& names) {
  using namespace std::string_literals;
  static_assert(2 * sign::SealKey::kSize == Digest::kSize);  // one block of HKDF's output
  const Digest prk = sign::HmacSha256(crypto, names.command.view(), secret.view());
  const std::string info = "holdfast pty v1\0"s + names.agent.str() + names.operator_key.str() +
                           names.agent_key.str() + "\x01"s;
  const Digest both = sign::HmacSha256(crypto, prk.view(), info);
  SessionKeys keys;
  keys.input = *sign::SealKey::From(both.view().substr(0, sign::SealKey::kSize));
  keys.output = *sign::SealKey::From(both.view().substr(sign::SealKey::kSize));
  return keys;
}

}  // namespace holdfast::pty
