// Tokens: secrets that let a counted number of agents enrol until a time.
//
// The store holds only SHA-256 of the token's text; the text exists in the answer to CreateToken and
// in the bundle. A use is spent in the transaction that inserts the agent.
//
// Limits:    uses 1..100,000; ttl <= Options::max_ttl_ms; <= 16 labels.
// Threading: thread-compatible; loop thread only.
// Errors:    Create(): kInvalid. Spend(): kDenied for unknown, used up and expired ones alike.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "backend/core/control_moment.h"
#include "backend/core/store.h"
#include "common/sign/crypto.h"

namespace holdfast::backend {

class Tokens {
 public:
  struct Options {
    std::uint32_t max_uses = 100'000;
    std::uint64_t max_ttl_ms = std::uint64_t{24} * 3600 * 1000;
    std::size_t max_labels = 16;
  };
  Tokens(Options options, Store& store, const sign::Crypto& crypto)
      : options_(options), store_(store), crypto_(crypto) {}

  struct Wanted {
    std::uint32_t uses = 1;
    std::uint64_t ttl_ms = 0;
    Labels labels;
    std::string operator_id;
  };
  struct Created {
    std::string token;  // 32 random bytes in base64url: a secret
    std::uint64_t expires_ms = 0;
  };
  Result<Created> Create(Wanted wanted, Moment now);
  // Could it be spent? kDenied as Spend() says it.
  Status Check(std::string_view token, Moment now);
  // The labels that come with it.
  Result<Labels> Spend(std::string_view token, Moment now);

 private:
  Result<TokenRow> Find(std::string_view token, Moment now);

  const Options options_;
  Store& store_;
  const sign::Crypto& crypto_;
};

}  // namespace holdfast::backend
