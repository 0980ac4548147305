// What OpenSSL's C objects need in C++: an owner, a clean error queue, and a key of P-256 out of its numbers.
//
// Threading: as OpenSSL's: an object at a time belongs to one thread.
#pragma once

#include <memory>
#include <string_view>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/params.h>

#include "common/base/ids.h"

namespace holdfast {

template <auto kFree>
struct Freer {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
template <typename T, auto kFree>
using Owned = std::unique_ptr<T, Freer<kFree>>;

using Pkey = Owned<EVP_PKEY, EVP_PKEY_free>;
using PkeyContext = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using ParamBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;
using Params = Owned<OSSL_PARAM, OSSL_PARAM_free>;

// Takes back what a failed call left in the thread's error queue: TLS on the same thread would take
// it for a failure of its own (SSL_get_error(3)).
class QuietErrors {
 public:
  QuietErrors() { ERR_set_mark(); }
  ~QuietErrors() { ERR_pop_to_mark(); }
  QuietErrors(const QuietErrors&) = delete;
  QuietErrors& operator=(const QuietErrors&) = delete;
};

inline const unsigned char* AsBytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// An EVP key of P-256, public if `secret` is null; null if OpenSSL refuses it, such as a point that is not on the curve, or if the
// point is not written uncompressed: it would also take the hybrid form 0x06, 0x07 of the same length.
Pkey MakePkey(const PublicKey& public_key, const BIGNUM* secret);

}  // namespace holdfast
